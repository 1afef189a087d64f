"""Statements: what each of them does with names and objects."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Unloaded
from concompare.cells.effects.attributes import any_part, attribute, user_method
from concompare.cells.effects.elements import item_of, key_of, looked_up, own_row, walk_over
from concompare.cells.effects.expressions import defined_function
from concompare.cells.effects.following import keeps_meaning
from concompare.cells.effects.kinds import inert
from concompare.cells.effects.live import MISSING
from concompare.cells.effects.matching import match
from concompare.cells.effects.numeric import operated_on
from concompare.cells.effects.operators import OPERATORS, ask_truth, in_place, operated
from concompare.cells.effects.scopes import Scope, look_up, merged
from concompare.cells.effects.storing import (
    assign,
    bind_name,
    delete_attribute,
    passed_on,
    refuse_nothing,
    set_attribute,
    write_attribute,
)
from concompare.cells.frame import is_own
from concompare.cells.ir import Place, Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, LAZY, Obj, Value, reachable
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter


def _on_Expr(an: Interpreter, node: ast.Expr, scope: Scope) -> Value:
    return an.value(node.value, scope)


def _on_Assign(an: Interpreter, node: ast.Assign, scope: Scope) -> Value:
    value = an.value(node.value, scope)
    for target in node.targets:
        assign(an, target, value, scope)
    return ATOM


def _on_AnnAssign(an: Interpreter, node: ast.AnnAssign, scope: Scope) -> Value:
    if node.value is not None:
        assign(an, node.target, an.value(node.value, scope), scope)
    return ATOM


def updated(an: Interpreter, node: ast.AugAssign, held: Value, value: Value) -> Value:
    """Follow the operator of an augmented assignment."""
    name = OPERATORS[type(node.op)]
    return operated_on(an, node, held | value, name) | in_place(an, name, held, value, node)


def _on_AugAssign(an: Interpreter, node: ast.AugAssign, scope: Scope) -> Value:
    target = node.target
    if isinstance(target, ast.Name):
        held = look_up(an, target.id, scope)
        value = an.value(node.value, scope)
        found = updated(an, node, held, value)
        bind_name(an, target.id, found, scope)
        return ATOM
    with an.at(target, scope):
        base = an.value(target.value, scope)
        if isinstance(target, ast.Subscript):
            index = an.value(target.slice, scope)
            key = key_of(an, target, scope, base)
            held = frozenset[Obj]()
            for obj in base:
                an.read(obj, key)
                held |= looked_up(an, frozenset({obj}), key)
                row = own_row(an, target, obj, key)
                held |= item_of(an, obj, target, index) if row is None else row
        else:
            key = target.attr
            held = attribute(an, base, key, target)
    value = an.value(node.value, scope)
    found = updated(an, node, held, value)
    with an.at(target, scope):
        if isinstance(target, ast.Subscript):
            an.write(base, key)
        else:
            refuse_nothing(an, base, target)
            write_attribute(an, base, target)
        an.put(base, ELEMENT if isinstance(target, ast.Subscript) else key, found)
        for obj in base:
            if isinstance(target, ast.Subscript):
                operated(an, "setitem", obj, target, found)
            else:
                set_attribute(an, obj, target, found)
    return ATOM


def _on_Delete(an: Interpreter, node: ast.Delete, scope: Scope) -> Value:
    for target in node.targets:
        if isinstance(target, ast.Name):
            if scope is an.top or (target.id in scope.declared and is_own(an.world.namespace, scope.module, target.id)):
                an.now.writes.add(Place(None, target.id))
            if scope is not an.top and target.id in scope.declared:
                an.given.setdefault(target.id, ATOM)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            base = an.value(target.value, scope)
            if isinstance(target, ast.Subscript):
                an.value(target.slice, scope)
                for obj in base:
                    operated(an, "delitem", obj, target, ATOM)
                an.write(passed_on(an, base, "__delitem__"), ANY)
                an.write(base, ELEMENT)
            else:
                for obj in base:
                    delete_attribute(an, obj, target)
                write_attribute(an, base, target)
    return ATOM


def _on_If(an: Interpreter, node: ast.If, scope: Scope) -> Value:
    ask_truth(an, an.value(node.test, scope), node.test)
    branches(an, [node.body, node.orelse], scope)
    return ATOM


def branches(an: Interpreter, blocks: Iterable[Sequence[ast.stmt]], scope: Scope) -> None:
    """Follow alternatives, and go on with what any of them leaves."""
    before, ends = dict(scope.names), []
    for block in blocks:
        scope.names = dict(before)
        an.block(block, scope)
        ends.append(scope.names)
    scope.names = merged(ends)


def _on_For(an: Interpreter, node: ast.For | ast.AsyncFor, scope: Scope) -> Value:
    value = an.value(node.iter, scope)
    before = dict(scope.names)
    an.inner += 1
    with an.at(node.iter, scope):
        found = walk_over(an, value, node.iter)
    turns(an, scope, before, lambda: assign(an, node.target, found, scope), node)
    an.inner -= 1
    return ATOM


def turns(
    an: Interpreter,
    scope: Scope,
    before: dict[str, Value],
    start: Callable[[], object],
    node: ast.For | ast.AsyncFor | ast.While,
) -> None:
    """Follow the turns of an inner loop until another one would read nothing new of the names at its begin."""
    jumped: list[dict[str, Value]] = []
    scope.jumped.append(jumped)
    while True:
        start()
        an.block(node.body, scope)
        scope.names = merged([before, scope.names, *jumped])
        grown = {name for name, value in scope.names.items() if value != before.get(name, ATOM)}
        if grown.isdisjoint(names.read_first(node)) and grown.isdisjoint(scope.shared):
            break
        before = dict(scope.names)
    scope.jumped.pop()
    an.block(node.orelse, scope)
    scope.names = merged([scope.names, *jumped])


def _on_While(an: Interpreter, node: ast.While, scope: Scope) -> Value:
    before = dict(scope.names)
    an.inner += 1
    turns(an, scope, before, lambda: ask_truth(an, an.value(node.test, scope), node.test), node)
    an.inner -= 1
    return ATOM


def _on_Try(an: Interpreter, node: ast.Try, scope: Scope) -> Value:
    seen = dict(scope.names)
    scope.watched.append(seen)
    an.block(node.body, scope)
    scope.watched.pop()
    after = merged([seen, scope.names])
    ends = []
    an.block(node.orelse, scope)
    ends.append(scope.names)
    for handler in node.handlers:
        scope.names = dict(after)
        an.value(handler.type, scope)
        if handler.name:
            error = frozenset({an.made(handler, handler.name, None)})
            an.put(error, ANY, an.raised)
            bind_name(an, handler.name, error | an.raised, scope)
        an.block(handler.body, scope)
        ends.append(scope.names)
    scope.names = merged([*ends, after] if node.finalbody else ends) if ends else after
    an.block(node.finalbody, scope)
    return ATOM


def _on_With(an: Interpreter, node: ast.With | ast.AsyncWith, scope: Scope) -> Value:
    for item in node.items:
        manager = an.value(item.context_expr, scope)
        put_under(an, node, item.context_expr, manager)
        given = ATOM
        with an.at(item.context_expr, scope):
            for obj in manager:
                entered = operated(an, "enter", obj, node, ATOM)
                operated(an, "exit", obj, node, ATOM)
                if user_method(an, obj, "__enter__") is None:
                    given |= any_part(an, obj) if not gives_itself(obj) else frozenset({obj})
                    obj.asked.add(LAZY)
                    if obj.lazy is not None:
                        an.now.add(obj.lazy)
                        given = given - {obj} | frozenset(obj.held(ELEMENT))
                    if obj.outer and not inert(obj):
                        an.write({obj}, ANY)
                    if any(issubclass(kind, REDIRECTING) for kind in obj.types or ()):
                        an.write(reachable([obj, *any_part(an, obj)]), ANY)  # what is printed under it goes there
                given |= entered
        if item.optional_vars is not None:
            assign(an, item.optional_vars, given, scope)
    seen = dict(scope.names)
    scope.watched.append(seen)
    an.block(node.body, scope)
    scope.watched.pop()
    scope.names = merged([seen, scope.names])
    return ATOM


def gives_itself(obj: Obj) -> bool:
    """Tell whether an object, as a context, surely gives itself: what reads a member of an archive does."""
    found = [declared.method(kind, "__enter__") for kind in obj.types or ()]
    return bool(found) and all(entry is not None and entry.returns == ("self",) for entry in found)


REDIRECTING = (contextlib.redirect_stdout, contextlib.redirect_stderr)
LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp)
"""What may be done when the context that it stands under has ended."""


def put_under(an: Interpreter, node: ast.With | ast.AsyncWith, context: ast.expr, manager: Value) -> None:
    """Note which calls are done under a context, and of which types it may be."""
    kinds = [obj.types or (object,) for obj in manager] or [(object,)]
    found = {f"{kind.__module__}.{kind.__qualname__}" for several in kinds for kind in several}
    seen, calls = an.managers.setdefault(context, (set(), set()))
    waiting: list[ast.AST] = [] if seen else [*node.body]
    seen |= found
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Call):
            calls.add(part)
        if not isinstance(part, LATER):
            waiting += ast.iter_child_nodes(part)


def _on_Match(an: Interpreter, node: ast.Match, scope: Scope) -> Value:
    value = an.value(node.subject, scope)
    an.deep(value)
    before, ends = dict(scope.names), [dict(scope.names)]
    for case in node.cases:
        scope.names = dict(before)
        match(an, case.pattern, value, scope)
        if case.guard is not None:
            an.value(case.guard, scope)
        an.block(case.body, scope)
        ends.append(scope.names)
    scope.names = merged(ends)
    return ATOM


def _on_Return(an: Interpreter, node: ast.Return, scope: Scope) -> Value:
    scope.returned |= an.value(node.value, scope)
    return ATOM


def _on_Raise(an: Interpreter, node: ast.Raise, scope: Scope) -> Value:
    raised = an.value(node.exc, scope) | an.value(node.cause, scope)
    an.throw(frozenset(obj for obj in raised if not any(isinstance(thing, type) for thing in obj.live)))
    scope.names = {}
    return ATOM


def _on_Assert(an: Interpreter, node: ast.Assert, scope: Scope) -> Value:
    ask_truth(an, an.value(node.test, scope), node.test)
    an.value(node.msg, scope)
    return ATOM


def _on_Global(an: Interpreter, node: ast.Global, scope: Scope) -> Value:
    if scope is not an.top:
        scope.declared |= set(node.names)
    return ATOM


def _on_Nonlocal(an: Interpreter, node: ast.Nonlocal, scope: Scope) -> Value:
    return ATOM


def _on_Import(an: Interpreter, node: ast.Import | ast.ImportFrom, scope: Scope) -> Value:
    import sys

    for alias in node.names:
        name = alias.asname or alias.name.split(".")[0]
        if isinstance(node, ast.Import):
            thing = sys.modules.get(alias.name if alias.asname else name, MISSING)
        else:
            module = sys.modules.get(node.module or "") if not node.level else None
            thing = vars(module).get(alias.name, MISSING) if module is not None else MISSING
        value = an.world.outer(thing, name) if thing is not MISSING else ATOM
        if thing is MISSING:
            dotted = alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
            made = an.made(node, dotted, None, key=name)
            made.code = Unloaded(dotted)
            value = frozenset({made})
        bind_name(an, name, value, scope)
    return ATOM


def _on_FunctionDef(an: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> Value:
    value = defined_function(an, node, node.name, scope)
    for decorator in node.decorator_list:
        an.value(decorator, scope)
        if not keeps_meaning(decorator):
            an.doubt(Why.OPAQUE, f"`{node.name}` is decorated by something that cannot be followed")
    bind_name(an, node.name, value, scope)
    return ATOM


def _on_ClassDef(an: Interpreter, node: ast.ClassDef, scope: Scope) -> Value:
    for part in [*node.bases, *[keyword.value for keyword in node.keywords], *node.decorator_list]:
        an.value(part, scope)
    an.doubt(
        Why.FUNCTION, f"makes the class `{node.name}`, which sees the loop's own names", "Define it before the loop"
    )
    bind_name(an, node.name, frozenset({an.made(node, node.name)}), scope)
    return ATOM


def _on_Pass(an: Interpreter, node: ast.stmt, scope: Scope) -> Value:
    return ATOM


def _on_Break(an: Interpreter, node: ast.Break | ast.Continue, scope: Scope) -> Value:
    if scope.jumped:
        scope.jumped[-1].append(dict(scope.names))
        scope.names = {}
    return ATOM


HANDLERS: dict[str, Callable[[Interpreter, Any, Scope], Value]] = {
    "Expr": _on_Expr,
    "Assign": _on_Assign,
    "AnnAssign": _on_AnnAssign,
    "AugAssign": _on_AugAssign,
    "Delete": _on_Delete,
    "If": _on_If,
    "For": _on_For,
    "While": _on_While,
    "Try": _on_Try,
    "With": _on_With,
    "Match": _on_Match,
    "Return": _on_Return,
    "Raise": _on_Raise,
    "Assert": _on_Assert,
    "Global": _on_Global,
    "Nonlocal": _on_Nonlocal,
    "Import": _on_Import,
    "FunctionDef": _on_FunctionDef,
    "ClassDef": _on_ClassDef,
    "Pass": _on_Pass,
    "Break": _on_Break,
    "AsyncFor": _on_For,
    "TryStar": _on_Try,
    "AsyncWith": _on_With,
    "ImportFrom": _on_Import,
    "AsyncFunctionDef": _on_FunctionDef,
    "Continue": _on_Break,
}
"""What follows each kind of statement, by the name of its class."""
