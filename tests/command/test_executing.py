"""`run`: a script does, prints and ends as without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.command.entry import main
from tests.command.schemas import checked

SCRIPTS = {
    "main": '''"""Doc.
    Second line."""
from __future__ import annotations
import sys, pickle
from dataclasses import dataclass
from executing_helpers import slow

total: int = 0

@dataclass
class P:
    x: Undefined

def all_of(count):
    out = []
    for k in range(count):
        print("item", k)
        out.append(slow(k))
    return out

print(__name__, __file__, __doc__, sys.argv, __annotations__, sys.path[0], sys.modules["__main__"].P is P)
if __name__ == "__main__":
    found = [P(slow(k)) for k in range(20)]
    print(sum(p.x for p in found), all_of(5), pickle.loads(pickle.dumps(found[3])), k if "k" in globals() else "no k")
''',
    "error": """
def g(k):
    return 10 // (k - 5)
def f(k):
    try:
        return g(k)
    except ZeroDivisionError as error:
        raise RuntimeError("wrapped") from error
print("before")
for k in range(10):
    print(k, f(k))
""",
    "exit": "import sys\nfor k in range(3):\n    print(sum(range(k)))\nsys.exit(int(sys.argv[1]))\n",
    "words": "import sys\nprint(1)\nsys.exit('bye')\n",
    "syntax": "x = 1\ndef f(:\n",
    "name": "print(1)\nundefined_name\n",
    "assert": "r = [sum(range(k)) for k in range(5)]\nassert r == 3, r\n",
}
ARGUMENTS = {"main": ["a", "--b"], "exit": ["7"]}


def plainly(name: str, folder: Path) -> tuple[str, str, int]:
    """Return what a script prints and its status when Python runs it."""
    words = [sys.executable, name, *ARGUMENTS.get(Path(name).stem, ())]
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=plain, timeout=60, check=False)
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize("backend", ["auto", "threads", "processes"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_and_ends_as_without(
    name: str, backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], plain: dict[str, Any]
) -> None:
    (tmp_path / "executing_helpers.py").write_text("def slow(n):\n    return sum(i * i for i in range(n * 100))\n")
    (tmp_path / f"{name}.py").write_text(SCRIPTS[name])
    if name not in plain:
        plain[name] = (*plainly(f"{name}.py", tmp_path), str(tmp_path))
    status = main(["run", "-b", backend, "-w", "2", f"{name}.py", *ARGUMENTS.get(name, ())])
    told = capsys.readouterr()
    out, err, expected, folder = plain[name]
    assert told.out == out.replace(folder, str(tmp_path))
    assert status == expected
    assert without_carets(told.err) == without_carets(err.replace(folder, str(tmp_path)))


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Keep what each script does plainly, which starts an interpreter."""
    return {}


def without_carets(text: str) -> list[str]:
    """Return the lines of a traceback but for marks below them: frames of workers have no columns."""
    return [line for line in text.splitlines() if set(line.strip()) - set("^~")]


def test_the_loops_run_in_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "import os\ndef f(k):\n    return os.getpid()\nif __name__ == '__main__':\n"
    text += "    found = [f(k) for k in range(20)]\n    print(len(found), os.getpid() in found)\n"
    (tmp_path / "a.py").write_text(text)
    assert main(["run", "-b", "processes", "-w", "2", "--verbose", "--json", "x.json", "a.py"]) == 0
    told = capsys.readouterr()
    assert told.out == "20 False\n"
    assert told.err.endswith(f"concompare: {tmp_path / 'a.py'}:5: f: 20 items in processes × 2\n")
    data = checked((tmp_path / "x.json").read_text(encoding="utf-8"), "run")
    (loop,) = data["loops"]
    assert (loop["file"], loop["line"], loop["items"]) == (str(tmp_path / "a.py"), 5, 20)
    assert (loop["backend"], loop["workers"], loop["runs"]) == ("processes", 2, 1)


def test_what_ran_as_it_is_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("from json import dumps\nlast = ''\nfor k in range(3):\n    last = dumps(last)\n")
    assert main(["run", "--verbose", "--json", "x.json", "a.py"]) == 0
    assert capsys.readouterr().err.startswith("concompare: ran as the plain loop: line 4: needs 'last' from the item")
    (refused,) = checked((tmp_path / "x.json").read_text(encoding="utf-8"), "run")["refused"]
    assert (refused["line"], refused["loop"]) == (3, "the loop at line 3")
    assert (refused["refusal"]["line"], refused["refusal"]["code"]) == (4, "carried")


def test_an_interrupt_ends_the_script_as_python_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("def f(k):\n    raise KeyboardInterrupt\nfor k in range(5):\n    f(k)\n")
    assert main(["run", "-b", "serial", "a.py"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "KeyboardInterrupt"


def test_no_call_is_work_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "import threading\nfrom time import time\ndef main():\n    print(threading.current_thread().name)\n    time()\n"
    )
    (tmp_path / "a.py").write_text(text + "main()\n")
    assert main(["run", "-b", "threads", "--json", "x.json", "a.py"]) == 0
    assert capsys.readouterr().out == "MainThread\n"
    assert checked((tmp_path / "x.json").read_text(encoding="utf-8"), "run")["loops"] == []


@pytest.fixture(scope="module", autouse=True)
def closed() -> Any:
    """Leave no pool to the next module, whose folder it would not have."""
    assert backends.FAMILIES
    yield
    engine.close_pools()
