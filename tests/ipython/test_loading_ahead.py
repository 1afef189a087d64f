"""What the first cell with a magic needs is loaded while the kernel has nothing to do."""

from __future__ import annotations

import asyncio
from typing import Any

from concompare.ipython import loading_ahead
from concompare.ipython.loading_ahead import MODULES, load, load_when_idle
from tests.system.kernel.notebook import Notebook


class Events:
    """The events of a shell."""

    def __init__(self) -> None:
        self.known: list[Any] = []

    def register(self, name: str, function: Any) -> None:
        assert name == "post_run_cell"
        self.known.append(function)

    def unregister(self, name: str, function: Any) -> None:
        assert name == "post_run_cell"
        self.known.remove(function)


class Shell:
    """A shell with events only."""

    def __init__(self) -> None:
        self.events = Events()


def test_modules_are_loaded_one_after_the_other_and_those_that_fail_are_left_out() -> None:
    found: list[str] = []

    def find(name: str) -> None:
        found.append(name)
        if name == "two":
            raise ImportError(name)

    async def idle() -> None:
        load(asyncio.get_running_loop(), ["one", "two", "three"], find)
        assert found == ["one"]
        while len(found) < 3:
            await asyncio.sleep(0)

    asyncio.run(idle())
    assert found == ["one", "two", "three"]


def test_it_begins_once_after_the_cell_and_not_without_a_loop() -> None:
    shell, calls = Shell(), []

    async def cell() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later = lambda *words: calls.append(words)  # type: ignore[method-assign,assignment]
        load_when_idle(shell)
        assert calls == []
        shell.events.known[0](None)
        assert calls == [(loading_ahead.PAUSE, load, loop, list(MODULES))]

    asyncio.run(cell())
    assert shell.events.known == []
    load_when_idle(shell)
    shell.events.known[0]()
    assert shell.events.known == []
    assert len(calls) == 1


def test_a_kernel_has_them_before_the_first_cell_with_a_magic() -> None:
    look = f"import sys\n[name for name in {MODULES!r} if name not in sys.modules]"
    with Notebook() as notebook:
        notebook.run("%load_ext concompare")
        while notebook.run(look).text != "[]":
            pass
        assert notebook.run("%%parallel -b threads -w 2 --quiet\nfound = [abs(x) for x in range(-3, 3)]").status == "ok"
        assert notebook.run("found").text == "[3, 2, 1, 0, 1, 2]"
