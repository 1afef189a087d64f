"""Items with native threads (BLAS): the CPUs are shared out among workers, in a trial of its own that can be picked."""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: F401 - its BLAS
import pytest
import threadpoolctl

from concompare import backends, engine
from concompare.analysis import pick as advise
from concompare.errors import BadOption
from concompare.measure import compare
from concompare.measure.compare import Kept
from concompare.measure.cost_model import Arm
from concompare.records import Comparison, NativePool, Subject
from tests.measure.worlds import PROCESSES, SERIAL, THREADS, Cost, World
from tests.records import of_the_notebook

POOLS = (NativePool("blas", "openblas", 4),)


@of_the_notebook
def native_threads(x: int) -> int:
    """Return the threads of the largest BLAS pool here and now."""
    import numpy  # noqa: F401
    import threadpoolctl

    found = threadpoolctl.threadpool_info()
    return max((int(pool["num_threads"]) for pool in found if pool["user_api"] == "blas"), default=0)


USUAL = native_threads(0)


def run(world: World, **more: Any) -> tuple[Comparison, Kept]:
    return compare.compare(
        lambda x: x,
        range(40),
        backends=(SERIAL, THREADS, PROCESSES),  # type: ignore[arg-type]
        subject=Subject("f"),
        environment=world.environment(),
        runner=world,
        machine=world,
        clock=world.clock,
        seed=1,
        **more,
    )


def world_of(native: float, *, uncapped: float = 1.0) -> World:
    """Build a world whose items compute natively for so long, and in threads without a limit so many times as long."""
    return World(lambda x: Cost(0.1, gil=0.0, native=native), cpus=4, pools_of_items=POOLS, crowding=uncapped)


def test_threads_are_tried_with_the_cpus_shared_out_where_items_use_native_threads() -> None:
    world = world_of(0.3)
    comparison, _ = run(world)
    capped = [(t.backend, t.workers, t.native_threads) for t in comparison.trials if t.native_threads is not None]
    assert capped == [("threads", 2, 2), ("threads", 4, 1)]
    assert {pool.native_threads for pool in world.pools if pool.backend is THREADS} == {None, 2, 1}
    assert comparison.probe.native_share == pytest.approx(0.75)


@pytest.mark.parametrize(("native", "pools"), [(0.0, POOLS), (0.02, POOLS), (0.3, ())])
def test_no_limit_is_tried_where_little_is_computed_natively(native: float, pools: tuple[NativePool, ...]) -> None:
    world = World(lambda x: Cost(0.1, gil=0.0, native=native), cpus=4, pools_of_items=pools)
    assert not [trial for trial in run(world)[0].trials if trial.native_threads is not None]


def test_the_capped_variant_is_picked_where_it_is_faster_and_the_rest_runs_on_it() -> None:
    world = world_of(0.3, uncapped=3.0)
    comparison, kept = run(world, budget=8.0)
    pick = advise.pick(comparison)
    assert (pick.backend, pick.workers, pick.native_threads) == ("threads", 4, 1)
    assert pick.line == "%%parallel -b threads -w 4 --native-threads 1"
    assert world.pools[-1].native_threads == 1
    assert kept.values == list(range(40))


def test_a_limit_that_is_asked_for_is_that_of_every_trial_and_of_the_plain_loop() -> None:
    world = world_of(0.3)
    comparison, _ = run(world, native_threads=2)
    assert {trial.native_threads for trial in comparison.trials} == {2}
    assert {pool.native_threads for pool in world.pools} == {2}


def test_an_arm_with_a_limit_says_so() -> None:
    assert Arm("threads", 2, label="threads", native=1).name == "threads × 2 (1 native each)"


@pytest.mark.skipif(USUAL < 2, reason="numpy's BLAS has one thread here")
@pytest.mark.parametrize("name", ["serial", "threads", "processes"])
def test_workers_have_the_native_threads_they_were_leased_with_and_the_notebook_its_own(name: str) -> None:
    with engine.lease(backends.find(name), 1, fresh=True, native_threads=1) as pool:
        assert native_threads(0) == USUAL
        assert engine.run_pass(native_threads, [0, 1], pool).values == [1, 1]
        assert native_threads(0) == USUAL
    with threadpoolctl.threadpool_limits(1):
        assert native_threads(0) == 1, "else this test would see nothing"


@pytest.mark.skipif(USUAL < 2, reason="numpy's BLAS has one thread here")
def test_a_script_says_how_many_native_threads_its_workers_have() -> None:
    import concompare

    assert concompare.map(native_threads, [0], backend="threads", workers=1, native_threads=1) == [1]
    with pytest.raises(BadOption, match="native_threads is 0: use 1 or more"):
        concompare.map(native_threads, [0], native_threads=0)


@pytest.mark.parametrize(("limit", "learns"), [(None, True), (1, False)])
def test_auto_learns_nothing_from_a_run_with_limited_native_threads(limit: int | None, learns: bool) -> None:
    import concompare
    from concompare.run import auto_history

    auto_history.RUNS.clear()
    concompare.map(lambda x: sum(range(20_000)) + x, range(60), native_threads=limit)
    assert bool(auto_history.RUNS) is learns
