"""The pieces that a split loop is made of, and small questions about statements and expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from concompare.cells import known, names
from concompare.cells.loops import RESULT, located
from concompare.cells.values import ITEM, LOCAL, Effect
from concompare.cells.world import World
from concompare.errors import CellRefused

STEP = "_concompare_step"
MADE = "_concompare_"
REACH = MADE + "reach"
END = MADE + "end"
Statements = list[ast.stmt]
SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Assert, ast.Raise)
WORTH = frozenset({ast.Call, ast.BinOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr})
ALIASES = frozenset({ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.UnaryOp, ast.Constant})
MOVE = "Move the running part to its own statement after the heavy call"
COPIES = "Workers would each change their own copy; return the new value and store it in the loop"
PURE = "Run with --assume-pure if it changes nothing; results are then checked against the plain loop"


@dataclass(frozen=True)
class Reason:
    """Why a piece of code cannot run in workers."""

    line: int
    text: str
    remedy: str = ""
    name: str = ""

    def refusal(self) -> CellRefused:
        """Return the reason as an error."""
        return CellRefused(self.text + (f". {self.remedy}." if self.remedy else "."), self.line)


@dataclass
class Parts:
    """A loop, split.

    Attributes:
        head: Statements for the workers, without their `return`.
        tail: Statements to replay for each item.
        carried: Names that the tail needs from the head, in order; those in `unsure` may be missing.
        unsure: Names that the head does not assign on every path.
        kept: Names that the head assigns and the plain loop leaves behind.
        sure: Those of them that every item assigns.
        leaves: The head may end early, so that what it computed is given back by name.
        stepped: The head counts its steps, so that a failing item replays exactly what came before.
        changed: Objects that the tail changes; `read`: objects that the head reads.
        shallow: Those changed objects of which nothing inside changes.
        apart: Objects that the loop changes only at the index that the item gives, which must differ between items.
        walked: Objects that the loop walks step by step.
        dead: Names that the body deletes.
        needed: Names that the tail reads.
        step_of: The step at which the tail may see a name that the head gives, where that is not the start.
        replayed: Names that the tail gives values itself, as the head does.
        stops: The tail may leave the loop.
        compared: Objects that the head compares as wholes, or uses as keys.
    """

    head: Statements
    tail: Statements
    carried: list[str] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    kept: list[str] = field(default_factory=list)
    sure: set[str] = field(default_factory=set)
    leaves: bool = False
    stepped: bool = False
    changed: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    shallow: set[str] = field(default_factory=set)
    apart: dict[str, str] = field(default_factory=dict)
    walked: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    needed: set[str] = field(default_factory=set)
    step_of: dict[str, int] = field(default_factory=dict)
    replayed: set[str] = field(default_factory=set)
    stops: bool = False
    compared: set[str] = field(default_factory=set)


class Alias(ast.Pass):
    """A statement of the head that the tail repeats, so that it sees the notebook's own objects."""

    def __init__(self, statement: ast.stmt) -> None:
        super().__init__()
        self.statement = statement
        located(self, statement)


class Check(ast.Pass):
    """A place of the tail before which the head must have reached a step; the names that the step binds appear here."""

    def __init__(self, step: int) -> None:
        super().__init__(lineno=1, col_offset=0)
        self.reached = step


class Pull(ast.Pass):
    """The start of a turn of an inner loop of the tail: takes what the head computed for this turn."""

    _fields = ("made",)

    def __init__(self, turn: str, carried: list[str], place: ast.AST) -> None:
        self.turn, self.carried, self.place = turn, carried, place
        # Python 3.13 asks for all fields at once.
        super().__init__(made=self.statement(checked=False))  # type: ignore[call-arg]
        located(self, place)

    def statement(self, checked: bool) -> ast.stmt:
        """Return it as a statement; a checked one stops where the head did."""
        place = self.place
        method = ast.Attribute(loaded(self.turn, place), "pop", ast.Load())
        value: ast.expr = ast.Call(method, [], [])
        if checked:
            value = ast.IfExp(loaded(self.turn, place), value, loaded(END, place))
        target = ast.Tuple([ast.Name(name, ast.Store()) for name in self.carried], ast.Store())
        return ast.fix_missing_locations(located(ast.Assign([target], value), place))


def plain(statements: Sequence[ast.stmt], checked: bool = False, steps: bool = True) -> Statements:
    """Return tail statements as ordinary ones.

    Args:
        statements: The tail.
        checked: Inner loops stop where the head of a failing item did.
        steps: The tail says which steps it has reached.
    """
    made: Statements = []
    for part in statements:
        if isinstance(part, Alias):
            made.append(part.statement)
        elif isinstance(part, Check):
            if steps:
                call = ast.Call(ast.Name(REACH, ast.Load()), [ast.Constant(part.reached)], [])
                made.append(ast.fix_missing_locations(ast.Expr(call, lineno=1, col_offset=0)))
        elif isinstance(part, Pull):
            made.append(part.statement(checked))
        elif isinstance(part, ast.If):
            body, other = plain(part.body, checked, steps), plain(part.orelse, checked, steps)
            body = [step for step in body if not isinstance(step, ast.Pass)]
            if body or other or not is_ours(part.test):
                made.append(located(ast.If(part.test, body or [located(ast.Pass(), part)], other), part))
        elif isinstance(part, ast.For) and part.body and isinstance(part.body[0], Pull):
            made.append(located(ast.For(part.target, part.iter, plain(part.body, checked, steps), []), part))
        else:
            made.append(part)
    return made


def reason_of(effect: Effect, world: World, *, seeded: bool = False, printed: bool = False) -> Reason | None:
    """Return why an effect keeps code out of the workers, or None; what may be done is noted as a hazard."""
    where = f"`{effect.place}` " if effect.place and effect.place != "·inner" else ""
    if effect.kind in ("change", "rebind"):
        if effect.roots and all(root.startswith(LOCAL) for root in effect.roots):
            return None
        what = (
            " and ".join(f"`{shown(root)}`" for root in sorted(effect.roots) if not root.startswith(LOCAL))
            or "an outer object"
        )
        text = effect.text.format(what) if "{}" in effect.text else effect.text
        return Reason(effect.line, f"{where or 'every iteration '}{text}", COPIES)
    if effect.kind == "random":
        if seeded:  # each item draws from a stream of its own then
            return None
        if world.assume_pure:
            world.hazards[f"line {effect.line}: {where}{effect.text}"] = None
            return None
        remedy = "Use --seed N, which gives each item a stream of its own, or make a generator inside the loop"
        return Reason(effect.line, f"{where}{effect.text}, so the results depend on the order", remedy)
    if effect.kind == "identity":
        outer = any(not root.startswith(LOCAL) for root in effect.roots) and not world.assume_pure
        return Reason(effect.line, f"{where}{effect.text}", "Compare a value instead") if outer else None
    if effect.kind in ("opaque", "calls"):
        text = effect.text if effect.kind == "opaque" else f"it cannot be seen what `{effect.text}` calls"
        return Reason(effect.line, f"{where}{text}", PURE)
    if effect.kind == "append":
        return Reason(
            effect.line, f"{where}{effect.text} that all items share", "Return the text and write it after the loop"
        )
    if effect.kind == "print" and printed:
        return Reason(effect.line, f"{where}prints after an earlier statement that stays in the notebook")
    if effect.kind == "file":
        world.hazards[f"line {effect.line}: {where}{effect.text}"] = None
    return None


def is_result(node: ast.AST) -> bool:
    """Tell whether this is the list that collects the values of a comprehension."""
    return isinstance(node, ast.Name) and node.id == RESULT


def order(name: str) -> tuple[int, str]:
    """Sort the user's names before ours, and ours by number."""
    return (int(name.removeprefix(MADE)), "") if name.startswith(MADE) and name[len(MADE) :].isdigit() else (0, name)


def shown(root: str) -> str:
    """Return a root as the user knows it."""
    return "the item" if root == ITEM else "what the function closes over" if root.startswith("cell:") else root


def assigned(name: str, node: ast.expr) -> ast.stmt:
    """Return `name = node`."""
    return located(ast.Assign([located(ast.Name(name, ast.Store()), node)], node), node)


def loaded(name: str, node: ast.AST) -> ast.expr:
    """Return the name as an expression in the place of a node."""
    return located(ast.Name(name, ast.Load()), node)


def flattened(statements: Sequence[ast.stmt]) -> list[ast.AST]:
    """Return every node of the statements."""
    return [part for statement in statements for part in names.nodes_in(statement)]


def is_still(node: ast.expr) -> bool:
    """Tell whether evaluating an expression cannot raise nor do anything, but for a missing name."""
    if isinstance(node, ast.Attribute):
        return is_still(node.value)
    return isinstance(node, (ast.Name, ast.Constant))


def is_alias(statement: ast.stmt) -> bool:
    """Tell whether a statement only gives a name to a part of something."""
    if not isinstance(statement, ast.Assign) or isinstance(statement.value, ast.Constant):
        return False
    return names.kinds_in(statement.value) <= ALIASES


TAKING = frozenset({"append", "filter", "map", "max", "min", "sort", "sorted"})
"""Functions and methods that do nothing to a function they are given but call or keep it."""


def is_plain_function(statement: ast.stmt, body: Sequence[ast.AST]) -> bool:
    """Tell whether a statement defines a function that the body only calls: head and tail can both define it.

    Args:
        statement: The statement.
        body: Every node of the loop's body.
    """
    if not isinstance(statement, ast.FunctionDef) or statement.decorator_list or statement.returns is not None:
        return False
    args = statement.args
    values = [*args.defaults, *args.kw_defaults]
    plain = all(value is None or isinstance(value, (ast.Constant, ast.Name)) for value in values)
    plain = plain and not any(isinstance(part, ast.arg) and part.annotation for part in names.nodes_in(args))
    inside = {ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom, ast.Await, ast.FunctionDef, ast.Lambda, ast.ClassDef}
    if not plain or any(names.kinds_in(part) & inside for part in statement.body):
        return False
    for node in body:
        if isinstance(node, ast.Attribute) and is_named(node.value, statement.name):
            return False
        if isinstance(node, ast.Call) and any(is_named(part, statement.name) for part in node.args):
            taking = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if taking not in TAKING:
                return False
    return True


def is_named(node: ast.expr, name: str) -> bool:
    """Tell whether an expression is just this name."""
    return isinstance(node, ast.Name) and node.id == name


def escapes(statement: ast.stmt) -> bool:
    """Tell whether a statement may leave the iteration by `break` or `continue`."""
    if not names.kinds_in(statement) & {ast.Break, ast.Continue}:
        return False
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Break, ast.Continue)):
            return True
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            stack += node.orelse
        elif not isinstance(node, (*names.FUNCTIONS, ast.ClassDef)):
            stack += names.children_of(node)
    return False


def works(node: ast.AST) -> bool:
    """Tell whether code calls anything that may be worth a worker."""
    if ast.Call not in names.kinds_in(node):
        return False
    for part in names.nodes_in(node):
        if isinstance(part, ast.Call):
            func = part.func
            if isinstance(func, ast.Name) and func.id not in known.CHEAP:
                return True
            if isinstance(func, ast.Attribute) and func.attr not in known.CHEAP_METHODS:
                return True
            if not isinstance(func, (ast.Name, ast.Attribute)):
                return True
    return False


def stepped(step: int, place: ast.AST) -> ast.stmt:
    """Return a statement that says which step the head has done."""
    target = located(ast.Name(STEP, ast.Store()), place)
    return located(ast.Assign([target], located(ast.Constant(step), place)), place)


def is_ours(test: ast.expr) -> bool:
    """Tell whether a condition of the tail is a name of ours, so that asking it does nothing."""
    return isinstance(test, ast.Name) and test.id.startswith(MADE)


def only_leaves(part: ast.stmt) -> bool:
    """Tell whether a statement of the tail does no more than go on with the next item, or end the loop."""
    if isinstance(part, ast.If):
        return is_ours(part.test) and all(only_leaves(inner) for inner in [*part.body, *part.orelse])
    return isinstance(part, (ast.Continue, ast.Break, ast.Pass))


def is_real(part: ast.stmt) -> bool:
    """Tell whether a statement of the tail is more than a place holder."""
    if isinstance(part, ast.If):
        return not is_ours(part.test) or any(map(is_real, [*part.body, *part.orelse]))
    return type(part) is not ast.Pass


def without(statements: Sequence[ast.stmt], unwanted: Callable[[ast.stmt], bool]) -> Statements:
    """Return statements without some, inside the branches of an `if` too."""
    made: Statements = []
    for part in statements:
        if unwanted(part):
            continue
        if isinstance(part, ast.If) and any(
            isinstance(inner, ast.stmt) and unwanted(inner) for inner in names.nodes_in(part)
        ):
            body, orelse = without(part.body, unwanted), without(part.orelse, unwanted)
            part = located(ast.If(part.test, body or [located(ast.Pass(), part)], orelse), part)
        made.append(part)
    return made


def is_step(statement: ast.stmt) -> bool:
    """Tell whether a statement of the head only counts a step."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    return isinstance(target, ast.Name) and target.id == STEP
