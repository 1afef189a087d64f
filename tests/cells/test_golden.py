from __future__ import annotations

import ast
import gc
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from concompare.cells.program import Cell
from tests.cells import compiled, plainly, work_calls

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine:RuntimeWarning"
)

FOLDER = Path(__file__).parent / "golden"
SETUP = (FOLDER / "setup.txt").read_text()
IMPORTANT = ("threads", "processes")
ADDRESSES = frozenset({"id"})
"""What differs from run to run, of the plain cell too."""


@pytest.fixture(autouse=True)
def forgotten(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let cells write into a folder of their own, and coroutines that nobody awaited go while that is ignored."""
    if hasattr(request.node, "callspec"):
        monkeypatch.chdir(tmp_path)
    yield
    if "async " in request.node.callspec.params.get("cell", "") if hasattr(request.node, "callspec") else False:
        gc.collect()


def cells_in(name: str) -> list[tuple[str, str]]:
    parts = re.split(r"^=== (.*)\n", (FOLDER / name).read_text(), flags=re.MULTILINE)
    return list(zip(parts[1::2], (cell.rstrip("\n") for cell in parts[2::2]), strict=True))


LIFTED = [
    *cells_in("lift_loops.txt"),
    *cells_in("lift_expressions.txt"),
    *cells_in("lift_errors.txt"),
    *cells_in("lift_objects.txt"),
]
REFUSED = cells_in("refuse.txt")
COULD = cells_in("could.txt")


def test_the_table_is_large() -> None:
    assert len(LIFTED) + len(REFUSED) + len(COULD) >= 250


def reasons_of(ran: Cell) -> list[str]:
    return [str(part.refusal) for part in ran.refused]


def ended(name: str, cell: str, tally: work_calls.Tally) -> list[Cell]:
    """Run a cell plainly and in both manners; each has to end as the plain cell."""
    plain, found = plainly.run_plain(cell, SETUP), []
    for how in IMPORTANT:
        different, ran = compiled.differs(cell, SETUP, how, plain, seed=len(cell))
        if different:
            tally.wrong.add(name)
        assert different is None, f"{how}: {different}"
        found.append(ran)
    return found


@pytest.mark.parametrize(("name", "cell"), LIFTED, ids=[name for name, _ in LIFTED])
def test_a_lifted_cell_leaves_what_the_plain_cell_leaves(name: str, cell: str, tally: work_calls.Tally) -> None:
    for ran in ended(name, cell, tally):
        (tally.lifted if ran.lifted else tally.needless).add(name)
        assert ran.lifted or ran.refused
        assert ran.lifted, reasons_of(ran)


@pytest.mark.parametrize(("name", "cell"), REFUSED, ids=[name for name, _ in REFUSED])
def test_a_cell_that_may_be_refused_leaves_what_the_plain_cell_leaves(
    name: str, cell: str, tally: work_calls.Tally
) -> None:
    if (refusal := compiled.refused_whole(cell)) is not None:  # IPython runs the cell as it is: nothing of it has run
        assert refusal.line is not None
        assert name.rpartition(": ")[2] in str(refusal)
        return
    if names_in(cell) & ADDRESSES:
        found = [compiled.run_compiled(cell, SETUP, how)[1] for how in IMPORTANT]
    else:
        found = ended(name, cell, tally)
    for ran in found:
        assert all(part.refusal.line is not None and str(part.refusal) for part in ran.refused)
        assert ran.lifted or ran.refused or not ran.loops


def names_in(cell: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize(("name", "cell"), COULD, ids=[name for name, _ in COULD])
def test_a_cell_that_could_be_lifted_leaves_what_the_plain_cell_leaves(
    name: str, cell: str, tally: work_calls.Tally
) -> None:
    for ran in ended(name, cell, tally):
        (tally.lifted if ran.lifted else tally.needless).add(name)
        assert ran.lifted or ran.refused or not ran.loops


def found_with(seed: str, folder: Path) -> str:
    """Return what the compiler says of golden cells in a process with a hash seed of its own."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, "-W", "ignore", "-m", "tests.cells.saying"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_the_compiler_says_does_not_depend_on_the_order_of_sets(tmp_path: Path) -> None:
    one, other = found_with("0", tmp_path), found_with("1", tmp_path)
    assert len(one.splitlines()) > len(REFUSED) // 3 + len(LIFTED) // 6
    assert one.splitlines() == other.splitlines()
