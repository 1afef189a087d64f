"""A `for` statement over a generator function of the user's that does work, as a loop with the work in its body.

`for v in gen(xs): …` walks what `gen` walks, with `v = …` and the statement's own body in the place of `yield …`. So
whatever the two do between each other stays in the plain loop's order, and the stages are found for both together.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import types
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from concompare.cells.counting import VIEWS, counted
from concompare.cells.effects.live import definition_of, static
from concompare.cells.forms.flattening import is_cheap
from concompare.cells.frame import frame_of
from concompare.cells.inlining.callee import OF_FRAMES
from concompare.cells.inlining.numbers import NUMBERS, OF_GENERATORS
from concompare.cells.ir import INLINED, OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.renaming import bound_to, swapped

"""Tell apart the generators whose bodies stand in a loop, from the functions that do."""
BARRED = frozenset({
    *(ast.Nonlocal, ast.Global, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.GeneratorExp),
    *(ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Return, ast.Delete, ast.NamedExpr, ast.Match),
})  # fmt: skip
AROUND = (ast.Try, ast.TryStar, ast.With, ast.For, ast.While)
"""What may not stand around a `yield`, but for the one loop: it would be told how the generator ends."""
DEEPEST = 4
MOST = 3
"""Places that give values: the body is written once for each."""
MOST_GIVEN = 10_000
"""What a generator that cannot be taken apart may give."""
STEADY = (list, tuple, range, dict, set, frozenset, *VIEWS)


@dataclass
class Fused:
    """A loop over what generators walk.

    Attributes:
        loop: The loop.
        items: What it walks; `call`: what has made that, where it is a generator.
        given: Names of ours, and what they stand for.
        heavy: One of the generators does work.
        levels: The generators, the one that is asked by the others last.
        rest: `items` is a generator that cannot be taken apart and does no work: what it gives is walked as a list.
    """

    loop: Loop
    items: Any
    call: ast.Call
    given: dict[str, Any] = field(default_factory=dict)
    heavy: bool = False
    levels: tuple[Level, ...] = ()
    rest: bool = False

    def given_by_rest(self, namespace: dict[str, Any]) -> list[Any] | None:
        """Return all that the generator which is left will give, by another one of its kind; None: it gives no list."""
        code = compile(placed(ast.Expression(names.copied(self.call))), "<generator>", "eval")
        try:
            other = eval(code, namespace)
            same = other.gi_code is self.items.gi_code and is_same_frame(other.gi_frame, self.items.gi_frame)
            found = list(itertools.islice(other, MOST_GIVEN + 1)) if same else None
        except Exception:  # the plain loop meets it in its turn
            return None
        return found if found is not None and len(found) <= MOST_GIVEN else None

    def again(self, left: Any) -> Any:
        """Return the generators as they were written, over the items that are left."""
        for level in reversed(self.levels):
            left = level.over(left)
        return left


@dataclass(frozen=True)
class Level:
    """One generator: its code, the names that it sees, its loop, and the values of its variables when that begins."""

    code: types.CodeType
    names: dict[str, Any]
    own: ast.For
    values: Mapping[str, Any]

    def over(self, items: Any) -> Any:
        """Return the generator over other items, with the frame that the function's own has."""
        code = self.code
        word = f"{OURS}left"
        walks = located(
            ast.For(self.own.target, located(ast.Name(word, ast.Load()), self.own.iter), self.own.body, []), self.own
        )
        given = [ast.arg(name) for name in (*self.values, word)]
        arguments = ast.arguments([], given, None, [], [], None, [])
        definition = located(ast.FunctionDef(code.co_name, arguments, [walks], []), self.own)
        definition.lineno, definition.col_offset = code.co_firstlineno, 0
        whole = compile(placed(ast.Module([definition], [])), code.co_filename, "exec", dont_inherit=True)
        inner = next(part for part in whole.co_consts if isinstance(part, types.CodeType))
        inner = inner.replace(co_qualname=code.co_qualname)
        return types.FunctionType(inner, self.names)(*self.values.values(), items)


Heavy = Callable[[types.FunctionType], bool]
"""Tells whether a generator function holds a call that may take long."""


def walked_through(
    loop: Loop, items: Any, namespace: Mapping[str, Any], shadowed: frozenset[str], heavy: Heavy
) -> Fused | None:
    """Return a loop over a generator that has not begun as one over what that walks; None: it cannot be one."""
    begun = beginning(loop, items)
    if begun is None:
        return None
    found = Fused(*begun)
    for _ in range(DEEPEST):
        if not is_unbegun(found.items):
            break
        inner = around(found, namespace, shadowed, heavy)
        if inner is None:
            return over_rest(found, namespace, heavy)
        found = inner
    counts = isinstance(found.items, STEADY) or type(found.items).__module__ == "numpy" or counted(found.items)
    return found if found.heavy and counts is not None and counts is not False else None


def over_rest(found: Fused, namespace: Mapping[str, Any], heavy: Heavy) -> Fused | None:
    """Return a loop over a generator that cannot be taken apart, below some that can; None: it does work itself."""
    walks = found.loop.items
    call = walks if isinstance(walks, ast.Call) else found.call
    given = [*call.args, *[word.value for word in call.keywords]]
    if not (found.levels and found.heavy) or not all(isinstance(part, (ast.Name, ast.Constant)) for part in given):
        return None
    function = function_of(found, namespace)
    if function is None or heavy(function):
        return None
    return replace(found, loop=replace(found.loop, items=call, early=True), call=call, rest=True)


def is_same_frame(one: types.FrameType, other: types.FrameType) -> bool:
    """Tell whether two generators that have not begun have the same objects."""
    return {name: id(thing) for name, thing in one.f_locals.items()} == {
        name: id(thing) for name, thing in other.f_locals.items()
    }


def beginning(loop: Loop, items: Any) -> tuple[Loop, Any, ast.Call] | None:
    """Return a loop, the generator that it walks, and the call that makes it; None: it walks none that can be fused.

    A comprehension's own variables get names of ours, for they are those of the body then.
    """
    node, call = loop.node, loop.items
    if loop.target is None or call is None:
        return None
    if not isinstance(items, types.GeneratorType):
        if not isinstance(call, ast.Name) or not has_generator(type(items)):
            return None
        call = located(ast.Call(located(ast.Attribute(call, "__iter__", ast.Load()), call), [], []), call)
        items = iter(items)
    if not isinstance(call, ast.Call):
        return None
    if isinstance(node, ast.For):
        return (loop, items, call) if loop.items is node.iter else None
    alone = isinstance(node, names.COMPREHENSIONS) and len(node.generators) == 1
    if not alone or loop.stops or loop.between or loop.caller or loop.method or loop.timeless:
        return None
    begin = NUMBERS.of_generator()
    words = {name: begin + name for name in names.stored(loop.target)}
    body = [swapped(statement, words) for statement in loop.body]
    return replace(loop, target=swapped(loop.target, words), body=body), items, call


def has_generator(kind: type) -> bool:
    """Tell whether objects of a class of the user's are walked by a generator function of it."""
    found = inspect.getattr_static(kind, "__iter__", None)
    return isinstance(found, types.FunctionType) and inspect.isgeneratorfunction(found)


def is_unbegun(items: Any) -> bool:
    """Tell whether something is a generator that nothing has been asked of."""
    return isinstance(items, types.GeneratorType) and inspect.getgeneratorstate(items) == inspect.GEN_CREATED


def around(found: Fused, namespace: Mapping[str, Any], shadowed: frozenset[str], heavy: Heavy) -> Fused | None:
    """Return a loop over a generator with the generator's own loop around its body."""
    made = made_by(found, namespace)
    if made is None:
        return None
    function, before, own = made
    frame = found.items.gi_frame
    code, local = found.items.gi_code, {name: value for name, value in frame.f_locals.items() if name != FIRST}
    begin = NUMBERS.of_generator()
    words = {name: begin + name for name in (*code.co_varnames, *code.co_freevars)}
    given = {begin + name: value for name, value in local.items()}
    if is_seen(code, found.items, own, function.__globals__, namespace) or not clear(
        own, before, ChainMap(frame.f_locals, function.__globals__), shadowed
    ):
        return None
    if {*local, *names.writes(*before)} & names.writes(own):
        return None  # a variable goes from one turn to the next
    walked = swapped(own.iter, words)
    values = {**namespace, **given}
    if FIRST in frame.f_locals:
        values[begin + FIRST] = given[begin + FIRST] = listed(frame.f_locals[FIRST])
        walked = located(ast.Name(begin + FIRST, ast.Load()), own.iter)
    try:
        for statement in before:
            exec(compile(placed(ast.Module([swapped(statement, words)], [])), "<generator>", "exec"), values)
        items = eval(compile(placed(ast.Expression(walked)), "<generator>", "eval"), values)
    except Exception:  # the generator meets it in its turn
        return None
    given |= {begin + name: values[begin + name] for name in names.writes(*before)}
    body = Writer(found.loop, words).block(own.body)
    if body is None:
        return None
    target = swapped(own.target, words)
    loop = replace(found.loop, target=target, items=walked, body=body, expanded=function.__name__)
    variables = {name.removeprefix(begin): value for name, value in given.items() if name != begin + FIRST}
    level = Level(code, function.__globals__, own, variables)
    held = found.heavy or heavy(function)
    return Fused(
        loop, items, call_of(own.iter, found.call, items), {**found.given, **given}, held, (*found.levels, level)
    )


FIRST = ".0"
"""What the code of a generator expression calls what it walks."""


def listed(items: Any) -> Any:
    """Return the list or tuple whose iterator has not given anything yet; anything else as it is."""
    if type(items) not in (type(iter([])), type(iter(()))):
        return items
    _, held, *place = items.__reduce__()
    return held[0] if place == [0] else items


def made_by(found: Fused, namespace: Mapping[str, Any]) -> tuple[types.FunctionType, list[ast.stmt], ast.For] | None:
    """Return the function that has made a generator, with what comes before its loop, and that loop."""
    function = function_of(found, namespace)
    definition = definition_of(function.__code__, function.__name__) if function is not None else None
    if function is None or not isinstance(definition, ast.FunctionDef):
        return None
    if function.__code__ is found.items.gi_code:
        parts = loop_in(definition)
        return None if parts is None else (function, *parts)
    own = returned(definition)
    return None if own is None else (function, [], own)


def returned(definition: ast.FunctionDef) -> ast.For | None:
    """Return the generator expression that is all a function returns as the loop of a generator."""
    body = list(definition.body)
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del body[0]
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    if not isinstance(value, ast.GeneratorExp) or len(value.generators) != 1 or value.generators[0].is_async:
        return None
    (part,) = value.generators
    step: ast.stmt = located(ast.Expr(located(ast.Yield(value.elt), value.elt)), value.elt)
    for test in reversed(part.ifs):
        step = located(ast.If(test, [step], []), test)
    own = located(ast.For(part.target, part.iter, [step], []), value)
    return own if names.kinds_in(own).isdisjoint(BARRED) else None


def call_of(walks: ast.expr, call: ast.Call, items: Any) -> ast.Call:
    """Return the call that has made what a generator walks: in it, or among the arguments that it was called with."""
    if isinstance(walks, ast.Call) or not isinstance(items, types.GeneratorType):
        return walks if isinstance(walks, ast.Call) else call
    given = [*call.args, *[word.value for word in call.keywords]]
    return next((part for part in given if isinstance(part, ast.Call)), call)


def function_of(found: Fused, namespace: Mapping[str, Any]) -> Any:
    """Return the function that has made a generator for this loop alone, whose globals the notebook's names are."""
    frame = frame_of(namespace)
    seen = frame.module if frame is not None else namespace
    generator, call = found.items, found.call
    thing = maker_of(call.func, namespace)
    if not isinstance(thing, types.FunctionType) or thing.__globals__ is not seen or thing.__code__.co_freevars:
        return None
    if thing.__code__ is not generator.gi_code and generator.gi_code not in thing.__code__.co_consts:
        return None
    given = [*call.args, *[word.value for word in call.keywords]]
    if any(isinstance(part, ast.Starred) for part in call.args) or any(word.arg is None for word in call.keywords):
        return None
    made = [part for part in given if isinstance(part, ast.Call)]
    held = [value for value in generator.gi_frame.f_locals.values() if isinstance(value, types.GeneratorType)]
    codes = {getattr(maker_of(part.func, namespace), "__code__", None) for part in made}
    return thing if len(held) <= len(made) and all(value.gi_code in codes for value in held) else None


def maker_of(func: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """Return the function that a name stands for, or a method of what a name stands for."""
    if isinstance(func, ast.Name):
        return namespace.get(func.id)
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in namespace:
        return inspect.getattr_static(type(namespace[func.value.id]), func.attr, None)
    return None


def loop_in(definition: ast.FunctionDef) -> tuple[list[ast.stmt], ast.For] | None:
    """Return the loop that a generator function consists of, with the assignments before it."""
    body = list(definition.body)
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del body[0]
    if not body or not isinstance(body[-1], ast.For) or body[-1].orelse:
        return None
    before, own = body[:-1], body[-1]
    simple = all(isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name) for part in before)
    kinds = frozenset[type[ast.AST]]().union(*[names.kinds_in(part) for part in body])
    return (before, own) if simple and kinds.isdisjoint(BARRED) and ast.Break not in kinds else None


def clear(own: ast.For, before: list[ast.stmt], local: Mapping[str, Any], shadowed: frozenset[str]) -> bool:
    """Tell whether what a generator does before its first value may be done twice, and shows nobody its frame."""
    values = [part.value for part in before if isinstance(part, ast.Assign)]
    walks = own.iter
    if FIRST in local or is_of_text(walks, local):
        cheap = True
    elif isinstance(walks, ast.Call) and isinstance(walks.func, ast.Name) and not walks.keywords:
        parts = [part for part in walks.args if not is_of_text(part, local)]
        cheap = is_cheap(walks, shadowed) or all(is_cheap(part, shadowed) for part in parts)
    else:
        cheap = is_cheap(walks, shadowed)
    words = {part.id for part in names.nodes_in(own) if isinstance(part, ast.Name)}
    known = all(is_cheap(part, shadowed) or is_of_text(part, local) for part in values)
    return cheap and known and words.isdisjoint(OF_FRAMES)


def is_of_text(node: ast.expr, local: Mapping[str, Any]) -> bool:
    """Tell whether an expression cuts a text that a variable has into parts, by what is written out."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        return type(looked_up(node, local)) is str
    if isinstance(node, ast.Subscript):
        parts = node.slice
        cut = (parts.lower, parts.upper, parts.step) if isinstance(parts, ast.Slice) else (parts,)
        return is_of_text(node.value, local) and all(part is None or is_written(part) for part in cut)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.keywords:
        return False
    return node.func.attr in CUTTING and is_of_text(node.func.value, local) and all(map(is_written, node.args))


def looked_up(node: ast.expr, local: Mapping[str, Any]) -> Any:
    """Return what a variable has, or an attribute of it that is found without running anything; None: not known."""
    if isinstance(node, ast.Name):
        return local.get(node.id)
    thing = looked_up(node.value, local) if isinstance(node, ast.Attribute) else None
    plain = static(type(thing), "__getattribute__") is object.__getattribute__
    return inspect.getattr_static(thing, node.attr, None) if isinstance(node, ast.Attribute) and plain else None


def is_written(node: ast.expr) -> bool:
    """Tell whether an expression is a value that is written out, with a sign or without."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


CUTTING = frozenset({
    *("split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "lower", "upper", "casefold", "replace"),
    *("removeprefix", "removesuffix", "partition", "rpartition", "expandtabs"),
})  # fmt: skip
"""Methods of texts that give texts, or lists of them."""


def is_seen(
    code: types.CodeType, items: Any, own: ast.For, made_in: Mapping[str, Any], namespace: Mapping[str, Any]
) -> bool:
    """Tell whether somebody else has the generator, or names mean something else where its body is to stand."""
    if any(thing is items for name, thing in namespace.items() if not name.startswith(INLINED)):
        return True
    walks = own.iter
    if isinstance(walks, ast.Call) and isinstance(walks.func, ast.Name) and walks.func.id not in KNOWN:
        maker = made_in.get(walks.func.id)
        if not isinstance(maker, types.FunctionType) or not makes_generator(maker):
            return True
    frame = frame_of(namespace)
    local = frame.local if frame is not None else frozenset[str]()
    return bool(local & {*code.co_names})


def makes_generator(function: types.FunctionType) -> bool:
    """Tell whether a function is a generator function, or returns a generator expression and does nothing else."""
    if inspect.isgeneratorfunction(function):
        return True
    definition = definition_of(function.__code__, function.__name__)
    return isinstance(definition, ast.FunctionDef) and returned(definition) is not None


KNOWN = frozenset({"range", "enumerate", "zip", "reversed", "sorted", "list", "tuple"})


def placed(tree: ast.Module | ast.Expression) -> Any:
    """Return code with all its places."""
    return ast.fix_missing_locations(tree)


class Writer:
    """Writes the body of a loop into that of a generator.

    Args:
        loop: The loop.
        words: The generator's variables, and what they are called there.
    """

    def __init__(self, loop: Loop, words: Mapping[str, str]) -> None:
        self.loop, self.words = loop, words
        self.values = 0
        self.leaves = any(ast.Break in names.kinds_in(part) for part in loop.body)

    def block(self, body: list[ast.stmt]) -> list[ast.stmt] | None:
        """Return the statements of one turn; None where something comes after a value, or more is asked of it."""
        made: list[ast.stmt] = []
        for place, statement in enumerate(body):
            if ast.Yield not in names.kinds_in(statement):
                made.append(swapped(statement, self.words))
                continue
            found = self.giving(statement) if place == len(body) - 1 else None
            if found is None:
                return None
            made += found
        return made

    def giving(self, statement: ast.stmt) -> list[ast.stmt] | None:
        """Return the last statement of a block, which gives values."""
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield):
            self.values += 1
            given = statement.value.value
            if self.values > MOST or given is None or ast.Yield in names.kinds_in(given):
                return None
            target = self.loop.target
            assert target is not None
            own = [part if self.values == 1 else names.copied(part) for part in self.loop.body]
            return [bound_to(names.copied(target), swapped(given, self.words), statement), *own]
        if isinstance(statement, ast.For) and not statement.orelse and ast.Yield not in names.kinds_in(statement.iter):
            inner = self.block(statement.body)
            parts = swapped(statement.target, self.words), swapped(statement.iter, self.words)
            return None if inner is None or self.leaves else [located(ast.For(*parts, inner, []), statement)]
        if not isinstance(statement, ast.If) or ast.Yield in names.kinds_in(statement.test):
            return None
        arms = [self.block(arm) for arm in (statement.body, statement.orelse)]
        if arms[0] is None or arms[1] is None:
            return None
        test = swapped(statement.test, self.words)
        return [located(ast.If(test, arms[0], arms[1]), statement)]


def own_names(namespace: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that variables of generators have."""
    for name in namespace:
        if name.startswith(INLINED) and int(name.removeprefix(INLINED).partition("_")[0]) >= OF_GENERATORS:
            yield name
