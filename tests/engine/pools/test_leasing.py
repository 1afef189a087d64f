"""What a pass borrows: warm pools where they fit, a few of them, for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from concompare import backends, engine
from concompare.engine.pools import leasing, open_pools


@pytest.fixture(autouse=True)
def no_pools() -> Iterator[None]:
    engine.close_pools()
    yield
    engine.close_pools()


def threads(count: int) -> engine.Lease:
    return engine.lease(backends.find("threads"), count)


def test_a_pool_is_out_while_it_is_lent_and_warm_then() -> None:
    lease = threads(2)
    assert lease.fresh
    with lease as pool:
        assert [pool] == open_pools.OUT
        assert open_pools.WARM == []
    assert open_pools.OUT == []
    assert [pool] == open_pools.WARM
    again = threads(2)
    with again as same:
        assert same is pool
    assert not again.fresh


def test_a_fresh_one_is_never_a_warm_one_and_is_closed() -> None:
    with threads(2) as warm:
        pass
    lease = engine.lease(backends.find("threads"), 2, fresh=True)
    with lease as pool:
        assert pool is not warm
        assert lease.fresh
    assert engine.pools() == (warm,)
    assert pool.executor is None


def test_a_broken_one_is_not_kept() -> None:
    with threads(2) as pool:
        pool.broken = True
    assert engine.pools() == ()


def test_the_least_recently_used_of_many_is_closed() -> None:
    for count in range(1, leasing.KEPT + 2):
        with threads(count):
            pass
    assert [pool.workers for pool in engine.pools()] == list(range(2, leasing.KEPT + 2))


def test_what_has_been_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with threads(1) as old, threads(2) as new:
        pass
    monkeypatch.setattr(old, "used", old.used - leasing.IDLE)
    leasing.close_idle()
    assert engine.pools() == (new,)


def test_other_native_threads_are_another_pool() -> None:
    with threads(2) as pool:
        pass
    with engine.lease(backends.find("threads"), 2, native_threads=1) as limited:
        assert limited is not pool
