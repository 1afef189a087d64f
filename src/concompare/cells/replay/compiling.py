"""Code objects of the stages, which see the notebook's names and carry the notebook's file name and lines."""

from __future__ import annotations
import __future__

import ast
import functools
import sys
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from concompare.cells import garbage
from concompare.cells.distribution.code.generated import HELD, Action
from concompare.cells.distribution.nodes import jumps_in
from concompare.cells.forms import again
from concompare.cells.frame import frame_of
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located, statements_at
from concompare.cells.syntax.placing import placed

ONCE = OURS + "once"
STATE = OURS + "state"
NEXT, LEAVE = 1, 2
"""What an action tells: the rest of the iteration is left out; the loop ends."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef
HEADS: weakref.WeakKeyDictionary[types.FunctionType, Definition] = weakref.WeakKeyDictionary()
"""The definitions of the heads that are in use, for those who need their source."""


def compiled(
    tree: ast.Module | ast.Expression, filename: str, mode: str, namespace: Mapping[str, Any], *, waits: bool = False
) -> Any:
    """Compile code as the notebook does: with the `from __future__ import annotations` of an earlier cell.

    With `waits` it may await something outside of functions.
    """
    found = namespace.get("annotations")
    flags = __future__.annotations.compiler_flag if found is __future__.annotations else 0
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if waits else 0
    return compile(tree, filename, mode, flags, dont_inherit=True)


def look_up_once(loop: Loop, namespace: dict[str, Any], filename: str) -> None:
    """Give what the plain code evaluates before the first item a name, by which the body has it for every item."""
    for node in loop.once:
        namespace[again.word_of_once(node)] = eval(
            compiled(ast.Expression(node), filename, "eval", namespace), namespace
        )


def function(
    definition: Definition,
    namespace: dict[str, Any],
    filename: str,
    defaults: tuple[Any, ...] = (),
    node: ast.AST | None = None,
) -> types.FunctionType:
    """Return the function of a definition, over the notebook's names; `node`: the loop that it is part of."""
    (made,) = functions([definition], namespace, filename, node)
    made.__defaults__ = defaults or None
    return made


def functions(
    definitions: Sequence[Definition], namespace: dict[str, Any], filename: str, node: ast.AST | None = None
) -> list[types.FunctionType]:
    """Return the functions of definitions of different names, compiled together; see `function`."""
    frame = frame_of(namespace)  # IPython counts the lines of a frame from co_firstlineno
    kept = [definition.lineno for definition in definitions]
    for definition in definitions:
        definition.lineno = frame.first_line if frame is not None else 1
    code = compiled(ast.Module([*definitions], []), filename, "exec", namespace)
    for definition, line in zip(definitions, kept, strict=True):
        definition.lineno = line
    place = f"{frame.qualname}.<locals>." if frame is not None else ""
    place += f"{IN_SCOPES[type(node)]}." if type(node) in IN_SCOPES else ""
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return [
        types.FunctionType(
            named(placed_at(part, f"{definition.name}.<locals>.", place), namespace), namespace, definition.name
        )
        for definition, part in zip(definitions, inner, strict=True)
    ]


OF_THEIR_OWN: dict[type[ast.AST], str] = (
    {ast.ListComp: "<listcomp>", ast.SetComp: "<setcomp>", ast.DictComp: "<dictcomp>"}
    if sys.version_info < (3, 12)
    else {}
)
"""How the frames of comprehensions are called, where these have frames."""
IN_SCOPES: dict[type[Any], str] = {**OF_THEIR_OWN, ast.GeneratorExp: "<genexpr>"}
"""What functions say they are made in that a comprehension or generator expression makes."""


def placed_at(code: types.CodeType, before: str, after: str) -> types.CodeType:
    """Return code whose functions and classes say that they are made at `after`, where the plain loop makes them."""
    own = code.co_qualname
    place = after + own.removeprefix(before) if own.startswith(before) else own
    constants: list[object] = []
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            constants.append(placed_at(part, before, after))
        else:  # the body of a class sets `__qualname__` by a constant
            constants.append(place if part == own else part)
    return code.replace(co_consts=tuple(constants), co_qualname=place)


def named(code: types.CodeType, namespace: Mapping[str, Any]) -> types.CodeType:
    """Return code under the name that the plain loop's frame has in a traceback."""
    frame = frame_of(namespace)
    if frame is None:
        return code.replace(co_name="<module>", co_qualname="<module>")
    return code.replace(co_name=frame.name, co_qualname=frame.qualname)


def head(definition: Definition, namespace: dict[str, Any], filename: str, node: ast.AST) -> types.FunctionType:
    """Return the head of a loop that is written as a node: a function of an item, and of a record to fill."""
    made = function(definition, namespace, filename, (None,), node)
    if type(node) in OF_THEIR_OWN and frame_of(namespace) is None:
        name = OF_THEIR_OWN[type(node)]
        made.__code__ = made.__code__.replace(co_name=name, co_qualname=name)
    HEADS[made] = definition
    return made


MAKERS = frozenset({ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.AnnAssign, ast.GeneratorExp})
"""What comes out otherwise inside a function than at the level of the cell."""


@garbage.later
def notebook_actions(
    parts: Sequence[Action], namespace: dict[str, Any], filename: str
) -> list[Callable[..., int | None]]:
    """Return actions that read and write the notebook's names, as functions of their values."""
    found: dict[int, Callable[..., int | None]] = {}
    plain: dict[int, Definition] = {}
    for place, part in enumerate(parts):
        if (name := only_named(part)) is not None:
            found[place] = functools.partial(namespace.__setitem__, name)
        elif any(names.kinds_in(statement) & MAKERS for statement in part.code):
            found[place] = executed(part, namespace, filename)
        else:
            plain[place] = definition_of(part, part.values, local=False, name=f"tail{place}")
    found |= zip(plain, functions([*plain.values()], namespace, filename), strict=True) if plain else ()
    return [found[place] for place in range(len(parts))]


def only_named(part: Action) -> str | None:
    """Return the name of the notebook that an action gives the one value it is given, where it does no more."""
    node = part.code[0]
    if not isinstance(node, ast.Assign) or len(part.code) > 1 or len(node.targets) > 1 or len(part.values) != 1:
        return None
    (target,), value = node.targets, node.value
    if not isinstance(target, ast.Name) or not isinstance(value, ast.Name) or value.id != part.values[0]:
        return None
    return target.id if target.id.startswith(HELD) or not target.id.startswith(OURS) else None


def executed(part: Action, namespace: dict[str, Any], filename: str) -> Callable[..., int | None]:
    """Return an action that is done at the level of the cell, as a function of its values."""
    body = list(part.code)
    state = f"{OURS}told"
    if jumps_in(body):
        turn_of = f"for {ONCE} in (None,):\n    {state} = 0\nelse:\n    {state} -= {LEAVE}"
        first, turn, last = statements_at(f"{state} = {NEXT}\n{turn_of}\n{state} += {LEAVE}", part.code[0])
        assert isinstance(turn, ast.For)
        body = [first, located(ast.For(turn.target, turn.iter, [*body, turn.body[0]], turn.orelse), turn), last]
    module = placed(ast.Module(body, []))
    code = named(compiled(module, filename, "exec", namespace), namespace)

    def play(*values: Any) -> int | None:
        namespace.update(zip(part.values, values, strict=True))
        exec(code, namespace)
        told = namespace.pop(state, None)
        return LEAVE if told is not None and told > NEXT else told

    return play


def action(
    part: Action,
    namespace: dict[str, Any],
    filename: str,
    parameters: Sequence[str],
    *,
    local: bool,
    shared: Collection[str] = (),
    node: ast.AST | None = None,
) -> Callable[..., int | None]:
    """Return an action as a function of its values.

    Args:
        part: The action.
        namespace: The notebook's names, which the code reads and writes.
        filename: Of the cell.
        parameters: The names of the values, in order.
        local: The names that the code assigns are its own, as those of a comprehension are.
        shared: Names among those that are the notebook's all the same.
        node: The loop that it is part of.
    """
    return function(definition_of(part, parameters, local=local, shared=shared), namespace, filename, node=node)


def definition_of(
    part: Action, parameters: Sequence[str], *, local: bool, shared: Collection[str] = (), name: str = "tail"
) -> ast.FunctionDef:
    """Return an action as the definition of a function; the arguments are those of `action`."""
    place = part.code[0]
    body = list(part.code)
    if jumps_in(body):
        body = as_turn(body, place)
    written = sorted(name for name in names.writes(*part.code) if name.startswith(HELD) or not name.startswith(OURS))
    written = [name for name in written if not local or name in shared or name.startswith(HELD)]
    written = [name for name in written if not local or name not in parameters]
    if written:
        body.insert(0, located(ast.Global(written), place))
    arguments = [located(ast.arg(name), place) for name in parameters]
    args = ast.arguments([], arguments, None, [], [], None, [])
    return placed(located(ast.FunctionDef(name, args, body, []), place))


def as_turn(body: list[ast.stmt], place: ast.AST) -> list[ast.stmt]:
    """Return statements as one turn of a loop, so that `continue` and `break` mean what they say."""
    text = f"{STATE} = {NEXT}\nfor {ONCE} in (None,):\n    {STATE} = 0\nelse:\n    return {STATE}\nreturn {LEAVE}"
    first, turn, last = statements_at(text, place)
    assert isinstance(turn, ast.For)
    turn.body = [*body, turn.body[0]]
    return [first, turn, last]


def run(statements: Iterable[ast.stmt], namespace: dict[str, Any], filename: str) -> None:
    """Run statements in the notebook, one by one as the notebook does."""
    for statement in statements:
        exec(compiled(ast.Module([statement], []), filename, "exec", namespace), namespace)
