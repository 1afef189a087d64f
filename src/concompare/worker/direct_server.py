"""A worker's end of the direct lines: messages from the pool's one pipe, answers on a line of the worker's own.

    notebook ── requests (a pipe; who holds the turnstile takes the next) ──> worker
    notebook <── a socket of each worker ─────────────────────────────────── worker

What the standard library's executors do with two threads and three locks in the notebook's process happens in its main
thread here, which saves most of what a message costs. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from pathlib import Path
from typing import Any

HEAD = struct.Struct("<QQ?")
"""Header of a message or an answer: its number, the bytes that follow, whether they are an error."""

REHEARSAL = 0
"""The number of a message that wants no answer."""

AT_ONCE = 2**16
"""Bytes up to which head and body go out together."""


def serve(folder: str) -> None:
    """Compute what comes down the pool's pipe until the notebook closes it."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with line:
        line.connect(str(Path(folder, "lines")))
        _, (requests,), *_ = socket.recv_fds(line, 1, 1)
        turnstile = os.open(Path(folder, "turnstile"), os.O_RDWR)
        try:
            while (message := take(requests, turnstile)) is not None:
                answer(line, *message)
        except (BrokenPipeError, ConnectionResetError):
            return  # the notebook does not listen any more
        finally:
            os.close(requests)
            os.close(turnstile)


def take(requests: int, turnstile: int) -> tuple[int, bytearray] | None:
    """Wait for the next message that no other worker has taken; None when there will be none."""
    import fcntl

    fcntl.lockf(turnstile, fcntl.LOCK_EX)
    try:
        head = read(requests, HEAD.size)
        if head is None:
            return None
        number, size, _ = HEAD.unpack(head)
        body = read(requests, size)
        return None if body is None else (number, body)
    finally:
        fcntl.lockf(turnstile, fcntl.LOCK_UN)


def read(descriptor: int, size: int) -> bytearray | None:
    """Read so many bytes, or return None at the end."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        got = os.readv(descriptor, [view[at:]])
        if not got:
            return None
        at += got
    return data


def answer(line: socket.socket, number: int, message: bytearray) -> None:
    """Make the call that a message asks for and send what it returns or raises."""
    failed = False
    try:
        call, arguments = pickle.loads(message)
        del message
        body = pickle.dumps(call(*arguments), 5)
    except BaseException as error:
        failed, body = True, packed(error)
    if number == REHEARSAL:
        return
    head = HEAD.pack(number, len(body), failed)
    if len(body) <= AT_ONCE:
        line.sendall(head + body)
    else:
        line.sendall(head)
        line.sendall(body)


def packed(error: BaseException) -> bytes:
    """Return an error as bytes: itself, or what it says where it cannot cross."""
    try:
        data = pickle.dumps(error, 5)
        pickle.loads(data)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"), 5)
    return data


def possible() -> bool:
    """Return whether this system has what the lines are made of."""
    wanted: tuple[tuple[Any, str], ...] = ((socket, "AF_UNIX"), (socket, "send_fds"), (os, "readv"))
    try:
        import fcntl  # noqa: F401
    except ImportError:
        return False
    return all(hasattr(module, name) for module, name in wanted)
