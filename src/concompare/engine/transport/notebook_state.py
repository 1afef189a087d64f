"""What a pass takes along of the notebook's state for workers that started before it."""

from __future__ import annotations

from concompare.backends.start_environment import way_here
from concompare.engine.pools.pool import Pool
from concompare.libraries import here
from concompare.worker.surroundings import Surroundings, changes, undecoded


def now_in(pool: Pool) -> Surroundings | None:
    """Return the surroundings that a pool's workers are to have in a pass; None where those are not ours to change.

    Raises:
        BackendUnavailable: The current folder has been deleted, and the system gives no other way into it.
    """
    changed = changes(pool.environment, undecoded())
    if pool.near:
        return Surroundings(here() or way_here(), changed)
    return Surroundings("", changed) if pool.backend.isolation == "interpreter" else None
