"""From a split loop to a task: compile it, run what comes before, walk the items once, replay, and run what follows."""

from __future__ import annotations
import __future__

import ast
import contextlib
import io
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from concompare.cells import names
from concompare.cells.loops import Loop, located
from concompare.cells.parts import MADE, REACH, STEP, Parts, plain

ITEM_NAME = MADE + "item"
PLACE = MADE + "value"
ONCE = MADE + "once"
STOPPED = MADE + "stopped"
OWN = MADE + "own"
"""What a worker names the names that a failing head had assigned itself, among those of the items before it."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef
HEADS: weakref.WeakKeyDictionary[types.FunctionType, Definition] = weakref.WeakKeyDictionary()
"""The definitions of the heads that are in use, for those who need their source."""


@dataclass
class Program:
    """A cell, compiled in pieces.

    Attributes:
        before: The statements before the loop; `after`: those after it, without a final expression, which is `last`.
        items: The expressions that are walked.
        head: The head, as a function definition; `tail`: the statements to replay.
        checked: The tail that stops where the head of a failing item did.
        annotates: The loop's statement annotates names, for which the notebook gets `__annotations__` as it begins.
    """

    filename: str
    loop: Loop
    parts: Parts
    before: list[ast.stmt]
    after: list[ast.stmt]
    last: ast.expr | None
    temporaries: tuple[str, ...] = ()
    annotates: bool = False
    head: Definition = field(init=False)

    def __post_init__(self) -> None:
        extra = [name for name in self.parts.carried if name.startswith(MADE)] if self.parts.stepped else []
        if not self.loop.collects and (self.parts.kept or self.parts.stepped):
            self.temporaries = (*self.parts.kept, *extra, *([STEP] if self.parts.stepped else []))
        if not self.loop.collects and self.parts.dead:
            self.temporaries = (*self.temporaries, *sorted(self.parts.dead - set(self.temporaries)))
        self.head = self.definition()

    @property
    def by_name(self) -> bool:
        """Tell whether the head gives back a dict of the names it has."""
        return bool(self.parts.unsure) or (self.parts.leaves and bool(self.parts.carried))

    def definition(self) -> Definition:
        """Return the head as a function definition."""
        target = self.loop.target
        place = self.parts.head[0]
        body = list(self.parts.head)
        argument = "item"
        if isinstance(target, ast.Name):
            argument = target.id
        elif self.loop.kind != "call":
            taken = names.reads(*body) | names.writes(*body) | self.loop.bound
            argument = next(word for word in ("item", "items_", "item_", ITEM_NAME) if word not in taken)
            body.insert(0, located(ast.Assign([target], located(ast.Name(argument, ast.Load()), target)), target))
        else:
            argument = ITEM_NAME
        final = body[-1]
        value = self.value(final)
        carried = self.parts.carried
        simple = len(carried) == 1 and not self.temporaries and not self.by_name and is_assignment(final, carried[0])
        if simple and isinstance(final, ast.Assign):
            body[-1] = located(ast.Return(final.value), final)
        elif not isinstance(final, ast.Return):
            body.append(located(ast.Return(value), final))
        if any(ast.Return in names.kinds_in(part) for part in self.parts.head):
            body = [Returns(value).visit(part) for part in body]
        args = ast.arguments([], [located(ast.arg(argument), place)], None, [], [], None, [])
        waits = any(ast.Await in names.kinds_in(part) for part in self.parts.head) and self.loop.collects
        made = (ast.AsyncFunctionDef if waits else ast.FunctionDef)("head", args, body, [], None)
        return located(made, place)

    def value(self, place: ast.AST) -> ast.expr:
        """Return the expression of what the head gives back."""
        carried = self.parts.carried
        made: ast.expr
        if self.by_name:
            made = ast.parse(
                f"{{name: value for name, value in locals().items() if name in {(*carried,)!r}}}", mode="eval"
            ).body
        elif not carried:
            made = ast.Constant(None)
        elif len(carried) == 1:
            made = ast.Name(carried[0], ast.Load())
        else:
            made = ast.Tuple([ast.Name(name, ast.Load()) for name in carried], ast.Load())
        if self.temporaries:
            text = f"{{name: value for name, value in locals().items() if name in {(*self.parts.kept,)!r}}}"
            made = ast.Tuple([made, ast.parse(text, mode="eval").body], ast.Load())
        for node in ast.walk(made):
            located(node, place)
        return made

    def function(self, namespace: dict[str, Any]) -> Callable[[Any], Any]:
        """Compile the head over the notebook's names."""
        ast.fix_missing_locations(self.head)
        self.head.lineno = 1  # IPython counts the lines of "<module>" from co_firstlineno
        code = compiled(ast.Module([self.head], []), self.filename, "exec", namespace)
        inner = next(part for part in code.co_consts if isinstance(part, types.CodeType))
        made = types.FunctionType(inner.replace(co_name="<module>", co_qualname="<module>"), namespace, "head")
        HEADS[made] = self.head
        return made

    def tail(self, checked: bool = False) -> list[ast.stmt]:
        """Return the statements to replay; `checked` ones stop where the head of a failing item did."""
        return plain(self.parts.tail, checked, steps=not self.loop.collects)


class Returns(ast.NodeTransformer):
    """Gives the early ends of the head their value."""

    def __init__(self, value: ast.expr) -> None:
        self.value = value

    def visit_Return(self, node: ast.Return) -> ast.Return:
        """Give an early end its value."""
        return located(ast.Return(self.value), node) if node.value is None else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave inner functions alone."""
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """Leave inner functions alone."""
        return node


def is_assignment(node: ast.stmt, name: str) -> bool:
    """Tell whether a statement is `name = ...`."""
    return (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == name
    )


CHECKED = 100
"""Items that are looked at as they are made."""


class Items:
    """The items of a loop: handed out once, and kept until their tail has been replayed."""

    def __init__(self, iterable: Any) -> None:
        self.known = iterable if type(iterable) in (list, tuple, range) else None
        self.waiting: dict[int, Any] = {}
        self.iterable = iterable

    def handed(self, check: Callable[[list[Any]], None]) -> Iterator[Any]:
        """Yield the items, remembering those whose tail is still to come; the first ones are checked."""
        for position, item in enumerate(self.iterable):
            if position < CHECKED:
                check([item])
            self.waiting[position] = item
            yield item

    def take(self, position: int) -> Any:
        """Return an item whose tail is replayed now."""
        return self.known[position] if self.known is not None else self.waiting.pop(position)

    def see(self, position: int) -> Any:
        """Return an item that was handed out, or raise LookupError."""
        return self.known[position] if self.known is not None else self.waiting[position]


class Unreached(BaseException):
    """Raised inside the tail of a failing item, at the place that its head did not reach."""


class Replay:
    """The notebook's side of a statement loop: replays tails over the notebook's names, and ends as the loop would."""

    def __init__(
        self, program: Program, namespace: dict[str, Any], items: Items, function: Callable[[Any], Any]
    ) -> None:
        self.program, self.namespace, self.items, self.function = program, namespace, items, function
        self.position = 0
        self.broken = self.stopped = False
        self.last: Any = None
        self.earlier: Any = None
        self.held: dict[str, Any] = {}
        self.bar: Any = None
        self.names = program.parts.carried
        self.given: Mapping[str, Any] = {}
        self.late = set(program.parts.step_of) | program.parts.replayed
        self.at, self.most = 0, sys.maxsize
        self.code = self.turn(program.tail())

    def turn(self, tail: list[ast.stmt]) -> types.CodeType | None:
        """Compile the tail as one turn of a loop, so that `continue` and `break` mean what they say."""
        if not tail:
            return None
        place = tail[0]
        reached = ast.Assign([ast.Name(STOPPED, ast.Store())], ast.Constant(False))
        turn = ast.For(ast.Name(ONCE, ast.Store()), ast.Tuple([ast.Constant(None)], ast.Load()), tail, [reached])
        module = ast.Module([located(turn, place)], [])
        code = compiled(ast.fix_missing_locations(module), self.program.filename, "exec", self.namespace)
        assert isinstance(code, types.CodeType)
        return code

    def bind_target(self, item: Any) -> None:
        """Bind the loop's target."""
        target = self.program.loop.target
        if isinstance(target, ast.Name):
            self.namespace[target.id] = item
            return
        if not hasattr(self, "binder"):
            value = located(ast.Name(ITEM_NAME, ast.Load()), target)
            module = ast.Module([located(ast.Assign([target], value), target)], [])
            self.binder = compiled(ast.fix_missing_locations(module), self.program.filename, "exec", self.namespace)
        self.namespace[ITEM_NAME] = item
        exec(self.binder, self.namespace)

    def bind_values(self, value: Any) -> None:
        """Bind what the head gave back for the tail, but for names that the tail sees later or gives itself."""
        if self.program.by_name:
            for name in self.names:
                if name.startswith(MADE):
                    self.namespace.pop(name, None)
            self.given = value
        elif len(self.names) == 1:
            self.given = {self.names[0]: value}
        elif self.names:
            self.given = dict(zip(self.names, value, strict=True))
        if self.late:
            self.namespace.update({name: value for name, value in self.given.items() if name not in self.late})
        else:
            self.namespace.update(self.given)

    def reach(self, step: int) -> None:
        """Bind the names that appear from this step of the tail on."""
        self.at = step
        if step > self.most:
            raise Unreached
        steps = self.program.parts.step_of
        self.namespace.update({name: value for name, value in self.given.items() if steps.get(name) == step})

    def apply(self, position: int, value: Any) -> bool:
        """Replay the tail of one item; True: the loop stopped here."""
        self.earlier, self.last = self.last, self.items.take(position)
        item = self.last
        self.position = position + 1
        self.at = 0
        self.bind_target(item)
        self.bind_values(value)
        if self.bar is not None:
            self.bar.update(1)
        if self.code is None:
            return False
        self.namespace[STOPPED] = True
        if self.program.parts.stepped:
            self.namespace[REACH] = self.reach
        try:
            exec(self.code, self.namespace)
        except BaseException:
            self.broken = True
            self.bind_kept(position, self.at)
            self.clean()
            raise
        if self.namespace[STOPPED]:
            self.stopped = True
            self.bind_kept(position, self.at)
        return self.stopped

    def bind_kept(self, position: int, at: int) -> None:
        """Bind the names that the head of the last item assigned, by computing that item once more in the notebook."""
        steps = self.program.parts.step_of
        wanted = self.uncarried()
        for earlier, item in self.backwards(position):
            if not wanted:
                return
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                found = self.function(item)[1]
            seen = {name for name in found if name in wanted and (earlier != position or steps.get(name, 0) <= at)}
            self.namespace.update({name: found[name] for name in seen})
            wanted -= seen

    def backwards(self, position: int) -> Iterator[tuple[int, Any]]:
        """Yield the last item and those before it, as far as they are still known."""
        yield position, self.last
        if self.items.known is not None:
            for earlier in range(position - 1, -1, -1):
                yield earlier, self.items.known[earlier]
        elif position:
            yield position - 1, self.earlier

    def uncarried(self) -> set[str]:
        """Return the names that the head assigns and the tail neither needs nor gives."""
        return set(self.program.parts.kept) - set(self.names) - self.program.parts.replayed

    def finish(self, found: Mapping[str, Any]) -> Any:
        """Bind what the head assigned, run what follows the loop; returns the cell's value."""
        if not self.stopped:
            self.bind_names(found)
            if self.position and any(name not in found for name in self.program.parts.sure & self.uncarried()):
                self.bind_kept(self.position - 1, sys.maxsize)
        self.clean()
        follow = [] if self.stopped else self.program.loop.orelse
        return run_rest(self.program, self.namespace, [*follow, *self.program.after])

    def bind_names(self, found: Mapping[str, Any]) -> None:
        """Bind the names that only the head assigned."""
        self.namespace.update({name: found[name] for name in self.uncarried() if name in found})

    def fail(self, found: Mapping[str, Any]) -> None:
        """Leave the names as the plain loop would have left them when the item after the last replayed one raised."""
        if self.broken:
            return
        error = sys.exc_info()[1]
        interrupted = error is not None and not isinstance(error, Exception)
        try:
            item = self.items.see(self.position)
        except LookupError:
            self.bind_names(found)
            self.clean()
            return
        if interrupted:
            self.bind_names(found)
            self.clean()
            return
        try:
            with contextlib.suppress(Exception):
                self.bind_target(item)
            steps = self.program.parts.step_of
            own = found.get(OWN, found)
            given = {name: found[name] for name in self.program.temporaries if name in found}
            given = {name: value for name, value in given.items() if name in own or name not in self.names}
            if self.program.parts.stepped:
                given = {name: value for name, value in given.items() if name not in self.program.parts.replayed}
            self.namespace.update({name: value for name, value in given.items() if name not in steps})
            self.given = {name: value for name, value in given.items() if name in steps}
            if self.program.parts.stepped:
                self.replay_reached(found)
            self.namespace.update(self.given)
        finally:
            self.clean()

    def replay_reached(self, found: Mapping[str, Any]) -> None:
        """Replay the part of a failing item's tail that comes before the place where its head raised."""
        for name in [*self.names]:
            if name.startswith(MADE) and name not in found:
                self.namespace.pop(name, None)
        self.at, self.most = 0, found.get(STEP, 0)
        self.namespace[REACH] = self.reach
        code = self.turn(self.program.tail(checked=True))
        if code is None:
            return
        try:
            exec(code, self.namespace)
        except Unreached:
            return
        except BaseException as raised:
            if isinstance(raised, NameError) and (raised.name or "").startswith(MADE):
                return
            self.take_back()
            raise

    def take_back(self) -> None:
        """Give the names that the failing item's tail did not come to the values of the item before."""
        steps = self.program.parts.step_of
        late = {name for name in self.given if steps[name] > self.at}
        self.given = {}
        if late and self.position:
            self.bind_kept(self.position - 1, sys.maxsize)

    def clean(self) -> None:
        """Take our own names out of the notebook."""
        for name in [name for name in self.namespace if name.startswith(MADE)]:
            del self.namespace[name]
        if self.bar is not None:
            self.bar.close()


def run_rest(program: Program, namespace: dict[str, Any], statements: list[ast.stmt]) -> Any:
    """Run the statements after the loop; returns the value of a final expression."""
    run(statements, namespace, program.filename)
    if program.last is None:
        return None
    return eval(compiled(ast.Expression(program.last), program.filename, "eval", namespace), namespace)


def run(statements: list[ast.stmt], namespace: dict[str, Any], filename: str) -> None:
    """Run statements in the notebook, one by one as the notebook does."""
    for statement in statements:
        exec(compiled(ast.Module([statement], []), filename, "exec", namespace), namespace)


def compiled(tree: ast.Module | ast.Expression, filename: str, mode: str, namespace: Mapping[str, Any]) -> Any:
    """Compile code as the notebook does: with the `from __future__ import annotations` of an earlier cell."""
    found = namespace.get("annotations")
    flags = __future__.annotations.compiler_flag if found is __future__.annotations else 0
    return compile(tree, filename, mode, flags, dont_inherit=True)
