"""The code cells of a saved notebook, as plain Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from concompare.errors import BadOption
from concompare.ipython.command_line import blank_lines

RUNS_IT = re.compile(r"%%(parallel|concompare|time|timeit|capture|prun)\b")
"""Magics that run the code of their cell as Python."""


def code_cells(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1 among the code cells, and the Python of each cell that is Python.

    Every line stands where it stands in the cell; a magic that runs the code below it is an empty line.

    Raises:
        BadOption: The file is no notebook.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cells: list[Any] = data["cells"] if "cells" in data else data["worksheets"][0]["cells"]
        found = [cell.get("source", cell.get("input", "")) for cell in cells if cell.get("cell_type") == "code"]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise BadOption(f"{path} is no notebook that can be read: {type(error).__name__}: {error}") from None
    transform = TransformerManager().transform_cell
    for number, lines in enumerate(found, 1):
        source = lines if isinstance(lines, str) else "".join(lines)
        first, _, rest = source.lstrip("\n").partition("\n")
        if first.startswith("%%"):
            if not RUNS_IT.match(first):
                continue
            source = "\n" * (blank_lines(source) + 1) + rest
        try:
            plain = transform(source)
        except SyntaxError:
            plain = source
        yield number, "\n" * (blank_lines(source) - blank_lines(plain)) + plain
