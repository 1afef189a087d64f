from __future__ import annotations

import errno
from multiprocessing import spawn

import pytest

from concompare.engine.pools.start_failures import not_started


@pytest.mark.parametrize("python", ["", None, "/no/such/python"])
def test_an_interpreter_that_is_none_is_named(python: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "get_executable", lambda: python)
    told = not_started(PermissionError(errno.EACCES, "Permission denied"))
    assert told.startswith(f"the workers cannot be started: the interpreter to start them with is {python!r}, which")
    assert "multiprocessing.set_executable(" in told


def test_too_many_open_files_are_named_behind_the_error_of_who_did_not_expect_them() -> None:
    try:
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        finally:
            raise UnboundLocalError("child_r")
    except UnboundLocalError as error:
        told = not_started(error)
    assert "Too many open files" in told
    assert "ulimit -n" in told


def test_other_errors_keep_their_kind() -> None:
    assert not_started(KeyError("x")).startswith("the workers cannot be started: KeyError: 'x'.")
