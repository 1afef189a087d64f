"""What runs again when a worker dies: each item notes in a file of its own that it was begun."""

from __future__ import annotations

import signal
from concurrent.futures import BrokenExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from concompare import backends, engine
from concompare.backends.traits import Handling
from concompare.engine.chunking import Chunk
from concompare.engine.outcome import PassOptions
from concompare.engine.worker_loss import Inquest
from concompare.errors import ItemTimeout, WorkerDied
from concompare.testing import define

SOURCE = """
import os, psutil, time
def f(x):
    with open(f"{folder}/{x}", "a") as file:
        file.write("begun ")
    time.sleep(0.005)
    if x == 7:
        psutil.Process().kill()
    return x
"""
WORKERS, ITEMS = 3, 16


def begun(name: str, chunk: int, folder: Path) -> dict[int, int]:
    """Run items of which one kills its worker; return how often each was begun."""
    function = define(f"folder = {str(folder)!r}\n{SOURCE}")
    with engine.lease(backends.find(name), WORKERS, fresh=True) as pool:
        outcome = engine.run_pass(function, range(ITEMS), pool, engine.PassOptions(on_error="keep", chunk=chunk))
    assert [value for value in outcome.values if not isinstance(value, engine.Failure)] == [
        item for item in range(ITEMS) if item != 7
    ]
    assert isinstance(outcome.failures[0].error, WorkerDied)
    assert [failure.index for failure in outcome.failures] == [7]
    return {int(path.name): path.read_text().count("begun") for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [1, 4])
def test_a_process_of_its_own_takes_only_its_own_items_along(chunk: int, tmp_path: Path, no_leaks: None) -> None:
    times = begun("process-per-item", chunk, tmp_path)
    held = {7} if chunk == 1 else {4, 5, 6, 7}
    assert {item for item, count in times.items() if count > 1} == held
    assert max(times.values()) == 2
    assert len(times) == ITEMS


@pytest.mark.parametrize("name", ["processes", "fork"])
def test_a_death_costs_at_most_what_was_being_computed(name: str, tmp_path: Path, no_leaks: None) -> None:
    """Each worker loses the message that it computes, and the next if it takes one before its end; none runs thrice."""
    times = begun(name, 1, tmp_path)
    again = {item for item, count in times.items() if count > 1}
    assert 7 in again
    assert len(again) < 2 * WORKERS, again
    assert max(times.values()) == 2
    assert len(times) == ITEMS


# ---------------------------------------------------------------------------------------------------------- deaths


def inquest(board: list[tuple[int, int, float]], codes: dict[int, int | None], **options: Any) -> Inquest:
    processes = [SimpleNamespace(pid=pid, exitcode=code, join=lambda _: None) for pid, code in codes.items()]
    lines = [(*line, 0) for line in board]
    backend = backends.find("processes")
    pool = SimpleNamespace(
        backend=backend, board=lambda: lines, processes=processes, executor=None, handling=Handling()
    )
    return Inquest(pool, PassOptions(**options), clock=lambda: 100.0)  # type: ignore[arg-type]


def test_only_the_item_of_the_dead_worker_is_suspect() -> None:
    found = inquest([(11, 5, 0.0), (12, 9, 0.0)], {11: -signal.SIGSEGV, 12: -signal.SIGTERM})
    lost = [Chunk(4, ["a", "b"], True), Chunk(8, ["c", "d"], True)]
    verdicts, again = found.judge(lost, BrokenExecutor())
    assert verdicts == []
    assert [(chunk.first, len(chunk.items), chunk.alone) for chunk in again] == [
        (4, 1, False),
        (5, 1, True),
        (8, 2, False),
    ]


def test_an_item_that_kills_its_worker_alone_is_guilty() -> None:
    found = inquest([(11, 5, 0.0)], {11: -signal.SIGSEGV})
    verdicts, again = found.judge([Chunk(5, ["b"], True, alone=True)], BrokenExecutor())
    assert again == []
    ((_, index, error),) = verdicts
    assert index == 5
    assert isinstance(error, WorkerDied)
    assert error.signal == "SIGSEGV"


def test_an_item_whose_time_was_up_is_not_tried_again() -> None:
    found = inquest([(11, 5, 0.0)], {11: -9}, timeout=2.0)
    found.timed_out[5] = 2.1
    ((_, index, error),), again = found.judge([Chunk(5, ["b"], True), Chunk(6, ["c"], True)], BrokenExecutor())
    assert (index, type(error)) == (5, ItemTimeout)
    assert str(error) == "item 5 ('b') took longer than its 2 s; its worker was ended"
    assert [chunk.first for chunk in again] == [6]


# ---------------------------------------------------------------------------------------------- time limits and caps


def test_an_item_over_its_time_limit_is_ended_and_the_rest_goes_on() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(x):\n    while x == 1: pass\n    return x", namespace)
    with engine.lease(backends.find("processes"), 2) as pool:
        outcome = engine.run_pass(namespace["f"], range(6), pool, PassOptions(on_error="keep", timeout=1.0))
    assert [failure.index for failure in outcome.failures] == [1]
    assert isinstance(outcome.failures[0].error, ItemTimeout)
    assert [outcome.values[0], *outcome.values[2:]] == [0, 2, 3, 4, 5]
    engine.close_pools()


def test_a_lost_message_runs_again_in_pieces_and_then_item_by_item() -> None:
    from types import SimpleNamespace

    from concompare.engine.chunking import Chunk
    from concompare.engine.worker_loss import Inquest

    inquest = Inquest(SimpleNamespace(handling=Handling(lasting=True)), engine.PassOptions(), clock=lambda: 0.0)  # type: ignore[arg-type]
    verdicts, pieces = inquest.judge([Chunk(100, list(range(900)), True)], None)
    assert verdicts == []
    assert [(chunk.first, len(chunk.items)) for chunk in pieces] == [(100 + 30 * n, 30) for n in range(30)]
    _, pieces = inquest.judge(pieces[:1], None)
    assert [len(chunk.items) for chunk in pieces] == [5] * 6
    _, singles = inquest.judge(pieces[:1], None)
    assert [(chunk.first, chunk.items) for chunk in singles] == [(100 + n, [n]) for n in range(5)]
    verdicts, again = inquest.judge(singles[:1], None)
    assert (verdicts, again) == ([], singles[:1])
    assert again[0].alone, "its result may have been lost with the next one's worker"
    ((_, index, error),), again = inquest.judge(again, None)
    assert (index, again) == (100, [])
    assert "while computing item 100 (0)" in str(error)
