"""Classes whose objects do something when they are merely printed, compared, measured or dropped."""

from __future__ import annotations

import ast
import dataclasses
import gc
import reprlib
import types
from collections.abc import Iterable
from typing import Any

from concompare.cells import calls, known, names
from concompare.cells.loops import Loop
from concompare.cells.purity import Analyzer
from concompare.cells.values import Value
from concompare.cells.world import MISSING, World
from concompare.errors import CellRefused

IMPLICIT = frozenset(
    f"__{word}__"
    for word in known.words("""
    str repr format len length_hint hash bool neg pos abs invert iter next del eq ne lt le gt ge contains getitem
    missing get set delete index int float complex round bytes reversed add radd sub rsub mul rmul truediv rtruediv
    floordiv rfloordiv mod rmod pow rpow matmul rmatmul and rand or ror xor rxor lshift rshift divmod instancecheck
    """)
)
"""Special methods that code calls without naming them."""

MADE_BY = frozenset({dataclasses.__file__, reprlib.__file__})
"""Files of the standard library that give a class methods which only keep track of themselves."""
TELLING = ("change", "rebind", "print", "random", "file", "append")
MOST = 20_000
"""Objects looked at before an object of such a class is taken to be among them."""


def refuse_restless(world: World, loop: Loop, used: Iterable[str]) -> None:
    """Refuse where the loop may use an object that does something when it is merely looked at.

    Args:
        world: What the names stand for.
        loop: The loop.
        used: The names that its body reads, itself or through functions it calls.

    Raises:
        CellRefused: It may.
    """
    kinds = {kind: method for kind in world.classes() if (method := restless_method(world, kind)) is not None}
    if not kinds:
        return
    of_cell = [kind for kind in kinds if isinstance(kind, ast.ClassDef)]
    found: type | ast.ClassDef | None = of_cell[0] if of_cell else None
    for name in () if of_cell else {*used, *names.reads(*loop.items)}:
        definition = world.definitions.get(name)
        if isinstance(definition, ast.AST) and world.object(name) is MISSING:
            words = {part.id for part in names.nodes_in(definition) if isinstance(part, ast.Name)}
            found = next((kind for kind in kinds if isinstance(kind, type) and kind.__name__ in words), found)
        else:
            own = name in used
            found = found or held_kind(world.object(name), kinds, own=own)
    if found is not None:
        label = found.name if isinstance(found, ast.ClassDef) else found.__name__
        text = f"`{label}.{kinds[found]}` does more than return a value, and nothing shows when it is called"
        raise CellRefused(f"{text}. Take that out of the method.", loop.line)


def restless_method(world: World, kind: type | ast.ClassDef) -> str | None:
    """Return the name of a special method of a class that has effects, or None."""
    methods: dict[str, Any]
    if isinstance(kind, ast.ClassDef):
        methods = {part.name: part for part in kind.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))}
    else:
        methods = {
            name: part
            for name, part in vars(kind).items()
            if isinstance(part, types.FunctionType) and part.__code__.co_filename not in MADE_BY
        }
    for name in sorted(IMPLICIT & set(methods)):
        analyzer = Analyzer(world)
        own = Value(frozenset({"its object"}), frozenset({"its object"}))
        with analyzer.fresh() as reading:
            calls.follow(analyzer, methods[name], ast.Constant(None, lineno=1, col_offset=0), [own, own, own])
        if any(effect.kind in TELLING and (effect.roots or effect.kind != "change") for effect in reading.effects):
            return name
    return None


def held_kind(thing: Any, kinds: Iterable[Any], *, own: bool) -> Any:
    """Return the first of some classes of which an object can be reached from a thing; `own`: it may be one itself."""
    wanted = tuple(kind for kind in kinds if isinstance(kind, type))
    seen: set[int] = set()
    keep: list[Any] = []
    stack = [thing] if own else parts(thing)
    while stack:
        part = stack.pop()
        if id(part) in seen or type(part) in known.ATOMS or isinstance(part, types.ModuleType) or part is MISSING:
            continue
        for kind in wanted:
            if isinstance(part, kind) or part is kind:
                return kind
        if type(part) in (list, tuple, set, frozenset) and known.all_atoms(part):
            continue
        seen.add(id(part))
        keep.append(part)
        if len(seen) > MOST:
            return wanted[0] if wanted else None
        stack += parts(part)
    return None


def parts(thing: Any) -> list[Any]:
    """Return what an object holds: for one of the user's classes, what its class holds too."""
    if isinstance(thing, types.FunctionType):
        closed = [cell.cell_contents for cell in thing.__closure__ or () if cell != types.CellType()]
        return [*closed, *(thing.__defaults__ or ())]
    if isinstance(thing, type) or thing is MISSING or type(thing) in known.ATOMS:
        return []
    if type(thing).__module__ == "numpy" and hasattr(thing, "dtype"):
        return list(thing.flat) if thing.dtype == object else []
    held = [part for part in gc.get_referents(thing) if not isinstance(part, type)]
    return held + [part for part in vars(type(thing)).values() if type(thing).__module__ not in ("builtins", "numpy")]
