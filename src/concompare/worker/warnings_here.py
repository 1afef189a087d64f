"""Warnings of items: filtered in workers as in the notebook, and shown there as the plain loop shows them.

A warning that is shown once for each place is shown by each worker that meets it. So what workers let through is warned
of again in the notebook, whose registries know what has been shown. Each worker takes its items in their order, so what
it does not show a second time, the plain loop does not either.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from typing import Any

from concompare.worker.transfer.pickling import pack

WARNED = [False]
"""Whether an item has warned of anything in this worker since its filters were looked at."""
SEEN: list[Any] = [None, 0]
"""The version of the filters when an item last warned or was begun, and how many modules were loaded then."""
MOST = 50
"""Frames that are looked through for the place of a warning."""
PACKED: list[tuple[Any, bytes]] = [((), b"")]
"""The filters that were packed last."""
ELSEWHERE: dict[str, dict[str, Any]] = {}
"""Names of modules that are not loaded here, by their files: what was shown of these."""


def process() -> tuple[int, int]:
    """Return what tells this process, and the interpreter in it, from others."""
    return os.getpid(), id(sys.modules)


def packed_filters() -> bytes:
    """Return the filters of warnings, but for those that cannot be sent."""
    import warnings

    now = tuple(warnings.filters)
    if PACKED[0][0] != now:
        try:
            PACKED[0] = now, pack(now)
        except Exception:
            PACKED[0] = now, pack(tuple(one for one in now if one[2].__module__ != "__main__"))
    return PACKED[0][1]


def take_filters(packed: bytes) -> None:
    """Let this worker have the filters of the notebook."""
    import warnings

    with contextlib.suppress(Exception):
        warnings.filters[:] = pickle.loads(packed)  # type: ignore[index]
        forget()


def begin() -> None:
    """Let what was shown of earlier items, maybe of another loop, be shown again."""
    import warnings

    if WARNED[0]:
        WARNED[0] = False
        forget()
    registry: dict[Any, Any] = {}
    shown = warnings.showwarning
    warnings.showwarning = lambda *_: None
    with contextlib.suppress(Warning):
        warnings.warn_explicit("", Warning, "", 0, "", registry)  # which notes the version of the filters
    warnings.showwarning = shown
    SEEN[:] = registry.get("version"), len(sys.modules)


def kept_as(message: Any, category: Any, filename: str, lineno: int) -> tuple[Any, ...]:
    """Return what is kept of a warning of an item that is let through here: the arguments of `show`."""
    WARNED[0] = True
    version, loaded = version_at(filename, lineno), len(sys.modules)
    renewed = version is not None and SEEN[0] not in (None, version) and SEEN[1] == loaded  # no import has done it
    SEEN[:] = version, loaded
    return message, category, filename, lineno, process(), renewed


def version_at(filename: str, lineno: int) -> Any:
    """Return the version of the filters that the registry of a place knows, which has just been looked at."""
    frame = sys._getframe(2)
    for _ in range(MOST):
        if frame.f_code.co_filename == filename and frame.f_lineno == lineno:
            return frame.f_globals.get("__warningregistry__", {}).get("version")
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def forget() -> None:
    """Forget what was shown; entering a context tells those who keep what was shown that filters have changed."""
    import warnings

    warnings.onceregistry.clear()  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        pass


def shown_so_far() -> dict[str, dict[Any, Any]]:
    """Return what this process has shown of warnings, by the names of its modules; under no name what is shown once."""
    import warnings

    held = {name: getattr(module, "__dict__", {}).get("__warningregistry__") for name, module in [*sys.modules.items()]}
    found = {name: dict(registry) for name, registry in held.items() if isinstance(registry, dict)}
    return found | {"": dict(warnings.onceregistry)}  # type: ignore[attr-defined]


def now_shown(shown: dict[str, dict[Any, Any]], *, only: bool) -> None:
    """Let that be what this process has shown of warnings, and nothing else if `only` that."""
    import warnings

    held = {name: getattr(module, "__dict__", {}).get("__warningregistry__") for name, module in [*sys.modules.items()]}
    for name, registry in {**held, "": warnings.onceregistry}.items():  # type: ignore[attr-defined]
        if isinstance(registry, dict):
            if only:
                registry.clear()
            registry.update(shown.get(name, {}))


def show(message: Any, category: Any, filename: str, lineno: int, origin: Any = None, renewed: bool = False) -> None:
    """Show a warning of an item that its own process has let through.

    `origin` is that process, None for this one; `renewed` says that filters have changed there, as `catch_warnings`
    does, after which all is shown once more.
    """
    import warnings

    if origin is None or origin == process():
        warnings.showwarning(message, category, filename, lineno)
        return
    if renewed:
        forget()
    names = names_of(filename)
    registry = names.setdefault("__warningregistry__", {})
    with contextlib.suppress(Warning):  # one that is an error here is one there, so it was raised
        warnings.warn_explicit(message, category, filename, lineno, names.get("__name__"), registry)


def names_of(filename: str) -> dict[str, Any]:
    """Return the names of the module that has a file; the notebook's for its cells."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == filename:
            return vars(module)
    if filename.endswith(".py") and os.path.exists(filename):
        name = os.path.splitext(os.path.basename(filename))[0]
        return ELSEWHERE.setdefault(filename, {"__name__": name})
    return vars(sys.modules["__main__"])
