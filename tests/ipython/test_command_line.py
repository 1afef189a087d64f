"""Options: read exactly, refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from concompare.errors import BadOption
from concompare.ipython.arguments import read_options
from concompare.ipython.command_line import ends_with_semicolon
from concompare.ipython.magics import ConcompareMagics
from tests.ipython.conftest import Shell

PARSER: Any = ConcompareMagics.parallel.parser


@pytest.mark.parametrize(
    ("line", "expected", "code"),
    [
        ("", {"backend": None, "workers": None, "on_error": "stop"}, ""),
        ("-b processes -w 4 [f(x) for x in xs]", {"backend": "processes", "workers": "4"}, "[f(x) for x in xs]"),
        ("--backend=serial,threads f(x)", {"backend": "serial,threads"}, "f(x)"),
        ("--over papers[:10]", {"over": "papers[:10]"}, ""),
        ("--over [n * 2 for n in xs] -w 2", {"over": "[n * 2 for n in xs]", "workers": "2"}, ""),
        ("--over 'zip(a, b)'", {"over": "zip(a, b)"}, ""),
        ("""--over "a b"+'c d'""", {"over": """"a b"+'c d'"""}, ""),
        ("--save 'my report.json' --quiet", {"save": "my report.json", "quiet": True}, ""),
        ("--no-plot --on-error keep x = f(-1)", {"no_plot": True, "on_error": "keep"}, "x = f(-1)"),
        ("-w 2 -- -x", {"workers": "2"}, "-x"),
        ("--chunk 10 --line 3 --function f", {"chunk": 10, "line": 3, "function": "f"}, ""),
        ("total = -1 --w", {"workers": None}, "total = -1 --w"),
    ],
)
def test_options_end_where_the_code_begins(line: str, expected: dict[str, object], code: str) -> None:
    args, rest = read_options(PARSER, line, None)
    assert {name: getattr(args, name) for name in expected} == expected
    assert rest == code


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--speed 9", "there is no option '--speed'"),
        ("--work 2", "there is no option '--work'"),
        ("-w", "-w needs a value: N"),
        ("--chunk many", "--chunk is 'many': use a whole number"),
        ("--on-error ignore", "--on-error: invalid choice: 'ignore'"),
        ("--over [f(x) for x in xs", "a quote or bracket is not closed"),
        ("--save 'report.json", "a quote or bracket is not closed"),
        ("-w 2 processes", "'processes' is not an option"),
        ("--quiet=yes", "ignored explicit argument"),
        ("--info", "--info belongs to the line form: %parallel --info"),
        ("--forget", "--forget belongs to the line form: %parallel --forget"),
    ],
)
def test_a_bad_option_is_named(line: str, message: str) -> None:
    with pytest.raises(BadOption) as caught:
        read_options(PARSER, line, "[1]")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "silent"),
    [
        ("f(x);", True),
        ("f(x);  # said", True),
        ("a = 1; b = 2", False),
        ("';'", False),
        ("f(x)  # ;", False),
        ("f(\n1\n);\n\n", True),
        ("", False),
        ("f(", False),
    ],
)
def test_a_final_semicolon(code: str, silent: bool) -> None:
    assert ends_with_semicolon(code) is silent


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%%parallel -b nothing\nreached = [1]", "there is no backend 'nothing'"),
        ("%%parallel -b cat\nreached = [1]", "and the notebook's cat is a str, not an Executor"),
        ("%%concompare --budget 0\nreached = [1]", "budget is 0: use a number of seconds above 0"),
        ("%%parallel --chunk 0\nreached = [1]", "chunk is 0: use 1 or more items per message"),
        ("%%parallel --save report.pdf\nreached = [1]", "must end with one of .json, .html, .csv, .png, .svg, .txt"),
        ("%%parallel --save /no/such/folder/r.json\nreached = [1]", "there is no folder /no/such/folder"),
        ("%parallel -w 2", "there is nothing to run"),
        ("%%concompare\n   \n", "there is nothing to run"),
        ("%%parallel --budget 3\nreached = [1]", "there is no option '--budget'"),
    ],
)
def test_a_bad_option_is_one_line_and_the_cell_fails_before_anything_ran(cell: str, message: str, shell: Shell) -> None:
    shell.names["cat"] = "a cat"
    ran = shell.fails(cell)
    assert message in str(ran.error)
    assert "reached" not in shell.names
    assert [line for line in ran.stdout.splitlines() if line] == [f"{type(ran.error).__name__}: {ran.error}"]


def test_the_help_lists_every_option() -> None:
    for magic in (ConcompareMagics.parallel, ConcompareMagics.concompare):
        for option in ("--backend", "--workers", "--over", "--function", "--line", "--on-error", "--chunk", "--quiet"):
            assert option in (magic.__doc__ or "")
    assert "--budget" in (ConcompareMagics.concompare.__doc__ or "")
    assert "--budget" not in (ConcompareMagics.parallel.__doc__ or "")


def test_names_are_not_expanded_in_a_magic_s_line(shell: Shell) -> None:
    shell.names["x"] = "wrong"
    assert shell.run("%parallel -b serial [f'{x}' for x in 'ab']").value == ["a", "b"]


def test_saving_goes_to_the_named_file(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "my report.json"
    shell.run(f"%%parallel -b threads -w 2 --save '{path}'\nresults = [abs(n) for n in range(4)]")
    assert path.read_text().startswith("{")
