"""`compare`: a script runs up to one of its loops, and that is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from concompare import load
from concompare.command.entry import main
from tests.command.schemas import checked

SCRIPT = """import sys
import json
print("begins", sys.argv[1:])
def f(n):
    return json.dumps(list(range(n)))
first = [f(n) for n in range(3)]
def among(count):
    return [f(n) for n in range(count)]
found = among(20)
last = ""
for n in range(3):
    last = json.dumps(last)
def chain(text):
    for n in range(3):
        text = json.dumps(text)
    return text
chain("")
print("ends")
"""
QUICKLY = ("-b", "serial,threads", "-w", "2", "--budget", "0.3")


@pytest.fixture(autouse=True)
def script(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SCRIPT)


def test_the_loop_is_compared_and_the_script_ends_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *QUICKLY, "--json", "--save", "r.json", "a.py:8", "--", "x", "--y"]) == 0
    told = capsys.readouterr()
    data = checked(told.out, "compare")
    assert told.err == "begins ['x', '--y']\n"
    assert [(row["backend"], row["items"]) for row in data["rows"]] == [("serial", 20), ("threads", 20)]
    assert data["refusal"] is None
    assert data["verdict"] == load("r.json").view.headline


def test_the_report_is_text_or_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *QUICKLY, "a.py:6"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("begins []\n")
    assert "threads × 2" in text
    assert "ends" not in text
    assert main(["compare", *QUICKLY, "--html", "a.py:6"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


def test_a_loop_that_cannot_is_measured_as_it_is_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *QUICKLY, "--json", "a.py:11"]) == 0
    data = checked(capsys.readouterr().out, "compare")
    assert data["refusal"]["code"] == "carried"
    assert [row["backend"] for row in data["rows"] if row["problem"] is None] == ["serial"]


def test_one_in_a_function_that_cannot_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *QUICKLY, "a.py:14"]) == 1
    assert "compare: a.py:14 cannot run in parallel: in `chain`, line 15: needs 'text'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("a.py", "a.py: name the line of the loop. Loops begin at a.py:6, a.py:8, a.py:19"),
        ("a.py:4", "a.py:4: no loop begins there. Loops begin at a.py:6, a.py:8, a.py:11, a.py:14, a.py:19"),
        ("b.py", "b.py: name the line of the loop. It has no loops"),
        ("c.py", "c.py ended with status 3 before it came to the loop at line 4"),
    ],
)
def test_which_loop_is_meant_must_be_clear(
    place: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text(f"{SCRIPT}second = [f(n) for n in range(4)]\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    (tmp_path / "c.py").write_text("import sys, json\nsys.exit(3)\n\nr = [json.dumps(n) for n in range(3)]\n")
    assert main(["compare", *QUICKLY, place]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"concompare compare: {message}")


def test_the_only_loop_of_the_script_itself_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text(
        SCRIPT.replace("for n in range(3):\n    last", "if n:\n    last").replace('last = ""', "n = 0")
    )
    assert main(["compare", *QUICKLY, "a.py"]) == 0
    assert "3 items" in capsys.readouterr().out


def test_an_error_before_the_loop_is_shown_as_python_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("import json\nundefined\nr = [json.dumps(n) for n in range(3)]\n")
    assert main(["compare", *QUICKLY, "a.py"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "Traceback (most recent call last):"
    assert err[-2:] == [
        "NameError: name 'undefined' is not defined",
        "concompare compare: a.py ended with status 1 before it came to the loop at line 3",
    ]
