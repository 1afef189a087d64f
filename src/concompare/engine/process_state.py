"""State of the whole process that code treats as its own: the working directory, the filters of warnings.

A context such as `contextlib.chdir` is entered and left in turn by the items of a plain loop. In threads they overlap:
each sees what another one has set, and puts back what it found. So items whose source shows that they do it are not
run in several threads; what installed functions hide is noticed while a pass runs, and put back at its end.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from concompare.cells.decorated import meant_by
from concompare.cells.syntax.own_code import is_installed_file
from concompare.errors import BackendUnavailable
from concompare.worker.transfer.pickling import function_parts, names_in

WHOLE_PROCESS = {
    "chdir": (("contextlib", "os"), "changes the working directory"),
    "fchdir": (("os",), "changes the working directory"),
    "umask": (("os",), "changes the rights of new files"),
    "catch_warnings": (("warnings",), "changes how warnings are shown"),
    "simplefilter": (("warnings",), "changes how warnings are shown"),
    "filterwarnings": (("warnings",), "changes how warnings are shown"),
    "resetwarnings": (("warnings",), "changes how warnings are shown"),
    "setlocale": (("locale",), "changes the locale"),
    "setdefaulttimeout": (("socket",), "changes all new sockets"),
    "tzset": (("time",), "changes the time zone"),
    "putenv": (("os",), "changes the environment"),
    "unsetenv": (("os",), "changes the environment"),
    "setrecursionlimit": (("sys",), "changes the interpreter"),
    "patch": (("unittest.mock", "mock"), "changes what a module holds"),
    "capture_output": (("IPython.utils.capture", "IPython.utils.io"), "takes over what is displayed"),
    "option_context": (("pandas",), "changes the settings of pandas"),
    "set_option": (("pandas",), "changes the settings of pandas"),
    "rc_context": (("matplotlib", "matplotlib.pyplot"), "changes the settings of matplotlib"),
}
"""What functions and contexts of these modules do to the whole process, by their names. Python itself keeps
`signal.signal` out of threads."""

PRECISION = ("mpmath", "sympy")
"""Packages whose functions compute at another precision for a while, which they set in an object that all threads
share; sympy calls mpmath."""

MOST = 2000
"""Functions and classes that are looked through, at the most."""


def shared_context(function: Callable[[Any], Any]) -> str | None:
    """Return what a function, or one of the user's that it calls, changes for the whole process; None: nothing seen."""
    stack: list[Any] = [function]
    seen: set[int] = set()
    while stack and len(seen) < MOST:
        thing = stack.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, FunctionType):
            thing = meant_by(thing)
            if (found := context_in(thing)) is not None:
                return f"`{thing.__name__}` calls `{found}`, which {WHOLE_PROCESS[found.rpartition('.')[2]][1]}"
            if (found := with_precision(thing)) is not None:
                who = "an item" if thing.__name__ == "head" else f"`{thing.__name__}`"  # the name is ours
                return f"{who} uses {found}, which changes the precision"
            stack += parts_followed(thing)
        elif isinstance(thing, type):
            stack += [inner(part) for part in vars(thing).values()]
        else:
            stack += [thing.__func__, thing.__self__] if isinstance(thing, MethodType) else []
            stack += [thing.func, *thing.args] if isinstance(thing, functools.partial) else []
            stack += [type(thing)] if is_own(type(thing)) else []
    return None


def with_precision(function: FunctionType) -> str | None:
    """Return the package that a function's own code may call and that computes at precisions of its own, or None."""
    loaded = [name for name in PRECISION if name in sys.modules]
    if not loaded:
        return None
    parts = [part for _, part in function_parts(function)]
    owners = [getattr(part, "__self__", None) for part in parts]  # `mpmath.sin` is a method of `mpmath.mp`
    found = {package_of(thing) for thing in (*parts, *owners)}
    found |= {name.partition(".")[0] for name in imported_by(function.__code__)}
    return next((name for name in loaded if name in found), None)


def package_of(thing: Any) -> str:
    """Return the package that a module, function or class is in, or the class of an object that can compute.

    A number of mpmath's computes at the precision that it finds.
    """
    if isinstance(thing, ModuleType):
        return thing.__name__.partition(".")[0]
    kind = thing if isinstance(thing, (type, FunctionType)) else type(thing)
    found = str(getattr(kind, "__module__", "")).partition(".")[0]
    return "" if found == "mpmath" and kind is type(thing) and not hasattr(thing, "prec") else found


def inner(part: Any) -> Any:
    """Return the function in a static method, class method or property."""
    return getattr(part, "__func__", getattr(part, "fget", part))


def parts_followed(function: FunctionType) -> list[Any]:
    """Return the user's functions and classes that a function may call, those in modules of the user's among them."""
    found = []
    for _, part in function_parts(function):
        if isinstance(part, ModuleType):
            held = [vars(part).get(name) for name in names_in(function.__code__)] if is_own(part) else []
            found += [other for other in held if is_own(other)]
        elif is_own(part) or isinstance(part, (MethodType, functools.partial)) or is_own(type(part)):
            found.append(part)
    return found


def is_own(thing: Any) -> bool:
    """Tell whether a function, class or module is the user's own, not installed."""
    if isinstance(thing, FunctionType):
        return not is_installed_file(thing.__code__.co_filename)
    if isinstance(thing, ModuleType):
        file = getattr(thing, "__file__", None)
        return isinstance(file, str) and not is_installed_file(file)
    if not isinstance(thing, type) or thing.__module__ == "builtins":
        return False
    module = sys.modules.get(thing.__module__)
    return thing.__module__ == "__main__" or module is None or is_own(module)


def context_in(function: FunctionType) -> str | None:
    """Return the name of what a function's own code calls for the whole process, or None."""
    parts = [part for _, part in function_parts(function)]
    for part in parts:
        short = getattr(part, "__name__", "")
        for module in modules_of(short):
            if getattr(sys.modules.get(module), short, None) is part:
                return f"{module}.{short}"
    names = set(names_in(function.__code__))
    bound = {name for name in names if not isinstance(function.__globals__.get(name, sys), ModuleType)}
    for short in sorted(names & WHOLE_PROCESS.keys() - bound):
        for module in modules_of(short):
            if may_reach(module, parts, names, function.__code__):
                return f"{module}.{short}"
    return None


def modules_of(short: Any) -> tuple[str, ...]:
    """Return the modules whose function or context of that name changes the whole process."""
    known = isinstance(short, str) and short in WHOLE_PROCESS and not is_safe(short)
    return WHOLE_PROCESS[short][0] if known else ()


def may_reach(module: str, parts: list[Any], names: set[str], code: CodeType) -> bool:
    """Tell whether code may reach a module: as something that it captures, by its package, or by its own import."""
    top, *rest = module.split(".")
    loaded = sys.modules.get(module)
    if loaded is not None and any(part is loaded for part in parts):
        return True
    if rest and sys.modules.get(top) is not None and any(part is sys.modules[top] for part in parts):
        return set(rest) <= names
    return module in imported_by(code) or (bool(rest) and top in imported_by(code) and set(rest) <= names)


def imported_by(code: CodeType) -> set[str]:
    """Return the modules that code, and functions in it, import."""
    found = {one.argval for one in dis.get_instructions(code) if one.opname == "IMPORT_NAME"}
    return found.union(*(imported_by(part) for part in code.co_consts if isinstance(part, CodeType)))


def is_safe(name: str) -> bool:
    """Tell whether a context is each thread's own on this Python."""
    return name == "catch_warnings" and bool(getattr(sys.flags, "context_aware_warnings", False))


def refuse_in_threads(function: Callable[[Any], Any], backend: str) -> None:
    """Refuse to run in several threads what changes something of the whole process.

    Raises:
        BackendUnavailable: It does.
    """
    found = shared_context(function)
    if found is not None:
        raise BackendUnavailable(
            f"{backend}: {found} of the whole process, so items in other threads would see it: use -b processes"
        )


class Watched:
    """The working directory while a pass runs in threads: no item may change it."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.folder = folder()

    def check(self) -> None:
        """Refuse to go on where an item has changed it.

        Raises:
            BackendUnavailable: One has.
        """
        if folder() != self.folder:
            raise BackendUnavailable(
                f"{self.backend}: an item changes the working directory of the whole process, so items in other "
                "threads see it: use -b processes"
            )


def folder() -> str | None:
    """Return the working directory, or None where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


SHOWING = ("filters", "showwarning", "_showwarnmsg_impl")
"""What `catch_warnings` replaces while it is entered."""


def showing() -> tuple[object, ...]:
    """Return what shows warnings now: another one where they are recorded."""
    return tuple(vars(warnings).get(name) for name in SHOWING[1:])


@contextlib.contextmanager
def kept(backend: str, workers: int) -> Iterator[Watched | None]:
    """Put the working directory and the filters of warnings back that overlapping items of a pass have left."""
    if workers < 2:
        yield None
        return
    watched = Watched(backend)
    before = {name: vars(warnings)[name] for name in SHOWING if name in vars(warnings)}
    try:
        yield watched
    finally:
        if watched.folder is not None and folder() != watched.folder:
            with contextlib.suppress(OSError):
                os.chdir(watched.folder)
        if any(vars(warnings).get(name) is not thing for name, thing in before.items()):
            vars(warnings).update(before)
            with warnings.catch_warnings():  # which tells those who keep a copy that they have changed
                pass
