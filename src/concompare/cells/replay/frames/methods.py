"""A method of pandas that was reached: its calls of the user's function are computed by workers, then it runs."""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from concompare.cells.effects.live import is_plain_method
from concompare.cells.forms import methods as form
from concompare.cells.forms.comprehensions import collected
from concompare.cells.frame import FRAME
from concompare.cells.ir import OURS, Loop
from concompare.cells.replay import binding, collect
from concompare.cells.replay.binding import Lifted
from concompare.cells.replay.collect import Collect
from concompare.cells.replay.compiling import compiled
from concompare.cells.replay.frames import functions, owners, tracebacks
from concompare.cells.replay.frames.asking import Asking, Call, Outcome
from concompare.cells.replay.frames.handing import Handing, Lost
from concompare.cells.replay.frames.owning import changes_beyond_values, holds_values, owning
from concompare.cells.syntax.nodes import located
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.program import Hook

CALLS = OURS + "calls"
CONSTANTS = (bool, int, float, str, bytes, type(None))


class Plan(NamedTuple):
    """Calls of a function as a loop that can run in parallel, with what they are given."""

    loop: Loop
    found: Lifted
    items: list[Any]


def instead(hook: Hook, loop: Loop, method: Any) -> Any:
    """Return what has, under the name of a method, what is called in its place: itself unless it is one of pandas.

    So the call stays one of a method, and Python counts its line from there.
    """
    assert loop.method is not None
    meant = hook.cell.is_meant(loop) and owners.takes_functions(owners.without_progress(method, loop.method.attr))
    return types.SimpleNamespace(**{loop.method.attr: Reached(hook, loop, method) if meant else method})


class Reached:
    """Stands for a method of pandas in one call.

    Args:
        hook: What the cell calls.
        loop: The call as it is written.
        method: The method.

    `inside`: the call is in a function, which the cell calls.
    """

    def __init__(self, hook: Hook, loop: Loop, method: Callable[..., Any]) -> None:
        self.hook, self.loop, self.method = hook, loop, method
        self.written = loop.method.attr if loop.method is not None else ""
        self.asked = owners.without_progress(method, self.written)
        self.name = self.written.removeprefix(form.PROGRESS) if self.asked is not method else self.written
        self.inside = FRAME in hook.namespace

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the method returns."""
        ignored = self.asked is not self.method and len(args) != 1
        if ignored or not owners.is_plain_call(kwargs) or not functions.found(self.name, args, kwargs):
            return self.direct(args, kwargs)
        handings = self.tried(Asking(self.asked, self.name, args, kwargs))
        if isinstance(handings, CellRefused):
            return self.hook.refuse_play(self.loop, handings, functools.partial(self.direct, args, kwargs))

        def handed(function: Any) -> Any:
            handing = handings.get(id(function))
            return functions.stand_in(function, handing.answer) if handing is not None else function

        return self.direct(*functions.replaced(self.name, args, kwargs, handed))

    def direct(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the method, from the cell's own line: pandas says of warnings where it was called."""
        node = self.loop.node
        assert isinstance(node, ast.Call)
        given = {OURS + "args": args, OURS + "kwargs": kwargs, OURS + "method": self.method}
        args_, kwargs_, method = (located(ast.Name(name, ast.Load()), node) for name in given)
        spread = located(ast.Starred(args_, ast.Load()), node)
        call = located(ast.Call(method, [spread], [located(ast.keyword(None, kwargs_), node)]), node)
        if self.loop.line != node.lineno:  # where Python says that a call of a method is
            call.lineno, call.col_offset = self.loop.line, (node.func.end_col_offset or 0) - len(self.written)
        self.hook.namespace.update(given)
        code = compiled(ast.Expression(call), self.hook.cell.wishes.filename, "eval", self.hook.namespace)
        return eval(code, self.hook.namespace)

    def tried(self, asking: Asking) -> dict[int, Handing] | CellRefused:
        """Return the calls that pandas will do, with what they come to, or why they cannot be computed apart from it.

        A reason is returned, not raised, lest it becomes the context of what pandas raises.
        """
        try:
            return self.computed(asking, Lost())
        except CellRefused as refusal:
            return refusal

    def computed(self, asking: Asking, lost: Lost) -> dict[int, Handing]:
        """Return the calls that pandas will do, with what they come to.

        Raises:
            CellRefused: They cannot be computed apart from pandas.
        """
        asking.run()
        asked = functions.found(self.name, asking.args, asking.kwargs)
        plans = {id(function): self.plan(asking, function, 0) for function in asked if asking.calls.get(id(function))}
        again = bool(plans) and owners.decides_by_results(asking.owner, self.name)
        if again:
            asking.run(real=True)
        handings: dict[int, Handing] = {}
        for function in asked:
            calls, done = asking.calls.get(id(function), []), list(asking.first.get(id(function), []))
            if id(function) in plans and len(done) < len(calls):
                plan = self.plan(asking, function, len(done)) if again else plans[id(function)]
                done += self.outcomes(plan)
                failed = done[-1].error is not None
            else:
                failed = False
            handings[id(function)] = Handing(function, calls, done, lost)
            if failed:
                break  # pandas will hardly ask for more, and if it does the function is called
        asking.forget()
        return handings

    def plan(self, asking: Asking, function: Any, first: int) -> Plan:
        """Return the calls of one function, from one on, as a loop that can run in parallel."""
        calls = asking.calls[id(function)][first:]
        if not all(holds_values(call.argument) for call in calls):
            text = "what pandas gives the function holds objects that can be changed. Take their column, and map it."
            raise CellRefused(text, self.loop.line)
        certain = owners.is_certain(asking.owner, self.name, asking.kwargs)
        loop = self.loop_of(function, calls, certain=certain)
        items = self.hook.namespace[CALLS]
        found = self.hook.lift(loop, items, None)
        self.check(found, asking)
        return Plan(loop, found, items)

    def outcomes(self, plan: Plan) -> list[Outcome]:
        """Let workers do calls; returns what they came to, up to the first that failed."""
        plan.found.statement = self.hook.cell.place_of(self.loop)
        task, side = plan.found.bind(self.hook.namespace, plan.items)
        assert isinstance(side, Collect)
        self.hook.run(plan.loop, plan.found, task, side)
        done = [Outcome(value) for value in side.result]
        if isinstance(side.error, Exception):
            caller = [self.hook.namespace[FRAME].name] if self.inside else []
            trace = tracebacks.of_function(side.error, self.hook.cell.wishes.filename, *caller)
            done.append(Outcome(error=side.error, trace=trace))
        return done

    def check(self, found: Lifted, asking: Asking) -> None:
        """Refuse calls that do more than to give a value, or of which pandas may do others."""
        staged, made = found.staged, found.made
        reused = type(asking.owner).__name__ == "DataFrame"
        certain = owners.is_certain(asking.owner, self.name, asking.kwargs)
        elements = certain and not any(map(is_made_by_pandas, self.hook.namespace[CALLS]))
        if (staged.items_change and not elements) or (reused and changes_beyond_values(staged.analysed)):
            raise CellRefused("the function changes what pandas gives it. Change a copy of it.", found.line)
        if staged.reasons:
            raise binding.refusal(staged.reasons)
        alone = found.ahead is None and len(made.actions) == 1 and made.direct and collect.is_plain_append(made)
        if not (certain or alone):
            raise CellRefused("the function changes something besides giving a value.", found.line)
        ordered = any(effects.order for effects in staged.analysed.effects.values())
        if ordered and not certain:
            text = "the function prints or writes, and how often pandas calls it shows only when it does"
            raise CellRefused(f"{text}. Let it return what there is to tell.", found.line)

    def loop_of(self, function: Any, calls: list[Call], *, certain: bool) -> Loop:
        """Return calls of a function as a loop; its items and whatever has no name get names of ours.

        Where pandas makes these calls for `certain`, parts of them may stay in the notebook.
        """
        node = self.loop.node
        namespace = self.hook.namespace
        namespace[CALLS] = [call.argument for call in calls]
        rest = [self.name_of(value, f"given{place}") for place, value in enumerate(calls[0].rest)]
        named = {word: self.name_of(value, f"given_{word}") for word, value in calls[0].named.items()}
        target = located(ast.Name(form.ITEM, ast.Store()), node)
        item: ast.expr = located(ast.Name(form.ITEM, ast.Load()), node)
        if (own := owning(self.method.__self__, self.name, calls)) is not None:  # type: ignore[attr-defined]
            item = form.called(self.name_of(own, own.__name__), item)
        value = form.called(self.expression(function), item, *rest, **named)
        assert isinstance(node, ast.expr)
        loop = collected(self.name, node, target, located(ast.Name(CALLS, ast.Load()), node), value, [], [])
        loop.line, loop.lazy, loop.whole = self.loop.line, True, not certain
        return loop

    def expression(self, function: Any) -> ast.expr:
        """Return an expression that stands for a function: as it is written, or a name of ours."""
        node = self.loop.node
        assert isinstance(node, ast.Call)
        for part in [found for place in form.places(node) for found in form.functions_in(place)]:
            if isinstance(part, ast.Lambda) and is_of(part, function):
                return part
            if isinstance(part, ast.Name) and self.hook.namespace.get(part.id) is function:
                return part
        if isinstance(function, types.MethodType) and is_plain_method(function):
            owner = self.name_of(function.__self__, binding.OWNER.removeprefix(OURS))
            return located(ast.Attribute(owner, function.__name__, ast.Load()), node)
        label = getattr(function, "__name__", "")
        return self.name_of(function, label if label.isidentifier() else "function")

    def name_of(self, value: Any, label: str) -> ast.expr:
        """Return an expression for a value."""
        if type(value) in CONSTANTS:
            return located(ast.Constant(value), self.loop.node)
        name = OURS + label
        while name in self.hook.namespace and self.hook.namespace[name] is not value:
            name += "_"
        self.hook.namespace[name] = value
        return located(ast.Name(name, ast.Load()), self.loop.node)


def is_of(node: ast.Lambda, function: Any) -> bool:
    """Tell whether a function was made by a lambda expression."""
    if not isinstance(function, types.FunctionType) or function.__closure__ is not None:
        return False
    body = node.body
    place = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    return place in function.__code__.co_positions()


def is_made_by_pandas(argument: Any) -> bool:
    """Tell whether pandas makes an argument for the call, as a row or a group: it is no element of a column itself."""
    return type(argument).__module__.partition(".")[0] in ("pandas", "numpy")
