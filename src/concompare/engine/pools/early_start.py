"""Workers that start while the notebook goes on with something else."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading

from concompare.backends.base import Backend
from concompare.engine.pools.leasing import lease
from concompare.engine.pools.open_pools import STARTING
from concompare.errors import BackendUnavailable
from concompare.interrupts import shielded

try:
    import fcntl  # noqa: F401
except ImportError:
    LOCKS = False
else:
    LOCKS = True

TURN = 0.0005
"""Seconds after which the notebook's own computing lets the start go on, which needs the GIL often and for little."""


MODULES = (
    "concompare.engine.pools.inherited_state",
    "concompare.engine.shortcuts.arena",
    "concompare.engine.shortcuts.direct_channel",
    "concompare.engine.shortcuts.shortcuts",
    "concompare.worker.warm_up",
    "multiprocessing.forkserver",
    "multiprocessing.popen_forkserver",
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.popen_spawn_win32",
    "multiprocessing.resource_tracker",
    "multiprocessing.synchronize",
)


def load_all() -> None:
    """Load what the start needs: done beside the notebook, which may import the same, either might get half of it."""
    for name in MODULES:
        with contextlib.suppress(ImportError):  # what this system does not have it does not need
            importlib.import_module(name)
    from concompare.libraries import libraries

    libraries()  # which loads a module of the standard library's
    if not LOCKS:  # then psutil tells whose folders are nobody's any more
        import psutil  # noqa: F401


class Opening:
    """Opens a pool in a thread of its own, and leaves it with the warm ones.

    Args:
        backend: The kind of the workers.
        workers: How many.
        native_threads: As for `lease`.

    Attributes:
        problem: Why they did not start, if so.
    """

    def __init__(self, backend: Backend, workers: int, native_threads: int | None = None) -> None:
        self.backend, self.workers, self.native_threads = backend, workers, native_threads
        self.problem: BackendUnavailable | None = None
        load_all()
        self.thread = threading.Thread(target=self.open, name="concompare-opening")
        STARTING.append(self.thread)
        with shielded():
            self.thread.start()

    @property
    def over(self) -> bool:
        """Return whether the workers are there, or will not come."""
        return not self.thread.is_alive()

    def open(self) -> None:
        """Open the pool."""
        usual = sys.getswitchinterval()
        short = min(TURN, usual)
        sys.setswitchinterval(short)
        try:
            with lease(self.backend, self.workers, native_threads=self.native_threads) as pool:
                pool.direct_lines()
        except BackendUnavailable as problem:
            self.problem = problem
        except Exception as error:  # such as variables of the environment that an item changes just now
            self.problem = BackendUnavailable(f"{self.backend.name}: {type(error).__name__}: {error}")
        finally:
            if abs(sys.getswitchinterval() - short) < TURN / 100:  # else somebody has chosen another
                sys.setswitchinterval(usual)
            STARTING.remove(self.thread)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is over, or for so many seconds; return whether it is."""
        self.thread.join(seconds)
        return self.over
