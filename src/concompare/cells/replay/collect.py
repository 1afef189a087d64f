"""The notebook's side of a comprehension or map: its values, in the place of the expression."""

from __future__ import annotations

import ast
import contextlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from concompare.cells.distribution.code.generated import Generated
from concompare.cells.distribution.code.record import CHANGED, KEPT, RECORD
from concompare.cells.ir import OURS, RESULT
from concompare.cells.replay import compiling
from concompare.cells.replay.again import names_again, unsent
from concompare.cells.replay.items import Elsewhere, Items
from concompare.cells.replay.plain_values import is_plain
from concompare.cells.replay.tally import Tally, left_of
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.errors import Interrupted
from concompare.worker.transfer.item_state import Keeper, Places, put_in, restore

if TYPE_CHECKING:
    from concompare.cells.replay.front import Front

OWN = OURS + "own"
"""What a worker names the names that a failing head had assigned itself."""


class Collect:
    """Collects values; `value` is what stands in the expression's place."""

    def __init__(
        self,
        made: Generated,
        namespace: dict[str, Any],
        items: Items,
        function: Callable[..., Any],
        filename: str,
    ) -> None:
        self.made, self.namespace, self.items, self.filename = made, namespace, items, filename
        self.function = function
        self.shape = made.loop.shape
        self.result: list[Any] = []
        self.gathered: Any = {"set": set, "dict": dict}.get(self.shape, list)()
        self.position = 0
        self.broken = self.halted = self.halts = False
        self.tally = Tally(made)
        self.error: BaseException | None = None
        self.bar: Any = None
        self.front: Front | None = None
        self.keeper: Keeper | None = None
        self.item: Any = None
        self.earlier: Any = None
        self.left: dict[str, Any] = {}
        self.direct = made.direct and is_plain_append(made)
        inner = [node for statement in made.loop.body for node in names.nodes_in(statement)]
        self.outward = {node.target.id for node in inner if isinstance(node, ast.NamedExpr)} | made.loop.outward
        self.actions = [self.action(number) for number in range(len(made.actions))]
        self.insert = self.inserter() if self.shape in ("set", "dict") else None

    def action(self, number: int) -> Callable[..., Any]:
        """Return an action as a function of the result and its values: the names of a comprehension are its own."""
        part = self.made.actions[number]
        parameters = [RESULT, *part.values, *part.names, *part.unsure]
        shared = self.outward.difference(parameters)
        given = self.namespace, self.filename, parameters
        return compiling.action(part, *given, local=True, shared=shared, node=self.made.loop.node)

    def inserter(self) -> Callable[[Any, Any], None]:
        """Return what puts a value into the set or dict, at the line that the comprehension has then."""
        text = "made.add(part)" if self.shape == "set" else "made[part[0]] = part[1]"
        tree = ast.parse(f"def insert(made, part):\n    {text}")
        for node in ast.walk(tree):
            located(node, inserting(self.made.loop.node))
            if isinstance(node, ast.Attribute):
                node.end_lineno, node.end_col_offset = node.lineno, node.col_offset
        code = compile(tree, self.filename, "exec", dont_inherit=True)
        inner = next(part for part in code.co_consts if isinstance(part, types.CodeType))
        return types.FunctionType(compiling.named(inner, self.namespace), {})

    def apply(self, position: int, value: Any) -> bool:
        """Collect the values of one item; True: the consumer would stop here."""
        if self.front is not None and self.front.is_stale():
            self.halted = True
            return True
        try:
            self.earlier, self.item = self.item, self.items.take(position)
        except Elsewhere:
            self.halted = True
            return True
        self.position = position + 1
        if self.bar is not None:
            self.bar.update(1)
        before = len(self.result)
        try:
            if self.direct:
                self.result.append(value)
            elif self.made.direct:
                size = self.made.actions[0].size
                self.play(0, (value,) if size == 1 else value if size else ())
            else:
                self.play_record(value or ())
            if self.insert is not None:
                for part in self.result[before:]:
                    self.insert(self.gathered, part)
            return self.stops(before)
        except BaseException:
            self.broken = True
            raise

    def play_record(self, record: Iterable[list[Any]]) -> Places:
        """Do what the head asked for, in order; return what stands for what in what came with it."""
        meant: Places = {}
        for number, *values in record:
            values = put_in(values, meant)
            if number == CHANGED:
                meant = restore(self.item, values[0], values[1], self.made.staged.shared)
            elif number == KEPT:
                self.left.update(values[0])
            else:
                self.play(number, values)
        return meant

    def play(self, number: int, values: Any) -> None:
        """Do one action."""
        part = self.made.actions[number]
        if part.unsure:
            *values, unsure = values
            self.namespace.update({name: value for name, value in unsure.items() if name in self.outward})
            values = [*values, *[unsure.get(name) for name in part.unsure]]
        if part.early:
            values = self.tally.handed(number, values)
        self.actions[number](self.result, *values)
        if part.early:
            self.tally.take(number, values)

    def stops(self, before: int) -> bool:
        """Tell whether the consumer takes nothing after the values from `before` on."""
        loop = self.made.loop
        stops = loop.stops
        if self.halts and self.tally.in_vain:
            self.halted = True
            return True
        if loop.watched and not all(is_plain(part, loop.brittle, self.result[0]) for part in self.result[before:]):
            self.halted = True
            return True
        if stops is None or stops == "some":
            return False
        fresh = self.result[before:]
        return bool(fresh) if stops == "next" else any(bool(value) is (stops == "any") for value in fresh)

    @property
    def value(self) -> Any:
        """Return what stands in the expression's place."""
        if self.shape == "one":
            return self.result[0]
        if self.made.loop.lazy:
            return self.one_by_one()
        return self.result if self.shape == "list" else self.gathered

    def remaining(self) -> Any:
        """Return the items after the one at which it has halted."""
        return left_of(self.items, self.position, self.front)

    def joined(self, rest: Any) -> Any:
        """Return the values collected so far with those that the plain expression gives for the items left."""
        if self.made.loop.lazy:
            return chain(self.one_by_one(), rest)
        if self.shape == "list":
            self.result.extend(rest)
        else:
            self.gathered.update(rest)
        return self.value

    def one_by_one(self) -> Iterator[Any]:
        """Return the values for a consumer; an item's error comes where the plain loop would raise it."""
        generator = isinstance(self.made.loop.node, ast.GeneratorExp)
        return self.yielded() if generator else OneByOne(self.result, self.error)

    def yielded(self) -> Iterator[Any]:
        """Yield the values as a generator does, which has no use for a StopIteration of its own."""
        yield from self.result
        if self.error is not None:
            raise self.error

    def finish(self, found: Mapping[str, Any]) -> Any:
        """Bind the names that `:=` gave values; return what stands in the expression's place."""
        if not self.halted and self.made.loop.stops is None:
            self.halted = self.items.go_on()
        if self.keeper is not None and (self.halted or self.made.loop.stops is not None):
            self.put_back(self.position)
        self.bind(found, self.backwards(self.position - 1))
        self.clean()
        return self.value

    def bind(self, found: Mapping[str, Any], turns: Iterable[Any]) -> None:
        """Bind the names that `:=` gave values; what no process could give back is computed again from these items."""
        lacking = unsent(self.made, found)
        found = {**found, **self.left}
        self.namespace.update({name: found[name] for name in self.made.kept if name in found})
        wanted = lacking - set(self.left)
        turns = ((item, sys.maxsize) for item in turns)
        self.namespace.update(names_again(self.made, self.function, wanted, turns))

    def backwards(self, position: int) -> Iterator[Any]:
        """Yield the last item and those before it, as far as they are still known."""
        if position >= 0:
            yield self.item
        if self.items.known is not None:
            yield from (self.items.known[place] for place in range(position - 1, -1, -1))
        elif position > 0:
            yield self.earlier

    def put_back(self, first: int) -> None:
        """Give the items from a position on the states they had: the plain expression has not come that far."""
        if self.keeper is not None and self.items.known is not None:
            for item in self.items.known[first:]:
                self.keeper.put_back(item)

    def fail(self, found: Mapping[str, Any]) -> None:
        """An item raised: a consumer that takes values one by one still takes those before it."""
        error = sys.exc_info()[1]
        if not self.broken and self.made.is_done_again(error):
            self.halted = True
            self.put_back(self.position)
            self.clean()
            return
        self.put_back(self.position if self.broken else self.position + 1)
        if not self.broken and RECORD in found.get(OWN, ()):
            self.play_failing(found)
        if not self.broken and self.made.loop.lazy and isinstance(error, Exception):
            self.error = error
        self.bind(
            found, () if isinstance(error, Interrupted) else chain(self.failing(), self.backwards(self.position - 1))
        )
        self.clean()

    def play_failing(self, found: Mapping[str, Any]) -> None:
        """Do what the head of the item that raised had asked for until then, and keep the names it had assigned."""
        last = self.item
        with contextlib.suppress(LookupError):
            self.item = self.items.see(self.position)
        meant = self.play_record(found[RECORD])
        self.item = last
        own = [name for name in self.made.kept if name in found[OWN]]
        self.left.update(zip(own, put_in([found[name] for name in own], meant), strict=True))

    def failing(self) -> list[Any]:
        """Return the item whose head raised, in a list, if it is one that was handed out."""
        try:
            return [] if self.broken else [self.items.see(self.position)]
        except LookupError:
            return []

    def clean(self) -> None:
        """Close the progress bar that the expression walked through, and the files that were read ahead."""
        self.items.close(self.front)
        if self.bar is not None:
            self.bar.close()


def inserting(node: ast.AST) -> ast.AST:
    """Return the node whose line a set or dict comprehension has where a value cannot be put into it."""
    if sys.version_info < (3, 12):
        return node
    return node.elt if isinstance(node, ast.SetComp) else node.key if isinstance(node, ast.DictComp) else node


class OneByOne:
    """Values, and then an error, as `map` gives them: a StopIteration of the function is the end."""

    def __init__(self, values: list[Any], error: BaseException | None) -> None:
        self.values, self.error = iter(values), error

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        for value in self.values:
            return value
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        raise StopIteration


class AsMapped:
    """A generator in the place of `map` and its like: a StopIteration of a function is the end."""

    def __init__(self, generator: Iterator[Any]) -> None:
        self.generator = generator

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self.generator)
        except RuntimeError as error:
            if isinstance(error.__cause__, StopIteration):
                raise StopIteration from None
            raise


def is_plain_append(made: Generated) -> bool:
    """Tell whether the one action only collects the value that the head gives back."""
    (part,) = made.actions
    if len(part.code) != 1 or not isinstance(part.code[0], ast.Expr) or part.size != 1:
        return False
    call = part.code[0].value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "append":
        return False
    argument = call.args[0]
    return isinstance(argument, ast.Name) and argument.id in (*part.values, *part.names)
