"""Functions whose loops run in parallel when they are called: what `concompare.parallel` makes."""

from __future__ import annotations

import functools
import inspect
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from concompare import engine
from concompare.cells.decorated import mark
from concompare.errors import BadOption
from concompare.run import dispatch, preflight
from concompare.run.auto_history import AUTO
from concompare.run.request import Request

if TYPE_CHECKING:
    from concompare.cells.ir import Loop
    from concompare.cells.replay.binding import Lifted
    from concompare.cells.task import Task
    from concompare.errors import CellRefused


@dataclass
class Runner:
    """Runs the loops of a function on the workers that were asked for."""

    request: Request

    def run(self, task: Task, lifted: Lifted) -> float:
        """Run a loop in parallel, and return what its items took; raises CellRefused before anything of it ran."""
        kinds = {backend.isolation for backend in self.request.backends if backend is not AUTO}
        started = bool(kinds - {"none", "thread"})
        seeded = self.request.seed is not None
        preflight.check(task, lifted, repeated=False, seeded=seeded, started=started)
        outside = bool(lifted.outside)
        request = replace(self.request, outside=outside, witnessed=not outside, draws=lifted.draws)
        return dispatch.run(task, replace(request, caches=lifted.caches)).work

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop as it is."""
        return play()


LAZY = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
PATIENCE = 0.25
"""Seconds in which a function may be looked at in vain."""
SHARE = 0.02
"""What part of the time since its first call may go into more of it."""


@dataclass
class Patience:
    """Ends the search for work in a function that has none: one that is called often has to stay as fast as it is.

    Attributes:
        clock: Tells the time, in seconds.
        spent: Seconds that went into that, in calls in which no loop was worth it.
    """

    clock: Callable[[], float] = time.perf_counter
    spent: float = 0.0
    first: float | None = None

    def is_over(self) -> bool:
        """Tell whether the function is not looked at this time."""
        if self.first is None:
            self.first = self.clock()
        return self.spent > PATIENCE and self.spent > PATIENCE + SHARE * (self.clock() - self.first)


DEEPEST = 5
"""Calls of a function inside one another in which it is looked at."""


@dataclass
class Nesting:
    """Counts the calls of a function that are inside one another.

    A recursion goes on as it was written from some depth on: where it has no room left it fails as it does plainly,
    and not in what is asked here.

    Attributes:
        levels: Calls that have begun and not ended; `deep`: there are many, which takes no call to be seen.
    """

    levels: int = 0
    deep: bool = False

    def __enter__(self) -> None:
        self.levels += 1
        self.deep = self.levels >= DEEPEST

    def __exit__(self, *args: object) -> None:
        self.levels -= 1
        self.deep = False


def with_loops_in_parallel(function: Callable[..., Any], asked: Callable[[], Request]) -> Callable[..., Any]:
    """Return a function whose loops run in parallel, as `asked` says when it is called."""
    patience, nesting = Patience(), Nesting()
    if not isinstance(function, types.FunctionType):
        raise BadOption(f"{function!r} is no function written in Python: put @concompare.parallel next to the `def`")

    if function.__code__.co_flags & LAZY:
        return function  # its call runs nothing yet, and others ask what kind of function it is

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if nesting.deep or not engine.can_begin():
            return function(*args, **kwargs)
        with nesting:
            if patience.is_over():
                return function(*args, **kwargs)
            from concompare.cells.inside.following import Following, Script, without_hooks
            from concompare.cells.program import Wishes

            request = asked()
            wishes = Wishes(function.__code__.co_filename, seeded=request.seed is not None)
            following = Following(Script(wishes), function.__globals__, Runner(request))
            try:
                return following.enter(function)(*args, **kwargs)
            except Exception as error:
                error.__traceback__ = without_hooks(error.__traceback__)
                raise
            finally:
                patience.spent += following.in_vain()

    mark(called, function)
    return called
