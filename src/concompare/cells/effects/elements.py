"""Elements: what walking over an object or indexing it gives."""

from __future__ import annotations

import ast
import collections
import functools
import re
import sys
import types
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from concompare.cells import readers
from concompare.cells.effects import views
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import any_part, cells_of, user_method, values_of_attributes
from concompare.cells.effects.following import follow
from concompare.cells.effects.kinds import (
    DEFAULTING,
    DICT_VIEWS,
    DICTS,
    FILES,
    INDEXERS,
    MATCHES,
    PLAIN_CONTAINERS,
    copies_on_write,
    holds_values,
    inert,
    is_frame,
    is_lazy_type,
    may_hold_objects,
    type_named,
)
from concompare.cells.effects.live import MISSING, is_iterator, static
from concompare.cells.effects.live_iterators import step
from concompare.cells.effects.scopes import Scope
from concompare.cells.ir import AT, COLUMN, COMPUTED, POSITION, Effects, Place
from concompare.cells.objects import (
    ANY,
    ATOM,
    ATTRIBUTES,
    ELEMENT,
    LAZY,
    NAMED,
    PLACES,
    Obj,
    Origin,
    Value,
    all_atoms,
    is_atom_type,
    reachable,
)

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

CALLED = ast.Pass()
"""Stands for the place where a `defaultdict` calls its function."""
HOLDING = (list, tuple, set, frozenset, dict, collections.deque, *DICT_VIEWS.values())
KNOWN = frozenset({*FILES, re.Match, MATCHES})
"""Types that give text, bytes or what was put into them when they are walked or indexed."""
OTHER_FILES = frozenset({
    *("zipfile.ZipExtFile", "tarfile.ExFileObject", "gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile"),
})  # fmt: skip
"""Names of other types that give bytes."""


def walk_over(an: Interpreter, value: Value, node: ast.AST, *, values: bool = False) -> Value:
    """Walk over a value; returns what its elements may be, of a dict its keys or its `values` as well."""
    found = ATOM
    for obj in value:
        walked(an, obj)
        if not inert(obj):
            an.read(obj, ELEMENT)
        method = user_method(an, obj, "__iter__")
        if method is not None:
            iterator = follow(an, method, node, Arguments([frozenset({obj})]))
            if iterator and iterator != {obj}:
                found |= walk_over(an, iterator - {obj}, node)
            following = user_method(an, obj, "__next__")
            if following is not None:
                found |= given_next(an, obj, following, node)
            continue
        indexed = user_method(an, obj, "__getitem__")
        if indexed is not None:
            found |= follow(an, indexed, node, Arguments([frozenset({obj}), ATOM]))
            continue
        if not values and has_plain_keys(obj):  # walking it gives these, not its values
            obj.asked |= GIVEN
            found |= frozenset(obj.held(ELEMENT))
            continue
        found |= elements_of(an, obj)
    return found


def given_next(an: Interpreter, obj: Obj, following: Any, node: ast.AST) -> Value:
    """Return what an iterator of the user's gives; what it holds, and changes for the next, it may give again."""
    with an.recording(Effects()) as done:
        found = follow(an, following, node, Arguments([frozenset({obj})]))
    an.now.add(done)
    changed = {place.obj for place in done.writes}
    for part in changed.intersection(found).intersection(reachable([obj])) - {obj}:
        assert part is not None
        part.again = True
    return found


def has_plain_keys(obj: Obj) -> bool:
    """Tell whether an object is surely a dict of the notebook whose keys nobody can change."""
    if not (obj.live and obj.whole):
        return False
    return all(type(thing) in DICTS and len(thing) <= MANY and all_atoms(list(thing)) for thing in obj.live)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
"""Definitions of what has no elements."""
MANY = 5000
"""Keys of a dict that are looked at."""
HELD = frozenset({ELEMENT, ANY})
"""Where an object holds its elements, beside places that are known by number."""
GIVEN = HELD | {PLACES, LAZY}
"""What tells which elements an object gives."""


def elements_of(an: Interpreter, obj: Obj) -> Value:
    """Return what the elements of an object may be."""
    obj.asked |= GIVEN
    if is_part_of_table(obj):
        return in_tables(an, frozenset({obj}), ELEMENT)  # never the frame of which it is a part
    if obj.method == ATTRIBUTES:
        return values_of_attributes(an, obj) | obj.held_anywhere()
    held_inside = [held for name, held in obj.fields.items() if held and (name in HELD or name.isdigit())]
    found = ATOM.union(*held_inside) if held_inside else ATOM
    if obj.live or (obj.outer and obj.origin is not Origin.FUNCTION):
        return found | an.world.element(obj) | cells_of(an, obj)
    if obj.origin is Origin.FUNCTION and isinstance(obj.code, tuple) and isinstance(obj.code[0], FUNCTIONS):
        return found
    kinds = obj.types
    if kinds is not None and PLAIN_CONTAINERS.issuperset(kinds):
        return found
    is_plain = kinds is not None and all(issubclass(kind, HOLDING) or is_lazy_type(kind) for kind in kinds)
    if not is_plain and obj.lazy is None and not knows_elements(obj):
        found |= {obj}
    return found


def knows_elements(obj: Obj) -> bool:
    """Tell whether what an object gives when it is walked is known by its fields."""
    return bool(obj.types) and all(is_lazy_type(kind) or gives_texts(kind) for kind in obj.types or ())


def gives_texts(kind: type) -> bool:
    """Tell whether walking an object of a type gives text, bytes, or what was put into it."""
    return kind in KNOWN or f"{kind.__module__}.{kind.__qualname__}" in OTHER_FILES


def walked(an: Interpreter, obj: Obj) -> None:
    """Note what walking over an object does: an iterator is used up, a lazy one does its work."""
    obj.asked.add(LAZY)
    if obj.lazy is not None:
        an.now.add(obj.lazy)
        an.now.writes.add(Place(obj, "next"))
    if any(map(readers.is_archive, obj.live)):
        an.now.writes |= {Place(part, AT) for part in (obj, *known_behind(an, obj))}
    if (obj.types and gives_next(an, obj.types)) or any(map(is_iterator, obj.live)):
        an.now.writes.add(Place(obj, "next"))
        if obj.outer:
            an.now.writes.add(Place(obj, ANY))
            step(an, obj)


def known_behind(an: Interpreter, obj: Obj) -> Value:
    """Return the files that archives read from where these have names of their own."""
    held = [thing.fileobj for thing in obj.live if readers.is_archive(thing)]
    found = [(name, part) for part in held for name, value in an.world.namespace.items() if value is part]
    return ATOM.union(*[an.world.outer(part, name, route=NAMED) for name, part in found])


def gives_next(an: Interpreter, kinds: tuple[type, ...]) -> bool:
    """Tell whether an object of some types may be an iterator."""
    found = an.iterators.get(kinds)
    if found is None:
        found = an.iterators[kinds] = any(static(kind, "__next__") is not MISSING for kind in kinds)
    return found


def item_of(an: Interpreter, obj: Obj, node: ast.Subscript, index: Value) -> Value:
    """Return what an element of an object may be, at an index."""
    place = node.slice.value if isinstance(node.slice, ast.Constant) else None
    if isinstance(place, int) and (held := obj.at(place)) is not None:
        return frozenset(held)
    if len(obj.live) == 1 and isinstance(place, (str, int)):
        thing = obj.live[0]
        if type(thing) is dict and place in thing and not obj.has(ELEMENT):
            return an.world.outer(thing[place], f"{obj.label}[{place!r}]", obj.origin)
        if type(thing) is list and isinstance(place, int) and -len(thing) <= place < len(thing):
            return an.world.outer(thing[place], f"{obj.label}[{place}]", obj.origin) | frozenset(obj.held(ELEMENT))
    if isinstance(node.slice, ast.Slice) and obj.types and set(obj.types) <= {list, tuple}:
        made = an.made(node, "a slice", (list,))
        an.put({made}, ELEMENT, elements_of(an, obj))
        return frozenset({made})
    if obj.types and all(kind.__module__.partition(".")[0] == "pandas" for kind in obj.types):
        return pandas_part(an, obj, node)
    arrays = obj.types and any(kind.__module__ == "numpy" for kind in obj.types)
    if arrays and gives_copy(node.slice, index) and not may_hold_objects(obj):
        return frozenset({an.made(node, "a part of an array", obj.types)})
    if arrays and not is_one(an, node.slice):
        return elements_of(an, obj) | {obj}
    return elements_of(an, obj)


def is_one(an: Interpreter, node: ast.expr) -> bool:
    """Tell whether an index names one element, not a part of an array that shares its memory."""
    if isinstance(node, (ast.Slice, ast.Tuple)):
        return False
    return isinstance(node, ast.Constant) or not an.values.get(node, ATOM)


def gives_copy(node: ast.expr, index: Value) -> bool:
    """Tell whether an index picks elements of an array by a list or an array, which copies them."""
    if isinstance(node, ast.Tuple):
        places = [frozenset(held) for obj in index for name, held in obj.all_held().items() if name.isdigit()]
        return any(map(is_list, places)) or any(gives_copy(part, ATOM) for part in node.elts)
    return isinstance(node, (ast.List, ast.ListComp, ast.Compare)) or is_list(index)


def is_list(index: Value) -> bool:
    """Tell whether an index is surely a list or an array."""
    kinds = {list, type_named("numpy.ndarray")}
    return bool(index) and all(obj.types and set(obj.types) <= kinds for obj in index)


LABEL = (ast.Name, ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.BinOp, ast.Add, ast.Mod, ast.expr_context)
"""What a label that is computed from the item is made of."""
TABLES = frozenset({"DataFrame", "Series", "_LocIndexer", "_iLocIndexer", "_AtIndexer", "_iAtIndexer"})
"""Types whose parts are frames, columns or what these hold."""


def pandas_part(an: Interpreter, obj: Obj, node: ast.Subscript) -> Value:
    """Return a part of a frame: a new object, for with copy-on-write semantics a store goes through `.loc`.

    What the frame holds counts as a part as well, for a row or column may hold objects with methods of their own.
    """
    known = all(kind.__name__ in TABLES for kind in obj.types or ())
    key = (known, obj if obj.outer else None)  # one for all that the body makes: parts of parts would never end
    made = an.made(node, obj.label, table_types() if known else None, key=key)
    held = any_part(an, obj) | {obj}
    an.put({made}, ANY, held)
    return (in_tables(an, frozenset({obj}), ELEMENT) if known and copies_on_write() else held) | {made}


def table_types() -> tuple[type, ...] | None:
    """Return the types of pandas' frames and columns, where these are loaded."""
    pandas = sys.modules.get("pandas")
    return types_in(pandas) if pandas is not None else None


@functools.cache
def types_in(pandas: types.ModuleType) -> tuple[type, ...] | None:
    """Return the types of frames and columns, none while the module is only half loaded."""
    kinds = tuple(kind for kind in map(type_named, ("pandas.DataFrame", "pandas.Series")) if kind is not None)
    return kinds or None


def is_part_of_table(obj: Obj) -> bool:
    """Tell whether an object is surely a frame or a column that the body has made."""
    if not obj.types or obj.live or obj.types[0] in PLAIN_CONTAINERS or obj.outer:
        return False
    tables = table_types()
    return tables is not None and all(kind in tables for kind in obj.types)


def grouped(groups: Value) -> Value:
    """Return the frames that are walked group by group, as far as it is seen which they are."""
    kinds = set(table_types() or ())
    held = [[part for part in obj.held(ANY) if part.types and set(part.types) <= kinds] for obj in groups]
    return ATOM.union(*held) if all(held) else ATOM


def in_tables(an: Interpreter, tables: Value, column: str) -> Value:
    """Return the objects that the cells of frames may hold, of those that the body made or filled as well."""
    kinds = frozenset(table_types() or ())
    found, seen, waiting = set[Obj](), set[Obj](), list(tables)
    while waiting:
        obj = waiting.pop()
        if obj in seen:
            continue
        seen.add(obj)
        if obj in tables or (obj.types and kinds.issuperset(obj.types)):
            found |= cells_of(an, obj)
            waiting += [*obj.held(ANY), *obj.held(ELEMENT), *obj.held(column)]
        else:
            found.add(obj)
            found |= elements_of(an, obj)  # of a list that a column is made of, its elements
    return frozenset(found)


def is_table_of_values(an: Interpreter, obj: Obj) -> bool:
    """Tell whether a frame or column holds nothing that can be changed by itself, as far as is known of it."""
    if obj.live:
        return holds_values(obj)
    return obj.of_values is True if obj.outer else is_part_of_table(obj) and not elements_of(an, obj)


def looked_up(an: Interpreter, value: Value, key: str = ELEMENT, within: Value = ATOM) -> Value:
    """Follow looking something up in objects by key; returns what a `defaultdict` among them may put into itself.

    Args:
        an: The analysis.
        value: The objects.
        key: The field that a key is.
        within: The chains of maps that have led to them, which may be among what they are known to hold.
    """
    found = ATOM
    for obj in value - within:
        if any(issubclass(kind, DEFAULTING) for kind in obj.types or ()):
            an.write({obj}, key)
            found |= default_of(an, obj)
        if any(issubclass(kind, collections.ChainMap) for kind in obj.types or ()):
            maps = [part for thing in obj.live if type(thing) is collections.ChainMap for part in thing.maps]
            parts = elements_of(an, obj).union(*[an.world.outer(part, obj.label) for part in maps])
            found |= looked_up(an, parts, within=within | {obj})
    return found


def default_of(an: Interpreter, obj: Obj) -> Value:
    """Return what a `defaultdict` puts into itself for a key that is missing."""
    factories = {getattr(thing, "default_factory", None) for thing in obj.live}
    if obj.live and all(isinstance(kind, type) and is_atom_type(kind) for kind in factories):
        return ATOM
    given = called_for_default(an, obj, factories)
    if given:
        an.put({obj}, ELEMENT, given)
    site = (obj, "default")
    if site not in an.sites:
        kinds = tuple(kind for kind in factories if isinstance(kind, type))
        owner = frozenset({obj}) if obj.outer else frozenset()
        origin = Origin.OUTER if obj.outer else Origin.MADE
        an.sites[site] = Obj(origin, f"{obj.label}[…]", kinds or None, owner=owner)
    made = frozenset({an.sites[site]})
    an.put({obj}, ELEMENT, made)
    return made | given


def called_for_default(an: Interpreter, obj: Obj, factories: Collection[Any]) -> Value:
    """Follow the functions of the user's that a `defaultdict` may call for a key that is missing, and return theirs."""
    live = [thing for thing in factories if isinstance(thing, (types.FunctionType, types.MethodType, type))]
    functions = ATOM.union(*[an.world.outer(thing, obj.label) for thing in live if an.world.is_user(thing)])
    for part in frozenset({*obj.held(ELEMENT), *obj.held(ANY)}) if not obj.live else ():
        own = [
            thing for thing in part.live if isinstance(thing, (types.FunctionType, type)) and an.world.is_user(thing)
        ]
        functions |= {part} if own or part.origin is Origin.FUNCTION else ATOM
    return ATOM.union(*[an.call_obj(CALLED, part, Arguments(), part.label) for part in functions])


def key_of(an: Interpreter, node: ast.Subscript, scope: Scope, base: Value = ATOM) -> str:
    """Return the field that a subscript names: ELEMENT, or the element or row of this iteration alone."""
    if scope is not an.top:
        return ELEMENT
    if isinstance(node.slice, ast.Name) and node.slice.id in an.own_index:
        return f"[{node.slice.id}]"
    if isinstance(node.slice, ast.Tuple) and base and all(map(is_array_of_values, base)):
        places = [place for place, part in enumerate(node.slice.elts) if not is_all(part)]
        own = [node.slice.elts[place] for place in places]
        if len(own) == 1 and isinstance(own[0], ast.Name) and own[0].id in an.own_index:
            return f"[{own[0].id if places == [0] else ast.unparse(node.slice).strip('()')}]"
    return ELEMENT


def is_all(node: ast.expr) -> bool:
    """Tell whether a part of an index is a `:` alone."""
    return isinstance(node, ast.Slice) and node.lower is node.upper is node.step is None


def is_array_of_values(obj: Obj) -> bool:
    """Tell whether an object is an array of the notebook whose elements nobody can change by themselves."""
    return obj.outer and set(obj.types or ()) == {type_named("numpy.ndarray")} and not may_hold_objects(obj)


def is_array_of_numbers(obj: Obj) -> bool:
    """Tell whether an object is surely an array of what nobody can change, one that the body has drawn as well."""
    drawn = obj.of_values is True and set(obj.types or ()) == {type_named("numpy.ndarray")}
    return drawn or is_array_of_values(obj)


def own_row(an: Interpreter, node: ast.Subscript, obj: Obj, key: str) -> Value | None:
    """Return the row of this iteration alone of an array that the body stores into, or None for anything else."""
    stored = isinstance(node.value, ast.Name) and node.value.id in an.filled_names
    if not stored or key == ELEMENT or not is_array_of_values(obj):
        return None
    made = an.made(node, "a part of an array", obj.types, key="own row")
    views.note_part(an, node, made, frozenset({Place(obj, key)}), array=True)
    return frozenset({made})


def looked_into(an: Interpreter, node: ast.Subscript, scope: Scope) -> tuple[Value, str]:
    """Follow what a subscript looks into.

    Returns it and nothing, or the frame and the column that `df["c"]`, `df.loc[i, "c"]` or `df.at[i, "c"]` names.
    """
    holder, column = named_column(an, node, scope)
    if column:
        found = peek(an, holder, scope) if scope is an.top else an.value(holder, scope)
        if found and all(obj.types and all(map(is_frame, obj.types)) for obj in found):
            return found, COLUMN + column
        if holder is node.value and scope is not an.top:
            return found, ""
    return an.value(node.value, scope), ""


def named_column(an: Interpreter, node: ast.Subscript, scope: Scope) -> tuple[ast.expr, str]:
    """Return what may be a frame, and the column that a subscript would name of it; empty: it would name none."""
    holder, column, position = node.value, node.slice, ""
    if isinstance(holder, ast.Attribute) and holder.attr in INDEXERS:
        if not (isinstance(column, ast.Tuple) and len(column.elts) == 2):
            return holder, ""
        position = POSITION if holder.attr in ("iloc", "iat") else ""
        holder, column = holder.value, column.elts[1]
    if isinstance(column, ast.Constant) and isinstance(column.value, (str, int)):
        return holder, f"{position}{column.value if isinstance(column.value, str) else int(column.value)!r}"
    if scope is an.top and not position and is_label(column, an.own_index):
        return holder, COMPUTED + ast.unparse(column)
    return holder, ""


def named_columns(node: ast.Subscript) -> tuple[ast.expr, list[str]]:
    """Return what may be a frame, and the columns of which a subscript makes a copy by a list of constants."""
    holder, wanted = node.value, node.slice
    if isinstance(holder, ast.Attribute) and holder.attr == "loc":
        whole = isinstance(wanted, ast.Tuple) and len(wanted.elts) == 2
        holder, wanted = holder.value, wanted.elts[1] if whole else holder  # type: ignore[attr-defined]
    parts = wanted.elts if isinstance(wanted, ast.List) and isinstance(node.ctx, ast.Load) else []
    known = all(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)
    return holder, [f"{COLUMN}{part.value!r}" for part in parts if isinstance(part, ast.Constant)] if known else []


def is_label(node: ast.expr, targets: Collection[str]) -> bool:
    """Tell whether a label is put together from names of the loop's target and constants."""
    parts = list(ast.walk(node))
    used = [part.id for part in parts if isinstance(part, ast.Name)]
    return bool(used) and all(name in targets for name in used) and all(isinstance(part, LABEL) for part in parts)


def peek(an: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """Return what a plain name of the body stands for, noting nothing."""
    if not isinstance(node, ast.Name):
        return ATOM
    if node.id in scope.local:
        return scope.names.get(node.id, ATOM)
    thing = an.world.namespace.get(node.id, MISSING)
    return an.world.outer(thing, node.id, route=NAMED) if thing is not MISSING else ATOM
