"""Whole files: what would become of their loops, and scripts as cells."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.whole_files import Told, WholeFile, explained, fresh_names, without_futures
from concompare.cells.wishes import Wishes

NUMBER = iter(range(1000))


def told(source: str, folder: Path, **names: Any) -> list[Told]:
    """Return what is told of a file."""
    path = folder / f"file{next(NUMBER)}.py"
    path.write_text(source)
    return explained(source, str(path), {**fresh_names(str(path)), **names})


def test_what_stands_under_the_main_guard_is_the_file_s_own(tmp_path: Path) -> None:
    source = "from json import dumps\nif '__main__' == __name__:\n    xs = [1, 2]\n    r = [dumps(x) for x in xs]"
    (one,) = told(source, tmp_path)
    assert (one.line, one.noun, one.function, one.refusal) == (4, "the comprehension", "", None)
    assert "items: xs (2 items)" in one.text


def test_what_hangs_on_an_unknown_object_is_not_certain(tmp_path: Path) -> None:
    source = "things = load()\nfor thing in things:\n    thing.change()\n    things.note(thing)\n"
    (one,) = told(source, tmp_path)
    assert one.refusal is not None
    assert not one.known


def test_what_needs_the_item_before_is_certain_whatever_the_objects_are(tmp_path: Path) -> None:
    source = "from json import dumps\nlast = load()\nfor n in load():\n    last = dumps(last)\n"
    (one,) = told(source, tmp_path)
    assert one.refusal is not None
    assert one.refusal.lasting
    assert one.known


def test_each_loop_is_told_of_once_however_often_its_function_is_called(tmp_path: Path) -> None:
    source = "from json import dumps\ndef f(xs):\n    return [dumps(x) for x in xs]\n"
    source += "def g(xs):\n    return f(xs)\nf(1)\ng(2)\n"
    assert [(one.line, one.function) for one in told(source, tmp_path)] == [(3, "f")]


def test_a_file_that_awaits_at_the_top_has_one_reason(tmp_path: Path) -> None:
    for awaiting in ("await asyncio.sleep(1)", "for x in (1, 2):\n    await asyncio.sleep(x)"):
        (one,) = told(f"import asyncio\n{awaiting}\n", tmp_path)
        assert one.refusal is not None
        assert one.refusal.line == 2 + awaiting.count("\n")


@pytest.mark.parametrize("source", ["def f[T](x: T) -> T:\n    return x\nr = [f(x) for x in (1, 2)]"])
def test_new_syntax_is_no_obstacle(source: str, tmp_path: Path) -> None:
    try:
        ast.parse(source)
    except SyntaxError:
        pytest.skip("this Python does not know it")
    assert [one.line for one in told(source, tmp_path)] == [3]


def test_futures_leave_their_lines_empty() -> None:
    source = "'''Doc.'''\nfrom __future__ import (\n    annotations,\n)\nx = 1\n"
    assert without_futures(source, ast.parse(source)) == "'''Doc.'''\n\n\n\nx = 1\n"


def test_only_loops_of_a_script_are_work() -> None:
    cell = WholeFile("def f():\n    return 1\na = f()\nb = f()\nf()\n", Wishes("<script>"))
    assert cell.loops == []
    assert cell.fixed() is None  # type: ignore[func-returns-value]
