"""Calls to workers of a cluster besides `chunk.run`: identify themselves, load our code, stop.

The cluster's own machinery sees nothing of ours: a call travels as `pickle.loads` and the bytes to load, and the code
that workers run is sent to them where concompare is not installed. Needs the standard library only, as `chunk` does.
"""

from __future__ import annotations

import builtins
import hashlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from concompare.worker import capture, chunk
from concompare.worker.bootstrap import INTERRUPTIBLE

MODULES = (
    "capture",
    "surroundings",
    "bootstrap",
    "calls",
    "transfer.process_memory",
    "transfer.code_objects",
    "transfer.strided",
    "transfer.set_order",
    "transfer.precision",
    "transfer.nans",
    "transfer.error_traces",
    "bound_names",
    "transfer.class_objects",
    "transfer.pickling",
    "owners",
    "caches",
    "transfer.object_refs",
    "changes",
    "warnings_here",
    "log_records",
    "transfer.items",
    "transfer.closed_files",
    "transfer.made_again",
    "results",
    "state_watch",
    "clocks",
    "coroutines",
    "compute",
    "outside_effects",
    "line_sampler",
    "chunk",
    "remote",
)
"""The modules of ours that a worker needs, each after those that it imports."""

LARGE = 2**20
"""Bytes from which a function or the items of a message travel beside the message."""

WHO = """
def who():
    import os, platform, socket, sys
    from importlib import metadata, util
    try:
        cloudpickle = metadata.version("cloudpickle")
    except metadata.PackageNotFoundError:
        cloudpickle = None
    return {
        "host": socket.gethostname(), "pid": os.getpid(), "implementation": sys.implementation.name,
        "python": platform.python_version(), "cloudpickle": cloudpickle,
        "concompare": getattr(util.find_spec("concompare"), "origin", None) is not None,
    }
"""
"""Asked of a worker before it has anything of ours."""

TAKE = """
def take(sources):
    import sys, types
    from importlib.machinery import ModuleSpec
    for name in ("concompare", "concompare.worker", "concompare.worker.transfer"):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = []
        package.__spec__ = ModuleSpec(name, None, is_package=True)
        if name != "concompare":
            setattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], package)
    for name, source in sources:
        full, file = "concompare.worker." + name, "<concompare/worker/" + name.replace(".", "/") + ".py>"
        module = sys.modules[full] = types.ModuleType(full)
        setattr(sys.modules[full.rpartition(".")[0]], full.rpartition(".")[2], module)
        exec(compile(source, file, "exec"), vars(module))
"""
"""Makes our modules of their sources, where the package is not installed."""


def expression(source: str, name: str, *arguments: object) -> str:
    """Return a call of a function that is given as source, as one expression for `eval`."""
    call = f"(exec({source!r}, names), names[{name!r}](*{arguments!r}))[1]"
    return f"(lambda names: {call})({{}})"


def sources() -> tuple[tuple[str, str], ...]:
    """Return name and source of what a worker needs."""
    here = Path(__file__).parent
    files = ((name, here.joinpath(*name.split(".")).with_suffix(".py")) for name in MODULES)
    return tuple((name, file.read_text(encoding="utf-8")) for name, file in files)


def fingerprint() -> str:
    """Return a digest of the code that a worker runs, or nothing where it came as source."""
    if not globals().get("__file__"):
        return ""
    return hashlib.blake2b(repr(sources()).encode(), digest_size=8).hexdigest()


def arrive(path: list[str] | None, interruptible: bool = False) -> str:
    """Make this process ready for calls.

    Args:
        path: The notebook's module search path, for workers that were started for it; None leaves theirs.
        interruptible: Whether an interrupt ends the items of the pass that is computed, all of them.

    Returns:
        The fingerprint of the code that it has.
    """
    if path is not None:
        sys.path[:] = path
    INTERRUPTIBLE[:] = [True] if interruptible else []
    original = getattr(builtins, "display", None)
    if not getattr(original, "concompare", False):
        builtins.display = capture.Displaying(original)  # type: ignore[attr-defined]
    return fingerprint()


class Calling:
    """A call that happens when it is unpickled."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


def call_as_bytes(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bytes, list[bytes]]:
    """Return what `pickle.loads(bytes, buffers=…)` makes a call of, with the large parts beside it as buffers.

    The buffers are the function first, then the items, of those that are large.
    """
    beside: list[bytes] = []
    if arguments and isinstance(arguments[0], chunk.Request):
        request = arguments[0]
        if isinstance(request.blob, bytes) and len(request.blob) >= LARGE:
            beside.append(request.blob)
            request = request._replace(blob=pickle.PickleBuffer(request.blob))  # type: ignore[arg-type]
        if request.items.data is not None and len(request.items.data) >= LARGE:
            beside.append(request.items.data)
            items = request.items._replace(data=pickle.PickleBuffer(request.items.data))  # type: ignore[arg-type]
            request = request._replace(items=items)
        arguments = (request, *arguments[1:])
    return pickle.dumps(Calling(function, arguments), 5, buffer_callback=lambda _: False), beside


def nothing() -> None:
    """Do nothing: what a call costs by itself."""
