"""Show what workers print under the cell that started them: whole lines, once, in item order."""

from __future__ import annotations

import builtins
import contextlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from concompare.worker import capture, log_records
from concompare.worker.capture import LISTENING

LOCK = threading.RLock()
DISPLAY = ("IPython.core.display_functions", "IPython.core.display")
"""The modules in which every `display` ends: the second one in IPython before 8, which has no other."""


@contextlib.contextmanager
def routed() -> Iterator[None]:
    """Record what worker threads write for the time of a pass."""
    with LOCK:
        display, shell = getattr(builtins, "display", None), displaying_module()
        if display is not None:
            through = shell is not None and getattr(display, "__module__", None) in DISPLAY
            displaying = capture.Displaying(display, through=through)
            builtins.display = displaying  # type: ignore[attr-defined]
        if shell is not None:
            publish = shell.publish_display_data
            shell.publish_display_data = publishing = publish_by(publish)
        capture.APART[0] = capture.is_written_apart()
    try:
        with log_records.kept(), capture.doors():
            yield
    finally:
        with LOCK:
            if display is not None and builtins.display is displaying:  # type: ignore[attr-defined]
                builtins.display = display  # type: ignore[attr-defined]
            if shell is not None and shell.publish_display_data is publishing:
                shell.publish_display_data = publish


def displaying_module() -> Any:
    """Return the module in which every `display` ends, if it is loaded."""
    loaded = (sys.modules.get(name) for name in DISPLAY)
    return next((module for module in loaded if hasattr(module, "publish_display_data")), None)


def publish_by(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what every `display` of IPython ends in, however it was imported: recorded where an item is computed."""

    def route(*arguments: Any, **options: Any) -> Any:
        recorders = LISTENING.out
        if recorders is None:
            return original(*arguments, **options)
        return recorders[0].keep("published", (arguments, options))

    return route


def show(stream: str, text: Any) -> None:
    """Write recorded text to the notebook's stream of that name, or display what an item displayed."""
    if stream == "display":
        objects, options = pickle.loads(text) if isinstance(text, bytes) else text
        getattr(builtins, "display", capture.display)(*objects, **options)
        return
    if stream == "published":
        arguments, options = text
        displaying_module().publish_display_data(*arguments, **options)
        return
    if stream in log_records.KINDS:
        log_records.show_here(stream, text)
        return
    (sys.stderr if stream == "stderr" else sys.stdout).write(text)
