"""What runs of `auto` have shown, kept between kernels: a small file in the user's cache folder.

Each line is one task on one machine, with a checksum: what each way took for an item. A line is written in one piece,
so that several kernels may write at once; the latest of a task counts. What is damaged or by another version is passed
over, and where nothing can be written nothing is. Tasks are known by hashes: no source, name or value is in the file.

It is only a hint: processes start earlier, and threads begin with as many as helped. What runs where is chosen by what
this run shows.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import secrets
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concompare.cells.task import Task

Way = tuple[str, int]

VARIABLE = "CONCOMPARE_CACHE"
"""The variable that names another folder for the file, or switches it off."""

OFF = ("", "0", "off", "no", "false")
VERSION = 1
LARGEST, KEPT = 2**20, 500
"""Bytes that are read and kept at the most, and tasks that are kept once it would be more than half of that."""

SOME = 1.5
"""How many times as long or as short something must take than what is kept of it for it to be written anew."""


def file_of(variables: Mapping[str, str] = os.environ, home: Path | None = None) -> Path | None:
    """Return where the file is, or None where it is switched off or there is no home."""
    asked = variables.get(VARIABLE)
    if asked is not None:
        return None if asked.lower() in OFF else Path(asked, NAME)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        if folder := variables.get(variable):
            return Path(folder, "concompare", NAME)
    with contextlib.suppress(RuntimeError):
        home = home or Path.home()
        shared = home / "Library" / "Caches"  # where macOS has them
        return Path(shared if shared.is_dir() else home / ".cache", "concompare", NAME)
    return None


NAME = f"runs-{VERSION}.txt"

LINES: dict[Path, tuple[tuple[int, int], dict[str, dict[Way, float]]]] = {}
"""What was read last: the file's time and size, and what each way takes, by task."""


@functools.cache
def machine_here() -> str:
    """Return what tells this machine and Python from others."""
    import platform  # not in a kernel's first cell, which has nothing to remember

    facts = (platform.node(), platform.machine(), os.cpu_count(), sys.version_info[:2], sys.implementation.name)
    return digest(*facts)


def digest(*parts: object) -> str:
    """Return what tells some values from others."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def key_of(task: Task) -> str:
    """Return what tells one task from another: its source, and the code of its functions; and the machine."""
    from concompare.run.preflight import codes_of

    with contextlib.suppress(Exception):  # whatever a function of the user's says of itself
        return digest(machine_here(), task.name, task.source, [code_in_short(code) for code in codes_of(task.function)])
    return digest(machine_here(), task.name, task.source)


def code_in_short(code: CodeType) -> tuple[Any, ...]:
    """Return what code does, the same in every process."""
    constants = [repr(part) for part in code.co_consts if isinstance(part, (int, float, complex, str, bytes))]
    return code.co_code, code.co_names, constants


# -------------------------------------------------------------------------------------------------------- the file


def known(task: Task) -> dict[Way, float]:
    """Return the seconds of an item in each way in earlier kernels; nothing where none are known."""
    path = file_of()
    return dict(lines_in(path).get(key_of(task), {})) if path is not None else {}


def keep(task: Task, seconds: Mapping[Way, float]) -> None:
    """Keep the seconds of an item in each way, unless about that is known already."""
    path = file_of()
    if path is None:
        return
    key = key_of(task)
    before = lines_in(path).get(key, {})
    if before.keys() == seconds.keys() and all(near(before[way], seconds[way]) for way in seconds):
        return
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LARGEST // 2:
            tidy(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, b"\n" + line_of(key, seconds))  # what somebody began and did not end is apart then
        finally:
            os.close(descriptor)
    except OSError:  # read-only, full, a folder of that name
        return


def near(one: float, other: float) -> bool:
    """Return whether two times differ by little."""
    return one <= SOME * other and other <= SOME * one


def line_of(key: str, seconds: Mapping[Way, float]) -> bytes:
    """Return a task's line."""
    ways = {f"{name} {workers}": float(f"{each:.4g}") for (name, workers), each in seconds.items()}
    text = json.dumps({"version": VERSION, "task": key, "seconds": ways}, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def lines_in(path: Path) -> dict[str, dict[Way, float]]:
    """Return what the file says of each task; read anew where it has changed."""
    try:
        stat = path.stat()
        seen = (stat.st_mtime_ns, stat.st_size)
        if path not in LINES or LINES[path][0] != seen:
            with path.open("rb") as file:
                file.seek(max(0, stat.st_size - LARGEST))
                LINES[path] = seen, tasks_in(file.read(LARGEST))
    except OSError:
        return {}
    return LINES[path][1]


def tasks_in(data: bytes) -> dict[str, dict[Way, float]]:
    """Return what lines say of each task, those that were written last at the end."""
    tasks: dict[str, dict[Way, float]] = {}
    for line in data.splitlines():
        if (found := read_line(line)) is not None:
            tasks.pop(found[0], None)
            tasks[found[0]] = found[1]
    return tasks


def read_line(line: bytes) -> tuple[str, dict[Way, float]] | None:
    """Return the task and the seconds of a line, or None where it is damaged or another version's."""
    check, _, text = line.partition(b" ")
    try:
        if int(check, 16) != zlib.crc32(text):
            return None
        found = json.loads(text)
        if found["version"] != VERSION:
            return None
        ways = [(way.rpartition(" "), float(seconds)) for way, seconds in found["seconds"].items()]
        return str(found["task"]), {(name, int(workers)): seconds for (name, _, workers), seconds in ways}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def tidy(path: Path) -> None:
    """Write the file anew with the tasks that ran last; a file without any is not ours, and stays."""
    tasks = lines_in(path)
    if not tasks:
        raise OSError(f"{path} holds something else")
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        new.write_bytes(b"".join(line_of(key, seconds) for key, seconds in list(tasks.items())[-KEPT:]))
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def forget() -> Path | None:
    """Delete the file; return it, or None where there was none.

    Raises:
        OSError: It cannot be deleted.
    """
    path = file_of()
    LINES.clear()
    if path is None or not path.exists():
        return None
    path.unlink()
    return path
