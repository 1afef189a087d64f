"""Coroutine functions in a kernel, whose own event loop is running all the while."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.system.kernel.notebook import LONG, Notebook

CELL = """
async def fetch(n):
    print("fetching", n)
    await asyncio.sleep(0)
    return n * K
"""
WAITING = """
async def wait(n):
    try:
        pathlib.Path(place, f"begun-{n}").touch()  # an interrupt may come right after it
        await asyncio.sleep(3600)
    finally:
        pathlib.Path(place, f"ended-{n}").touch()
"""
EVERYWHERE = ["serial", "threads", "processes", "asyncio"]


@pytest.mark.parametrize("backend", EVERYWHERE)
def test_a_coroutine_function_runs_over_the_items(backend: str, notebook: Notebook) -> None:
    notebook.run("import asyncio\nK = 3")
    cell = notebook.run(f"%%parallel -b {backend} -w 2 --quiet --over range(5){CELL}")
    assert cell.text == "[0, 3, 6, 9, 12]"
    assert cell.stdout == "".join(f"fetching {n}\n" for n in range(5))


@pytest.mark.parametrize("backend", ["serial", "asyncio"])
def test_an_interrupt_ends_what_waits(backend: str, notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(f"import asyncio, pathlib\nplace = {str(tmp_path)!r}")
    request = notebook.start(f"%%parallel -b {backend} -w 2 --over range(8){WAITING}")
    until(tmp_path / "begun-0")
    notebook.interrupt()
    cell = notebook.finish(request)  # long before what waits has waited an hour
    assert cell.error.startswith("Interrupted")
    until(tmp_path / "ended-0")
    begun, ended = (sorted(path.name[6:] for path in tmp_path.glob(f"{kind}-*")) for kind in ("begun", "ended"))
    assert begun == ended
    assert notebook.value("[t.name for t in __import__('threading').enumerate() if 'concompare-loop' in t.name]") == []


def until(path: Path) -> None:
    """Return when a file is there."""
    end = time.monotonic() + LONG
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never came"
        time.sleep(0.01)
