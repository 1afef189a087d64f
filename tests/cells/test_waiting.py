"""Cells that await something at the top run as they are, and say why."""

from __future__ import annotations

import pytest

from concompare.cells.program import Cell, Wishes
from concompare.errors import CellRefused
from tests.cells import programs

SETUP = """
def f(x):
    for _ in range(2): pass
    return x * x + 1
async def given():
    for x in xs:
        yield x
async def later(x):
    return f(x)
class Waits:
    async def __aenter__(self):
        out.append("in")
        return 5
    async def __aexit__(self, *error):
        out.append("out")
xs, out = [1, 2, 3, 4], []
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "async for x in given():\n    out.append(f(x))",
        "async with Waits() as v:\n    for x in xs:\n        out.append(f(x) + v)\nout[-1]",
        "r = [f(x) async for x in given()]\nq = await later(2)\nawait later(3)",
        "for x in xs:\n    y = await later(x)\n    out.append(y)",
        "q = await later(2)\n1 / 0",
    ],
)
def test_what_waits_at_the_top_runs_as_it_is(cell: str, how: str) -> None:
    different, ran = programs.compared(cell, SETUP, how)
    assert different is None
    assert "`await` at the top" in ran.reasons


@pytest.mark.parametrize("wishes", [{"strict": True}, {"line": 1}])
def test_it_is_an_error_where_the_loop_was_asked_for(wishes: dict[str, object]) -> None:
    with pytest.raises(CellRefused, match="`await` at the top"):
        Cell("async for x in given():\n    out.append(f(x))", Wishes("<cell>", **wishes))  # type: ignore[arg-type]
