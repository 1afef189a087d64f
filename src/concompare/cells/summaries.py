"""Following the user's own functions: what each changes of its parameters, of globals, and of hidden state."""

from __future__ import annotations

import ast
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from concompare.cells import known, names
from concompare.cells.values import LAZY, NOTHING, WALKED_ONCE, Effect, Value, extracted, joined
from concompare.cells.world import MISSING, closure_of, default_of

if TYPE_CHECKING:
    from concompare.cells.calls import Arguments
    from concompare.cells.purity import Analyzer

KNOWN_DECORATORS = frozenset(
    known.words("""
    cache lru_cache wraps staticmethod classmethod property cached_property dataclass njit jit vectorize
    guvectorize total_ordering contextmanager abstractmethod override final setter getter singledispatch
    """)
)
DEEPEST = 12


@dataclass
class Summary:
    """What a function does, in terms of its parameters.

    Attributes:
        effects: What it does; roots `param:x` stand for the argument, `param*:x` for what is inside it.
        roots: The outer objects it reads.
        names: The global names it reads.
        compared: The objects that it compares as wholes.
        returned: Where its value comes from.
        parameters: The names of its parameters.
        complete: The walk is finished (a recursive call sees an unfinished one).
    """

    parameters: list[str]
    effects: list[Effect] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)
    returned: Value = NOTHING
    complete: bool = False


def is_known_decorator(node: ast.AST) -> bool:
    """Tell whether a decorator of the cell is one that keeps the function's meaning."""
    node = node.func if isinstance(node, ast.Call) else node
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in KNOWN_DECORATORS


def follow(an: Analyzer, function: Any, node: ast.AST, values: list[Value], given: Arguments | None) -> Value:
    """Follow a call of a user's function: its effects, in terms of the arguments, become effects of the call."""
    summary = summarize(an, function)
    if summary is None:
        name = getattr(function, "__qualname__", "it")
        if not an.world.assume_pure:
            text = f"the source of `{name}` cannot be found, so it cannot be seen what it changes"
            an.effect("opaque", node, text, joined(values).all | {"*"})
        return extracted(joined(values))
    bound, nodes = arrange(summary.parameters, function, values, given)
    return apply(an, summary, node, bound, nodes)


def follow_any(an: Analyzer, function: Any, node: ast.AST, value: Value) -> Value:
    """Follow a call whose arguments may be any of the given values."""
    summary = summarize(an, function)
    count = len(summary.parameters) if summary is not None else 1
    return follow(an, function, node, [value] * count, None)


def arrange(
    parameters: list[str], function: Any, values: list[Value], given: Arguments | None
) -> tuple[dict[str, Value], dict[str, ast.expr]]:
    """Match arguments to parameters; where that cannot be told, every parameter may be any of them."""
    nodes: dict[str, ast.expr] = {}
    everything = joined([*values, *(given.named.values() if given else [])])
    if (given is not None and given.spread) or len(values) > len(parameters):
        return dict.fromkeys(parameters, everything), nodes
    bound = dict.fromkeys(parameters, NOTHING)
    args = function.args if isinstance(function, names.FUNCTIONS) else None
    rest = (args is not None and (args.vararg or args.kwarg)) or getattr(
        getattr(function, "__code__", None), "co_flags", 0
    ) & 12
    if rest:
        bound = dict.fromkeys(parameters, everything)
    skipped = len(values) - len(given.nodes) if given else 0
    for position, (name, value) in enumerate(zip(parameters, values, strict=False)):
        bound[name] = joined([bound[name], value]) if rest else value
        if given is not None and 0 <= position - skipped < len(given.nodes):
            nodes[name] = given.nodes[position - skipped]
    for name, value in (given.named if given else {}).items():
        bound[name] = value
        if given is not None:
            nodes[name] = given.keywords[name]
    return bound, nodes


def apply(an: Analyzer, summary: Summary, node: ast.AST, bound: dict[str, Value], nodes: dict[str, ast.expr]) -> Value:
    """Make the effects of a followed function effects of the calling code."""
    from concompare.cells import callbacks, calls

    an.reading.roots |= translated(summary.roots, bound)
    an.reading.names |= summary.names
    an.reading.called |= summary.names
    whole = {f"param:{name}" for name, part in nodes.items() if isinstance(part, ast.Name)}
    compared = {root for root in summary.compared if root in whole or not root.startswith("param")}
    an.reading.compared |= translated(compared, bound)
    line = getattr(node, "lineno", an.line)
    for effect in list(summary.effects):
        if effect.kind in ("calls", "maybe-calls"):
            part = nodes.get(effect.text)
            roots = translated(effect.roots, bound)
            value = Value(roots, roots)
            if isinstance(part, ast.Lambda):
                inline_any(an, part, node, value)
            elif isinstance(part, ast.Name) and part.id in an.functions:
                inline_any(an, an.functions[part.id], node, value)
            elif isinstance(part, ast.Name) and part.id in an.local and an.place:
                an.effect(effect.kind, line, part.id, roots)
            elif isinstance(part, (ast.Name, ast.Attribute)) and (
                calls.resolve(an, part) is not MISSING
                or (isinstance(part, ast.Name) and part.id in an.world.definitions)
            ):
                callbacks.apply_callable(an, part, node, value, sure=effect.kind == "calls")
            elif effect.kind == "calls" and not an.world.assume_pure:
                text = f"it cannot be seen what `{effect.place}` calls as `{effect.text}`"
                an.effect("opaque", line, text, roots | {"*"})
            continue
        roots = translated(effect.roots, bound)
        if roots or effect.kind != "change":
            an.reading.effects.append(Effect(effect.kind, roots, line, effect.text, effect.place))
    returned = summary.returned
    return Value(translated(returned.own, bound), translated(returned.all - WALKED_ONCE, bound))


def translated(roots: Any, bound: dict[str, Value]) -> frozenset[str]:
    """Return roots with parameters replaced by what was given for them."""
    found: set[str] = set()
    for root in roots:
        if root.startswith("param:"):
            found |= bound.get(root[6:], NOTHING).own
        elif root.startswith("param*:"):
            found |= bound.get(root[7:], NOTHING).all
        else:
            found.add(root)
    return frozenset(found)


def summarize(an: Analyzer, function: Any) -> Summary | None:
    """Return what a user's function does, following it the first time; None where there is no source."""
    world = an.world
    key = id(function)
    if key in world.summaries:
        found: Summary | None = world.summaries[key]
        return found
    definition = function if isinstance(function, names.FUNCTIONS) else world.source(function)
    if definition is None:
        code: Any = getattr(function, "__code__", None)
        made_by_library = code is not None and code.co_filename == "<string>" and function.__name__.startswith("__")
        world.summaries[key] = (
            Summary([*code.co_varnames[: code.co_argcount]], complete=True) if made_by_library else None
        )
        return world.summaries[key]  # type: ignore[no-any-return]
    summary = Summary(names.parameters(definition))
    world.summaries[key] = summary
    if an.depth >= DEEPEST:
        summary.effects.append(
            Effect("opaque", frozenset({"*"}), definition.lineno, "calls are nested too deeply to be followed")
        )
        return summary
    for _ in range(3):
        before = (len(set(summary.effects)), len(summary.roots), summary.returned)
        walk(an, function, definition, summary)
        if (len(set(summary.effects)), len(summary.roots), summary.returned) == before:
            break
    summary.complete = True
    return summary


def walk(an: Analyzer, function: Any, definition: names.FunctionNode, summary: Summary) -> None:
    """Follow the body of a function once."""
    name = str(getattr(function, "__qualname__", None) or getattr(definition, "name", "the lambda"))
    child = type(an)(an.world, place=name)
    child.depth = an.depth + 1
    body: list[ast.stmt]
    if isinstance(definition, ast.Lambda):
        body = [ast.copy_location(ast.Return(definition.body), definition.body)]
    else:
        body = definition.body
    declared = {part for node in names.nodes_in(definition) for part in names.declared_names(node)}
    for local in names.writes(*body) - declared:
        child.local[local] = NOTHING
    for parameter in summary.parameters:
        child.local[parameter] = parameter_value(child, function, definition, parameter)
    child.first = summary.parameters[0] if summary.parameters else None
    if isinstance(function, types.FunctionType):
        reach_outside(child, function)
    elif not isinstance(definition, ast.Lambda):
        for decorator in definition.decorator_list:
            if not is_known_decorator(decorator):
                child.effect("opaque", decorator, "is decorated by something that cannot be followed", {"*"})
    initial = dict(child.local)
    child.captured = {
        name
        for node in names.nodes_in(definition)
        if isinstance(node, names.FUNCTIONS) and node is not definition
        for name in names.free_names(node)
    }
    child.certain = True
    for _ in range(2):
        child.local = dict(initial)
        with child.fresh() as reading:
            child.block(body)
    summary.effects = list(dict.fromkeys([*summary.effects, *child.reading.effects, *reading.effects]))
    summary.roots |= {root for root in reading.roots if not root.startswith("·")}
    summary.names |= reading.names
    summary.compared |= reading.compared
    made = Value(frozenset({LAZY})) if isinstance(definition, ast.AsyncFunctionDef) else NOTHING
    summary.returned = joined([summary.returned, child.returned, made])


def parameter_value(child: Analyzer, function: Any, definition: names.FunctionNode, name: str) -> Value:
    """Return where a parameter comes from: the argument, or a default that all calls share."""
    own, inside = {f"param:{name}"}, {f"param*:{name}"}
    if definition.args.vararg is not None and definition.args.vararg.arg == name:
        own, inside = set(), {f"param:{name}", f"param*:{name}"}
    if definition.args.kwarg is not None and definition.args.kwarg.arg == name:
        own, inside = set(), {f"param:{name}", f"param*:{name}"}
    if isinstance(function, types.FunctionType):
        default = default_of(function, name)
        shared = default is not MISSING and not known.is_atom(default) and not callable(default)
        if shared:
            child.world.hidden[f"{child.place}:{name}"] = default
    else:
        default = written_default(definition, name)
        shared = default is not None and not isinstance(default, (ast.Constant, ast.UnaryOp))
    if shared:
        own.add(f"{child.place}:{name}")
        inside.add(f"{child.place}:{name}")
    return Value(frozenset(own), frozenset(inside))


def written_default(definition: names.FunctionNode, name: str) -> ast.expr | None:
    """Return the default of a parameter as written."""
    args = definition.args
    positional = [*args.posonlyargs, *args.args]
    for arg, default in zip(reversed(positional), reversed(args.defaults), strict=False):
        if arg.arg == name:
            return default
    for arg, late in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if arg.arg == name:
            return late
    return None


def reach_outside(child: Analyzer, function: types.FunctionType) -> None:
    """Give the analysis of a function its closure, and its own globals where it lives in another module."""
    for name, (cell, value) in {
        name: (cell, value)
        for (name, value), cell in zip(closure_of(function).items(), function.__closure__ or (), strict=True)
    }.items():
        child.objects[name] = value
        child.tags[name] = f"cell:{id(cell)}"
    if function.__globals__ is not child.world.namespace:
        code_names = set(function.__code__.co_names)
        stack = [function.__code__]
        while stack:
            part = stack.pop()
            code_names |= set(part.co_names)
            stack += [constant for constant in part.co_consts if isinstance(constant, types.CodeType)]
        for name in code_names - set(child.local):
            if name in function.__globals__:
                child.objects[name] = function.__globals__[name]
                child.tags[name] = f"{function.__module__}.{name}"


def inline(an: Analyzer, definition: names.FunctionNode, node: ast.AST, given: Arguments) -> Value:
    """Follow a call of a function that the same code defines."""
    if given.spread:
        return inline_any(an, definition, node, given.all)
    values = dict(zip(names.parameters(definition), given.positional, strict=False))
    values.update({name: value for name, value in given.named.items() if name != "**"})
    return inline_with(an, definition, node, values)


def inline_any(an: Analyzer, definition: names.FunctionNode, node: ast.AST, value: Value) -> Value:
    """Follow a call whose arguments may be any of the given values."""
    return inline_with(an, definition, node, dict.fromkeys(names.parameters(definition), value))


def inline_with(an: Analyzer, definition: names.FunctionNode, node: ast.AST, values: dict[str, Value]) -> Value:
    """Follow the body of a function of the same code with its parameters bound."""
    if an.depth >= DEEPEST:
        an.effect("opaque", node, "calls are nested too deeply to be followed", {"*"})
        return extracted(joined(values.values()))
    kept, returned, place = dict(an.local), an.returned, an.place
    body = (
        definition.body
        if isinstance(definition.body, list)
        else [ast.copy_location(ast.Return(definition.body), definition.body)]
    )
    declared = {part for piece in names.nodes_in(definition) for part in names.declared_names(piece)}
    local = (set(names.parameters(definition)) | names.writes(*body)) - declared
    args = definition.args
    shared = {arg.arg for arg in (args.vararg, args.kwarg) if arg is not None}
    for name in local:
        an.local[name] = NOTHING
    for name in names.parameters(definition):
        found = values.get(name, NOTHING)
        an.local[name] = Value(inside=joined(values.values()).all) if name in shared else found
        default = written_default(definition, name)
        if default is not None and not isinstance(default, ast.Constant):
            an.local[name] = joined([an.local[name], an.value(default)])
    an.returned, an.depth = NOTHING, an.depth + 1
    outer_names = set(an.reading.names)
    an.place = place or "·inner"
    for _ in range(2):
        an.block(body)
    found = an.returned
    an.reading.names = (
        outer_names | (an.reading.names - local) | {n for n in names.free_names(definition) if place == ""}
    )
    changed = {name: value for name, value in an.local.items() if name not in local}
    an.local = {**kept, **{name: value for name, value in changed.items() if name in kept}}
    an.returned, an.depth, an.place = returned, an.depth - 1, place
    return found
