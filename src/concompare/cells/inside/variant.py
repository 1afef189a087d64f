"""A function as it was written, but with hooks in the place of its loops and around the calls that it makes once."""

from __future__ import annotations
import __future__

import ast
import types
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from concompare.cells.forms import joined, pools
from concompare.cells.forms.again import plain_expression, plain_items, word_of
from concompare.cells.forms.calls import may_enter
from concompare.cells.forms.streams import name_of
from concompare.cells.inside.consumers import Use, consumed_in
from concompare.cells.inside.rules import can_be_taken
from concompare.cells.inside.work import GENERATOR, Work, body_of, calls_outside, local_names, loops_of, shadowed_in
from concompare.cells.ir import OURS, Loop
from concompare.cells.replay import row_walks
from concompare.cells.replay.calling import meaning
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.placing import placed

HOOK, ENTER, LEFT, MAKE, POOL = (OURS + word for word in ("loop", "enter", "left", "make", "inner_pool"))
AT_ONCE = ("pipe", "assign")
"""Methods, of pandas' frames and columns and of what is like them, that call the functions that they are given."""
AT_ONCE_DONE = frozenset({"Parallel", "as_completed", "process_map", "thread_map"})
"""Makers of pools that give all results before they return, or that only hand them on."""
YIELDED, RETURNED = "_concompareyielded", "_concomparereturned"
"""Names of a loop's own: what it would have yielded, and what it would have returned."""
FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


@dataclass
class Variant:
    """A function with hooks, and what the hooks stand for.

    Attributes:
        code: Of the function, with two free variables more.
        loops: In the order of the hooks' numbers; `bound`: the names that each may give values.
        yields: It is a generator, whose values are taken to the end.
        makers: The expressions with which it makes executors and pools of its own; `tree`: its body, if it has some.
        urgent: Why the calls of these cannot wait, or None.
    """

    code: types.CodeType
    loops: list[Loop]
    bound: list[list[str]] = field(default_factory=list)
    yields: bool = False
    makers: list[ast.expr] = field(default_factory=list)
    tree: ast.Module | None = None
    urgent: str | None = None


def variant_of(
    function: types.FunctionType,
    definition: names.FunctionNode,
    work: Work,
    *,
    looked_at: bool = False,
    windows: joined.Windows | None = None,
) -> Variant | None:
    """Return a function with hooks for its loops; None where it has no use for them.

    Args:
        function: The function.
        definition: Its source.
        work: Tells what is worth it.
        looked_at: It is a generator whose values are looked at as they come.
        windows: Gets the places where it starts and joins threads; None: they stay as they are.
    """
    writer = Writer(function, unannotated(definition), work, looked_at=looked_at, windows=windows)
    made = writer.written()
    used = writer.loops or writer.entered or writer.windows or writer.makers
    code = compiled(made, function) if used else None
    if code is None:
        return None
    made_of = Variant(code, writer.loops, writer.bound, bool(function.__code__.co_flags & 32), writer.makers)
    if writer.makers:
        made_of.tree = writer.tree
        made_of.urgent = pools.urgent(writer.tree, function.__globals__)
    return made_of


def unannotated(node: names.Node) -> names.Node:
    """Return a copy of a function without annotations of its variables, which mean nothing there."""

    def instead(part: ast.AST) -> ast.AST | None:
        if isinstance(part, ast.AnnAssign):
            if part.value is None:
                return located(ast.Pass(), part) if isinstance(part.target, ast.Name) else None
            return located(ast.Assign([unannotated(part.target)], unannotated(part.value)), part)
        return part if isinstance(part, ast.ClassDef) else None

    return names.copied(node, instead)


def makers_in(tree: ast.Module, function: types.FunctionType) -> list[ast.expr]:
    """Return the functions and classes that the body of a function calls and that may make a pool.

    Nothing of such a pool may wait when the function returns: it is closed by a `with`, or gives its results at once.
    """
    if function.__code__.co_flags & GENERATOR:
        return []
    local = local_names(function.__code__)
    seen = {name: thing for name, thing in function.__globals__.items() if name not in local}
    entered = [item.context_expr for part in names.nodes_in(tree) if isinstance(part, ast.With) for item in part.items]
    closed = [node.func for node in entered if isinstance(node, ast.Call)]
    return [node for node in pools.makers(tree, seen) if node in closed or name_of(node) in AT_ONCE_DONE]


def is_meant_in(function: types.FunctionType, loop: Loop) -> bool:
    """Tell whether the functions by which a form is recognised are those that their names say, in a function."""
    local = {*function.__code__.co_varnames, *function.__code__.co_cellvars, *function.__code__.co_freevars}
    for part in loop.means:
        if names.reads(part.func) & local or not isinstance(part.func, (ast.Name, ast.Attribute)):
            return False
        try:
            code = compile(placed(ast.Expression(names.copied(part.func))), "<form>", "eval")
            found = eval(code, function.__globals__, {})
        except Exception:
            return False
        if not meaning.are_meant((part.path,), found):
            return False
    return True


class Writer:
    """Writes one function with hooks."""

    def __init__(
        self,
        function: types.FunctionType,
        definition: names.FunctionNode,
        work: Work,
        *,
        looked_at: bool,
        windows: joined.Windows | None,
    ) -> None:
        self.function, self.definition, self.looked_at = function, definition, looked_at
        self.windows = windows if windows is not None else joined.Windows()
        if windows is not None:
            joined.add(windows, body_of(definition))
            windows.local = True
        self.loops: list[Loop] = []
        self.bound: list[list[str]] = []
        self.tree = ast.Module(body_of(definition), [])
        self.makers = makers_in(self.tree, function)
        self.made = {id(node): number for number, node in enumerate(self.makers)}
        found = loops_of(definition, function)
        held = {
            id(part)
            for node in names.nodes_in(definition)
            if isinstance(node, ast.GeneratorExp)
            for part in names.nodes_in(node.generators[0].iter)
        }
        self.places: dict[int, int] = {}
        for loop in found:
            left = self.windows.holds(loop.node) or row_walks.may_walk_what_it_stores(loop)
            left = left or pools.holds(loop.node, self.makers) or (bool(self.makers) and pools.is_delayed(loop.node))
            wanted = not left and id(loop.node) not in held and work.is_heavy(loop, function)
            taken = self.taken(loop) if wanted else None
            if taken is not None and can_be_taken(taken, function, definition) and is_meant_in(function, loop):
                self.places[id(loop.caller or loop.method or loop.node)] = len(self.loops)
                self.loops.append(taken)
        shadowed = shadowed_in(function)
        self.consumed = consumed_in(body_of(definition), shadowed)
        calls = [call for call in calls_outside(body_of(definition), found) if id(call) not in held]
        self.calls = {id(call) for call in calls if may_enter(call, shadowed)}
        self.entered = any(work.may_hold(call.func, function, 0) for call in calls)

    def taken(self, loop: Loop) -> Loop | None:
        """Return a loop without `yield` and `return`; None where it cannot do without."""
        if not isinstance(loop.node, (ast.For, ast.While)):
            return loop if not names.kinds_in(loop.node) & {ast.Yield, ast.YieldFrom} else None
        body = [names.copied(part) for part in loop.body]
        made = Without(self.looked_at)
        body = [names.copied(part) for part in made.block(body)]  # without what is remembered of the nodes
        heads = [part for part in (loop.target, loop.items, loop.test) if part is not None]
        if any(names.kinds_in(part) & {ast.Yield, ast.YieldFrom, ast.Return} for part in [*body, *heads]):
            return None
        return replace(loop, body=body) if made.changed else loop

    def written(self) -> names.FunctionNode:
        """Return the function with its hooks."""
        definition = self.definition
        return names.copied(definition, lambda node: self.instead(node) if node is not definition else None)

    def instead(self, node: ast.AST) -> ast.AST | None:
        """Return what stands in the place of a node, or None."""
        number = self.places.get(id(node))
        if number is not None:
            loop = self.loops[number]
            if loop.caller is not None or loop.method is not None:
                return self.caller(loop, number)
            return self.statement(loop, number) if isinstance(node, ast.stmt) else self.expression(loop, number)
        if (started := self.windows.instead(node, self.instead)) is not None:
            return started
        if id(node) in self.made:
            assert isinstance(node, ast.expr)
            return pools.stand_in(node, self.made[id(node)], POOL)
        if id(node) in self.calls:
            assert isinstance(node, ast.Call)
            return entered(node, self.consumed.get(id(node)), self.copied)
        return None

    def copied(self, node: names.Node) -> names.Node:
        """Return a copy of a node with hooks inside."""
        return names.copied(node, self.instead)

    def hook(self, loop: Loop, number: int) -> ast.Call:
        """Return the call of a loop's hook."""
        place = walked_at(loop)
        items = self.copied(loop.items) if loop.items is not None else located(ast.Constant(None), place)
        frame = located(ast.Call(named("locals", place), [], []), place)
        arguments = [located(ast.Constant(number), place), items, frame]
        return located(ast.Call(named(HOOK, place), arguments, []), place)

    def caller(self, loop: Loop, number: int) -> ast.expr:
        """Return what stands for a function that calls another one for every item, or for such a method."""
        node = loop.caller or loop.method
        assert node is not None
        called = names.copied(node, lambda part: self.instead(part) if part is not node else None)
        frame = located(ast.Call(named("locals", node), [], []), node)
        arguments = [located(ast.Constant(number), node), called, frame]
        made = located(ast.Call(part_of(HOOK, "caller", node), arguments, []), node)
        self.bound.append([])
        return made if loop.method is None else located(ast.Attribute(made, loop.method.attr, ast.Load()), node)

    def expression(self, loop: Loop, number: int) -> ast.expr:
        """Return the expression that stands for a loop which is one."""
        place, word, node = walked_at(loop), f"{LEFT}{number}", loop.node
        self.bound.append([])
        given = located(ast.NamedExpr(named(word, place, ast.Store()), self.hook(loop, number)), place)
        mapper = part_of(word, word_of(loop.plainly or node), place)
        plain = plain_expression(loop, part_of(word, "items", place), mapper)
        if loop.plainly is not None:
            plain = located(ast.Call(part_of(word, "as_mapped", place), [plain], []), place)
        rest = located(ast.Call(part_of(word, "joined", place), [plain], []), place)
        value = located(ast.Call(part_of(word, "value", place), [], []), place)
        return located(ast.IfExp(located(ast.Attribute(given, "ran", ast.Load()), place), value, rest), place)

    def statement(self, loop: Loop, number: int) -> ast.stmt:
        """Return the statements that stand for a loop, as one."""
        place, word = walked_at(loop), f"{LEFT}{number}"
        bound = sorted(name for name in names.writes(*loop.body, *self.heads(loop)) if name in self.locals)
        self.bound.append(bound)
        body: list[ast.stmt] = [located(ast.Assign([named(word, place, ast.Store())], self.hook(loop, number)), place)]
        lines = [f"if {word}.has({name!r}): {name} = {word}.get({name!r})" for name in bound]
        lines += [f"if {word}.lost({name!r}): del {name}" for name in bound if name in deleted(loop)]
        if self.function.__code__.co_flags & 32:
            lines.append(f"for {word}y in {word}.yielded(): yield {word}y")
        lines += [f"{word}.again()", f"if {word}.returned: return {word}.value()"]
        tree = ast.parse("\n".join(lines))
        for part in ast.walk(tree):
            located(part, place)
        plain = names.copied(loop.node)
        orelse = [self.copied(part) for part in loop.orelse]
        assert isinstance(plain, (ast.For, ast.While))
        if isinstance(plain, ast.For):
            plain.iter = plain_items(loop, part_of(word, "items", place), part_of(word, word_of(plain.iter), place))
        ended: list[ast.stmt] = [located(ast.If(part_of(word, "ended", place), orelse, []), place)] if orelse else []
        last = located(ast.If(part_of(word, "ran", place), ended or [located(ast.Pass(), place)], [plain]), place)
        return located(ast.If(located(ast.Constant(True), place), [*body, *tree.body, last], []), place)

    def heads(self, loop: Loop) -> list[ast.AST]:
        """Return what of a loop may bind names beside its body."""
        return [part for part in (loop.target, loop.test) if part is not None]

    @property
    def locals(self) -> Collection[str]:
        """Return the names of the function's variables."""
        return (*self.function.__code__.co_varnames, *self.function.__code__.co_cellvars)


class Without:
    """Writes a loop's body without `yield` and `return`: what they would give is kept."""

    def __init__(self, looked_at: bool) -> None:
        self.looked_at = looked_at
        self.changed = False

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Write statements; what cannot be written stays."""
        found: list[ast.stmt] = []
        for statement in statements:
            found += self.statement(statement)
        return found

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        """Write one statement."""
        if isinstance(node, ast.Return):
            self.changed = True
            value = node.value if node.value is not None else located(ast.Constant(None), node)
            kept = located(ast.Tuple([value], ast.Load()), node)
            return [located(ast.Assign([named(RETURNED, node, ast.Store())], kept), node), located(ast.Break(), node)]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and self.may_yield(node.value.value):
            self.changed = True
            assert node.value.value is not None
            return [
                located(
                    ast.Expr(located(ast.Call(part_of(YIELDED, "append", node), [node.value.value], []), node)), node
                )
            ]
        if isinstance(node, (ast.If, ast.With, ast.Try)):
            for word in ("body", "orelse", "finalbody"):
                if getattr(node, word, None):
                    setattr(node, word, self.block(getattr(node, word)))
            for handler in getattr(node, "handlers", ()):
                handler.body = self.block(handler.body)
        elif isinstance(node, (ast.For, ast.While)) and ast.Return not in names.kinds_in(node):
            node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        return [node]

    def may_yield(self, value: ast.expr | None) -> bool:
        """Tell whether a value may be yielded later: nobody looks at it before, or it is a new one."""
        if value is None or names.kinds_in(value) & {ast.Yield, ast.YieldFrom}:
            return False
        return not self.looked_at or not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript))


def entered(node: ast.Call, use: Use | None, copy: object) -> ast.Call:
    """Return a call whose function is looked at before it is called: it may be one with hooks."""
    assert callable(copy)
    given: list[ast.expr] = [copy(node.func)]
    if use is not None:
        told = ast.parse(repr((use.looks, use.into, use.names)), mode="eval").body
        for part in ast.walk(told):
            located(part, node.func)
        given.append(told)
        if use.into or use.names:
            given.append(located(ast.Call(named("locals", node.func), [], []), node.func))
    func = located(ast.Call(named(ENTER, node.func), given, []), node.func)
    args, keywords = [copy(part) for part in node.args], [copy(part) for part in node.keywords]
    made = located(ast.Call(func, args, keywords), node)
    for part in given_at_once(made, node.func):
        looked_at = located(ast.Call(named(ENTER, part), [part], []), part)
        made.args = [looked_at if one is part else one for one in args]
        made.keywords = [replaced(one, part, looked_at) for one in made.keywords]
        args = made.args
    return made


def replaced(keyword: ast.keyword, part: ast.expr, other: ast.expr) -> ast.keyword:
    """Return a keyword argument with another value in the place of one."""
    return located(ast.keyword(keyword.arg, other), keyword) if keyword.value is part else keyword


def given_at_once(node: ast.Call, func: ast.expr | None = None) -> list[ast.expr]:
    """Return the functions that a call is given which what it calls will call at once, as far as its name tells."""
    func = func or node.func
    if not isinstance(func, ast.Attribute) or func.attr not in AT_ONCE:
        return []
    given = [*node.args[:1], *(part.value for part in node.keywords if part.arg is not None)]
    return [part for part in given if isinstance(part, (ast.Name, ast.Attribute, ast.Lambda))]


def walked_at(loop: Loop) -> ast.expr:
    """Return a node at the place where a loop takes its items, on one line: calls of methods are put at their end."""
    place = loop.items if loop.items is not None else loop.test if loop.test is not None else loop.node
    made = located(ast.Constant(None), place)
    made.end_lineno, made.end_col_offset = made.lineno, made.col_offset
    return made


def deleted(loop: Loop) -> set[str]:
    """Return the names that a loop may delete."""
    return set[str]().union(*[names.facts_of(part).deletes for part in loop.body])


def named(word: str, place: ast.AST, context: ast.expr_context | None = None) -> ast.Name:
    """Return a name at a place."""
    return located(ast.Name(word, context or ast.Load()), place)


def part_of(word: str, attribute: str, place: ast.AST) -> ast.Attribute:
    """Return an attribute of a name at a place."""
    return located(ast.Attribute(named(word, place), attribute, ast.Load()), place)


def compiled(definition: names.FunctionNode, function: types.FunctionType) -> types.CodeType | None:
    """Return the code of a function with hooks, which has the names and lines of the function itself."""
    code = function.__code__
    inner: ast.stmt = ast.Expr(definition) if isinstance(definition, ast.Lambda) else definition
    around = [*dict.fromkeys([HOOK, ENTER, POOL, *code.co_freevars])]
    arguments = ast.arguments([], [ast.arg(name) for name in around], None, [], [], None, [])
    body: list[ast.stmt] = (
        [inner] if code.co_name in around or inner is not definition else [ast.Global([code.co_name]), inner]
    )
    module = ast.Module([ast.FunctionDef(MAKE, arguments, body, [])], [])
    module.body[0].__dict__["type_params"] = []
    for part in [module.body[0], *arguments.args, *body]:
        located(part, definition)
    flags = code.co_flags & FUTURES
    try:
        whole = compile(ast.fix_missing_locations(module), code.co_filename, "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    (make,) = [part for part in whole.co_consts if isinstance(part, types.CodeType)]
    found = [part for part in codes_in(make) if part.co_name == code.co_name]
    found = [part for part in found if part.co_firstlineno == code.co_firstlineno and same_arguments(part, code)]
    return renamed(found[0], found[0].co_qualname, code.co_qualname) if found else None


def codes_in(code: types.CodeType) -> list[types.CodeType]:
    """Return the code objects that a code object makes functions of."""
    return [part for part in code.co_consts if isinstance(part, types.CodeType)]


def same_arguments(one: types.CodeType, other: types.CodeType) -> bool:
    """Tell whether two functions take the same arguments."""
    count = one.co_argcount + one.co_kwonlyargcount
    same = one.co_varnames[:count] == other.co_varnames[:count]
    return same and one.co_flags & 0xFF == other.co_flags & 0xFF | one.co_flags & 16


def renamed(code: types.CodeType, before: str, after: str) -> types.CodeType:
    """Return code, and all code in it, that says it stands where the original stands."""
    constants = tuple(
        renamed(part, before, after) if isinstance(part, types.CodeType) else part for part in code.co_consts
    )
    return code.replace(co_consts=constants, co_qualname=after + code.co_qualname[len(before) :])
