"""Checks on the live objects before the first item goes out."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from concompare.cells import alias, garbage, memory, readers
from concompare.cells.distribution.staging import Staged
from concompare.cells.effects.kinds import inert, is_bar, is_drawn, is_of_values
from concompare.cells.effects.live import is_iterator, static
from concompare.cells.ir import AT, LABELS, Budget, Loop, Stage
from concompare.cells.objects import ELEMENT, Obj, Origin, all_atoms, is_atom, reachable
from concompare.cells.replay import row_walks, walked_ahead
from concompare.cells.syntax import names
from concompare.cells.syntax.own_code import is_own, is_user_module
from concompare.errors import CellRefused
from concompare.worker.transfer import item_state

BETWEEN = "walking the items changes something or prints between the iterations. Make them a list first."
GIVING = ("pandas", "numpy", "csv", "_csv")
"""Packages whose iterators give things and leave them alone."""
SEVERAL_TIMES = (list, tuple, range)
"""Types of items that may be walked more than once without anything happening."""
ENOUGH = 1000
MOST = 100_000
NO_MORE = object()
"""What an iterator is taken to give at its end; it may give itself."""
LOOKING = 0.3
"""Seconds of computing that the live objects may be looked at for one question."""


def check(staged: Staged, items: Any, namespace: Mapping[str, Any]) -> None:
    """Refuse where the objects show that the items are not independent.

    Raises:
        CellRefused: They are not, or it cannot be seen that they are.
    """
    loop = staged.analysed.loop
    kept_alive(staged)
    walked(staged, loop, items)
    changed = [obj for obj in touched(staged) if obj.outer]
    indices(staged, loop, items)
    if (loop.stops is not None or stops(loop)) and not is_walked_twice(loop):
        drawn = any(is_used_up(place.obj) for place in staged.analysed.walking.writes)
        if drawn or (is_iterator(items) and not fresh(loop)):
            text = "stopping early would leave the iterator elsewhere than the plain loop does. Make it a list first."
            raise CellRefused(text, loop.line)
    if staged.items_change:
        apart(staged, loop, items, namespace)
    outer = [obj for obj in changed if obj.origin is Origin.OUTER and obj.live and not walks_at(staged, loop, obj)]
    outer = [obj for obj in outer if not (row_walks.columns_apart(staged, loop, obj) or is_bar(obj))]
    outer = [obj for obj in outer if not (is_drawn(obj) and is_left_alone(staged, obj))]
    outer = [obj for obj in outer if not is_read_beside(staged, obj, items)]
    if loop.shared:
        own = [obj for obj in outer if is_shallow(staged, obj) and all(map(is_own, obj.live))]
        outer = outer if not reads_none_of(staged, own) else [obj for obj in outer if obj not in own]
    if (
        outer
        and reads_items(staged)
        and not row_walks.is_fixed(items)
        and not (loop.snapshot and row_walks.are_values(items))
        and (is_view(items) or not (all_atoms(items) or gives_own(staged, items)))
    ):
        shallow = [thing for obj in outer if is_shallow(staged, obj) for thing in obj.live]
        deep = [thing for obj in outer if not is_shallow(staged, obj) for thing in obj.live]
        rows = {id(obj.live[0]) for obj in outer if row_walks.are_rows_of(obj, items, staged)}
        given = given_things(staged, items)
        if rows:
            given = [part for part in row_walks.side_by_side(items) if id(part) not in rows]
        if alias.overlap(shallow, deep, given, namespace, bounded(namespace)):
            raise of_shared("the loop changes something that its items hold. Copy it before the loop.", loop)


def kept_alive(staged: Staged) -> None:
    """Refuse items that do something when they are dropped: copies are too, and the notebook's own live longer here.

    Raises:
        CellRefused: They do.
    """
    loop = staged.analysed.loop
    for effects in staged.analysed.effects.values():
        for obj in effects.deep | {place.obj for place in effects.reads | effects.writes if place.obj is not None}:
            if not (obj.outer and (obj.origin is Origin.ITEM or obj.owner or not obj.by_name)):
                continue
            for kind in obj.types or ():
                if isinstance(static(kind, "__del__"), types.FunctionType) and is_user_module(kind.__module__):
                    text = f"`{kind.__name__}` does something when it is dropped, which happens to copies too"
                    raise CellRefused(f"{text}.", loop.line)


def of_shared(text: str, loop: Loop) -> CellRefused:
    """Return why a loop runs as it is that changes what several items may hold: it may do with these as with others."""
    refusal = CellRefused(text, loop.line)
    refusal.shared = not loop.shared
    return refusal


def reads_none_of(staged: Staged, changed: Sequence[Obj]) -> bool:
    """Tell whether workers read no attribute that the notebook changes of some objects, of whatever object."""
    effects = staged.analysed.effects
    fields = {place.field for found in effects.values() for place in found.writes if place.obj in changed}
    if not all(map(str.isidentifier, fields)):
        return False
    for node, found in effects.items():
        if staged.of(node) is not Stage.HEAD:
            continue
        read = any(place.field in fields for place in found.reads if place.obj is not None and place.obj.outer)
        if read or any(obj.outer and not inert(obj) for obj in found.deep):
            return False
    return True


def is_left_alone(staged: Staged, obj: Obj) -> bool:
    """Tell whether workers have nothing to do with an object."""
    for node, found in staged.analysed.effects.items():
        if staged.of(node) is not Stage.TAIL:
            touched = {place.obj for place in found.reads | found.writes} | {*reachable(found.deep)}
            if obj in touched:
                return False
    return True


def gives_own(staged: Staged, items: Any) -> bool:
    """Tell whether what an iterator gives holds nothing of the notebook, such as the rows of a frame as tuples."""
    given = staged.analysed.element
    return is_iterator(items) and bool(given) and not any(obj.outer for obj in reachable(given))


def given_things(staged: Staged, items: Any) -> list[Any]:
    """Return the objects in which all items are: of a generator what it gives, not what it has at hand to make that."""
    parts = [obj for obj in reachable(staged.analysed.element) if obj.outer and not inert(obj)]
    known = isinstance(items, types.GeneratorType) and bool(staged.analysed.element)
    if not known or not all(obj.live and obj.whole for obj in parts):
        return [items]
    return [thing for obj in parts for thing in obj.live]


def is_view(items: Any) -> bool:
    """Tell whether the elements of items may lie in memory that something else shares."""
    return type(items).__module__.partition(".")[0] in ("numpy", "pandas")


def looked_at(staged: Staged, items: Any, taken: list[Any]) -> Any:
    """Take the first item, or all where they are changed in place, to look at them before any goes out.

    Args:
        staged: The loop.
        items: What it walks.
        taken: Where what is left to walk is put, for the plain loop and for the workers.
    """
    walked(staged, staged.analysed.loop, items)
    if staged.analysed.loop.stops == "some" or stops(staged.analysed.loop) or not hasattr(type(items), "__iter__"):
        return items
    every = staged.items_change
    found: list[Any] = []
    with garbage.meanwhile():
        rest, ended = iter(items), False
        try:
            while not ended and len(found) < (MOST if every else 1) and not (found and is_walked(found[-1])):
                item = next(rest, NO_MORE)
                ended = item is NO_MORE
                if not ended:
                    found.append(item)
        except Exception as error:
            taken[:] = [raising(found, error)]
            return items
    taken[:] = [found if ended else chain(found, rest)]  # what has ended may go on if it is asked once more
    items_one_by_one(found, staged.analysed.loop.line)
    return found if ended and every else items


def looks_back(items: Any) -> bool:
    """Tell whether an iterator may look at what it gave before it gives the next, as `os.walk` does.

    Generators of the user's are followed.
    """
    if not is_iterator(items):
        return False
    if isinstance(items, types.GeneratorType):
        module = items.gi_frame.f_globals.get("__name__", "") if items.gi_frame is not None else ""
        return not is_user_module(module) and module.partition(".")[0] not in GIVING
    return type(items).__module__.partition(".")[0] not in (*GIVING, "builtins", "itertools")


def raising(found: list[Any], error: Exception) -> Iterator[Any]:
    """Yield items, then raise what walking on raised."""
    yield from found
    raise error


def touched(staged: Staged) -> set[Obj]:
    """Return the objects that the body changes."""
    return {place.obj for found in staged.analysed.effects.values() for place in found.writes if place.obj is not None}


def is_shallow(staged: Staged, obj: Obj) -> bool:
    """Tell whether only the object itself changes, not what it holds."""
    fields = fields_changed(staged, obj)
    if fields == {AT}:
        return True
    if obj.live and all(map(is_own, obj.live)) and all(map(str.isidentifier, fields)):
        return True  # of attributes, those that hold something which changes are objects themselves
    plain = all(kind.__module__ in ("builtins", "collections") for kind in obj.types or (object,))
    return plain and all(name == ELEMENT or name.startswith("[") for name in fields)


def fields_changed(staged: Staged, obj: Obj) -> set[str]:
    """Return the fields of an object that the body changes."""
    return {place.field for found in staged.analysed.effects.values() for place in found.writes if place.obj is obj}


def is_read_beside(staged: Staged, obj: Obj, items: Any) -> bool:
    """Tell whether the body only reads on in an archive, which does not show in a list of what that holds."""
    archive = is_walked_twice(staged.analysed.loop, obj) and all(map(readers.is_archive, obj.live))
    return (type(items) in SEVERAL_TIMES or archive) and fields_changed(staged, obj) == {AT}


def is_walked_twice(loop: Loop, obj: Obj | None = None) -> bool:
    """Tell whether a copy of what a loop walks is walked ahead, and whether an object is one of those behind it."""
    if loop.twice is None or not loop.twice.used:
        return False
    held = {id(loop.twice.items), *map(id, loop.twice.things)}
    return obj is None or (bool(obj.live) and all(id(thing) in held for thing in obj.live))


def reads_items(staged: Staged) -> bool:
    """Tell whether the items are anything that could hold a changed object."""
    return staged.analysed.loop.target is not None


def walked(staged: Staged, loop: Loop, items: Any) -> None:
    """Refuse to change what is walked, or names that the walking reads."""
    changed = touched(staged)
    for method, frame in row_walks.rows_walked(staged):
        if frame in changed and row_walks.shows_changes(staged, loop, method, frame):
            text = f"the loop changes `{frame.label}` while walking its rows"
            raise CellRefused(f"{text}, and later rows may show that. Walk a copy of it.", loop.line)
    if row_walks.changed_row(staged, changed):
        raise CellRefused("the loop changes the rows that it walks. Change a copy of each.", loop.line)
    if row_walks.is_fixed(items) or row_walks.are_labels(loop, items):
        return
    changed = {obj for obj in changed if not row_walks.columns_apart(staged, loop, obj) and not is_bar(obj)}
    changed = {obj for obj in changed if not is_read_beside(staged, obj, items)}
    changed = {obj for obj in changed if not row_walks.are_rows_of(obj, items, staged)}
    for obj in reachable_walked(staged):
        if obj in changed and obj.outer and not walks_at(staged, loop, obj) and obj.origin is Origin.OUTER:
            text = f"the loop changes {obj.shown} while walking it"
            raise CellRefused(f"{text}. {instead_of_walking(obj)}.", loop.line)
    effects = staged.analysed.walking
    for obj in {place.obj for place in effects.reads if place.obj is not None} | effects.deep:
        kept = walks_at(staged, loop, obj) or is_used_up(obj) or reads_other_attributes(staged, obj)
        if obj in changed and obj.origin is Origin.OUTER and not kept:
            text = f"walking the items reads {obj.shown}, which changes between the iterations"
            raise CellRefused(f"{text}. Make them a list first.", loop.line)
    renamed = any(place.obj is None for place in effects.writes)
    read = {place.field for place in effects.reads if place.obj is None} | effects.globals
    given_names = names.writes(*loop.body) | staged.analysed.given
    given_names |= names.stored(loop.target) if loop.target is not None and not loop.collects else set()
    if read & given_names:
        name = sorted(read & given_names)[0]
        text = f"walking the items reads '{name}', which the loop gives values. Make them a list first."
        raise CellRefused(text, loop.line)
    if loop.early:
        steady(staged, changed)
    done = [place for place in effects.writes if place.obj is not None and place.obj.outer and place.field != "next"]
    done = [place for place in done if not is_walked_twice(loop, place.obj)]
    if effects.order or renamed or any(not is_used_up(place.obj) for place in done):
        raise CellRefused(BETWEEN, loop.line)
    walked_ahead.read_on_the_way(staged, items)
    changes_given(staged, items, changed)


def changes_given(staged: Staged, items: Any, changed: set[Obj]) -> None:
    """Refuse to change what an iterator has given where that may show in what it gives next."""
    given = set(reachable(staged.analysed.element))
    if any(place.obj in given and place.obj.again for place in staged.analysed.walking.writes if place.obj is not None):
        raise CellRefused(BETWEEN, staged.analysed.loop.line)
    if staged.items_change and looks_at_changes(staged) and not looks_at_its_own(staged):
        text = "the walk looks at what the loop changes of its items, which may be those before"
        raise CellRefused(f"{text}. Make them a list first.", staged.analysed.loop.line)
    if (staged.items_change or not given.isdisjoint(changed)) and looks_back(items):
        text = "the items are changed while their iterator goes on, which may look at them. Make them a list first."
        raise CellRefused(text, staged.analysed.loop.line)


def looks_at_changes(staged: Staged) -> bool:
    """Tell whether finding the next item reads anything of the items that the body changes."""
    walking, effects = staged.analysed.walking, staged.analysed.effects.values()
    written = [place for found in effects for place in found.writes if place.obj and place.obj.origin is Origin.ITEM]
    deep = set(reachable(walking.deep))
    return any(place.obj in deep or any(map(place.meets, walking.reads)) for place in written)


def looks_at_its_own(staged: Staged) -> bool:
    """Tell whether a generator expression looks at each item alone, which no other changes, before it gives it."""
    loop, walking = staged.analysed.loop, staged.analysed.walking
    node, namespace = loop.items, loop.__dict__.get("namespace", {})
    if not isinstance(node, ast.GeneratorExp) or len(node.generators) > 1 or walking.sees:
        return False
    name = node.generators[0].iter
    source: Any = namespace.get(name.id) if isinstance(name, ast.Name) and name.id not in walking.globals else None
    met = {place.obj for place in walking.reads if place.obj is not None} | walking.deep
    others = [obj for obj in met if obj.origin is Origin.OUTER and not inert(obj)]
    if type(source) not in (list, tuple) or any(thing is not source for obj in others for thing in obj.live):
        return False
    read = [namespace[name] for name in walking.globals if name in namespace]
    read += [static(kind, place.field) for place in walking.reads if place.obj for kind in classes_in(place.obj)]
    return alias.all_apart(source, read, namespace, bounded(namespace)) and all(obj.live for obj in others)


def classes_in(obj: Obj) -> list[type]:
    """Return the classes that an object stands for."""
    return [thing for thing in obj.live if isinstance(thing, type)]


def instead_of_walking(obj: Obj) -> str:
    """Return what to do where a loop changes what it walks."""
    if any(map(is_iterator, obj.live)):
        return "Make a list of it before the loop, and walk that"
    return "Walk a copy of it, if the loop need not meet the changes"


def steady(staged: Staged, changed: set[Obj]) -> None:
    """Refuse where the body changes what the inner loops are found from."""
    effects = staged.analysed.walking
    looked = effects.deep | {place.obj for place in effects.reads if place.obj is not None}
    if not changed.isdisjoint(reachable(looked)):
        raise CellRefused("the loop changes what it walks next.", staged.analysed.loop.line)


def walks_at(staged: Staged, loop: Loop, obj: Obj) -> bool:
    """Tell whether the loop walks a container itself, and changes only the element that is walked."""
    index, node, target = staged.own_index.get(obj), loop.items, loop.target
    if index is None or not obj.live:
        return False
    kind = type(obj.live[0])
    if isinstance(node, ast.Name):
        return node.id == obj.label and kind is dict and isinstance(target, ast.Name) and target.id == index
    if not isinstance(node, ast.Call) or node.keywords:
        return False
    pair = isinstance(target, ast.Tuple) and len(target.elts) == 2 and getattr(target.elts[0], "id", None) == index
    if isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", None) == obj.label:
        keys = isinstance(target, ast.Name) and target.id == index and node.func.attr == "keys"
        return kind is dict and (keys or (pair and node.func.attr == "items"))
    enumerated = isinstance(node.func, ast.Name) and node.func.id == "enumerate" and len(node.args) == 1
    ordered = kind is list or kind.__module__ == "numpy"
    return enumerated and pair and ordered and getattr(node.args[0], "id", None) == obj.label


def is_used_up(obj: Obj | None) -> bool:
    """Tell whether walking an object is what changes it."""
    return obj is not None and bool(obj.live) and all(map(is_iterator, obj.live))


def reachable_walked(staged: Staged) -> Iterable[Obj]:
    """Return the containers that are walked step by step."""
    for obj in staged.analysed.walked:
        if obj.origin is Origin.MADE and obj.lazy is None and obj.types and set(obj.types) <= {list, tuple, set, dict}:
            continue
        if obj.outer:
            yield obj
            continue
        for inner in reachable([obj]):
            if inner.outer and not inner.owner:
                yield inner


def reads_other_attributes(staged: Staged, obj: Obj) -> bool:
    """Tell whether finding the items reads no attribute of an object of the user's that the loop sets."""
    walking = staged.analysed.walking
    if obj in walking.deep or not (obj.live and all(map(is_own, obj.live))):
        return False
    read = {place.field for place in walking.reads if place.obj is obj}
    written = {place.field for found in staged.analysed.effects.values() for place in found.writes if place.obj is obj}
    return all(map(str.isidentifier, read | written)) and not read & written


def stops(loop: Loop) -> bool:
    """Tell whether the loop may be left early."""
    return any(ast.Break in names.kinds_in(statement) for statement in loop.body)


def fresh(loop: Loop) -> bool:
    """Tell whether the expression that is walked makes the iterator itself."""
    return loop.items is not None and not isinstance(loop.items, (ast.Name, ast.Attribute, ast.Subscript))


def indices(staged: Staged, loop: Loop, items: Any) -> None:
    """Refuse where two iterations may use the same element of a container that is read and changed."""
    for obj, index in staged.own_index.items():
        found = indices_of(loop.target, index.strip(":, "), items)
        reads = any(
            place.obj is obj
            for node, effects in staged.analysed.effects.items()
            for place in effects.reads
            if staged.of(node) is Stage.HEAD
        )
        if not reads:
            continue
        if found is None or not all(all_different(holder, found) for holder in obj.live) or not obj.live:
            text = f"every iteration changes {obj.shown} and reads it, and it cannot be seen that each has its own"
            raise of_shared(f"{text} element. Store into a new container.", loop)


def indices_of(target: ast.expr | None, index: str, items: Any) -> list[Any] | None:
    """Return what a name of the target is in every iteration, or None where that cannot be told."""
    if not isinstance(items, (list, tuple, range)):
        return None
    if isinstance(target, ast.Name):
        return list(items)
    if not isinstance(target, (ast.Tuple, ast.List)) or not all(type(item) is tuple for item in items):
        return None
    words = [part.id if isinstance(part, ast.Name) else "" for part in target.elts]
    rows: list[tuple[Any, ...]] = [*items]
    if index not in words or any(len(row) != len(words) for row in rows):
        return None
    return [row[words.index(index)] for row in rows]


def all_different(holder: Any, found: list[Any]) -> bool:
    """Tell whether the indices surely name different elements of the container."""
    if type(holder) not in (list, dict) and not (type(holder).__module__ == "numpy" and hasattr(holder, "dtype")):
        return False
    try:
        different = len(set(found)) == len(found)
    except TypeError:
        return False
    if type(holder) is dict:
        return different and all(index in holder for index in found)
    kinds = {type(index) for index in found}
    whole = all((issubclass(kind, int) and kind is not bool) or kind.__module__ == "numpy" for kind in kinds)
    return different and whole and all(index >= 0 for index in found) and not memory.overlaps_itself(holder)


def apart(staged: Staged, loop: Loop, items: Any, namespace: Mapping[str, Any]) -> None:
    """Refuse where items that change share anything that changes, with each other or with what is read."""
    text = "the loop changes its items, and it cannot be seen that they share nothing"
    if not isinstance(items, (list, tuple)):
        raise CellRefused(f"{text}. Make them a list first, or compute into a new list.", loop.line)
    if hides(staged, items):
        raise CellRefused("the loop changes what its items hold in a way that cannot be put back.", loop.line)
    parts = [part for part in item_state.parts_of([*items]) if type(part).__module__.partition(".")[0] == "pandas"]
    if not all(item_state.is_frame(part) and is_of_values(part) for part in parts):
        raise CellRefused("the loop changes its items, whose parts no worker can give back.", loop.line)
    if any(map(memory.is_shared, parts)):
        text = "the loop changes its items, of which something else holds a part"
        raise CellRefused(f"{text}. Copy them first.", loop.line)
    if share_labels(staged, items, namespace):
        raise of_shared(
            "the loop names the labels of its items, which others have too. Copy them before the loop.", loop
        )
    others = [part for obj in others_of(staged) for part in looked_into(staged, obj)]
    if alias.all_apart(items, others, namespace, bounded(namespace)):
        return
    shared = only_read(staged, items, others, namespace)
    if shared is None:
        raise of_shared(f"{text}. Compute into a new list instead.", loop)
    staged.shared = frozenset(map(id, shared))


def share_labels(staged: Staged, items: Sequence[Any], namespace: Mapping[str, Any]) -> bool:
    """Tell whether a loop gives the labels of its items names, and another item or a name of the notebook has them."""
    if not any(place.field == LABELS for found in staged.analysed.effects.values() for place in found.writes):
        return False
    own = [set().union(*map(memory.labels_of, item_state.parts_of(item))) for item in items]
    items_too = {id(part) for part in item_state.parts_of([*items])}
    others = [memory.labels_of(thing) for thing in list(namespace.values()) if id(thing) not in items_too]
    met: set[int] = set().union(*others)
    for labels in own:
        if labels & met:
            return True
        met |= labels
    return False


def only_read(staged: Staged, items: Any, others: list[Any], namespace: Mapping[str, Any]) -> list[Any] | None:
    """Return what items share with each other or with what is read, where none of it is changed; else None."""
    changed = [obj for obj in touched(staged) if obj.of_items]
    if not all(obj.whole and obj.live for obj in changed):
        return None
    try:
        shared = alias.shared_by(items, others, bounded(namespace))
        deep = [thing for obj in changed if changes_within(staged, obj) for thing in obj.live]
        things = [thing for obj in changed for thing in obj.live]
        written = {*map(id, things)} | bounded(namespace)(deep)
        if any(type(thing) is dict for thing in shared):  # it may be what several have their attributes in
            written |= {id(vars(thing)) for thing in things if is_own(thing)}
    except alias.TooMany:
        return None
    return None if any(id(thing) in written for thing in shared) else shared


def changes_within(staged: Staged, obj: Obj) -> bool:
    """Tell whether more than fields of an object may change: what is installed keeps things where it likes."""
    fields = {place.field for found in staged.analysed.effects.values() for place in found.writes if place.obj is obj}
    known = all(hasattr(kind, "__dict__") and kind.__module__ == "__main__" for kind in map(type, obj.live))
    views = any(type(thing) is memoryview for thing in obj.live)
    return "*" in fields or views or not (known or is_shallow(staged, obj))


def hides(staged: Staged, items: Iterable[Any]) -> bool:
    """Tell whether items may change where no attribute shows it, as an iterator that they hold does."""
    found = {type(part) for part in everything_in(items) if item_state.inside(part) is None and not is_atom(part)}
    found = {kind for kind in found if not issubclass(kind, (types.FunctionType, types.MethodType, *item_state.ATOMS))}
    changed = [obj for obj in touched(staged) if obj.of_items]
    return (
        any(obj.types is None or any(issubclass(kind, tuple(found)) for kind in obj.types) for obj in changed)
        if found
        else False
    )


def everything_in(items: Iterable[Any]) -> Iterator[Any]:
    """Yield all objects in items, as far as containers and attributes show them."""
    seen: set[int] = set()
    stack = list(items)
    while stack:
        thing = stack.pop()
        if id(thing) not in seen:
            seen.add(id(thing))
            yield thing
            stack += item_state.inside(thing) or []


def others_of(staged: Staged) -> set[Obj]:
    """Return the notebook's objects that the body reads or changes."""
    found: set[Obj] = set()
    for effects in staged.analysed.effects.values():
        found |= effects.deep
        found |= {place.obj for place in effects.reads | effects.writes if place.obj is not None}
    return {
        obj for obj in found if obj.origin is Origin.OUTER and not is_code(obj) and obj not in staged.analysed.walked
    }


def looked_into(staged: Staged, obj: Obj) -> list[Any]:
    """Return the live objects of an abstract one; of the user's own, with no more than the attributes that are used."""
    fields: set[str] = set()
    for effects in staged.analysed.effects.values():
        if obj in effects.deep:
            return list(obj.live)
        fields |= {place.field for place in effects.reads | effects.writes if place.obj is obj}
    if not (obj.whole and all(map(is_own, obj.live)) and all(map(str.isidentifier, fields))):
        return list(obj.live)
    held = [inspect.getattr_static(thing, name, None) for thing in obj.live for name in fields]
    return [*map(alias.Alone, obj.live), *held]


def bounded(namespace: Mapping[str, Any]) -> alias.Reach:
    """Return a walk over live objects that gives up after some time."""
    return alias.Reach(namespace, step=Budget(alias.MOST, seconds=LOOKING).step)


def is_code(obj: Obj) -> bool:
    """Tell whether an object is a function, class or module."""
    return all(isinstance(thing, (types.FunctionType, types.ModuleType, type)) for thing in obj.live)


def items_one_by_one(items: Iterable[Any], line: int) -> None:
    """Refuse items that a worker would use up as copies."""
    for item in islice(items, ENOUGH):
        if is_walked(item):
            text = f"an item is an iterator ({type(item).__name__}), which a worker would use up as a copy"
            raise CellRefused(f"{text}. Walk lists instead.", line)


def is_walked(item: Any) -> bool:
    """Tell whether an item is an iterator, or a tuple with one."""
    parts = item if type(item) is tuple else (item,)
    return any(type(part) not in (str, int, float, bytes, tuple) and is_iterator(part) for part in parts)
