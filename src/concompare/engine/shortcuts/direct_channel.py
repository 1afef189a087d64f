"""Direct lines to the worker processes of a pool: the calls of a pass without the executor's threads between.

    submit ─ out ──> requests (one pipe, taken by whichever worker is free) ──> serving.serve
                                                                                   │
    future <─ receive <── one socket of each worker <──────────────────────────────┘

The executor still starts the workers and notices their ends; each of them is in one long call, `serve`. Whoever waits
for a future calls `pump`, as `DirectArrivals` does: nothing happens between, and no other thread runs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from concompare.engine.chunking import Chunk
from concompare.engine.completions import Arrivals
from concompare.machine import usable_cpus
from concompare.worker.direct_server import possible, serve
from concompare.worker.frames import BRIEF, ERROR, HEAD, LEAST, PLAIN, REHEARSAL
from concompare.worker.series import told_in
from concompare.worker.warm_up import rehearse

PATIENCE = 5.0
"""Seconds that workers may take to open their lines."""

LEAVING = 5.0
"""Seconds for which closing waits, at the most, until the thread that reads answers has noticed."""

PIPE = 2**20
"""Bytes that the pipe of requests should hold, where the system lets it be set."""

PIECE, SMALL = 2**18, 2**16
"""Bytes read from a line at a time, of a large answer and of small ones, several of which may have come."""

MOST_AWAKE = 4
"""Workers, at the most, that are woken before a pass: they wake one after the other, ahead of the first message."""

ROOM = 2**16
"""Bytes written to the pipe at a time."""

TOGETHER, AT_ONCE = 8, 0.0002
"""Calls that are sent together, at the most, and seconds after the last of them where workers may have nothing to do:
to write each by itself costs more."""


BODY = pickle.dumps((rehearse, ()), 5)


def framed(number: int, kind: int, body: bytes) -> bytes:
    """Return a message as it goes down the pipe."""
    data = HEAD.pack(number, len(body), kind) + body
    return data if len(data) >= LEAST else data.ljust(LEAST, b"\0")


NOTHING = framed(REHEARSAL, PLAIN, BODY)
"""The message that wakes a worker."""


Piece = tuple[int, int, bytes | bytearray]
"""An answer: its number, its kind, its bytes."""


class Line:
    """A worker's socket, and the answer that is arriving on it."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.head = bytearray(HEAD.size)
        self.body = bytearray()
        self.view = memoryview(self.head)
        self.at = 0
        self.in_head = True

    def receive(self) -> list[Piece]:
        """Return the answers that have arrived whole: number, kind, bytes.

        Raises:
            EOFError: The worker's end is closed, and nothing is left to read.
        """
        answers: list[Piece] = []
        while True:
            left = len(self.view) - self.at
            try:
                if left >= SMALL:  # of a large answer, which needs no copy
                    got = self.end.recv_into(self.view[self.at : self.at + PIECE])
                    self.at += got
                    self.end_part(answers)
                else:
                    data = self.end.recv(SMALL)
                    got = len(data)
                    self.feed(data, answers)
            except BlockingIOError:
                return answers
            except OSError:
                got = 0
            if not got:
                if answers:
                    return answers
                raise EOFError
            if answers and left < SMALL and got < SMALL:  # there is no more now
                return answers

    def feed(self, data: bytes, answers: list[Piece]) -> None:
        """Take what was read, of several answers maybe."""
        at = 0
        if self.in_head and not self.at:  # those that are whole are taken out as they are
            while len(data) - at >= HEAD.size:
                number, size, kind = HEAD.unpack_from(data, at)
                end = at + HEAD.size + size
                if end > len(data):
                    break
                answers.append((number, kind, data[at + HEAD.size : end]))
                at = end
        while at < len(data):
            part = data[at : at + len(self.view) - self.at]
            self.view[self.at : self.at + len(part)] = part
            self.at += len(part)
            at += len(part)
            self.end_part(answers)

    def end_part(self, answers: list[Piece]) -> None:
        """Go on with the body after a head that is complete, and with the next head after a body."""
        if self.at < len(self.view):
            return
        number, size, kind = HEAD.unpack(self.head)
        if self.in_head and size:
            self.body = bytearray(size)
            self.start(self.body, in_head=False)
            return
        answers.append((number, kind, self.body))
        self.start(self.head, in_head=True)

    def start(self, into: bytearray, in_head: bool) -> None:
        """Read the next part into these bytes."""
        self.view, self.at, self.in_head = memoryview(into), 0, in_head


class Reply(Future[Any]):
    """The answer to a call, for who pumps: without the lock of a future that another thread may wait for.

    Making and settling one costs a fifth, and a message not much more.
    """

    def __init__(self) -> None:
        self.over = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.told: Callable[[Future[Any]], object] | None = None

    def done(self) -> bool:
        """Return whether the answer is there."""
        return self.over

    def result(self, timeout: float | None = None) -> Any:
        """Return the answer, which is there, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error, if there is one."""
        return self.error

    def add_done_callback(self, told: Callable[[Future[Any]], object]) -> None:
        """Call something, at most one thing, when the answer is there."""
        self.told = told
        if self.over:
            self.tell()

    def set_result(self, value: Any) -> None:
        """Take the answer."""
        self.value, self.over = value, True
        self.tell()

    def set_exception(self, error: BaseException | None) -> None:
        """Take an error."""
        self.error, self.over = error, True
        self.tell()

    def tell(self) -> None:
        """Call what is to be called, once."""
        told, self.told = self.told, None
        if told is not None:
            told(self)


class Lines:
    """The direct lines to one pool's workers, and the calls that are under way on them.

    Attributes:
        calls: What becomes the answer of each message under way; `lost`: of those that have failed with a worker.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.lines: list[Line] = []
        self.calls: dict[int, Reply] = {}
        self.lost: dict[int, Reply] = {}
        self.out: list[bytes | memoryview] = []
        self.flushed = 0.0
        self.number = 0
        self.broken = self.left = False
        self.folder, self.workers = folder, workers
        self.awake = min(workers, usable_cpus() - 1, MOST_AWAKE)
        self.woken = self.waker = self.reader = self.requests = -1
        self.writing = False
        self.pumping = threading.RLock()
        self.selector = selectors.DefaultSelector()
        try:
            self.make_pipes()
        except OSError:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------------ opening, closing

    def make_pipes(self) -> None:
        """Make the pipe of requests, and the one that ends a wait.

        Raises:
            OSError: There are as many open files as there may be.
        """
        self.woken, self.waker = os.pipe()
        self.reader, self.requests = os.pipe()
        for descriptor in (self.woken, self.waker, self.requests):
            os.set_blocking(descriptor, False)
        self.selector.register(self.woken, selectors.EVENT_READ)

    def open(self, executor: Executor, check: Callable[[], None]) -> None:
        """Let every worker of the executor open its line.

        Raises:
            OSError: They did not.
        """
        enlarge(self.requests)
        os.close(os.open(self.folder / "turnstile", os.O_CREAT | os.O_RDWR, 0o600))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.bind(str(self.folder / "lines"))
            door.listen(self.workers)
            calls = [executor.submit(serve, str(self.folder)) for _ in range(self.workers)]
            end = time.monotonic() + PATIENCE
            door.settimeout(0.05)
            while len(self.lines) < self.workers:
                check()
                if time.monotonic() > end or any(call.done() for call in calls):
                    raise OSError("the workers did not open their lines")
                with contextlib.suppress(TimeoutError):
                    self.add(door.accept()[0])
        os.close(self.reader)
        self.reader = -1
        for call in calls:
            call.add_done_callback(self.leave)

    def leave(self, call: Future[Any]) -> None:
        """Take note that a worker serves no more, in any thread: what it has started may hold its line open."""
        self.left = True
        self.wake()

    def add(self, end: socket.socket) -> None:
        """Take a worker's line, and give it its end of the pipe."""
        line = Line(end)
        self.lines.append(line)
        socket.send_fds(end, [b"r"], [self.reader])
        end.setblocking(False)
        self.selector.register(end, selectors.EVENT_READ, line)

    def close(self) -> None:
        """Close the lines: workers that wait for a message return to the executor."""
        requests, self.requests = self.requests, -1
        self.wake()
        left = self.pumping.acquire(timeout=LEAVING)  # a selector that is closed does not end a wait in another thread
        try:
            with contextlib.suppress(OSError):
                self.selector.close()
            for line in self.lines:
                line.end.close()
            self.lines.clear()
            for descriptor in (requests, self.woken, self.waker, self.reader):
                if descriptor >= 0:
                    with contextlib.suppress(OSError):
                        os.close(descriptor)
            self.woken = self.waker = self.reader = -1
        finally:
            if left:
                self.pumping.release()
        self.fail_all()

    # ------------------------------------------------------------------------------------------------------------ calls

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Send a call to whichever worker is free first, with others of the same moment: `pump` sends them at last."""
        return self.post(PLAIN, pickle.dumps((call, arguments), 5))

    def post(self, kind: int, body: bytes) -> Future[Any]:
        """Send the bytes of a message of this kind."""
        if self.broken or self.requests < 0:
            raise BrokenProcessPool("a worker has ended")
        future = Reply()
        self.number += 1
        self.calls[self.number] = future
        self.out.append(framed(self.number, kind, body))
        waiting = len(self.out)
        if (
            waiting >= TOGETHER
            or len(body) > ROOM
            or (len(self.calls) - waiting <= 2 * self.workers and time.perf_counter() - self.flushed > AT_ONCE)
        ):
            self.flush()
        return future

    def rehearse(self) -> None:
        """Wake the workers, as many as there are CPUs for beside this process's own: a pass is about to begin."""
        if self.awake > 0 and not (self.broken or self.calls or self.out) and self.requests >= 0:
            self.out.append(NOTHING * self.awake)
            self.flush()

    def flush(self) -> None:
        """Write as much of what is to be sent as the pipe takes."""
        self.flushed = time.perf_counter()
        if len(self.out) > 1:
            self.out[:] = [b"".join(self.out)]
        while self.out:
            piece = memoryview(self.out[0])
            try:
                written = os.write(self.requests, piece[:ROOM])
            except BlockingIOError:
                break
            except OSError:
                self.out.clear()
                break
            self.out[:] = [piece[written:]] if written < len(piece) else []
        if bool(self.out) != self.writing:
            self.writing = bool(self.out)
            if self.writing:
                self.selector.register(self.requests, selectors.EVENT_WRITE)
            else:
                self.selector.unregister(self.requests)

    def pump(self, timeout: float) -> None:
        """Wait until something arrives, somebody calls `wake`, or so many seconds have passed; settle what arrived."""
        with self.pumping:
            if self.requests < 0:
                return
            if self.out:
                self.flush()
            ended = False
            for key, _ in self.selector.select(timeout):
                if key.fd == self.woken:
                    with contextlib.suppress(OSError):
                        os.read(self.woken, 4096)
                elif key.fd == self.requests:
                    self.flush()
                elif self.requests >= 0:
                    ended = not self.take(key.data) or ended
            if (ended or self.left) and not self.broken and self.requests >= 0:
                self.mourn()

    def idle(self) -> bool:
        """Return whether all workers wait for a message: one that has ended has closed its line."""
        return not (self.broken or self.left or self.calls) and not any(
            key.fd != self.woken for key, _ in self.selector.select(0)
        )

    def take(self, line: Line) -> bool:
        """Settle the calls whose answers have arrived on a line; False when its worker is gone."""
        try:
            answers = line.receive()
        except EOFError:
            self.selector.unregister(line.end)
            return False
        for number, kind, data in answers:
            settle(self.calls.pop(number), kind, data)
        return True

    def mourn(self) -> None:
        """Fail what is under way after the answers of the living have been read: a worker has ended."""
        self.broken = True
        for line in self.lines:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.get_key(line.end)
                self.take(line)
        self.lost = dict(self.calls)
        self.fail_all()

    def hear_out(self) -> None:
        """Read what workers have answered since one of them had ended, before they were ended too.

        They go on with the messages that wait for as long as they live. What they have finished is not to run again.
        """
        for line in self.lines:
            with contextlib.suppress(EOFError):
                for number, kind, data in line.receive():
                    future = self.lost.pop(number, None)
                    if future is not None:
                        future.told = None
                        settle(future, kind, data)
        self.lost.clear()

    def fail_all(self) -> None:
        """Fail every call that is under way."""
        calls, self.calls = self.calls, {}
        for future in calls.values():
            future.set_exception(BrokenProcessPool("a worker has ended"))

    def wake(self) -> None:
        """End a `pump` that waits, from any thread or signal handler."""
        with contextlib.suppress(OSError):
            os.write(self.waker, b"w")


def settle(reply: Reply, kind: int, data: bytes | bytearray) -> None:
    """Give a call its answer."""
    try:
        result: Any = told_in(data) if kind == BRIEF else pickle.loads(data)
    except Exception as error:
        reply.set_exception(error)
    else:
        reply.error = None
        (reply.set_exception if kind == ERROR else reply.set_result)(result)


class DirectArrivals(Arrivals):
    """Answers that arrive on direct lines, read in the thread that waits for them.

    Args:
        lines: Where they arrive.
        others: Answers so far, which came before there were these lines.
    """

    def __init__(self, lines: Lines, others: Arrivals) -> None:
        self.lines, self.queue = lines, others.queue

    def wake(self) -> None:
        """End a wait, from a signal handler."""
        super().wake()
        self.lines.wake()

    def flush(self) -> None:
        """Send what waits to be sent together."""
        if self.lines.out and self.lines.requests >= 0:
            self.lines.flush()

    def next(self, timeout: float | None = None) -> tuple[Future[Any], Chunk] | None:
        """Return the next answer, waiting for at most that many seconds; None where there is none."""
        try:
            if timeout is not None:
                self.lines.pump(timeout if self.queue.empty() else 0.0)
            return self.queue.get_nowait()
        except queue.Empty:
            return None

    def wait_for(self, futures: Collection[Future[Any]], patience: float) -> None:
        """Wait until all of these are done, or that many seconds have passed."""
        end = time.monotonic() + patience
        while not all(future.done() for future in futures) and (left := end - time.monotonic()) > 0:
            self.lines.pump(left)


def enlarge(pipe: int) -> None:
    """Let a pipe hold more than its usual 64 KiB where that is possible."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def close_first(closing: Callable[[], None]) -> bool:
    """Let something be called at the interpreter's end before executors wait for their calls; False: it cannot be.

    What was registered last is called first. Most kinds of executors register once, before the first one's workers
    start; loky does it for every executor.
    """
    register = getattr(threading, "_register_atexit", None)
    if register is None:
        return False
    registered = getattr(threading, "_threading_atexits", None)
    if registered and getattr(registered[-1], "func", None) is closing:
        return True
    try:
        register(closing)
    except RuntimeError:  # the interpreter is ending
        return False
    return True


def open_lines(
    executor: Executor, folder: Path, workers: int, kind: str, closing: Callable[[], None], check: Callable[[], None]
) -> Lines | None:
    """Return direct lines to the workers of an executor, or None where they cannot be had.

    Args:
        executor: Its workers have all started.
        folder: That they share.
        workers: How many they are.
        kind: Name of the executor's kind.
        closing: Closes the lines of all pools; called at the interpreter's end before executors wait for their calls.
        check: Raises if the user has interrupted.
    """
    if not possible() or not close_first(closing):
        return None
    lines = None
    try:
        lines = Lines(folder, workers)
        lines.open(executor, check)
    except BaseException as error:
        if lines is not None:
            lines.close()
        if isinstance(error, (OSError, BrokenExecutor)):  # a worker that has ended is seen to where messages are sent
            return None
        raise
    return lines
