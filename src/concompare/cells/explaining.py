"""Explain a cell in words: where each part runs, as code that somebody could have written."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
import sys
import types
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.counting import VIEWS
from concompare.cells.distribution.code.early import EARLY
from concompare.cells.distribution.code.generated import Generated
from concompare.cells.distribution.code.record import CHANGED, KEPT, PARTS, RECORD
from concompare.cells.forms import callers, finding, flattening, pools
from concompare.cells.frame import FRAME, WHOLE, Frame
from concompare.cells.inlining.queues import Queue
from concompare.cells.inside.explained import Inside
from concompare.cells.inside.variant import RETURNED, YIELDED
from concompare.cells.ir import OURS, RESULT, Loop, Stage, as_named
from concompare.cells.known_names import learn
from concompare.cells.objects import MISSING
from concompare.cells.replay import binding
from concompare.cells.syntax import names
from concompare.errors import CellRefused
from concompare.worker.state_watch import captured

if TYPE_CHECKING:
    from concompare.cells.program import Cell
    from concompare.cells.replay.binding import Lifted

MOST = 10_000
"""Parts of what a loop walks that are looked at before anything runs."""
STARTED_ONE_BY_ONE = frozenset({"Thread", "Process"})
LIGHT = frozenset(["range", "enumerate", "zip", "reversed", "len"])
"""What is called for that."""


@dataclass(frozen=True)
class Part:
    """What would become of one part of a cell, in words.

    Attributes:
        found: Of a loop what it becomes, or why it runs as it is.
        function: The function that the loop stands in; empty: the cell itself.
        notes: What only running the cell would show.
    """

    text: str
    loop: Loop | None = None
    found: Lifted | CellRefused | None = None
    function: str = ""
    notes: tuple[str, ...] = ()


def explanation(cell: Cell, namespace: Mapping[str, Any]) -> str:
    """Return what would run where, loop by loop; nothing is run.

    Raises:
        CellRefused: No loop of the cell can run in parallel.
    """
    parts = parts_of(cell, namespace)
    if not parts:
        raise CellRefused("there is no loop, comprehension, map or call to run in parallel.")
    refusals = [part.found for part in parts if isinstance(part.found, CellRefused)]
    if len(refusals) == len(parts):
        raise refusals[0]
    return "\n\n".join(part.text for part in parts)


def parts_of(cell: Cell, namespace: Mapping[str, Any], functions: Sequence[types.FunctionType] = ()) -> list[Part]:
    """Return what would become of each part of a cell, and of loops in functions that are known beside it."""
    cell.look(namespace)
    cell.settle(namespace)
    cell.find_pools(namespace)
    makers = [node for node in cell.makers if not (cell.windows and last_name(node) in STARTED_ONE_BY_ONE)]
    found = [Part(pool_told(cell, node, namespace)) for node in makers]
    found += [Part(started_told(cell.windows.line))] if cell.windows else []
    inner = list(inside(cell, namespace, functions))
    found += inner
    statements = [] if inner else independent_statements(cell, namespace)
    found += [Part(text) for _, text in statements]
    told_of = set().union(*[nodes for nodes, _ in statements])
    for loop in cell.loops:
        if cell.is_meant(loop) and not (loop.kind == "call" and (inner or loop.node in told_of)):
            found += one_by_one(cell, loop, [], namespace)
    return found


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    return ast.unparse(node).rpartition(".")[2]


def started_told(line: int) -> str:
    """Return what would become of threads or processes that are started one by one."""
    return f"the threads or processes that are started at line {line} run in workers as one loop, when one is joined"


def pool_told(cell: Cell, node: ast.expr, namespace: Mapping[str, Any]) -> str:
    """Return what would become of the calls of a pool that the cell makes itself."""
    title = f"the calls of `{ast.unparse(node)}` at line {node.lineno}"
    why = pools.urgent(cell.tree, namespace)
    if why is not None:
        return f"{title} run as they are written: {why}."
    return f"{title} run in workers as one loop, when a result of theirs is asked for; those with effects as written."


def independent_statements(cell: Cell, namespace: Mapping[str, Any]) -> list[tuple[set[ast.AST], str]]:
    """Return what would become of statements that do not depend on each other, with the nodes of these."""
    fixed = cell.fixed()
    if fixed is None:
        return []
    from concompare.cells.replay import planned

    known, known_at = dict(namespace), {}
    for place, statement in enumerate(cell.tree.body):
        known_at[place] = dict(known)
        learn(statement, known, cell.wishes.filename)
    return planned.planned_of(cell.tree, fixed, known_at, assume_pure=cell.wishes.assume_pure)


def inside(cell: Cell, namespace: Mapping[str, Any], functions: Sequence[types.FunctionType] = ()) -> Iterator[Part]:
    """Yield what would happen to the loops inside the functions that a cell calls, and inside these functions."""
    wishes = cell.wishes
    if wishes.over is not None or wishes.function is not None or wishes.line is not None:
        return
    looking = Inside(cell, known_before(cell, [], namespace))
    others = itertools.chain.from_iterable(looking.inside(function, {}, 0) for function in functions)
    for name, loop, found in itertools.chain(looking.found(), others):
        if isinstance(found, CellRefused):
            yield Part(f"inside `{name}`, {loop.caption} runs as it is: {found}", loop, found, name)
        else:
            yield Part(f"inside `{name}`, {told(cell, found, namespace)}", loop, found, name)
    for name, line in looking.started:
        yield Part(f"inside `{name}`, {started_told(line)}", function=name)


def one_by_one(cell: Cell, loop: Loop, around: list[Loop], namespace: Mapping[str, Any]) -> list[Part]:
    """Return the explanation of a loop, and where it runs as it is, of the loops in it too."""
    try:
        lifted = lifted_before(cell, loop, namespace, around)
    except CellRefused as refusal:
        if isinstance(refusal.waits, Queue):
            waits = refusal.waits
            calls = f"`{ast.unparse(waits.call)}` for all that wait in `{ast.unparse(waits.container)}` together"
            return [Part(f"{loop.caption} runs as it is written, and workers compute {calls}")]
        if around and refusal.idle:
            return []
        refusal.line = refusal.line or loop.line
        notes = tuple(unknown_before(cell, loop, namespace))
        refusal.reasons = (*refusal.reasons, *notes)
        found = [Part(f"{loop.caption} runs as it is: {refusal}", loop, refusal, notes=notes)]
        inner = finding.loops_in(loop.body, cell.shadowed) if isinstance(loop.node, ast.stmt) else []
        for part in inner:
            found += one_by_one(cell, part, [*around, loop], namespace)
        return found
    return [Part(told(cell, lifted, namespace, around), loop, lifted)]


def unknown_before(cell: Cell, loop: Loop, namespace: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the names of a loop of which only running the cell would tell what they are."""
    known, given = known_before(cell, [loop], namespace), set()
    for statement in cell.tree.body:
        if loop.node in names.nodes_in(statement):
            break
        given |= names.writes(statement)
    found = sorted((names.reads(loop.node) & given) - known.keys())
    if not found:
        return []
    words = " and ".join(f"'{name}'" for name in found[:3])
    return [f"note: the cell gives {words} a value itself, so what can run in parallel is certain only when it runs"]


def lifted_before(cell: Cell, loop: Loop, namespace: Mapping[str, Any], around: Sequence[Loop] = ()) -> Lifted:
    """Return a loop as it can be seen before anything of its cell has run; `around` are the loops that it is in."""
    known = known_before(cell, [*around, loop], namespace)
    if isinstance(namespace, dict):  # the notebook's functions see its names, of which these are a copy
        known.setdefault(FRAME, Frame(WHOLE, WHOLE, 1, namespace, frozenset(), frozenset()))
    walked = loop.items if loop.items is not None else ast.Constant(None)
    items = [None] if loop.kind == "call" else value_of(walked, known, cell.shadowed)

    def lift(one: Loop, thing: Any) -> Lifted:
        wishes = cell.wishes
        return binding.lift(
            one,
            known,
            thing,
            filename=wishes.filename,
            source=cell.source,
            assume_pure=wishes.assume_pure,
            seeded=wishes.seeded,
            seen=False,
        )

    flat = flattening.flattened(loop, known) if isinstance(items, (list, tuple, range, dict)) else None
    if flat is not None and 0 < len(items) <= cell.wishes.few:
        assert flat.loop.written is not None
        with contextlib.suppress(CellRefused):
            found = lift(flat.loop, value_of(flat.loop.written, known, cell.shadowed))
            if not found.staying and found.ahead is None:
                return found
    return lift(loop, items)


def known_before(cell: Cell, loops: Sequence[Loop], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names that are known when the first of some loops begins, the others being inside it.

    Without a loop, return those that are known after all of the cell.
    """
    known = dict(namespace)
    for statement in cell.tree.body:
        if loops and loops[0].kind != "function" and loops[0].node in names.nodes_in(statement):
            break
        learn(statement, known, cell.wishes.filename)
    for loop in loops[:-1]:
        for name in names.writes(loop.node):
            known.pop(name, None)
    return known


def value_of(node: ast.expr, known: Mapping[str, Any], shadowed: frozenset[str]) -> Any:
    """Return what a loop walks, as far as a name tells or finding it runs nothing of the user's."""
    if isinstance(node, ast.Name):
        return known.get(node.id, MISSING)
    own = names.stored(node) if isinstance(node, ast.ListComp) else set()
    used = {part.id for part in names.nodes_in(node) if isinstance(part, ast.Name)} - own - LIGHT
    budget = [MOST]
    if not is_light(node, shadowed | (LIGHT & known.keys())):
        return MISSING
    if not all(is_data(known.get(name, MISSING), budget) for name in used):
        return MISSING
    made: ast.expr = names.copied(node)
    if isinstance(made, ast.ListComp):
        made = ast.copy_location(ast.GeneratorExp(made.elt, made.generators), made)
    code = compile(ast.fix_missing_locations(ast.Expression(made)), "<items>", "eval", dont_inherit=True)
    try:
        found: Any = eval(code, {name: known[name] for name in used})
        if type(found) in (enumerate, zip, types.GeneratorType, *VIEWS):
            found = list(itertools.islice(found, MOST + 1))
    except Exception:  # the plain loop meets it in its turn
        return MISSING
    return found if isinstance(found, Sized) and len(found) <= MOST else MISSING


def is_light(node: ast.expr, shadowed: frozenset[str]) -> bool:
    """Tell whether finding what an expression walks takes neither time nor memory, and runs nothing of the user's."""
    parts: list[ast.expr] = [node]
    if isinstance(node, ast.ListComp):
        parts = [node.elt, *(part for level in node.generators for part in [level.iter, *level.ifs])]
    for part in itertools.chain.from_iterable(map(names.nodes_in, parts)):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id not in LIGHT:
            return False
        if isinstance(part, ast.BinOp) and not isinstance(part.op, (ast.Add, ast.Sub, ast.Mod, ast.FloorDiv)):
            return False
    return all(flattening.is_cheap(part, shadowed) for part in parts)


def is_data(thing: Any, budget: list[int]) -> bool:
    """Tell whether an object consists of numbers, texts and plain containers, not too many of them."""
    budget[0] -= 1
    if budget[0] < 0:
        return False
    kind = type(thing)
    if kind is dict:
        return all(is_data(key, budget) and is_data(value, budget) for key, value in thing.items())
    if kind in (list, tuple, set, frozenset):
        return all(is_data(part, budget) for part in thing)
    return kind in (int, float, str, bytes, bool, type(None), range) and (kind is not range or len(thing) <= MOST)


def title_of(lifted: Lifted, around: Sequence[Loop]) -> str:
    """Return which loop something is about, and what it is in."""
    loop = lifted.loop
    title = loop.caption
    inside = flattening.levels(loop) - 1 if loop.early else 0
    if inside:
        what = "loop" if isinstance(loop.node, ast.stmt) else "`for`"
        title += f" and the {what if inside == 1 else f'{inside} {what}s'} directly in it, shared out as one"
    title += "".join(f", for each item of {outer.caption}" for outer in around[-1:])
    return title if lifted.name.startswith("the ") else f"{title}: {lifted.name}"


def told(cell: Cell, lifted: Lifted, namespace: Mapping[str, Any], around: Sequence[Loop] = ()) -> str:
    """Return where the parts of one loop run."""
    loop = lifted.loop
    one = loop.kind == "call"
    head, tail = readable(lifted.made)
    parts = [title_of(lifted, around), ""]
    parts += ["runs in a worker:" if one else "runs in workers, for every item:", indented(head)]
    if tail and not one:
        parts += ["", "is replayed in the notebook, in item order:", indented(tail)]
    if then := afterwards(cell, loop):
        parts += ["", "then, in the notebook:", indented(then)]
    if left := sorted(lifted.made.kept):
        parts += ["", f"the last item leaves in the notebook, as the plain loop does: {', '.join(left)}"]
    if loop.items is not None and not one:
        walked = loop.written if loop.written is not None else loop.items
        thing = value_of(walked, known_before(cell, [*around, loop], namespace), cell.shadowed)
        parts += ["", f"items: {ast.unparse(walked)}{size_of(thing)}"]
    if calls := calls_of(lifted):
        parts += ["", "where each call runs:", *[f"    {call}" for call in calls]]
    if captured := captured_names(head, namespace):
        parts += ["", "taken along from the notebook:", *[f"    {name}: {what}" for name, what in captured]]
    parts += ["", *[f"note: {in_words(sentence)}" for sentence in lifted.notes]] if lifted.notes else []
    parts += ["", *[f"hazard: {sentence}" for sentence in lifted.hazards]] if lifted.hazards else []
    return "\n".join(parts)


def in_words(sentence: str) -> str:
    """Return a sentence with words in the places of our names."""
    return sentence.replace(f"`{YIELDED}`", "what it yields").replace(f"`{RETURNED}`", "what it returns")


def calls_of(lifted: Lifted) -> list[str]:
    """Return where each call that may take long runs and why, unless all of them run in workers."""
    staged = lifted.staged
    found: dict[str, None] = {}
    heavy = [node for node, effects in staged.analysed.effects.items() if effects.heavy and isinstance(node, ast.Call)]
    early = staged.in_workers()
    if all(staged.of(node) is not Stage.TAIL for node in heavy):
        return []
    for node in sorted(heavy, key=lambda node: (node.lineno, node.col_offset)):
        place = "in a worker: nothing of it needs the order of the items"
        if node in early:
            place = "in a worker, before it is known whether it is needed"
        elif staged.of(node) is Stage.TAIL:
            why = staged.stays.get(node)
            line = f"line {why.line} " if why is not None and why.line != node.lineno else ""
            place = "in the notebook" + (f": {line}{why.text}" if why is not None else "")
        if not any(word in ast.unparse(node) for word in (OURS, YIELDED, RETURNED)):
            found[f"line {node.lineno}: `{ast.unparse(node)}` {place}"] = None
    return list(found)


def afterwards(cell: Cell, loop: Loop) -> str:
    """Return the statement that goes on with what a loop collected; nothing where that is a block, or there is none."""
    if not loop.collects or loop.kind == "function":
        return ""
    nodes = [part for statement in cell.tree.body for part in names.nodes_in(statement)]
    around = [part for part in nodes if isinstance(part, ast.stmt) and loop.node in names.nodes_in(part)]
    if not around or hasattr(around[-1], "body"):
        return ""
    if loop.caller is not None:
        return ast.unparse(callers.with_values(around[-1], loop))
    word = "value" if loop.kind == "call" else "results"
    collected = ast.Name(word, ast.Load())
    whole = ast.Call(ast.Name(loop.shape, ast.Load()), [collected], []) if loop.shape in ("set", "dict") else collected
    return ast.unparse(names.copied(around[-1], lambda part: whole if part is loop.node else None))


def readable(made: Generated) -> tuple[str, str]:
    """Return the head and the tail as text, with words in the places of our names."""
    head = names.copied(made.head)
    head.args.args = [] if made.loop.kind == "call" else head.args.args[:1]
    head.args.defaults = []
    Plain(wrapped=bool(made.kept) or made.recorded).visit(head)
    head = Early().visit(head)
    if len(head.body) > 1 and isinstance(head.body[-1], ast.Return) and head.body[-1].value is None:
        head.body.pop()
    texts = [ast.unparse(ast.fix_missing_locations(head))]
    tail = [Early().visit(names.copied(part)) for action in made.actions for part in action.code]
    texts.append("\n".join(ast.unparse(ast.fix_missing_locations(part)) for part in tail))
    taken = {part.id for node in (head, *tail) for part in ast.walk(node) if isinstance(part, ast.Name)}
    words = ("value", "computed", "from_worker")
    word = next(word for word in words if not any(name.startswith(word) for name in taken))
    numbers = list(dict.fromkeys(re.findall(rf"{OURS}(\d+)", "\n".join(texts))))
    shown = {number: word if len(numbers) == 1 else f"{word}{place}" for place, number in enumerate(numbers, 1)}
    texts = [re.sub(rf"{OURS}(\d+)", lambda found: shown[found[1]], text) for text in texts]
    for ours, plain in {RESULT: "results", RECORD: "record", YIELDED: "yielded", RETURNED: "returned"}.items():
        texts = [text.replace(ours, plain) for text in texts]
    texts = [re.sub(rf"{callers.FUNCTION}[\d_]+", "function", text) for text in texts]
    if len(set(re.findall(rf"{OURS}item\d*", "".join(texts)))) == 1:
        texts = [re.sub(rf"{OURS}item\d*", "item", text) for text in texts]
    return as_named(texts[0]).replace(OURS, ""), as_named(texts[1]).replace(OURS, "")


class Plain(ast.NodeTransformer):
    """Remove from a head what it does for the notebook's sake only.

    Args:
        wrapped: What the head returns stands in a tuple, with the names that it leaves.
    """

    def __init__(self, *, wrapped: bool) -> None:
        self.wrapped = wrapped

    def visit_Return(self, node: ast.Return) -> ast.Return:
        """Leave the value of the item alone."""
        value = node.value.elts[0] if self.wrapped and isinstance(node.value, ast.Tuple) else node.value
        return ast.Return(None if isinstance(value, ast.Constant) and value.value is None else value)

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Leave out the entries that are no step of the user's."""
        return None if is_entry_of_ours(node.value) else node

    def visit_If(self, node: ast.If) -> ast.AST:
        """Say that the record begins."""
        if RECORD in ast.unparse(node.test):
            return node.body[0]
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        """Leave out the list of the item's parts."""
        return None if PARTS in ast.unparse(node) else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit what a block holds; there is something in it afterwards."""
        if isinstance(node, ast.expr):
            return node
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node


class Early(ast.NodeTransformer):
    """Write calls that are made early, and names that may have a value, as one would say it."""

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        """Show the names that the head hands over where they have a value."""
        if not ast.unparse(node.generators[0].iter).startswith("locals()"):
            return self.generic_visit(node)
        (words,) = (ast.literal_eval(test.comparators[0]) for test in node.generators[0].ifs)  # type: ignore[attr-defined]
        return ast.Tuple([ast.Name(word, ast.Load()) for word in words], ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Show the calls of the head without how they are held back and found."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id != EARLY:
            return node
        made = node.args[0]
        assert isinstance(made, ast.GeneratorExp)
        assert isinstance(made.elt, ast.Tuple)
        first, *turns = made.generators
        call = made.elt.elts[1].body  # type: ignore[attr-defined]
        value: ast.expr = ast.ListComp(call, turns) if turns else call
        if first.ifs:
            test = first.ifs[0] if len(first.ifs) == 1 else ast.BoolOp(ast.And(), first.ifs)
            value = ast.IfExp(test, value, ast.Constant(None))
        return ast.Call(node.func, [value], [])

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """Show a call of the tail that was made early, and the call itself where it was not."""
        self.generic_visit(node)
        asked, taken = node.test, node.body
        ours = isinstance(asked, ast.Call) and isinstance(asked.func, ast.Attribute) and asked.func.attr == "holds"
        if not ours or not isinstance(taken, ast.Call) or not isinstance(taken.func, ast.Attribute):
            return node
        holder = taken.func.value
        if not isinstance(holder, ast.Name) or not holder.id.startswith(OURS):
            return node
        return ast.BoolOp(ast.Or(), [holder, node.orelse])


def is_entry_of_ours(node: ast.expr) -> bool:
    """Tell whether an expression records an item that changed, or the names that a head has."""
    if (
        not isinstance(node, ast.Call)
        or not node.args
        or not isinstance(node.args[0], ast.Tuple)
        or not node.args[0].elts
    ):
        return False
    func, number = node.func, node.args[0].elts[0]
    ours = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == RECORD
    return ours and isinstance(number, ast.Constant) and number.value in (CHANGED, KEPT)


def indented(text: str) -> str:
    """Return text set in by four spaces."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def size_of(thing: Any) -> str:
    """Return how many items there are, where a name of the notebook tells."""
    return f" ({len(thing)} items)" if isinstance(thing, (list, tuple, set, dict, range)) else ""


def captured_names(head: str, namespace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the notebook's names that the head reads, each with what it is."""
    tree = ast.parse(head)
    used = set().union(*[set(names.free_names(part)) for part in tree.body if isinstance(part, names.FUNCTIONS)])
    found = {name: namespace[name] for name in sorted(used) if name in namespace and name != "__builtins__"}
    told = {name: remade(thing, namespace) or what_is(thing) for name, thing in found.items()}
    inner = {name: thing for function in found.values() for name, thing in captured(function) if name not in told}
    told |= {name: words for name, thing in inner.items() if (words := remade(thing, namespace))}
    return list(told.items())


def remade(thing: Any, namespace: Mapping[str, Any]) -> str:
    """Return how worker processes make an object again, or why they cannot; nothing of one that can be sent."""
    from concompare.cells.recipes.recipe import recipe_of
    from concompare.cells.recipes.states import NotAgain

    try:
        recipe = recipe_of(thing, [namespace])
    except NotAgain as reason:
        return f"not for worker processes, since {reason}"
    return f"made once in each worker process: {recipe.line}" if recipe is not None else ""


def what_is(thing: Any) -> str:
    """Return the type and rough size of an object."""
    kind = type(thing).__name__
    if kind in ("module", "function", "type"):
        return kind
    if callable(thing) and kind in ("_lru_cache_wrapper", "builtin_function_or_method", "partial", "method"):
        return "function"
    size = (hasattr(type(thing), "nbytes") and getattr(thing, "nbytes", None)) or sys.getsizeof(thing, 0)
    length = f" of {len(thing)}" if isinstance(thing, (list, tuple, set, dict, str, bytes)) else ""
    return f"{kind}{length}, {size} bytes"
