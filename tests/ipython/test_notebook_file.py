"""Cells of a saved notebook as plain Python, line by line where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from concompare.errors import BadOption
from concompare.ipython.notebook_file import code_cells


def written(path: Path, *sources: str | list[str]) -> Path:
    cells = [{"cell_type": "code", "source": source} for source in sources]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# words"}, *cells]}))
    return path


def test_magics_that_run_the_cell_leave_an_empty_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ipynb", "%%parallel -w 2\nx = 1", ["\n", "%%time\n", "x = 2"], "%%html\n<b>", "x = 3")
    assert list(code_cells(path)) == [(1, "\nx = 1\n"), (2, "\n\nx = 2\n"), (4, "x = 3\n")]


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ipynb", "\n\n%cd x\n!ls\nfor n in range(3):\n    f(n)", "def f(:")
    (_, first), (_, second) = code_cells(path)
    assert first.splitlines()[4:] == ["for n in range(3):", "    f(n)"]
    assert second.strip() == "def f(:"


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [3]}', '{"worksheets": []}'])
def test_what_is_no_notebook_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(BadOption, match=r"a\.ipynb is no notebook that can be read: \w+Error"):
        list(code_cells(tmp_path / "a.ipynb"))
