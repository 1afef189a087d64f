"""The list of open pools: which are in use, which are kept warm, and that none is left behind at the end."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from concompare.engine.pools.directory import ALIVE, KEEPERS, LEFT, remove_left

WARM: list[Any] = []
"""Pools that nobody uses now, most recently used last."""

OUT: list[Any] = []
"""Pools in use."""

STARTING: list[threading.Thread] = []
"""Threads that open pools while the notebook goes on; they take themselves off."""

REAPER: list[threading.Timer] = []
"""The one timer that looks for idle pools."""

LOCK = threading.RLock()


def close_warm() -> None:
    """Close the pools that nobody uses now."""
    with LOCK:
        while WARM:
            WARM[-1].close()


def forget(pool: Any) -> None:
    """Take a pool off the lists."""
    with LOCK:
        for pools in (WARM, OUT):
            if pool in pools:
                pools.remove(pool)


def close_pools() -> None:
    """Close every open pool, and the clusters that they were on."""
    for thread in tuple(STARTING):
        thread.join()
    for pool in (*OUT, *WARM):
        pool.close()
    connected = sys.modules.get("concompare.backends.clusters.cluster")
    if connected is not None:
        connected.close_clusters()
    remove_left()


BEFORE_EXIT: list[Callable[[], None]] = []
"""What is called at the interpreter's end before the pools are closed: what was asked for comes to its end first."""


def close_at_exit() -> None:
    """Close every pool at the interpreter's end, before executors wait for their calls."""
    for call in BEFORE_EXIT:
        call()
    close_pools()


def close_with_the_process() -> None:
    """Close every pool before a process of multiprocessing's waits for its children: it calls no `atexit`."""
    from multiprocessing import parent_process, util

    if parent_process() is not None and ENDING[0] != os.getpid():
        ENDING[0] = os.getpid()
        util.Finalize(None, close_at_exit, exitpriority=100)


ENDING = [0]
"""The process that has been told so."""


def forget_all() -> None:
    """Forget the pools in a forked child: they are its parent's."""
    WARM.clear()
    OUT.clear()
    for file in ALIVE.values():
        file.close()
    ALIVE.clear()
    KEEPERS.clear()
    STARTING.clear()
    LEFT.clear()
    REAPER.clear()


atexit.register(close_pools)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_all)
