"""The folder that a pool's processes share: made in memory where that is possible, swept when its kernel was killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from concompare.worker.bootstrap import BOARD

MEMORY = "/dev/shm"
"""The folder whose files Linux keeps in memory."""

SETTLED = 2.0
"""Seconds after its last change from which a folder that nobody holds is a dead kernel's."""

ALIVE: dict[Path, Any] = {}
"""The locked `alive` files of the open pools: the workers' sign that this process lives."""

KEEPERS: dict[Path, tuple[int, int]] = {}
"""For each folder the process that removes it if this one is killed, and the end of the pipe that it reads."""

LEFT: set[Path] = set()
"""Folders of closed pools that are still there: where a file in use cannot be deleted, whoever uses it goes first."""

TRIES = 3
"""How often a folder is removed where something is left of it: a worker that starts just then may have made a file."""

SHELL = "/bin/sh"
KEEP = """read -r nothing
for pause in 0 0.1 0.2 0.5 1 2 4 8; do
    sleep "$pause"; rm -rf -- "$0" 2>/dev/null; [ -e "$0" ] || exit 0
done"""
"""Source of such a process: it reads until the pipe is closed. A worker that starts just then may put a file into a
folder that is being removed, so it looks again."""


def make_folder(workers: int) -> Path:
    """Make the folder that a pool's processes share: in memory where the system has such a place."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    remove_left()
    sweep(Path(base or tempfile.gettempdir()))
    board = bytes(BOARD.size * max(workers * 2, 8))
    try:
        folder = folder_with(board, base)
    except OSError:  # it is full
        folder = folder_with(board, None)
    alive = open(Path(folder, "alive"), "w+b")  # noqa: SIM115 - held as long as the pool
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.lockf(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    ALIVE[folder] = alive
    return folder


def folder_with(board: bytes, base: str | None) -> Path:
    """Make a folder with a board in it, or nothing at all.

    Raises:
        OSError: There is no room for them.
    """
    folder = Path(base or tempfile.gettempdir(), f"concompare-{os.getpid()}-{secrets.token_hex(4)}")
    keep(folder)  # first: this process may be killed at any moment
    try:
        folder.mkdir(0o700)
        Path(folder, "board").write_bytes(board)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        end_keeper(folder)
        raise
    return folder


@contextlib.contextmanager
def short_lived_folder() -> Iterator[Path]:
    """Make a folder for as long as the context is open; a process that is killed in it leaves nothing either."""
    folder = Path(tempfile.gettempdir(), f"concompare-{os.getpid()}-{secrets.token_hex(4)}")
    keep(folder)
    try:
        folder.mkdir(0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        end_keeper(folder)


def keep(folder: Path) -> None:
    """Start a process that removes a folder when this one is killed: there may be no worker yet, or none just then.

    It is in a process group of its own, which what ends the kernel's group leaves alone.
    """
    if not hasattr(os, "posix_spawn"):
        return
    reading, writing = os.pipe()
    try:
        silent = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)  # a shell minds that its folder is deleted
        actions = [(os.POSIX_SPAWN_DUP2, reading, 0), silent]
        words, variables = ["sh", "-c", KEEP, str(folder)], {"PATH": os.defpath}
        KEEPERS[folder] = os.posix_spawn(SHELL, words, variables, file_actions=actions, setpgroup=0), writing
    except OSError:  # no shell, or no room for a process: the next pool sweeps
        os.close(writing)
    finally:
        os.close(reading)


def sweep(base: Path) -> None:
    """Remove the folders of kernels that were killed with all their workers."""
    with contextlib.suppress(OSError):
        for folder in base.glob("concompare-*-*"):
            if folder in ALIVE or time.time() - folder.stat().st_mtime < SETTLED:
                continue
            # Without the file its kernel was killed while it made or removed the folder.
            if not (folder / "alive").exists() or is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def is_abandoned(folder: Path) -> bool:
    """Return whether nobody holds the lock of a folder, or, where there are no locks, its process is gone."""
    try:
        import fcntl
    except ImportError:
        import psutil

        process = folder.name.split("-")[1]
        return process.isdecimal() and not psutil.pid_exists(int(process))
    try:
        with open(folder / "alive", "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove(folder: Path) -> None:
    """Remove the folder of a closed pool, now or later, and only then end who would: this process may be killed."""
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
    (LEFT.add if folder.exists() else LEFT.discard)(folder)
    end_keeper(folder)


def remove_left() -> None:
    """Remove the folders that could not be removed when their pools were closed."""
    for folder in tuple(LEFT):
        remove(folder)


def release_alive(folder: Path) -> None:
    """Give up the lock that tells workers we live."""
    alive = ALIVE.pop(folder, None)
    if alive is not None:
        alive.close()


def end_keeper(folder: Path) -> None:
    """End the process that would remove a folder."""
    keeper, writing = KEEPERS.pop(folder, (0, -1))
    if keeper:
        with contextlib.suppress(OSError):
            os.kill(keeper, signal.SIGKILL)
            os.waitpid(keeper, 0)
        os.close(writing)
