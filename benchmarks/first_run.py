"""What the first run in a kernel costs: each part as a multiple of starting the interpreter, the least of several runs.

    python benchmarks/first_run.py [ROUNDS]

The parts are measured in turns, so that a busy machine slows all of them alike. Byte code is written first, as an
installed package has it. A second line gives the milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

SHELL = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config
settings = Config()
settings.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=settings)
shell.run_cell("import IPython.display")
found = {}
def timed(name, call):
    began = time.perf_counter()
    call()
    found[name] = time.perf_counter() - began
cell = "%%parallel -b threads\\nout = [n * n for n in range(10)]"
with capture_output() as caught:
    timed("load", lambda: shell.run_line_magic("load_ext", "concompare"))
    timed("first", lambda: shell.run_cell(cell).raise_error())
    timed("second", lambda: shell.run_cell(cell).raise_error())
assert shell.user_ns["out"] == [n * n for n in range(10)]
assert len(caught.outputs) == 2
print(json.dumps(found))
"""
IMPORT = """
import json, time
began = time.perf_counter()
import concompare
print(json.dumps({"import": time.perf_counter() - began}))
"""
PARTS = {
    "import": "import concompare, as in a worker",
    "load": "%load_ext concompare",
    "first": "the first %%parallel -b threads, ten trivial items, summary shown",
    "both": "the two together",
    "second": "the same cell again",
}


def measured(code: str, environment: dict[str, str]) -> dict[str, float]:
    """Return what a fresh interpreter measures."""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def start(environment: dict[str, str]) -> float:
    """Return the seconds that an interpreter takes which does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], env=environment, check=True)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    """Measure in turns, and print the least of each."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for code in (SHELL, IMPORT):  # writes the byte code
            measured(code, environment)
        starts: list[float] = []
        found: dict[str, list[float]] = {name: [] for name in PARTS}
        for _ in range(rounds):
            starts.append(start(environment))
            parts = measured(IMPORT, environment) | measured(SHELL, environment)
            parts["both"] = parts["load"] + parts["first"]
            for name, seconds in parts.items():
                found[name].append(seconds)
    unit = min(starts)
    print(f"{'':8} {1e3 * unit:8.1f} ms         starting the interpreter; the least of {rounds} rounds")
    for name, words in PARTS.items():
        least = min(found[name])
        print(f"{name:8} {1e3 * least:8.1f} ms {least / unit:6.2f}×  {words}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
