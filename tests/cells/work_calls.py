"""Counts the calls of the setups' work functions: where they ran, and what kept them in the notebook."""

from __future__ import annotations

import ast
import contextlib
import functools
import sys
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from concompare.cells.replay.binding import Lifted
from concompare.worker import early_calls

MOST = 400
"""Calls that a drawn cell may make; one that makes more walks what it makes longer."""
WORK = frozenset({"f", "half", "add", "picky", "pair", "words_of", "say", "fib", "pure", "halve", "fails", "work"})
"""The functions of the setups that stand for work."""
COUNT = "(count)"
"""Stands for what counts in the code of a work function."""
Reason = Callable[[int], str]
"""Gives the reason that keeps the calls of a line in the notebook."""


class Endless(BaseException):
    """Raised in a cell that has computed for too long, or has made too many calls."""


@dataclass
class Tally:
    """What the golden cells and the generated ones came to.

    Attributes:
        in_workers: Work calls in workers, of items that the loop came to; `elsewhere`: those in the notebook.
        carried: Those of them whose arguments depend on the work of an item before.
        by_reason: Those of them that do not, by what kept them.
        shares: The sum of the cells' own shares of what could run in workers; `shared`: how many cells have some.
    """

    lifted: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    needless: set[str] = field(default_factory=set)
    generated: int = 0
    generated_lifted: int = 0
    in_workers: int = 0
    elsewhere: int = 0
    endless: int = 0
    carried: int = 0
    by_reason: Counter[str] = field(default_factory=Counter)
    shares: float = 0.0
    shared: int = 0

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, which another process can be sent."""
        sets = {name: sorted(value) for name, value in vars(self).items() if isinstance(value, set)}
        return {**vars(self), **sets, "by_reason": dict(self.by_reason)}

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the tally of another process, as data."""
        for name, found in other.items():
            mine = getattr(self, name)
            if isinstance(mine, set):
                mine |= set(found)
            elif isinstance(mine, Counter):
                mine.update(found)
            else:
                setattr(self, name, mine + found)

    def take(self, made: Made, carried: Mapping[int, float]) -> None:
        """Add the calls of one cell; `carried` is the part of each line's calls that depends on an item before."""
        inside, could = sum(made.in_workers.values()), 0
        for (line, reason), count in made.elsewhere.items():
            bound = round(count * carried.get(line, 0.0))
            self.elsewhere += count
            self.carried += bound
            could += count - bound
            if count > bound:
                self.by_reason[reason] += count - bound
        self.in_workers += inside
        if inside + could:
            self.shares += inside / (inside + could)
            self.shared += 1

    def sentence(self) -> str:
        """Return the figures in words."""
        could = max(1, len(self.lifted | self.needless))
        share = 100 * len(self.needless) / could
        drawn = f"; generated cells: {self.generated}, lifted {self.generated_lifted}" if self.generated else ""
        drawn += f", {self.endless} never end" if self.endless else ""
        needless = f", {len(self.needless)} needless refusals of {could} ({share:.1f} %)" if self.lifted else ""
        return f"cells: {len(self.wrong)} wrong results{needless}{drawn}{self.sentence_of_calls()}"

    def sentence_of_calls(self) -> str:
        """Return where the work calls ran in words."""
        calls = self.in_workers + self.elsewhere
        if not calls:
            return ""
        parts = [f"{100 * self.in_workers / calls:.1f} % of {calls} work calls ran in workers"]
        could = calls - self.carried
        if self.shared:
            parts += [
                f"{100 * self.in_workers / max(1, could):.1f} % of the {could} that need no result of an item before",
                f"{100 * self.shares / self.shared:.1f} % of a cell's on average",
            ]
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.by_reason.most_common())
        return "; " + ", ".join(parts) + (f"; kept in the notebook: {reasons}" if reasons else "")


@dataclass
class Made:
    """The work calls of one cell, by their lines, and those in the notebook by what kept them there."""

    in_workers: Counter[int] = field(default_factory=Counter)
    elsewhere: Counter[tuple[int, str]] = field(default_factory=Counter)


class Calls:
    """Counts while cells run."""

    def __init__(self) -> None:
        self.made = Made()
        self.item: Counter[int] | None = None
        self.reasons: list[Reason] = []
        self.left = sys.maxsize

    def count(self) -> None:
        """Count a call.

        Raises:
            Endless: The cell may make no more.
        """
        self.left -= 1
        if self.left < 0:
            raise Endless
        line = line_of_cell()
        if self.item is not None:
            self.item[line] += 1
        elif self.reasons:
            self.made.elsewhere[line, self.reasons[-1](line)] += 1

    @contextlib.contextmanager
    def counted(self) -> Iterator[Made]:
        """Give what a block's calls are."""
        before, self.made = self.made, Made()
        try:
            yield self.made
        finally:
            self.made = before

    @contextlib.contextmanager
    def at_most(self, count: int) -> Iterator[None]:
        """Stop a block that makes more calls than it may."""
        before, self.left = self.left, count
        try:
            yield
        finally:
            self.left = before

    @contextlib.contextmanager
    def in_worker(self) -> Iterator[Counter[int]]:
        """Give the calls of one item, which count when the loop comes to it."""
        before, self.item = self.item, Counter()
        try:
            yield self.item
        finally:
            self.item = before

    def take(self, item: Counter[int]) -> None:
        """Count the calls of an item that the loop has come to."""
        self.made.in_workers.update(item)

    @contextlib.contextmanager
    def early_apart(self) -> Iterator[None]:
        """Count a call that a worker makes early where the notebook takes its result: it may not need it."""
        make, take = early_calls.make, early_calls.Results.take

        def made_apart(*arguments: Any) -> None:
            with self.in_worker():
                make(*arguments)

        def taken(found: early_calls.Results) -> Any:
            self.made.in_workers[line_of_cell()] += 1
            return take(found)

        with mock.patch.object(early_calls, "make", made_apart), mock.patch.object(early_calls.Results, "take", taken):
            yield

    @contextlib.contextmanager
    def kept_by(self, reason: Reason) -> Iterator[None]:
        """Note the reason of the calls that a block makes in the notebook."""
        self.reasons.append(reason)
        try:
            yield
        finally:
            self.reasons.pop()


CALLS = Calls()


def count() -> None:
    """Count a call."""
    CALLS.count()


def line_of_cell() -> int:
    """Return the line of the cell from which a work function was called, 0 where none was."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != "<cell>":
        frame = frame.f_back
    return frame.f_lineno if frame is not None else 0


def reason_of(lifted: Lifted) -> Reason:
    """Return what keeps the calls of a lifted loop in the notebook."""
    early = lifted.staged.in_workers()
    found = lifted.staged.stays.items()
    stays = [(node, why) for node, why in found if hasattr(node, "lineno") and node not in early]

    def reason(line: int) -> str:
        for node, why in stays:
            if node.lineno <= line <= node.end_lineno:  # type: ignore[attr-defined]
                return f"tail: {why.why}"
        return "front" if lifted.ahead is not None else "tail"

    return reason


@functools.cache
def counting_codes(setup: str, filename: str) -> dict[str, types.CodeType]:
    """Return the codes of the setup's work functions with a first step that counts the call.

    The step calls a constant, so that a code reads no other names than its source and can be looked at meanwhile.
    """
    tree = ast.parse(setup)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in WORK:
            placed_first(node, f"{COUNT!r}()")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        codes = codes_in(tree, filename)
    return {name: code.replace(co_consts=tuple(map(counter, code.co_consts))) for name, code in codes.items()}


def counter(constant: Any) -> Any:
    """Return what counts in the place of the constant that stands for it."""
    return count if constant == COUNT else constant


def placed_first(node: ast.FunctionDef, step: str) -> None:
    """Give a function another first step, without another line."""
    made = ast.parse(step).body[0]
    for part in ast.walk(made):
        ast.copy_location(part, node.body[0])
    node.body.insert(0, made)


def codes_in(tree: ast.Module, filename: str) -> dict[str, types.CodeType]:
    """Return the codes of the work functions of a tree."""
    consts = compile(tree, filename, "exec", dont_inherit=True).co_consts
    return {part.co_name: part for part in consts if isinstance(part, types.CodeType) and part.co_name in WORK}


@contextlib.contextmanager
def with_codes(
    namespace: Mapping[str, Any], codes: Mapping[str, types.CodeType], plain: types.CodeType
) -> Iterator[None]:
    """Let the work functions of a setup, compiled as `plain`, have other codes for a while."""
    found = {id(thing): thing for thing in namespace.values() if isinstance(thing, types.FunctionType)}
    work = [thing for thing in found.values() if thing.__code__ in plain.co_consts and thing.__name__ in codes]
    before = [thing.__code__ for thing in work]
    for thing in work:
        thing.__code__ = codes[thing.__name__]
    try:
        yield
    finally:
        for thing, code in zip(work, before, strict=True):
            thing.__code__ = code
