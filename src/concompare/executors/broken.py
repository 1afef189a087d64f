"""The error of an executor that can compute nothing any more."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor

from concompare.errors import ConcompareError


class ExecutorBroken(ConcompareError, BrokenExecutor):
    """Raised when an executor can compute nothing any more; says why."""
