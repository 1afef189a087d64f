"""Objects that a worker changed, put back into the notebook's own: every part keeps its identity.

A worker lists the parts of an item before it changes any. The list comes back in one pickle with the item, so it says
of each part that came back which of the notebook's own parts it was. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import array
import collections
import contextlib
import copyreg
import enum
import functools
import io
import sys
import types
import warnings
from typing import Any

from concompare.worker.transfer import strided

ATOMS = (str, bytes, int, float, complex, bool, type(None), range, type, types.ModuleType, enum.Enum)


def parts_of(item: Any) -> list[Any]:
    """Return an item and every changeable object in it, in an order that depends on the item's structure alone."""
    found: list[Any] = []
    seen: set[int] = set()
    stack = [item]
    while stack:
        thing = stack.pop()
        if isinstance(thing, ATOMS) or id(thing) in seen:
            continue
        seen.add(id(thing))
        inner = inside(thing)
        if inner is None:
            continue
        if not isinstance(thing, (tuple, frozenset)):
            found.append(thing)
        stack.extend(reversed(inner))
    return found


ORDERED: tuple[Any, ...] = (list, tuple, collections.deque)


def inside(thing: Any) -> list[Any] | None:
    """Return what an object holds; None where it is nothing that could be put back."""
    if isinstance(thing, dict):
        return [*dict.keys(thing), *dict.values(thing), *attributes(thing)]
    for kind in ORDERED:
        if isinstance(thing, kind):
            return [*kind.__iter__(thing), *attributes(thing)]  # not by an `__iter__` of the user's
    if isinstance(thing, (set, frozenset)):
        return attributes(thing)
    if isinstance(thing, (bytearray, array.array)) or is_array(thing) or is_frame(thing):
        return []
    if state_of(thing) is not None:
        return attributes(thing)
    held = attributes(thing)
    return held if held or hasattr(thing, "__dict__") or slots(thing) else None


def attributes(thing: Any) -> list[Any]:
    """Return the values of an object's attributes."""
    found = list(getattr(thing, "__dict__", {}).values()) if not isinstance(thing, type) else []
    return [*found, *in_slots(thing).values()]


def slots(thing: Any) -> list[str]:
    """Return the names of an object's slots."""
    if type(thing).__module__ == "builtins" or isinstance(thing, type):
        return []
    return list(copyreg._slotnames(type(thing)))  # type: ignore[attr-defined]


def is_array(thing: Any) -> bool:
    """Tell whether something is an array of numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(thing, numpy.ndarray)


def is_frame(thing: Any) -> bool:
    """Tell whether something is a frame or column of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and type(thing) in (pandas.DataFrame, pandas.Series)


def give_frame(ours: Any, theirs: Any) -> None:
    """Give a frame or column the contents of another, as what pandas does in place itself."""
    ours._update_inplace(theirs)
    object.__setattr__(ours, "_attrs", theirs.attrs)
    if hasattr(theirs, "name"):
        ours.name = theirs.name
    ours.flags.allows_duplicate_labels = theirs.flags.allows_duplicate_labels


def is_buffer(thing: Any) -> bool:
    """Tell whether something is a file in memory."""
    return isinstance(thing, (io.StringIO, io.BytesIO))


def state_of(thing: Any) -> Any:
    """Return what an object keeps where attributes do not show it, None for objects that are not known to."""
    draws = sys.modules.get("random")
    if draws is not None and isinstance(thing, draws.Random) and type(thing).getstate is draws.Random.getstate:
        return thing.getstate()
    if is_buffer(thing):
        return None if thing.closed else thing.__getstate__()[:-1]
    numbers = sys.modules.get("numpy.random")
    if numbers is None:
        return None
    if isinstance(thing, numbers.Generator):
        return thing.bit_generator.state, children_of(thing)
    return thing.get_state(legacy=False) if isinstance(thing, numbers.RandomState) else None


def give_state(thing: Any, state: Any) -> None:
    """Give an object what `state_of` said of another."""
    if hasattr(thing, "setstate") and hasattr(thing, "getrandbits"):
        thing.setstate(state)
    elif is_buffer(thing):
        thing.__setstate__((*state, None))
    elif hasattr(thing, "bit_generator"):
        thing.bit_generator.state, children = state
        if children > children_of(thing):
            thing.bit_generator.seed_seq.spawn(children - children_of(thing))
    else:
        thing.set_state(state)


def children_of(generator: Any) -> int:
    """Return how many generators one of numpy has spawned: the next one depends on that."""
    return int(getattr(getattr(generator.bit_generator, "seed_seq", None), "n_children_spawned", 0))


Places = dict[int, Any]
"""The notebook's objects, by the `id` of what stands for each in what a worker gave back."""


def restore(own: Any, changed: Any, parts: list[Any], shared: frozenset[int] = frozenset()) -> Places:
    """Give the notebook's item the state of the one that a worker changed.

    Args:
        own: The notebook's item, as it was when it was sent.
        changed: The item as it came back.
        parts: What `parts_of` said of it before it was changed.
        shared: The `id` of each of the notebook's objects that nothing has changed.

    Returns:
        What stands for what in the other things that came back with the item, as long as `changed` and `parts` live.

    Raises:
        TypeError: An object cannot take the state of the one that came back.
    """
    if own is changed:
        return {}
    mine = parts_of(own)
    if len(mine) != len(parts):
        raise TypeError(f"the item {own!r:.60} did not arrive in the worker as it is here")
    meant = {id(theirs): ours for theirs, ours in zip(parts, mine, strict=True)}
    new = [part for part in parts_of((*parts, changed)) if id(part) not in meant]
    for theirs, ours in zip(parts, mine, strict=True):
        if id(ours) in shared:
            continue
        if is_frame(ours):
            give_frame(ours, theirs)
        else:
            give(ours, theirs, meant)
    for part in new:
        if not is_frame(part) and any(changes(held, meant) for held in held_by(part)):
            give(part, part, meant)
    meant.update((id(part), part) for part in new)
    if isinstance(changed, tuple):
        meant[id(changed)] = own
    return meant


def put_in(values: list[Any], meant: Places) -> list[Any]:
    """Return things that came back with an item, with the notebook's own objects in the places of its parts."""
    if not meant:
        return values
    stack, seen = list(values), set(meant)
    while stack:
        thing = stack.pop()
        if isinstance(thing, ATOMS) or id(thing) in seen:
            continue
        seen.add(id(thing))
        within = parts_of_callable(thing)
        if within is None:
            within = held_by(thing)
            holds = any(changes(part, meant) for part in within)
            if holds and not isinstance(thing, (tuple, frozenset)) and not is_frame(thing):
                give(thing, thing, meant)
        stack.extend(within)
    return [own_of(value, meant) for value in values]


def held_by(thing: Any) -> list[Any]:
    """Return what an object holds, with the elements of sets, which `inside` leaves out as they cannot be changed."""
    return [*thing, *attributes(thing)] if isinstance(thing, (set, frozenset)) else inside(thing) or []


def parts_of_callable(thing: Any) -> list[Any] | None:
    """Return what a method or partial call holds; None for other objects."""
    if isinstance(thing, types.MethodType):
        return [thing.__self__]
    if isinstance(thing, functools.partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    return None


def give(ours: Any, theirs: Any, meant: dict[int, Any]) -> None:
    """Give one object the state of another, with the notebook's own parts in the places of those that it knows."""

    def own(thing: Any) -> Any:
        return own_of(thing, meant)

    if is_array(ours) and not ours.flags.writeable and not unlocked(ours, theirs):
        return
    if is_array(ours) and (ours.shape != theirs.shape or ours.dtype != theirs.dtype):
        lay_out(ours, theirs)
    if isinstance(ours, dict):
        refill(ours, [(own(key), own(value)) for key, value in theirs.items()])
    elif isinstance(ours, (set, collections.deque, list)):
        refill(ours, [own(value) for value in theirs])
    elif ours is not theirs:
        refill(ours, theirs if isinstance(ours, (bytearray, array.array)) or is_array(ours) else state_of(theirs))
    if hasattr(ours, "__dict__") and not isinstance(ours, type):
        state = {name: own(value) for name, value in vars(theirs).items()}
        vars(ours).clear()
        vars(ours).update(state)
    mine, filled = in_slots(ours), in_slots(theirs)
    for name in slots(ours):
        if name in filled:
            object.__setattr__(ours, name, own(filled[name]))
        elif name in mine:
            object.__delattr__(ours, name)
    if is_array(ours) and strided.is_read_only(theirs):
        ours.flags.writeable = False


def unlocked(ours: Any, theirs: Any) -> bool:
    """Let an array be written to if one that came back can be; tells whether it can."""
    if not theirs.flags.writeable or not strided.is_read_only(ours):  # large ones come back so in any case
        return False
    try:
        ours.flags.writeable = True
    except ValueError:  # the worker's copy has memory of its own
        return False
    return True


def lay_out(ours: Any, theirs: Any) -> None:
    """Give an array the type and shape of another, as setting them, or `resize`, does in place."""
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy means to take this away, which the code itself was told
            if ours.nbytes != theirs.nbytes:
                ours.resize(theirs.shape, refcheck=False)
            if ours.dtype != theirs.dtype:
                ours.dtype = theirs.dtype
            if ours.shape != theirs.shape:
                ours.shape = theirs.shape
    except (AttributeError, TypeError, ValueError):
        text = f"an array of shape {ours.shape} cannot take the state of one of shape {theirs.shape}"
        raise TypeError(text) from None


def own_of(thing: Any, meant: dict[int, Any]) -> Any:
    """Return what stands in the notebook for an object that came back."""
    if id(thing) in meant:
        return meant[id(thing)]
    if type(thing) is tuple or (isinstance(thing, tuple) and hasattr(thing, "_make")):
        parts = [own_of(part, meant) for part in thing]
        made = type(thing)._make(parts) if hasattr(thing, "_make") else tuple(parts)
        return made if any(one is not other for one, other in zip(made, thing, strict=True)) else thing
    if type(thing) is frozenset:
        return (
            frozenset(own_of(part, meant) for part in thing) if any(changes(part, meant) for part in thing) else thing
        )
    if isinstance(thing, types.MethodType) and changes(thing.__self__, meant):
        return types.MethodType(thing.__func__, own_of(thing.__self__, meant))
    if type(thing) is functools.partial and any(changes(part, meant) for part in parts_of_callable(thing) or ()):
        keywords = {name: own_of(value, meant) for name, value in thing.keywords.items()}
        return functools.partial(own_of(thing.func, meant), *(own_of(value, meant) for value in thing.args), **keywords)
    return thing


def changes(thing: Any, meant: Places) -> bool:
    """Tell whether something else stands in the notebook for an object that came back."""
    return own_of(thing, meant) is not thing


class Keeper:
    """Lists the parts of an item, and remembers their states: threads change the notebook's own items early.

    Args:
        shared: The `id` of each object that nothing changes.
        own: The `id` of each of the notebook's items, where they are known; of others, copies, nothing is remembered.
    """

    def __init__(self, shared: frozenset[int] = frozenset(), own: frozenset[int] | None = None) -> None:
        self.shared, self.own = shared, own
        self.states: dict[int, list[tuple[Any, Any, dict[str, Any], dict[str, Any]]]] = {}

    def __call__(self, item: Any) -> list[Any]:
        """Return the parts of an item that nothing has changed yet."""
        parts = parts_of(item)
        if self.own is not None and id(item) not in self.own:
            return parts
        self.states[id(item)] = [
            (part, contents(part), {} if is_frame(part) else dict(getattr(part, "__dict__", {})), in_slots(part))
            for part in parts
            if id(part) not in self.shared
        ]
        return parts

    def __reduce__(self) -> tuple[Any, ...]:
        return lister, ()

    def put_back(self, item: Any) -> None:
        """Give an item the state that it had before it was changed, if it was."""
        for part, held, attributes_held, slots_held in self.states.pop(id(item), ()):
            if is_frame(part):
                give_frame(part, held)
                continue
            refill(part, held)
            if hasattr(part, "__dict__") and not isinstance(part, type):
                vars(part).clear()
                vars(part).update(attributes_held)
            filled = in_slots(part)
            for name in slots(part):
                if name in slots_held:
                    object.__setattr__(part, name, slots_held[name])
                elif name in filled:
                    object.__delattr__(part, name)


def lister() -> Any:
    """Return what lists the parts of an item in a worker process, whose items are copies."""
    return parts_of


def in_slots(thing: Any) -> dict[str, Any]:
    """Return the slots of an object that have values, without asking its `__getattr__` for those that have none."""
    found = {}
    for name in slots(thing):
        with contextlib.suppress(AttributeError):
            found[name] = object.__getattribute__(thing, name)
    return found


def contents(thing: Any) -> Any:
    """Return a copy of what a container holds, None for other objects."""
    if isinstance(thing, dict):
        return list(thing.items())
    if isinstance(thing, (list, set, collections.deque)):
        return list(thing)
    if isinstance(thing, (bytearray, array.array)):
        return thing[:]
    return thing.copy() if is_array(thing) or is_frame(thing) else state_of(thing)


def refill(thing: Any, held: Any) -> None:
    """Put contents back into a container, with the methods of its built-in class: `Counter.update` counts."""
    if isinstance(thing, dict):
        kind = collections.OrderedDict if isinstance(thing, collections.OrderedDict) else dict
        kind.clear(thing)
        for key, value in held:
            kind.__setitem__(thing, key, value)
    elif isinstance(thing, set):
        set.clear(thing)
        set.update(thing, held)
    elif isinstance(thing, collections.deque):
        collections.deque.clear(thing)
        collections.deque.extend(thing, held)
    elif isinstance(thing, list):
        list.__setitem__(thing, slice(None), held)
    elif isinstance(thing, (bytearray, array.array)):
        thing[:] = held
    elif is_array(thing):
        thing[...] = held
    elif held is not None:
        give_state(thing, held)
