"""What the statements of a body say of the loop around them."""

from __future__ import annotations

import ast

import pytest

from concompare.cells.syntax.nodes import ends_at_once
from tests.cells import compiled

ONCE = {
    "a call that is tried again": "try:\n    r = f(x)\n    break\nexcept OSError as error:\n    log(error)",
    "after the try": "try:\n    r = f(x)\nexcept OSError:\n    continue\nbreak",
    "in the else of the try": "try:\n    r = f(x)\nexcept OSError:\n    continue\nelse:\n    break",
    "in a context": "with lock:\n    r = f(x)\n    return r",
    "after a loop of its own": "for y in x:\n    if y:\n        continue\n    r = f(y)\nbreak",
    "after a condition": "if x:\n    r = f(x)\nreturn r",
}
ON = {
    "under a condition": "r = f(x)\nif r:\n    break",
    "after what may go on": "if not x:\n    continue\nbreak",
    "in a try that may go on": "try:\n    if not x:\n        continue\n    break\nexcept OSError:\n    pass",
    "where it failed": "try:\n    r = f(x)\nexcept OSError:\n    break",
    "of another loop": "for y in x:\n    break",
    "of a function": "def g():\n    return x\nr = f(g)",
    "after a case that may go on": "match x:\n    case 1:\n        continue\nbreak",
    "after the else of another loop": "for y in x:\n    pass\nelse:\n    continue\nbreak",
}


def body_of(text: str) -> list[ast.stmt]:
    lines = "\n".join(f"        {line}" for line in text.splitlines())
    function = ast.parse(f"def within():\n    for x in xs:\n{lines}").body[0]
    assert isinstance(function, ast.FunctionDef)
    loop = function.body[0]
    assert isinstance(loop, ast.For)
    return loop.body


@pytest.mark.parametrize("name", ONCE)
def test_a_body_that_ends_its_loop_unless_it_fails(name: str) -> None:
    assert ends_at_once(body_of(ONCE[name]))


@pytest.mark.parametrize("name", ON)
def test_a_body_after_which_its_loop_may_go_on(name: str) -> None:
    assert not ends_at_once(body_of(ON[name]))


def test_tries_are_not_made_ahead() -> None:
    setup = "made = []\ndef f(k):\n    made.append(k)\n    if k < 2:\n        raise OSError(k)\n    return k\n"
    cell = "for k in range(5):\n    try:\n        r = f(k)\n        break\n    except OSError:\n        made.append(0)"
    different, program = compiled.differs(cell, setup, "threads")

    assert different is None
    assert ["ends with its first item" in str(part.refusal) for part in program.refused] == [True]
