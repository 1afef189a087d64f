from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import pytest

from concompare.errors import CellRefused
from tests.cells import plainly

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

FOLDER = Path(__file__).parent / "golden"
SETUP = (FOLDER / "setup.txt").read_text()
IMPORTANT = ("threads", "processes")


def cells_in(name: str) -> list[tuple[str, str]]:
    parts = re.split(r"^=== (.*)\n", (FOLDER / name).read_text(), flags=re.MULTILINE)
    return list(zip(parts[1::2], (cell.rstrip("\n") for cell in parts[2::2]), strict=True))


LIFTED = cells_in("lift_loops.txt") + cells_in("lift_expressions.txt") + cells_in("lift_errors.txt")
REFUSED = cells_in("refuse.txt")
COULD = cells_in("could.txt")


def test_the_table_is_large() -> None:
    assert len(LIFTED) + len(REFUSED) + len(COULD) >= 250


@pytest.mark.parametrize("how", IMPORTANT)
@pytest.mark.parametrize(("name", "cell"), LIFTED, ids=[name for name, _ in LIFTED])
def test_a_lifted_cell_leaves_what_the_plain_cell_leaves(name: str, cell: str, how: str, tally: plainly.Tally) -> None:
    plain = plainly.run_plain(cell, SETUP)
    try:
        lifted = plainly.run_lifted(cell, SETUP, how, seed=len(cell))
    except CellRefused:
        tally.needless.add(name)
        raise
    tally.lifted.add(name)
    different = plainly.difference(plain, lifted)
    if different:
        tally.wrong.add(name)
    assert different is None


@pytest.mark.parametrize(("name", "cell"), REFUSED, ids=[name for name, _ in REFUSED])
def test_a_cell_that_cannot_be_proven_is_refused_before_anything_ran(
    name: str, cell: str, tally: plainly.Tally
) -> None:
    line, words = re.fullmatch(r"(\d+) .*: (.*)", name).groups()  # type: ignore[union-attr]
    try:
        left = plainly.run_lifted(cell, SETUP, "threads")
    except CellRefused as caught:
        refusal = caught
    else:
        left_over(name, cell, left, tally)
    assert refusal.line == int(line), refusal
    assert words in str(refusal)


def left_over(name: str, cell: str, left: plainly.Left, tally: plainly.Tally) -> NoReturn:
    different = plainly.difference(plainly.run_plain(cell, SETUP), left)
    if different:
        tally.wrong.add(name)
    pytest.fail(f"was lifted; {different or 'with the right result'}")


@pytest.mark.parametrize(("name", "cell"), COULD, ids=[name for name, _ in COULD])
def test_a_cell_that_could_be_lifted_is_refused_with_its_line(name: str, cell: str, tally: plainly.Tally) -> None:
    tally.needless.add(name)
    with pytest.raises(CellRefused) as caught:
        plainly.run_lifted(cell, SETUP, "threads")
    assert caught.value.line == int(name.split()[0])
