"""What threads and processes run, as the body of one loop over what each of them is given."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.effects.live import definition_of
from concompare.cells.ir import OURS, STARTED, Loop
from concompare.cells.objects import is_atom
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.renaming import bound, is_dotted_import, load, swapped
from concompare.errors import CellRefused

LOCAL, GIVEN, TARGET = STARTED + "l", STARTED + "g", STARTED + "t"
"""How the names begin under which the notebook has the variables of what threads run, while they run."""
FAILED, CAUGHT, ERROR, NUMBER = OURS + "failed", OURS + "caught", OURS + "error", OURS + "number"
MOST = 8
"""Different functions that are started together."""
BOUND_OTHERWISE = (ast.Nonlocal, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Match)
TURNS = (ast.For, ast.AsyncFor, ast.While)


@dataclass
class Started:
    """What one thread or process is to run: a function with what it is given, or the `run` of a class of the user's.

    Attributes:
        thing: The thread or process.
        own: What stands for it in its own `run`, without what belongs to threads; None: it calls a function.
        shared: Those of its attributes that all have.
    """

    thing: Any
    function: types.FunctionType
    args: tuple[Any, ...]
    named: dict[str, Any]
    own: Any = None
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Any:
        """What is the same for the same function."""
        cells = tuple(id(content(cell)) for cell in self.function.__closure__ or ())
        return self.body, cells, id(self.function.__defaults__), id(self.function.__kwdefaults__)

    @property
    def body(self) -> Any:
        """What is the same for functions with the same body, whatever they were made with."""
        return self.function.__code__, id(self.function.__globals__)


def content(cell: Any) -> Any:
    """Return what a variable of a function around holds, or None."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


@dataclass
class Made:
    """A loop over what threads run.

    Attributes:
        items: What each is given; `given`: the names that stand for what all are given.
        inlined: The body is that of their function, not a call of it.
        catches: What an item raises is kept, so that the others go on.
    """

    loop: Loop
    items: list[Any]
    given: dict[str, Any] = field(default_factory=dict)
    inlined: bool = False
    catches: bool = True


def calling(started: list[Started], place: ast.expr, what: str) -> Made:
    """Return the loop that calls the functions."""
    given: dict[str, Any] = {}
    keys = [part.key for part in started]
    groups = grouped(started, keys)
    numbers = numbered(keys)
    body: list[list[ast.stmt]] = []
    for number, function in enumerate(groups):
        given[f"{TARGET}{number}_{function.function.__name__}".replace("<lambda>", "lambda")] = function.function
    for name in given:
        arguments: list[ast.expr] = [located(ast.Starred(load(OURS + "args", place), ast.Load()), place)]
        keywords = [located(ast.keyword(None, load(OURS + "named", place)), place)]
        body.append([located(ast.Expr(located(ast.Call(load(name, place), arguments, keywords), place)), place)])
    sizes = {(len(part.args), part.own is None, *part.named) for part in started}
    if len(sizes) == 1 and not started[0].named:
        slots = [f"{OURS}item{number}" for number in range(len(started[0].args))]
        for name, block in zip(given, body, strict=True):
            call = located(ast.Call(load(name, place), [load(slot, place) for slot in slots], []), place)
            block[:] = [located(ast.Expr(call), place)]
        items = [(index, numbers[index], *part.args) for index, part in enumerate(started)]
    else:
        slots = [OURS + "args", OURS + "named"]
        items = [(index, numbers[index], part.args, part.named) for index, part in enumerate(started)]
    return Made(loop_of(place, what, slots, chosen(body, place)), items, given)


def inlining(
    started: list[Started], place: ast.expr, what: str, namespace: Mapping[str, Any], *, catches: bool
) -> Made:
    """Return the loop whose body is that of the functions.

    Raises:
        CellRefused: A function's body cannot stand in a loop of the notebook.
    """
    keys = [part.body for part in started]
    numbers = numbered(keys)
    made = Made(loop_of(place, what, [], []), [], inlined=True, catches=catches)
    bodies: list[list[ast.stmt]] = []
    slots: list[str] = []
    values: list[list[Any]] = [[] for _ in started]
    for number, first in enumerate(grouped(started, keys)):
        members = [index for index, found in enumerate(numbers) if found == number]
        variables = [variables_of(started[index]) for index in members]
        body, words = renamed(first, number, namespace)
        if first.own is not None:
            body = sharing([started[index] for index in members], body, words, made.given, number)
        extra: list[ast.stmt] = []
        for name in variables[0]:
            held = [found[name] for found in variables]
            same = len(started) > 1 and all(thing is held[0] for thing in held) and first.own is not held[0]
            if same and not is_atom(held[0]):
                word = f"{GIVEN}{number}_{name}"
                made.given[word] = held[0]
                if words.get(name, name) in names.writes(*body):
                    extra.append(bound(words[name], load(word, place), place))
                else:
                    body = [swapped(part, {words.get(name, name): word}) for part in body]
                continue
            for index in range(len(started)):
                values[index].append(variables[members.index(index)][name] if index in members else None)
            slots.append(words.get(name, f"{LOCAL}{number}_{name}"))
        bodies.append(extra + body)
    made.items = [(index, numbers[index], *values[index]) for index in range(len(started))]
    made.loop = loop_of(place, what, slots, chosen(bodies, place), catches=catches)
    return made


def sharing(
    members: list[Started], body: list[ast.stmt], words: Mapping[str, str], given: dict[str, Any], number: int
) -> list[ast.stmt]:
    """Return a body that finds under a name of its own what all threads have as an attribute; they have it no more."""
    own = words[next(iter(inspect.signature(members[0].function).parameters))]
    parts = [part for node in body for part in names.nodes_in(node) if isinstance(part, ast.Attribute)]
    uses = [part for part in parts if isinstance(part.value, ast.Name) and part.value.id == own]
    stored = {part.attr for part in uses if not isinstance(part.ctx, ast.Load)}
    known = other_names(type(members[0].own), members[0].function)
    found: dict[str, str] = {}
    for name, thing in vars(members[0].own).items():
        same = len(members) > 1 and all(vars(part.own).get(name, part) is thing for part in members)
        if same and not is_atom(thing) and name not in stored and name not in known:
            found[name] = f"{GIVEN}{number}_{name}"
            given[found[name]] = thing
    for part in members:
        part.shared = {name: vars(part.own).pop(name) for name in found}

    def instead(part: ast.AST) -> ast.AST | None:
        if isinstance(part, ast.Attribute) and part in uses and part.attr in found:
            return load(found[part.attr], part)
        return None

    return [names.copied(node, instead) for node in body]


def other_names(kind: type, run: types.FunctionType) -> set[str]:
    """Return the names that the methods of a class use, except those of its `run`."""
    found: set[str] = set()
    for part in kind.__mro__:
        if part.__module__.partition(".")[0] not in ("threading", "multiprocessing", "builtins"):
            things = [thing for thing in vars(part).values() if isinstance(thing, types.FunctionType)]
            others = [thing for thing in things if thing is not run and thing.__name__ != "__init__"]
            found |= {name for thing in others for name in thing.__code__.co_names}
    return found


def grouped(started: list[Started], keys: list[Any]) -> list[Started]:
    """Return the first of each key.

    Raises:
        CellRefused: They are too many.
    """
    found = [part for index, part in enumerate(started) if keys.index(keys[index]) == index]
    if len(found) > MOST:
        raise CellRefused(f"they run more than {MOST} functions.")
    return found


def numbered(keys: list[Any]) -> list[int]:
    """Return the number of each key, in the order of their first places."""
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def loop_of(place: ast.expr, what: str, slots: list[str], body: list[ast.stmt], *, catches: bool = True) -> Loop:
    """Return a loop over what threads are given, which may keep what they raise."""
    caught = located(ast.Call(load(CAUGHT, place), [load(ERROR, place)], []), place)
    pair = located(ast.Tuple([load(NUMBER + "0", place), caught], ast.Load()), place)
    append = located(ast.Attribute(load(FAILED, place), "append", ast.Load()), place)
    kept: list[ast.stmt] = [located(ast.Expr(located(ast.Call(append, [pair], []), place)), place)]
    handler = located(ast.ExceptHandler(load("Exception", place), ERROR, kept), place)
    caught_too = located(ast.Try(body or [located(ast.Pass(), place)], [handler], [], []), place)
    whole: list[ast.stmt] = [caught_too] if catches else body
    stores: list[ast.expr] = [
        located(ast.Name(name, ast.Store()), place) for name in (NUMBER + "0", NUMBER + "1", *slots)
    ]
    target = located(ast.Tuple(stores, ast.Store()), place)
    walked = load(OURS + "started", place)
    node = located(ast.For(target, walked, whole, []), place)
    return Loop("pool", place.lineno, node, target, walked, whole, own=what)


def chosen(bodies: list[list[ast.stmt]], place: ast.expr) -> list[ast.stmt]:
    """Return the statements that are one of some bodies, by the number of the function."""
    found = bodies[-1]
    for number in reversed(range(len(bodies) - 1)):
        asked = ast.Compare(load(NUMBER + "1", place), [ast.Eq()], [located(ast.Constant(number), place)])
        found = [located(ast.If(located(asked, place), bodies[number], found), place)]
    return found


def variables_of(started: Started) -> dict[str, Any]:
    """Return what a function's parameters and free variables hold when it is called.

    Raises:
        CellRefused: They cannot be told apart.
    """
    function = started.function
    try:
        signature = inspect.signature(function)
        found = signature.bind(*started.args, **started.named)
    except (TypeError, ValueError):
        raise CellRefused("what a function is given does not fit it.") from None
    kinds = {part.kind for part in signature.parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        raise CellRefused("a function takes any number of arguments.")
    found.apply_defaults()
    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    try:
        return {**{name: cell.cell_contents for name, cell in cells}, **found.arguments}
    except ValueError:
        raise CellRefused("a function reads a variable that has no value yet.") from None


def renamed(started: Started, number: int, namespace: Mapping[str, Any]) -> tuple[list[ast.stmt], dict[str, str]]:
    """Return the statements of a function for a loop's body, and the names of its variables there.

    Raises:
        CellRefused: They cannot stand there.
    """
    function = started.function
    code = function.__code__
    definition = definition_of(code, function.__name__)
    if definition is None or function.__globals__ is not namespace or isinstance(definition, ast.AsyncFunctionDef):
        raise CellRefused("the source of a function is not known.")
    if code.co_flags & (32 | 128 | 512):
        raise CellRefused("a function gives its results one by one.")
    statements: list[ast.stmt]
    if isinstance(definition, ast.Lambda):
        statements = [located(ast.Expr(definition.body), definition.body)]
    else:
        statements = list(definition.body)
    own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    parts = [part for node in statements for part in names.nodes_in(node)]
    if any(isinstance(part, BOUND_OTHERWISE) or is_dotted_import(part) for part in parts):
        raise CellRefused("a function changes variables of the one around it, or makes functions or classes.")
    inner = [part for part in parts if isinstance(part, ast.Lambda)]
    if any(own & {*names.parameters(part), *names.writes(part.body)} for part in inner):
        raise CellRefused("a function inside another one has variables of the same names.")
    if started.own is not None:
        check_own(statements, names.parameters(definition)[0])
    words = {name: f"{LOCAL}{number}_{name}" for name in own}
    statements = without_returns(statements)
    if isinstance(statements[-1], ast.Continue):
        statements[-1] = located(ast.Pass(), statements[-1])
    return [swapped(part, words) for part in statements], words


def check_own(statements: list[ast.stmt], word: str) -> None:
    """Refuse a `run` that hands its thread to others.

    Raises:
        CellRefused: It does.
    """
    held = {id(part.value) for node in statements for part in names.nodes_in(node) if isinstance(part, ast.Attribute)}
    for node in statements:
        for part in names.nodes_in(node):
            if isinstance(part, ast.Name) and part.id == word and id(part) not in held:
                raise CellRefused("a `run` hands its thread on.")


def without_returns(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements that go on with the next item where the function returns.

    Raises:
        CellRefused: A function returns from within a loop.
    """
    found: list[ast.stmt] = []
    for node in statements:
        if isinstance(node, ast.Return):
            if node.value is not None and not isinstance(node.value, (ast.Constant, ast.Name)):
                found.append(located(ast.Expr(node.value), node))
            found.append(located(ast.Continue(), node))
            break
        if ast.Return not in names.kinds_in(node):
            found += [node] if not isinstance(node, ast.Global) else []
            continue
        if isinstance(node, TURNS):
            raise CellRefused("a function returns from within a loop.")
        made = names.copied(node)
        for block in ("body", "orelse", "finalbody"):
            if getattr(made, block, None):
                setattr(made, block, without_returns(getattr(made, block)))
        for part in (*getattr(made, "handlers", ()), *getattr(made, "cases", ())):
            part.body = without_returns(part.body)
        found.append(made)
    return found or [located(ast.Pass(), statements[0])]
