"""Items that change something of the whole process never share it with other threads' items."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.process_state import shared_context
from concompare.errors import BackendUnavailable
from tests.ipython.conftest import Shell


@pytest.fixture(autouse=True, scope="module")
def closed() -> Iterator[None]:
    yield
    engine.close_pools()


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    folder = os.getcwd()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        filters = warnings.filters
        yield
        os.chdir(folder)
        assert warnings.filters is filters


FOLDERS = """
import contextlib, os, time
def inside(name):
    with contextlib.chdir(name):
        time.sleep(0)
        return os.path.basename(os.getcwd())
"""
CAUGHT = """
import warnings as w
def inside(name):
    with w.catch_warnings(record=True) as caught:
        w.warn(name)
    return [str(one.message) for one in caught]
"""
LOCAL = """
def inside(name):
    from contextlib import chdir
    import os
    with chdir(name):
        return os.path.basename(os.getcwd())
"""
KINDS = {"folders": FOLDERS, "caught": CAUGHT, "local": LOCAL}


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found = [str(tmp_path / f"d{number}") for number in range(12)]
    for name in found:
        os.mkdir(name)
    monkeypatch.chdir(tmp_path)
    return found


def expected(kind: str, names: list[str]) -> list[Any]:
    return [[name] if kind == "caught" else os.path.basename(name) for name in names]


@pytest.mark.parametrize("kind", KINDS)
def test_in_threads_they_run_as_the_plain_loop_with_one_line(kind: str, names: list[str], shell: Shell) -> None:
    shell.run(KINDS[kind])
    shell.names["names"] = names
    before = os.getcwd()
    ran = shell.run("%%parallel -b threads -w 4 --no-plot --assume-pure\nout = [inside(n) for n in names]")
    shown = " ".join(ran.shown.split())
    assert "ran as the plain loop: `inside` calls " in shown
    assert "of the whole process, so items in other threads would see it. Use -b processes." in shown
    assert shell.names["out"] == expected(kind, names)
    assert os.getcwd() == before


WALKS = {
    "an iterator": "zip(names, names)",
    "an endless one": "zip(names, itertools.count())",
    "a generator": "((n, n) for n in names)",
    "an array": "numpy.column_stack([names, names])",
    "a view": "dict(zip(names, names)).items()",
}


@pytest.mark.parametrize("walked", WALKS.values(), ids=WALKS)
def test_all_items_are_computed_whatever_gives_them(walked: str, names: list[str], shell: Shell) -> None:
    """The reason is found before the first of them was taken."""
    shell.run("import itertools, numpy\n" + CAUGHT)
    shell.names["names"] = names
    loop = f"out = []\nfor n, m in {walked}:\n    out.append(inside(n))"
    ran = shell.run(f"%%parallel -b threads -w 4 --no-plot --assume-pure\n{loop}")
    assert "ran as the plain loop: `inside` calls " in " ".join(ran.shown.split())
    assert shell.names["out"] == [[name] for name in names]
    assert shell.names["n"] == names[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_refused_in_threads_where_that_is_to_be_an_error(kind: str, names: list[str], shell: Shell) -> None:
    shell.run(KINDS[kind])
    shell.names["names"] = names
    before = os.getcwd()
    ran = shell.fails("%%parallel -b threads -w 4 --no-plot --assume-pure --strict\nout = [inside(n) for n in names]")
    assert isinstance(ran.error, BackendUnavailable)
    assert str(ran.error).startswith("threads: `inside` calls ")
    assert str(ran.error).endswith("of the whole process, so items in other threads would see it: use -b processes")
    assert "\n" not in str(ran.error)
    assert os.getcwd() == before


@pytest.mark.parametrize("options", ["-b processes -w 2", "-b threads -w 1", "", "-b serial"])
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_right_everywhere_else(kind: str, options: str, names: list[str], shell: Shell) -> None:
    shell.run(KINDS[kind])
    shell.names["names"] = names
    before = os.getcwd()
    shell.run(f"%%parallel {options} --no-plot --quiet --assume-pure\nout = [inside(n) for n in names]")
    assert shell.names["out"] == expected(kind, names)
    assert os.getcwd() == before


def test_auto_leaves_threads_out(names: list[str], shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from concompare.analysis import pick
    from concompare.cells.task import task_of
    from concompare.run import auto_history

    shell.run(FOLDERS)
    seen: list[tuple[str, ...]] = []
    choose = pick.choose

    def chosen(known: pick.Known, *others: Any) -> Any:
        seen.append(known.can)
        return choose(known, *others)

    monkeypatch.setattr(pick, "choose", chosen)
    auto_history.choose(task_of(shell.names["inside"], names), (), len(names))
    auto_history.choose(task_of(abs, [1, 2]), (), 2)
    assert seen == [("processes",), ("threads", "processes")]


def test_a_comparison_says_why_threads_did_not_run(names: list[str], shell: Shell) -> None:
    shell.run(FOLDERS)
    shell.names["names"] = names
    report = shell.run(
        "%%concompare -b serial,threads,processes -w 2 --budget 3 --no-plot --quiet --assume-pure\n"
        "out = [inside(n) for n in names]"
    ).value
    problems = {trial.backend: trial.problem for trial in report.comparison.trials}
    assert "calls `contextlib.chdir`" in problems["threads"]
    assert shell.names["out"] == expected("folders", names)


def namespace_of(source: str, **more: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__", **more}
    exec(compile(source, "<ipython-input-1>", "exec"), names)
    return names


SEEN = {
    "import os\ndef f(x):\n os.umask(0)": "os.umask",
    "import os as o\ndef f(x):\n o.chdir(x)": "os.chdir",
    "from locale import setlocale as s\ndef f(x):\n s(0)": "locale.setlocale",
    "import socket\ndef g(x):\n socket.setdefaulttimeout(x)\ndef f(x):\n return [g(y) for y in x]": "socket.setdefault",
    "from unittest import mock\ndef f(x):\n with mock.patch('os.sep', x): pass": "unittest.mock.patch",
    "import unittest.mock\ndef f(x):\n with unittest.mock.patch('os.sep', x): pass": "unittest.mock.patch",
    "import contextlib\nclass C:\n def go(self, x):\n  with contextlib.chdir(x): pass\ndef f(x):\n C().go(x)": "chdir",
    "import os\nclass C:\n @staticmethod\n def go(x):\n  os.chdir(x)\nc = C()\ndef f(x):\n c.go(x)": "os.chdir",
    "import os, functools\ndef g(a, x):\n os.chdir(x)\nf = functools.partial(g, 1)": "os.chdir",
    "import os\ndef f(x):\n def inner():\n  os.chdir(x)\n return inner()": "os.chdir",
    "def f(x):\n from IPython.utils.io import capture_output\n with capture_output(): pass": "capture_output",
    "import time\ndef f(x):\n time.tzset()": "time.tzset",
}
UNSEEN = [
    "import numpy as np\ndef f(x):\n with np.errstate(all='ignore'): return np.sqrt(x)",
    "from decimal import localcontext\ndef f(x):\n with localcontext() as c: c.prec = x",
    "from types import SimpleNamespace\nscipy = SimpleNamespace(signal=abs)\ndef f(x):\n return scipy.signal(x)",
    "from types import SimpleNamespace\npandas = SimpleNamespace(set_option=abs)\ndef f(x):\n pandas.set_option(x)",
    "class Path:\n def chdir(self): pass\ndef f(x):\n return Path().chdir()",
    "import os\ndef f(x):\n return os.getcwd()",
    "import warnings\ndef f(x):\n warnings.warn('x')",
    "def f(x):\n return f(x - 1) if x else 0",
]


@pytest.mark.parametrize("source", SEEN)
def test_what_changes_the_whole_process_is_seen(source: str) -> None:
    found = shared_context(namespace_of(source)["f"])
    assert found is not None
    assert f"{SEEN[source]}" in found


@pytest.mark.parametrize("source", UNSEEN)
def test_what_does_not_is_left_alone(source: str) -> None:
    if "numpy" in source:
        pytest.importorskip("numpy")
    assert shared_context(namespace_of(source)["f"]) is None


def hidden(monkeypatch: pytest.MonkeyPatch, source: str) -> Any:
    """Return a function of a module that looks like an installed one."""
    import json

    module = types.ModuleType("hidden_package")
    file = str(Path(json.__file__).parent / "hidden_package.py")
    module.__file__ = file
    exec(compile(source, file, "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "hidden_package", module)
    return module


def test_a_folder_that_an_installed_function_changes_is_noticed(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = hidden(monkeypatch, "import os\ndef go(name):\n    os.chdir(name)\n")
    before = os.getcwd()
    with engine.lease(backends.find("threads"), 2) as pool, pytest.raises(BackendUnavailable, match="working direc"):
        engine.run_pass(lambda name: module.go(name), names, pool)
    assert os.getcwd() == before


def test_filters_of_warnings_that_overlapping_items_leave_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    module = hidden(monkeypatch, "from warnings import catch_warnings as context\n")
    both, left = threading.Barrier(2, timeout=30), threading.Event()

    def item(number: int) -> int:
        if number:
            both.wait()
        with module.context(record=True):
            if number:
                left.set()
                both.wait()
            else:
                both.wait()
                assert left.wait(30)
        if not number:
            both.wait()
        return number

    with warnings.catch_warnings(record=True) as caught:
        filters = warnings.filters
        with engine.lease(backends.find("threads"), 2) as pool:
            assert engine.run_pass(item, [0, 1], pool, engine.PassOptions(chunk=1)).values == [0, 1]
        assert warnings.filters is filters
        warnings.simplefilter("always")
        warnings.warn("seen", stacklevel=1)
    assert [str(one.message) for one in caught] == ["seen"]


def test_one_thread_may_do_all_of_it(names: list[str]) -> None:
    def item(name: str) -> str:
        with contextlib.chdir(name):
            return os.path.basename(os.getcwd())

    with engine.lease(backends.find("threads"), 1) as pool:
        assert engine.run_pass(item, names, pool).values == [os.path.basename(name) for name in names]


@pytest.fixture
def precise(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that is called mpmath and computes at other precisions as that does."""
    module = types.ModuleType("mpmath")
    exec(PRECISE, module.__dict__)
    monkeypatch.setitem(sys.modules, "mpmath", module)
    return module


PRECISE = """
class Context:
    prec = 53
    def zeta(self, x):
        before, self.prec = self.prec, self.prec + 20
        try:
            return x * self.prec
        finally:
            self.prec = before
class Number:
    def __mul__(self, other):
        return (other, mp.prec)
mp = Context()
zeta = mp.zeta
"""
PRECISELY = {
    "the module": "import mpmath\ndef f(x): return mpmath.zeta(x)",
    "its context": "from mpmath import mp\ndef f(x): return mp.zeta(x)",
    "a method of that": "from mpmath import zeta as z\ndef f(x): return z(x)",
    "imported inside": "import mpmath\ndef f(x):\n from mpmath import zeta\n return zeta(x)",
    "one function further": "import mpmath\ndef g(x): return mpmath.zeta(x)\ndef f(x): return g(x)",
}


@pytest.mark.parametrize("source", PRECISELY.values(), ids=PRECISELY)
def test_what_computes_at_another_precision_for_a_while_is_seen(source: str, precise: types.ModuleType) -> None:
    found = shared_context(namespace_of(source)["f"])
    assert found is not None
    assert found.endswith(" uses mpmath, which changes the precision")


def test_numbers_compute_at_the_precision_that_they_find(precise: types.ModuleType) -> None:
    assert shared_context(namespace_of("def f(x): return n * x", n=precise.Number())["f"]) is None


def test_items_at_another_precision_run_as_the_plain_loop_in_threads(precise: types.ModuleType, shell: Shell) -> None:
    shell.run("from mpmath import mp")
    ran = shell.run("%%parallel -b threads -w 4 --no-plot --assume-pure\nout = [mp.zeta(x) for x in range(5)]")
    assert "uses mpmath, which changes the precision of the whole process" in " ".join(ran.shown.split())
    assert shell.names["out"] == [x * 73 for x in range(5)]
    assert precise.mp.prec == 53
