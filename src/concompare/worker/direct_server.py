"""A worker's end of the direct lines: messages from the pool's one pipe, answers on a line of the worker's own.

    notebook ── requests (a pipe; who holds the turnstile takes the next) ──> worker
    notebook <── a socket of each worker ─────────────────────────────────── worker

A worker takes one message at a time, so that those in the pipe are nobody's until somebody is free for them.

What the standard library's executors do with two threads and three locks in the notebook's process happens in its main
thread here, which saves most of what a message costs. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path
from typing import Any

from concompare.worker.frames import BRIEF, ERROR, HEAD, LEAST, PLAIN, REHEARSAL, Received, send

try:
    import termios
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

NONE = bytes(4)
"""What a pipe says in which there is nothing."""


def serve(folder: str) -> None:
    """Compute what comes down the pool's pipe until the notebook closes it."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with line:
        line.connect(str(Path(folder, "lines")))
        _, (requests,), *_ = socket.recv_fds(line, 1, 1)
        turnstile = os.open(Path(folder, "turnstile"), os.O_RDWR)
        inbox = Inbox(requests, turnstile)
        try:
            message = inbox.take()
            while message is not None:
                number, kind, body = message
                if kind == BRIEF:
                    from concompare.worker.series import answer_series

                    message = answer_series(line, message, inbox.next_waiting) or inbox.take()
                    continue
                del message
                answer(line, number, body)
                message = inbox.take()
        except (BrokenPipeError, ConnectionResetError):
            return  # the notebook does not listen any more
        finally:
            os.close(requests)
            os.close(turnstile)


class Inbox:
    """A worker's end of the pool's pipe.

    Args:
        requests: The pipe.
        turnstile: The file that is locked by whoever reads.
    """

    def __init__(self, requests: int, turnstile: int) -> None:
        import fcntl

        self.requests, self.turnstile = requests, turnstile
        self.lock, self.begin, self.end = fcntl.lockf, fcntl.LOCK_EX, fcntl.LOCK_UN
        self.begin_now = fcntl.LOCK_EX | fcntl.LOCK_NB
        self.ioctl = fcntl.ioctl

    def take(self) -> Received | None:
        """Wait for the next message that no other worker has taken; None when there will be none."""
        self.lock(self.turnstile, self.begin)
        try:
            return self.read_message()
        finally:
            self.lock(self.turnstile, self.end)

    def next_waiting(self) -> Received | None:
        """Return the next message if one waits already that no other worker takes; None where there is none.

        It never waits itself: who asks has an answer to send, and whoever has the turnstile may wait for long.
        """
        if not self.waiting():
            return None
        try:
            self.lock(self.turnstile, self.begin_now)
        except OSError:
            return None
        try:
            return self.read_message() if self.waiting() else None
        finally:
            self.lock(self.turnstile, self.end)

    def waiting(self) -> bool:
        """Tell whether there is something in the pipe."""
        return self.ioctl(self.requests, termios.FIONREAD, NONE) != NONE

    def read_message(self) -> Received | None:
        """Read one message; None at the end."""
        data = os.read(self.requests, LEAST)
        while len(data) < LEAST:
            more = os.read(self.requests, LEAST - len(data))
            if not more:
                return None
            data += more
        number, size, kind = HEAD.unpack_from(data)
        here = LEAST - HEAD.size
        body = bytearray(size)
        body[: min(here, size)] = memoryview(data)[HEAD.size : HEAD.size + size]
        if size > here and not read(self.requests, memoryview(body)[here:]):
            return None
        return number, kind, body


def read(descriptor: int, view: memoryview) -> bool:
    """Read so many bytes; tell whether there were as many."""
    at, size = 0, len(view)
    while at < size:
        got = os.readv(descriptor, [view[at:]])
        if not got:
            return False
        at += got
    return True


def answer(line: socket.socket, number: int, message: bytearray) -> None:
    """Make the call that a message asks for and send what it returns or raises."""
    kind = PLAIN
    try:
        call, arguments = pickle.loads(message)
        del message
        body = pickle.dumps(call(*arguments), 5)
    except BaseException as error:
        kind, body = ERROR, packed(error)
    if number == REHEARSAL:
        return
    send(line, number, kind, body)


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
