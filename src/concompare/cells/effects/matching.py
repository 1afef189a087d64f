"""What the patterns of `match` bind their names to."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import attribute, user_method
from concompare.cells.effects.elements import walk_over
from concompare.cells.effects.following import follow
from concompare.cells.effects.operators import binary, looked_at, operated
from concompare.cells.effects.scopes import Scope, live_object
from concompare.cells.effects.storing import bind_name
from concompare.cells.objects import ATOM, ELEMENT, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

UNCHANGING = (bool, bytes, float, int, str)
"""Classes whose objects nobody can change, and whose pattern binds the object itself: `str(name)`."""


def match(an: Interpreter, pattern: ast.pattern, value: Value, scope: Scope) -> None:
    """Match a value against a pattern: give the names in it what they may be bound to."""
    if isinstance(pattern, ast.MatchAs):
        if pattern.pattern is not None:
            match(an, pattern.pattern, value, scope)
        if pattern.name is not None:
            bind_name(an, pattern.name, ATOM if is_unchanging(an, pattern.pattern, scope) else value, scope)
    elif isinstance(pattern, ast.MatchOr):
        for part in pattern.patterns:
            match(an, part, value, scope)
    elif isinstance(pattern, ast.MatchValue):
        binary(an, "eq", value, an.value(pattern.value, scope), pattern, result=False)
    elif isinstance(pattern, ast.MatchClass):
        match_class(an, pattern, value, scope)
    elif isinstance(pattern, (ast.MatchSequence, ast.MatchMapping)):
        match_parts(an, pattern, value, scope)


def match_parts(an: Interpreter, pattern: ast.MatchSequence | ast.MatchMapping, value: Value, scope: Scope) -> None:
    """Match the elements of a sequence, or the values of a mapping."""
    elements = walk_over(an, value, pattern, values=True)
    rest: str | None = None
    for word in ("get", "keys") if isinstance(pattern, ast.MatchMapping) else ("__len__", "__getitem__"):
        for obj in value:
            method = user_method(an, obj, word)
            if method is not None:
                arguments = [frozenset({obj}), *[ATOM] * (method.__code__.co_argcount - 1)]
                elements |= follow(an, method, pattern, Arguments(arguments))
    if isinstance(pattern, ast.MatchMapping):
        for key in pattern.keys:
            looked_at(an, an.value(key, scope))
        rest = pattern.rest
    for part in pattern.patterns:
        if isinstance(part, ast.MatchStar):
            rest = part.name
        else:
            match(an, part, elements, scope)
    if rest is not None:
        kind = dict if isinstance(pattern, ast.MatchMapping) else list
        made = an.made(pattern, f"a {kind.__name__}", (kind,))
        an.put({made}, ELEMENT, elements)
        bind_name(an, rest, frozenset({made}), scope)


def match_class(an: Interpreter, pattern: ast.MatchClass, value: Value, scope: Scope) -> None:
    """Match an object of a class: attributes by their names, or those that the class puts first."""
    operated(an, "instancecheck", an.value(pattern.cls, scope), pattern, value)
    if is_unchanging(an, pattern, scope):
        value = ATOM
    for name, part in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        match(an, part, attribute(an, value, name, pattern), scope)
    if not pattern.patterns:
        return
    kind = live_object(an, pattern.cls.id, scope) if isinstance(pattern.cls, ast.Name) else None
    words = getattr(kind, "__match_args__", ())
    for place, part in enumerate(pattern.patterns):
        known = type(words) is tuple and place < len(words)
        found = (
            attribute(an, value, words[place], pattern) if known else value | walk_over(an, value, pattern, values=True)
        )
        match(an, part, found, scope)


def is_unchanging(an: Interpreter, pattern: ast.pattern | None, scope: Scope) -> bool:
    """Tell whether what a pattern matches is surely something that nobody can change."""
    if isinstance(pattern, ast.MatchOr):
        return all(is_unchanging(an, part, scope) for part in pattern.patterns)
    if isinstance(pattern, (ast.MatchValue, ast.MatchSingleton)):
        return isinstance(pattern, ast.MatchSingleton) or isinstance(pattern.value, ast.Constant)
    if not isinstance(pattern, ast.MatchClass) or not isinstance(pattern.cls, ast.Name):
        return False
    kind = live_object(an, pattern.cls.id, scope)
    return kind in UNCHANGING and not any(issubclass(own, kind) for own in an.world.classes())
