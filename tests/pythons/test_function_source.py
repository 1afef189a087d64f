"""Functions as source and plain data: what comes out does what went in, or it is refused."""

from __future__ import annotations

import math
import types
from fractions import Fraction
from typing import Any

import pytest

from concompare.cells.replay import compiling
from concompare.errors import CannotShip
from concompare.pythons import guest
from concompare.pythons.function_source import recipe_of

FACTOR = 3
SHARED: list[int] = []


def floored(x: float) -> int:
    return math.floor(x) * FACTOR


def uses_another(x: float, more: int = 10, *, still: int = 100) -> int:
    return floored(x) + more + still


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


def note(x: int) -> int:
    SHARED.append(x)
    return len(SHARED)


def note_twice(x: int) -> int:
    return note(x) + note(x) + len(SHARED)


def with_closure(start: int) -> Any:
    def down(n: int) -> int:
        return start if n == 0 else down(n - 1) + 1

    return down


def decorated(function: Any) -> Any:
    return function


@decorated
def under_a_decorator(x: int) -> int:
    """Have a docstring."""
    pass
    return x + 1


async def awaited(x: int) -> int:
    return -x


negated = lambda x: -x  # noqa: E731
pair = (lambda x: x, lambda x: -x)


def crossed(function: Any) -> Any:
    """Return a function as another Python would have it."""
    return guest.plain(guest.load(recipe_of(as_of_a_notebook(function))))


def as_of_a_notebook(function: Any) -> Any:
    """Return a function of this module as if a cell had defined it, and those that it uses."""
    return Notebook().take(function)


class Notebook:
    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.taken: dict[str, Any] = {}

    def take(self, function: types.FunctionType) -> types.FunctionType:
        if function.__name__ in self.taken and function.__closure__ is None:
            return self.taken[function.__name__]  # type: ignore[no-any-return]
        made = types.FunctionType(function.__code__, self.names, function.__name__, None, function.__closure__)
        made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        made.__module__ = "__main__"
        self.taken[function.__name__] = made
        for name in function.__code__.co_names:
            value = globals().get(name)
            if value is not None:
                self.names[name] = self.take(value) if isinstance(value, types.FunctionType) else value
        return made


@pytest.mark.parametrize(
    ("function", "item"),
    [
        (floored, 2.5),
        (uses_another, 7.9),
        (factorial, 6),
        (with_closure(4), 3),
        (under_a_decorator, 4),
        (negated, 5),
    ],
)
def test_a_function_does_there_what_it_does_here(function: Any, item: Any) -> None:
    assert crossed(function)(item) == function(item)


def test_a_coroutine_function_is_awaited() -> None:
    assert crossed(awaited)(3) == -3


def test_functions_that_share_data_here_share_it_there() -> None:
    SHARED.clear()
    assert crossed(note_twice)(7) == 1 + 2 + 2
    assert SHARED == []


def test_a_function_of_an_installed_module_goes_by_its_name() -> None:
    recipe = recipe_of(math.sqrt)
    assert recipe["main"] == ("import", "math", "sqrt")
    assert guest.load(recipe)(9) == 3.0


def test_values_of_installed_classes_cross() -> None:
    half = Fraction(1, 2)
    made = as_of_a_notebook(floored)
    made.__globals__["FACTOR"] = half
    assert guest.load(recipe_of(made))(5) == Fraction(5, 2)


def test_a_function_without_source_is_refused() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(x): return x", namespace)
    with pytest.raises(CannotShip, match="f: its source is not to be found, and another Python needs it: define it"):
        recipe_of(namespace["f"])


def test_one_of_two_lambdas_in_a_line_is_not_guessed() -> None:
    with pytest.raises(CannotShip, match="its source is not to be found"):
        recipe_of(as_of_a_notebook(pair[1]))


def test_source_that_has_changed_since_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    import linecache

    lines = linecache.getlines(__file__)
    changed = [line.replace("math.floor(x) * FACTOR", "math.floor(x) + FACTOR") for line in lines]
    assert changed != lines
    monkeypatch.setattr(linecache, "getlines", lambda *_: changed)
    with pytest.raises(CannotShip, match="floored: its source is not to be found"):
        recipe_of(as_of_a_notebook(floored))


def test_a_class_of_the_notebook_is_named() -> None:
    kind = type("Point", (), {"__module__": "__main__"})
    made = as_of_a_notebook(floored)
    made.__globals__["FACTOR"] = kind
    with pytest.raises(CannotShip, match="floored → FACTOR: the class Point is defined in the notebook: put it into a"):
        recipe_of(made)


def test_what_has_no_pickle_is_named() -> None:
    made = as_of_a_notebook(floored)
    made.__globals__["FACTOR"] = (x for x in "ab")
    with pytest.raises(CannotShip, match="floored → FACTOR cannot be sent to another Python: TypeError"):
        recipe_of(made)


def test_the_head_of_a_cell_has_its_definition_at_hand() -> None:
    import ast

    definition = ast.parse("def head(x):\n    return x * 2").body[0]
    assert isinstance(definition, ast.FunctionDef)
    namespace: dict[str, Any] = {}
    exec("def head(x):\n    return x * 2", namespace)
    compiling.HEADS[namespace["head"]] = definition
    assert guest.load(recipe_of(namespace["head"]))(4) == 8
