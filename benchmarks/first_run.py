"""What the first runs in a kernel cost: each part as a multiple of starting the interpreter, the least of several runs.

    python benchmarks/first_run.py [ROUNDS]

The parts are measured in turns, so that a busy machine slows all of them alike. Byte code is written first, as an
installed package has it. The CPU time of the notebook's process stands beside the time by the clock: on a busy machine
it is the one to go by.
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
    began, computed = time.perf_counter(), time.process_time()
    call()
    found[name] = time.perf_counter() - began, time.process_time() - computed
def ran(backend, power=2):
    shell.run_cell(f"%%parallel -b {backend}\\nout = [n ** {power} for n in range(10)]").raise_error()
    assert shell.user_ns["out"] == [n ** power for n in range(10)]
with capture_output() as caught:
    timed("load", lambda: shell.run_line_magic("load_ext", "concompare"))
    timed("first", lambda: ran("threads"))
    timed("second", lambda: ran("threads"))
    timed("edited", lambda: ran("threads", 3))
    ran("processes")
    timed("processes", lambda: ran("processes"))
    timed("edited there", lambda: ran("processes", 3))
assert len(caught.outputs) == 6
print(json.dumps(found))
"""
IMPORT = """
import json, time
began, computed = time.perf_counter(), time.process_time()
import concompare
print(json.dumps({"import": (time.perf_counter() - began, time.process_time() - computed)}))
"""
PARTS = {
    "import": "import concompare, as in a worker",
    "load": "%load_ext concompare",
    "first": "the first %%parallel -b threads, ten trivial items, summary shown",
    "both": "the two together",
    "second": "the same cell again",
    "edited": "the cell with another number in it",
    "processes": "the same cell on processes that are warm",
    "edited there": "with another number in it",
}


def measured(code: str, environment: dict[str, str]) -> dict[str, list[float]]:
    """Return what a fresh interpreter measures: of each part the seconds, and those of CPU time."""
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
        found: dict[str, list[list[float]]] = {name: [] for name in PARTS}
        for _ in range(rounds):
            starts.append(start(environment))
            parts = measured(IMPORT, environment) | measured(SHELL, environment)
            parts["both"] = [load + first for load, first in zip(parts["load"], parts["first"], strict=True)]
            for name, seconds in parts.items():
                found[name].append(seconds)
    unit = min(starts)
    print(
        f"{'':12} {1e3 * unit:8.1f} ms {'':7} {'CPU time':>11}  starting the interpreter; the least of {rounds} rounds"
    )
    for name, words in PARTS.items():
        least, computed = (min(column) for column in zip(*found[name], strict=True))
        print(f"{name:12} {1e3 * least:8.1f} ms {least / unit:6.2f}× {1e3 * computed:8.1f} ms  {words}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
