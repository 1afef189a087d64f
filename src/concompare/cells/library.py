"""Calls of builtins and installed functions, by what is known of them; what is not known is trusted."""

from __future__ import annotations

import ast
import inspect
import logging
import random
import sys
import types
from typing import TYPE_CHECKING, Any

from concompare.cells import callbacks, calls, identity, known, names
from concompare.cells.values import FILE, LAZY, NOTHING, Value, extracted
from concompare.cells.world import MISSING

if TYPE_CHECKING:
    from concompare.cells.calls import Arguments
    from concompare.cells.purity import Analyzer


LAZY_OWN = frozenset({LAZY})
LAZY_BUILTINS = frozenset({"enumerate", "filter", "iter", "map", "reversed", "zip"})
LAZY_FUNCTIONS = frozenset(
    known.words("""
    csv.reader csv.DictReader os.scandir os.walk glob.iglob re.finditer gzip.open bz2.open lzma.open io.open
    """)
)
NAMED_METHODS = known.READERS | known.MUTATORS | known.FILE_METHODS
LOGGING = frozenset(
    known.words("""
    info debug warning error exception critical log
    """)
)


def call_builtin(an: Analyzer, name: str, node: ast.Call, given: Arguments) -> Value:
    """Follow a call of a builtin function or type."""
    if name in known.FORBIDDEN:
        an.effect("forbidden", node, f"`{name}()` {known.FORBIDDEN[name]}")
        return NOTHING
    if name == "print":
        if given.flag("file") and not is_stream(an, given.keywords["file"]):
            an.change(given.named["file"].own, node, "prints into {}")
        an.effect("print", node, "prints")
        return NOTHING
    if name == "id" and given.all.own:
        an.effect("identity", node, "asks for the `id` of something that a worker process has a copy of", given.all.own)
    if name == "open":
        return call_open(an, node, given)
    changed = calls.resolve(an, node.args[0]) if name in ("setattr", "delattr") and node.args else None
    if isinstance(changed, types.ModuleType):
        an.effect("forbidden", node, f"`{name}` changes a module, which every process has for itself")
    if name in ("next", "setattr", "delattr") and given.positional:
        an.change(
            given.positional[0].own, node, "takes the next of {}" if name == "next" else "sets an attribute of {}"
        )
    if name == "type" and len(node.args) == 1:
        return Value(frozenset({"the class"}), frozenset({"the class"}))
    callbacks.apply_callables(an, node, given)
    for part, value in zip(given.nodes, given.positional, strict=False):
        an.consume(part, value)
    if name in LAZY_BUILTINS:
        return Value(LAZY_OWN | (given.all.own if name == "iter" else frozenset()), given.all.all)
    if name in known.ATOMIC_BUILTINS:
        return NOTHING
    return Value(inside=given.all.all) if name in known.FRESH_BUILTINS else extracted(given.all)


def is_stream(an: Analyzer, node: ast.AST) -> bool:
    """Tell whether an expression is the stream that is `sys.stdout` or `sys.stderr` now: each worker has its own."""
    return calls.dotted(an, node) in ("sys.stdout", "sys.stderr")


STREAM_METHODS = frozenset({"write", "writelines", "flush"})
"""Methods of these streams that print."""


def call_open(an: Analyzer, node: ast.Call, given: Arguments) -> Value:
    """Follow the opening of a file: reading is nothing, writing is an effect."""
    mode = given.keywords.get("mode") or (node.args[1] if len(node.args) > 1 else ast.Constant("r"))
    text = mode.value if isinstance(mode, ast.Constant) else None
    if not isinstance(text, str) or set(text) & set("wax+"):
        path = given.all.all or names.reads(*node.args[:1])
        same = isinstance(node.args[0], ast.Constant) if node.args else True
        kind = "append" if same or not isinstance(text, str) or "a" in text or not path else "file"
        an.effect(kind, node, "opens a file for writing")
    return Value(frozenset({FILE}))


def call_installed(an: Analyzer, name: str, node: ast.Call, given: Arguments, thing: Any = None) -> Value:
    """Take an installed function by what is known of it; what is not known is trusted to change nothing."""
    written = calls.dotted(an, node.func)
    if written is not None and (written in known.NAMED or written.rpartition(".")[0] in known.RANDOM_MODULES):
        name = written
    module, _, short = name.rpartition(".")
    owner = getattr(thing, "__self__", None)
    reads = root_of(name) in ("posix", "nt", "os") and short in known.READING
    if root_of(name) not in known.SURE and name not in known.NAMED and not reads:
        an.world.trusted[name] = None
    effects_by_name(an, name, node, owner)
    changes_by_name(an, name, node, given, thing)
    callbacks.apply_callables(an, node, given)
    root = root_of(name)
    if name.lstrip("_") in LAZY_FUNCTIONS:
        return Value(LAZY_OWN, given.all.all)
    if name in ("copy.deepcopy", "operator.index") or (module.lstrip("_") in known.FRESH_MODULES):
        return NOTHING
    if name == "logging.getLogger":
        return Value(frozenset({"a logger"}), frozenset({"a logger"}))
    if name == "collections.ChainMap":
        return extracted(given.all)
    if root in ("collections", "itertools", "functools", "operator") or name == "copy.copy":
        return Value(LAZY_OWN if root == "itertools" else frozenset(), given.all.all)
    if root == "numpy" and short not in known.ALIASING_NUMPY:
        return Value(inside=given.all.all)
    return extracted(given.all)


def root_of(name: str) -> str:
    """Return the package of a dotted name."""
    return name.partition(".")[0].lstrip("_")


def is_random(owner: Any) -> bool:
    """Tell whether an object is a source of random numbers that has a state."""
    return (isinstance(owner, random.Random) and not isinstance(owner, random.SystemRandom)) or (
        type(owner).__name__ in ("RandomState", "Generator") and "numpy" in type(owner).__module__
    )


def is_shared_source(owner: Any) -> bool:
    """Tell whether an object is the one that the functions of `random` or `numpy.random` draw from."""
    shared = [random.random.__self__]  # type: ignore[attr-defined]
    if (module := sys.modules.get("numpy.random.mtrand")) is not None:
        shared.append(module._rand)
    return any(owner is source for source in shared)


def draw(an: Analyzer, node: ast.Call) -> None:
    """Record a draw from a source of random numbers that a module holds for all."""
    an.effect("random", node, f"`{ast.unparse(node.func)}` draws from random numbers that all items share")


def is_reader(kind: Any) -> bool:
    """Tell whether a method of a known type, not among the names that change it, can be trusted to change nothing."""
    if kind is MISSING:
        return False
    module = kind.__module__.partition(".")[0]
    return module in (
        "builtins",
        "collections",
        "numpy",
        "datetime",
        "pathlib",
        "re",
        "types",
        "array",
        "fractions",
        "decimal",
        "scipy",
    )


def effects_of_method(
    an: Analyzer, node: ast.Call, func: ast.Attribute, kind: Any, holder: Value, given: Arguments, *, followed: bool
) -> None:
    """Record what a method does, by the type of its object where that is known, else by the method's name."""
    name, known_kind = func.attr, kind is not MISSING
    if name in identity.BY_KEY:
        identity.follow_keys(an, given.nodes[:1])
    if not followed and name not in NAMED_METHODS and not is_reader(kind):
        an.world.trusted[f".{name}"] = None
    logs = known_kind and issubclass(kind, logging.Logger)
    if logs or (name in LOGGING and "log" in ast.unparse(func.value).lower()):
        an.effect("print", node, "logs")
        return
    draws = known_kind and kind is not random.SystemRandom
    draws = draws and (issubclass(kind, random.Random) or "random" in kind.__module__)
    if draws and name in known.RANDOM_METHODS:
        text = f"`{ast.unparse(func)}` draws from random numbers that all items share"
        an.effect("random", node, text, holder.own)
    for place in places_changed(name, kind, len(given.positional)):
        change_given(an, node, f".{name}", place, given)
    if name in known.FILE_METHODS:
        an.effect("file", node, "writes files")
    waits = known_kind and kind.__module__ in ("queue", "multiprocessing.queues")
    if name in known.MUTATORS or given.flag("inplace") or waits:
        text = f"calls `.{name}` of {{}}"
        if name in known.RANDOM_METHODS and holder.own:
            text = "draws random numbers from {}, which all items share"
        an.change(holder.own, node, text, func.value if name in known.DIRECT_MUTATORS else None)
        an.embed(func.value, given.all)
    elif holder.own and not (
        followed or name in known.READERS | known.FILE_METHODS or is_reader(kind) or an.world.assume_pure
    ):
        what = ast.unparse(func.value)[:40]
        an.effect("opaque", node, f"it cannot be seen whether `{what}.{name}` changes `{what}`", holder.own)


def effects_by_name(an: Analyzer, name: str, node: ast.Call, owner: Any) -> None:
    """Record what an installed function does to the world, by its name."""
    module, _, short = name.rpartition(".")
    if is_random(owner) or (module in known.RANDOM_MODULES and short not in known.RANDOM_MAKERS):
        an.effect("random", node, f"`{ast.unparse(node.func)}` draws from random numbers that all items share")
    if name in known.FORBIDDEN_FUNCTIONS or module in known.FORBIDDEN_FUNCTIONS:
        an.effect(
            "forbidden", node, f"`{name}` {known.FORBIDDEN_FUNCTIONS.get(name) or known.FORBIDDEN_FUNCTIONS[module]}"
        )
    if name in known.EFFECT_FUNCTIONS:
        an.effect("file", node, known.EFFECT_FUNCTIONS[name])
    if (
        short in ("display", "pprint", "pp", "clear_output", "warn")
        or isinstance(owner, logging.Logger)
        or module == "logging"
    ):
        an.effect("print", node, "prints")


def changes_by_name(an: Analyzer, name: str, node: ast.Call, given: Arguments, thing: Any) -> None:
    """Record what an installed function does to what it is given, by its name."""
    short = name.rpartition(".")[2]
    owner = getattr(thing, "__self__", None)
    for position in known.CHANGING_FUNCTIONS.get(name, ()):
        change_given(an, node, name, position, given)
        if position < len(given.nodes):
            an.embed(given.nodes[position], given.all)
    for place in out_places(thing):
        if place < len(given.positional):
            an.change(given.positional[place].own, node, "writes into {}")
    if "out" in given.named:
        an.change(given.named["out"].own, node, "writes into {}")
    described = isinstance(thing, (types.MethodDescriptorType, types.WrapperDescriptorType))
    if described and short in known.MUTATORS and given.positional:
        an.change(given.positional[0].own, node, "changes {}")
        if given.nodes:
            an.embed(given.nodes[0], given.all)
    if short == "at" and owner is not None and given.positional:
        an.change(given.positional[0].own, node, "changes {}")


def out_places(thing: Any) -> tuple[int, ...]:
    """Return the places of the arguments that a function of numpy or scipy writes its results into."""
    if type(thing).__name__ == "ufunc":
        return tuple(range(thing.nin, thing.nin + thing.nout))
    if root_of(getattr(thing, "__module__", None) or "") not in ("numpy", "scipy"):
        return ()
    try:
        return tuple(place for place, name in enumerate(inspect.signature(thing).parameters) if name == "out")
    except (TypeError, ValueError):  # it has no signature, or is no function
        return ()


def places_changed(name: str, kind: Any, count: int) -> tuple[int, ...]:
    """Return the places of the arguments, of so many, that a method of such an object changes."""
    places: tuple[int, ...] = ()
    if name not in ("choose", "random", "trace") if kind is MISSING else root_of(kind.__module__) == "numpy":
        places += (0,) if name == "at" and getattr(kind, "__name__", "") == "ufunc" else ()
        places += tuple(range(known.WRITING_METHODS.get(name, count), count))
    return (*known.CHANGING_METHODS.get(name, ()), *(place for place in places if place < count))


def change_given(an: Analyzer, node: ast.Call, name: str, place: int, given: Arguments) -> None:
    """Record the change of the argument in that place, which may be any that is given by name where fewer are there."""
    changed = given.positional[place : place + 1] or list(given.named.values())
    for value in changed:
        an.change(value.own, node, f"`{name}` changes {{}}")


def may_not_copy(given: Arguments) -> bool:
    """Tell whether a call says `copy=`, with anything but True."""
    copies = given.keywords.get("copy")
    return copies is not None and not (isinstance(copies, ast.Constant) and copies.value is True)
