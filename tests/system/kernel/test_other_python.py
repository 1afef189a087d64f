"""`--python` in a kernel: the heads of cells and the functions of cells have source to send."""

from __future__ import annotations

import sys

import pytest

from tests.system.kernel.notebook import Notebook

DEFINED = "import math\nK = 3\ndef grown(x):\n    return math.floor(x) * K"
KINDS = [("processes", 2), ("serial", 1), ("threads", 2)]
LOOP = """
results = []
for x in range(12):
    total = sum(i * x for i in range(2000))
    results.append(total + grown(x))
"""


@pytest.mark.alone
def test_a_loop_is_compared_on_another_python(notebook: Notebook) -> None:
    notebook.run(DEFINED)
    notebook.run(
        "from concompare.measure import plan as planner\ncap, planner.cap = planner.cap, lambda *_: None"
    )  # none is stopped
    notebook.run(f"%%concompare -b serial -w 2 --budget 60 --quiet --no-plot --python {sys.executable}{LOOP}")
    rows = notebook.value(
        "[(t.backend.split('3.')[0], t.workers, t.problem, t.same) for t in _.comparison.trials if '@' in t.backend]"
    )
    notebook.run("planner.cap = cap")
    assert sorted(rows) == [(f"{kind} @ ", workers, None, True) for kind, workers in KINDS]
    assert notebook.value("results") == [sum(i * x for i in range(2000)) + 3 * x for x in range(12)]


def test_a_python_that_is_not_there_is_one_line(notebook: Notebook) -> None:
    cell = notebook.run("%%concompare --python 2.0\nresults = [abs(x) for x in range(3)]", check=False)
    assert cell.error == "BadOption: --python 2.0: no python2.0 on the PATH; give the path of the interpreter"
    assert len(cell.traceback.splitlines()) == 1
