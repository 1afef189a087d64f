"""What we rely on of IPython that it does not document."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell of IPython's own."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    shell.history_manager.end_session() if shell.history_manager is not None else None
    InteractiveShell.clear_instance()


def ran(shell: InteractiveShell, cell: str) -> str:
    """Run a cell and return what it shows."""
    with capture_output() as shown:
        shell.run_cell(cell)
    return str(shown.stdout)


FAIL = """
class Fails(Exception):
    def _render_traceback_(self): return ["one", "two"]
raise Fails("three")
"""


def test_an_error_may_bring_its_own_traceback(shell: InteractiveShell) -> None:
    """`errors.ConcompareError`, `tracebacks.user_traceback`: our frames would be shown with every error."""
    assert ran(shell, FAIL).strip() == "one\ntwo"


def test_a_usage_error_is_shown_in_one_line(shell: InteractiveShell) -> None:
    """`magics`: an option that is wrong would be shown with a traceback through IPython."""
    with capture_output() as shown:
        shell.run_cell("from IPython.core.error import UsageError\nraise UsageError('no such option')")
    assert f"{shown.stdout}{shown.stderr}".strip() == "UsageError: no such option"


def test_tracebacks_are_formatted_line_by_line_from_a_given_entry_on(shell: InteractiveShell) -> None:
    """`tracebacks.user_traceback`: an error in an item would be shown without the user's lines."""
    ran(shell, "def divide(n):\n    return 1 // n")
    with pytest.raises(ZeroDivisionError) as caught:
        shell.user_ns["divide"](0)
    tail = caught.tb.tb_next
    lines: Any = shell.InteractiveTB.structured_traceback(caught.type, caught.value, tail, 0)
    text = "\n".join(lines)
    assert "return" in text
    assert "test_ipython" not in text
    assert all(isinstance(line, str) for line in lines)


def test_syntax_errors_are_formatted_line_by_line(shell: InteractiveShell) -> None:
    """`tracebacks.plain_syntax_error`: a syntax error under a magic would be shown with our frames."""
    with pytest.raises(SyntaxError) as caught:
        compile("a = = 1", "<cell>", "exec")
    shown: Any = shell.SyntaxTB  # annotated for a traceback, of which it has none
    lines = shown.structured_traceback(caught.type, caught.value, [])
    assert "a = = 1" in "\n".join(lines)


def test_a_cell_is_registered_under_a_file_name_of_its_own(shell: InteractiveShell) -> None:
    """`magics.source_of`: tracebacks could not show the lines under a magic."""
    import linecache

    filename = shell.compile.cache("a = 1\nb = 2\n", 7)
    assert isinstance(filename, str)
    assert linecache.getlines(filename) == ["a = 1\n", "b = 2\n"]


LOOK = """
import sys
frame = sys._getframe()
code, scope = frame.f_code, frame.f_globals
"""


def test_a_cells_code_is_called_a_module_or_a_line_of_a_cell(shell: InteractiveShell) -> None:
    """`source.calling_cell`: the lines of a line magic would be counted from the first, whatever it stands on."""
    shell.run_cell(LOOK)
    code: CodeType = shell.user_ns["code"]
    assert code.co_name.startswith(("<module", "<cell line"))
    assert shell.user_ns["scope"] is shell.user_ns
    numbers: dict[str, int] = getattr(shell.compile, "_filename_map", {})
    assert numbers.get(code.co_filename, 1) == 1


def test_display_lies_where_workers_look_for_it() -> None:
    """`chunk.record_displays`: what an item displays would be lost where `display` was imported."""
    from concompare.worker import chunk

    asked = (
        "import sys, IPython.display as d; print(d.display.__module__, *[n for n in sys.argv[1:] if n in sys.modules])"
    )
    # In a process of its own: a test that computes a chunk here has replaced it.
    told = subprocess.run([sys.executable, "-c", asked, *chunk.DISPLAYING], capture_output=True, text=True, check=True)
    where, *loaded = told.stdout.split()
    assert where in chunk.DISPLAYING[:2]
    assert {where, "IPython.display"} <= {*loaded}


def test_every_display_ends_in_one_function_that_can_be_replaced(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`engine.output.routed`: what items display in threads would come in any order, and not with its item."""
    from IPython.display import display

    from concompare.engine import output

    seen: list[Any] = []
    module = output.displaying_module()
    monkeypatch.setattr(module, "publish_display_data", lambda *rest, **options: seen.append((rest, options)))
    display({"an": "object"})
    assert len(seen) == 1


def test_magics_can_be_taken_away(shell: InteractiveShell) -> None:
    """`unload_ipython_extension`: `%unload_ext concompare` would leave the magics."""
    shell.run_line_magic("load_ext", "concompare")
    assert "parallel" in shell.magics_manager.magics["cell"]
    shell.run_line_magic("unload_ext", "concompare")
    assert "parallel" not in shell.magics_manager.magics["cell"]


def test_a_cell_with_magics_is_rewritten_line_by_line(shell: InteractiveShell) -> None:
    """`magics.source_of`: the lines of an error would be others than those that the user has written."""
    assert shell.transform_cell("\n\na = 1\n\nb = 2\n").strip() == "a = 1\n\nb = 2"
