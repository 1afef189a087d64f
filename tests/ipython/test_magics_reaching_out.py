"""Cells whose calls reach more than they are given: magics the notebook's names, plots the figure, warnings a table."""

from __future__ import annotations

import gzip
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.ipython.conftest import Shell


@pytest.mark.parametrize(
    "statement",
    [
        "%time values.append(square(n))",
        "timed = %timeit -n1 -r1 -q -o values.append(square(n))",
        "get_ipython().run_cell('values.append(square(n))')",
        "held.run_cell('values.append(square(n))')",
        "run('values.append(square(n))')",
        "found = !echo {square(n)}\n    values.append(int(found[0]))",
        "square(n), get_ipython().user_ns['values'].append(get_ipython().user_ns['n'] ** 2)",
    ],
)
def test_magics_in_a_loop_see_the_names_of_the_loop(statement: str, shell: Shell) -> None:
    shell.run("def square(n):\n    return n * n")
    shell.run("n, held, run = 99, get_ipython(), get_ipython().run_cell\nvalues = []")
    ran = shell.run(f"%%parallel -b threads\nfor n in range(1, 4):\n    {statement}")
    assert shell.names["values"] == [1, 4, 9]
    assert "ran as the plain loop: line 3: " in ran.stdout


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("%time a = square(n)\n%time b = square(a)\nc = square(b)", {"a": 9, "b": 81, "c": 6561}),
        ("a = square(n)\n%time n = 5\nb = square(n)\nc = square(a)", {"a": 9, "b": 25, "c": 81}),
        ("from IPython import get_ipython as ip\nip().run_cell('n = 4')\na = square(n)\nb = square(2)", {"a": 16}),
    ],
)
def test_statements_wait_for_the_magics_before_them(cell: str, left: dict[str, int], shell: Shell) -> None:
    shell.run("def square(n):\n    return sum(n for _ in range(n))\nn, a, b = 3, 1, 1")
    shell.run(f"%%parallel -b threads\n{cell}")
    assert {name: shell.names[name] for name in left} == left


@pytest.mark.parametrize("backend", ["threads", "processes"])
@pytest.mark.parametrize(
    "body",
    [
        "    with open('log.txt', 'a') as file:\n        file.write(f'{square(n)} ')",
        "    log(square(n))",
        "    values.append(log(square(n)))",
    ],
)
def test_a_file_has_the_lines_of_the_plain_loop(
    body: str, backend: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell.run("def square(n):\n    return n * n\nvalues = []")
    shell.run("def log(value):\n    with open('log.txt', 'a') as file:\n        file.write(f'{value} ')")
    shell.run(f"%%parallel -b {backend} -w 2\nfor n in range(6):\n{body}")
    assert Path("log.txt").read_text() == "0 1 4 9 16 25 "


WRITTEN = "        file.write(str(square(n)))"
READ_BACK = f"{WRITTEN}\n        file.seek(0)\n        values.append(file.read())"
OPENED = {
    "gzip": f"with gzip.open(f'{{n}}.gz', 'wt') as file:\n{WRITTEN}",
    "path": f"with Path(f'{{n}}.txt').open('w') as file:\n{WRITTEN}",
    "descriptor": f"with os.fdopen(os.open(f'{{n}}.txt', os.O_WRONLY | os.O_CREAT), 'w') as file:\n{WRITTEN}",
    "temporary": f"with tempfile.NamedTemporaryFile('w+') as file:\n{READ_BACK}",
    "nameless": f"with tempfile.TemporaryFile('w+') as file:\n{READ_BACK}",
}


@pytest.mark.parametrize("way", OPENED)
def test_files_that_an_item_opens_stay_in_its_worker(
    way: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell.run("import gzip, os, tempfile\nfrom pathlib import Path")
    shell.run("def square(n):\n    return n * n\nvalues = []")
    shell.run(f"%%parallel -b processes -w 2\nfor n in range(4):\n    {OPENED[way]}")
    written = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    read = [(gzip.decompress(data) if way == "gzip" else data).decode() for data in written]
    assert shell.names["values"] + read == ["0", "1", "4", "9"]


DRAWN = """
import matplotlib.pyplot as plt

def curve(values):
    return plt.gca().plot(values)
"""


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_installed_functions_draw_into_the_figure_of_their_turn(
    backend: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    installed = ModuleType("concompare_tests_drawing")
    installed.__file__ = str(Path(np.__file__).with_name("drawing.py"))
    monkeypatch.setitem(sys.modules, installed.__name__, installed)
    exec(compile(DRAWN, installed.__file__, "exec"), vars(installed))
    shell.names["curve"] = vars(installed)["curve"]
    shell.run("import matplotlib.pyplot as plt\nfig, axes = plt.subplots(1, 4)")
    shell.run(f"%%parallel -b {backend} -w 2\nfor n in range(4):\n    plt.sca(axes[n])\n    curve([n, n + 1])")
    shell.run(f"%%parallel -b {backend} -w 2\ncurve([1])\ncurve([2])\nplt.sca(axes[0])\ncurve([3])")
    drawn = [[list(line.get_ydata()) for line in axis.lines] for axis in shell.names["axes"]]
    plt.close(shell.names["fig"])
    assert drawn == [[[0, 1], [3]], [[1, 2]], [[2, 3]], [[3, 4], [1], [2]]]


def to_stderr(shown: Any) -> None:
    """Show a warning as Python does where nobody records them."""
    sys.stderr.write(warnings.formatwarning(shown.message, shown.category, shown.filename, shown.lineno))


def test_what_threads_warn_of_is_shown_once_and_in_order(shell: Shell) -> None:
    shell.run("import warnings\ndef square(n):\n    warnings.warn(f'item {n}')\n    return n * n")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        vars(warnings)["_showwarnmsg_impl"] = to_stderr
        ran = shell.run("%%parallel -b threads -w 2\nsquares = [square(n) for n in range(4)]")
    assert re.findall(r"Warning: (item \d)", ran.stderr) == ["item 0", "item 1", "item 2", "item 3"]


RECORDED = "with warnings.catch_warnings(record=True) as found:\n    warnings.simplefilter('always')\n"


@pytest.mark.parametrize("backend", ["threads", "processes", "threads,processes", "auto"])
@pytest.mark.parametrize("loop", ["    r = [square(n) for n in range(6)]", "    for n in range(6):\n        square(n)"])
def test_warnings_that_are_recorded_around_a_loop_are_those_of_the_plain_loop(
    loop: str, backend: str, shell: Shell
) -> None:
    shell.run("import warnings\ndef square(n):\n    warnings.warn(f'item {n}')\n    return n * n")
    ran = shell.run(f"%%parallel -b {backend} -w 2\n{RECORDED}{loop}")
    assert [str(one.message) for one in shell.names["found"]] == [f"item {n}" for n in range(6)]
    assert "warnings are recorded around it" in str(ran.displays).replace("\\n", " ") or backend == "auto"


OPEN_FILES = """
import os
from os import write
def f(n):
    return sum(k * n % 7 for k in range(50))
def put(n):
    write(number, bytes([65 + n]))
    return f(n)
def put_into(to, n):
    os.write(to, bytes([65 + n]))
    return f(n)
def put_new(n):
    own = os.open(f"{path}.{n}", os.O_RDWR | os.O_CREAT)
    os.write(own, bytes([65 + n]))
    os.close(own)
    return f(n)
xs = [0, 1, 2, 3]
number = os.open(path, os.O_RDWR | os.O_CREAT)
several = [os.open(f"{path}.{n}", os.O_RDWR | os.O_CREAT) for n in xs]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the numbers of open files are of another kind there")
@pytest.mark.parametrize(
    "magic", ["%%parallel -b processes -w 2", "%%concompare --no-plot --budget 0.3 -b processes -w 2"]
)
@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("r = [put(n) for n in xs]", ("ABCD", [""] * 4)),
        ("r = [put_into(number, n) for n in xs]", ("ABCD", [""] * 4)),
        ("r = [put_new(n) for n in xs]", ("", ["A", "B", "C", "D"])),
        ("for n in xs:\n    os.write(number, str(f(n)).encode())", ("0147147147", [""] * 4)),
        ("for to in several:\n    os.write(to, str(f(1)).encode())", ("", ["147"] * 4)),
        ("r = [put_into(to, 1) for to in several]", ("", ["B"] * 4)),
    ],
    ids=["global", "argument", "own", "in the loop", "items", "items as arguments"],
)
def test_files_that_the_notebook_has_open_are_written_there(
    cell: str, left: tuple[str, list[str]], magic: str, shell: Shell, tmp_path: Path
) -> None:
    shell.names["path"] = str(tmp_path / "written")
    shell.run(OPEN_FILES)
    try:
        shell.run(f"{magic}\n{cell}")
    finally:
        shell.run("for to in [number, *several]: os.close(to)")
    assert left == ((tmp_path / "written").read_text(), [(tmp_path / f"written.{n}").read_text() for n in range(4)])
