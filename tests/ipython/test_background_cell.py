"""`%%parallel --background` in a shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from concompare.run.background import background_run
from tests.ipython.conftest import Shell


@pytest.fixture(autouse=True)
def none_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(background_run, "RUNS", [])
    yield
    for run in background_run.RUNS:
        run.cancel()


def test_the_prompt_is_back_at_once_and_the_names_come_before_a_later_cell(shell: Shell) -> None:
    shell.run("import concompare\nout = []\ndef f(n):\n    print('item', n)\n    return n * n")
    mine = shell.names["out"]
    ran = shell.run("%%parallel --background -b processes -w 2\nfor n in range(4):\n    out.append(f(n))\nout")
    assert (ran.value, mine) == (None, [])
    background_run.RUNS[0].ended.wait()
    assert mine == []
    later = shell.run("out")
    assert later.value is mine
    assert mine == [0, 1, 4, 9]
    said = "item 0\nitem 1\nitem 2\nitem 3\n[0, 1, 4, 9]\nbackground run 1: bound: bound n, out\n"
    assert later.stdout.partition("Out[")[0] == said


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("--background\nlast = ''\nfor n in xs:\n    last = dumps(last)", "line 4: needs 'last' from the item before"),
        ("--background\nx = 1", "there is no loop, comprehension, map or call to run in parallel"),
        ("--background\ndef g():\n    pass\nr = [dumps(x) for x in xs]", "line 2: a cell that defines functions"),
        ("--background\nr = [dumps(x) for x in xs if lock]", "`lock` cannot be sent to a process of its own"),
        ("--background -w 1,2\nr = [dumps(x) for x in xs]", "--background with several backends or worker counts"),
        ("--background --timeline\nr = [dumps(x) for x in xs]", "--background with --timeline: that needs a run that"),
    ],
)
def test_what_cannot_run_in_the_background_is_one_line_and_nothing_runs(shell: Shell, cell: str, message: str) -> None:
    shell.run("from json import dumps\nimport threading\nlock = threading.Lock()\nxs = [1, 2]")
    ran = shell.fails(f"%%parallel {cell}")
    assert message in str(ran.error)
    assert background_run.RUNS == []
    assert not {"r", "last", "x", "g"} & set(shell.names)


def test_explain_explains_and_quiet_is_quiet(shell: Shell) -> None:
    shell.run("from json import dumps")
    assert "runs in workers" in shell.run("%%parallel --background --explain\nr = [dumps(n) for n in (1, 2)]").stdout
    assert background_run.RUNS == []
    shell.run("%%parallel --background --quiet\nr = [dumps(n) for n in (1, 2)]")
    background_run.RUNS[0].ended.wait()
    later = shell.run("r")
    assert later.value == ["1", "2"]
    assert "background" not in later.stdout
