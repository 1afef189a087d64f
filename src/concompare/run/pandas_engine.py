"""The engine for pandas: `frame.apply(f, axis=1, engine=concompare.pandas_engine)`, from pandas 3 on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.replay.frames import functions
from concompare.cells.replay.frames.asking import Asking, Outcome
from concompare.cells.replay.frames.handing import Handing, Lost
from concompare.cells.task import task_of
from concompare.engine.item_errors import user_part
from concompare.errors import ConcompareError
from concompare.run import dispatch
from concompare.run.request import request_of


@dataclass(frozen=True)
class Given:
    """A function with the arguments that pandas hands through to each call of it."""

    function: Callable[..., Any]
    rest: tuple[Any, ...]
    named: dict[str, Any]

    def __call__(self, part: Any) -> Any:
        """Call it with a part of the data."""
        return self.function(part, *self.rest, **self.named)


class Along:
    """Calls a function for the rows or columns of an array, as `apply(raw=True)` does."""

    def __init__(self, array: Any, axis: int) -> None:
        self.array, self.axis = array, axis

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what numpy makes of the values."""
        import numpy as np

        def called(*given: Any, **named: Any) -> Any:
            found = function(*given, **named)
            return np.array(found, dtype=object) if isinstance(found, str) else found

        return np.apply_along_axis(called, self.axis, self.array, *args, **kwargs)


class Calls:
    """What pandas hands a call of `map` or `apply` to, with the engine as `decorator`."""

    @staticmethod
    def map(data: Any, func: Any, args: Any, kwargs: Any, decorator: Any, skip_na: bool) -> Any:
        """Return what `map` returns for each element."""
        import pandas as pd

        if not hasattr(data, "map"):
            return pd.DataFrame(data).map(func, "ignore" if skip_na else None, **kwargs).to_numpy()
        return done(decorator, data.map, "map", (func, "ignore" if skip_na else None), kwargs)

    @staticmethod
    def apply(data: Any, func: Any, args: Any, kwargs: Any, decorator: Any, axis: Any) -> Any:
        """Return what `apply` returns for each row or column."""
        if hasattr(data, "apply"):
            return done(decorator, data.apply, "apply", (func,), {"axis": axis, "args": args, **kwargs})
        along = Along(data, 1 if axis in (1, "columns") else 0)
        return done(decorator, along.apply, "apply", (func, *args), kwargs)


def done(engine: Any, method: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Let workers do the calls that a method of pandas is going to do, then run it with what they came to."""
    asking = Asking(method, name, args, kwargs)
    asking.run()
    options = engine.options if isinstance(engine, PandasEngine) else {}
    lost = Lost()

    def handed(function: Any) -> Any:
        calls = asking.calls.get(id(function), [])
        if not calls:
            return function
        given = Given(function, calls[0].rest, calls[0].named)
        values = computed(given, [call.argument for call in calls], options)
        handing = Handing(function, calls, [Outcome(value) for value in values], lost)
        return functions.stand_in(function, handing.answer)

    args, kwargs = functions.replaced(name, args, kwargs, handed)
    return method(*args, **kwargs)


def computed(given: Given, parts: list[Any], options: dict[str, Any]) -> list[Any]:
    """Return the values of the calls; an error is raised as the function raised it."""
    wished = {"backend": "auto", "workers": None, "kept": 0, **options}
    request = request_of([wished.pop("backend")], wished.pop("workers"), **wished)
    name = getattr(given.function, "__name__", type(given.function).__name__)
    try:
        values: list[Any] = dispatch.run(task_of(given, parts, name=name), request).value
    except ConcompareError:
        raise
    except Exception as error:
        raise error.with_traceback(user_part(error.__traceback__))  # noqa: B904 (itself, without our frames)
    return values


@dataclass(frozen=True)
class PandasEngine:
    """An engine for `map` and `apply` of pandas, which does the calls in workers.

    Called, it gives one with other options, those of `concompare.map`:
    `frame.apply(f, axis=1, engine=concompare.pandas_engine(backend="processes", workers=4))`.
    """

    options: dict[str, Any] = field(default_factory=dict)
    __pandas_udf__ = Calls

    def __call__(self, **options: Any) -> PandasEngine:
        """Return an engine with these options."""
        return PandasEngine({**self.options, **options})


pandas_engine = PandasEngine()


def register() -> None:
    """Tell pandas, where it is loaded and has a class for engines, that this is one."""
    executors = sys.modules.get("pandas.api.executors")
    if executors is not None:
        executors.BaseExecutionEngine.register(Calls)


register()
