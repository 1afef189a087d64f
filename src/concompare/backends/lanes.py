"""The executor for workers with names, by the name under which other packages import it."""

from __future__ import annotations

from concompare.backends.clusters.executor import LaneExecutor

__all__ = ["LaneExecutor"]
