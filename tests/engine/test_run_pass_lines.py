"""A pass says, where that is asked for, at which of the user's lines its items were."""

from __future__ import annotations

import pytest

from concompare import backends, engine
from concompare.engine.outcome import PassOptions
from tests.engine.conftest import no_leaks
from tests.worker.test_line_sampler import until_looked

__all__ = ["no_leaks"]


@pytest.mark.skipif(not engine.can_look(), reason="frames of other threads cannot be read here")
@pytest.mark.parametrize("name", ["serial", "threads", "processes"])
def test_a_pass_says_at_which_lines_its_items_were(name: str) -> None:
    with engine.lease(backends.find(name), 1, fresh=True) as pool:
        outcome = engine.run_pass(until_looked, range(3), pool, PassOptions(lines=True, chunk=1))
        assert outcome.values == [0, 1, 2]
        found = [counts for place, counts in outcome.lines.items() if place.function == "until_looked"]
        assert sum(counts.samples for counts in found) >= 3
        assert engine.run_pass(abs, range(3), pool, PassOptions()).lines == {}
