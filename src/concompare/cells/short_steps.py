"""Steps of the notebook for an item, which a function asks for by name."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from concompare.cells.distribution.code.generated import Action
from concompare.cells.distribution.code.record import BREAK, KEPT, RECORD
from concompare.cells.distribution.nodes import jumps_in
from concompare.cells.ir import OURS, Stage
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.replay.binding import Lifted


class NoShortForm(Exception):
    """Raised where a cell has no short form: with the reason, as the rest of a sentence."""


class Leaving(ast.Pass):
    """Stands where the function ends; `stop` says that the loop ends there too."""

    def __init__(self, *, stop: bool) -> None:
        super().__init__()
        self.stop = stop


class Step(ast.Pass):
    """Stands where the notebook has something to do.

    Attributes:
        words: The names that it needs, each with the value that the function gives it.
        users: Those of them that are the user's.
        code: What is done.
        inner: It is asked for in an inner loop.
        label: What it is called where there are several.
        kind: The first one that does the same.
    """

    def __init__(self, action: Action, values: Sequence[ast.expr]) -> None:
        super().__init__()
        count = len(action.values)
        self.words = list(zip([*action.values, *action.names], values, strict=False))
        self.users = set(action.names)
        self.handed = list(action.names)
        self.code = [names.copied(part) for part in action.code]
        self.unsure = list(action.unsure)
        self.inner, self.jumps = action.inner, action.jumps
        self.label = ""
        self.kind = self
        if count == 1 and is_rebinding(action):
            target = action.code[0].targets[0].id  # type: ignore[attr-defined]
            self.words[0] = (target, self.words[0][1])
            self.users.add(target)
            self.code = []

    def join(self, other: Step) -> None:
        """Do what another step does right after this one."""
        self.words += [(word, value) for word, value in other.words if word not in dict(self.words)]
        self.users |= other.users
        self.handed += other.handed
        self.code += other.code
        self.jumps = self.jumps or other.jumps
        self.inner = self.inner or other.inner

    def rename(self, words: Mapping[str, str]) -> None:
        """Call names otherwise."""

        def instead(part: ast.AST) -> ast.AST | None:
            found = words.get(part.id) if isinstance(part, ast.Name) else None
            return ast.Name(found, part.ctx) if found else None  # type: ignore[attr-defined]

        self.code = [names.copied(part, instead) for part in self.code]
        self.words = [(words.get(word, word), value) for word, value in self.words]
        self.users -= set(words)

    def bind_late(self, word: str) -> None:
        """Give a name of the user's its value where the step is done, and not before."""
        held = f"{OURS}late_{word}"
        self.words = [(held if given == word else given, value) for given, value in self.words]
        self.users.discard(word)
        self.code.insert(0, ast.Assign([ast.Name(word, ast.Store())], ast.Name(held, ast.Load()), lineno=0))

    def names(self) -> list[ast.Name]:
        """Return the names in what is done."""
        return [part for node in self.code for part in ast.walk(node) if isinstance(part, ast.Name)]

    @property
    def subject(self) -> str:
        """Return the name of what a step is about."""
        for node in self.code:
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and part.id not in dict(self.words):
                    return part.id
        return next((word for word, _ in self.words if word in self.users), "step")


class Steps:
    """The steps of a loop, in the body of the function that asks for them.

    Args:
        lifted: The loop.
        wanted: Names that the script needs as the plain loop leaves them.

    Attributes:
        found: All steps; `last` is the one that every item asks for, at its end; `kinds` are the others.
        stops: The function may find that the loop ends.
        shown: Names of the user's that steps give values which the plain loop leaves.
        carried: Names that come back with every item, once, because steps read them.
    """

    def __init__(self, lifted: Lifted, wanted: set[str]) -> None:
        self.lifted, self.made = lifted, lifted.made
        self.wanted = wanted | read_by(lifted)
        self.found: list[Step] = []
        self.last: Step | None = None
        self.stops = False
        self.leavings = 0
        self.nested = 0
        self.shown: set[str] = set()
        self.carried: set[str] = set()
        self.targets = set(names.nodes_in(lifted.loop.target)) if lifted.loop.target is not None else set()
        self.body = self.block(self.statements())
        self.last = self.last_of_all()
        self.early = self.last is not None and self.last is not self.body[-2]
        self.kinds = [step for step in self.found if step is not self.last]

    def last_of_all(self) -> Step | None:
        """Return the step that every item asks for, after all others."""
        if self.leavings > 1:
            return None
        for node in reversed(self.body):
            if isinstance(node, Step):
                return node
            if any(isinstance(part, Step) for part in ast.walk(node)):
                return None
        return None

    def is_single(self, word: str) -> bool:
        """Tell whether a name has one value in an iteration, which every item gives it."""
        uses = self.lifted.staged.uses
        one = len(uses.defs.get(word, ())) == 1 and not uses.exposed(word)
        return one and word in uses.sure - uses.deleted

    def statements(self) -> list[ast.stmt]:
        """Return the head with an entry in the place of a value that it gives back directly."""
        body = list(self.made.head.body)
        if not self.made.direct:
            return body
        end = body.pop()
        assert isinstance(end, ast.Return)
        assert end.value is not None
        value = end.value.elts[0] if self.made.kept and isinstance(end.value, ast.Tuple) else end.value
        size = self.made.actions[0].size
        values = [value] if size == 1 else value.elts if size and isinstance(value, ast.Tuple) else []
        step = Step(self.made.actions[0], values)
        return [*body, step, ast.Return(None)]

    def block(self, statements: Iterable[ast.stmt]) -> list[ast.stmt]:
        """Return statements with steps in the places of entries."""
        made: list[ast.stmt] = []
        stop = False
        for node in statements:
            number = number_of(node)
            if isinstance(node, ast.If) and RECORD in ast.unparse(node.test):
                continue
            if number == BREAK:
                stop = self.stops = True
            elif isinstance(node, Step):
                self.add(node, made)
            elif isinstance(node, ast.Return):
                self.leavings += 1
                made.append(Leaving(stop=stop))
            elif number is None:
                made.append(self.inside(node))
            elif number != KEPT:
                values = node.value.args[0].elts[1:]  # type: ignore[attr-defined]
                self.add(Step(self.made.actions[number], values), made)
        return made

    def inside(self, node: ast.stmt) -> ast.stmt:
        """Return a statement with steps in the blocks that it holds."""
        if isinstance(node, (*names.FUNCTIONS, ast.ClassDef)):
            return node
        made = names.copied(
            node, lambda part: part if isinstance(part, (ast.expr, ast.stmt)) and part is not node else None
        )
        loops = isinstance(node, (ast.For, ast.AsyncFor, ast.While))
        self.nested += loops
        for holder in [made, *getattr(made, "handlers", []), *getattr(made, "cases", [])]:
            for part in ("body", "orelse", "finalbody"):
                block = getattr(holder, part, None)
                if isinstance(block, list):
                    setattr(holder, part, self.block(block) or ([ast.Pass()] if part == "body" else []))
        self.nested -= loops
        return made

    def add(self, step: Step, made: list[ast.stmt]) -> None:
        """Put a step where it is asked for: with the one right before it, or not at all where nobody needs it."""
        if step.unsure:
            if set(step.unsure) & self.wanted or any(not isinstance(part, ast.Pass) for part in step.code):
                raise NoShortForm(f"`{step.unsure[0]}` is assigned for some items only")
            return
        bare = all(isinstance(part, ast.AnnAssign) and self.is_plain(part) for part in step.code)
        if bare and not {word for word, _ in step.words} & self.wanted:
            return
        step.inner = self.nested > 0
        if not step.inner and not step.code and all(self.is_carried(*pair) for pair in step.words):
            self.carried |= {word for word, _ in step.words}
            return
        self.put_back(step)
        before = made[-1] if made else None
        bound = step.users - set(step.handed)
        if isinstance(before, Step) and not jumps_in(before.code) and not bound & mentioned(before.code):
            before.join(step)
            return
        self.found.append(step)
        made.append(step)

    def is_plain(self, node: ast.AnnAssign) -> bool:
        """Tell whether an annotation does nothing but say what is there."""
        known = {*vars(builtins), *self.lifted.loop.__dict__.get("namespace", {})}
        there = isinstance(node.annotation, ast.Name) and node.annotation.id in known
        return node.value is None and (there or isinstance(node.annotation, ast.Constant))

    def is_carried(self, word: str, value: ast.expr) -> bool:
        """Tell whether a name may as well come back at the end of the item."""
        return isinstance(value, ast.Name) and value.id == word and self.is_single(word)

    def put_back(self, step: Step) -> None:
        """Leave to the notebook what it can write down itself: constants, and parts of the item."""
        parts = [part for node in step.code for part in ast.walk(node)]
        if any(isinstance(part, (*names.FUNCTIONS, *names.COMPREHENSIONS, ast.ClassDef)) for part in parts):
            return
        reads = [part.id for part in parts if isinstance(part, ast.Name)]
        repeats = any(isinstance(part, (ast.For, ast.While)) for part in parts)
        known = {
            word: value
            for word, value in step.words
            if word not in step.users
            and (self.is_known(value) or (is_empty(value) and reads.count(word) == 1 and not repeats))
        }

        def instead(part: ast.AST) -> ast.AST | None:
            found = known.get(part.id) if isinstance(part, ast.Name) else None
            return names.copied(found) if found is not None else None

        step.code = [names.copied(part, instead) for part in step.code]
        step.words = [(word, value) for word, value in step.words if word not in known]

    def is_known(self, value: ast.expr) -> bool:
        """Tell whether an expression consists of constants and names of the item's parts."""
        if isinstance(value, ast.Tuple):
            return all(map(self.is_known, value.elts))
        if isinstance(value, ast.UnaryOp):
            return isinstance(value.operand, ast.Constant)
        if isinstance(value, ast.Name):
            found = self.lifted.staged.uses.defs.get(value.id)
            return found is not None and bool(found) and found <= self.targets
        return isinstance(value, ast.Constant)

    def hand(self, step: Step) -> None:
        """See to it that the names which a step is handed are left as the plain loop leaves them, or not at all."""
        uses = self.lifted.staged.uses
        others = [other for other in self.found if other is not step]
        jumps = jumps_in(step.code) if step is not self.last else []
        if jumps and not (step.inner and all(isinstance(part, ast.Continue) for part in jumps)):
            raise NoShortForm("the notebook decides whether the loop goes on")
        for word in sorted(step.users - set(step.handed)) if step is self.last else []:
            if any(word in mentioned(other.code) | {given for given, _ in other.words} for other in others):
                step.bind_late(word)
        for word in dict.fromkeys(step.handed):
            final = step is self.last and not self.early and word in uses.sure - uses.deleted
            elsewhere = any(word in mentioned(other.code) and word not in other.handed for other in others)
            if (final and not elsewhere) or (not step.inner and self.is_single(word)):
                self.shown.add(word)
                continue
            if not may_rename(word, step.code):
                raise NoShortForm(f"`{word}` is assigned for some items only")
            step.rename({word: f"{OURS}of_{word}"})


def is_rebinding(action: Action) -> bool:
    """Tell whether an action only gives a name its value."""
    (node,) = action.code if len(action.code) == 1 else (None,)
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return False
    return isinstance(node.value, ast.Name) and node.value.id in action.values


def is_empty(node: ast.expr) -> bool:
    """Tell whether an expression makes a new container with nothing in it."""
    return (isinstance(node, (ast.List, ast.Set)) and not node.elts) or (isinstance(node, ast.Dict) and not node.keys)


def number_of(node: ast.stmt) -> int | None:
    """Return the number of an entry of the record."""
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name) or func.value.id != RECORD:
        return None
    number = call.args[0].elts[0]  # type: ignore[union-attr]
    return int(ast.literal_eval(number))


def read_by(lifted: Lifted) -> set[str]:
    """Return the names that what stays in the notebook reads or changes, but for where they only get a value."""
    found: set[str] = set()
    for action in lifted.made.actions:
        if not is_rebinding(action):
            found |= mentioned(action.code)
    for node, effects in lifted.staged.analysed.effects.items():
        if lifted.staged.of(node) is Stage.TAIL:
            found |= effects.globals
    return found


def mentioned(code: Iterable[ast.stmt]) -> set[str]:
    """Return the names in code."""
    return {part.id for node in code for part in ast.walk(node) if isinstance(part, ast.Name)}


def may_rename(word: str, code: Iterable[ast.stmt]) -> bool:
    """Tell whether a name is only read in code, and not by functions, which look for it later."""
    for part in [inner for node in code for inner in ast.walk(node)]:
        if isinstance(part, (*names.FUNCTIONS, ast.ClassDef)):
            return False
        if isinstance(part, ast.Name) and part.id == word and not isinstance(part.ctx, ast.Load):
            return False
    return True
