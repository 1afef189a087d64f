"""Workers that several tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from concompare import backends, engine


@pytest.fixture(scope="module", params=["threads", "processes"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """The backend that the tests of a module run on, one after the other."""
    yield request.param
    engine.close_pools()


@pytest.fixture
def pool(way: str) -> Iterator[engine.Pool]:
    """Two workers, the last test's where they are well: a pass that ends early on a busy machine ends them too."""
    with engine.lease(backends.find(way, {}), 2) as opened:
        yield opened
