"""`explain`: every loop of a file, and nothing of the file runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from concompare import machine
from concompare.command.entry import main
from concompare.record_data import to_data
from tests.command.schemas import checked

SCRIPT = '''"""A script."""
from __future__ import annotations
import contextlib
import functools
import os
from dataclasses import dataclass
from listing_helpers import slow

print("the script runs")

@functools.lru_cache(maxsize=None)
def cached(n: Unknown) -> int:
    return slow(n)

@dataclass
class Many:
    size: int
    def all(self):
        return [cached(n) for n in range(self.size)]

@some.decorator
def decorated(items):
    return [slow(n) for n in items]

def running(items):
    before = 0
    for n in items:
        before = slow(before + n)
    return before

def moved(items):
    return [n for n in items]

def outer():
    def inner(items):
        return [slow(n) for n in items]
    return inner

def elsewhere(folders):
    for folder in folders:
        with contextlib.chdir(folder):
            slow(3)

if __name__ == "__main__":
    numbers = [1, 2, 3]
    results = [slow(n) for n in numbers]
    print(running(numbers))
'''
HELPERS = "print('the module runs')\n\ndef slow(n):\n    return sum(i * i for i in range(n))\n"


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "listing_helpers.py").write_text(HELPERS)
    (tmp_path / "script.py").write_text(SCRIPT)
    return "script.py"


def test_every_loop_is_listed_with_its_answer(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", script, "--json"]) == 0
    data = checked(capsys.readouterr().out, "explain")
    loops = {(loop["function"], loop["line"]): loop for loop in data["loops"]}
    able = {name: loop["parallel"] for (name, _), loop in loops.items()}
    assert able == {
        "Many.all": True,
        "decorated": True,
        "running": False,
        "moved": False,
        "outer.<locals>.inner": None,
        "elsewhere": True,
        None: True,
    }
    assert [line for name, line in loops if name is None] == [46]
    refusal = loops["running", 27]["refusal"]
    assert (refusal["code"], refusal["line"], refusal["worth"]) == ("carried", 28, True)
    assert refusal["reason"].startswith("needs 'before' from the item before. Each call of `slow` needs")
    assert refusal["reason"].endswith(f"{refusal['remedy']}.")
    assert loops["moved", 32]["refusal"]["worth"] is False


def test_a_loop_that_threads_would_mix_up_runs_in_processes(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", script, "--json"])
    (loop,) = (one for one in json.loads(capsys.readouterr().out)["loops"] if one["function"] == "elsewhere")
    assert (loop["threads"], loop["processes"]) == (False, True)
    words = "`elsewhere` calls `contextlib.chdir`, which changes the working directory of the whole process"
    assert loop["not_in_threads"] == words


def test_nothing_of_the_file_or_its_modules_runs(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(sys.modules)
    main(["explain", script])
    told = capsys.readouterr()
    assert "runs\n" not in told.out
    assert told.err == ""
    assert "listing_helpers" not in set(sys.modules) - before


def test_the_text_has_a_line_for_each_loop_and_a_sum(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", script])
    lines = capsys.readouterr().out.splitlines()
    assert "script.py:46: the comprehension runs in threads or processes" in lines
    assert any(line.startswith("script.py:27: the loop in `running` runs as it is: line 28: needs") for line in lines)
    assert any(
        line.startswith("script.py:36: the comprehension in `outer.<locals>.inner` shows only") for line in lines
    )
    assert lines[-1] == "7 loops: 4 can run in parallel, 1 cannot, 1 have too little to do, 1 only running shows"
    main(["explain", script, "--verbose"])
    assert "    runs in workers, for every item:\n        def head(n):\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("for n in range(3):\n    print(n)\n", 0),
        ("from json import dumps\nr = [dumps(n) for n in range(3)]\n", 0),
        ("from json import dumps\nlast = ''\nfor n in range(3):\n    last = dumps(last)\n", 1),
        ("", 0),
    ],
)
def test_strict_tells_ci_of_loops_that_lose(source: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(source)
    assert main(["explain", "a.py", "--strict"]) == status
    assert main(["explain", "a.py"]) == 0


def test_cells_of_a_notebook_know_what_earlier_cells_gave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [
        "%load_ext concompare\nimport json",
        ["def f(n):\n", "    return json.dumps(n)\n"],
        "%%parallel -w 2\nr = [f(n) for n in range(3)]",
        "!ls\nlast = 0\nfor n in range(3):\n    last = f(last)",
        "%%bash\nfor n in 1 2; do echo $n; done",
    ]
    cells = [{"cell_type": "code", "source": source} for source in sources]
    (tmp_path / "book.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "x"}, *cells]}))
    assert main(["explain", "book.ipynb", "--json"]) == 0
    loops = checked(capsys.readouterr().out, "explain")["loops"]
    assert [(loop["cell"], loop["line"], loop["parallel"]) for loop in loops] == [(3, 2, True), (4, 3, False)]
    main(["explain", "book.ipynb"])
    assert capsys.readouterr().out.startswith("book.ipynb[3]:2: the comprehension runs in threads or processes\n")


def test_info_shows_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    data = checked(capsys.readouterr().out, "info")
    assert data["environment"].keys() == to_data(machine.environment()).keys()
    main(["info"])
    assert capsys.readouterr().out.startswith("Python ")


def test_what_is_said_of_a_script_calls_it_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = "def slow(n):\n    return sum(range(n))\n\nout = []\nfor n in range(9):\n    out.append(slow(n))\n"
    (tmp_path / "a.py").write_text(loop)
    cell: dict[str, Any] = {"cell_type": "code", "source": loop, "metadata": {}, "outputs": [], "execution_count": None}
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "a.ipynb").write_text(json.dumps(book))
    said = {}
    for name in ("a.py", "a.ipynb"):
        assert main(["explain", "--verbose", str(tmp_path / name)]) == 0
        said[name] = capsys.readouterr().out
    assert "is replayed in the script, in item order" in said["a.py"]
    assert "notebook" not in said["a.py"]
    assert "is replayed in the notebook, in item order" in said["a.ipynb"]
