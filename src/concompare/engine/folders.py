"""The folder that a pool's processes share: made in memory where that is possible, swept when its kernel was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from concompare.workplace import BOARD

SETTLED = 2.0
"""Seconds after its last change from which a folder that nobody holds is a dead kernel's."""

ALIVE: dict[Path, Any] = {}
"""The locked `alive` files of the open pools: the workers' sign that this process lives."""


def make_folder(workers: int) -> Path:
    """Make the folder that a pool's processes share: in memory where the system has such a place."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    sweep(Path(base or tempfile.gettempdir()))
    prefix = f"concompare-{os.getpid()}-"
    try:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
    Path(folder, "board").write_bytes(bytes(BOARD.size * max(workers * 2, 8)))
    alive = open(Path(folder, "alive"), "w+b")  # noqa: SIM115 - held as long as the pool
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.lockf(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    ALIVE[folder] = alive
    return folder


def sweep(base: Path) -> None:
    """Remove the folders of kernels that were killed with all their workers: nobody holds the lock of such a one."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        for folder in base.glob("concompare-*-*"):
            if folder in ALIVE or time.time() - folder.stat().st_mtime < SETTLED:
                continue
            if not (folder / "alive").exists():  # its kernel was killed while it made or removed the folder
                shutil.rmtree(folder, ignore_errors=True)
                continue
            with contextlib.suppress(OSError), open(folder / "alive", "r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def release_alive(folder: Path) -> None:
    """Give up the lock that tells workers we live."""
    alive = ALIVE.pop(folder, None)
    if alive is not None:
        alive.close()
