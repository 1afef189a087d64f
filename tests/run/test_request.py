"""What is asked for is checked before anything runs."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from concompare import machine
from concompare.errors import BadOption, UnknownBackend
from concompare.run.request import exceptions_named, request_of, worker_counts


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (None, None),
        ("4", (4,)),
        (4, (4,)),
        ("1,2,4", (1, 2, 4)),
        ("1-4", (1, 2, 3, 4)),
        ("1-3,8", (1, 2, 3, 8)),
        ("max", (6,)),
        ("2x", (12,)),
        ("1, max", (1, 6)),
        ("2,2,2", (2,)),
        ([1, 2], (1, 2)),
    ],
)
def test_worker_counts(text: Any, counts: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cpus", lambda: 6)
    assert worker_counts(text) == counts


@pytest.mark.parametrize("text", ["0", "-1", "many", "4-1", "1.5", "", "0x", "x", "1,,2", "²", "1-"])
def test_what_is_no_worker_count_is_refused(text: str) -> None:
    with pytest.raises(BadOption, match=r"is not a number of workers: write 4, 1,2,4, 1-8, max or 2x"):
        worker_counts(text)


@pytest.mark.parametrize("asked", [10**9, "1-1000000000", "100000x", "4,20000"])
def test_more_workers_than_any_machine_runs_are_refused(asked: Any) -> None:
    with pytest.raises(BadOption, match=r"is too many workers: use at most 10000"):
        worker_counts(asked)


def test_a_number_of_workers_is_whole() -> None:
    with pytest.raises(BadOption, match=r"'2.5' is not a number of workers"):
        worker_counts(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("chunk", "a", "chunk is 'a': use 1 or more items per message"),
        ("chunk", 1.5, "chunk is 1.5: use 1 or more"),
        ("chunk", True, "chunk is True"),
        ("timeout", "1s", "timeout is '1s': use a number of seconds above 0 for one item"),
        ("budget", "10", "budget is '10': use a number of seconds above 0"),
        ("budget", float("nan"), "budget is nan: use a number of seconds above 0"),
        ("budget", float("inf"), "budget is inf: use a number"),
        ("native_threads", "2", "native_threads is '2': use 1 or more threads"),
        ("seed", "x", "seed is 'x': use a whole number"),
        ("back_off", ("OSError",), "back_off has 'OSError': name exceptions, such as back_off=[TooManyRequests]"),
        ("back_off", (KeyboardInterrupt,), "back_off has <class 'KeyboardInterrupt'>: name exceptions"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_to_write(option: str, value: Any, words: str) -> None:
    with pytest.raises(BadOption) as refused:
        request_of(["threads"], None, **{option: value})
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize("seed", [0, -1, 5])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert request_of(["threads"], None, seed=seed).seed == seed


@pytest.mark.parametrize("backend", [3, None, ["threads", "processes"]])
def test_what_is_no_backend_is_shown(backend: Any) -> None:
    with pytest.raises(UnknownBackend) as refused:
        request_of([backend], None)
    assert str(refused.value) == f"backend is {backend!r}: give one name, such as 'threads', or an Executor"


def test_names_of_backends_may_stand_in_one_text() -> None:
    assert [backend.name for backend in request_of("threads, processes", None).backends] == ["threads", "processes"]


def test_exceptions_are_found_by_their_names_in_the_notebook() -> None:
    class TooMany(Exception):
        pass

    names = {"TooMany": TooMany, "socket": socket}
    assert exceptions_named(None, names) == ()
    assert exceptions_named("TooMany, socket.timeout,OSError", names) == (TooMany, socket.timeout, OSError)


@pytest.mark.parametrize("name", ["Missing", "socket.missing.more", "socket", "KeyboardInterrupt", "int", ""])
def test_a_name_that_is_no_exception_is_refused(name: str) -> None:
    with pytest.raises(BadOption, match="that is no exception here"):
        exceptions_named(f"OSError,{name}", {"socket": socket})
