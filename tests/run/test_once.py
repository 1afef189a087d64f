"""One pass over a task: with how many workers, and what a file of results may give and take."""

from __future__ import annotations

from collections.abc import Iterator
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
from concompare.run.request import Request
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
