"""Arguments: what is wrong with them is one line, and status 2."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from concompare.command import measuring
from concompare.command.entry import main, parser

BAD = [
    ((), "concompare: the following arguments are required: COMMAND: see concompare --help"),
    (("explain",), "concompare explain: the following arguments are required: FILE: see concompare explain --help"),
    (("explain", "gone.py"), "concompare explain: gone.py: there is no such file"),
    (("explain", "."), "concompare explain: .: that is a folder"),
    (("compare", "gone.py:3"), "concompare compare: gone.py: there is no such file"),
    (("compare", "book.ipynb"), "concompare compare: book.ipynb is a notebook: put %%concompare above its cell, or"),
    (("compare", "--budget", "x", "loop.py"), "concompare compare: argument --budget: invalid float value: 'x'"),
    (("compare", "--budget", "0", "loop.py"), "concompare compare: budget is 0: use a number of seconds above 0"),
    (("compare", "loop.py", "--budgt", "5"), "concompare: unrecognized arguments: --budgt 5"),
    (("compare", "--html", "--json", "loop.py"), "concompare compare: --html and --json: choose one, and --save PATH"),
    (("compare", "--save", "x.doc", "loop.py"), "concompare compare: --save x.doc: the name must end with one of"),
    (("run", "-b", "treads", "loop.py"), "concompare run: there is no backend 'treads' (did you mean"),
    (("run", "loop.py:2"), "concompare run: loop.py:2: `run` runs all of a script: leave the line out"),
    (
        ("run", "--json", "no/such/x.json", "loop.py"),
        "concompare run: --json no/such/x.json: there is no folder no/such",
    ),
    (("check", "loop.py", "b.json"), "concompare check: loop.py is not a saved report: save one with"),
    (("explain", "broken.py"), "concompare explain: broken.py: line 1: "),
    (("explain", "latin.py"), "concompare explain: latin.py cannot be read: "),
    (("explain", "text.ipynb"), "concompare explain: text.ipynb is no notebook that can be read: "),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop.py").write_text("def f(n):\n    return n\nr = [f(n) for n in range(3)]\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: no-such -*-\n")
    (tmp_path / "text.ipynb").write_text("[]")
    (tmp_path / "book.ipynb").write_text('{"cells": []}')
    try:
        status = main(arguments)
    except SystemExit as leaving:
        status = int(str(leaving.code))
    told = capsys.readouterr()
    assert status == 2
    assert told.out == ""
    assert told.err.startswith(message)
    assert told.err.count("\n") == 1


def test_every_command_has_help_and_its_module(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("explain", "compare", "run", "check", "info"):
        with pytest.raises(SystemExit) as leaving:
            main([command, "--help"])
        assert leaving.value.code == 0
        assert f"usage: concompare {command}" in capsys.readouterr().out


def test_the_script_s_own_options_are_its_own() -> None:
    args = parser().parse_args(["run", "-w", "3", "x.py", "--verbose", "-w", "7"])
    assert (args.workers, args.verbose, args.arguments) == ("3", False, ["--verbose", "-w", "7"])


def test_options_stand_before_or_after_the_script_that_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[argparse.Namespace] = []

    def noted(args: argparse.Namespace) -> int:
        found.append(args)
        return 0

    monkeypatch.setattr(measuring, "compare", noted)
    for given in (["--budget", "5", "x.py:2"], ["x.py:2", "--budget", "5"], ["x.py:2", "--budget=5", "--", "--json"]):
        assert main(["compare", *given]) == 0
    assert [(args.place, args.budget, args.json) for args in found] == [("x.py:2", 5.0, False)] * 3
    assert [args.arguments for args in found] == [[], [], ["--json"]]


def test_a_reader_that_goes_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["info"]) == 141
