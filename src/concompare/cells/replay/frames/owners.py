"""Owners of pandas' methods, and how each method decides which calls it makes."""

from __future__ import annotations

import sys
import types
from typing import Any

from concompare.cells.forms.methods import PROGRESS

ELEMENTS = ("Series", "Index", "DataFrame")
OWNERS = (
    *("Series", "DataFrame", "Index", "core.groupby.groupby.BaseGroupBy"),
    *("core.window.rolling.BaseWindow", "core.resample.Resampler"),
)
"""Classes of pandas whose methods call functions, with all classes derived from them."""
ENGINES = (None, "python", "cython")


def without_progress(method: Any, name: str) -> Any:
    """Return the method of pandas that one of tqdm's calls, which only shows how far it is; else the method itself."""
    shows = isinstance(method, types.MethodType) and str(method.__func__.__module__).partition(".")[0] == "tqdm"
    return getattr(method.__self__, name.removeprefix(PROGRESS), method) if shows else method


def takes_functions(method: Any) -> bool:
    """Tell whether a method is one of pandas that calls functions for parts of its owner."""
    if not isinstance(method, types.MethodType) or isinstance(method.__self__, type):
        return False
    return is_pandas(method.__func__) and is_owner(method.__self__)


def is_owner(thing: Any) -> bool:
    """Tell whether something is of pandas and has such methods, and holds nothing of the user's classes."""
    if "pandas" not in sys.modules or not is_pandas(type(thing)):
        return False
    return isinstance(thing, classes()) and all(map(is_pandas, parts_of(thing)))


def classes() -> tuple[type, ...]:
    """Return the classes whose methods are meant."""
    found: list[type] = []
    for path in OWNERS:
        thing: Any = sys.modules["pandas"]
        for name in path.split("."):
            thing = getattr(thing, name, None)
        if isinstance(thing, type):
            found.append(thing)
    return tuple(found)


def is_pandas(thing: Any) -> bool:
    """Tell whether a class or function is of pandas or numpy, so that it runs none of the user's code."""
    return str(getattr(thing, "__module__", "")).partition(".")[0] in ("pandas", "numpy")


def parts_of(owner: Any) -> list[Any]:
    """Return the classes of what an owner holds: the user's own may run code of theirs."""
    table = getattr(owner, "obj", owner)
    window = getattr(owner, "window", None)
    found = [type(table)]
    if hasattr(window, "get_window_bounds"):
        found.append(type(window))
    several = getattr(table, "ndim", 1) == 2
    kinds = list(table.dtypes) if several else [getattr(table, "dtype", None)]
    return [*found, *[type(kind) for kind in kinds if kind is not None]]


def is_plain_call(kwargs: dict[str, Any]) -> bool:
    """Tell whether pandas itself calls the functions, not numba or another engine."""
    return kwargs.get("engine") is None or kwargs.get("engine") in ENGINES


def is_certain(owner: Any, name: str, kwargs: dict[str, Any]) -> bool:
    """Tell whether the calls do not depend on what the functions give, so that these may print."""
    kind = type(owner).__name__
    if kind in ELEMENTS and name in ("map", "applymap"):
        return True
    if name != "apply" or {"raw", "by_row"} & kwargs.keys() or kwargs.get("result_type") == "broadcast":
        return False
    if kind == "DataFrameGroupBy":
        return since_3()  # before, a TypeError made pandas try again without the columns of the keys
    return kind in ("Series", "SeriesGroupBy") or (kind == "DataFrame" and 0 not in owner.shape)


def since_3() -> bool:
    """Tell whether pandas is of version 3 or later."""
    major = str(sys.modules["pandas"].__version__).partition(".")[0]
    return major.isdigit() and int(major) >= 3


def decides_by_results(owner: Any, name: str) -> bool:
    """Tell whether what the first calls give decides which others follow."""
    kind = type(owner).__name__
    if "Resampler" in kind:
        return getattr(owner, "ndim", 2) == 2
    return kind == "DataFrameGroupBy" and name == "transform"
