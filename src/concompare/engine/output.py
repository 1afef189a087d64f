"""What workers print, under the cell that started them: whole, once, in item order."""

from __future__ import annotations

import builtins
import contextlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from concompare import streams
from concompare.streams import LISTENING

LOCK = threading.RLock()
DISPLAY = "IPython.core.display_functions"
"""The module in which every `display` ends."""


class Route:
    """A stream that gives what our worker threads write to their recorders, and everything else to the original."""

    def __init__(self, original: Any, which: int) -> None:
        self.original = original
        self.which = which

    def write(self, text: str) -> int:
        """Write to the recorder of the calling thread if it computes an item, else to the original stream."""
        recorders = getattr(LISTENING, "out", None)
        stream = self.original if recorders is None else recorders[self.which]
        return int(stream.write(text) or 0)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the original stream, unless the calling thread's output is recorded."""
        if getattr(LISTENING, "out", None) is None:
            self.original.flush()

    def __getattr__(self, name: str) -> Any:
        recorders = getattr(LISTENING, "out", None)
        return getattr(self.original if recorders is None else recorders[self.which], name)


@contextlib.contextmanager
def routed() -> Iterator[None]:
    """Record what worker threads write for the time of a pass."""
    with LOCK:
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Route(before[0], 0), Route(before[1], 1)
        mine = sys.stdout, sys.stderr
        display = getattr(builtins, "display", None)
        if display is not None:
            builtins.display = displaying = display_by(display)  # type: ignore[attr-defined]
        shell = sys.modules.get(DISPLAY)
        if shell is not None:
            publish = shell.publish_display_data
            shell.publish_display_data = publishing = publish_by(publish)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        with LOCK:
            if sys.stdout is mine[0]:
                sys.stdout = before[0]
            if sys.stderr is mine[1]:
                sys.stderr = before[1]
            if display is not None and builtins.display is displaying:  # type: ignore[attr-defined]
                builtins.display = display  # type: ignore[attr-defined]
            if shell is not None and shell.publish_display_data is publishing:
                shell.publish_display_data = publish  # type: ignore[attr-defined]


def display_by(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `display` that records in our worker threads and is the notebook's everywhere else."""

    def route(*objects: Any, **options: Any) -> Any:
        recorded = getattr(LISTENING, "out", None) is not None
        return (streams.display if recorded else original)(*objects, **options)

    return route


def publish_by(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what every `display` of IPython ends in, however it was imported: recorded where an item is computed."""

    def route(*arguments: Any, **options: Any) -> Any:
        recorders = getattr(LISTENING, "out", None)
        if recorders is None:
            return original(*arguments, **options)
        return recorders[0].keep("published", (arguments, options))

    return route


def show(stream: str, text: Any) -> None:
    """Write recorded text to the notebook's stream of that name, or display what an item displayed."""
    if stream == "display":
        objects, options = pickle.loads(text) if isinstance(text, bytes) else text
        getattr(builtins, "display", streams.display)(*objects, **options)
        return
    if stream == "published":
        arguments, options = text
        sys.modules[DISPLAY].publish_display_data(*arguments, **options)
        return
    (sys.stderr if stream == "stderr" else sys.stdout).write(text)
