"""Each place where people run cells and scripts: functions that are defined there reach worker processes.

What is not installed with the tests is looked at by `.ci/pythons "front ends"`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOTAL = str(sum(range(1000)) * 8 + sum(range(8)))
"""What every place is to print."""

WORK = "def work(n):\n    return sum(range(1000)) + n\n"
CALL = "concompare.map(work, range(8), backend='processes', workers=1)"
SCRIPT = f"import concompare\n{WORK}\nprint(sum({CALL}))\n"
CELLS = (f"%load_ext concompare\n{WORK}", "%%parallel -b processes -w 1\nout = [work(n) for n in range(8)]", "sum(out)")

MARIMO = f"""
import marimo
app = marimo.App()

@app.cell
def _():
    import concompare
    return (concompare,)

@app.cell
def _():
    offset = sum(range(1000))
    def work(n):
        return offset + n
    return (work,)

@app.cell
def _(concompare, work):
    total = sum({CALL})
    print("total", total)
    total
    return

if __name__ == "__main__":
    app.run()
"""


def run(folder: Path, *words: str, given: str = "", **variables: str) -> str:
    """Run a module of this Python in a folder, and return what it prints."""
    environment = {**os.environ, "IPYTHONDIR": str(folder), **variables}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, input=given, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def needed(*names: str) -> None:
    """Skip a test of what is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def notebook(folder: Path, **kernel: str) -> Path:
    """Write the cells as a notebook."""
    import nbformat

    made: Any = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, CELLS)))
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python", **kernel}
    path = folder / "cells.ipynb"
    path.write_text(nbformat.writes(made), encoding="utf-8")
    return path


def last_value(path: Path) -> str:
    """Return the text of the value of a notebook's last cell."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[-1]["outputs"][-1]["data"]["text/plain"])


def test_python_s_own_prompt(tmp_path: Path) -> None:
    assert TOTAL in run(tmp_path, "-i", given=SCRIPT)


def test_the_terminal_of_ipython_and_its_run_magic(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    cells = (f"get_ipython().run_cell({cell!r}, store_history=True)" for cell in CELLS)
    code = "\n".join([*cells, "print('cells', sum(out))", "get_ipython().run_line_magic('run', 'script.py')"])
    assert run(tmp_path, "-m", "IPython", "--no-banner", "-c", code).splitlines()[-2:] == [f"cells {TOTAL}", TOTAL]


def test_nbconvert(tmp_path: Path) -> None:
    notebook(tmp_path)
    run(tmp_path, "-m", "nbconvert", "--execute", "--to", "notebook", "--output", "done", "cells.ipynb")
    assert last_value(tmp_path / "done.ipynb") == TOTAL


def test_papermill(tmp_path: Path) -> None:
    needed("papermill")
    notebook(tmp_path)
    run(tmp_path, "-m", "papermill", "cells.ipynb", "done.ipynb")
    assert last_value(tmp_path / "done.ipynb") == TOTAL


def test_jupytext(tmp_path: Path) -> None:
    needed("jupytext")
    notebook(tmp_path)
    run(tmp_path, "-m", "jupytext", "--to", "py:percent", "cells.ipynb")
    (tmp_path / "cells.ipynb").unlink()
    run(tmp_path, "-m", "jupytext", "--to", "ipynb", "--execute", "cells.py")
    assert last_value(tmp_path / "cells.ipynb") == TOTAL


def test_the_kernel_of_spyder(tmp_path: Path) -> None:
    needed("spyder_kernels")
    spec = tmp_path / "kernels" / "spyder"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "spyder_kernels.console", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Spyder", "language": "python"}))
    notebook(tmp_path, name="spyder")
    words = ("-m", "nbconvert", "--execute", "--to", "notebook", "--output", "done", "cells.ipynb")
    run(tmp_path, *words, JUPYTER_PATH=str(tmp_path))
    assert last_value(tmp_path / "done.ipynb") == TOTAL


def test_marimo(tmp_path: Path) -> None:
    needed("marimo")
    (tmp_path / "cells.py").write_text(MARIMO)
    assert f"total {TOTAL}" in run(tmp_path, "cells.py")
    run(tmp_path, "-m", "marimo", "export", "html", "cells.py", "-o", "done.html", "--no-include-code")
    assert TOTAL in (tmp_path / "done.html").read_text(encoding="utf-8")
