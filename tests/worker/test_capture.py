from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from concompare.worker import capture


@dataclass
class Done:
    values: list[Any] = field(default_factory=list)
    output: list[tuple[int, str, Any]] = field(default_factory=list)


def test_a_stream_that_was_read_past_its_property_can_be_put_back() -> None:
    ours, sys.stdout = sys.stdout, io.StringIO()
    try:
        original = sys.stdout
        with capture.doors():
            sys.stdout = vars(sys)["stdout"]  # as code reads it that Python has specialised for plain modules
            sys.stdout.write("heard")
            assert sys.stdout is original
        assert sys.stdout is original
        assert original.getvalue() == "heard"
    finally:
        sys.stdout = ours


def stdout_now() -> Any:
    return sys.stdout


def test_code_that_python_has_specialised_finds_the_stream_itself() -> None:
    for _ in range(1000):
        original = stdout_now()
    with capture.doors():
        assert stdout_now() is original
        with pytest.raises(AttributeError, match="module 'sys' has no attribute 'nothing'"):
            sys.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_same_while_items_are_recorded() -> None:
    done = Done()
    before = sys.stdout
    with capture.recording(done):
        sys.stdout = vars(sys)["stdout"]
        sys.stdout.write("of the item")
    assert done.output == [(0, "stdout", "of the item")]
    assert sys.stdout is before
