"""Pickles of functions in which objects that cannot be sent stand as calls that make them again in the worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from concompare.cells.recipes.recipe import Recipe, kind_of, recipe_of
from concompare.cells.recipes.states import NotAgain
from concompare.worker.transfer.made_again import made_again
from concompare.worker.transfer.pickling import functions_behind


class Remade:
    """The objects of one function that are made again, as its pickler meets them.

    Args:
        function: What is pickled: the names of its module are looked at first.

    Attributes:
        recipes: How they are made, by their identity.
        refused: Why the last one is not.
        usual: Types that are pickled as usual: a function may carry very many objects.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.recipes: dict[int, Recipe] = {}
        self.kept: list[Any] = []
        self.usual: set[type] = set()
        self.refused: NotAgain | None = None

    def namespaces(self) -> Iterator[Mapping[str, Any]]:
        """Yield where the objects may have names."""
        for one in functions_behind(self.function):
            yield one.__globals__
        yield vars(sys.modules["__main__"])

    def reduced(self, thing: Any) -> Any:
        """Return what makes an object again; NotImplemented where it is pickled as usual."""
        if kind_of(type(thing)) is None:
            self.usual.add(type(thing))
            return NotImplemented
        recipe = self.recipes.get(id(thing))
        if recipe is None:
            try:
                recipe = recipe_of(thing, list(self.namespaces()))
            except NotAgain as reason:
                self.refused = reason
                return NotImplemented
            assert recipe is not None
            self.recipes[id(thing)] = recipe
            self.kept.append(thing)
        key = f"{recipe.name} {recipe.line}"
        return made_again, (key, recipe.name, recipe.make, recipe.arguments, dict(recipe.named), dict(recipe.settings))

    def dress(self, kind: type[Any]) -> Callable[..., Any]:
        """Return what makes a pickler that asks for these objects."""
        of_kind: Any = asking(kind)  # type: ignore[arg-type]

        def made(*arguments: Any, **named: Any) -> Any:
            pickler = of_kind(*arguments, **named)
            pickler.remade = self
            return pickler

        return made


@cache
def asking(kind: Any) -> Any:
    """Return a pickler that asks for objects which are made again, from its class."""

    class Asking(kind):  # type: ignore[misc]
        remade: Remade

        def reducer_override(self, thing: Any) -> Any:
            remade = self.remade
            if type(thing) not in remade.usual and (found := remade.reduced(thing)) is not NotImplemented:
                return found
            further = getattr(super(), "reducer_override", None)
            return NotImplemented if further is None else further(thing)

    return Asking
