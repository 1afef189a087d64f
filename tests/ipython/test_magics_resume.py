"""`%%parallel --resume`: a cell goes on where it ended, and leaves what it would have left in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from concompare.errors import BadOption
from tests.ipython.conftest import Ran, Shell

SETUP = """
class Point:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return type(other) is Point and other.x == self.x
boxes = [[number] for number in range(8)]
def score(box):
    print("box", box[0])
    display({"shown": box[0]})
    return Point(box[0] * SCALE), box
SCALE = 3
"""
LOOP = """
points = {}
for box in boxes:
    point, same = score(box)
    points[box[0]] = point
    print("kept", box[0], same is box)
"""
NAMES = ("points", "box", "point", "same")


def resumed(shell: Shell, path: Path, backend: str, cell: str = LOOP) -> Ran:
    return shell.run(f"%%parallel -b {backend} -w 2 --chunk 1 --resume {path}\n{cell}")


@pytest.mark.parametrize("backend", ["serial", "threads", "processes", "auto"])
def test_all_that_a_cell_leaves_is_the_same_whatever_part_came_from_the_file(
    shell: Shell, tmp_path: Path, backend: str
) -> None:
    shell.run(SETUP)
    plain = shell.run(LOOP)
    names = {name: shell.names[name] for name in NAMES}
    path = tmp_path / "results"
    for part in (0, 0.6, 1):
        for name in NAMES:
            del shell.names[name]
        if part:
            path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
        ran = resumed(shell, path, backend)
        assert {name: shell.names[name] for name in NAMES} == names
        assert shell.names["same"] is shell.names["boxes"][-1]
        assert ran.stdout == plain.stdout
        assert [shown for shown in ran.displays if "shown" in str(shown)] == plain.displays
        if part != 0.6:  # the record that workers agree may be early or late in the file
            assert ("of 8 results from" in ran.shown) == bool(part)
    assert "8 of 8 results from" in ran.shown


def test_a_cell_whose_item_failed_goes_on_after_it(shell: Shell, tmp_path: Path) -> None:
    shell.run(SETUP + "limit = {'most': 5}\n")
    cell = "results = []\nfor box in boxes:\n    results.append(check(box))"
    function = "def check(box):\n    print('checked', box[0])\n    assert box[0] != 5{}, 'too much'\n    return box[0]"
    shell.run(
        function.format(" or open_now()")
        + f"\ndef open_now():\n    import os\n    return os.path.exists({str(tmp_path / 'open')!r})"
    )
    path = tmp_path / "results"
    ran = shell.run(f"%%parallel -b processes -w 2 --chunk 1 --resume {path}\n{cell}", check=False)
    assert type(ran.error) is AssertionError
    assert shell.names["results"] == [0, 1, 2, 3, 4]
    (tmp_path / "open").touch()
    again = resumed(shell, path, "serial", cell)
    assert shell.names["results"] == list(range(8))
    assert again.stdout == "".join(f"checked {number}\n" for number in range(8))
    assert "results from" in again.shown


def test_another_version_and_other_items_are_said(shell: Shell, tmp_path: Path) -> None:
    shell.run(SETUP)
    path = tmp_path / "results"
    resumed(shell, path, "serial")
    shell.run("SCALE = 4")
    ran = resumed(shell, path, "serial")
    assert (
        f"{path} keeps 8 results of another version of score, which this run does not use, since `SCALE` changed"
        in ran.stdout
    )
    assert shell.names["point"].x == 28
    shell.run("boxes[3] = [33]")
    ran = resumed(shell, path, "serial")
    assert f"{path} keeps 1 result of other items, which this run does not use" in ran.stdout
    assert "7 of 8 results from" in ran.shown
    assert shell.names["points"][33].x == 132
    ran = resumed(shell, path, "serial", LOOP.replace("score(box)", "score(boxes[box[0] % 8])"))
    assert "since " in ran.stdout
    assert "the loop" in ran.stdout


def test_items_that_change_themselves_change_from_the_file_too(shell: Shell, tmp_path: Path) -> None:
    shell.run(
        "class Account:\n"
        "    def __init__(self, n): self.n, self.log = n, []\n"
        "    def work(self):\n"
        "        self.log.append(self.n * 2)\n"
        "        return sum(self.log)"
    )
    cell = "accounts = [Account(n) for n in range(6)]\ntotals = []\nfor a in accounts:\n    totals.append(a.work())"
    for backend in ("threads", "processes", "serial"):
        path = tmp_path / backend
        for _ in range(2):
            ran = resumed(shell, path, backend, cell)
            assert shell.names["totals"] == [0, 2, 4, 6, 8, 10]
            assert [a.log for a in shell.names["accounts"]] == [[2 * n] for n in range(6)]
        assert "6 of 6 results from" in ran.shown


def test_comprehensions_and_several_loops_share_a_file(shell: Shell, tmp_path: Path) -> None:
    shell.run("def double(x):\n    return [2 * x]\ndef triple(x):\n    return [3 * x]")
    cell = "a = [double(x) for x in range(5)]\nb = {x: triple(x) for x in range(5)}\nc = [double(x) for x in range(5)]"
    for _ in range(2):
        ran = resumed(shell, tmp_path / "results", "serial", cell)
        assert shell.names["a"] == shell.names["c"] == [[2 * x] for x in range(5)]
        assert shell.names["b"] == {x: [3 * x] for x in range(5)}
    assert ran.shown.count("5 of 5 results from") == 3


def test_a_loop_that_runs_as_it_is_has_nothing_in_the_file_and_that_is_said(shell: Shell, tmp_path: Path) -> None:
    shell.run("def step(x, before):\n    return x + before")
    ran = resumed(shell, tmp_path / "results", "threads", "total = 0\nfor x in range(4):\n    total = step(x, total)")
    assert shell.names["total"] == 6
    assert "results has nothing of a loop that runs as it is" in ran.stdout


@pytest.mark.parametrize("options", ["-b threads,processes", "-b threads -w 1,2"])
def test_it_belongs_to_one_way_to_run(shell: Shell, tmp_path: Path, options: str) -> None:
    ran: Any = shell.fails(f"%%parallel {options} --resume {tmp_path / 'results'}\n[abs(x) for x in range(3)]")
    assert type(ran.error) is BadOption
    assert "resume belongs to one backend and one number of workers" in str(ran.error)


def test_a_file_that_cannot_be_used_is_said_before_anything_runs(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("# mine")
    ran = shell.fails(f"%%parallel -b serial --resume {tmp_path / 'notes'}\nbefore = 1\nr = [abs(x) for x in range(3)]")
    assert type(ran.error) is BadOption
    assert "the file is there and has no results of a run: give another name" in str(ran.error)
    assert "before" not in shell.names
    assert (tmp_path / "notes").read_text() == "# mine"
