"""Names that are known without running the code that gives them."""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import types
from typing import Any

import pytest

from concompare.cells.known_names import defined_apart, learn


def known(source: str, **before: Any) -> dict[str, Any]:
    """Return the names that are known after some code."""
    names: dict[str, Any] = dict(before)
    for statement in ast.parse(source).body:
        learn(statement, names, "<cell>")
    return names


def test_values_that_are_written_are_known_and_others_are_not() -> None:
    found = known("a = [1, {2: 'x'}]\nb = print(1)\nc = 3\nc = f(c)", b=5)
    assert found == {"a": [1, {2: "x"}]}


def test_functions_are_known_with_annotations_that_nobody_looks_up() -> None:
    found = known("def f(n: Missing = None) -> also.missing:\n    return n")
    assert found["f"](3) == 3


@pytest.mark.parametrize("source", ["def f(n=g()):\n    pass", "@g\ndef f():\n    pass", "@a.b(1)\ndef f():\n    pass"])
def test_a_definition_that_calls_something_is_not_made(source: str) -> None:
    assert "f" not in known(source, g=lambda *_: pytest.fail("it was called"))


def test_decorators_of_python_that_only_wrap_are_followed() -> None:
    source = "@functools.lru_cache(maxsize=3)\ndef f(n):\n    return n\n@dataclass(frozen=True)\nclass P:\n    x: int"
    found = known(source, functools=functools, dataclass=dataclasses.dataclass)
    assert found["f"].cache_info().maxsize == 3
    assert found["P"](4).x == 4


def test_a_class_with_methods_that_call_is_known_and_one_that_calls_is_not() -> None:
    assert "C" in known("class C:\n    '''Doc.'''\n    size = 3\n    def m(self):\n        return print(self.size)")
    assert "C" not in known("class C:\n    size = print(3)")
    assert "C" not in known("class C(make()):\n    pass")
    assert "C" not in known("class C(Missing):\n    pass")
    assert "C" not in known("class C(Base, metaclass=M):\n    pass", Base=object, M=type)


def test_imports_give_what_is_loaded() -> None:
    assert known("import json as j, no_such_module\nfrom json import dumps, no_such") == {
        "j": json,
        "dumps": json.dumps,
    }


def test_functions_apart_stand_where_the_source_has_them() -> None:
    source = "@g\ndef f(n=g()):\n    return n\nclass C(Missing):\n    def m(self):\n        return super()\n"
    source += "if x:\n    def h(): pass"
    found = {one.__qualname__: one for one in defined_apart(ast.parse(source), {}, "<cell>")}
    assert list(found) == ["f", "C.m", "h"]
    assert all(isinstance(one, types.FunctionType) for one in found.values())
    assert [one.__code__.co_firstlineno for one in found.values()] == [1, 5, 8]
    assert found["f"]() is None
