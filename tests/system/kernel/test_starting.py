"""Workers start wherever a notebook can be, and find the modules that it finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from concompare import backends
from tests.system.kernel.notebook import Cell, Notebook

KINDS = ("processes", "forkserver", "spawn", "loky", "mp-pool", "process-per-item")
LIBRARY = ("random", "string", "socket", "struct", "logging", "pickle", "queue", "threading", "selectors", "tempfile")
"""Modules of Python's that workers, or the fork server, need before anything of the user's."""
WORK = "def work(n):\n    return sum(i for i in range(3000)) + n"
EXPECTED = [sum(range(3000)) + n for n in range(8)]


def can_start(kind: str) -> bool:
    return backends.find(kind).unavailable() is None


def run_in_parallel(notebook: Notebook, kind: str, expression: str = "work(n)") -> Cell:
    return notebook.run(f"%%parallel -b {kind} -w 2\nout = [{expression} for n in range(8)]")


def check_every_kind(notebook: Notebook) -> None:
    notebook.run(WORK)
    for kind in filter(can_start, KINDS):
        notebook.run("out = None")
        cell = run_in_parallel(notebook, kind)
        assert notebook.value("out") == EXPECTED, kind
        assert f"on {backends.find(kind).label}" in cell.shown
        assert cell.stderr == ""


def test_with_a_long_folder_for_temporary_files(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with Notebook(TMPDIR=str(folder)) as notebook:
        notebook.run("%load_ext concompare")
        check_every_kind(notebook)
        notebook.run("%parallel --close")
        assert notebook.value("__import__('tempfile').gettempdir()") == str(folder)


def test_in_a_folder_that_has_been_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with Notebook(folder) as notebook:
        notebook.run(f"%load_ext concompare\nimport os; os.rmdir({str(folder)!r})")
        check_every_kind(notebook)
        notebook.run("def here(n):\n    try:\n        return os.getcwd()\n    except OSError:\n        return None")
        run_in_parallel(notebook, "processes", "here(n)")
        assert notebook.value("out") == [None] * 8
        notebook.run(f"os.chdir({str(tmp_path)!r})")
        run_in_parallel(notebook, "processes", "here(n)")
        assert notebook.value("out") == [str(tmp_path)] * 8


def test_with_a_search_path_that_holds_more_than_strings(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def half(n):\n    return n / 2\n")
    with Notebook() as notebook:
        notebook.run(
            "%load_ext concompare\nimport sys, pathlib\n"
            f"sys.path[:0] = [pathlib.Path('/tmp'), pathlib.PurePosixPath('/opt'), {str(tmp_path)!r}]\nimport beside"
        )
        check_every_kind(notebook)
        for kind in ("processes", "spawn"):
            run_in_parallel(notebook, kind, "beside.half(n)")
            assert notebook.value("out") == [n / 2 for n in range(8)]


def test_beside_files_named_like_python_s_modules(tmp_path: Path) -> None:
    for name in LIBRARY:
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('the {name}.py beside the notebook was loaded')\n")
    with Notebook(tmp_path) as notebook:
        notebook.run("%load_ext concompare")
        check_every_kind(notebook)


def test_items_find_the_modules_that_the_notebook_finds(tmp_path: Path) -> None:
    """Of `random` the notebook has Python's, of the others the user's: one it has imported, the others not yet."""
    names = ("random", "calendar", "shelve", "colorsys", "stat")
    for name in names:
        (tmp_path / f"{name}.py").write_text("own = True\n")
    find = (
        "def own(name):\n    import importlib, sys\n    return hasattr(importlib.import_module(name), 'own')\n"
        f"names = {names!r}\nimport calendar"
    )
    with Notebook(tmp_path) as notebook:
        notebook.run(f"%load_ext concompare\n{find}")
        for kind in ("processes", "spawn", "loky"):
            notebook.run(f"%%parallel -b {kind} -w 2 --assume-pure\nfound = [own(name) for name in names]")
            assert notebook.value("found") == notebook.value("[own(name) for name in names]"), kind


def test_without_a_home(tmp_path: Path) -> None:
    with Notebook(HOME=str(tmp_path / "none"), IPYTHONDIR=str(tmp_path)) as notebook:
        notebook.run("%load_ext concompare")
        check_every_kind(notebook)


@pytest.mark.skipif(os.name != "posix", reason="no limit of open files")
@pytest.mark.parametrize("more", [2, 12, 24])
def test_with_few_files_left_a_named_backend_says_so_and_the_default_runs(more: int) -> None:
    with Notebook() as notebook:
        notebook.run(f"%load_ext concompare\nimport os, resource\n{WORK}")
        notebook.run("%parallel -b threads -w 2 [work(n) for n in range(8)]")  # what it loads is loaded
        notebook.run(
            "most = len(os.listdir('/proc/self/fd' if os.path.isdir('/proc/self/fd') else '/dev/fd')) + "
            f"{more}\nresource.setrlimit(resource.RLIMIT_NOFILE, (most, most))"
        )
        notebook.run("%%parallel -w 2\nout = [work(n) for n in range(8)]")
        assert notebook.value("out") == EXPECTED
        cell = notebook.run("%%parallel -b spawn -w 12\nout = [work(n) for n in range(8)]", check=False)
        assert cell.status == "error"
        assert cell.error.startswith("BackendUnavailable: spawn: the workers cannot be started: [Errno 24]")
        assert cell.error.endswith("raise the limit (ulimit -n); or use -b threads.")
