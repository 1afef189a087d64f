"""A loop of the notebook bound to its objects: analysed, checked, ready to run as a task."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Callable, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from concompare import formats
from concompare.cells import garbage
from concompare.cells.counting import counted
from concompare.cells.distribution.advice import name_of
from concompare.cells.distribution.code.early import EARLY
from concompare.cells.distribution.code.generated import Generated
from concompare.cells.distribution.code.record import PARTS
from concompare.cells.distribution.generate import Generator
from concompare.cells.distribution.seeds import FATAL
from concompare.cells.distribution.stages import stages_of
from concompare.cells.distribution.staging import Staged, heavy_in_notebook, heavy_in_tail, speculate
from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import again, known_pools
from concompare.cells.ir import OURS, Allowance, Analysed, Budget, Doubt, Loop, Order, Stage, TooLong, Why, as_named
from concompare.cells.objects import Obj, Origin
from concompare.cells.replay import checks, compiling, module_state, one_dictionary, purity
from concompare.cells.replay.collect import Collect
from concompare.cells.replay.items import Items, fits_twice, twice_for
from concompare.cells.replay.statement import Replay
from concompare.cells.syntax import names
from concompare.cells.task import Task
from concompare.errors import CellRefused
from concompare.records import ShortForm
from concompare.worker.transfer.item_state import Keeper

if TYPE_CHECKING:
    from concompare.cells.distribution.ahead.rewriting import Ahead

WORTH = frozenset({ast.Call, ast.BinOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr})
OWNER = OURS + "owner"
"""How the names begin of what the method belongs to that a call of the user's is given."""
TURNS = (ast.For, ast.While, *names.COMPREHENSIONS)
OF_OURS = tuple(OURS + word for word in ("function", "call", "caught", "chain", "error", "shown"))
"""How the names of functions begin that call the user's own."""
DEEPEST, FEW = 3, 64
"""Functions inside one another whose bodies are looked into; items up to which the loops inside one are worth more."""
TOO_LONG = "it takes too long to see what the loop does. Make a function of what is inside it."


@dataclass
class Lifted:
    """A loop that can run in parallel.

    Attributes:
        notes: What the user should know; `hazards`: what may leave traces outside the notebook.
        trusted: Installed callables that it calls of which nothing is declared.
        outside: What the workers do beyond their process, as far as the source shows: line and predicate.
        as_written: Does the same with the parallel code that the cell has itself (`loop.own`), with `own_workers`;
            `prepare` does what comes before and is not to be measured.
        statement: Which statement of the cell it is in, and `numbered` tells which node of that, as `ast.walk` goes.
        uneven: It is several loops as one, whose outer one has a last item without any of the inner one.
        again: Gives what the plain loop walks from the items that are left, where these are not the plain loop's own.
    """

    loop: Loop
    made: Generated
    staged: Staged
    filename: str
    source: str
    notes: tuple[str, ...] = ()
    hazards: tuple[str, ...] = ()
    trusted: dict[str, None] = field(default_factory=dict)
    outside: dict[tuple[int, str], None] = field(default_factory=dict)
    statement: int | None = None
    numbered: Callable[[], int] = int
    uneven: bool = False
    again: Callable[[Any], Any] | None = None
    staying: str = ""
    ahead: Ahead | None = None
    as_written: Callable[[], Any] | None = None
    prepare: Callable[[], None] | None = None
    own_workers: int = 1
    caches: bool = False

    @property
    def draws(self) -> bool:
        """Tell whether workers draw by pyplot."""
        found = self.staged.analysed.effects.items()
        return any(Order.FIGURE in effects.order and self.staged.of(node) is Stage.HEAD for node, effects in found)

    @property
    def kind(self) -> str:
        """Return what the user calls it."""
        return self.loop.kind

    @property
    def line(self) -> int:
        """Return its line."""
        return self.loop.line

    @property
    def name(self) -> str:
        """Return a short name for captions: the function that does the work, or where the loop is."""
        if self.loop.expanded:
            return self.loop.expanded
        for node in [part for statement in self.loop.body for part in names.nodes_in(statement)]:
            effects = self.staged.analysed.effects.get(node)
            func = node.func if isinstance(node, ast.Call) and effects is not None and effects.heavy else None
            if isinstance(func, ast.Name) and not func.id.startswith(OF_OURS):
                return as_named(func.id).removeprefix(OURS)
            owner = func.value if isinstance(func, ast.Attribute) else None
            if isinstance(func, ast.Attribute) and isinstance(owner, ast.Name) and owner.id.startswith(OWNER):
                return func.attr
        return self.loop.caption

    def note_traces(self) -> None:
        """Note what the head calls of which nothing is declared, and what it does beyond the process."""
        hazards: dict[str, None] = {}
        early = self.staged.in_workers()
        for node, effects in self.staged.analysed.effects.items():
            if not (effects.trusted or effects.hazards):
                continue
            if self.staged.of(node) is not Stage.HEAD and node not in early:
                continue
            line = getattr(node, "lineno", self.loop.line)
            self.trusted |= dict.fromkeys(sorted(effects.trusted))
            hazards |= {f"line {line}: {text}": None for text in effects.hazards}
            if effects.order & {Order.FILES, Order.PROGRAMS, Order.NETWORK}:
                self.outside |= {(line, text): None for text in effects.hazards}
        self.hazards = tuple(hazards)

    @property
    def counts_calls(self) -> bool:
        """Tell whether the cell asks for what a cache counts that items fill: every call of them shows there."""
        return self.caches and any(word in self.source for word in ASKING_CACHES)

    @functools.cached_property
    def sources(self) -> tuple[str, str]:
        """Return the head and the tail as text."""
        from concompare.cells.explaining import readable

        return readable(self.made)

    def bind(self, namespace: dict[str, Any], items: Any, bar: Any = None) -> tuple[Task, Replay | Collect]:
        """Return the task over items, and what takes its results."""
        keeper, front = None, None
        twice = twice_for(self.loop, paired=self.ahead is not None)
        count = len(items) if is_counted(items) else None
        if self.ahead is not None:
            from concompare.cells.replay.front import Front

            front = Front(self.ahead, namespace, items, self.filename, twice)
            items, count = front.pairs(), None if self.ahead.ends else count
        elif twice is not None:
            items = twice.ahead()
        handed = Items(items if type(items) in checks.SEVERAL_TIMES else iter(items), twice)
        if front is None and handed.known is None and not self.staged.items_change:
            handed.unused = unused_places(self.made)
        if self.staged.items_change:
            own = frozenset(map(id, handed.known)) if handed.known is not None else None
            namespace[PARTS + "_of"] = keeper = Keeper(self.staged.shared, own)
        if self.staged.early:
            from concompare.worker.early_calls import early

            namespace[EARLY] = early
        function = compiling.head(self.made.head, namespace, self.filename, self.loop.node)
        side: Replay | Collect
        if self.loop.collects:
            side = Collect(self.made, namespace, handed, function, self.filename)
        else:
            side = Replay(self.made, namespace, handed, function, self.filename)
        # Any of them may have been the last to give a name its value.
        handed.keep = not set(self.made.kept) <= self.made.sure
        side.bar, side.front, side.keeper = bar, front, keeper
        if front is not None:
            front.done = lambda: side.position

        def check(found: list[Any]) -> None:
            checks.items_one_by_one(front.items_of(found) if front is not None else found, self.line)

        if handed.known is not None and type(items) is not range:
            check(handed.known)
        task = self.task(function, items if handed.known is not None else handed.handed(check), count, side)
        return task, side

    def task(self, function: Callable[[Any], Any], items: Any, count: int | None, side: Replay | Collect) -> Task:
        """Return the task of the head, with the notebook's side of it."""
        return Task(
            function=function,
            items=items,
            count=count,
            name=self.name,
            kind=self.kind,
            source=self.source,
            head_source="",  # `sources` has both: written when somebody asks
            tail_source="",
            line=self.line,
            temporaries=self.made.temporaries,
            apply=side.apply,
            finish=side.finish,
            fail=side.fail,
            statement=self.statement,
            changing=self.staged.items_change,
            trusting=bool(self.trusted) and not self.hazards,
            shared=self.staged.shared,
            staying=self.staying,
            short=self.short,
        )

    def short(self) -> ShortForm:
        """Return the loop as a script has it."""
        from concompare.cells.short_form import short_form

        return short_form(self)


def unused_places(made: Generated) -> frozenset[int]:
    """Return the places of the tuples that a loop walks at which there is what the head has no use for."""
    target = made.loop.target
    if not isinstance(target, ast.Tuple) or not all(isinstance(part, ast.Name) for part in target.elts):
        return frozenset()
    words = [part.id for part in target.elts if isinstance(part, ast.Name)]
    loads = {
        node.id
        for node in names.nodes_in(made.head)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)
    }
    return frozenset(
        place for place, word in enumerate(words) if word not in loads | set(made.kept) and words.count(word) == 1
    )


ASKING_CACHES = ("cache_info", "cache_clear")
"""Methods that tell or change what is in the cache of a function."""


@garbage.later
def lift(
    loop: Loop,
    namespace: dict[str, Any],
    items: Any,
    *,
    filename: str,
    source: str,
    assume_pure: bool = False,
    seeded: bool = False,
    taken: list[Any] | None = None,
    seen: bool = True,
    budget: Budget | None = None,
) -> Lifted:
    """Return a loop as one that can run in parallel, with the objects that it meets, within a budget.

    Raises:
        CellRefused: It cannot be shown that the results are those of the plain loop, or there is nothing to gain.
    """
    if loop.target is not None and not is_plain(loop.target):
        raise CellRefused("the loop's target is a part of an object. Use a plain name.", loop.line)
    try:
        meeting = Meeting(namespace, items, taken, seen)
        world = World(namespace, assume_pure=assume_pure)
        world.reads_caches = any(word in source for word in ASKING_CACHES)
        made, ahead = within(budget or Budget(), loop, world, meeting, seeded=seeded)
    except (TooLong, RecursionError):
        raise CellRefused(TOO_LONG, loop.line, Why.SLOW) from None
    early = made.staged.in_workers()
    stays = made.staged.stays.items()
    notes = [note_of(node, doubt) for node, doubt in stays if node not in early and not is_bookkeeping(node)]
    found = Lifted(
        made.loop, made, made.staged, filename, source, tuple(dict.fromkeys(notes)), staying=staying(made.staged)
    )
    found.ahead, found.caches = ahead, world.caches
    found.note_traces()
    return found


def refuse_to_walk(items: ast.expr, namespace: dict[str, Any], allowance: Allowance, *, alone: bool = False) -> None:
    """Refuse to walk items to their end, before it is known what becomes of them, where that would show.

    `alone`: also where files, the time or such are seen on the way, or it is not known what is done.

    Raises:
        CellRefused: It changes something, or prints.
        TooLong: That cannot be seen in time.
    """
    with allowance.one() as budget:
        found = Interpreter(World(namespace), budget).walking_of(items)
    unknown = alone and (found.sees or found.doubts or found.trusted)
    if unknown or found.order or found.hazards or any(place.obj is None or place.obj.outer for place in found.writes):
        raise CellRefused(checks.BETWEEN)


@dataclass(frozen=True)
class Meeting:
    """The live objects that a loop meets; `taken` gets what is left of items that are looked at, if they are `seen`."""

    namespace: dict[str, Any]
    items: Any
    taken: list[Any] | None
    seen: bool

    def check(self, staged: Staged, world: World, *, seeded: bool) -> None:
        """Refuse where the objects show that the items are not independent."""
        items = self.items
        if not fits_twice(staged) and self.taken is not None and not isinstance(items, (list, tuple, range)):
            items = checks.looked_at(staged, items, self.taken)
        if self.seen:
            checks.check(staged, items, self.namespace)
            one_dictionary.refuse(staged)
            purity.alone(staged, items, world, seeded=seeded)


def within(
    budget: Budget, loop: Loop, world: World, meeting: Meeting, *, seeded: bool
) -> tuple[Generated, Ahead | None]:
    """Return the code of a loop, and what is computed ahead; raises TooLong where the budget ends before."""
    written, (loop, test) = loop, plain_loop(loop)
    found = with_rows(budget, loop, world, meeting, test, seeded=seeded)
    if heavy_in_notebook(found.staged) and not (loop.own or loop.whole or loop.kind == "call"):
        found = with_bodies(budget, found, meeting, test, seeded=seeded)
    staged, ahead = found.staged, found.ahead
    if loop.target is None and ahead is None:
        from concompare.cells.inlining.queues import queue_of

        refused = endless(loop, found.first)
        refused.waits = queue_of(written, found.first)
        raise refused
    if not world.assume_pure:
        module_state.refuse_changes(staged)
    refuse(staged)
    refuse_threads(found.analysed)
    meeting.check(staged, found.world, seeded=seeded)
    if ahead is not None:
        staged = ahead.settle()
    return Generator(staged).generate(), ahead


@dataclass
class Distributed:
    """A loop whose parts have their stages: `first` without a front, `staged` with what is computed ahead."""

    analysed: Analysed
    first: Staged
    staged: Staged
    ahead: Ahead | None
    world: World
    own_rows: bool = False

    @property
    def shared_out(self) -> int:
        """Return how many heavy parts workers do."""
        if self.analysed.loop.target is None and self.ahead is None:
            return 0
        found = self.staged.analysed.effects.items()
        heavy = [node for node, effects in found if effects.heavy and self.staged.of(node) is Stage.HEAD]
        return len(heavy) + len(self.staged.early)


def with_rows(
    budget: Budget, loop: Loop, world: World, meeting: Meeting, test: ast.stmt | None, *, seeded: bool
) -> Distributed:
    """Return a loop whose parts have their stages, with each item's own rows of arrays told apart where that helps.

    Where an item reads its row again after it has stored it, to compute the array ahead as a whole may do more.
    """
    found = distributed(budget, loop, world, meeting, test, seeded=seeded)
    if not (found.own_rows and heavy_in_notebook(found.staged)):
        return found
    world = World(meeting.namespace, assume_pure=world.assume_pure)
    other = distributed(budget, loop, world, meeting, test, seeded=seeded, rows=False)
    return other if other.shared_out > found.shared_out else found


def distributed(
    budget: Budget,
    loop: Loop,
    world: World,
    meeting: Meeting,
    test: ast.stmt | None,
    *,
    seeded: bool,
    rows: bool = True,
) -> Distributed:
    """Return a loop whose parts have their stages; `rows`: each item's own rows of arrays are told apart."""
    loop.__dict__["namespace"] = meeting.namespace
    interpreter = Interpreter(world, budget)
    interpreter.rows = rows
    analysed = interpreter.analyse(loop, meeting.items)
    refuse_renamed(loop, analysed)
    first = stages_of(analysed, seeded=seeded)
    ahead = front_of(analysed, first, test, seeded=seeded)
    staged = first if ahead is None else ahead.staged
    if ahead is None and loop.target is not None:
        speculate(staged)
    if number_of(loop, meeting.items) <= FEW and leaves_inner(staged):
        staged.early.clear()
    own = any(shared.array for shared in interpreter.parts_of.values())
    return Distributed(analysed, first, staged, ahead, world, own)


def with_bodies(
    budget: Budget, found: Distributed, meeting: Meeting, test: ast.stmt | None, *, seeded: bool
) -> Distributed:
    """Return a loop with the bodies of functions in the places of their calls, where workers do more of it then."""
    from concompare.cells.inlining.expansion import Expansion

    best = found
    for _ in range(DEEPEST):
        expansion = Expansion(found.first, meeting.namespace, test)
        loop = expansion.loop()
        if loop is None:
            break
        meeting.namespace.update(expansion.given)
        world = World(meeting.namespace, assume_pure=found.world.assume_pure)
        try:
            with budget.half() as part:
                found = distributed(part, loop, world, meeting, test, seeded=seeded)
        except (TooLong, CellRefused):
            break
        stays, stayed = len(heavy_in_notebook(found.staged)), len(heavy_in_notebook(best.staged))
        if found.shared_out > best.shared_out and (stays <= stayed or not best.shared_out):
            best = found
        if not stays:
            break
    return best


def leaves_inner(staged: Staged) -> bool:
    """Tell whether all that workers would do are calls in inner loops, which of few items are shared out better."""
    heavy = any(found.heavy and staged.of(node) is Stage.HEAD for node, found in staged.analysed.effects.items())
    return not heavy and all(found.inner for found in staged.early.values())


def refuse_renamed(loop: Loop, analysed: Analysed) -> None:
    """Refuse where the body gives something another value that the plain code looks up once, before the first item."""
    assigned = set(analysed.given)
    if isinstance(loop.node, ast.stmt):
        assigned |= names.writes(*loop.body)
    attributes = {place.field for found in analysed.effects.values() for place in found.writes if place.obj is not None}
    for node in loop.once:
        held = {part.attr for part in names.nodes_in(node) if isinstance(part, ast.Attribute)} & attributes
        for name in sorted((again.read_at_once(node) & assigned) | held):
            text = f"'{name}' is looked up once, before the loop gives it another value."
            raise CellRefused(text, node.lineno, Why.CARRIED)
    loop.renamed = False


def is_light(staged: Staged) -> bool:
    """Tell whether the workers would do next to nothing for an item: no call that may take long, nothing in a loop."""
    head = [node for node in staged.analysed.effects if staged.of(node) is Stage.HEAD]
    if staged.early or any(staged.analysed.of(node).heavy for node in head):
        return False
    inner = [node for statement in staged.analysed.loop.body for node in names.nodes_in(statement)]
    turns = [part for node in inner if isinstance(node, TURNS) for part in names.nodes_in(node)]
    return not any(isinstance(part, (ast.BinOp, ast.AugAssign)) for part in turns)


def plain_loop(loop: Loop) -> tuple[Loop, ast.stmt | None]:
    """Return a `while` as a loop without a condition of its own, and the statement that tests it."""
    if loop.target is not None:
        return loop, None
    from concompare.cells.distribution.ahead.rewriting import as_plain_loop

    return as_plain_loop(loop)


def front_of(analysed: Analysed, staged: Staged, test: ast.stmt | None, *, seeded: bool) -> Ahead | None:
    """Return a loop with a front, where that lets workers do more; else None."""
    walks = analysed.loop.target is not None
    if walks and not heavy_in_tail(staged):
        return None
    from concompare.cells.distribution.ahead.rewriting import ahead_of

    return ahead_of(analysed, staged if walks else None, seeded=seeded, test=test)


def staying(staged: Staged) -> str:
    """Return the first call that stays in the notebook and may take long, with its line, or nothing."""
    early = staged.in_workers()
    for node, effects in staged.analysed.effects.items():
        if isinstance(node, ast.Call) and effects.heavy and staged.of(node) is Stage.TAIL and node not in early:
            return f"`{ast.unparse(node.func)}` at line {node.lineno}"
    return ""


def is_counted(items: Any) -> bool:
    """Tell whether asking for the number of items runs none of the user's code."""
    kind = type(items)
    return isinstance(items, Sized) and (
        kind.__module__.partition(".")[0] in ("builtins", "collections", "numpy", "pandas")
    )


def number_of(loop: Loop, items: Any) -> int:
    """Return the number of items of a loop, 0 where it cannot be told without running anything."""
    if loop.kind == "call":
        return 1
    return len(items) if is_counted(items) else counted(items) or 0


def is_plain(target: ast.expr) -> bool:
    """Tell whether a target consists of names."""
    kinds = (ast.Name, ast.Tuple, ast.List, ast.Starred, ast.expr_context)
    return all(isinstance(part, kinds) for part in names.nodes_in(target))


def refuse(staged: Staged) -> None:
    """Refuse a loop that must not run in workers, or of which nothing would."""
    loop = staged.analysed.loop
    fatal = [doubt for doubt in staged.reasons if doubt.why in FATAL]
    if fatal:
        raise refusal(fatal)
    nodes = [part for statement in loop.body for part in names.nodes_in(statement)]
    head = (part for part in nodes if staged.of(part) is Stage.HEAD)
    if staged.early or any(staged.analysed.of(part).heavy for part in head):
        return
    if staged.reasons:
        raise refusal(
            sorted(staged.reasons, key=help_of),
            idle=not any(effects.heavy for effects in staged.analysed.effects.values()),
        )
    worth = [part for part in nodes if type(part) in WORTH and staged.of(part) is Stage.HEAD]
    if all(map(is_bookkeeping, worth)):
        raise nothing(loop)


def refuse_threads(analysed: Analysed) -> None:
    """Refuse a loop that makes threads or processes: they belong to the notebook."""
    made = {obj for value in analysed.values.values() for obj in value if obj.origin is Origin.MADE}
    if any(known_pools.is_started(kind) for obj in made for kind in obj.types or ()):
        text = "makes threads or processes, which belong to the notebook"
        raise refusal([Doubt(Why.FORBIDDEN, analysed.loop.line, text)], idle=True)


def endless(loop: Loop, staged: Staged) -> CellRefused:
    """Return why a `while` loop runs as it is."""
    lasting = [doubt for doubt in staged.reasons if doubt.lasting]
    if lasting:
        return refusal(lasting)
    text = "whether the `while` loop goes on depends on what its items compute"
    remedy = "If it can be told before what they are, walk them with `for` and leave it by `break`"
    return refusal([Doubt(Why.CARRIED, loop.line, text, remedy)])


def help_of(doubt: Doubt) -> int:
    """Return how much a reason helps: first those with advice, then what cannot be helped, then its consequences."""
    if doubt.lasting or doubt.why is Why.RANDOM:
        return 1 if doubt.lasting else 2
    return 0 if doubt.remedy else 3


def nothing(loop: Loop) -> CellRefused:
    """Return why a loop that does next to nothing for an item runs as it is."""
    named = [node.func for part in loop.body for node in names.nodes_in(part) if isinstance(node, ast.Call)]
    calls = any(isinstance(func, ast.Name) and not hasattr(builtins, func.id) for func in named)
    text = f"nothing to run in parallel: the loop only moves data{' and calls what is cheap' if calls else ''}"
    return refusal([Doubt(Why.NOTHING, loop.line, text)], idle=True)


def short(loop: Loop, seconds: float) -> CellRefused:
    """Return why a loop runs as it is whose items take less time than it takes to hand them out."""
    text = f"its items took {formats.seconds(seconds)} in all the last time, less than to hand them out"
    return refusal([Doubt(Why.NOTHING, loop.line, text)], idle=True)


def is_bookkeeping(node: ast.AST) -> bool:
    """Tell whether a call is ours."""
    func = node.func if isinstance(node, ast.Call) else None
    holder = func.value if isinstance(func, ast.Attribute) else None
    return isinstance(holder, ast.Name) and holder.id.startswith(OURS.removesuffix("_"))


def refusal(doubts: list[Doubt], *, idle: bool = False) -> CellRefused:
    """Return reasons as an error that tells the first."""
    found = [CellRefused(text_of(doubt), doubt.line, doubt.why) for doubt in doubts]
    found[0].reasons = tuple(dict.fromkeys(map(str, found)))
    found[0].idle, found[0].remedy = idle, doubts[0].remedy
    about = doubts[0].about
    found[0].lasting = doubts[0].lasting
    found[0].sure = not isinstance(about, Obj) or bool(about.live or about.types)
    return found[0]


def text_of(doubt: Doubt) -> str:
    """Return a doubt as a sentence."""
    return f"{doubt}. {doubt.remedy}." if doubt.remedy else f"{doubt}."


def note_of(node: ast.AST, doubt: Doubt) -> str:
    """Return why a call stays in the notebook, as a sentence with its line."""
    line: int = getattr(node, "lineno", doubt.line)
    place = f"line {doubt.line} " if doubt.line != line else ""
    called = name_of(node)
    if not called:
        return f"line {line}: {place}{doubt.text}, so it stays in the notebook"
    own = f"`{called}` "
    text = f"it {doubt.text.removeprefix(own)}" if doubt.text.startswith(own) else doubt.text
    return f"line {line}: `{called}` stays in the notebook: {place}{text}"
