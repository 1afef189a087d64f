"""Expressions: what each of them may stand for."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import views
from concompare.cells.effects.attributes import attribute
from concompare.cells.effects.calls.above import Above, attribute_above
from concompare.cells.effects.calls.calling import call
from concompare.cells.effects.elements import (
    in_tables,
    item_of,
    key_of,
    looked_into,
    looked_up,
    named_columns,
    own_row,
    peek,
    table_types,
    walk_over,
    walked,
)
from concompare.cells.effects.identity import compare_identity, found_by_identity
from concompare.cells.effects.kinds import is_frame
from concompare.cells.effects.labels import call_as_labels
from concompare.cells.effects.live import MISSING
from concompare.cells.effects.numeric import made_anew, operated_on
from concompare.cells.effects.operators import OPERATORS, ask_truth, binary, formatted, looked_at, operated
from concompare.cells.effects.scopes import CELL, Scope, live_object, look_up
from concompare.cells.effects.storing import assign
from concompare.cells.ir import Effects, Place
from concompare.cells.objects import (
    ANY,
    ATOM,
    ELEMENT,
    ELSEWHERE,
    NAMED,
    RETURNED,
    Obj,
    Origin,
    Value,
    made_before,
    reachable,
)
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter


def _on_Constant(an: Interpreter, node: ast.Constant, scope: Scope) -> Value:
    return ATOM


def _on_Name(an: Interpreter, node: ast.Name, scope: Scope) -> Value:
    if node.id in scope.local and node.id not in scope.declared:
        return look_up(an, node.id, scope)
    thing = live_object(an, node.id, scope)
    if thing is not MISSING and callable(thing):
        if scope is not an.top or an.world.is_user(thing):
            look_up(an, node.id, scope)
        route = NAMED if an.world.namespace.get(node.id) is thing else ELSEWHERE
        return an.world.outer(thing, node.id, route=route)
    return look_up(an, node.id, scope)


def _on_Attribute(an: Interpreter, node: ast.Attribute, scope: Scope) -> Value:
    base = an.value(node.value, scope)
    above = frozenset(obj for obj in base if isinstance(obj.code, Above))
    made_anew(an, node, base)
    found = attribute(an, base - above, node.attr, node)
    for obj in above:
        found |= attribute_above(an, obj.code, node.attr, node)
    return found


def _on_Subscript(an: Interpreter, node: ast.Subscript, scope: Scope) -> Value:
    copied = columns_copied(an, node, scope)
    if copied is not None:
        return copied
    base, column = looked_into(an, node, scope)
    if column:
        call_as_labels(an, node, base, an.parts(node.slice, scope))
        for obj in base:
            an.read(obj, column)
        cells = in_tables(an, base, column)
        made = frozenset({an.made(node, "a part of a frame", table_types(), key="cell")})
        an.put(made, ANY, cells)
        for obj in made:
            views.note_part(an, node, obj, frozenset(Place(frame, column) for frame in base), array=False)
        return made | cells
    index = an.value(node.slice, scope)
    key = key_of(an, node, scope, base)
    found_by_identity(an, node, index, base)
    looked_at(an, index)
    call_as_labels(an, node, base, index)
    made_anew(an, node, base)
    found = operated(an, "getitem", base, node, index)
    for obj in base:
        an.read(obj, key)
        found |= looked_up(an, frozenset({obj}), key)
        row = own_row(an, node, obj, key)
        found |= item_of(an, obj, node, index) if row is None else row
    return found


def columns_copied(an: Interpreter, node: ast.Subscript, scope: Scope) -> Value | None:
    """Return the copy of some columns, or of a row of them, that `df[["a", "b"]]` or `df.loc[i, ["a", "b"]]` makes.

    None: it is no such subscript of frames.
    """
    holder, columns = named_columns(node)
    found = peek(an, holder, scope) if columns and scope is an.top else ATOM
    if not found or not all(obj.types and all(map(is_frame, obj.types)) for obj in found):
        return None
    an.parts(node.slice, scope)
    made = frozenset({an.made(node, "some columns of a frame", table_types(), key="columns")})
    for column in columns:
        for obj in found:
            an.read(obj, column)
        an.put(made, ANY, in_tables(an, found, column))
    return made


def _on_BinOp(an: Interpreter, node: ast.BinOp, scope: Scope) -> Value:
    left, right = an.value(node.left, scope), an.value(node.right, scope)
    name = OPERATORS[type(node.op)]
    return operated_on(an, node, left | right, name) | binary(an, name, left, right, node)


def _on_UnaryOp(an: Interpreter, node: ast.UnaryOp, scope: Scope) -> Value:
    value = an.value(node.operand, scope)
    if isinstance(node.op, ast.Not):
        ask_truth(an, value, node)
        return ATOM
    name = OPERATORS[type(node.op)]
    return operated_on(an, node, value, name) | binary(an, name, value, ATOM, node)


def _on_Compare(an: Interpreter, node: ast.Compare, scope: Scope) -> Value:
    values = [an.value(part, scope) for part in [node.left, *node.comparators]]
    found = ATOM
    for position, operator in enumerate(node.ops):
        left, right = values[position], values[position + 1]
        if isinstance(operator, (ast.Is, ast.IsNot)):
            compare_identity(an, node, left, right, position, scope)
            continue
        if isinstance(operator, (ast.In, ast.NotIn)):
            found_by_identity(an, node, left, right)
            looked_at(an, right)
            operated_on(an, node, left | right, "contains")
            for obj in right:
                an.read(obj, ELEMENT)
                walked(an, obj)
                found |= operated(an, "contains", obj, node, left)
            an.deep(left)
            continue
        if isinstance(operator, (ast.Eq, ast.NotEq)):
            found_by_identity(an, node, left, right)
        name = OPERATORS[type(operator)]
        found |= operated_on(an, node, left | right, name) | binary(an, name, left, right, node)
    return found


def _on_BoolOp(an: Interpreter, node: ast.BoolOp, scope: Scope) -> Value:
    found = ATOM
    for position, part in enumerate(node.values):
        value = an.value(part, scope)
        if position < len(node.values) - 1:
            ask_truth(an, value, part)
        found |= value
    return found


def _on_IfExp(an: Interpreter, node: ast.IfExp, scope: Scope) -> Value:
    ask_truth(an, an.value(node.test, scope), node.test)
    return an.value(node.body, scope) | an.value(node.orelse, scope)


def _on_JoinedStr(an: Interpreter, node: ast.JoinedStr, scope: Scope) -> Value:
    for part in node.values:
        an.value(part, scope)
    return ATOM


def _on_FormattedValue(an: Interpreter, node: ast.FormattedValue, scope: Scope) -> Value:
    value = an.value(node.value, scope)
    an.value(node.format_spec, scope)
    formatted(an, value, node)
    operated_on(an, node, value, "__str__")
    return ATOM


def _on_Starred(an: Interpreter, node: ast.Starred, scope: Scope) -> Value:
    return walk_over(an, an.value(node.value, scope), node)


def _on_NamedExpr(an: Interpreter, node: ast.NamedExpr, scope: Scope) -> Value:
    found = an.value(node.value, scope)
    assign(an, node.target, found, scope)
    return found


def sequence(an: Interpreter, node: ast.Tuple | ast.List | ast.Set, scope: Scope) -> Value:
    """Follow a display of elements."""
    kind = {ast.Tuple: tuple, ast.List: list, ast.Set: set}[type(node)]
    made = an.made(node, f"a {kind.__name__}", (kind,))
    plain = not any(isinstance(part, ast.Starred) for part in node.elts)
    held = ATOM
    for place, part in enumerate(node.elts):
        value = an.value(part, scope)
        if kind is set:
            looked_at(an, value)
        held |= value
        if plain and place < 10:
            an.put({made}, str(place), value)
        else:
            an.put({made}, ELEMENT, value)
    return frozenset({made}) if kind is not tuple or held else ATOM


def _on_Dict(an: Interpreter, node: ast.Dict, scope: Scope) -> Value:
    made = an.made(node, "a dict", (dict,))
    for key, part in zip(node.keys, node.values, strict=True):
        value = an.value(part, scope)
        if key is None:
            an.put({made}, ELEMENT, walk_over(an, value, node, values=True))
        else:
            keyed = an.value(key, scope)
            looked_at(an, keyed)
            an.put({made}, ELEMENT, keyed | value)
    return frozenset({made})


def _on_Slice(an: Interpreter, node: ast.Slice, scope: Scope) -> Value:
    looked_at(an, an.parts(node, scope))
    return ATOM


def _on_Lambda(an: Interpreter, node: ast.Lambda, scope: Scope) -> Value:
    return defined_function(an, node, "the lambda", scope)


def defined_function(an: Interpreter, node: names.FunctionNode, label: str, scope: Scope) -> Value:
    """Return a function that the body defines."""
    for default in [*node.args.defaults, *node.args.kw_defaults]:
        an.value(default, scope)
    made = an.made(node, label)
    if isinstance(made.code, tuple) and made.code[1] is not scope:  # it sees what any of the calls around it saw
        an.intertwined = True
        for name, value in made.code[1].names.items():
            scope.names[name] = scope.names.get(name, ATOM) | value if name in scope.local else value
    made.origin, made.code = Origin.FUNCTION, (node, scope)
    held = rebinding(an, node, scope)
    for name in names.free_names(node):
        if live_object(an, name, scope) is MISSING:
            held |= look_up(an, name, scope)
    an.put({made}, ANY, held)
    return frozenset({made})


def rebinding(an: Interpreter, node: names.FunctionNode, scope: Scope) -> Value:
    """Return what holds the names of functions around that a function gives values: other functions see them."""
    found: set[Obj] = set()
    for name in names.declared_in(node.body, ast.Nonlocal) if not isinstance(node, ast.Lambda) else ():
        owner: Scope | None = scope
        while owner is not None and (name not in owner.local or name in owner.declared):
            owner = owner.outer
        if owner is not None and owner is not an.top:
            found.add(owner.rebound.setdefault(name, an.made(node, name, (types.CellType,), key=CELL)))
    return frozenset(found)


def comprehension(
    an: Interpreter, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
) -> Value:
    """Follow a comprehension, whose targets are its own."""
    bound = {name for part in node.generators for name in names.stored(part.target)}
    kept = {name: scope.names.get(name) for name in bound}
    local = scope.local
    lazy = Effects() if isinstance(node, ast.GeneratorExp) else None
    an.inner += 1
    held = ATOM
    first = an.value(node.generators[0].iter, scope)
    scope.local = local | bound
    effects = lazy if lazy is not None and scope is not an.top else an.now
    with an.recording(effects):
        for position, part in enumerate(node.generators):
            found = an.value(part.iter, scope) if position else first
            each = walk_over(an, found, part.iter)
            if lazy is not None and not position:
                given_several_times(first, each if len(node.generators) > 1 else ATOM)
            assign(an, part.target, each, scope, strong=False)
            for test in part.ifs:
                ask_truth(an, an.value(test, scope), test)
        for piece in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            held |= an.value(piece, scope)
    an.inner -= 1
    scope.local = local
    for name, value in kept.items():
        scope.names.pop(name, None)
        if value is not None:
            scope.names[name] = value
    kind = {ast.ListComp: list, ast.SetComp: set, ast.DictComp: dict}.get(type(node), types.GeneratorType)
    made = an.made(node, "a new object", (kind,))
    an.defer(made, lazy)
    an.put({made}, ELEMENT, held)
    return frozenset({made})


def given_several_times(walked: Value, outer: Value) -> None:
    """Note what a generator expression may give several times: what is made before it, and what its outer loop gives.

    Args:
        walked: What it walks.
        outer: What its outer loop gives, once for each turn of those inside it; nothing where there are none.
    """
    for obj in (*made_before(walked), *reachable(outer)):
        obj.several = obj.several or obj.origin is Origin.MADE


def _on_Call(an: Interpreter, node: ast.Call, scope: Scope) -> Value:
    return call(an, node, scope)


def _on_Await(an: Interpreter, node: ast.Await, scope: Scope) -> Value:
    return walk_over(an, an.value(node.value, scope), node)


def _on_Yield(an: Interpreter, node: ast.Yield, scope: Scope) -> Value:
    given = an.value(node.value, scope)
    scope.yielded |= given
    scope.is_lazy = True
    if node not in an.renewed:
        for obj in given:
            obj.again = obj.again or not obj.depth
    return ATOM


def _on_YieldFrom(an: Interpreter, node: ast.YieldFrom, scope: Scope) -> Value:
    value = an.value(node.value, scope)
    scope.yielded |= walk_over(an, value, node)
    scope.is_lazy = True
    return ATOM.union(*[obj.held(RETURNED) for obj in value])


HANDLERS: dict[str, Callable[[Interpreter, Any, Scope], Value]] = {
    "Constant": _on_Constant,
    "Name": _on_Name,
    "Attribute": _on_Attribute,
    "Subscript": _on_Subscript,
    "BinOp": _on_BinOp,
    "UnaryOp": _on_UnaryOp,
    "Compare": _on_Compare,
    "BoolOp": _on_BoolOp,
    "IfExp": _on_IfExp,
    "JoinedStr": _on_JoinedStr,
    "FormattedValue": _on_FormattedValue,
    "Starred": _on_Starred,
    "NamedExpr": _on_NamedExpr,
    "Dict": _on_Dict,
    "Slice": _on_Slice,
    "Lambda": _on_Lambda,
    "Call": _on_Call,
    "Await": _on_Await,
    "Yield": _on_Yield,
    "YieldFrom": _on_YieldFrom,
    "Tuple": sequence,
    "List": sequence,
    "Set": sequence,
    "ListComp": comprehension,
    "SetComp": comprehension,
    "GeneratorExp": comprehension,
    "DictComp": comprehension,
}
"""What follows each kind of expression, by the name of its class."""
