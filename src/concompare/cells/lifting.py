"""From a cell's source to what can be run in parallel: parse, choose the loop, split it; nothing is run."""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from concompare.cells import alias, elementwise, identity, known, names, sources, walking
from concompare.cells.before import settle
from concompare.cells.bind import PLACE, Items, Program, Replay, compiled, run
from concompare.cells.collect import Collect, replaced
from concompare.cells.explain import readable
from concompare.cells.functions import LiftedFunction, lift_function
from concompare.cells.loops import Loop, awaits_items, loops_of
from concompare.cells.parts import Alias, Parts, flattened, works
from concompare.cells.purity import Analyzer
from concompare.cells.restless import refuse_restless
from concompare.cells.split import Splitter
from concompare.cells.task import Task
from concompare.cells.values import ITEM, NOTHING, Value
from concompare.cells.world import MISSING, World, is_iterator
from concompare.errors import BadOption, CellRefused


@dataclass
class Wishes:
    """What the user asked for."""

    filename: str
    first_line: int
    line: int | None = None
    assume_pure: bool = False
    seeded: bool = False


@dataclass
class Lifted:
    """A cell that can be run in parallel: what runs in workers, what is replayed, and what is bound when.

    Attributes:
        kind: "loop", "comprehension", "map", "function" or "call".
        name: A short label for captions.
        line: The line of the loop, comprehension or call.
        notes: What the user should know; `hazards`: what may make runs differ or leave traces outside the notebook.
    """

    kind: str
    name: str
    line: int
    source: str
    notes: tuple[str, ...]
    hazards: tuple[str, ...]
    program: Program = field(repr=False)
    world: World = field(repr=False)

    @functools.cached_property
    def sources(self) -> tuple[str, str]:
        """Return what runs in workers and what is replayed, as the user could have written them."""
        return readable(self.program)

    @property
    def head_source(self) -> str:
        """Return the function that runs in workers."""
        return self.sources[0]

    @property
    def tail_source(self) -> str:
        """Return what is replayed for each result."""
        return self.sources[1]

    def bind(self, namespace: MutableMapping[str, Any]) -> Task:
        """Run the statements before the loop, walk the items once, and return the task.

        Raises:
            CellRefused: The objects themselves show that the items are not independent.
        """
        assert isinstance(namespace, dict)
        program = self.program
        run(program.before, namespace, program.filename)
        if program.annotates and sys.version_info < (3, 14):
            namespace.setdefault("__annotations__", {})
        items, bar = evaluated(program, namespace)
        if not self.world.assume_pure:
            for thing in objects_of(self.world, namespace, program.parts.compared - {ITEM}):
                identity.refuse_identities([thing], self.line)
        check_objects(self, namespace, items)
        count = walking.count_of(self.world, items)
        handed = Items(items if type(items) in SEVERAL_TIMES else iter(items))
        if handed.known is not None:
            self.check_items(handed.known)
        function = program.function(namespace)
        side: Replay | Collect
        side = (
            Collect(program, namespace, handed)
            if program.loop.collects
            else Replay(program, namespace, handed, function)
        )
        side.bar = bar
        return Task(
            function=function,
            items=items if handed.known is not None else handed.handed(self.check_items),
            count=count,
            name=self.name,
            kind=self.kind,
            source=self.source,
            head_source=self.head_source,
            tail_source=self.tail_source,
            line=self.line,
            temporaries=program.temporaries,
            apply=side.apply,
            finish=side.finish,
            fail=side.fail,
            statement=len(program.before),
        )

    def check_items(self, items: Iterable[Any]) -> None:
        """Refuse items that a worker would use up as copies."""
        if type(items) is not range and self.program.loop.items:
            repeated = [part.statement for part in flattened(self.program.parts.tail) if isinstance(part, Alias)]
            unpacked = any(isinstance(part, (ast.Tuple, ast.List)) for part in flattened(repeated))
            walking.refuse_iterators(items, self.line, unpacked=unpacked)
            if ITEM in self.program.parts.compared and not self.world.assume_pure:
                identity.refuse_identities(items, self.line)

    def explanation(self, namespace: MutableMapping[str, Any]) -> str:
        """Return what would happen, without running anything."""
        from concompare.cells import explain

        return explain.explanation(self, namespace)


SEVERAL_TIMES = (list, tuple, range)
"""Types of items that may be walked more than once without anything happening."""


def evaluated(program: Program, namespace: dict[str, Any]) -> tuple[Any, Any]:
    """Evaluate what the loop walks, once; returns it and a progress bar around it, if there is one."""
    loop = program.loop
    if not loop.items:
        return [None], None
    codes = [compiled(ast.Expression(part), program.filename, "eval", namespace) for part in loop.items]
    found = [eval(code, namespace) for code in codes]
    items = found[0] if len(found) == 1 else zip(*found)  # noqa: B905
    bar = None
    if type(items).__module__.partition(".")[0] == "tqdm" and hasattr(items, "iterable"):
        bar, items = items, items.iterable
    if isinstance(items, (dict, set, frozenset)) or type(items).__name__ in ("dict_items", "dict_keys", "dict_values"):
        items = list(items)
    stops = loop.stops is not None or program.parts.stops
    shared = any(is_iterator(namespace.get(name)) for name in names.reads(*loop.items)) if stops else False
    if shared or (stops and isinstance(loop.items[0], ast.Name) and iter(items) is items):
        text = "stopping early leaves the iterator where the plain loop would not. Make it a list first."
        raise CellRefused(text, loop.line)
    return items, bar


def check_objects(lifted: Lifted, namespace: dict[str, Any], items: Any) -> None:
    """Refuse where the objects show that what the tail changes is what the head reads."""
    parts = lifted.program.parts
    if not parts.changed:
        return
    world, line = lifted.world, lifted.line
    shallow = objects_of(world, namespace, parts.shallow - {ITEM})
    deep = objects_of(world, namespace, parts.changed - parts.shallow - {ITEM})
    read = objects_of(world, namespace, parts.read - {ITEM} - parts.changed)
    if alias.overlap(shallow, deep, read, namespace):
        both = " and ".join(f"`{name}`" for name in sorted(parts.changed - {ITEM})[:3])
        raise CellRefused(
            f"the loop changes {both}, which may be a part of what it reads. Copy it before the loop.", line
        )
    if alias.overlap(shallow, deep, objects_of(world, namespace, parts.walked - parts.changed), namespace):
        name = sorted(parts.walked)[0]
        raise CellRefused(f"the loop may change `{name}` while walking it. Walk a copy of it: list({name}).", line)
    for root in {*parts.apart, *lifted.program.loop.apart}:
        others = objects_of(world, namespace, parts.shallow - {root, ITEM})
        inner = objects_of(world, namespace, parts.changed - parts.shallow - {root, ITEM})
        if alias.overlap(others, inner, [namespace[root]], namespace):
            text = f"the loop changes `{root}` under another name too, so an item may depend on the one before"
            raise CellRefused(f"{text}. Copy it before the loop.", line)
    for root, index in parts.apart.items():
        if root in lifted.program.loop.apart:
            continue
        check_apart(lifted, namespace[root], root, index, items)
    known_items = items if isinstance(items, (list, tuple)) else None
    if ITEM in parts.changed:
        if known_items is None or not alias.all_apart(known_items, [*read, *shallow, *deep], namespace):
            text = "the loop changes its items, and it cannot be seen that they share nothing"
            raise CellRefused(f"{text}. Compute into a new list instead.", line)
    elif ITEM in parts.read and not known.all_atoms(items) and alias.overlap(shallow, deep, [items], namespace):
        raise CellRefused("the loop changes something that its items hold. Copy it before the loop.", line)


def check_apart(lifted: Lifted, holder: Any, root: str, index: str, items: Any) -> None:
    """Refuse where two iterations may use the same element of a container that is read and changed."""
    indices = indices_of(lifted.program.loop.target, index, items)
    if indices is None or not elementwise.all_different(holder, indices):
        text = f"every iteration changes `{root}` and reads it, and it cannot be seen that each has its own element"
        raise CellRefused(f"{text}. Store into a new container.", lifted.line)


def indices_of(target: ast.expr, index: str, items: Any) -> list[Any] | None:
    """Return what a name of the target is in every iteration, or None where that cannot be told."""
    if not isinstance(items, (list, tuple, range)):
        return None
    if isinstance(target, ast.Name):
        return list(items)
    if not isinstance(target, (ast.Tuple, ast.List)) or not all(type(item) is tuple for item in items):
        return None
    words = [part.id if isinstance(part, ast.Name) else "" for part in target.elts]
    rows: list[tuple[Any, ...]] = [*items]
    if "" in words or any(len(row) != len(words) for row in rows):
        return None
    return [row[words.index(index)] for row in rows]


def objects_of(world: World, namespace: dict[str, Any], roots: set[str]) -> list[Any]:
    """Return the objects that roots stand for now."""
    found = []
    for root in roots:
        if root in world.hidden:
            found.append(world.hidden[root])
        elif root in namespace:
            found.append(namespace[root])
    return found


def lift(
    source: str,
    namespace: MutableMapping[str, Any],
    *,
    over: str | None = None,
    function: str | None = None,
    line: int | None = None,
    first_line: int = 1,
    filename: str = "<cell>",
    assume_pure: bool = False,
    seeded: bool = False,
) -> Lifted | LiftedFunction:
    """Return what of a cell can run in parallel, without running anything.

    Args:
        source: The cell.
        namespace: The notebook's names, read to follow calls.
        over: The source of the items, when the cell only defines a function.
        function: Which function.
        line: Which loop, by its line as the notebook numbers it.
        first_line: The number of the source's first line in the notebook.
        filename: The name under which the notebook knows the cell.
        assume_pure: Take calls that cannot be seen as changing nothing.
        seeded: Each item draws from a random stream of its own, so shared random numbers may be used.

    Raises:
        CellRefused: It cannot be proven that the results are those of the plain cell.
        SyntaxError: As the plain cell would raise it.
        BadOption: An option names something that is not there.
    """
    tree = sources.parsed(source, filename, first_line)
    wishes = Wishes(filename, first_line, line, assume_pure, seeded)
    if over is not None or function is not None:
        return lift_function(tree, source, namespace, over, function, wishes)
    shadowed = {name for name in namespace if hasattr(builtins, name)} | {
        name for name in names.writes(*tree.body) if hasattr(builtins, name)
    }
    shadowed = {name for name in shadowed if namespace.get(name, MISSING) is not getattr(builtins, name)}
    loops = loops_of(tree, shadowed)
    if not loops:
        loops = sources.plain_call(tree)
    if line is not None:
        loops = [loop for loop in loops if loop.line == line] or [
            loop for loop in loops if loop.line <= line <= (tree.body[loop.position].end_lineno or loop.line)
        ]
        if not loops:
            raise BadOption(f"--line {line}: no loop, comprehension or map starts there")
    if not loops:
        raise sources.nothing_found(tree)
    return chosen([attempt(tree, loop, source, namespace, wishes) for loop in loops])


def attempt(
    tree: ast.Module, loop: Loop, source: str, namespace: MutableMapping[str, Any], wishes: Wishes
) -> Lifted | CellRefused:
    """Split one loop of a cell, or return why it cannot be."""
    before, statement, after = tree.body[: loop.position], tree.body[loop.position], tree.body[loop.position + 1 :]
    world = World(namespace, before, assume_pure=wishes.assume_pure)
    world.awaits = awaits_items(statement)
    try:
        refuse_awaits(world, tree, loop, statement)
        settle(world, before)
        parts = split(world, loop, wishes)
    except CellRefused as refusal:
        if refusal.line is None:
            refusal.line = loop.line
        return refusal
    if loop.collects:
        after = [replaced(statement, loop.node, PLACE), *after]
    last = after[-1].value if after and isinstance(after[-1], ast.Expr) else None
    program = Program(wishes.filename, loop, parts, before, after[:-1] if last is not None else after, last)
    program.annotates = any(isinstance(node, ast.AnnAssign) for node in sources.outside_functions(statement))
    return Lifted(
        kind=loop.kind,
        name=label(loop),
        line=loop.line,
        source=source,
        notes=tuple(world.notes),
        hazards=tuple(world.hazards),
        program=program,
        world=world,
    )


def refuse_awaits(world: World, tree: ast.Module, loop: Loop, statement: ast.stmt) -> None:
    """Refuse what is awaited elsewhere, or by a `gather` that is not that of asyncio."""
    for other in (part for part in tree.body if part is not statement and awaits_items(part)):
        raise CellRefused("another statement awaits as well. Put it into a cell of its own.", other.lineno)
    if not world.awaits:
        return
    text = "a worker awaits in an event loop of its own: make what belongs to a loop, as a session, inside the function"
    world.notes[text] = None
    if isinstance(loop.node, ast.Await) and isinstance(loop.node.value, ast.Call):
        func = loop.node.value.func
        if walking.called(world, func) not in ("asyncio.gather", "asyncio.tasks.gather"):
            raise CellRefused(f"it cannot be seen that `{ast.unparse(func)}` is that of asyncio.", loop.line)


def split(world: World, loop: Loop, wishes: Wishes) -> Parts:
    """Split a loop, after looking at what it walks."""
    if not all(
        isinstance(part, (ast.Name, ast.Tuple, ast.List, ast.Starred, ast.expr_context))
        for part in names.nodes_in(loop.target)
    ):
        raise CellRefused("the loop's target is a part of an object. Use a plain name.", loop.line)
    if loop.bound & names.writes(*loop.items):
        raise CellRefused("what the loop walks binds the loop's own name.", loop.line)
    if loop.collects and loop.kind != "call" and names.writes(*loop.body):
        raise CellRefused("`:=` inside a comprehension binds a name of the notebook. Use a `for` loop.", loop.line)
    walking.refuse_reuse(world, loop, loop.items)
    reading = Analyzer(world).look(*loop.items)
    for part in loop.items:
        if isinstance(part, ast.Name) and is_iterator(world.object(part.id)):
            world.notes[f"if an item fails, `{part.id}` has been read further than by the plain loop"] = None
    item = (
        NOTHING
        if loop.kind == "call" or walking.walks_atoms(world, loop)
        else Value(frozenset({ITEM}), frozenset({ITEM}))
    )
    splitter = Splitter(world, loop, item, seeded=wishes.seeded)
    if not wishes.assume_pure:
        refuse_restless(world, loop, splitter.whole.names | splitter.whole.called | names.reads(*loop.body))
    lazy = any(walking.is_lazy(world, part) for part in loop.items)
    refuse_effects_between(splitter, loop)
    effects = [effect for effect in reading.effects if effect.kind != "file"]
    if effects and lazy:
        own = [effect for effect in effects if not (effect.kind == "change" and "uses up" in effect.text)]
        if own or splitter.changed & {root for effect in effects for root in effect.roots}:
            raise CellRefused(
                "walking the items changes something or prints between the iterations. Make them a list first.",
                loop.line,
            )
    walked = walking.walked_roots(world, loop) if not lazy else reading.roots
    same_place = {root for root, index in splitter.apart.items() if walking.walks_at(world, loop, root, index)}
    loop.apart = same_place
    both = (walked & splitter.changed) - (set() if lazy else walking.copied_roots(world, loop)) - same_place
    if both or (lazy and "*" in splitter.changed):
        name = sorted(both)[0] if both else "the items"
        raise CellRefused(
            f"the loop changes `{name}` while walking it. Walk a copy of it: list({name}).",
            splitter.line_of_change(name),
        )
    rebound = set(names.reads(*loop.items)) & (splitter.rebound | (names.writes(*loop.body) if lazy else set()))
    if rebound:
        name = sorted(rebound)[0]
        raise CellRefused(
            f"the loop gives `{name}` a new value while the items depend on it. Make them a list first.", loop.line
        )
    parts = splitter.split()
    parts.compared = {root for part in parts.head for root in splitter.look(part).compared}
    for effect in [effect for part in parts.head for effect in splitter.look(part).effects if effect.kind == "file"]:
        where = f"`{effect.place}` " if effect.place and effect.place != "·inner" else ""
        world.outside[(effect.line, f"{where}{effect.text}")] = None
    parts.walked = set(walked) - same_place - (set() if lazy else walking.copied_roots(world, loop))
    return parts


def refuse_effects_between(splitter: Splitter, loop: Loop) -> None:
    """Refuse where the function given as `key` does anything between one value and the next."""
    if loop.key is None or isinstance(loop.key, ast.Constant):
        return
    called = ast.copy_location(ast.Call(loop.key, [ast.copy_location(ast.Constant(0), loop.key)], []), loop.key)
    if splitter.an.look(called).effects:
        raise CellRefused(
            "the function given as `key` does more than return a value. Collect the values first.", loop.line
        )


def label(loop: Loop) -> str:
    """Return a short name for captions: the function that does the work, or where the loop is."""
    for node in [part for statement in loop.body for part in names.nodes_in(statement)]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in known.PURE_BUILTINS:
            return node.func.id
    return f"the {'loop' if loop.kind == 'loop' else loop.kind} at line {loop.line}"


def chosen(attempts: list[Lifted | CellRefused]) -> Lifted:
    """Return the loop that does the work, or raise what stands in the way."""
    lifted = [part for part in attempts if isinstance(part, Lifted)]
    if not lifted:
        raise next(part for part in attempts if isinstance(part, CellRefused))
    working = [part for part in lifted if has_work(part)] or lifted
    if len(working) > 1:
        lines = ", ".join(f"{part.line} ({part.name})" for part in working)
        raise CellRefused(
            f"several loops could run in parallel, at lines {lines}. Say which: --line {working[0].line}.",
            working[0].line,
        )
    taken = working[0]
    refused = [part for part in attempts if isinstance(part, CellRefused)]
    if len(attempts) > 1:
        taken.notes = (
            f"runs {taken.name} at line {taken.line} in parallel; the others run as they are",
            *taken.notes,
        )
    for refusal in refused:
        taken.notes = (*taken.notes, f"not in parallel: {refusal}")
    return taken


def has_work(lifted: Lifted) -> bool:
    """Tell whether the head calls anything that may be worth a worker."""
    return any(works(part) for part in lifted.program.parts.head)
