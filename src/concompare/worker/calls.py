"""Calls with any arguments, as functions of one item, and the initializer that runs in a worker before its first one.

Nothing but the standard library may be imported, as in the rest of this package.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from concompare.worker.bootstrap import INHERITED

READY = threading.local()
"""`.names`: which globals the initializer of each executor has assigned in this thread, by the executor's token."""

ITEM, ITEMS, ARGUMENTS = "item", "items", "arguments"
"""What an item is: the one argument, all positional arguments, or an `Arguments`."""


class InitializerFailed(BaseException):
    """Raised in the place of a call whose worker's initializer has failed; the cause is the initializer's exception."""


class Arguments:
    """Arguments of one call, shown as they are written."""

    __slots__ = ("args", "kwargs", "name")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], name: str = "") -> None:
        self.args, self.kwargs, self.name = args, kwargs, name

    def __reduce__(self) -> tuple[Any, ...]:
        return Arguments, (self.args, self.kwargs)

    def __repr__(self) -> str:
        words = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.kwargs.items())]
        return f"{self.name}({', '.join(words)})"


class Inherited:
    """Stand-in for an argument that a worker process was given when it started."""

    def __init__(self, key: str) -> None:
        self.key = key


class Setup:
    """An initializer with its arguments, to be run once in each worker of one executor."""

    def __init__(self, token: str, initializer: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.token, self.initializer, self.arguments = token, initializer, arguments
        self.told = False

    def prepare(self, function: Any) -> None:
        """Run the initializer unless this worker has, and let the function see the globals that it assigned.

        Functions that go by value in several pickles have globals of their own each, where in the notebook they share
        one module's.

        Raises:
            InitializerFailed: It raises.
        """
        ready = vars(READY).setdefault("names", {})
        if self.token not in ready:
            ready[self.token] = self.run()
        if self.told:
            return
        self.told = True
        assigned, where = ready[self.token]
        inner = getattr(function, "__func__", getattr(function, "func", function))
        theirs = getattr(inner, "__globals__", where)
        if theirs is not where and theirs.get("__name__") == where.get("__name__"):
            theirs.update(assigned)

    def run(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run the initializer; return the globals that it assigned, and all that it has."""
        inner = getattr(self.initializer, "__func__", getattr(self.initializer, "func", self.initializer))
        own = getattr(inner, "__globals__", {})
        before, missing = dict(own), object()
        try:
            self.initializer(*(INHERITED[one.key] if isinstance(one, Inherited) else one for one in self.arguments))
        except BaseException as error:
            raise InitializerFailed(f"{type(error).__name__}: {error}") from error
        return {name: value for name, value in own.items() if before.get(name, missing) is not value}, own


class CallOf:
    """A function as one of an item."""

    def __init__(self, func: Callable[..., Any], item_is: str, setup: Setup | None = None) -> None:
        self.func, self.item_is, self.setup = func, item_is, setup
        self.__name__ = getattr(func, "__name__", type(func).__name__)

    def __call__(self, item: Any) -> Any:
        """Call the function with what the item is."""
        if self.setup is not None:
            self.setup.prepare(self.func)
        if self.item_is == ARGUMENTS:
            return self.func(*item.args, **item.kwargs)
        return self.func(*item) if self.item_is == ITEMS else self.func(item)


def call(function: Callable[[], Any]) -> Any:
    """Call what is an item itself."""
    return function()
