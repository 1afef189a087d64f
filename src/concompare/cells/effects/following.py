"""The user's functions, followed with the arguments of each call."""

from __future__ import annotations

import ast
import inspect
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from concompare.cells.decorated import meant_by
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.calls.naming import texts_given
from concompare.cells.effects.kinds import PURE
from concompare.cells.effects.live import definition_of
from concompare.cells.effects.scopes import Scope
from concompare.cells.ir import Effects, Why
from concompare.cells.objects import ATOM, ELEMENT, RETURNED, Value
from concompare.cells.syntax import names
from concompare.cells.syntax.own_code import is_installed_file

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

DEEPEST = 30
ALONE = 1_000_000
"""Where a call depends on none of those around it that are still being followed."""
SEVERAL = 12
"""Different arguments that a function is followed with one by one."""
COMPARING = frozenset({"__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__repr__"})
"""Methods that `dataclass` makes and that change nothing."""
KNOWN_DECORATORS = frozenset(
    [
        "staticmethod",
        "classmethod",
        "property",
        "cached_property",
        "lru_cache",
        "cache",
        "wraps",
        "contextmanager",
        "dataclass",
        "total_ordering",
        "singledispatch",
        "njit",
        "jit",
        "abstractmethod",
        "override",
        "overload",
        "vectorize",
    ]
)


@dataclass
class Running:
    """A call that is being followed, inside so many others; `again`: it was met once more inside."""

    effects: Effects
    value: Value
    depth: int
    again: bool = False


class Same(NamedTuple):
    """The parameters that are the same for every item, those that are its own, and texts: see `Scope`."""

    same: frozenset[str]
    own: frozenset[str]
    texts: tuple[tuple[str, frozenset[str]], ...]


@dataclass
class Contexts:
    """The arguments that a function was followed with; beyond some, all are followed as one."""

    seen: set[tuple[Value, ...]] = field(default_factory=set)
    merged: dict[str, Value] = field(default_factory=dict)
    crowded: bool = False

    def widened(an, bound: dict[str, Value]) -> dict[str, Value]:
        """Return arguments, or what any of them were once there are too many."""
        row = tuple(bound.values())
        for name, value in bound.items():
            an.merged[name] = an.merged.get(name, ATOM) | value
        if row in an.seen:
            return bound
        if len(an.seen) >= SEVERAL:
            an.crowded = True
            return dict(an.merged)
        an.seen.add(row)
        return bound


def follow(an: Interpreter, function: types.FunctionType, node: ast.AST, given: Arguments) -> Value:
    """Follow a call of a user's function; what it does counts as done by the call."""
    function = guarded(meant_by(function))
    if (wrapped := behind_installed(an, function)) is not None:
        from concompare.cells.effects.calls.callables import run_around

        run_around(an, node, function, wrapped)
        return follow(an, wrapped, node, given)
    an.now.heavy = True
    an.now.called += (function.__name__,)
    if not an.depth:
        an.followed.setdefault(node, set()).add(function)
    if function not in an.functions:
        an.functions[function] = function_of(an, function)
    found = an.functions[function]
    if found is None:
        an.deep(given.all)
        if is_of_named_tuple(function):
            return named_tuple(an, node, given)
        if is_of_dataclass(function):
            ask_fields(an, function, node, given)
            return ATOM
        if not an.world.assume_pure:
            text = f"the source of `{function.__qualname__}` cannot be found, so it cannot be seen what it changes"
            an.doubt(Why.OPAQUE, text, PURE)
        return given.all
    definition, scope, defaults = found
    return run_body(an, definition, node, given, scope, key=function, defaults=defaults, is_root=True)


def is_of_named_tuple(function: types.FunctionType) -> bool:
    """Tell whether a function is the `__new__` that `namedtuple` has made."""
    return function.__name__ == "__new__" and function.__code__.co_name == "<lambda>"


def named_tuple(an: Interpreter, node: ast.AST, given: Arguments) -> Value:
    """Return the named tuple that the `__new__` of one makes, which holds what that is given."""
    first = given.positional[0] if given.positional else ATOM
    kinds = tuple(thing for obj in first for thing in obj.live if isinstance(thing, type))
    made = an.made(node, "a named tuple", kinds or None, key="a named tuple")
    an.put({made}, ELEMENT, given.all - first)
    return frozenset({made})


def ask_fields(an: Interpreter, function: types.FunctionType, node: ast.AST, given: Arguments) -> None:
    """Follow a method that `dataclass` has made: it asks what the fields hold for the same."""
    from concompare.cells.effects.operators import DEEPEST as FIELDS
    from concompare.cells.effects.operators import operated, seen_in

    site = function, given.all
    if function.__name__ not in COMPARING or site in an.running:
        return
    an.running[site] = Running(an.now, ATOM, an.depth)
    fields, word = seen_in(an, given.all, FIELDS), function.__name__.strip("_")
    for name in dict.fromkeys((word,) if word in ("hash", "repr") else ("eq", word)):
        operated(an, name, fields, node, fields)
    del an.running[site]


def behind_installed(an: Interpreter, function: types.FunctionType) -> types.FunctionType | None:
    """Return the user's function or method behind an installed wrapper, as that of `contextmanager`; None: no such.

    By `functools.wraps` the wrapper says that it is of the user's module.
    """
    if "__wrapped__" not in vars(function) or not is_installed_file(function.__code__.co_filename):
        return None
    wrapped = inspect.unwrap(function)
    return wrapped if isinstance(wrapped, types.FunctionType) and an.world.is_user(wrapped) else None


def guarded(function: types.FunctionType) -> types.FunctionType:
    """Return the `__repr__` that `dataclass` has put behind a guard against endless recursion, or the function."""
    inner = vars(function).get("__wrapped__")
    if not isinstance(inner, types.FunctionType) or not is_of_dataclass(inner):
        return function
    return inner if is_installed_file(function.__code__.co_filename) else function


def is_of_dataclass(function: types.FunctionType) -> bool:
    """Tell whether `dataclass` has made a method that changes nothing."""
    made = function.__code__.co_filename == "<string>" and function.__name__ in COMPARING
    return made or function.__qualname__.startswith("__create_fn__")


def function_of(
    an: Interpreter, function: types.FunctionType
) -> tuple[names.FunctionNode, Scope, dict[str, Value]] | None:
    """Return a live function's definition, the scope around it, and its live defaults; None: it has no source."""
    definition = definition_of(function.__code__, function.__name__)
    if definition is None:
        return None
    cells = {}
    holders = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name, cell in holders.items():
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            continue
    scope = Scope(module=function.__globals__, cells=cells, holders=holders, where=function.__qualname__)
    return definition, scope, live_defaults(an, function, definition)


def live_defaults(an: Interpreter, function: types.FunctionType, definition: names.FunctionNode) -> dict[str, Value]:
    """Return what the live defaults of a function's parameters are: all calls share them."""
    positional = names.signature_of(definition).positional
    values = function.__defaults__ or ()
    given = [*zip(positional[len(positional) - len(values) :], values, strict=False)]
    given += (function.__kwdefaults__ or {}).items()
    return {name: an.world.outer(thing, f"the default of `{name}`") for name, thing in given}


def run_body(
    an: Interpreter,
    definition: names.FunctionNode,
    node: ast.AST,
    given: Arguments,
    around: Scope,
    *,
    key: Any,
    defaults: dict[str, Value] | None = None,
    is_root: bool = False,
) -> Value:
    """Follow the body of a function with its parameters bound; the same call is followed once."""
    bound = bind(an, definition, node, given, defaults or {})
    an.budget.step(2)
    contexts = an.contexts.setdefault(key, Contexts())
    bound = contexts.widened(bound)
    an.intertwined = an.intertwined or contexts.crowded
    texts = texts_given(definition, node, given, key)
    same = Same(same_parameters(definition, given), own_parameters(definition, given), texts)
    site = (key, tuple(bound.items()), same, an.chain[-1:] if not is_root else ())
    known = an.memo.get(site)
    if known is not None:
        effects, value = known
        an.lowest = min(an.lowest, an.open.get(site, ALONE))
        an.now.add(effects)
        return value
    if site in an.running:
        running = an.running[site]
        running.again = an.intertwined = True
        an.lowest = min(an.lowest, running.depth)
        an.now.add(running.effects)
        return running.value
    if an.depth >= DEEPEST:
        an.doubt(Why.OPAQUE, "calls are nested too deeply to be followed")
        return given.all
    lowest, an.lowest = an.lowest, ALONE
    done = walk_body(an, definition, node, bound, around, site, same, is_root=is_root)
    effects, value = an.memo[site] = as_called(an, definition, node, *done)
    close(an, site)
    an.lowest = min(an.lowest, lowest)
    an.now.add(effects)
    return value


def as_called(
    an: Interpreter, definition: names.FunctionNode, node: ast.AST, effects: Effects, value: Value, scope: Scope
) -> tuple[Effects, Value]:
    """Return what a call does and gives: a generator or coroutine, which does the work of the body later, or that."""
    if scope.is_lazy or isinstance(definition, ast.AsyncFunctionDef):
        made = an.made(node, "a generator", (types.GeneratorType,), key=definition)
        an.defer(made, effects)
        an.put({made}, ELEMENT, scope.yielded if scope.is_lazy else value)
        if scope.is_lazy:
            an.put({made}, RETURNED, value)
            an.throw(value)  # by StopIteration
        effects, value = Effects(), frozenset({made})
    tell_at_call(an, definition, effects)
    return effects, value


def close(an: Interpreter, site: Any) -> None:
    """Forget calls inside a recursion that ends here: they lack what those around them did after them.

    As Tarjan finds strongly connected components: `lowest` is the outermost call around that the one at `site` met.
    """
    if an.lowest < an.depth:
        an.open[site] = an.lowest
        return
    an.lowest = ALONE
    for other in [other for other, depth in an.open.items() if depth >= an.depth]:
        del an.open[other]
        an.memo.pop(other, None)


def tell_at_call(an: Interpreter, definition: names.FunctionNode, effects: Effects) -> None:
    """Move the doubts inside a function to the line of its call."""
    here = [doubt for doubt in effects.doubts if doubt.line == an.line]
    for doubt in effects.doubts:
        if doubt.line != an.line:
            where = getattr(definition, "name", "the lambda")
            text = doubt.text if doubt.text.startswith(f"`{where}`") else f"`{where}`: {doubt.text}"
            here.append(type(doubt)(doubt.why, an.line, text, doubt.remedy))
    effects.doubts = tuple(here)


def walk_body(
    an: Interpreter,
    definition: names.FunctionNode,
    node: ast.AST,
    bound: dict[str, Value],
    around: Scope,
    site: Any,
    same: Same,
    *,
    is_root: bool,
) -> tuple[Effects, Value, Scope]:
    """Walk a function's body, again where it calls itself and more is known of what it gives by then."""
    running = an.running[site] = Running(Effects(), an.returned.get(site, ATOM), an.depth)
    line, chain, inner = an.line, an.chain, an.inner
    an.chain = chain[: chain.index(id(node)) + 1] if id(node) in chain else (*chain, id(node))
    an.depth += 1
    try:
        while True:
            scope = new_scope(definition, bound, around, is_root=is_root)
            scope.same, scope.own, scope.texts = same.same, same.own, dict(same.texts)
            with an.recording(running.effects):
                returned = body_value(an, definition, scope)
            done = returned <= running.value
            running.value |= returned
            if done or not running.again:
                return running.effects, running.value, scope
            an.returned[site] = running.value
            an.changed = True
    finally:
        an.depth -= 1
        an.line, an.chain, an.inner = line, chain, inner
        del an.running[site]


def body_value(an: Interpreter, definition: names.FunctionNode, scope: Scope) -> Value:
    """Follow the body; returns what it may return."""
    if isinstance(definition, ast.Lambda):
        return an.value(definition.body, scope)
    an.block(definition.body, scope)
    return scope.returned


def same_parameters(definition: names.FunctionNode, given: Arguments) -> frozenset[str]:
    """Return the parameters that are surely the same for every item: given so, or by default, and never set again."""
    if given.spread is not None:
        return frozenset()
    signature, same = names.signature_of(definition), given.same
    count = len(given.positional)
    found = {word for place, word in enumerate(signature.positional) if place >= count or place in same}
    found.update(signature.by_keyword)
    found.difference_update([word for word in given.named if word not in same])
    found.update([word for word in same if isinstance(word, str)])
    return frozenset(found - signature.written)


def own_parameters(definition: names.FunctionNode, given: Arguments) -> frozenset[str]:
    """Return the parameters that are as they were given, and were not given what several items may have alike."""
    args = definition.args
    placed = [arg.arg for arg in [*args.posonlyargs, *args.args]]
    body = [definition.body] if isinstance(definition, ast.Lambda) else definition.body
    meeting = {
        placed[place] if isinstance(place, int) else place
        for place in given.meeting
        if place in range(len(placed)) or isinstance(place, str)
    }
    return frozenset(names.parameters(definition)) - names.writes(*body) - meeting


def new_scope(definition: names.FunctionNode, bound: dict[str, Value], around: Scope, *, is_root: bool) -> Scope:
    """Return the scope of one call of a function."""
    local = names.signature_of(definition).local
    body = definition.body if isinstance(definition.body, list) else ()
    if is_root:
        return Scope(dict(bound), local, None, around.module, around.cells, around.holders, around.where, body=body)
    where = getattr(definition, "name", "the lambda")
    return Scope(dict(bound), local, around, around.module, where=where, body=body)


def bind(
    an: Interpreter, definition: names.FunctionNode, node: ast.AST, given: Arguments, defaults: dict[str, Value]
) -> dict[str, Value]:
    """Match arguments to parameters; where that cannot be told, every parameter may be any of them."""
    args, signature = definition.args, names.signature_of(definition)
    positional = signature.positional
    found = {name: defaults.get(name, ATOM) for name in signature.parameters}
    found.update(zip(positional, given.positional, strict=False))
    for name, value in given.named.items():
        if name in found:
            found[name] = value
    rest = given.positional[len(positional) :]
    if args.vararg is not None:
        found[args.vararg.arg] = packed(an, node, tuple, [*rest, given.spread or ATOM], args.vararg.arg)
    extra = [value for name, value in given.named.items() if name not in found]
    if args.kwarg is not None:
        found[args.kwarg.arg] = packed(an, node, dict, [*extra, given.spread or ATOM], args.kwarg.arg)
    if given.spread:
        for name in [*positional[len(given.positional) :], *signature.by_keyword]:  # those before it are what they are
            found[name] = found[name] | given.spread
    return found


def packed(an: Interpreter, node: ast.AST, kind: type, values: list[Value], key: str) -> Value:
    """Return the tuple of `*args` or the dict of `**kwargs`."""
    made = an.made(node, f"`{key}`", (kind,), key=key)
    an.put({made}, ELEMENT, ATOM.union(*values))
    return frozenset({made})


def keeps_meaning(node: ast.AST) -> bool:
    """Tell whether a decorator is one that keeps the function's meaning."""
    node = node.func if isinstance(node, ast.Call) else node
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in KNOWN_DECORATORS
