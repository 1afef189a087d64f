"""After a slow plain cell, one line; on clocks of the tests' own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from json import dumps
from types import SimpleNamespace
from typing import Any

import pytest

from concompare import machine
from concompare.ipython.watching import Timed, Watch, hint, promised, work_in
from tests.ipython.conftest import Shell

WORK = "from json import dumps\nxs = [1, 2, 3]\nr = [dumps(x) for x in xs]"


@pytest.mark.parametrize(
    ("wall", "cpu", "cpus", "found"),
    [
        (10.0, 10.0, 4, (2.9, "4 processes")),
        (10.0, 0.1, 2, (0.625, "16 threads")),
        (10.0, 4.0, 2, (4.0, "16 threads")),
        (10.0, 6.5, 4, None),
        (10.0, 20.0, 4, None),
        (10.0, 10.0, 1, None),
        (0.5, 0.5, 2, None),
    ],
)
def test_what_is_promised_follows_from_the_cell_s_own_times(
    wall: float, cpu: float, cpus: int, found: tuple[float, str] | None
) -> None:
    promise = promised(Timed("", wall, cpu), cpus)
    assert (promise is None) == (found is None)
    if promise is not None and found is not None:
        assert promise[0] == pytest.approx(found[0])
        assert promise[1] == found[1]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (WORK, 3),
        ("from json import dumps\nfor x in xs:\n    print(dumps(x))", 2),
        ("from json import dumps\nlast = ''\nfor x in xs:\n    last = dumps(last)", None),
        (f"{WORK}\nlast = ''\nfor x in xs:\n    last = dumps(last)", None),
        ("total = 0\nfor x in xs:\n    total += x", None),
        ("import time\ntime.sleep(0)", None),
        ("for x in", None),
        ("import concompare\nr = concompare.map(dumps, xs)", None),
        ("with ThreadPoolExecutor() as pool:\n    r = [*pool.map(dumps, xs)]", None),
    ],
)
def test_only_cells_whose_work_can_run_in_parallel_are_told_of(source: str, line: int | None) -> None:
    names = {"__name__": "__main__", "xs": [1, 2, 3], "dumps": dumps, "ThreadPoolExecutor": ThreadPoolExecutor}
    part = work_in(source, names)
    assert (part.loop.line if part is not None and part.loop is not None else None) == line


def test_waiting_for_a_cpu_is_not_taken_for_waiting() -> None:
    assert promised(Timed("", 10.0, 4.0, waited=6.0), 2) == (6.0, "2 processes")
    assert promised(Timed("", 10.0, 4.0, waited=0.0), 2) == (4.0, "16 threads")


def test_the_line_says_how_long_it_took_and_would_take() -> None:
    assert hint(Timed(WORK, 12.0, 12.0), {"__name__": "__main__"}, 2) == (
        "took 12 s; the comprehension at line 3 could run in parallel: about 6.4 s in 2 processes. "
        "Put %%parallel above the cell"
    )


def test_quick_cells_failed_cells_and_magics_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cpus", lambda: 2)
    said: list[str] = []
    times = iter(range(0, 1000, 10)).__next__
    names: dict[str, Any] = {"__name__": "__main__"}
    shell = SimpleNamespace(transform_cell=str, user_ns=names)
    watch = Watch(shell, said.append, times, times, lambda: None)
    for source, success in ((f"%%time\n{WORK}", True), (WORK, False)):
        watch.before()
        watch.after(SimpleNamespace(success=success, info=SimpleNamespace(raw_cell=source)))
    slow = SimpleNamespace(success=True, info=SimpleNamespace(raw_cell=WORK))
    watch.after(slow)  # it was switched on in this very cell
    quick = Watch(shell, said.append, lambda: 1.0, times)
    quick.before()
    quick.after(slow)
    assert said == []
    watch.before()
    watch.after(slow)
    assert said[0].startswith("took 20 s; the comprehension at line 3 could run in parallel")


def test_the_magic_switches_it_on_and_off(shell: Shell) -> None:
    def looking() -> list[str]:
        events = shell.shell.events.callbacks
        return [name for name in events for call in events[name] if isinstance(getattr(call, "__self__", None), Watch)]

    shell.run("%concompare --watch on")
    shell.run("%concompare --watch on")
    assert looking() == ["pre_run_cell", "post_run_cell"]
    shell.run("%concompare --watch off")
    shell.run("%concompare --watch off")
    assert looking() == []
    assert "--watch belongs to the line form" in str(shell.fails("%%concompare --watch on\nx = 1").error)
    assert "--watch" in str(shell.fails("%concompare --watch maybe").error)
