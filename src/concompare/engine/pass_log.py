"""What the messages of a pass took, and the record that is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from concompare.engine.chunking import Chunk
from concompare.engine.outcome import Outcome
from concompare.records import Message, Pass, message_of
from concompare.worker.chunk import Answer

if TYPE_CHECKING:
    from concompare.engine.cpu_timeline import Sampler


class PassLog:
    """Keep what each message took.

    Args:
        clock: Seconds.
        own_clock: Whether workers read it too: the moments of others are moved to fit between sending and arrival.
        places: Workers at a time, where each lives for one message only: those of one place count as one.

    Attributes:
        began: When the pass began.
        workers: A number for each worker, by its process and thread.
    """

    def __init__(self, clock: Callable[[], float], own_clock: bool, places: int | None) -> None:
        self.clock, self.own_clock, self.places = clock, own_clock, places
        self.began = 0.0
        self.messages: list[Message] = []
        self.workers: dict[tuple[int, int], int] = {}
        self.sampler: Sampler | None = None

    def begin(self, sampled: tuple[tuple[int, int], ...]) -> None:
        """Begin now, and watch these workers from outside where the system allows it."""
        if sampled:
            from concompare.engine.cpu_timeline import Sampler, can_sample

            self.sampler = Sampler(sampled) if can_sample() else None
        self.began = self.clock()

    def passed(self) -> float:
        """Return the seconds since the beginning."""
        return self.clock() - self.began

    def note(self, chunk: Chunk, answer: Answer, before: float, bytes_out: int) -> None:
        """Record what a message took.

        Args:
            chunk: What was sent.
            answer: What came.
            before: When it was taken in.
            bytes_out: Bytes of its values.
        """
        now = self.clock()
        worker = self.workers.setdefault(answer.ident, len(self.workers))
        if self.places is not None:
            worker %= self.places
        shift = 0.0
        if not self.own_clock and not (chunk.sent <= answer.received and answer.returned <= now):
            shift = (chunk.sent + now - answer.received - answer.returned) / 2
        began = self.began - shift
        self.messages.append(
            message_of(
                chunk.first, len(chunk.items), worker, chunk.sent - self.began, answer.received - began,
                answer.start - began, answer.end - began, answer.returned - began, now - self.began,
                answer.cpu, answer.native_cpu, answer.waited, chunk.packing + now - before,
                chunk.bytes_in + answer.fetched, bytes_out, answer.seconds,
            )
        )  # fmt: skip

    def ages(self, chunks: Sequence[Chunk]) -> list[float]:
        """Return for how long each of these messages, one at every worker, has run at the most.

        A message that was sent while its worker had another began when that one came back.
        """
        latest: dict[int, float] = {}
        for message in self.messages[-8 * max(1, len(chunks)) :]:
            latest[message.worker] = message.done
        now, free = self.passed(), sorted(latest.values(), reverse=True)
        starts = [chunk.sent - self.began for chunk in chunks]
        later = [*free[: len(starts)], *[0.0] * (len(starts) - len(free))]
        return [max(0.0, now - max(start, other)) for start, other in zip(starts, sorted(later), strict=True)]

    def busy(self) -> dict[tuple[int, int], list[tuple[float, float]]]:
        """Return when each worker had a message."""
        spans: dict[tuple[int, int], list[tuple[float, float]]] = {ident: [] for ident in self.workers}
        by_number = {number: ident for ident, number in self.workers.items()}
        for message in sorted(self.messages, key=lambda message: message.received):
            spans[by_number[message.worker]].append((message.received, message.returned))
        return spans

    def record(self, outcome: Outcome, wall: float, stopped: str | None, memory: tuple[int, ...]) -> Pass:
        """Return the record of the pass, which is over.

        Args:
            outcome: What it has come to.
            wall: Seconds it took.
            stopped: Why it ended early.
            memory: The most bytes that each worker process took.
        """
        messages = tuple(self.messages)
        sampler, self.sampler = self.sampler, None
        return Pass(
            items=sum(message.count for message in messages) + outcome.restored,
            wall=wall,
            cpu=sum(message.cpu + message.native_cpu for message in messages),
            failures=len(outcome.failures),
            stopped=stopped,
            bytes_in=sum(message.bytes_in for message in messages),
            bytes_out=sum(message.bytes_out for message in messages),
            packing=sum(message.packing for message in messages),
            peak_memory=sum(memory) or None,
            worker_memory=memory,
            messages=messages,
            tracks=sampler.stop(self.began, self.busy()) if sampler is not None else (),
        )
