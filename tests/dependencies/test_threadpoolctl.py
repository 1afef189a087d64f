"""What we rely on of threadpoolctl that it does not document."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

from concompare import backends
from concompare.engine.pools import limits
from concompare.errors import BackendUnavailable


def pools() -> dict[str, int]:
    """Return the threads of each native pool, by the file of its library."""
    return {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}


@pytest.fixture
def most() -> Iterator[int]:
    """The native threads that this process has, and has again afterwards."""
    assert float(np.ones(2) @ np.ones(2)) == 2.0
    most = max(pools().values(), default=1)
    if most == 1:
        pytest.skip("numpy has no native pool here that could be limited")
    yield most
    threadpoolctl.threadpool_limits(most)


def test_pools_say_whose_they_are_and_how_many_threads_they_have(most: int) -> None:
    """`machine.native_pools` and `fork_safety.reason_not_to_fork`: a fork would hang where OpenMP is loaded."""
    for pool in threadpoolctl.threadpool_info():
        assert pool["user_api"] in ("blas", "openmp")
        assert isinstance(pool["internal_api"], str)
        assert isinstance(pool["prefix"], str)


def test_a_limit_holds_as_soon_as_it_is_made_for_who_made_one_first(most: int) -> None:
    """`backends.threads.open` makes one where nobody enters it: OpenMP's numbers are each thread's own."""
    threadpoolctl.threadpool_limits(1)
    assert set(pools().values()) == {1}


def test_a_limit_holds_in_all_threads_or_is_refused(most: int) -> None:
    """`limits.limits`: in 3.8 one thread alone limits OpenBLAS, and those of others change nothing.

    A report would tell of one thread for each worker where there were many.
    """
    threadpoolctl.threadpool_limits(most)
    backend = backends.find("threads")

    def limited() -> dict[str, int]:
        with limits.limits(backend, 1):
            return pools()

    with ThreadPoolExecutor(1) as executor:
        asked = executor.submit(limited)
    if asked.exception() is None:
        assert set(asked.result().values()) == {1}
    else:
        assert isinstance(asked.exception(), BackendUnavailable)
        assert "another thread" in str(asked.exception())
    assert set(pools().values()) == {most}
    with limits.limits(backend, 1):
        assert set(pools().values()) == {1}
