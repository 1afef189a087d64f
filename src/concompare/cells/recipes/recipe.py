"""The line of the notebook that made an object which cannot be sent, where workers may make it again by that line.

    object ── its type: is there a table? ── its name ── the one line that gave it ── the same arguments?
                                                                     └─ make one here: is it the same?  ──> Recipe

Nothing is guessed: where one of these does not hold, the object cannot be sent, and the reason says why.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from concompare.cells.frame import frame_of
from concompare.cells.recipes import states
from concompare.cells.recipes.history import Given, History
from concompare.cells.recipes.states import NotAgain
from concompare.cells.recipes.values import Changed, Values
from concompare.cells.syntax.own_code import is_user_module


@dataclass(frozen=True)
class Kind:
    """A kind of object that is made again; see `kinds.toml`."""

    made: tuple[str, ...]
    kind: str
    look: str = ""
    named: bool = False
    same: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How workers make an object again.

    Attributes:
        name: Its name in the notebook; `line`: the expression that made it there.
        make: What is called, with `arguments` and `named`.
        settings: Attributes that the new one is given.
        type: The dotted name of its type.
    """

    name: str
    line: str
    make: Any = field(repr=False)
    arguments: tuple[Any, ...] = field(repr=False)
    named: Mapping[str, Any] = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)
    type: str = ""

    def __str__(self) -> str:
        return f"`{self.name}` is made once in each worker process: `{self.line}`"


@functools.cache
def kinds() -> dict[str, Kind]:
    """Read the table, by the dotted names of types."""
    import tomllib

    raw = tomllib.loads(Path(__file__).with_name("kinds.toml").read_text(encoding="utf-8"))
    parts: dict[str, dict[str, Any]] = {
        name: {key: value if isinstance(value, str | bool) else tuple(value) for key, value in part.items()}
        for name, part in raw.items()
    }
    return {name: Kind(**part) for name, part in parts.items()}


KNOWN: WeakKeyDictionary[type, tuple[str, Kind] | None] = WeakKeyDictionary()


def kind_of(kind: type) -> tuple[str, Kind] | None:
    """Return what is known of a type, with the dotted name that it is known by; None where nothing is."""
    if kind not in KNOWN:
        bases = kind.__mro__ if not is_user_module(kind.__module__) else ()
        names = (f"{base.__module__.removeprefix('_')}.{base.__qualname__}" for base in bases)
        KNOWN[kind] = next(((name, kinds()[name]) for name in names if name in kinds()), None)
    return KNOWN[kind]


def recipe_of(thing: Any, namespaces: Sequence[Mapping[str, Any]]) -> Recipe | None:
    """Return how an object is made again; None where its type is none of which that is known.

    Args:
        thing: The object.
        namespaces: Where it may have a name, the nearest first.

    Raises:
        NotAgain: It is of such a type, and is not made again.
    """
    found = kind_of(type(thing))
    if found is None:
        return None
    dotted, kind = found
    for namespace in namespaces:
        if frame_of(namespace) is not None:
            continue  # names of a function, which no cell gives values
        named = [name for name, value in list(namespace.items()) if value is thing and not name.startswith("_")]
        if named:
            line = Line(thing, named[0], kind, namespace)
            try:
                return line.recipe(dotted)
            except NotAgain:
                if (path := states.path_of(thing, kind.look)) is None:
                    raise
            return line.by_path(path, dotted)
    raise NotAgain("no name of the notebook stands for it")


class Line:
    """The line that made an object.

    Args:
        thing: The object; `name`: what it is called in `namespace`.
        kind: What is known of its type.
    """

    def __init__(self, thing: Any, name: str, kind: Kind, namespace: Mapping[str, Any]) -> None:
        self.thing, self.name, self.kind, self.namespace = thing, name, kind, namespace
        self.history = History(namespace)

    def recipe(self, dotted: str) -> Recipe:
        """Return how the object is made again.

        Raises:
            NotAgain: It is not.
        """
        given = self.giver()
        call = self.unwrapped(given.value)
        values = Values(self.namespace, self.history, given.cell)
        if any(isinstance(part, ast.Starred) for part in call.args) or any(not part.arg for part in call.keywords):
            raise NotAgain(f"the arguments of `{ast.unparse(call)}` cannot be told")
        try:
            make, receiver = self.maker(call.func, values)
            arguments = (*receiver, *(values.of(part) for part in call.args))
            named = {str(part.arg): values.of(part.value) for part in call.keywords}
        except Changed as changed:
            raise NotAgain(f"{changed}") from None
        if (self.kind.named or not self.kind.look) and (
            self.history.is_opaque() or self.history.moved_since(given.cell)
        ):
            raise NotAgain("what it was made with may have changed since")
        settings = self.compared(make, arguments, named)
        return Recipe(self.name, ast.unparse(call), make, arguments, named, settings, dotted)

    def by_path(self, path: str, dotted: str) -> Recipe:
        """Return how the object is made again by the file that it reads, whatever line has opened that.

        Raises:
            NotAgain: It is not.
        """
        make = type(self.thing)
        if make is not meant(dotted):
            raise NotAgain(f"it is not known what a {make.__name__} makes of a path")
        settings = self.compared(make, (path,), {})
        return Recipe(self.name, f"{dotted}({path!r})", make, (path,), {}, settings, dotted)

    def giver(self) -> Given:
        """Return the one line that gave the name its value."""
        given = self.history.given(self.name)
        if not given or any(one.value is None for one in given):
            raise NotAgain(f"the line that made `{self.name}` cannot be found")
        if len({ast.dump(one.value) for one in given if one.value is not None}) > 1:
            raise NotAgain(f"`{self.name}` was given several values")
        return given[-1]

    def maker(self, func: ast.expr, values: Values) -> tuple[Any, tuple[Any, ...]]:
        """Return what makes the object: a function or class, or a method with the path that it is of."""
        receiver: tuple[Any, ...] = ()
        found = values.callee(func)
        if found is None and isinstance(func, ast.Attribute):
            receiver = (values.of(func.value),)
            found = getattr(type(receiver[0]), func.attr, None)
        make = inspect.unwrap(found) if callable(found) else None
        if any(found is meant(word) for word in self.kind.made):
            make = found  # a decorated function goes by its name as it is
        elif make is None or all(make is not meant(word) for word in self.kind.made):
            raise NotAgain(f"it is not known that `{ast.unparse(func)}` makes the same each time")
        return make, receiver

    def unwrapped(self, node: ast.expr | None) -> ast.Call:
        """Return the call that makes the object, of `contextlib.closing(…)` the one inside."""
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("closing", "contextlib.closing") and node.args:
            node = node.args[0]
        if not isinstance(node, ast.Call):
            raise NotAgain(f"`{self.name}` is given what no call makes again")
        return node

    def compared(self, make: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """See that one made here is as the notebook's, and return the settings that have to be copied."""
        kind, look = self.kind, states.LOOKS.get(self.kind.look)
        before = look(self.thing) if look is not None else ()
        if kind.look in states.BEFORE:
            states.BEFORE[kind.look](self.thing, arguments, named)
        fresh = self.fresh(make, arguments, named)
        if fresh.kind is not type(self.thing):
            raise NotAgain(f"that makes a {fresh.kind.__name__} now")
        for name in kind.same:
            if (mine := states.attribute(self.thing, name)) != fresh.attributes[name]:
                raise NotAgain(words_of(self.name, name, mine))
        if before != fresh.looks:
            raise NotAgain(f"`{self.name}` is not as a new one is, which workers would make")
        settings = {name: states.attribute(self.thing, name) for name in kind.copied}
        settings = {name: value for name, value in settings.items() if value != fresh.attributes[name]}
        for name, value in settings.items():
            if not states.is_plain_setting(value):
                raise NotAgain(f"its {name} may keep something that workers do not see")
        return settings

    def fresh(self, make: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Fresh:
        """Return what a new one is like; of a client, which may take long to make, once for each cell."""
        cells, look = len(self.history.cells), states.LOOKS.get(self.kind.look)
        if look is None and self.thing in FRESH and FRESH[self.thing][0] == cells:
            return FRESH[self.thing][1]
        try:
            other = make(*arguments, **named)
        except Exception as error:
            raise NotAgain(f"`{self.name}` cannot be made again: {type(error).__name__}: {error}") from None
        try:
            words = (*self.kind.same, *self.kind.copied)
            attributes = {name: states.attribute(other, name) for name in words}
            found = Fresh(type(other), attributes, look(other) if look is not None else ())
        finally:
            with suppress(Exception):
                other.close()
        if look is None:
            FRESH[self.thing] = cells, found
        return found


class Fresh(NamedTuple):
    """What a new object is like: its type, attributes, and what tells it from others."""

    kind: type
    attributes: dict[str, Any]
    looks: tuple[Any, ...]


FRESH: WeakKeyDictionary[Any, tuple[int, Fresh]] = WeakKeyDictionary()
"""What new clients are like, by the notebook's, with the number of cells that had run."""


def meant(dotted: str) -> Any:
    """Return what a dotted name stands for, where its module is loaded; else something that nothing is."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:cut]))
        if found is not None:
            for part in parts[cut:]:
                found = getattr(found, part, MISSING)
            return found
    return MISSING


MISSING = object()


def words_of(name: str, attribute: str, value: Any) -> str:
    """Return why an object is not made again whose attribute is not as in a new one."""
    if attribute in ("closed", "is_closed"):
        return f"`{name}` is closed"
    return f"its {attribute} is {str(value)[:60]!r}, not as in a new one"
