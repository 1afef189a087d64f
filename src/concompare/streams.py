"""Text streams that keep what a worker prints with the item it belongs to."""

from __future__ import annotations

import builtins
import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Protocol, cast


class TaskLocal:
    """Attributes of which every thread has its own, as those of `threading.local`, and every task of an event loop."""

    def __init__(self, *names: str) -> None:
        vars(self)["variables"] = {name: ContextVar[Any](name, default=None) for name in names}

    def __getattr__(self, name: str) -> Any:
        variable = vars(self)["variables"].get(name)
        if variable is None or variable.get() is None:
            raise AttributeError(name)
        return variable.get()

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)["variables"][name].set(value)

    def __delattr__(self, name: str) -> None:
        vars(self)["variables"][name].set(None)


LISTENING = TaskLocal("out")
"""`.out`: the two Recorders (stdout, stderr) of the chunk that this thread computes, while it does."""


class Recorded(Protocol):
    """What a Recorder writes into: the values so far tell the item, `output` takes (offset, stream, text)."""

    values: list[Any]
    output: list[tuple[int, str, Any]]


class Recorder(io.TextIOBase):
    """A text stream that keeps what is written with the item it belongs to."""

    def __init__(self, name: str, done: Recorded, original: Any) -> None:
        self.name = name
        self.done = done
        self.original = original

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding that bytes written to `buffer` are read with."""
        return "utf-8"

    @property
    def buffer(self) -> Any:
        """Return a binary stream; what is not UTF-8 is shown as escapes."""
        return ByteRecorder(self)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Keep the text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        own = getattr(LISTENING, "out", None)
        if own is not None and self is not own[0] and self is not own[1]:  # another thread's, which came first
            return cast(int, own[self.name == "stderr"].write(text))
        output = self.done.output
        if output and output[-1][:2] == (len(self.done.values), self.name):
            output[-1] = (*output[-1][:2], output[-1][2] + text)
        else:
            self.keep(self.name, text)
        return len(text)

    def keep(self, kind: str, what: Any) -> None:
        """Keep something with the item that is being computed."""
        self.done.output.append((len(self.done.values), kind, what))

    def fileno(self) -> int:
        """Return the descriptor of the stream that is recorded in place of; what is written there is not recorded."""
        return cast(int, self.original.fileno())


LOCK = threading.Lock()
REPLACED: list[Any] = []
"""The process's own stdout and stderr while chunks are recorded."""

RECORDED = [0]
"""How many threads record a chunk now; a worker of a cluster may have several."""


@contextlib.contextmanager
def recording(done: Recorded) -> Iterator[None]:
    """Record what this thread prints, and what threads that it starts print, for the time of a chunk."""
    if not hasattr(builtins, "display"):  # in a worker that is not ours
        builtins.display = display  # type: ignore[attr-defined]
    with LOCK:
        if not RECORDED[0]:
            REPLACED[:] = sys.stdout, sys.stderr
        LISTENING.out = Recorder("stdout", done, REPLACED[0]), Recorder("stderr", done, REPLACED[1])
        if not RECORDED[0]:
            sys.stdout, sys.stderr = LISTENING.out
        RECORDED[0] += 1
    try:
        yield
    finally:
        del LISTENING.out
        with LOCK:
            RECORDED[0] -= 1
            if not RECORDED[0]:
                sys.stdout, sys.stderr = REPLACED


def display(*objects: Any, **options: Any) -> None:
    """Display objects in the cell that started the item, in the place of IPython's `display`."""
    recorders = getattr(LISTENING, "out", None)
    if recorders is None:
        sys.stdout.write("".join(f"{shown!r}\n" for shown in objects))
    else:
        recorders[0].keep("display", (objects, options))


class ByteRecorder(io.RawIOBase):
    """The binary side of a Recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Keep the bytes as text."""
        self.recorder.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)
