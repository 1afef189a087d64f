"""Processes that report in lines of JSON, and are ended when they compute for too long or do nothing at all."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil

IDLE = 300.0
"""Seconds after which a process hangs that has reported nothing and computed nothing."""
LOOK = 2.0
"""Seconds between two looks at what a process has computed."""


@dataclass
class Child:
    """A process and those that it has started, of a session of their own.

    Attributes:
        pid: Of the process, which is its session's first.
        reports: The reading end of the pipe that it reports into.
        wait: Waits for its end.
    """

    pid: int
    reports: int
    wait: Callable[[], object]

    def cpu(self) -> float:
        """Return the CPU seconds of the process and its children."""
        total = 0.0
        with contextlib.suppress(psutil.Error):
            own = psutil.Process(self.pid)
            for process in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += sum(process.cpu_times()[:4])
        return total

    def read(self, limit: float, whole: float) -> Iterator[dict[str, Any]]:
        """Yield the reports until it ends; it is left where it computes too long for one of them, or for all."""
        rest, before, seen, since = b"", self.cpu(), 0.0, time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self.reports, selectors.EVENT_READ)
            while True:
                if not selector.select(LOOK):
                    now = self.cpu()
                    if now != seen:
                        seen, since = now, time.monotonic()
                    if now - before > limit or now > whole or time.monotonic() - since > IDLE:
                        return
                    continue
                got = os.read(self.reports, 1 << 16)
                if not got:
                    return
                *lines, rest = (rest + got).split(b"\n")
                if lines:
                    before, since = self.cpu(), time.monotonic()
                yield from map(json.loads, lines)

    def end(self) -> None:
        """End the process and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        os.close(self.reports)
