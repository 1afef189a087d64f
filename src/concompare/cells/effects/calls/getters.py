"""What `operator.methodcaller`, `attrgetter` and `itemgetter` make: the methods and attributes that they ask for."""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import attribute, user_method
from concompare.cells.effects.calls.applying import inner
from concompare.cells.effects.elements import looked_up
from concompare.cells.effects.following import follow
from concompare.cells.ir import Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, Origin, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

KINDS = (operator.methodcaller, operator.attrgetter)


@dataclass(frozen=True)
class Getter:
    """A callable that asks its argument for something.

    Attributes:
        kind: One of KINDS.
        names: What it asks for, in order; None: not known.
        given: What it calls a method with.
    """

    kind: type
    names: tuple[str, ...] | None
    given: Arguments


def made_getter(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Return what a call of one of KINDS makes."""
    made = an.made(node, f"a {kind.__name__}", (kind,), key=kind)
    asked = given.positional[:1] if kind is operator.methodcaller else given.positional
    texts = [given.flags.get(place) for place in range(len(asked))]
    known = bool(texts) and given.spread is None and all(type(text) is str for text in texts)
    rest = Arguments(given.positional[1:], given.named, given.spread)
    code = Getter(kind, tuple(map(str, texts)) if known else None, rest)
    an.intertwined = an.intertwined or made.code not in (None, code)
    made.origin, made.code = Origin.FUNCTION, code
    an.put({made}, ANY, rest.all)
    return frozenset({made})


def live_getter(an: Interpreter, thing: Any, what: str) -> Getter:
    """Return what is known of a getter that is there."""
    maker, given = thing.__reduce__()[:2]
    named = {}
    if maker is not type(thing):  # a method caller with arguments by name tells them by a partial function
        named, given = maker.keywords, (*maker.args, *given)
    if type(thing) is operator.attrgetter:
        return Getter(operator.attrgetter, given, Arguments())
    held = [an.world.outer(part, f"the arguments of `{what}`") for part in given[1:]]
    words = {name: an.world.outer(part, f"the arguments of `{what}`") for name, part in named.items()}
    return Getter(operator.methodcaller, given[:1], Arguments(held, words))


def call_getter(an: Interpreter, node: ast.AST, code: Getter, given: Arguments, what: str) -> Value:
    """Follow a call of one."""
    from concompare.cells.effects.calls.calling import call_method

    asked = given.of("0")
    if code.names is None:
        an.deep(given.all)
        an.doubt(Why.OPAQUE, f"it cannot be seen what `{what}` asks its argument for", "Name it in place")
        return given.all
    if code.kind is operator.methodcaller:
        scope = an.top
        assert scope is not None, "the interpreter walks a loop"
        return call_method(an, node, asked, code.names[0], code.given, scope)
    found = []
    for name in code.names:
        value = asked
        for part in name.split("."):
            value = attribute(an, value, part, node)
        found.append(value)
    if len(found) == 1:
        return found[0]
    row = an.made(node, f"what `{what}` gives", (tuple,), key=code.names)
    for value in found:
        an.put({row}, ELEMENT, value)
    return frozenset({row})


def call_itemgetter(an: Interpreter, node: ast.AST, given: Arguments) -> Value:
    """Return what an `itemgetter` looks up, by the user's own `__getitem__` too: that, or a tuple of several."""
    found = looked_up(an, given.of("0"))
    an.deep(given.of("0"))
    for obj in given.of("0"):
        found |= inner(an, obj)
        function = user_method(an, obj, "__getitem__")
        if function is not None:
            found |= follow(an, function, node, Arguments([frozenset({obj}), ATOM]))
    row = an.made(node, "what `itemgetter` gives", (tuple,), key="itemgetter")
    an.put({row}, ELEMENT, found)
    return found | {row}
