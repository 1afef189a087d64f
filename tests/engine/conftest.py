from __future__ import annotations

from typing import Any

from concompare import engine
from tests.backends.conftest import no_leaks

__all__ = ["arena_of", "lines_of", "no_leaks"]


def lines_of(pool: engine.Pool) -> Any:
    """Return a pool's direct lines, or None."""
    assert pool.shortcuts is not None
    return pool.shortcuts.lines


def arena_of(pool: engine.Pool) -> Any:
    """Return the shared memory that a pool's passes have taken."""
    assert pool.shortcuts is not None
    return pool.shortcuts.memory
