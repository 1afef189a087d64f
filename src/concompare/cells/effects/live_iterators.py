"""Iterators of the notebook with code of the user's behind them: what it does when they are asked for the next."""

from __future__ import annotations

import ast
import gc
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.following import follow, run_body
from concompare.cells.effects.kinds import PURE
from concompare.cells.effects.live import is_iterator, static
from concompare.cells.effects.scopes import Scope
from concompare.cells.ir import Why
from concompare.cells.objects import ATOM, Obj
from concompare.cells.syntax import names
from concompare.cells.syntax.definitions import FIRST, definition_of
from concompare.cells.syntax.own_code import is_installed_file

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

STEP = ast.Pass(lineno=0, col_offset=0, end_lineno=0, end_col_offset=0)
"""Stands for where an iterator is asked for the next."""
BUILT_IN = frozenset({"builtins", "itertools"})
"""Modules whose iterators ask others for what they give, and call functions with it."""
MOST = 50
"""Iterators one behind another, and what these hold, that are looked at."""


def step(an: Interpreter, obj: Obj) -> None:
    """Follow what runs where the next is asked of the live iterators that an object stands for."""
    for thing in obj.live:
        for iterator in behind(thing):
            if isinstance(iterator, types.GeneratorType):
                run_generator(an, iterator, obj.label)
            else:
                call_functions(an, iterator)


def behind(thing: Any) -> Iterator[Any]:
    """Yield a live iterator and those that it asks itself, through builtin ones."""
    waiting, met = [thing], set[int]()
    while waiting and len(met) < MOST:
        one = waiting.pop()
        if id(one) in met or not is_iterator(one):
            continue
        met.add(id(one))
        yield one
        waiting += held_by(one)


def held_by(iterator: Any) -> list[Any]:
    """Return what a builtin iterator holds: functions, other iterators, and what it walks."""
    if type(iterator).__module__ not in BUILT_IN or isinstance(iterator, types.GeneratorType):
        return []
    held = gc.get_referents(iterator)
    return [part for one in held for part in (one if type(one) is tuple else (one,))]


def call_functions(an: Interpreter, iterator: Any) -> None:
    """Follow the functions that a builtin iterator calls with what it walks, or the `__next__` of one of the user's."""
    from concompare.cells.effects.calls.applying import parameter_count
    from concompare.cells.effects.calls.nested import is_own_function

    method = static(type(iterator), "__next__")
    if isinstance(method, types.FunctionType) and an.world.is_user(method):
        follow(an, method, STEP, Arguments([an.world.outer(iterator, "an iterator")]))
    held = held_by(iterator)
    functions = [part for part in held if is_own_function(an, part)]
    if not functions:
        return
    sources = ATOM.union(*[an.world.outer(part, "what is walked") for part in held if part not in functions])
    walked = ATOM.union(*[an.world.element(obj) for obj in sources])
    for obj in ATOM.union(*[an.world.outer(function, "a function of an iterator") for function in functions]):
        an.call_obj(STEP, obj, Arguments([walked] * parameter_count(obj)), obj.label)


def run_generator(an: Interpreter, generator: types.GeneratorType[Any, Any, Any], label: str) -> None:
    """Follow the code of a generator of the user's, with what it was given."""
    code, frame = generator.gi_code, generator.gi_frame
    if frame is None or is_installed_file(code.co_filename):
        return
    definition, found = definition_of(code, code.co_name), values_in(frame)
    if definition is None:
        if not an.world.assume_pure:
            text = f"the source of the generator `{code.co_name}` cannot be found, so it cannot be seen what it changes"
            an.doubt(Why.OPAQUE, text, PURE)
        return
    words = {
        name: an.world.outer(found[name], label if name == FIRST else name)
        for name in names.parameters(definition)
        if name in found
    }
    rest = definition.args.vararg
    spread = ATOM.union(*[an.world.element(obj) for obj in words.get(rest.arg, ATOM)]) if rest is not None else None
    scope = Scope(module=frame.f_globals, cells=closed_over(code, found), where=code.co_qualname)
    scope.holders = holders_of(generator)
    made = run_body(an, definition, STEP, Arguments([], words, spread), scope, key=(code, id(generator)), is_root=True)
    for obj in made:
        if obj.lazy is not None:
            an.now.add(obj.lazy)


def values_in(frame: types.FrameType) -> dict[str, Any]:
    """Return the values of the variables of a frame, which it does not keep for longer than they last."""
    local = frame.f_locals
    found = dict(local)
    if type(local) is dict:  # before Python 3.13 the frame keeps it
        local.clear()
    return found


def closed_over(code: types.CodeType, found: dict[str, Any]) -> dict[str, Any]:
    """Return the values of what a generator sees of the functions around it."""
    return {name: found[name] for name in code.co_freevars if name in found}


def holders_of(generator: types.GeneratorType[Any, Any, Any]) -> dict[str, Any]:
    """Return the cells that hold what a generator sees of the functions around it, as its function has them."""
    for part in gc.get_referents(generator):
        if isinstance(part, types.FunctionType) and part.__code__ is generator.gi_code:
            return dict(zip(part.__code__.co_freevars, part.__closure__ or (), strict=True))
    return {}
