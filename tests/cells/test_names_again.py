"""Names that `:=` gives values which no process can give back: matches, locks, generators."""

from __future__ import annotations

import pytest

from tests.cells import programs

FINDING = r"""
import re
from threading import Lock
PAIR = re.compile(r"(\w+)=(\d+)")
def find(text): return PAIR.search(text)
def strict(text):
    if text == "f=7": raise ValueError(text)
    return PAIR.search(text)
texts = ["a=1", "b", "c=3", "d=44", "e"]
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("r = [m.start() for s in texts if (m := find(s))]\n(r, m)", ([0, 0, 0], None)),
        ("r = {s: m.group(2) for s in texts[:4] if (m := find(s))}\n(r['d=44'], m.string)", ("44", "d=44")),
        (
            "r = [m.end() for s in texts if (m := find(s)) and (g := Lock())]\ng = g.locked()\n(r, g)",
            ([3, 3, 4], False),
        ),
        ("r = sum(m.end() for s in iter(texts[:4]) if (m := find(s)))\n(r, m.group(1))", (10, "d")),
        ("r = all((m := find(s)) is not None for s in texts)\n(r, m)", (False, None)),
        ("r = [m.end() for s in texts[:2] if (m := find(s)) or (m := find(s + '=3'))]\n(r, m.string)", ([3, 3], "b=3")),
    ],
    ids=["match", "dict", "lock", "generator", "all", "twice"],
)
def test_the_last_item_leaves_them(cell: str, found: object, how: str) -> None:
    ran = programs.in_workers(cell, FINDING, how)
    assert ran.left.error is None
    assert ran.left.value == found


@pytest.mark.parametrize("how", programs.WAYS)
def test_the_item_before_one_that_raises_leaves_them(how: str) -> None:
    """Its own call has raised before the name had a value."""
    cell = (
        "try:\n    r = [m.start() for s in ['a=1', 'c=3', 'f=7', 'd=44'] if (m := strict(s))]\n"
        "except ValueError as error:\n    said = str(error)\n(said, m.string)"
    )
    ran = programs.run(cell, FINDING, how)
    assert ran.left.error is None
    assert ran.left.value == ("f=7", "c=3")
