"""What a loop uses up as it walks: a copy is walked ahead of the workers, and the loop's own again in its turn."""

from __future__ import annotations

import functools
import inspect
import itertools
import types
from collections.abc import Iterator, Mapping
from typing import Any

from concompare.cells import readers
from concompare.cells.distribution.ahead import shadows
from concompare.cells.distribution.staging import Staged
from concompare.cells.effects.live import is_iterator
from concompare.cells.ir import Place, Stage
from concompare.cells.objects import is_atom, reachable
from concompare.cells.replay.items import Elsewhere

CALLED: type = type(iter(int, 1))
"""The type of what calls a function until that gives some value."""
ALIKE = ("name", "offset", "offset_data", "size", "type")
"""What tells one member of an archive from another."""
MOST = 50
"""Names in a function that are looked at."""


class Twice:
    """Walks a copy ahead, and the loop's own again.

    Args:
        items: What the loop walks.
        namespace: The notebook's names.
        things: The objects behind it of which there are copies.

    Attributes:
        used: It is walked so.
        paired: What goes out are pairs, with what a front has computed.
        failed: The copy could not be walked on: from there on the plain loop walks the loop's own.
    """

    def __init__(self, items: Any, namespace: dict[str, Any], things: list[Any]) -> None:
        self.items, self.namespace, self.things = items, namespace, things
        self.used = self.paired = self.failed = False
        self.drawn: list[Any] = []
        self.error: Exception | None = None
        self.own: Iterator[Any] | None = None
        self.shadow: shadows.Shadows | None = None

    def fits(self, staged: Staged) -> bool:
        """Tell whether workers have nothing to do with what is walked, so that it may be a copy, and note that."""
        touched = self.touched_by_workers(staged)
        held = {id(self.items), *map(id, self.things)}
        self.used = not staged.items_change and not any(id(thing) in held for thing in touched)
        return self.used

    def touched_by_workers(self, staged: Staged) -> Iterator[Any]:
        """Yield the live objects that the loop uses up and workers look at."""
        analysed, early = staged.analysed, staged.in_workers()
        written = {place for found in analysed.effects.values() for place in found.writes} | analysed.walking.writes
        for node, found in analysed.effects.items():
            if staged.of(node) is Stage.HEAD or node in early:
                deep = set(reachable(found.deep))
                for place in written:
                    if place.obj in deep or any(map(place.meets, found.reads)):
                        yield from live_of(place)

    def ahead(self) -> Iterator[Any]:
        """Yield what the copy gives."""
        try:
            shadow = self.shadow = shadows.Shadows(self.things, self.namespace)
        except (TypeError, ValueError, OSError):
            self.failed = True
            return
        try:
            following = self.copy(shadow)
            while True:
                shadow.enter()
                try:
                    item = next(following)
                except StopIteration:
                    return
                except Exception:
                    self.failed = True
                    return
                finally:
                    shadow.leave()
                yield item
        finally:
            self.close()

    def copy(self, shadow: shadows.Shadows) -> Iterator[Any]:
        """Return a copy of what is walked, with the copies of the objects behind it."""
        found = copied(self.items, shadow, {})
        return found if is_iterator(found) else iter(found)

    def close(self) -> None:
        """Close the files behind the copy."""
        if self.shadow is not None:
            self.shadow.close()

    def take(self, given: Any) -> Any:
        """Return the loop's own next item, in the place of the one that its copy has given.

        Raises:
            Elsewhere: It is another.
        """
        copy = given[0] if self.paired else given
        try:
            item = self.next()
        except Exception as error:
            self.error = error
            raise Elsewhere from None
        if not alike(item, copy):
            self.drawn.append(item)
            raise Elsewhere
        return (item, given[1]) if self.paired else item

    def see(self, given: Any) -> Any:
        """Return the loop's own item that a worker has failed at, in the place of its copy."""
        try:
            return self.take(given)
        except Elsewhere:
            raise LookupError from None

    def next(self) -> Any:
        """Walk on in the loop's own."""
        if self.own is None:
            self.own = iter(self.items)
        return next(self.own)

    def goes_on(self) -> bool:
        """Tell whether the loop's own goes on where its copy has ended, or fails there."""
        if self.failed:
            return True
        try:
            self.drawn.append(self.next())
        except StopIteration:
            return False
        except Exception as error:
            self.error = error
        return True

    def left(self) -> Iterator[Any]:
        """Yield what the plain loop walks from here on."""
        yield from self.drawn
        if self.error is not None and not isinstance(self.error, StopIteration):
            raise self.error
        while self.error is None:
            try:
                item = self.next()
            except StopIteration:
                return
            yield item


def found_twice(items: Any, namespace: dict[str, Any]) -> Twice | None:
    """Return how an iterator or an archive is walked twice; None: nobody sees that it is used up, or it cannot be."""
    if not (type(items) is CALLED or readers.is_archive(items) or is_known(items, namespace)):
        return None
    things = behind(items, namespace)
    return Twice(items, namespace, things) if things is not None else None


def is_known(items: Any, namespace: Mapping[str, Any]) -> bool:
    """Tell whether an iterator, or one that it asks itself, has a name in the notebook."""
    if any(value is items for value in namespace.values()):
        return True
    if archive_walked(items) is not None:
        return True
    parts = items.__reduce__()[1] if type(items) in shadows.WRAPPING else ()
    return any(hasattr(part, "__next__") and is_known(part, namespace) for part in parts)


def archive_walked(thing: Any) -> Any:
    """Return the archive of which a generator, which has given nothing yet, gives the members; None: it is another."""
    if not isinstance(thing, types.GeneratorType) or inspect.getgeneratorstate(thing) != inspect.GEN_CREATED:
        return None
    owner = inspect.getgeneratorlocals(thing).get("self")
    walking: Any = getattr(type(owner), "__iter__", None)
    return owner if readers.is_archive(owner) and getattr(walking, "__code__", None) is thing.gi_code else None


def behind(thing: Any, namespace: Mapping[str, Any]) -> list[Any] | None:
    """Return the objects behind what is walked of which copies are made; None where there is no copy of it."""
    kind = type(thing)
    if readers.is_reader(thing):
        return [thing]
    if (archive := archive_walked(thing)) is not None:
        return [archive]
    if kind is CALLED:
        called = thing.__reduce__()[1]
        return behind_function(called[0], namespace) if len(called) == 2 else None
    if kind in shadows.WRAPPING:
        found = [behind(part, namespace) for part in thing.__reduce__()[1] if hasattr(part, "__next__")]
        return None if None in found else [one for part in found for one in part or ()]
    return [] if kind is not types.GeneratorType and shadows.can_copy(thing) and is_iterator(thing) else None


def behind_function(function: Any, namespace: Mapping[str, Any]) -> list[Any] | None:
    """Return the objects that a function without arguments uses up; None where that cannot be told."""
    if type(function) is functools.partial and not function.keywords:
        inner = behind_function(function.func, namespace)
        return None if inner is None or not all(map(is_atom, function.args)) else inner
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, (types.ModuleType, type)):
        return [owner] if has_copy(owner) else None
    if not isinstance(function, types.FunctionType):
        return None
    words, known = function.__code__.co_names[:MOST], function.__globals__
    found = [known[name] for name in words if name in known and has_copy(known[name])]
    if found and known is not namespace:
        return None  # copies stand in the places of the names that the loop sees
    return [*found, *filter(has_copy, map(content_of, function.__closure__ or ()))]


def content_of(cell: types.CellType) -> Any:
    """Return what a cell of a closure holds; None: nothing yet."""
    return cell.cell_contents if cell != types.CellType() else None


def has_copy(thing: Any) -> bool:
    """Tell whether there is a copy of something that is used up: a file, a queue, a container or an iterator."""
    kind = type(thing)
    if (kind in shadows.CONTAINERS and kind is not set) or shadows.is_queue(thing) or readers.is_reader(thing):
        return True
    return is_iterator(thing) and shadows.can_copy(thing)


def copied(thing: Any, shadow: shadows.Shadows, made: dict[int, Any]) -> Any:
    """Return a copy of what is walked, with the copies of the objects behind it; of each iterator one is `made`."""
    if id(thing) not in made:
        made[id(thing)] = new_copy(thing, shadow, made)
    return made[id(thing)]


def new_copy(thing: Any, shadow: shadows.Shadows, made: dict[int, Any]) -> Any:
    """Return a copy as `copied` does."""
    kind = type(thing)
    if shadow.of(thing) is not thing:
        return shadow.of(thing)
    if (archive := archive_walked(thing)) is not None:
        return iter(shadow.of(archive))
    if kind is CALLED:
        function, sentinel = thing.__reduce__()[1]
        return iter(rebound(function, shadow), sentinel)
    if kind in shadows.WRAPPING:
        maker, arguments, *state = thing.__reduce__()
        found = maker(*[copied(part, shadow, made) if hasattr(part, "__next__") else part for part in arguments])
        if state and state[0] is not None:
            found.__setstate__(state[0])
        return found
    return shadows.shadow_of(thing)


def rebound(function: Any, shadow: shadows.Shadows) -> Any:
    """Return a function that uses up the copies."""
    if type(function) is functools.partial:
        return functools.partial(rebound(function.func, shadow), *function.args)
    if isinstance(function, types.FunctionType) and function.__closure__:
        pairs = [(cell, content_of(cell)) for cell in function.__closure__]
        cells = tuple(cell if shadow.of(held) is held else types.CellType(shadow.of(held)) for cell, held in pairs)
        code, name = function.__code__, function.__name__
        return types.FunctionType(code, function.__globals__, name, function.__defaults__, cells)
    owner = getattr(function, "__self__", None)
    if owner is None or shadow.of(owner) is owner:
        return function
    return getattr(shadow.of(owner), function.__name__)


def live_of(place: Place) -> tuple[Any, ...]:
    """Return the live objects of a place."""
    return place.obj.live if place.obj is not None else ()


def alike(item: Any, copy: Any) -> bool:
    """Tell whether an item is the one that a copy of its iterator has given."""
    if item is copy:
        return True
    if type(item) is not type(copy):
        return False
    if type(item) is tuple:
        return len(item) == len(copy) and all(itertools.starmap(alike, zip(item, copy, strict=True)))
    if is_atom(item):
        return bool(item == copy)
    return all(hasattr(item, name) and getattr(item, name) == getattr(copy, name, None) for name in ALIKE)
