"""One pass over a task: with how many workers, and what a file of results may give and take."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.cells.task import task_of
from concompare.engine.forecast import Standing
from concompare.engine.resume.journal import Journal
from concompare.engine.resume.recorder import Recorder
from concompare.run import once
from concompare.run.once import counts_for, one_pass
from concompare.run.request import Request, request_of
from concompare.run.witness import Again, Differs


@pytest.fixture(autouse=True, scope="module")
def no_pools_left() -> Iterator[None]:
    yield
    engine.close_pools()


def test_the_plain_loop_has_one_worker_and_others_as_many_as_asked_for_or_cpus() -> None:
    assert counts_for(backends.plain(), (4, 8)) == (1,)
    assert counts_for(backends.find("threads"), (4, 8)) == (4, 8)
    assert counts_for(backends.find("threads"), None, 3) == (3,)


def kept(path: Path, number: int, *, witnessed: bool, name: str = "processes") -> list[int]:
    """Compute some items in a file's care, by workers that say otherwise than the notebook from 100 on."""
    backend = backends.find(name)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("import os\nhere = os.getpid()\ndef f(x): return x if x < 100 or os.getpid() == here else -x", names)
    journal = Journal(path)
    values: list[int] = []

    def keep(position: int, value: int) -> bool:
        values.append(value)
        return False

    try:
        recorder = Recorder(journal, "key", names["f"], changing=False, entries=journal.entries)
        request = Request((backend,), witnessed=witnessed, recorder=recorder, chunk=1)
        items = list(range(number, number + 4))
        task = task_of(names["f"], items)
        again = Again(items, 0) if witnessed else None
        one_pass(task, backend, 2, request, keep, kept=again)
    except Differs:
        pass
    finally:
        journal.close()
    return values


def recorded(path: Path) -> list[str]:
    journal = Journal(path)
    journal.close()
    return [entry.head["kind"] for entry in journal.entries]


@pytest.mark.parametrize("witnessed", [True, False])
def test_results_of_workers_are_firm_when_they_have_been_compared(tmp_path: Path, witnessed: bool) -> None:
    path = tmp_path / "results"
    assert kept(path, 0, witnessed=witnessed) == [0, 1, 2, 3]
    kinds = recorded(path)
    assert kinds.count("results") == 4
    assert ("agreed" in kinds) == witnessed
    assert kept(path, 0, witnessed=False, name="serial") == [0, 1, 2, 3]
    assert recorded(path) == kinds


def test_results_of_workers_that_differ_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "results"
    assert kept(path, 100, witnessed=True) == []
    assert recorded(path)[-1] == "void"
    assert kept(path, 100, witnessed=False, name="serial") == [100, 101, 102, 103]


def test_the_items_before_a_pass_that_begins_later_have_finished() -> None:
    told: list[Standing] = []
    show = once.from_item(30, told.append)
    assert show is not None
    show(Standing(5, 70, 1.5, 2, 2))
    show(Standing(5, None))
    assert told == [Standing(35, 100, 1.5, 2, 2), Standing(35, None)]
    assert once.from_item(30, None) is None
    assert once.from_item(0, told.append) == told.append


def parts(x: int) -> Any:
    return threading.Lock() if x == 3 else x


def test_a_result_that_cannot_be_sent_back_is_computed_in_the_notebook() -> None:
    """The witness has seen others: the plain loop goes on from there, and its results are of one piece."""
    request = replace(request_of(["processes"], 1, witnessed=True), plainly=True)
    _, seen, said = once.run_once(task_of(parts, range(6)), backends.find("processes"), 1, request)
    assert [*seen[:3], *seen[4:]] == [0, 1, 2, 4, 5]
    assert type(seen[3]) is type(threading.Lock())
    assert "the result cannot be sent back: result → _thread.lock" in said


@pytest.mark.parametrize("how", [{"plainly": False}, {"plainly": True, "outside": True}])
def test_such_a_result_is_an_error_where_nothing_may_be_done_twice(how: dict[str, Any]) -> None:
    request = replace(request_of(["processes"], 1), **how)
    with pytest.raises(TypeError, match="the result cannot be sent back"):
        once.run_once(task_of(parts, range(6)), backends.find("processes"), 1, request)


def test_items_before_the_one_that_differs_are_handed_on_where_all_are_of_one_message() -> None:
    """What the first items take is little: workers are compared on several of them, and these may come together."""
    here = os.getpid()

    def head(x: int) -> int:
        return x if x < 4 or os.getpid() == here else -x

    request = replace(request_of(["processes"], 1, witnessed=True), plainly=True)
    for chunk in (1, 2, 3, 5):
        backend = replace(backends.find("processes"), chunk=chunk)  # type: ignore[type-var]
        _, seen, said = once.run_once(task_of(head, range(7)), backend, 1, request)
        assert seen == [0, 1, 2, 3, 4, 5, 6]
        assert said == "ran as the plain loop: item 4 gives -4 in a worker and 4 in the notebook"


def test_a_loop_that_stops_before_the_item_that_differs_has_ended() -> None:
    """All of them are of one message: the loop breaks at item 2, and item 4 does not matter any more."""
    here, seen = os.getpid(), []

    def head(x: int) -> int:
        return x if x < 4 or os.getpid() == here else -x

    def apply(position: int, value: int) -> bool:
        seen.append(value)
        return value == 2

    request = replace(request_of(["processes"], 1, witnessed=True), plainly=True)
    backend = replace(backends.find("processes"), chunk=7)  # type: ignore[type-var]
    once.run_once(replace(task_of(head, range(7)), apply=apply), backend, 1, request)
    assert seen == [0, 1, 2]
