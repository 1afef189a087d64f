"""The plain loop as a pass: in the calling thread, item after item, measured like every other pass."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from concompare.cells.counting import number_of
from concompare.engine.chunking import GROWTH, Chunker
from concompare.engine.forecast import TOLD_AFTER, Standing, seconds_left
from concompare.engine.item_errors import short_repr, user_part, with_item
from concompare.engine.ordering import Settled, add_names
from concompare.engine.outcome import LAST, Failure, Outcome, PassOptions
from concompare.engine.output import routed, show
from concompare.engine.pools.memory import MemoryGuard
from concompare.engine.thread_seeding import SeededHere, seeded_modules
from concompare.engine.trying_again import patient
from concompare.errors import Interrupted
from concompare.formats import count as count_of
from concompare.interrupts import guarded
from concompare.records import Message, Pass
from concompare.worker.capture import recording
from concompare.worker.chunk import sampling_lines
from concompare.worker.clocks import Meter
from concompare.worker.compute import Computed, compute, names_of_head, naming, plain
from concompare.worker.transfer.object_refs import ATOMS

if TYPE_CHECKING:
    from concompare.engine.resume.recorder import Recorder, Restored


def run_plain(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    options: PassOptions,
    count: int | None,
    on_value: Callable[[int, Any], Any] | None,
    clock: Callable[[], float],
    again: Callable[[dict[int, Any]], Outcome],
) -> Outcome:
    """Run the plain loop; see `run_pass`."""
    if count is None:
        count = number_of(items)
    outcome = Outcome(again=again)
    LAST[:] = [outcome]
    loop = PlainLoop(function, outcome, options, on_value, clock)
    try:
        with guarded() as guard, sampling_lines(options.lines) as outcome.lines, guard.user_code(), loop.seeding():
            loop.run(items, count)
    except KeyboardInterrupt as error:
        total = f" of {options.first + count}" if count is not None else ""
        kept = "; what finished is in concompare.last()" if outcome.values else ""
        text = f"interrupted after {count_of(loop.place, 'item')}{total}{kept}"
        raise Interrupted(text) from (error if user_part(error.__traceback__) else None)
    finally:
        loop.conclude()
    return outcome


class OneByOne:
    """The next items of an iterator, each taken when the one before has been computed, as the plain loop does.

    An iterator may give the same row or buffer again and again, with other contents.

    Attributes:
        taken: The items that were taken; `error`: what the iterator raised instead of the next one.
        seconds: What taking them took.
    """

    def __init__(self, first: Any, others: Iterator[Any]) -> None:
        self.taken = [first]
        self.error: BaseException | None = None
        self.seconds = 0.0
        self.left = self.each(others)

    def each(self, others: Iterator[Any]) -> Iterator[Any]:
        """Yield each item."""
        clock = time.perf_counter
        yield self.taken[0]
        while True:
            began = clock()
            try:
                item = next(others)
            except StopIteration:
                return
            except BaseException as error:
                self.error = error
                return
            self.seconds += clock() - began
            self.taken.append(item)
            yield item

    def __iter__(self) -> Iterator[Any]:
        return self.left

    def __len__(self) -> int:
        return len(self.taken)

    def __getitem__(self, offset: int) -> Any:
        return self.taken[offset]


COPIED = 1000
"""Items up to which a copy of a part of a list costs nothing that counts."""


class Rest(Sequence[Any]):
    """The items of a list or range from a position on, all or up to another, without a copy of them."""

    def __init__(self, items: Sequence[Any], first: int, end: int | None = None) -> None:
        self.items, self.first = items, first
        self.end = len(items) if end is None else min(end, len(items))

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, place: Any) -> Any:
        return self.items[self.first : self.end][place]

    def __iter__(self) -> Iterator[Any]:
        if type(self.items) is not list:
            return islice(self.items, self.first, self.end)
        each: Any = iter(self.items)
        each.__setstate__(self.first)  # without a step for every item before it
        return islice(each, self.end - self.first)


class Taker:
    """Take the next items, fewer at the end; of a list slices of up to `COPIED`, which is quickest.

    Attributes:
        error: What the iterator raised after the items it has given.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self.listed: Sequence[Any] | None = items if type(items) is list or type(items) is range else None
        self.at, self.end_at = 0, sys.maxsize
        if isinstance(items, Rest):
            self.listed, self.at, self.end_at = items.items, items.first, items.end
        self.iterator: Iterator[Any] = iter(()) if self.listed is not None else iter(items)
        self.error: BaseException | None = None

    def take(self, size: int) -> Sequence[Any] | OneByOne:
        """Return so many items."""
        if self.listed is not None:
            until = min(self.at + size, self.end_at)
            many = size > COPIED and type(self.listed) is list
            taken = Rest(self.listed, self.at, until) if many else self.listed[self.at : until]
            self.at += len(taken)
            return taken
        return self.next_items(size) if self.error is None else ()

    def next_items(self, size: int) -> Sequence[Any] | OneByOne:
        """Return items of an iterator: several at a time where nobody can change them."""
        taken: list[Any] = []
        try:
            for item in islice(self.iterator, size):
                if type(item) not in ATOMS:
                    break
                taken.append(item)
            else:
                return taken
        except BaseException as error:
            self.error = error
            return taken
        if taken:
            taken.append(item)
            return taken
        return OneByOne(item, islice(self.iterator, size - 1))

    def end(self, chunk: Sequence[Any] | OneByOne) -> None:
        """Raise what the iterator raised instead of the item after these, which have been computed."""
        error = chunk.error if isinstance(chunk, OneByOne) else self.error
        if error is not None:
            raise error


def emit(printed: list[tuple[int, str, Any]], offset: int) -> None:
    """Show, once, what items up to one of them have printed."""
    while printed and printed[0][0] <= offset:
        _, stream, text = printed.pop(0)
        show(stream, text)


class PlainLoop:
    """The state of a plain loop."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        outcome: Outcome,
        options: PassOptions,
        on_value: Callable[[int, Any], Any] | None,
        clock: Callable[[], float],
    ) -> None:
        self.given, self.outcome, self.options = function, outcome, options
        self.function = patient(function, options.back_off) if options.back_off else function
        self.on_value, self.clock = on_value, clock
        self.many: Callable[[int, list[Any]], object] | None = getattr(on_value, "many", None)
        self.messages: list[Message] = []
        self.printed: list[tuple[int, str, str]] = []
        self.finished = 0
        self.stopped: str | None = None
        self.seeded = SeededHere(self.function, options.seed) if options.seed is not None else None
        self.began = self.looked = clock()
        self.memory = MemoryGuard(1, options.say) if options.say is not None else None

    @property
    def place(self) -> int:
        """Return the position of the next item."""
        return self.options.first + self.finished

    def seeding(self) -> contextlib.AbstractContextManager[None]:
        """Return what lasts as long as the loop where items have streams of their own."""
        return contextlib.nullcontext() if self.seeded is None else seeded_modules(self.given)

    def function_for(self, count: int) -> Callable[[Any], Any]:
        """Return the function for the next items."""
        return self.function if self.seeded is None else self.seeded.at(self.options.positions(self.place, count))

    def run(self, items: Iterable[Any], count: int | None) -> None:
        """Take items chunk by chunk, which costs little even for tiny ones; a tail runs after each all the same."""
        taker = Taker(items)
        expected = 0.0 if self.options.progress is not None or self.options.cap is not None else self.options.expected
        chunker = Chunker(1, count, self.options.chunk, bulk=1, expected=expected, alone=True)  # look after one item
        recorder = self.options.recorder
        in_turns = self.on_value is not None and self.many is None and self.options.output == "show"
        while not (self.outcome.stopped or self.outcome.paused):
            if recorder is not None:
                self.restore(recorder, taker)
            each, size = chunker.each, chunker.next()
            if recorder is not None:
                size = int(min(size, recorder.room(self.place)))
            chunk = () if self.outcome.stopped else taker.take(size)
            if not chunk:
                taker.end(chunk)
                return
            if in_turns and recorder is None:
                seconds = self.take_turns(chunk, size, each)
            elif self.goes_singly(chunk):
                seconds = sum(self.compute([item], 1, each=True) for item in chunk if not self.outcome.stopped)
            else:
                seconds = self.compute(chunk, size, each)
            if isinstance(chunk, OneByOne) and not self.outcome.stopped:
                taker.end(chunk)
            chunker.learn(len(chunk), seconds, 0)
            if self.options.step is not None and self.options.chunk is None and chunker.item_seconds:
                chunker.fixed = max(1, int(min(self.options.step / chunker.item_seconds, GROWTH * chunker.largest)))
            self.look(count)
            self.outcome.paused = taker.error is None and self.is_enough()

    def goes_singly(self, chunk: Sequence[Any] | OneByOne) -> bool:
        """Tell whether the items of a chunk are computed one by one: a tail follows each, or each is recorded."""
        if isinstance(chunk, OneByOne) and self.options.recorder is not None:
            return True
        return self.on_value is not None and self.many is None

    def restore(self, recorder: Recorder, taker: Taker) -> None:
        """Hand on the results of the items that come next, as far as an earlier run has left them."""
        while not self.outcome.stopped and (size := recorder.at(self.place)):
            chunk = taker.take(size)
            items, marks = recorder.marked(chunk) if isinstance(chunk, OneByOne) else (chunk, recorder.marks(chunk))
            found = recorder.restored(self.place, items, marks)
            if found is not None:
                self.hand_on_restored(items, found)
            else:
                recorder.must_be_lasting(items, marks)
                for item in items:
                    if not self.outcome.stopped:
                        self.compute([item], 1, each=True)
                self.look(None)
            if not self.outcome.stopped:
                taker.end(chunk)

    def hand_on_restored(self, items: Sequence[Any], found: Restored) -> None:
        """Hand on what an earlier run has left of some items."""
        done = Computed()
        done.values, done.output = found.values, list(found.output)
        add_names(self.outcome.names, found.names)
        self.outcome.restored += len(found.values)
        if found.changed:
            self.outcome.hidden_state = tuple(dict.fromkeys((*self.outcome.hidden_state, *found.changed)))
            if self.options.on_lost is not None:
                self.options.on_lost(found.changed)
        self.hand_on(items, done)

    def take_turns(self, chunk: Sequence[Any] | OneByOne, size: int, each: bool) -> float:
        """Compute each item and hand its value on before the next; return the seconds the calls took."""
        first, seconds, clock = self.place, [], time.perf_counter
        call = plain(self.function_for(size))
        if self.options.temporaries:
            call = naming(call, self.outcome.names)
        meter = Meter()
        for item in chunk:
            began = clock()
            try:
                value = call(item)
            except BaseException as error:
                seconds.append(clock() - began)
                self.hand_on([item], self.failed(error))
                continue
            seconds.append(clock() - began)
            self.finished += 1
            if self.options.keep_values:
                self.outcome.values.append(value)
            assert self.on_value is not None
            if self.on_value(self.place - 1, value):
                self.outcome.stopped = True
                break
        start, _, cpu, native, waited = meter.read()
        took, since = sum(seconds), start - self.began
        moments = (since, since, since, since + took, since + took, since + took)
        usage = (min(cpu, took), native, waited)
        self.messages.append(Message(first, len(seconds), 0, *moments, *usage, seconds=tuple(seconds) if each else ()))
        return took

    def failed(self, error: BaseException) -> Computed:
        """Return what a single failed item computed: its error, and the names that it had assigned."""
        done = Computed()
        done.errors.append((0, error))
        self.outcome.names.update(names_of_head(error, self.options.temporaries))
        if self.options.on_error == "keep":
            done.values.append(None)
        return done

    def compute(self, chunk: Sequence[Any] | OneByOne, size: int, each: bool) -> float:
        """Compute one chunk and hand its values on; return the seconds its calls took."""
        options, done, recorder = self.options, Computed(), self.options.recorder
        marks = recorder.marks(chunk) if recorder is not None and not isinstance(chunk, OneByOne) else None
        meter = Meter()
        with self.listening(done):
            compute(
                self.function_for(size),
                chunk,
                done,
                each=each,
                keep_going=options.on_error == "keep",
                temporaries=options.temporaries,
                ends=KeyboardInterrupt,
            )
        start, end, cpu, native, waited = meter.read()
        if isinstance(chunk, OneByOne):  # to take items is not what workers do
            start = min(end, start + chunk.seconds)
            cpu = min(cpu, end - start)
        moments = (start - self.began, end - self.began)
        self.messages.append(
            Message(
                self.place, len(done.values), 0, moments[0], *moments[:1], *moments, *moments[1:], moments[1],
                cpu, native, waited, seconds=tuple(done.seconds),
            )
        )  # fmt: skip
        if recorder is not None and not isinstance(chunk, OneByOne):
            took = done.seconds[0] if done.seconds else 0.0
            given = Settled(done.values, dict(done.errors), done.names, tuple(done.output), seconds=took)
            recorder.record(self.place, chunk, marks, given)
        if done.names:
            self.outcome.names.update(done.names)
        self.hand_on(chunk, done)
        return end - start

    @contextlib.contextmanager
    def listening(self, done: Computed) -> Iterator[None]:
        """Let prints go where they go, unless they are to be dropped or kept."""
        if self.options.output == "show" and self.options.recorder is None:
            yield
            return
        try:
            with routed(), recording(done):
                yield
        finally:
            if self.options.output == "keep":
                self.printed.extend((self.place + offset, stream, text) for offset, stream, text in done.output)
                self.outcome.output = tuple(self.printed)

    def hand_on(self, chunk: Sequence[Any] | OneByOne, done: Computed) -> None:
        """Hand the values on, with failures in their places."""
        first = self.place
        printed = list(done.output) if self.options.output == "show" else []
        one_by_one = self.on_value is not None and self.many is None
        if not one_by_one or done.errors:
            emit(printed, len(chunk))
        for offset, error in done.errors:
            if isinstance(error, KeyboardInterrupt):
                self.keep(done.values[:offset])
                raise error
            error.with_traceback(user_part(error.__traceback__))
            item = short_repr(chunk[offset])
            place = self.options.place(first + offset)
            failure = Failure(place, item, with_item(error, place, item) if self.options.named else error)
            self.outcome.failed_items[first + offset] = chunk[offset]
            self.outcome.failures = (*self.outcome.failures, failure)
            if offset < len(done.values):
                done.values[offset] = failure
        if not done.errors and not one_by_one:
            self.keep(done.values)
            if self.many is not None:
                self.many(first, done.values)
            return
        for offset, value in enumerate(done.values):
            emit(printed, offset)
            if self.options.keep_values:
                self.outcome.values.append(value)
            self.finished += 1
            if self.on_value is not None and self.on_value(self.place - 1, value):
                self.outcome.stopped = True
                return
        if done.errors and self.options.on_error == "stop":
            raise done.errors[0][1]

    def keep(self, values: list[Any]) -> None:
        """Keep values that finished."""
        if self.options.keep_values and self.outcome.values:
            self.outcome.values.extend(values)
        elif self.options.keep_values:
            self.outcome.values = values
        self.finished += len(values)

    def look(self, count: int | None) -> None:
        """Look at the cap and show progress, now and then."""
        now = self.clock()
        if self.options.cap is not None and now - self.began > self.options.cap and not self.outcome.stopped:
            self.stopped = f"stopped after {self.options.cap:.3g} s"
            self.outcome.stopped = True
        if now - self.looked < 0.25:
            return
        self.looked = now
        if self.memory is not None:
            self.memory.expect(self.outcome.values, None if count is None else count - self.finished)
        if self.options.progress is not None:
            waiting = None if count is None else count - self.finished
            told = waiting is not None and now - self.began >= TOLD_AFTER
            left = seconds_left(self.messages, (), waiting or 0, 1) if told else None
            self.options.progress(Standing(self.finished, count, left))

    def is_enough(self) -> bool:
        """Return whether no further items are to be begun now."""
        enough = self.options.enough
        return enough is not None and not self.outcome.stopped and enough(self.messages, self.clock() - self.began)

    def conclude(self) -> None:
        """Write the record of the pass."""
        messages = tuple(self.messages)
        self.outcome.record = Pass(
            items=self.finished,
            wall=self.clock() - self.began,
            cpu=sum(message.cpu + message.native_cpu for message in messages),
            failures=len(self.outcome.failures),
            stopped=self.stopped,
            messages=messages,
        )
