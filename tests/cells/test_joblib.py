"""Cells with `joblib.Parallel`: its calls run as one loop, and end as the plain cell does."""

from __future__ import annotations

import pytest

from tests.cells import programs, test_pools
from tests.cells.pool_cells import cells_of

pytest.importorskip("joblib")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
SETUP = test_pools.SETUP + "import joblib\nfrom joblib import Parallel, delayed\n"
LIFTED = cells_of("""
### processes
res = Parallel(n_jobs=2)(delayed(add)(x, c=2) for x in xs)
### by its module
res = joblib.Parallel(n_jobs=2)(joblib.delayed(f)(x) for x in xs)
### a list of calls
res = Parallel(2)([delayed(f)(x) for x in xs])
### threads
res = Parallel(n_jobs=2, backend='threading')(delayed(f)(x) for x in xs)
### threads preferred
res = Parallel(n_jobs=-1, prefer='threads')(delayed(f)(x) for x in xs)
### processes of the standard library
res = Parallel(2, backend='multiprocessing')(delayed(pair)(x) for x in xs)
### one
res = Parallel(n_jobs=1)(delayed(f)(x) for x in xs)
### used twice
with Parallel(n_jobs=2) as p:
    a = p(delayed(f)(x) for x in xs)
    b = p(delayed(add)(x) for x in a)
del p
### lambda
res = Parallel(n_jobs=2)(delayed(lambda v: v + 1)(x) for x in xs)
### raises
try:
    res = Parallel(n_jobs=2)(delayed(picky)(x) for x in xs)
except ValueError as e:
    res = str(e)
### settings around it
with joblib.parallel_config(backend='threading', n_jobs=2):
    res = Parallel()(delayed(f)(x) for x in xs)
""")
AS_WRITTEN = cells_of("""
### says how far it is
res = Parallel(n_jobs=2, backend='threading', verbose=5)(delayed(f)(x) for x in xs)
### results while it works
res = list(Parallel(n_jobs=2, backend='threading', return_as='generator')(delayed(f)(x) for x in xs))
### effects
res = Parallel(n_jobs=2, backend='threading')(delayed(note)(x) for x in xs)
out.sort()
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_calls_of_joblib_run_as_one_loop(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert {lifted.loop.own for lifted in ran.cell.lifted} == {"Parallel"}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_what_shows_how_far_joblib_is_runs_as_written(name: str) -> None:
    ran = programs.run(AS_WRITTEN[name], SETUP, "threads")
    assert ran.left.names["res"] == ([1, 2, 3, 4, 5] if name == "effects" else [2, 5, 10, 17, 26])
    assert not [lifted for lifted in ran.cell.lifted if lifted.loop.own]
    assert "runs as it is written" in ran.reasons or "changes `out`" in ran.reasons


def test_the_same_calls_can_run_as_joblib_runs_them() -> None:
    ran = programs.run(LIFTED["threads"], SETUP, "threads")
    (lifted,) = ran.cell.lifted
    assert lifted.as_written is not None
    assert lifted.own_workers == 2
    lifted.as_written()
