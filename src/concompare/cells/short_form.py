"""A loop written as somebody could have written it: a function of an item, and a loop over what it gave back.

Both are plain Python that runs by itself. What the notebook has to do in the middle of an item comes back as a list.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from concompare.cells.distribution.code.generated import HELD
from concompare.cells.distribution.nodes import jumps_in
from concompare.cells.ir import OURS, RESULT, Loop, Order, Stage
from concompare.cells.short_steps import Leaving, NoShortForm, Step, Steps, mentioned
from concompare.cells.syntax import names
from concompare.records import ShortForm

if TYPE_CHECKING:
    from concompare.cells.replay.binding import Lifted


WORDS = frozenset(["compute", "items", "item", "pool", "begin", "arguments", "results", "found", "value"])
"""Names that scripts have beside those of the cell."""


class Fresh:
    """Make names that nothing has.

    Args:
        taken: The names that are in use.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def name(self, wanted: str) -> str:
        """Return the wanted name, numbered where it is taken."""
        words = itertools.chain((wanted,), (f"{wanted}_{n}" for n in itertools.count(2)))
        found = next(word for word in words if word not in self.taken)
        self.taken.add(found)
        return found


def short_form(lifted: Lifted) -> ShortForm:
    """Return a loop in its short form, or the reason why it has none."""
    try:
        may_be_short(lifted)
        found = ShortForm() if lifted.loop.collects else Writing(lifted).write()
    except NoShortForm as reason:
        found = ShortForm(reason=str(reason))
    known = lifted.loop.__dict__.get("namespace", {})
    taken = tuple(sorted(word for word in known if word.rstrip("_0123456789") in WORDS))
    return replace(found, part=lifted.numbered(), shows=Order.OUTPUT in orders_of(lifted), taken=taken)


def orders_of(lifted: Lifted) -> set[Order]:
    """Return what the workers do that has an order."""
    effects = lifted.staged.analysed.effects
    return set().union(*(found.order for node, found in effects.items() if lifted.staged.of(node) is Stage.HEAD))


def may_be_short(lifted: Lifted) -> None:
    """Raise the reason why a loop has no short form, as far as it is not one of single names."""
    if lifted.loop.own:
        raise NoShortForm(f"it has parallel code of its own, `{lifted.loop.own}`")
    if lifted.statement is None:
        raise NoShortForm("its loop stands inside another statement")
    if lifted.loop.expanded:
        raise NoShortForm(f"what `{lifted.loop.expanded}` does is partly done by the notebook")
    walked = lifted.loop.written or lifted.loop.items
    if walked is not None and any(word.startswith(OURS) for word in names.reads(walked)):
        raise NoShortForm("its items are shared out in another shape than it is written in")
    if lifted.ahead is not None:
        raise NoShortForm("the notebook computes a part of each item before it goes out")
    if lifted.staged.items_change:
        raise NoShortForm("its items are changed in place")
    if lifted.staged.early:
        raise NoShortForm("workers make calls before it is known whether they are needed")
    if Order.RANDOM in orders_of(lifted):
        raise NoShortForm("each item draws from a stream of random numbers of its own")
    if lifted.uneven:
        raise NoShortForm("the last item of the outer loop has none of the inner one")
    if lifted.loop.collects and not only_collects(lifted):
        raise NoShortForm(f"a part of its {lifted.kind} stays in the notebook")


def only_collects(lifted: Lifted) -> bool:
    """Tell whether the notebook does nothing but take the values."""
    code = [part for action in lifted.made.actions for part in action.code]
    return [ast.unparse(part).partition("(")[0] for part in code] == [f"{RESULT}.append"]


class Writing:
    """Writes one loop.

    Attributes:
        outputs: Names of the user's that a function gives back besides, for they are left or read afterwards.
        after: Those of them that get their value at the end of a turn, and the name it has until then.
    """

    def __init__(self, lifted: Lifted) -> None:
        self.lifted, self.loop, self.made = lifted, lifted.loop, lifted.made
        tree = ast.parse(lifted.source)
        place = lifted.statement or 0
        self.later = [*self.loop.orelse, *tree.body[place + 1 :]]
        parts = [tree, *self.loop.body, *(part for action in self.made.actions for part in action.code)]
        known = self.loop.__dict__.get("namespace", {})
        self.fresh = Fresh({*known, *(word for part in parts for word in words_in(part))})
        self.targets = targets_of(self.loop)
        before = tree.body[:place]
        functions = [node for part in before for node in ast.walk(part) if isinstance(node, names.FUNCTIONS)]
        self.needed = names.reads(*self.later) | names.writes(*before)
        self.needed |= {word for node in functions for word in names.free_names(node)}
        self.steps = Steps(lifted, self.needed | self.targets)
        self.outputs: list[str] = []
        self.after: dict[str, str] = {}

    def write(self) -> ShortForm:
        """Return the function, the loop over what it gives back, and what is walked."""
        steps = self.steps
        for step in steps.found:
            steps.hand(step)
        self.find_outputs()
        self.name_values()
        compute, items = self.fresh.name("compute"), self.fresh.name("items")
        self.label()
        record = self.fresh.name("steps" if len(steps.kinds) > 1 else "found") if steps.kinds else None
        stop = self.fresh.name("stop") if steps.stops else None
        results = [*([record] if record else []), *(word for word, _ in steps.last.words)] if steps.last else []
        if not steps.last and record:
            results = [record]
        if record:
            self.drop_known()
        given = [self.after.get(word, word) for word in self.outputs]
        results += [*given, *([stop] if stop else [])]
        turn = self.turn(record, stop, results or [self.fresh.name("done")], compute, items)
        texts = self.plain_words(ast.unparse(self.function(compute, record)), ast.unparse(turn))
        walked = self.loop.written if self.loop.written is not None else self.loop.items
        assert walked is not None
        return ShortForm(texts[0], texts[1], ast.unparse(walked))

    def find_outputs(self) -> None:
        """Find the names that have to come back because the plain loop leaves them and somebody may look."""
        steps, made = self.steps, self.made
        kept = (self.needed | self.targets | steps.shown) & set(made.kept)
        wanted = kept | steps.carried
        if unsure := sorted(kept - made.sure - self.targets):
            raise NoShortForm(f"`{unsure[0]}` is read after the loop and assigned for some items only")
        gone = self.targets & self.lifted.staged.uses.deleted
        gone |= {part.id for step in steps.found for part in step.names() if isinstance(part.ctx, ast.Del)}
        if gone:
            raise NoShortForm(f"`{min(gone)}` is deleted in the loop")
        last = {word for word, _ in steps.last.words} if steps.last else set()
        self.outputs = sorted(wanted - last)
        for word in self.outputs:
            if not steps.is_single(word) and any(
                word in mentioned(step.code) - {given for given, _ in step.words} for step in steps.found
            ):
                self.after[word] = self.fresh.name(f"last_{word}")
        if self.after and steps.last and jumps_in(steps.last.code):
            raise NoShortForm(f"`{next(iter(self.after))}` is assigned in the loop, which ends early")

    def name_values(self) -> None:
        """Give what the function computes short names."""
        for word, steps in (("value", self.steps.kinds), ("result", [self.steps.last] if self.steps.last else [])):
            ours = [[given for given, _ in step.words if given.startswith(OURS)] for step in steps]
            most = max(map(len, ours), default=0)
            begin = "value" if not self.steps.kinds else word
            shown = [self.fresh.name(begin if most == 1 else f"{begin}{place}") for place in range(1, most + 1)]
            for step, found in zip(steps, ours, strict=True):
                step.rename(dict(zip(found, shown, strict=False)))

    def label(self) -> None:
        """Give each kind of step a word that says what it is for; those that are the same become one."""
        fresh = Fresh(())
        kinds: dict[tuple[str, ...], Step] = {}
        for step in self.steps.kinds:
            key = (*(word for word, _ in step.words), *map(ast.unparse, step.code))
            step.kind = kinds.setdefault(key, step)
        self.steps.kinds = list(kinds.values())
        if len(kinds) > 1:
            for step in kinds.values():
                step.label = fresh.name(step.subject)

    def drop_known(self) -> None:
        """Leave out of the steps what comes back beside them, where that leaves one thing to say."""
        if len(self.steps.kinds) < 2:
            return
        for step in self.steps.found:
            if step is not self.steps.last:
                step.words = [(word, value) for word, value in step.words if word not in self.outputs]

    def function(self, name: str, record: str | None) -> ast.FunctionDef:
        """Return the function of an item."""
        body = Written(self, record).block(self.steps.body)
        if isinstance(body[-1], ast.Return) and body[-1].value is None and len(body) > 1:
            body.pop()
        body = shortened(body)
        if record is not None:
            place = 1 if not isinstance(self.loop.target, ast.Name) else 0
            body.insert(place, assigned(record, ast.List([], ast.Load())))
        argument = self.made.head.args.args[0].arg
        arguments = ast.arguments([], [ast.arg(argument)], None, [], [], None, [])
        return ast.FunctionDef(name, arguments, body, [], lineno=0, type_params=[])  # type: ignore[call-arg,unused-ignore]

    def turn(self, record: str | None, stop: str | None, results: list[str], compute: str, items: str) -> ast.For:
        """Return the loop over what the function gave back."""
        body: list[ast.stmt] = []
        if record is not None:
            body.append(self.playing(record))
        if self.steps.last is not None:
            body += self.steps.last.code
        body += [assigned(word, load(held)) for word, held in self.after.items()]
        if stop is not None:
            body.append(ast.If(load(stop), [ast.Break()], []))
        assert self.loop.target is not None
        target, over = packed([store(word) for word in results]), call("map", compute, items)
        if not names.stored(self.loop.target) <= set(results):
            target, over = packed([self.loop.target, target]), ast.Call(load("zip"), [load(items), over], [])
        return ast.For(target=target, iter=over, body=body or [ast.Pass()], orelse=self.loop.orelse, lineno=0)

    def playing(self, record: str) -> ast.For:
        """Return the loop over what one item asks the notebook to do."""
        kinds = self.steps.kinds
        if len(kinds) == 1:
            words = [store(word) for word, _ in kinds[0].words] or [store(self.fresh.name("done"))]
            return ast.For(
                target=packed(words), iter=load(record), body=kinds[0].code or [ast.Pass()], orelse=[], lineno=0
            )
        step = self.fresh.name("step")
        if not any(kind.words for kind in kinds):
            return ast.For(target=store(step), iter=load(record), body=chosen_by(step, kinds), orelse=[], lineno=0)
        single = all(len(kind.words) == 1 for kind in kinds)
        ours = {word for kind in kinds for word, _ in kind.words if word not in kind.users}
        value = next(iter(ours)) if single and len(ours) == 1 else self.fresh.name("value" if single else "values")
        for kind in kinds:
            kind.code = [*unpacked(kind, value, single=single), *kind.code]
        chosen = chosen_by(step, kinds)
        rest: ast.expr = store(value) if single else ast.Starred(store(value), ast.Store())
        return ast.For(target=packed([store(step), rest]), iter=load(record), body=chosen, orelse=[], lineno=0)

    def plain_words(self, *texts: str) -> list[str]:
        """Return texts with words in the places of our names."""
        shown: dict[str, str] = {}
        for found in re.findall(rf"\b{OURS}\w+", "\n".join(texts)):
            if found not in shown:
                word = "held" if found.startswith(HELD) else "item" if found.startswith(f"{OURS}item") else "value"
                shown[found] = self.fresh.name(word)
        return [re.sub(rf"\b{OURS}\w+", lambda found: shown[found[0]], text) for text in texts]


class Written:
    """Writes the body of the function: entries into the list of steps, and what it gives back.

    Args:
        writing: What is known of the loop.
        record: The name of the list.
    """

    def __init__(self, writing: Writing, record: str | None) -> None:
        self.writing, self.record, self.steps = writing, record, writing.steps

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return statements as they are written."""
        made: list[ast.stmt] = []
        for node in statements:
            if isinstance(node, Leaving):
                made.append(self.end(node))
            elif isinstance(node, Step):
                if node is not self.steps.last:
                    made.append(self.entry(node))
                elif self.steps.early:
                    made += [assigned(word, value) for word, value in node.words if not is_name(value, word)]
            else:
                made.append(node)
                for holder in [node, *getattr(node, "handlers", []), *getattr(node, "cases", [])]:
                    self.inside(holder)
        return made

    def inside(self, node: ast.AST) -> None:
        """Write the blocks that a statement holds."""
        if isinstance(node, (*names.FUNCTIONS, ast.ClassDef)):
            return
        for part in ("body", "orelse", "finalbody"):
            block = getattr(node, part, None)
            if isinstance(block, list):
                setattr(node, part, self.block(block) or ([ast.Pass()] if part == "body" else []))

    def entry(self, step: Step) -> ast.stmt:
        """Return the statement that asks for a step."""
        values = [value for _, value in step.words]
        bare = not step.kind.label or not any(kind.words for kind in self.steps.kinds)
        if step.kind.label:
            values.insert(0, ast.Constant(step.kind.label))
        held = values[0] if len(values) == 1 and bare else ast.Tuple(values, ast.Load())
        call = ast.Attribute(load(self.record or ""), "append", ast.Load())
        return ast.Expr(ast.Call(call, [held if values else ast.Constant(True)], []))

    def end(self, node: Leaving) -> ast.Return:
        """Return the statement that gives back what there is."""
        values: list[ast.expr] = [load(self.record)] if self.record else []
        words = self.steps.last.words if self.steps.last else []
        values += [load(word) if self.steps.early else value for word, value in words]
        values += [load(word) for word in self.writing.outputs]
        values += [ast.Constant(node.stop)] if self.steps.stops else []
        if not values:
            return ast.Return(None)
        return ast.Return(values[0] if len(values) == 1 else ast.Tuple(values, ast.Load()))


def shortened(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return a body without the name of what it gives back right away."""
    *_, given, end = [None, None, *body]
    if not isinstance(given, ast.Assign) or not isinstance(end, ast.Return) or end.value is None:
        return body
    if len(given.targets) != 1 or not isinstance(given.targets[0], ast.Name):
        return body
    return [*body[:-2], ast.Return(given.value)] if is_name(end.value, given.targets[0].id) else body


def chosen_by(step: str, kinds: Sequence[Step]) -> list[ast.stmt]:
    """Return the statement that does what the word of a step says."""
    chosen: list[ast.stmt] = []
    for kind in reversed(kinds):
        test = ast.Compare(load(step), [ast.Eq()], [ast.Constant(kind.label)])
        chosen = [ast.If(test, kind.code or [ast.Pass()], chosen)]
    return chosen


def targets_of(loop: Loop) -> set[str]:
    """Return the names that the plain loop binds by itself."""
    found = names.stored(loop.target) if loop.target is not None else set()
    if isinstance(loop.node, ast.For):
        found |= names.stored(loop.node.target)
    return {word for word in found if not word.startswith(OURS)}


def unpacked(step: Step, value: str, *, single: bool) -> list[ast.stmt]:
    """Return the statement that binds the names of a step to what came for it."""
    words = [word for word, _ in step.words]
    if single:
        return [assigned(words[0], load(value))] if words[0] != value else []
    if len(words) == 1:
        return [assigned(words[0], ast.Subscript(load(value), ast.Constant(0), ast.Load()))]
    if not words:
        return []
    return [ast.Assign([packed([store(word) for word in words])], load(value), lineno=0)]


def words_in(node: ast.AST) -> set[str]:
    """Return all names in a piece of source, those of arguments and definitions too."""
    found = set()
    for part in ast.walk(node):
        found |= {getattr(part, "id", None), getattr(part, "arg", None), getattr(part, "name", None)}
        found |= set(part.names if isinstance(part, (ast.Global, ast.Nonlocal)) else ())
    return {word for word in found if isinstance(word, str)}


def load(name: str) -> ast.Name:
    """Return a name as it is read."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """Return a name as it is assigned to."""
    return ast.Name(name, ast.Store())


def is_name(node: ast.expr, name: str) -> bool:
    """Tell whether an expression is a certain name."""
    return isinstance(node, ast.Name) and node.id == name


def call(name: str, *arguments: str) -> ast.Call:
    """Return a call of a function by name, with names."""
    return ast.Call(load(name), [load(word) for word in arguments], [])


def assigned(name: str, value: ast.expr) -> ast.Assign:
    """Return the assignment of a name."""
    return ast.Assign([store(name)], value, lineno=0)


def packed(parts: Sequence[ast.expr]) -> ast.expr:
    """Return one part as it is, several as a tuple to assign to."""
    return parts[0] if len(parts) == 1 else ast.Tuple(list(parts), ast.Store())
