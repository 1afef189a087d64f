"""Functions handed to other functions, as in `map(f, xs)` or `sorted(xs, key=f)`: what calling them would change."""

from __future__ import annotations

import ast
import functools
import inspect
import types
from typing import TYPE_CHECKING

from concompare.cells import calls, known, library, names, summaries
from concompare.cells.values import Value, joined
from concompare.cells.world import MISSING

if TYPE_CHECKING:
    from concompare.cells.calls import Arguments
    from concompare.cells.purity import Analyzer

CALLING_FIRST = frozenset(
    known.words("""
    map filter reduce starmap takewhile dropwhile filterfalse partial cmp_to_key
    """)
)
"""Functions that call their first argument for certain."""

MAKERS = frozenset(
    known.words("""
    partial itemgetter attrgetter cmp_to_key methodcaller
    """)
)
"""Functions whose value is a function, known by its arguments."""


def apply_callables(an: Analyzer, node: ast.Call, given: Arguments) -> None:
    """Take every function among the arguments as called with the others."""
    parts = Value(given.all.all, given.all.all)
    short = getattr(node.func, "attr", getattr(node.func, "id", ""))
    called = given.nodes[:1] if short in CALLING_FIRST else []
    called += [given.keywords["key"]] if "key" in given.keywords else []
    for part in given.expressions():
        sure = any(part is other for other in called)
        if isinstance(part, ast.Lambda):
            summaries.inline_any(an, part, node, parts)
        elif isinstance(part, ast.Name) and part.id in an.functions:
            summaries.inline_any(an, an.functions[part.id], node, parts)
        elif isinstance(part, (ast.Name, ast.Attribute)):
            apply_callable(an, part, node, parts, sure=sure)
        elif sure and not isinstance(part, ast.Constant) and not is_maker(part):
            cannot_tell(an, part, node, parts)


def is_maker(part: ast.expr) -> bool:
    """Tell whether an expression makes a function of others, which are followed where it is made."""
    if not isinstance(part, ast.Call):
        return False
    name = getattr(part.func, "attr", getattr(part.func, "id", ""))
    if name == "methodcaller":
        word = part.args[0].value if part.args and isinstance(part.args[0], ast.Constant) else None
        return isinstance(word, str) and word in known.READERS
    return name in MAKERS


def cannot_tell(an: Analyzer, part: ast.expr, node: ast.AST, parts: Value) -> None:
    """Record that something is called of which nothing is known."""
    if not an.world.assume_pure:
        text = f"it cannot be seen what `{ast.unparse(part)[:40]}` is when it is called"
        an.effect("opaque", node, text, parts.all | an.value(part).all | {"*"})


def apply_callable(
    an: Analyzer, part: ast.Name | ast.Attribute, node: ast.AST, parts: Value, *, sure: bool = False
) -> None:
    """Take what a name stands for as called; `sure`: it is called, whatever it is."""
    thing = calls.resolve(an, part)
    if thing is MISSING:
        apply_missing(an, part, node, parts, sure=sure)
    elif isinstance(thing, types.FunctionType) and an.world.is_user(thing):
        summaries.follow_any(an, thing, node, parts)
    elif isinstance(thing, types.MethodType) and an.world.is_user(thing.__func__):
        summaries.follow_any(an, thing.__func__, node, joined([parts, an.value(part)]))
    elif isinstance(thing, (functools.partial, calls.CACHE)):
        calls.call_callable(an, thing, node, [parts], joined([parts, an.value(part)]))
    elif isinstance(thing, type) and an.world.is_user(thing):
        calls.call_callable(an, thing, node, [parts, parts], parts)
    elif isinstance(thing, types.BuiltinMethodType) and thing.__name__ in known.MUTATORS and thing.__self__ is not None:
        an.effect("change", node, f"calls `.{thing.__name__}` of {{}}", an.value(part).all or {ast.unparse(part)})
    elif isinstance(thing, known.CALLABLES):
        if sure:
            calls.call_callable(an, thing, node, [parts, parts], parts)
    elif an.world.is_user(type(thing)):
        method = inspect.getattr_static(type(thing), "__call__", MISSING)
        if method is not MISSING:
            calls.follow(an, method, node, [an.value(part), parts, parts])


def apply_missing(
    an: Analyzer, part: ast.Name | ast.Attribute, node: ast.AST, parts: Value, *, sure: bool = False
) -> None:
    """Take a method, a parameter or a function of the cell as called."""
    if isinstance(part, ast.Attribute):
        apply_method(an, part, node, parts, sure=sure)
    elif part.id in an.local:
        if an.place and any(root.startswith("param:") for root in an.local[part.id].own):
            an.effect("calls" if sure else "maybe-calls", node, part.id, parts.all)
        elif sure:
            cannot_tell(an, part, node, parts)
    else:
        definition = an.world.definitions.get(part.id)
        if isinstance(definition, names.FUNCTIONS):
            summaries.follow_any(an, definition, node, parts)
        elif isinstance(definition, ast.ClassDef):
            calls.follow_definition(an, definition, made_call(part, node), arguments(an, part, node, parts))
        elif (opened := calls.without_partial(an, made_call(part, node))) is not None:
            apply_callables(an, opened, arguments(an, part, node, parts))
            calls.call(an, opened)
        elif sure and calls.dotted(an, part) is None:
            cannot_tell(an, part, node, parts)


def apply_method(an: Analyzer, part: ast.Attribute, node: ast.AST, parts: Value, *, sure: bool) -> None:
    """Take a method as called."""
    base = an.value(part.value)
    own = an.world.methods(part.attr)
    for method in own:
        calls.follow(an, method, node, [base, parts, parts, parts])
    if part.attr in known.MUTATORS:
        an.change(base.own, node, f"calls `.{part.attr}` of {{}}")
    elif sure and not own and calls.dotted(an, part) is None:
        kind = calls.kind_of(an, part.value)
        given = arguments(an, part, node, parts)
        library.effects_of_method(an, made_call(part, node), part, kind, base, given, followed=False)


def made_call(part: ast.expr, node: ast.AST) -> ast.Call:
    """Return a call of something without arguments, in the place of a node."""
    return ast.copy_location(ast.Call(part, [], []), node)


def arguments(an: Analyzer, part: ast.expr, node: ast.AST, parts: Value) -> Arguments:
    """Return arguments that may be any of some values."""
    given = calls.Arguments(an, made_call(part, node))
    given.positional, given.all = [parts, parts], parts
    return given
