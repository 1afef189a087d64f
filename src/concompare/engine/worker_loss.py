"""Workers that end in the middle: who died, of what, with which item, and what has to run again.

An executor that loses a worker breaks as a whole. So the answers that have arrived are kept, the board tells which
items the dead were computing, new workers are opened, and only lost items run again: suspects one by one, alone.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING, Any

from concompare.engine.item_errors import GO_ON, death, short_repr
from concompare.engine.outcome import PassOptions
from concompare.engine.pools.pool import Pool
from concompare.errors import ItemTimeout, WorkerDied

if TYPE_CHECKING:
    from concompare.engine.chunking import Chunk

TRIES = 2
"""How often an item is run whose worker died: the second time alone."""


MOST_LOSSES = 16
"""How often a message may be lost with a worker before its items are suspected, whatever the board says."""


def is_death(error: BaseException) -> bool:
    """Return whether an executor's error means that a worker has ended."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ in ("ProcessEnded", "TerminatedWorkerError")


class Inquest:
    """The workers of one pass, and how each of them ended."""

    def __init__(self, pool: Pool, options: PassOptions, clock: Callable[[], float], remedy: str = GO_ON) -> None:
        self.remedy = remedy
        self.pool = pool
        self.options = options
        self.clock = clock
        self.peaks: dict[int, int] = {}
        self.timed_out: dict[int, float] = {}
        self.tries: dict[int, int] = {}

    def watch(self) -> bool:
        """Note the workers' memory, end those whose item takes too long; return whether a worker is silently gone."""
        if not self.pool.near:
            return False
        self.note_memory()
        if self.options.timeout is not None:
            self.end_late_ones(self.options.timeout)
        if self.pool.handling.refills:
            return any(process.exitcode is not None for process in self.pool.processes)
        return False

    def note_memory(self) -> None:
        """Remember each worker's highest memory, to be told if it dies."""
        import psutil

        for process in self.pool.processes:
            with contextlib.suppress(psutil.Error):
                used = psutil.Process(process.pid).memory_info()
                highest = getattr(used, "peak_wset", used.rss)
                self.peaks[process.pid] = max(highest, self.peaks.get(process.pid, 0))

    def end_late_ones(self, limit: float) -> None:
        """Kill the workers whose item has run longer than its time limit."""
        from concompare.backends.base import kill_processes

        now = self.clock()
        for pid, item, since, _ in self.pool.board():
            if pid and item >= 0 and now - since > limit:
                self.timed_out[item] = now - since
                kill_processes([process for process in self.processes() if process.pid == pid])

    def processes(self) -> list[Any]:
        """Return the worker processes, those of per-item backends included."""
        if self.pool.backend.ephemeral and self.pool.executor is not None:
            return self.pool.backend.processes(self.pool.executor)
        return self.pool.processes

    def judge(
        self, lost: list[Chunk], error: Exception | None
    ) -> tuple[list[tuple[Chunk, int, BaseException]], list[Chunk]]:
        """Return the verdicts on single items, and the chunks to run again.

        An item is found guilty when its time was up, when it was alone with its dead worker, or when its worker died
        for the second time.
        """
        if self.pool.handling.lasting:
            return self.judge_apart(lost)
        codes = self.exit_codes(error)
        lines = self.pool.board()
        board = {item: pid for pid, item, _, _ in lines if pid and item >= 0}
        self.peaks.update({pid: max(peak, self.peaks.get(pid, 0)) for pid, _, _, peak in lines if pid and peak})
        suspects = {item for item, pid in board.items() if codes.get(pid) is not None}
        verdicts: list[tuple[Chunk, int, BaseException]] = []
        again: list[Chunk] = []
        for chunk in lost:
            positions = range(chunk.first, chunk.first + len(chunk.items))
            weary = chunk.attempts >= MOST_LOSSES
            if not (suspects | self.timed_out.keys()) & set(positions) and board and not chunk.alone and not weary:
                again.append(chunk)
                continue
            for single in split(chunk):
                index, place = single.first, self.options.place(single.first)
                if index in self.timed_out:
                    verdicts.append((single, index, late(place, single.items[0], self.options.timeout)))
                    continue
                if index in suspects or chunk.alone or weary or not board:
                    self.tries[index] = self.tries.get(index, 0) + 1
                    single.alone = True
                if chunk.alone or self.tries.get(index, 0) >= TRIES:
                    pid = board.get(index)
                    code = codes.get(pid) if pid is not None else next(iter(codes.values()), None)
                    peak = self.peaks.get(pid or 0)
                    verdicts.append((single, index, death(place, short_repr(single.items[0]), code, peak, self.remedy)))
                else:
                    again.append(single)
        return verdicts, again

    def judge_apart(self, lost: list[Chunk]) -> tuple[list[tuple[Chunk, int, BaseException]], list[Chunk]]:
        """Return the verdicts where it is known which message a lost worker had begun, but not at which item it was.

        The message runs again in pieces, then item by item; one whose worker is lost twice while it is alone is guilty.
        """
        verdicts: list[tuple[Chunk, int, BaseException]] = []
        again: list[Chunk] = []
        for chunk in lost:
            if len(chunk.items) > 1:
                again += pieces(chunk)
                continue
            self.tries[chunk.first] = self.tries.get(chunk.first, 0) + 1
            if self.tries[chunk.first] < TRIES:
                chunk.alone = True  # else it may be lost, though it is finished, with the next one's worker
                again.append(chunk)
                continue
            error = death(self.options.place(chunk.first), short_repr(chunk.items[0]), None, None, self.remedy)
            verdicts.append((chunk, chunk.first, error))
        return verdicts, again

    def exit_codes(self, error: Exception | None) -> dict[int, int | None]:
        """Return the exit codes of the workers that ended by themselves, by process id."""
        pid = getattr(error, "pid", None)
        if isinstance(pid, int):
            return {pid: getattr(error, "exitcode", None)}
        codes = {}
        # A pool's own thread reaps its dead: to ask at the same time would lose the exit code to one of the two.
        manager = getattr(self.pool.executor, "_executor_manager_thread", None)
        if isinstance(manager, threading.Thread):
            manager.join(2.0)
        for process in self.pool.processes:
            with contextlib.suppress(Exception):
                process.join(0.2)
                codes[process.pid] = process.exitcode
        ended = self.how_others_end()
        own = {pid: code for pid, code in codes.items() if code is not None and code not in ended}
        return own or codes

    def how_others_end(self) -> tuple[int, ...]:
        """Return the exit codes of the workers that the executor ends itself once it has lost one."""
        if not hasattr(signal, "SIGKILL"):  # Windows: psutil ends a process with the number of SIGTERM as its code
            return -signal.SIGTERM, signal.SIGTERM
        return (-signal.SIGKILL if self.pool.handling.kills else -signal.SIGTERM,)

    def reopen(self) -> None:
        """Open new workers in the place of the broken ones.

        Raises:
            WorkerDied: They cannot be started again.
        """
        if self.pool.handling.borrowed:
            raise WorkerDied(f"the workers of {self.pool.backend.name} are gone; make a new executor")
        try:
            self.pool.reopen()
        except Exception as error:
            raise WorkerDied(f"a worker died and new ones could not be started: {error}") from error


def split(chunk: Chunk) -> list[Chunk]:
    """Return a chunk's items as chunks of one."""
    kind = type(chunk)
    return [
        kind(chunk.first + offset, [item], True, attempts=chunk.attempts) for offset, item in enumerate(chunk.items)
    ]


FEW = 16
"""Items up to which a lost message runs again item by item at once."""


def pieces(chunk: Chunk) -> list[Chunk]:
    """Return a chunk as chunks of one item where it has few, else as about as many chunks as each has items."""
    if len(chunk.items) <= FEW:
        return split(chunk)
    size = math.isqrt(len(chunk.items))
    return [
        type(chunk)(chunk.first + at, chunk.items[at : at + size], chunk.each, attempts=chunk.attempts)
        for at in range(0, len(chunk.items), size)
    ]


def late(index: int, item: Any, limit: float | None) -> ItemTimeout:
    """Return the error for an item whose time was up."""
    return ItemTimeout(f"item {index} ({short_repr(item)}) took longer than its {limit:g} s; its worker was ended")
