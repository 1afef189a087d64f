"""One pass over one pool of workers, for both magics and every measured number."""

from __future__ import annotations

from concompare.engine.lookahead import failing_after, listed, taken_of, watched
from concompare.engine.outcome import Failure, Outcome, PassOptions, last
from concompare.engine.output import show
from concompare.engine.pools.early_start import Opening
from concompare.engine.pools.leasing import Lease, lease, pools
from concompare.engine.pools.open_pools import close_pools
from concompare.engine.pools.pool import Pool, plain_way
from concompare.engine.process_state import shared_context
from concompare.engine.run_pass import can_begin, can_look, run_pass
from concompare.interrupts import unswallowed

__all__ = [
    "Failure",
    "Lease",
    "Opening",
    "Outcome",
    "PassOptions",
    "Pool",
    "can_begin",
    "can_look",
    "close_pools",
    "failing_after",
    "last",
    "lease",
    "listed",
    "plain_way",
    "pools",
    "run_pass",
    "shared_context",
    "show",
    "taken_of",
    "unswallowed",
    "watched",
]
