"""One pass over one pool of workers, for both magics and every measured number."""

from __future__ import annotations

from concompare.engine.ahead import listed, watched
from concompare.engine.interrupt import unswallowed
from concompare.engine.outcome import Failure, Outcome, PassOptions, last
from concompare.engine.output import show
from concompare.engine.pooling import Pool, close_pools, lease, pools
from concompare.engine.running import run_pass
from concompare.engine.shipping import Shipment, ship

__all__ = [
    "Failure",
    "Outcome",
    "PassOptions",
    "Pool",
    "Shipment",
    "close_pools",
    "last",
    "lease",
    "listed",
    "pools",
    "run_pass",
    "ship",
    "show",
    "unswallowed",
    "watched",
]
