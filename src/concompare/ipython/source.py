"""The code under a magic, and where it stands in the notebook."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """The code under a magic, with the lines as the notebook numbers them.

    Attributes:
        text: The code, free of IPython's own syntax.
        filename: The name that tracebacks resolve to the cell.
        first_line: Number of the code's first line in the cell.
        silent: True when the last expression ends with a semicolon.
    """

    text: str
    filename: str
    first_line: int
    silent: bool


def calling_cell(namespace: dict[str, Any]) -> tuple[str, int]:
    """Return the file name of the cell that runs now and the line it is at."""
    for frame, line in traceback.walk_stack(None):
        if frame.f_globals is namespace and frame.f_code.co_name.startswith(("<module", "<cell line")):
            return frame.f_code.co_filename, line
    return "", 1
