"""Fission: a loop's body becomes a head, which runs in workers, and a tail, which is replayed in the notebook."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from concompare.cells import names, nests
from concompare.cells.hoist import MAKES, Hoister, repeated
from concompare.cells.judge import Judge
from concompare.cells.loops import RESULT, Loop, located
from concompare.cells.parts import (
    MADE,
    SIMPLE,
    STEP,
    Alias,
    Check,
    Parts,
    Reason,
    Statements,
    assigned,
    escapes,
    flattened,
    is_alias,
    is_plain_function,
    is_real,
    is_result,
    is_step,
    loaded,
    only_leaves,
    order,
    stepped,
    without,
    works,
)
from concompare.cells.values import FUNCTION, LAZY, LOCAL, MARKS, NOTHING, WALKED_ONCE, Reading, Value
from concompare.cells.world import World
from concompare.errors import CellRefused


@dataclass
class Saved:
    """Where the splitting of an inner block began."""

    count: int
    steps: int
    stepped: bool
    leaves: bool
    printed: bool
    touched: set[str]
    blocked: Reason | None
    read: set[str]
    did_work: bool
    started: int
    lost: int
    replayed: set[str]
    given: set[str]
    step_of: dict[str, int]
    altered: set[str]
    loose: bool
    turn: bool


class Splitter(Judge):
    """Splits one loop; what may run in workers is judged by the class it is made of."""

    def __init__(self, world: World, loop: Loop, item: Value, *, seeded: bool = False) -> None:
        super().__init__(world, loop, item, seeded=seeded)
        self.in_tail: dict[str, int] = {}
        self.lost: list[Reason] = []
        self.count = self.steps = 0

    def split(self) -> Parts:
        """Split the body; raises CellRefused where nothing can run in workers."""
        self.refuse_forbidden()
        self.altered: set[str] = set()
        while True:
            before = set(self.in_tail) | self.altered
            self.lost, self.count, self.steps, self.leaves, self.stepped = [], 0, 0, False, False
            self.loose = self.turn = False
            self.printed, self.touched = False, set[str]()
            self.blocked: Reason | None = None
            self.read: set[str] = set()
            self.did_work = False
            self.replayed: set[str] = set()
            self.given: set[str] = set()
            self.step_of: dict[str, int] = {}
            self.started: list[ast.stmt] = []
            self.passed_names, self.passed_roots = set(), set()
            head, tail = self.emit(self.loop.body)
            if set(self.in_tail) | self.altered == before:
                break
            if not (self.passed_names & set(self.in_tail) or self.passed_roots & self.altered):
                break  # nothing that was judged fit for workers would be judged otherwise now
        return self.finished(head, tail)

    def refuse_forbidden(self) -> None:
        """Refuse what cannot be split wherever it stands."""
        found = []
        for effect in (effect for effect in self.whole.effects if effect.kind == "forbidden"):
            text = f"{f'`{effect.place}`: ' if effect.place else ''}{effect.text}, so the items cannot run in parallel."
            found.append(CellRefused(f"{text} Take it out of the loop.", effect.line))
        if found:
            found[0].reasons = tuple(dict.fromkeys(map(str, found)))
            raise found[0]

    def save(self) -> Saved:
        """Remember where the splitting stands."""
        return Saved(
            *(self.count, self.steps, self.stepped, self.leaves, self.printed, set(self.touched), self.blocked),
            *(set(self.read), self.did_work, len(self.started), len(self.lost), set(self.replayed), set(self.given)),
            *(dict(self.step_of), set(self.altered), self.loose, self.turn),
        )

    def restore(self, saved: Saved) -> None:
        """Go back to where the splitting stood."""
        self.count, self.steps, self.stepped, self.leaves = saved.count, saved.steps, saved.stepped, saved.leaves
        self.printed, self.touched, self.blocked, self.read = saved.printed, saved.touched, saved.blocked, saved.read
        self.did_work, self.replayed = saved.did_work, saved.replayed
        self.given, self.step_of, self.altered = saved.given, saved.step_of, saved.altered
        self.loose, self.turn = saved.loose, saved.turn
        del self.started[saved.started :]
        del self.lost[saved.lost :]

    # -- splitting ---------------------------------------------------------------------------------------------------

    def emit(self, statements: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Split statements into what goes into the head and what stays in the tail."""
        head: list[ast.stmt] = []
        tail: list[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.Pass):
                continue
            if isinstance(statement, (ast.Break, ast.Continue)):
                first, second = self.marked(statement, self.reserved(), [], [statement])
                if self.blocked is None:
                    first.append(located(ast.Return(None), statement))
                    self.leaves = True
            else:
                first, second = self.placed(statement)
            head += first
            tail += second
            self.note(second)
            if isinstance(statement, (ast.Break, ast.Continue, ast.Raise)):
                break
        return head, tail

    def placed(self, statement: ast.stmt) -> tuple[Statements, Statements]:
        """Split one statement; where a step would be needed and cannot be taken, what is cheap stays in the tail."""
        kept = self.save() if self.turn and self.started and isinstance(statement, SIMPLE) else None
        first, second = self.parted(statement)
        if kept is None or self.steps == kept.steps or works(statement):
            return first, second
        self.restore(kept)
        return [], [statement]

    def parted(self, statement: ast.stmt) -> tuple[Statements, Statements]:
        """Split one statement; its tail is marked with how far the head must have come for it to be replayed."""
        if isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
            if value is None:
                return self.marked(statement, self.reserved(), [], [statement])
            if isinstance(target, ast.Name):
                bare = located(ast.AnnAssign(target, statement.annotation, None, statement.simple), statement)
                first, second = self.parted(located(ast.Assign([target], value), statement))
                return self.marked(statement, self.reserved(), first, [*second, bare], late=True)
        begun, loose, number = bool(self.started), self.loose, self.reserved()
        self.loose = loose and not number
        first, second = self.one(statement)
        if not any(map(is_real, second)):
            self.loose = loose or bool(first)
            return self.stepwise(statement, first, second) if begun and first else (first, second)
        if first and (isinstance(statement, (ast.Try, ast.With)) or all(isinstance(part, Alias) for part in second)):
            return self.stepwise(statement, first, second, always=True)
        self.loose = isinstance(statement, ast.If) and self.loose
        return self.marked(statement, number, first, second)

    def reserved(self) -> int:
        """Return the number of a new step where the head has done something since the last one, else 0."""
        if not self.loose or self.turn:
            return 0
        self.steps += 1
        return self.steps

    def marked(
        self, statement: ast.stmt, number: int, first: Statements, second: Statements, *, late: bool = False
    ) -> tuple[Statements, Statements]:
        """Put a step before what the head does (`late`: after it), and its check before the tail."""
        if not number:
            return first, second
        self.stepped = self.stepped or bool(self.started)
        step = stepped(number, statement)
        return [*first, step] if late else [step, *first], [Check(number), *second]

    def stepwise(
        self, statement: ast.stmt, first: Statements, second: Statements, *, always: bool = False
    ) -> tuple[Statements, Statements]:
        """Let the tail go on, and see the names that the head gives, only where the head has done this statement."""
        begun = bool(self.started)
        bound = {name for name in names.writes(*first) if not name.startswith(MADE)} - self.replayed - set(self.step_of)
        if not always and not bound and first != [statement]:
            return first, second
        if self.turn and not begun:
            self.loose = True
            return first, second
        self.loose = False
        self.steps += 1
        self.stepped = self.stepped or begun
        first = [*first, stepped(self.steps, statement)]
        if begun:
            self.step_of |= dict.fromkeys(bound, self.steps)
        return first, [Check(self.steps), *second]

    def one(self, statement: ast.stmt) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Split one statement."""
        reason = self.blocked or self.reason(statement)
        if reason is None and not escapes(statement):
            reason = self.reason_of_place(statement)
            if reason is None and isinstance(statement, ast.If) and self.names_parts(statement):
                return self.branch(statement)
        elif reason is None:
            reason = Reason(statement.lineno, "leaves the loop from inside another block", "Decide first, then compute")
            if isinstance(statement, ast.If):
                return self.branch(statement)
        if reason is None:
            return self.into_head(statement)
        if isinstance(statement, ast.If) and self.blocked is None and self.may_decide(statement.test):
            return self.branch(statement)
        if isinstance(statement, SIMPLE) and self.blocked is None:
            return self.hoist(statement, reason)
        if isinstance(statement, ast.If) and self.blocked is None:
            return self.decide_in_tail(statement, reason)
        if self.blocked is None and (nested := self.inside_block(statement)) is not None:
            return nested
        self.keep_whole(statement, reason)
        return [], [statement]

    def inside_block(self, statement: ast.stmt) -> tuple[Statements, Statements] | None:
        """Split a block by splitting its body; None where that cannot be done exactly."""
        if isinstance(statement, ast.For):
            return nests.split_for(self, statement) or nests.split_walk(self, statement)
        if isinstance(statement, ast.Try):
            return nests.split_try(self, statement)
        return nests.split_with(self, statement) if isinstance(statement, ast.With) else None

    def names_parts(self, node: ast.If) -> bool:
        """Tell whether an `if` gives names to parts of the notebook's objects, which the tail repeats."""
        inside = [part for part in names.nodes_in(node) if isinstance(part, ast.Assign)]
        return any(is_alias(part) and self.alias_matters(part) for part in inside)

    def into_head(self, statement: ast.stmt) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Move a whole statement into the head; a plain alias of the notebook's objects is repeated in the tail."""
        reading = self.look(statement)
        self.take(reading)
        self.did_work = self.did_work or works(statement)
        self.given |= names.writes(statement)
        special = names.kinds_in(statement) & {ast.withitem, ast.GeneratorExp}
        for part in names.nodes_in(statement) if special else ():
            if isinstance(part, ast.withitem) and isinstance(part.optional_vars, ast.Name):
                text = f"`{part.optional_vars.id}` is a file of the workers: processes do not give it back"
                self.world.notes |= {text: None} if names.is_open(part.context_expr) else {}
            elif isinstance(part, ast.Assign) and isinstance(part.value, ast.GeneratorExp):
                words = " and ".join(f"`{name}`" for name in sorted(names.writes(part)))
                self.world.notes[f"{words} is a generator of the workers: processes do not give it back"] = None
        head = [statement]
        if is_plain_function(statement, self.nodes):
            self.stepped = True  # the tail of a failing item defines it, as no value of it comes back
            return head, [Alias(statement)]
        if is_alias(statement) and self.alias_matters(statement):
            return head, [Alias(statement)]
        both = repeated(self, statement)
        return (both[0], [Alias(both[1])]) if both is not None else (head, [])

    def take(self, reading: Reading) -> None:
        """Note what the head reads."""
        self.read |= reading.roots

    def alias_matters(self, statement: ast.stmt) -> bool:
        """Tell whether a name is given, once, to a part of something that exists outside."""
        written = names.writes(statement)
        roots = {root for name in written for root in self.an.local.get(name, NOTHING).own}
        outer = {root for root in roots - MARKS if not root.startswith(LOCAL)}
        return bool(outer) and all(self.stores.count(name) == 1 for name in written)

    def step(self, place: ast.stmt) -> ast.stmt:
        """Return a statement that counts a step of the head."""
        self.steps += 1
        self.stepped = True
        return stepped(self.steps, place)

    def reason_of_place(self, statement: ast.stmt) -> Reason | None:
        """Return why a statement cannot be moved before the tail statements that come first."""
        written = names.writes(statement)
        deleted = names.facts_of(statement).deletes
        for name in sorted(deleted):
            if isinstance(statement, ast.Delete) and any(
                isinstance(part, ast.Name) and part.id in self.loop.bound for part in statement.targets
            ):
                return Reason(statement.lineno, f"deletes the loop's '{name}'")
            if name in self.world.namespace or name in self.world.definitions or not self.loop_level(name):
                return Reason(statement.lineno, f"deletes '{name}', which exists outside the loop")
        earlier = names.reads(*self.started) | names.writes(*self.started)
        again = sorted(written & self.given) if self.started else []
        if again:
            return Reason(statement.lineno, f"gives '{again[0]}' another value later in the same iteration")
        if written & earlier:
            name = sorted(written & earlier)[0]
            return Reason(statement.lineno, f"gives '{name}' a new value after an earlier statement used it")
        held = {name for name in written if self.an.local.get(name, NOTHING).own & self.changed}
        if held and not (is_alias(statement) and self.alias_matters(statement)):
            name = sorted(held)[0]
            return Reason(statement.lineno, f"'{name}' may be a part of something that the loop changes")
        makes = any(FUNCTION in self.an.local.get(name, NOTHING).all for name in written)
        if makes and not is_plain_function(statement, self.nodes):
            return Reason(statement.lineno, MAKES, "Define it before the loop")
        return None

    def loop_level(self, name: str) -> bool:
        """Tell whether every deletion of a name is a statement of the body itself, or the end of an `except ... as`."""
        deletes = [part for part in self.nodes if isinstance(part, ast.Delete)]
        deletes = [part for part in deletes if name in names.writes(part)]
        return all(part in self.loop.body for part in deletes)

    def note(self, tail: list[ast.stmt]) -> None:
        """Note what statements that stay in the tail do to what comes after them."""
        for statement in tail:
            if isinstance(statement, (Alias, Check)):
                continue
            if only_leaves(statement):
                continue
            self.started.append(statement)
            for effect in self.look(statement).effects:
                self.printed = self.printed or effect.kind in ("print", "opaque")
                if effect.kind in ("change", "opaque"):
                    self.touched |= effect.roots
                    self.altered |= {root for root in effect.roots if root.startswith(LOCAL)}
            for name in names.writes(statement):
                if (
                    not name.startswith(MADE)
                    and name not in self.replayed
                    and (name not in self.loop.bound or name in self.flow.written)
                ):
                    self.in_tail.setdefault(name, statement.lineno)

    def may_decide(self, test: ast.expr) -> bool:
        """Tell whether the head can evaluate a condition, with the names that it binds."""
        if self.reason(test) is not None:
            return False
        return not names.writes(test) or self.reason_of_place(located(ast.Expr(test), test)) is None

    def branch(self, node: ast.If) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Split an `if` whose condition the workers can tell."""
        self.take(self.look(node.test))
        self.did_work = self.did_work or works(node.test)
        before = len(self.started)
        test = [self.step(node)] if self.started else []
        self.loose, loose = False, self.loose
        head_body, tail_body = self.emit(node.body)
        self.loose, loose = False, loose or self.loose
        head_else, tail_else = self.emit(node.orelse)
        self.loose = self.loose or loose
        del self.started[before:]
        placeholder = self.placeholder(node.test)
        first: list[ast.stmt] = [assigned(placeholder, node.test), *test]
        if head_body or head_else:
            passed: list[ast.stmt] = [located(ast.Pass(), node)]
            first.append(located(ast.If(loaded(placeholder, node.test), head_body or passed, head_else), node))
        second: list[ast.stmt] = [
            located(ast.If(loaded(placeholder, node.test), tail_body or [located(ast.Pass(), node)], tail_else), node)
        ]
        return first, second

    def placeholder(self, node: ast.AST) -> str:
        """Return a new name of ours."""
        self.count += 1
        return f"{MADE}{self.count}"

    def hoist(self, statement: ast.stmt, reason: Reason) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Keep a statement in the tail, but let the workers compute the expressions in it that they can."""
        hoister = Hoister(self)
        made = hoister.statement(statement)
        if hoister.lost or not hoister.head:
            found = hoister.lost or (reason if works(statement) else None)
            self.lost += [found] if found is not None else []
        return hoister.head, [made if hoister.head else statement]

    def decide_in_tail(self, node: ast.If, reason: Reason) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Keep an `if` in the tail whose condition depends on the items before, but for the expressions in it."""
        hoister = Hoister(self)
        test = hoister.expression(node.test)
        made = located(ast.If(test, node.body, node.orelse), node)
        if hoister.lost:
            self.lost.append(hoister.lost)
        rest = [located(ast.If(located(ast.Constant(True), node), node.body, node.orelse), node)]
        self.keep_whole(rest[0], reason)
        return hoister.head, [made]

    def keep_whole(self, statement: ast.stmt, reason: Reason) -> None:
        """Keep a statement in the tail as it is."""
        if works(statement):
            self.lost.append(reason)
        if self.blocked is None and escapes(statement):
            text = "whether the rest of the iteration runs depends on the items before"
            self.blocked = Reason(statement.lineno, text, "Compute first, then decide")

    # -- putting together --------------------------------------------------------------------------------------------

    def finished(self, head: list[ast.stmt], tail: list[ast.stmt]) -> Parts:
        """Work out what crosses from the head to the tail and to the notebook."""
        if not head or (not self.did_work and self.lost):
            raise self.refusal(tail)
        if self.loop.collects:
            self.refuse_leftovers(tail)
        while head and self.loop.kind != "call" and isinstance(head[-1], ast.Return) and head[-1].value is None:
            head = head[:-1]
        written = names.writes(*head)
        plain_tail = flattened(tail)
        aliases = [part.statement for part in plain_tail if isinstance(part, Alias)]
        needed = self.names_for(tail)
        repeated_names = {name for part in aliases for name in names.writes(part)}
        for part in aliases:
            needed |= names.reads(part) if names.writes(part) & repeated_names else set()
        flow = names.flow_of([*head], sure=())
        carried = sorted((needed & written) - repeated_names - {STEP}, key=order)
        held = {name for name in written if self.an.local.get(name, NOTHING).all & self.altered}
        carried = sorted({*carried, *held}, key=order)
        stays = {name for name in written if not name.startswith(MADE)}
        left = stays if self.leaves else stays - flow.sure
        self.refuse_lazy(carried, set() if self.loop.collects else left - self.flow.deleted, head)
        parts = Parts(head, tail, carried)
        parts.unsure = {name for name in carried if name not in flow.sure or self.leaves}
        for name in sorted(self.flow.deleted & written):
            if not self.loop_level(name):
                text = f"'{name}' is deleted on some ways through the loop only"
                raise Reason(self.loop.line, text, "Leave the `del` out").refusal()
        gone = self.flow.deleted - (self.flow.again & self.flow.sure)
        if unsure := gone & self.flow.again & written:
            text = f"'{sorted(unsure)[0]}' is deleted and perhaps given a value again"
            raise Reason(self.loop.line, text, "Leave the `del` out").refusal()
        made = {part.name for part in aliases if isinstance(part, ast.FunctionDef)}
        parts.kept = sorted(stays - gone - made) if not self.loop.collects else []
        parts.sure = set() if self.leaves else set(parts.kept) & flow.sure
        parts.leaves, parts.stepped = self.leaves, self.stepped
        parts.changed, parts.read = self.changed - {RESULT}, self.read - MARKS - {RESULT}
        parts.dead = gone & written
        parts.needed = needed
        parts.step_of, parts.replayed = self.step_of, (self.replayed & names.writes(*tail)) | repeated_names
        if not self.stepped or self.loop.collects:
            parts.head = without(head, is_step)
            parts.tail = without(tail, lambda part: isinstance(part, Check))
        parts.shallow = self.shallow - {RESULT}
        parts.apart = {root: index for root, index in self.apart.items() if root in self.read}
        parts.stops = any(isinstance(part, ast.Break) for part in plain_tail)
        return parts

    def refuse_lazy(self, carried: Sequence[str], left: set[str], head: Statements) -> None:
        """Refuse where the notebook would need an iterator from the head: it could not come back from a process.

        Args:
            carried: Names that the tail needs.
            left: Names that the last item may leave behind, or an item long before it.
            head: Where they are given.
        """
        for name in [*carried, *sorted(left)]:
            marks = WALKED_ONCE if name in carried else {LAZY}
            if marks & self.an.local.get(name, NOTHING).all:
                line = next((part.lineno for part in head if name in names.writes(part)), self.loop.line)
                text = f"'{name}' is or holds an iterator or an open file, which cannot come back from a worker"
                raise Reason(line, text, "Make a list of it, or use it up before the first store").refusal()

    def refuse_leftovers(self, tail: list[ast.stmt]) -> None:
        """Refuse a comprehension of which more than looking up names would be left to the notebook."""
        for node in flattened(tail):
            if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Attribute) and is_result(node.func.value)):
                reason = self.lost[0] if self.lost else self.reason(node) or Reason(node.lineno, "cannot be split")
                raise reason.refusal()
            if isinstance(
                node, (ast.Lambda, ast.NamedExpr, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.BinOp)
            ):
                reason = Reason(node.lineno, "makes something that sees the loop's own names")
                raise (self.lost[0] if self.lost else reason).refusal()

    def names_for(self, tail: list[ast.stmt]) -> set[str]:
        """Return the names that the tail reads, itself or through functions it calls."""
        needed: set[str] = set()
        for part in tail:
            if not isinstance(part, (Alias, Check)):
                needed |= names.reads(part) | self.look(part).names
        return needed

    def refusal(self, tail: list[ast.stmt]) -> CellRefused:
        """Return the most telling reason why nothing can run in workers."""
        if self.lost:
            found = self.lost[0].refusal()
            found.reasons = tuple(dict.fromkeys(str(reason.refusal()) for reason in self.lost))
            return found
        return CellRefused(
            "nothing is computed that a worker could take: the loop only moves things about.", self.loop.line
        )
