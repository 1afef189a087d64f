"""Errors of lost worker processes, as code expects them that was written for the standard library's pools."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool

from concompare.errors import WorkerDied


class CallLost(WorkerDied, BrokenProcessPool):
    """Raised in the place of a call whose worker ended while it computed it; the executor goes on."""


def lost_with(death: BaseException) -> BaseException:
    """Return the death of a worker as an error that is a broken process pool's too; others as they are."""
    if type(death) is not WorkerDied:
        return death
    return CallLost(str(death), death.index, death.signal)


def pool_closed() -> BrokenProcessPool:
    """Return the error of workers that were closed while the executor was open."""
    return BrokenProcessPool("the workers have been closed")
