"""What runs again when a worker dies: each item notes in a file of its own that it was begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from concompare import backends, engine
from concompare.errors import WorkerDied
from concompare.testing import define

SOURCE = """
import os, signal, time
def f(x):
    with open(f"{folder}/{x}", "a") as file:
        file.write("begun ")
    time.sleep(0.005)
    if x == 7:
        os.kill(os.getpid(), signal.SIGKILL)
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
