"""Functions and classes that make pools, known by themselves and not by how a cell calls them."""

from __future__ import annotations

import sys
import types
from typing import Any

MAKERS = {
    "executor": (
        ("concurrent.futures.thread", "ThreadPoolExecutor"),
        ("concurrent.futures.process", "ProcessPoolExecutor"),
    ),
    "pool": (("multiprocessing.pool", "Pool"), ("multiprocessing.pool", "ThreadPool")),
    "dummy": (("multiprocessing.dummy", "Pool"),),
    "joblib": (("joblib", "Parallel"),),
    "mapping": (("tqdm.contrib.concurrent", "thread_map"), ("tqdm.contrib.concurrent", "process_map")),
    "completed": (("concurrent.futures", "as_completed"),),
    "thread": (
        ("threading", "Thread"),
        ("multiprocessing.process", "BaseProcess"),
        ("multiprocessing.context", "Process"),
        ("multiprocessing.context", "ForkProcess"),
    ),
}
"""Where each kind of maker is found: module and name."""
NAMES = frozenset({name for found in MAKERS.values() for _, name in found} | {"Process"})
PACKAGES = frozenset({"concurrent", "multiprocessing", "threading", "joblib"})
HANDLES = frozenset([
    *("Executor", "Future", "Pool", "ApplyResult", "IMapIterator", "Parallel", "Thread", "BaseProcess"),
])  # fmt: skip
"""Classes whose objects stand for parallel work."""
SHARING = frozenset({"threading", "_thread", "queue", "_queue", "multiprocessing", "asyncio", "concurrent", "_asyncio"})
"""Packages whose objects tie calls that run at the same time to each other."""


def kind_of(thing: Any) -> str | None:
    """Return which kind of maker an object is, or None."""
    context = sys.modules.get("multiprocessing.context")
    if type(thing) is types.MethodType:
        base = getattr(context, "BaseContext", None)
        return "context" if base is not None and thing.__func__ is base.__dict__["Pool"] else None
    for kind, places in MAKERS.items():
        for module, name in places:
            found = vars(sys.modules[module]).get(name) if module in sys.modules else None
            if found is not None and found is thing:
                return kind
    return None


def is_started(kind: type) -> bool:
    """Tell whether the objects of a class are threads or processes."""
    found = [(base.__module__, base.__name__) for base in kind.__mro__]
    return ("threading", "Thread") in found or ("multiprocessing.process", "BaseProcess") in found


def ties(thing: Any) -> bool:
    """Tell whether an object ties calls to each other: a lock, a queue, an event."""
    return any(package_of(base) in SHARING for base in type(thing).__mro__)


def package_of(kind: type) -> str:
    """Return the package of a class, empty where the class gives its objects another `__module__`."""
    module = kind.__module__
    return module.partition(".")[0] if type(module) is str else ""
