"""Workers that lack what the notebook has are noticed on the first items, and the cell runs as the plain loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.kernel.notebook import Cell, Notebook

LIBRARY = """
import random, sys, threading
import numpy as np
own = threading.local()
settings, table = {"unit": "m"}, {}
def choose(kind): own.kind = kind
def kind(n): return getattr(own, "kind", "array"), n
def unit(n): return f"{n} {settings['unit']}"
def noisy(n): return n + float(np.random.normal())
def rolled(n): return n + random.random()
def shuffled(n):
    order = list(range(20))
    random.shuffle(order)
    return 7
def first(it): return next(it)
def caller(name): return sys._getframe(1).f_globals[name]
def of_main(name): return getattr(sys.modules["__main__"], name)
def write(path, n):
    with open(path, "a") as file:
        file.write(f"{n}\\n")
    return settings["unit"], n
"""
"""An installed package as others are: with state of its own, random numbers drawn inside, looking at its caller."""

BOTH = ("threads", "processes")

SEEDED = "import installed, random, numpy as np\nrandom.seed(0)\nnp.random.seed(0)"

CASES = {
    "context of decimal": ("from decimal import *\ngetcontext().prec = 40", "Decimal(n + 2).sqrt()"),
    "rounding of decimal": ("from decimal import *\nsetcontext(Context(prec=5, rounding=ROUND_UP))", "+Decimal(n) / 7"),
    "print options of numpy": (
        "import numpy as np\nnp.set_printoptions(precision=2)\nthirds = np.array([1 / 3, 2 / 3])",
        "str(thirds * (n + 1))",
    ),
    "context variable": (
        (
            "from contextvars import ContextVar\nlevel = ContextVar('level', default=0)\n_ = level.set(7)\n"
            "def high(n):\n    return level.get() + n"
        ),
        "high(n)",
    ),
    "settings of the thread": ("import installed\ninstalled.choose('frame')", "installed.kind(n)"),
    "settings of a module": ("import installed\ninstalled.settings['unit'] = 'km'", "installed.unit(n)"),
    "an attribute put on a module": ("import installed\ninstalled.settings = {'unit': 'ft'}", "installed.unit(n)"),
    "dialects of csv": (
        (
            "import csv, io\ncsv.register_dialect('semi', delimiter=';')\n"
            "def read(n):\n    return list(csv.reader(io.StringIO(f'{n};2'), 'semi'))"
        ),
        "read(n)",
    ),
    "largest field of csv": (
        (
            "import csv, io\n_ = csv.field_size_limit(10**7)\n"
            "def width(n):\n    return len(next(csv.reader(io.StringIO('x' * 200_000)))[0]) + n"
        ),
        "width(n)",
    ),
    "a patched encoder": (
        (
            "import json\njson.JSONEncoder.default = lambda self, other: 'patched'\n"
            "def dumped(n):\n    return json.dumps({'n': n, 'other': object()})"
        ),
        "dumped(n)",
    ),
    "how deep calls may go": (
        "import sys\nsys.setrecursionlimit(6000)\ndef deep(n):\n    return 0 if n == 0 else 1 + deep(n - 1)",
        "deep(3000 + n)",
    ),
    "time zone": (
        (
            "import os, time\nos.environ['TZ'] = 'XYZ-5'\ntime.tzset()\n"
            "def hour(n):\n    return time.strftime('%H %Z', time.localtime(3600 * n))"
        ),
        "hour(n)",
    ),
    "an accessor of pandas": (
        (
            "import pandas as pd\n@pd.api.extensions.register_series_accessor('twice')\nclass Twice:\n"
            "    def __init__(self, series):\n        self.series = series\n"
            "    def sum(self):\n        return int(self.series.sum()) * 2\n"
            "rows = [pd.Series([n, 1]) for n in range(12)]"
        ),
        "rows[n].twice.sum()",
    ),
    "a name inside a query": (
        "import pandas as pd\nlimit = 3\nframes = [pd.DataFrame({'v': range(n, n + 4)}) for n in range(12)]",
        "len(frames[n].query('v > @limit'))",
    ),
    "a name of the caller": ("import installed\nlimit = 3", "installed.caller('limit') + n"),
    "a name of the main module": ("import installed\nconfig = {'a': 1}", "installed.of_main('config')['a'] + n"),
    "a pickled object of the notebook's": (
        (
            "import pickle\nclass Rec:\n    def __init__(self, n):\n        self.n = n\n"
            "kept = [pickle.dumps(Rec(n)) for n in range(12)]\ndef load(data):\n    return pickle.loads(data).n"
        ),
        "load(kept[n])",
    ),
    "hashes of text": ("names = [f'name {n}' for n in range(12)]", "hash(names[n]) % 1000"),
    "the order of a set of text": (
        "words = [[f'{n} {m}' for m in range(12)] for n in range(12)]",
        "list(set(words[n]))",
    ),
    "random numbers of numpy": (SEEDED, "installed.noisy(n)"),
    "random numbers of Python": (SEEDED, "installed.rolled(n)"),
    "random numbers that no value shows": (SEEDED, "installed.shuffled(n)"),
}
BY_CONTEXT = ("context of decimal", "rounding of decimal", "print options of numpy", "context variable")
"""What threads have too, since they run in the notebook's context."""

AFTERWARDS = "import random, numpy as np\nafter = random.random(), float(np.random.normal())"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A kernel with a package of which the magic sees no more than of any other that is installed."""
    folder = tmp_path_factory.mktemp("lib") / "site-packages"
    folder.mkdir()
    (folder / "installed.py").write_text(LIBRARY)
    hide = (
        "import sys\nfrom concompare.cells.syntax import own_code\n"
        f"own_code.installed_folders = lambda known=(*own_code.installed_folders(), {str(folder)!r}): known\n"
        f"sys.path.append({str(folder)!r})\n%load_ext concompare\nimport installed as _"
    )
    with Notebook() as notebook:
        notebook.run(hide)
        yield notebook


def left_by(notebook: Notebook, magic: str, setup: str, expression: str) -> tuple[str, Cell]:
    """Return what a loop leaves after a setup, and its cell."""
    notebook.run("%reset -f\nimport installed\ninstalled.settings = {'unit': 'm'}\ninstalled.own.__dict__.clear()")
    notebook.run(setup)
    cell = notebook.run(f"{magic}out = []\nfor n in range(12):\n    out.append({expression})")
    notebook.run(AFTERWARDS)
    return notebook.run(f"repr((out, n, after if {'seed(' in setup} else None))").text, cell


PLAIN: dict[tuple[Notebook, str, str], str] = {}
"""What plain cells have left in a kernel: the same for every backend."""


def plain_and_parallel(notebook: Notebook, setup: str, expression: str, options: str) -> tuple[str, str, Cell]:
    """Return what the plain cell leaves and what the parallel one does, and the latter."""
    key = notebook, setup, expression
    if key not in PLAIN:
        PLAIN[key] = left_by(notebook, "", setup, expression)[0]
    return PLAIN[key], *left_by(notebook, f"%%parallel {options}\n", setup, expression)


SENT = ("context of decimal", "rounding of decimal", "how deep calls may go")
"""What workers are given."""

AT_START = (*SENT, "hashes of text", "settings of a module", "random numbers of numpy")
"""What may depend on how a process starts; everything else is the same for all that share nothing."""

RUNS = [
    *((case, backend) for case in CASES for backend in ("threads", "processes")),
    *((case, backend) for case in AT_START for backend in ("spawn", "loky")),
]


@pytest.mark.parametrize(("case", "backend"), RUNS)
def test_the_cell_leaves_what_the_plain_cell_leaves(case: str, backend: str, installed: Notebook) -> None:
    plain, parallel, cell = plain_and_parallel(installed, *CASES[case], f"-b {backend} -w 2")
    assert parallel == plain
    if case in (BY_CONTEXT if backend == "threads" else SENT):
        assert f"on {backend} × 2" in cell.shown


def test_the_line_says_what_differed(installed: Notebook) -> None:
    said = {}
    for case in ("settings of a module", "dialects of csv", "random numbers of numpy"):
        said[case] = plain_and_parallel(installed, *CASES[case], "-b processes -w 2")[2].shown
    assert "item 0 gives '0 m' in a worker and '0 km' in the notebook." in said["settings of a module"]
    assert "item 0 raises Error: unknown dialect in a worker and is computed" in said["dialects of csv"]
    assert "item 0 draws from numpy.random, which all items share; --seed 1 gives" in said["random numbers of numpy"]


def test_with_a_seed_workers_draw(installed: Notebook) -> None:
    _, _, cell = plain_and_parallel(installed, *CASES["random numbers of numpy"], "-b processes -w 2 --seed 3")
    assert "on processes × 2" in cell.shown
    assert "plain loop" not in cell.shown


def test_pure_is_taken_at_its_word(installed: Notebook) -> None:
    installed.run("import installed\ninstalled.settings = {'unit': 'km'}")
    installed.run("%%parallel -b processes -w 2 --assume-pure\nout = [installed.unit(n) for n in range(4)]")
    assert installed.value("out") == [f"{n} m" for n in range(4)]


def test_strict_makes_it_an_error(installed: Notebook) -> None:
    installed.run("import installed\ninstalled.settings = {'unit': 'km'}\nout = None")
    cell = installed.run(
        "%%parallel -b processes -w 2 --strict\nout = [installed.unit(n) for n in range(4)]", check=False
    )
    assert cell.error.startswith("CellRefused: item 0 gives '0 m' in a worker and '0 km' in the notebook.")


def test_the_default_joins_nothing_from_places_that_differ(installed: Notebook) -> None:
    """Items long enough for `auto` to leave the plain loop, whatever it leaves it for."""
    work = "def slow(n):\n    import time\n    time.sleep(0.01)\n    return installed.kind(n), installed.unit(n)"
    setup = f"import installed\ninstalled.choose('frame')\ninstalled.settings['unit'] = 'km'\n{work}"
    plain, parallel, _ = plain_and_parallel(installed, setup, "slow(n % 12)", "-w 2")
    assert parallel == plain
    installed.run("%%parallel -w 2\nmany = [slow(n) for n in range(60)]")
    assert installed.value("many == [(('frame', n), f'{n} km') for n in range(60)]") is True


def test_what_items_do_outside_is_done_once(installed: Notebook, tmp_path: Path) -> None:
    """Here not even the settings are compared: an item that writes is not computed twice."""
    file = tmp_path / "lines"
    for backend in BOTH:
        file.write_text("")
        installed.run("import installed, pathlib\ninstalled.settings = {'unit': 'm'}")
        installed.run(f"%%parallel -b {backend} -w 2\nout = [installed.write({str(file)!r}, n) for n in range(12)]")
        assert sorted(map(int, file.read_text().split())) == list(range(12)), backend
        assert installed.value("out") == [("m", n) for n in range(12)]


def test_what_items_print_is_shown_once_and_is_the_notebook_s(installed: Notebook) -> None:
    installed.run("import installed\ninstalled.settings = {'unit': 'km'}")
    installed.run("def say(n):\n    print(installed.unit(n))\n    return n")
    for backend in BOTH:
        cell = installed.run(f"%%parallel -b {backend} -w 2 --quiet\nout = [say(n) for n in range(12)]")
        assert cell.stdout == "".join(f"{n} km\n" for n in range(12)), backend


def test_an_item_that_reads_the_clock_is_no_reason(installed: Notebook) -> None:
    installed.run("import time\ndef now(n):\n    return time.perf_counter()")
    cell = installed.run("%%parallel -b processes -w 2\nout = [now(n) for n in range(12)]")
    assert "on processes × 2" in cell.shown


def test_an_iterator_is_used_up_once(installed: Notebook) -> None:
    installed.run("import installed\ninstalled.settings = {'unit': 'km'}\nrest = iter(range(12))")
    installed.run("%%parallel -b processes -w 2\nout = []\nfor n in rest:\n    out.append(installed.unit(n))")
    assert installed.value("out") == [f"{n} km" for n in range(12)]
    assert installed.value("list(rest)") == []


def test_items_that_can_be_used_only_once_are(installed: Notebook) -> None:
    """Threads are given the very items: one that cannot be copied is not computed again."""
    installed.run("import installed\nwaiting = [iter([n, 100]) for n in range(6)]\ndef first(it):\n    return next(it)")
    installed.run("%%parallel -b threads -w 2 --on-error keep\nout = [(n, installed.unit(n)) for n in range(6)]")
    cell = installed.run("%%parallel -b threads -w 2\nout = [installed.first(it) for it in waiting]", check=False)
    if cell.status == "ok":
        assert installed.value("out") == list(range(6))
        assert installed.value("[next(it) for it in waiting]") == [100] * 6


def test_an_error_of_the_notebook_is_the_cell_s(installed: Notebook) -> None:
    """In a worker the item is computed; in the notebook it raises, as the plain loop would."""
    installed.run(
        "import installed\ninstalled.settings = {'unit': 'km'}\n"
        "def check(n):\n    if installed.unit(n).endswith('km'):\n        raise ValueError(f'far: {n}')\n    return n"
    )
    cell = installed.run(
        "%%parallel -b processes -w 2\nout = []\nfor n in range(5):\n    out.append(check(n))", check=False
    )
    assert cell.error == "ValueError: far: 0"
    assert installed.value("out, n") == ([], 0)
    installed.run("%%parallel -b processes -w 2 --on-error keep\nout = [check(n) for n in range(5)]")
    assert installed.value("[str(failure.error) for failure in out]") == [f"far: {n}" for n in range(5)]


def test_the_same_cell_run_again_is_not_compared_again(installed: Notebook) -> None:
    installed.run("import installed\ninstalled.settings = {'unit': 'm'}\nmade = []")
    installed.run("def counted(n):\n    return installed.unit(n)")
    count = (
        "import concompare.run.witness as w\ncomputed, seen = w.computed, []\n"
        "w.computed = lambda *given: (seen.append(given[2]), computed(*given))[1]"
    )
    installed.run(count)
    loop = "%%parallel -b processes -w 2\nout = [counted(n) for n in range(12)]"
    first = installed.run(loop)
    installed.run(loop)
    before = installed.value("len(seen)")
    installed.run(loop)
    installed.run(loop)
    assert "on processes × 2" in first.shown
    assert before > 0
    assert installed.value("len(seen)") - before <= before, "only the run after another cell compares"
    installed.run("installed.settings = {'unit': 'km'}")
    cell = installed.run(loop)
    assert "ran as the plain loop" in cell.shown
    installed.run("w.computed = computed")


def test_several_backends_in_one_run(installed: Notebook) -> None:
    installed.run("import installed\ninstalled.settings = {'unit': 'km'}")
    cell = installed.run("%%parallel -b processes,threads -w 2\nout = [installed.unit(n) for n in range(12)]")
    assert installed.value("out") == [f"{n} km" for n in range(12)]
    assert "not used" in cell.shown
