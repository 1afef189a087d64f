"""The intermediate representation: a loop, the parts of its body in order, what they do, and the stage of each."""

from __future__ import annotations

import ast
import re
import time
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from concompare.cells.objects import Obj
    from concompare.cells.replay.twice import Twice


OURS = "_concompare_"
"""How the names begin that are ours and not the notebook's."""
STARTED = "_concomparestarted"
"""How the names begin of what threads run, while they run as a loop of the notebook: a letter, a number, the name."""
RESULT = OURS + "result"
"""Stands for the collected values of a comprehension."""
TAPE = OURS + "tape"
"""Names what the front has computed for an item."""
VALUE = OURS + "value"
"""Stands for the value of an item in what a consumer does with it."""
INLINED = OURS + "heldby"
"""How the names begin of the variables of a function whose body stands in a loop: then a number, the name."""


STEPS, SECONDS = 100_000, 0.4
"""What the analysis of one loop may take."""


class TooLong(Exception):
    """Raised when an analysis does more than it may."""


class Budget:
    """What an analysis may do before it gives up.

    Args:
        steps: Steps that it may take.
        seconds: Seconds of computing, however slow the machine is.
    """

    def __init__(self, steps: int = STEPS, seconds: float = SECONDS) -> None:
        self.left = steps
        self.until = time.thread_time() + seconds

    def step(self, count: int = 1) -> None:
        """Count what was done.

        Raises:
            TooLong: That was all it may do.
        """
        self.left = left = self.left - count
        if left & 2047 < count or left < 0:
            self.check()

    @contextmanager
    def half(self) -> Iterator[Budget]:
        """Give half of what is left, and take what was used of it."""
        now = time.thread_time()
        budget = Budget(max(0, self.left) // 2, max(0.0, self.until - now) / 2)
        before = budget.left
        try:
            yield budget
        finally:
            self.left -= before - budget.left

    def check(self) -> None:
        """Tell whether there is still time, which is asked now and then."""
        if self.left < 0 or time.thread_time() > self.until:
            raise TooLong


@dataclass
class Allowance:
    """What the analyses of all loops of a cell may do together, with what prepares the cell and its loops.

    Attributes:
        steps: Steps that are left; `seconds`: seconds of computing that are left.
    """

    steps: int = 200_000
    seconds: float = 0.5

    @contextmanager
    def one(self) -> Iterator[Budget]:
        """Give one analysis its budget, and take what it used.

        Raises:
            TooLong: Nothing is left.
        """
        if self.steps <= 0 or self.seconds <= 0:
            raise TooLong
        budget = Budget(min(self.steps, STEPS), min(self.seconds, SECONDS))
        before = budget.left
        try:
            with self.counted():
                yield budget
        finally:
            self.steps -= before - budget.left

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Take what is computed inside the block."""
        began = time.thread_time()
        try:
            yield
        finally:
            self.seconds -= time.thread_time() - began


class Stage(IntEnum):
    """Where a part of the body runs; values flow from lower to higher stages."""

    FRONT = 0
    HEAD = 1
    TAIL = 2


class Order(StrEnum):
    """What has to happen in the order of the plain loop."""

    OUTPUT = "output"
    INPUT = "input"
    RANDOM = "random"
    FILES = "files"
    PROGRAMS = "programs"
    NETWORK = "network"
    PROCESS = "process"
    LOG = "log"
    ONE_FILE = "one-file"
    APPENDS = "appends"
    CACHED = "cached"
    FIGURE = "figure"


CHANGING_FILES = frozenset({Order.FILES, Order.ONE_FILE, Order.APPENDS, Order.PROGRAMS})
"""What may change files that other code reads."""


class Why(StrEnum):
    """Why a part cannot run in workers."""

    CHANGES = "changes-outer"
    CARRIED = "carried"
    RANDOM = "shared-random"
    OPAQUE = "cannot-be-seen"
    FORBIDDEN = "forbidden"
    ORDER = "needs-order"
    AFTER = "depends-on-notebook"
    FUNCTION = "makes-function"
    CONTROL = "decides-in-notebook"
    CONTEXT = "inside-context"
    NOTHING = "nothing-to-run"
    SLOW = "analysis-too-long"
    ALIAS = "may-be-the-same-object"
    NAMES = "names"
    TRACES = "leaves-traces"


COLUMN = "column "
"""How the field of a column of a frame begins; its label follows, or one of these and what it is computed from."""
LABELS = "labels"
"""The field of a frame for the names of the labels of its rows or columns, which others may have as well."""
COMPUTED, POSITION = "<", "#"
"""How a label is marked that is computed from the item, and a place that stands for one."""


AT = "(place)"
"""The field for how far a file or an archive was read, which changes nothing of what its parts hold."""
STEADY = frozenset({"name", "mode", "closed", "encoding", "errors"})
"""Attributes of files and archives that stay what they are while these are read."""


class Place(NamedTuple):
    """Something that can be read or changed: a field of an object, or a name (whose object is None)."""

    obj: Obj | None
    field: str

    def __hash__(self) -> int:
        number = self.obj.number if self.obj is not None else -1
        return 64 * number + len(self.field) + ord(self.field[-1:] or "-")  # sets have the same order in every run

    def meets(self, other: Place) -> bool:
        """Tell whether two places may be one."""
        if self.obj is not other.obj:
            return False
        if self.field == other.field or self.obj is None:
            return self.field == other.field
        both = {self.field, other.field}
        if "*" in both or AT in both:
            return "*" in both or both.isdisjoint(STEADY)
        columns = [name.removeprefix(COLUMN) for name in both if name.startswith(COLUMN)]
        if len(columns) == 2:
            return (
                any(name.startswith(COMPUTED) for name in columns)
                or sum(name.startswith(POSITION) for name in columns) == 1
            )
        return all(name.startswith(("[", COLUMN)) for name in both)


@dataclass(frozen=True)
class Doubt:
    """Why code cannot be seen to be harmless, or is known not to be.

    Attributes:
        about: The name or the object that it is about, where there is one.
        who: The call that does it, where the line alone does not tell.
        lasting: Each item needs, or may need, the result of the one before, which no change of the code helps.
    """

    why: Why
    line: int
    text: str
    remedy: str = ""
    about: Obj | str | None = None
    who: str = ""
    lasting: bool = False

    def __str__(self) -> str:
        return f"`{self.who}` {self.text}" if self.who else self.text


@dataclass(slots=True)
class Effects:
    """What a part of the body does, without the parts inside it.

    There is one for every node, and most of what it may hold is mostly empty: all share what is.

    Attributes:
        reads: Places that it reads.
        deep: Objects that it reads with all they hold.
        writes: Places that it changes.
        order: What it needs in the plain loop's order.
        doubts: Why it may not run in workers, whatever the others do.
        globals: Names of the notebook that functions it calls read.
        trusted: Installed functions that it calls of which nothing is declared.
        hazards: What it does beyond the process (files, programs, network), as predicates.
        called: Names of what it calls, for messages; `heavy`: one of them may be worth a worker.
        calm: It cannot raise, as far as types show.
        paths: Of the files that it touches, as written and without steps (`n + 1`); ("", ""): those of several items.
        sees: What it sees without being given it, as declared: time, process, random, files, environment, frames.
    """

    reads: set[Place] = field(default_factory=set)
    deep: set[Obj] = field(default_factory=set)
    writes: set[Place] = field(default_factory=set)
    order: frozenset[Order] = frozenset()
    doubts: tuple[Doubt, ...] = ()
    globals: frozenset[str] = frozenset()
    trusted: frozenset[str] = frozenset()
    hazards: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    heavy: bool = False
    calm: bool = False
    sees: frozenset[str] = frozenset()
    paths: frozenset[tuple[str, str]] = frozenset()

    def add(self, other: Effects) -> None:
        """Add what other code does."""
        self.reads |= other.reads
        self.deep |= other.deep
        self.writes |= other.writes
        self.order |= other.order
        self.doubts += tuple(doubt for doubt in other.doubts if doubt not in self.doubts)
        self.globals |= other.globals
        self.trusted |= other.trusted
        self.hazards += tuple(text for text in other.hazards if text not in self.hazards)
        self.called += tuple(name for name in other.called if name not in self.called)
        self.heavy = self.heavy or other.heavy
        self.sees |= other.sees
        self.paths |= other.paths

    def __bool__(self) -> bool:
        return bool(self.reads or self.deep or self.writes or self.order or self.doubts or self.globals or self.heavy)


def as_named(text: str) -> str:
    """Return a text with the user's names in the places of those of what threads run, or of inlined functions."""
    return re.sub(rf"(?:{STARTED}[a-z]|{INLINED})\d+_", "", text)


@dataclass(frozen=True)
class Meant:
    """A function by which a form is recognised, and the dotted path of the one that it has to be."""

    func: ast.expr
    path: str


@dataclass
class Loop:
    """Work over items, however it was written.

    Attributes:
        kind: "for", "while", "comprehension", "map" …, as the user would call it.
        line: Its line.
        node: The node of the cell that it stands for.
        target: What each item is bound to; None for a `while`.
        items: The expression that is walked; None for a `while`, whose condition is `test`.
        body: What is done for each item.
        orelse: What follows the last item unless the loop was left by `break`.
        collects: The values become a list (or `shape`), and the target is not visible outside.
        stops: The consumer may stop early: "any", "all" or "next"; "some": it cannot be told where.
        filled: What a consumer such as `extend` puts each value into before it asks for the next.
        early: All items are found before the first is computed, as the plain loop does not.
        means: Functions that have to be those that their names say; else the plain code runs.
        once: Expressions in the body that the plain code evaluates once, before the first item: functions of a `map`.
        renamed: The body may give them other values.
        pure: The values may be asked for in another order, or not all of them: no effect may show that.
        brittle: Who takes the values may fail at one of them, and then asks for no more: its name.
        watched: Such a failure would show, so what comes after a value that is not a plain one waits.
        between: What the consumer does with each `VALUE` before it asks for the next.
        plainly: The same work as a generator over `items`, where `node` says it in another way.
        caller: What is called with the function and its items, and runs with the values computed before.
        timeless: The values are asked for while other code of the cell runs.
        method: The method that is called, where only its owner tells whether the call is work over items at all.
        whole: Each call counts as one: no part of it may stay in the notebook.
        own: The parallel code that the cell has for it itself, such as `ThreadPoolExecutor`; empty where it has none.
        written: What is walked as somebody would write it, where `items` is not that.
        certain: Workers make no call that the notebook may turn out not to need, as where they are measured.
        expanded: The first function whose body stands in the place of a call of it; empty where none does.
        outward: The names of the notebook that such bodies give values.
        shared: Items are objects that several of them hold: what changes them keeps its order, as of any other object.
        twice: How what it walks is walked ahead, on a copy, and then again.
        snapshot: The items are copies of parts of what is walked, made before the first: the loop may change that.
    """

    kind: str
    line: int
    node: ast.stmt | ast.expr
    target: ast.expr | None
    items: ast.expr | None
    body: list[ast.stmt]
    orelse: list[ast.stmt] = field(default_factory=list)
    test: ast.expr | None = None
    collects: bool = False
    lazy: bool = False
    shape: str = "list"
    stops: str | None = None
    filled: ast.expr | None = None
    early: bool = False
    means: list[Meant] = field(default_factory=list)
    once: list[ast.expr] = field(default_factory=list)
    renamed: bool = True
    pure: bool = False
    brittle: str = ""
    watched: bool = False
    between: list[ast.stmt] = field(default_factory=list)
    plainly: ast.GeneratorExp | None = None
    caller: ast.expr | None = None
    timeless: bool = False
    whole: bool = False
    method: ast.Attribute | None = None
    own: str = ""
    written: ast.expr | None = None
    certain: bool = False
    expanded: str = ""
    outward: frozenset[str] = frozenset()
    shared: bool = False
    snapshot: bool = False
    twice: Twice | None = None

    @property
    def begins(self) -> tuple[int, int]:
        """Return its line and column, which tell it from the other loops of its cell: several may be in one line."""
        return self.line, getattr(self.node, "col_offset", 0)

    @property
    def caption(self) -> str:
        """Return what to call it: "the loop at line 3", "the `map` at line 3"."""
        return f"{self.noun} at line {self.line}"

    @property
    def noun(self) -> str:
        """Return what it is: "the loop", "the `map`"."""
        return f"the {self.kind if self.kind in NOUNS else f'`{self.kind}`'}"


@dataclass
class Analysed:
    """A loop with the effects of every node of its body, in the order of evaluation.

    `given` are the names of the notebook that functions which it calls give values; `calling_only` are the calls that
    call the functions which they are given before they return, and do not keep them; `followed` are the user's
    functions that the parts of the body call; `labels` are what names of the loop's target stand for, item by item,
    as far as that can be told and nobody can change it; `decided` are the ends of the loop that a front comes to first;
    `in_texts` are the names of the body that calls look up in its frame, since they stand in a text.
    """

    loop: Loop
    order: dict[ast.AST, int]
    effects: dict[ast.AST, Effects]
    values: dict[ast.AST, frozenset[Obj]]
    shared: set[Obj]
    walked: frozenset[Obj] = frozenset()
    walking: Effects = field(default_factory=Effects)
    ends: dict[str, frozenset[Obj]] = field(default_factory=dict)
    bound: dict[str, frozenset[Obj]] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    element: frozenset[Obj] = frozenset()
    result: Obj | None = None
    given: frozenset[str] = frozenset()
    calling_only: set[ast.AST] = field(default_factory=set)
    followed: dict[ast.AST, set[types.FunctionType]] = field(default_factory=dict)
    labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    decided: frozenset[ast.AST] = frozenset()
    in_texts: Mapping[ast.AST, frozenset[str]] = field(default_factory=dict)

    def of(self, node: ast.AST) -> Effects:
        """Return the effects of a node by itself."""
        return self.effects.get(node) or NONE

    def reads_given(self, found: Effects) -> bool:
        """Tell whether something reads a name that a function which the loop calls gives values."""
        return bool(self.given) and any(place.obj is None and place.field in self.given for place in found.reads)

    def inside(self, nodes: Iterable[ast.AST]) -> Effects:
        """Return the effects of nodes and all nodes inside them."""
        found = Effects()
        for node in nodes:
            for part in ast.walk(node):
                if part in self.effects:
                    found.add(self.effects[part])
        return found


NONE = Effects()
NOUNS = ("loop", "comprehension", "generator", "call", "function", "pool", "statements")
"""Kinds of work that are words of their own, not names of functions."""
