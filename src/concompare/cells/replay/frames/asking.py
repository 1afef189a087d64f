"""Arguments of the calls that pandas makes, recorded by a run whose results are thrown away."""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.replay.frames import functions, likeness


@dataclass(slots=True)
class Call:
    """One call of a function by pandas: the part of the data, and what is handed through from the user."""

    argument: Any
    rest: tuple[Any, ...]
    named: dict[str, Any]

    def is_as(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Tell whether another call is given the same."""
        return bool(args) and self.goes_with(args[1:], kwargs) and likeness.alike(self.argument, args[0])

    def goes_with(self, rest: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Tell whether another call is given the very same beside the part of the data."""
        if len(rest) != len(self.rest) or named.keys() != self.named.keys():
            return False
        return all(map(is_same, rest, self.rest)) and all(named[name] is self.named[name] for name in named)


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are one object."""
    return one is other


@dataclass
class Outcome:
    """What a call came to, and where an error was raised in the function."""

    value: Any = None
    error: Exception | None = None
    trace: types.TracebackType | None = None

    def give(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error.with_traceback(self.trace)
        return self.value


class Stop(Exception):
    """Raised to end a run of which enough is known."""


@dataclass
class Asking:
    """Runs a method with functions that note what they are asked, and answer something that fits.

    Attributes:
        method: The method of pandas, bound to its owner; `name`: as it was written.
        args: What it is given, and `kwargs`: by keywords.
        first: What is known of the calls before the one that shows how pandas goes on, which are done for real.
    """

    method: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    calls: dict[int, list[Call]] = field(default_factory=dict)
    first: dict[int, list[Outcome]] = field(default_factory=dict)
    filters: Sequence[Any] = ()

    @property
    def owner(self) -> Any:
        """Return what the method belongs to."""
        return self.method.__self__  # type: ignore[attr-defined]

    def run(self, *, real: bool = False) -> None:
        """Note the calls.

        Args:
            real: Call the functions for the first part of the data, because pandas goes on by what they give.
        """
        self.calls.clear()

        def instead(function: Any) -> Any:
            noted = self.calls.setdefault(id(function), [])
            return functions.stand_in(function, functools.partial(self.answer, function, noted, real))

        args, kwargs = functions.replaced(self.name, self.args, self.kwargs, instead)
        self.filters = tuple(warnings.filters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.method(*args, **kwargs)
            except Exception:
                return  # pandas' own run raises it again, or does not: this one only guesses

    def answer(
        self, function: Any, noted: list[Call], real: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Note a call, and answer it."""
        if not args or (noted and not noted[0].goes_with(args[1:], kwargs)):
            raise Stop
        argument = kept(args[0], self.owner)
        noted.append(Call(argument, args[1:], kwargs))
        done = self.first.setdefault(id(function), [])
        if real and len(done) == len(noted) - 1 and likeness.of_same_rows(noted[0].argument, argument):
            done.append(outcome_of(function, args, kwargs, self.filters))
            return done[-1].give()
        return self.fitting(args[0])

    def forget(self) -> None:
        """Take away what frames needed on their way to workers."""
        for call in (call for calls in self.calls.values() for call in calls):
            if kind_of(call.argument) == "DataFrame":
                vars(call.argument).pop("__reduce_ex__", None)

    def fitting(self, argument: Any) -> Any:
        """Return something with which pandas goes on."""
        kind = kind_of(self.owner)
        if self.name == "filter":
            return True
        elementwise = kind in ("Series", "Index") or self.name in ("map", "applymap")
        if self.name == "transform" or (elementwise and not hasattr(argument, "index")):
            return argument
        return 0


def outcome_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], filters: Sequence[Any]) -> Outcome:
    """Return what a call comes to, with warnings as the user wants them."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filters.extend(filters)  # type: ignore[attr-defined]
        try:
            return Outcome(function(*args, **kwargs))
        except Exception as error:
            return Outcome(error=error, trace=error.__traceback__ and error.__traceback__.tb_next)


def kept(argument: Any, owner: Any) -> Any:
    """Return what a function is given as something that stays as it is: pandas uses one object for all rows."""
    if kind_of(owner) == "DataFrame" and kind_of(argument) == "Series" and may_be_row(argument, owner):
        return argument.copy()
    if kind_of(argument) == "DataFrame" and "name" in vars(argument):
        pin(argument, vars(argument)["name"])
    return argument


def may_be_row(series: Any, frame: Any) -> bool:
    """Tell whether a Series may be a row of a frame, not a column."""
    rows, columns = frame.shape
    return bool(rows == columns or len(series) != rows)


def pin(frame: Any, name: Any) -> None:
    """Let a frame go to workers with the name of its group, which pandas puts beside what is pickled."""
    bare = frame.copy(deep=False)
    object.__setattr__(frame, "__reduce_ex__", lambda protocol: (named, (bare, name)))


def named(frame: Any, name: Any) -> Any:
    """Return a frame as the one of a group of that name."""
    object.__setattr__(frame, "name", name)
    return frame


def kind_of(thing: Any) -> str:
    """Return the name of the class of pandas that something is of, or nothing."""
    kind = type(thing)
    return kind.__name__ if kind.__module__.partition(".")[0] == "pandas" else ""
