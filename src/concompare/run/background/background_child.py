"""The process of a background run: it runs one cell on copies of the notebook's names, and sends what comes of it."""

from __future__ import annotations

import builtins
import io
import linecache
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from concompare.run.background import exchange
from concompare.worker import capture
from concompare.worker.transfer.pickling import pack_error

if TYPE_CHECKING:
    from concompare.cells.wishes import Wishes


@dataclass
class Order:
    """What a process is to run.

    Attributes:
        source: The cell; `wishes`: how it is to be taken.
        names: The notebook's names that it mentions, as `exchange.packed_names` gives them.
        backends: Asked for, with `workers` and the other options of a request.
        lines: The lines of cells, by their file names, for tracebacks and for the analysis.
        silent: The value of its last expression is not shown.
    """

    source: str
    wishes: Wishes
    names: bytes
    backends: tuple[str, ...]
    workers: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    silent: bool = False


class Channel:
    """Sends messages to the notebook, from whatever thread."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.lock = threading.Lock()

    def send(self, kind: str, what: Any) -> None:
        """Send one message."""
        with self.lock:
            exchange.send(self.file, (kind, what))


class Stream(io.TextIOBase):
    """A stream whose text goes to the notebook."""

    encoding = "utf-8"  # so that tqdm draws blocks

    def __init__(self, channel: Channel, kind: str) -> None:
        self.channel, self.kind = channel, kind
        self.in_place = kind == "progress"  # what was shown before goes

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Send the text."""
        if text:
            self.channel.send(self.kind, text)
        return len(text)


def main() -> None:
    """Run what the notebook orders on stdin; the process ends when that is closed."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what native code prints is no message
    channel = Channel(answers)
    order: Order = exchange.receive(orders)
    threading.Thread(target=end_with, args=(orders,), daemon=True).start()
    if not hasattr(builtins, "display"):
        vars(builtins)["display"] = capture.display
    sys.stdout, sys.stderr = Stream(channel, "stdout"), Stream(channel, "stderr")
    channel.send("end", run(order, channel))


def end_with(orders: BinaryIO) -> None:
    """End this process, and by that its workers, when the notebook has gone."""
    orders.read()
    os._exit(1)


def run(order: Order, channel: Channel) -> dict[str, Any]:
    """Run a cell and return what came of it."""
    for name, lines in order.lines.items():
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    names: exchange.Names | None = None
    answer: dict[str, Any] = {}
    try:
        probe, given = pickle.loads(order.names)
        namespace: dict[str, Any] = probe.__globals__
        namespace.update(given, __name__="__main__")
        vars(sys.modules["__main__"]).update(namespace)
        names = exchange.Names(namespace)
        value = cell_run(order, channel, namespace)
        if value is not None and not order.silent:
            channel.send("stdout", f"{value!r}\n")
    except BaseException as error:
        shown = error.with_traceback(own_part(error, order.wishes.filename))
        answer = {"error": pack_error(error), "traceback": "".join(traceback.format_exception(shown))}
    if names is not None:
        answer["names"] = names.returned()
    return answer


def cell_run(order: Order, channel: Channel, namespace: dict[str, Any]) -> Any:
    """Run the cell; returns its value."""
    from concompare.cells.program import Cell
    from concompare.run.cell_runners import Telling
    from concompare.run.request import request_of

    progress: Any = Stream(channel, "progress")
    request = request_of(order.backends, order.workers, progress=progress, **order.options)
    runner = runner_of(request, Telling(lambda sentence: channel.send("stdout", f"{sentence}\n")))
    return Cell(order.source, order.wishes).run(namespace, runner)


def runner_of(request: Any, tell: Any) -> Any:
    """Return what runs the cell's loops: none that has work runs as the plain loop."""
    from concompare.run.cell_runners import Running

    class Apart(Running):
        def plainly(self, loop: Any, refusal: Any, play: Callable[[], Any]) -> Any:
            """Run a loop that only moves data; refuse to run another as it is."""
            if not refusal.idle:
                raise refusal
            return play()

    return Apart(request, tell)


def own_part(error: BaseException, filename: str) -> Any:
    """Return the traceback of an error from the cell's first frame on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return trace
