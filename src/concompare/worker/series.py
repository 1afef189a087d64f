"""Messages of one item each that wait in a row: what is the same for all of a pass is done once for those of a turn.

    notebook ── a whole request ──> run()                        (each worker's first of a pass)
             ── series, position, the item's pickle ──> here     (those after it)
    a turn:  recording begins ─ item, answer ─ item, answer ─ … ─ nothing waits ─ recording ends ─ last answer

Each item is taken when the one before it is answered, so that none waits for another while a worker is free, and what a
worker has finished when it dies has been answered. Whatever is out of the ordinary (seeds, names, an error, something
printed) goes the way of all other messages, of which this is the shortest. Nothing but the standard library may be
imported.
"""

from __future__ import annotations

import os
import pickle
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from concompare.worker import log_records
from concompare.worker.bootstrap import PLACE
from concompare.worker.capture import AS_IT_IS, LISTENING, recording
from concompare.worker.chunk import (
    SERIES,
    USUAL,
    Answer,
    Brief,
    Known,
    Request,
    load,
    pack_results,
    record_displays,
    run,
)
from concompare.worker.clocks import Meter
from concompare.worker.compute import Computed, plain
from concompare.worker.frames import BRIEF, PLAIN, Received, send
from concompare.worker.state_watch import FIRST_LOOKS, RARELY
from concompare.worker.transfer import nans
from concompare.worker.transfer.items import loaded
from concompare.worker.transfer.object_refs import (
    ATOMS,
    FIXED,
    MUCH,
    WRITTEN_AS_THEY_ARE,
    Rows,
    Sources,
    have_no_parts,
)
from concompare.worker.transfer.pickling import LARGE_PICKLE, Parcel, pack

if TYPE_CHECKING:
    import socket

ASKED = struct.Struct("<QqB")
"""Before an item's pickle: its series, its position, and what is to be said of it, of these:"""

TIMED, REFERRED = 1, 2
"""How many seconds it took; that a result is the item itself, which has an identity."""

LAST, OWN = struct.Struct("<dd"), struct.Struct("<QQddddd?")
"""Before a value's pickle: CPU seconds of other threads and the wait for a CPU, of the whole turn, below 0 where it is
not told; process, thread, the moments of an `Answer`, CPU seconds, whether the item was timed."""

TOLD = struct.Struct(LAST.format + OWN.format.removeprefix("<"))
"""Both together."""


SAME = b"\x80\x05]\x94h\x00a."
"""The pickle of a list that holds the first object that was numbered before: the one item itself."""

USUAL_OF_SAME = (*USUAL[:-1], True)
"""The fields after `seconds` of an answer that has this and nothing else."""


def told_in(body: bytes | bytearray) -> Brief:
    """Return the answer that the bytes of a brief one stand for."""
    native, waited, pid, thread, received, start, end, returned, cpu, timed = TOLD.unpack_from(body)
    seconds = (end - start,) if timed else ()
    data = body[TOLD.size :]
    values = tuple.__new__(Parcel, (data, (), False))  # of the many fields of both only few are other than usual
    moments = received, start, end, returned, cpu, native, None if waited < 0 else waited
    usual = USUAL if data != SAME else USUAL_OF_SAME
    return tuple.__new__(Brief, ((pid, thread), *moments, values, (), seconds, *usual))


def answer_series(
    line: socket.socket, message: Received, next_waiting: Callable[[], Received | None]
) -> Received | None:
    """Answer a message of a series and those of it that wait; return the first other one, None where nothing waits."""
    number, _, body = message
    series, first, said = ASKED.unpack_from(body)
    request = SERIES.get(series)
    if request is None:
        problem = Answer((os.getpid(), threading.get_native_id()), time.perf_counter(), problem=("need-function", None))
        send(line, number, PLAIN, pickle.dumps(problem, 5))
        return None
    known = load(request)
    if isinstance(known, tuple) or not is_ordinary(request, known):
        send(line, number, PLAIN, pickle.dumps(run(whole(request, first, said, body)), 5))
        return None
    return Turn(line, request, known, next_waiting).go(message)


def is_ordinary(request: Request, known: Known) -> bool:
    """Tell whether nothing has to be done for each message by itself."""
    asked = request.temporaries or request.lines or request.watched
    return not (asked or is_looked_at(known) or known.things or request.seed is not None or request.places is not None)


def is_looked_at(known: Known) -> bool:
    """Tell whether it is time to see what items change: that takes longer than many of them."""
    watch = known.watch
    return watch is not None and (watch.looks < FIRST_LOOKS or time.perf_counter() - watch.looked > RARELY * watch.took)


def whole(request: Request, first: int, said: int, body: Any) -> Request:
    """Return a message of a series as a request of its own."""
    items = Parcel(bytes(memoryview(body)[ASKED.size :]))
    alone: dict[str, Any] = {"refer": (*request.refer, "items"), "made": None} if said & REFERRED else {}
    return request._replace(first=first, items=items, each=bool(said & TIMED), series=0, **alone)


class Turn:
    """The messages of one series that a worker answers one after the other.

    Args:
        line: Where answers go.
        request: What the messages have in common.
        known: The function.
        next_waiting: Gives the next message where one waits.
    """

    def __init__(
        self, line: socket.socket, request: Request, known: Known, next_waiting: Callable[[], Received | None]
    ) -> None:
        self.line, self.request, self.known, self.next_waiting = line, request, known, next_waiting
        self.ident = os.getpid(), threading.get_native_id()
        self.done = Computed()

    def go(self, message: Received) -> Received | None:
        """Answer them; return the first message that is not of the series, or that is looked at."""
        request, known = self.request, self.known
        series, call = message[2][:8], plain(known.function)
        record_displays()
        log_records.take_levels(request.levels)
        meter = Meter()
        with recording(self.done), log_records.kept():
            while True:
                answer = self.computed(call, message[2])
                following = self.next_waiting()
                if following is None or following[1] != BRIEF or following[2][:8] != series or is_looked_at(known):
                    break
                self.reply(message[0], answer)
                message = following
        if PLACE:
            PLACE[0].mark(-1)
        _, _, _, native, waited = meter.read()
        self.reply(message[0], answer, native, waited)
        return following

    def computed(self, call: Callable[[Any], Any], body: Any) -> Answer | bytes:
        """Return the answer to one message, brief where it says no more than the value."""
        clock, on_cpu, done = time.perf_counter, time.thread_time, self.done
        received = clock()
        _, first, said = ASKED.unpack_from(body)
        timed = bool(said & TIMED)
        if PLACE:
            PLACE[0].begin(first, received)
            PLACE[0].used += 1
        asked = memoryview(body)[ASKED.size :]
        (item,) = pickle.loads(asked)
        cpu = on_cpu() if timed else 0.0
        start = clock()
        try:
            value = call(item)
        except BaseException as error:
            done.errors.append((0, error))
            value = None
        end = clock()
        cpu = on_cpu() - cpu if timed else end - start  # which is as long as to ask takes
        for recorder in LISTENING.out:
            recorder.instead = AS_IT_IS
        if not done.errors and not done.output:
            data = self.in_brief(value, item, asked if said & REFERRED else b"")
            if data is not None and len(data) < LARGE_PICKLE and not nans.has_nan(data):
                return OWN.pack(*self.ident, received, start, end, clock(), cpu, timed) + data
        sources = self.sources(item, asked if said & REFERRED else b"")
        del item
        if not done.errors or self.request.keep_going:
            done.values.append(value)
        done.seconds.append(end - start)
        del value
        packed = pack_results(self.request, self.known, done, sources)
        return Answer(self.ident, received, start, end, clock(), cpu, **packed)

    def in_brief(self, value: Any, item: Any, asked: Any) -> bytes | None:
        """Return a value's pickle where that says all of it; None where it may hold what was sent.

        Args:
            value: What the function returned.
            item: For that.
            asked: The item's pickle, if results may refer to it.
        """
        kind = type(value)
        if kind in (str, bytes) and len(value) >= LARGE_PICKLE:
            return None
        if kind in ATOMS:
            return pickle.dumps([value], 5)
        if value is item and asked:
            return SAME if kind in FIXED or pack([item]) == asked else None
        if id(value) in self.known.parts or getattr(value, "base", None) is not None:
            return None  # it is, or is a part of, what was sent
        if not have_no_parts((value,), MUCH):
            return None
        return pickle.dumps([value], 5) if kind in WRITTEN_AS_THEY_ARE else pack([value])

    def sources(self, item: Any, asked: Any) -> Sources:
        """Return what the results of a message may refer to that is answered like all others."""
        sources = Sources()
        if asked:
            rows = Rows([item], asked, lambda: loaded(asked))
            rows.before = None  # who holds it by now is not known
            sources.add("items", rows)
        return sources

    def reply(self, number: int, answer: Answer | bytes, native: float = 0.0, waited: float | None = 0.0) -> None:
        """Send an answer, the last of a turn with what is known of the turn as a whole."""
        if isinstance(answer, bytes):
            send(self.line, number, BRIEF, LAST.pack(native, -1.0 if waited is None else waited) + answer)
        else:
            whole = answer._replace(native_cpu=native, waited=waited)
            send(self.line, number, PLAIN, pickle.dumps(whole, 5))
