"""The plain loop of a comparison: runs items once, in the notebook, and keeps what the user is to get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from concompare.analysis import ledger
from concompare.errors import Interrupted
from concompare.records import Ledger, Pass

LEAST_NATIVE = 0.02
"""CPU seconds of native threads that clocks which tick coarsely do not make up."""


class Pool(Protocol):
    """Workers that are open now."""

    @property
    def workers(self) -> int: ...  # noqa: D102
    @property
    def start_up(self) -> float: ...  # noqa: D102
    @property
    def got(self) -> int: ...  # noqa: D102


class Outcome(Protocol):
    """Outcome of a pass."""

    @property
    def values(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def names(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def record(self) -> Pass: ...  # noqa: D102
    @property
    def output(self) -> Sequence[tuple[int, str, str]]: ...  # noqa: D102


class Runner(Protocol):
    """What runs passes: the engine, or a simulated one."""

    @property
    def PassOptions(self) -> Callable[..., Any]: ...  # noqa: D102
    @property
    def lease(self) -> Callable[..., AbstractContextManager[Any]]: ...  # noqa: D102
    @property
    def run_pass(self) -> Callable[..., Any]: ...  # noqa: D102


class ItemFailed(Exception):
    """Raised when an item of the plain loop raised: the plain cell would have failed there.

    Attributes:
        position: The item's position in the input.
        error: What it raised.
    """

    def __init__(self, position: int, error: BaseException) -> None:
        super().__init__(position, error)
        self.position = position
        self.error = error


@dataclass
class PlainLoop:
    """Runs items serially and remembers, by position: values, names assigned, prints and times.

    Attributes:
        function: One item to its value, or to a pair of value and names when there are temporaries.
        pool: The serial backend's pool.
        streams: Seed of one random stream for each item, or None for none.
        told: Whether the system tells waiting for a CPU from being blocked.
    """

    function: Callable[[Any], Any]
    items: Sequence[Any]
    pool: Pool
    runner: Runner
    temporaries: tuple[str, ...] = ()
    streams: int | None = None
    values: dict[int, Any] = field(default_factory=dict)
    names: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    output: list[tuple[int, str, str]] = field(default_factory=list)
    seconds: dict[int, float] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    blocked: dict[int, float] = field(default_factory=dict)
    native: dict[int, float] = field(default_factory=dict)
    told: bool = True

    def run(self, positions: Sequence[int]) -> None:
        """Run the items at these positions that have not run yet, in this order.

        Raises:
            ItemFailed: An item raised; what came before it is kept.
            Interrupted: The user interrupted; says how many of all items had run, not how many of these.
        """
        fresh = [position for position in positions if position not in self.values]
        if not fresh:
            return
        keep = Keeping(self, fresh)
        options = self.runner.PassOptions(output="keep", places=fresh, seed=self.streams)
        chosen = [self.items[position] for position in fresh]
        try:
            outcome = self.runner.run_pass(self.function, chosen, self.pool, options, count=len(chosen), on_value=keep)
        except KeyboardInterrupt as error:
            ran = f"{len(self.values)} of {len(self.items)} items of the plain loop"
            raise Interrupted(f"interrupted after {ran}") from error.__cause__
        except BaseException as error:  # an item may raise any
            self.output += printed_before(self.runner, fresh)
            raise ItemFailed(fresh[keep.handed], error) from error
        self.output += [(fresh[index], stream, text) for index, stream, text in outcome.output]
        self.note_times(outcome.record, fresh)

    def keep(self, position: int, value: Any) -> None:
        """Keep what an item gave."""
        if self.temporaries:
            value, self.names[position] = value
        self.values[position] = value

    def note_times(self, record: Pass, positions: Sequence[int]) -> None:
        """Keep the times of the items of a plain pass over these positions."""
        self.told = self.told and all(message.waited is not None for message in record.messages)
        self.seconds.update(zip(positions, ledger.item_seconds(record), strict=False))
        self.cpu.update(zip(positions, ledger.item_cpu(record), strict=False))
        self.native.update(zip(positions, ledger.item_native(record), strict=False))
        blocked = ledger.blocked_per_item(record)
        self.blocked.update((positions[i], value) for i, value in blocked.items() if i < len(positions))

    @property
    def native_share(self) -> float:
        """Return the share of the items' CPU seconds that native threads computed; 0 where they are few."""
        native, cpu = sum(self.native.values()), sum(self.cpu.values())
        return native / cpu if native >= LEAST_NATIVE else 0.0

    def undisturbed(self, position: int) -> float:
        """Return the seconds of an item that ran, without those for which others had its CPU, where that is told."""
        seconds = self.seconds[position]
        if not self.told:
            return seconds
        return min(seconds, self.cpu.get(position, seconds) + self.blocked.get(position, 0.0)) or seconds

    def ledger_of(self, positions: Sequence[int]) -> Ledger:
        """Return the ledger of these items together, as of one pass."""
        total = sum(self.seconds.get(position, 0.0) for position in positions)
        computing = min(total, sum(self.cpu.get(position, 0.0) for position in positions))
        io = min(total - computing, sum(self.blocked.get(position, 0.0) for position in positions))
        waiting = total - computing - io if self.told else None
        return Ledger(total, computing, waiting, 0.0, io, 0.0, 0.0)

    def missing(self) -> list[int]:
        """Return the positions that have no value yet, in order."""
        return [position for position in range(len(self.items)) if position not in self.values]

    def find_names(self, end: int) -> None:
        """Run items before `end` again whose names are not known, the last first, until all names have their values.

        Items that ran in workers gave back the names of their whole run, which an item that fails cuts short.
        """
        wanted, printed = set(self.temporaries), len(self.output)
        for position in reversed(range(end)):
            if not wanted:
                break
            if position not in self.names:
                self.values.pop(position, None)
                self.run((position,))
                del self.output[printed:]
            wanted -= set(self.names.get(position, ()))

    def names_until(self, end: int) -> dict[str, Any]:
        """Return the names as the plain loop would have left them after the items before `end`."""
        merged: dict[str, Any] = {}
        for position in sorted(self.names):
            if position < end:
                merged.update(self.names[position])
        return merged

    def locals_at(self, error: BaseException) -> dict[str, Any]:
        """Return the temporaries as the failing item left them, from the first frame of the cell's own function."""
        code, trace = getattr(self.function, "__code__", None), error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is code:
                return {n: v for n, v in trace.tb_frame.f_locals.items() if n in self.temporaries}
            trace = trace.tb_next
        return {}


class Keeping:
    """Keeps what the items of a plain pass give: one by one, or of tiny ones many at once.

    Attributes:
        handed: How many of them were kept.
    """

    def __init__(self, plain: PlainLoop, positions: Sequence[int]) -> None:
        self.plain, self.positions, self.handed = plain, positions, 0

    def __call__(self, index: int, value: Any) -> bool:
        """Keep what one item gave."""
        self.handed = index + 1
        self.plain.keep(self.positions[index], value)
        return False

    def many(self, first: int, values: Sequence[Any]) -> None:
        """Keep what the items from the first one on gave."""
        for index, value in enumerate(values, first):
            self(index, value)


def printed_before(runner: Runner, positions: Sequence[int]) -> list[tuple[int, str, str]]:
    """Return what items of a pass that has just failed had printed, by the positions of its items."""
    last = getattr(runner, "last", None)
    lines = last().output if last is not None else ()
    return [(positions[index], stream, text) for index, stream, text in lines if index < len(positions)]
