"""Files and buffers that a call may write to though no table says so: what has `write` and is handed over."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from concompare.cells import readers
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import user_method
from concompare.cells.effects.following import follow
from concompare.cells.effects.live import MISSING, static
from concompare.cells.objects import ANY, ATOM, STREAM, Obj, Value, reachable

if TYPE_CHECKING:
    import ast

    from concompare.cells.effects.interpreter import Interpreter

WRITING = ("write", "writelines")


def write_through(an: Interpreter, node: ast.AST, this: Value, what: str) -> None:
    """Follow writing to the files that objects of installed classes were given, as a `csv.writer` does."""
    for obj in this:
        if obj.types is not None and any(kind.__module__ in ("builtins", "collections") for kind in obj.types):
            continue
        names = [name for thing in obj.live for name in getattr(thing, "__dict__", ())]
        held = ATOM.union(*[an.world.attribute(obj, name) or ATOM for name in dict.fromkeys(names)])
        write_to(an, node, held if obj.outer else frozenset(reachable([obj])) - {obj}, what)


def write_to(an: Interpreter, node: ast.AST, value: Value, what: str) -> None:
    """Follow writing to those of some objects that can be written to."""
    for obj in value:
        if not is_file(obj):
            continue
        method = user_method(an, obj, "write")
        if method is not None:
            follow(an, method, node, Arguments([frozenset({obj}), ATOM]))
        else:
            an.write({obj}, ANY, what)


def is_file(obj: Obj) -> bool:
    """Tell whether an object is of a class with `write`, but for files and archives that are only read."""
    if obj.live and obj.whole and all(map(readers.only_reads, obj.live)):
        return False
    return any(static(kind, "write") is not MISSING for kind in obj.types or ())


def write_on(an: Interpreter, this: Value, name: str) -> None:
    """Note writing to files of the notebook whose class no table knows, such as its output under another name."""
    if name in WRITING:
        an.write([obj for obj in this if obj.outer and obj.method != STREAM and is_file(obj)], ANY, name)


def write_behind(an: Interpreter, function: Any) -> None:
    """Note writing to files that an installed `write` stands before, as the one that IPython gives its output."""
    if function.__name__ not in WRITING:
        return
    waiting, seen = [function], set[int]()
    while waiting:
        thing = waiting.pop()
        thing = getattr(thing, "__self__", thing)
        if static(type(thing), "write") is not MISSING:
            an.write(an.world.outer(thing, f"what `{function.__name__}` writes to"), ANY)
        cells = thing.__closure__ or () if isinstance(thing, types.FunctionType) and id(thing) not in seen else ()
        waiting += [cell.cell_contents for cell in cells if cell != types.CellType()]
        seen.add(id(thing))
