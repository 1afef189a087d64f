"""A small folder of notebooks, with the magic on every cell that loops and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.alike import notebooks_alike

SQUARES = """\
def square(n):
    return sum(n * n for _ in range(100)) // 100

squares = [square(n) for n in range(20)]
[found for found in map(square, squares)][-1]"""
RUNNING = """\
total = 0
for n in squares:
    total = square(total % 10 + n)
print(total)"""
CELLS = (
    "import random, time\n%matplotlib inline\n!touch never",
    SQUARES,
    RUNNING,
    "began = [time.perf_counter_ns() for _ in range(3)]\nfor at in began: print(at)",
    "drawn = [random.random() for _ in range(3)]\ndrawn",
    "%%time\nfor n in range(3): print(n)",
    "with open('written.txt', 'w') as file:\n    for n in squares:\n        print(square(n), file=file)",
    "[square(n) for n in (1, None)]",
    "last = {square(n): [n] for n in range(5)}\nlast[4]",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "inner"
    inner.mkdir()
    write(inner / "squares.ipynb", *CELLS)
    write(inner / "without.ipynb", "1 + 1")
    (tmp_path / "broken.ipynb").write_text("no JSON", encoding="utf-8")
    return tmp_path


def write(path: Path, *sources: str) -> None:
    cells = [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# Text"}, *cells]}), encoding="utf-8")


def compared(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    code = notebooks_alike.main([str(folder), *options])
    return code, [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_notebooks_end_as_without_the_magic(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(folder, capsys)
    assert code == 0, "\n".join(found)
    assert found[0].startswith("broken.ipynb is no notebook")
    for kind in ("threads", "processes"):
        place = found.index(f"%%parallel -b {kind} -w 2")
        lines = found[place : place + 30]
        assert lines[1] == "1 notebooks, 9 cells, 7 of them with loops"
        assert int(lines[2].split()[3]) >= 3, "loops that ran in workers"
        assert "different 0 cells" in lines
    assert any(line.endswith("carried") for line in found)
    assert {path.name for path in folder.rglob("*")} == {"broken.ipynb", "inner", "squares.ipynb", "without.ipynb"}


def test_cells_that_end_otherwise_are_named(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "different.json"
    wrong = f"{__name__}:load_forgetful"
    options = ("--magics", "-b threads", "--loader", wrong, "--save", str(saved))
    code, _ = compared(folder, capsys, *options)
    assert code == 1
    found = {(part["cell"], part["what"]): part for part in json.loads(saved.read_text(encoding="utf-8"))}
    squares = found[1, "name squares"]
    assert squares["first"]
    assert squares["plain"].endswith("324, 361, ]")
    assert squares["other"].endswith("289, 324, ]")
    assert (2, "stdout") in found
    assert (6, "files") in found
    assert not any(cell in (3, 5) for cell, _ in found), "what plain runs leave otherwise, and cells of other magics"


def load_forgetful(shell: Any) -> None:
    """Load a magic that is wrong: lists lose their last value."""

    def parallel(line: str, cell: str) -> None:
        shell.run_cell(cell)
        for value in shell.user_ns.values():
            if isinstance(value, list) and len(value) == 20:
                value.pop()

    shell.register_magic_function(parallel, "cell", "parallel")
