"""Files of the user's that are named like modules of Python's or like packages that concompare needs."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from concompare import HiddenModule, libraries

STANDARD = (
    *("random", "socket", "pickle", "string", "queue", "select", "token", "code", "csv", "statistics", "calendar"),
    *("secrets", "test", "utils", "numbers", "decimal", "fractions", "copy", "uuid", "zipfile", "mmap", "gettext"),
    *("hashlib", "bisect", "heapq", "timeit", "datetime", "glob", "textwrap", "getpass", "this", "profile", "cmd"),
)
"""Names of modules that people give their own files, and that concompare, numpy or the workers load."""

SCRIPT = """
import sys
{before}
import concompare

def work(n):
    {inside}
    return sum(range(n))

if __name__ == "__main__":
    print(sum(concompare.map(work, range(40), backend="processes", workers=1)))
    report = concompare.compare(work, range(40), backends=["processes"], workers=[1], budget=0.3)
    report.save("report.json")
    report.save("report.csv")
    report.save("report.html")
    print(report.best.backend in ("processes", "serial"))
    import {name}
    print({name}.MINE)
"""


def mine(folder: Path, *names: str) -> None:
    """Write files of these names, which are no good for what the library's modules are good for."""
    for name in names:
        (folder / f"{name}.py").write_text(f"MINE = {name!r}\n")


def run(folder: Path, **parts: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder."""
    (folder / "script.py").write_text(SCRIPT.format(**{"before": "", "inside": "pass", **parts}))
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "inside"),
    [("", "pass"), ("import csv", "import csv\n    assert csv.MINE == 'csv'")],
    ids=["late", "before"],
)
def test_a_script_beside_files_named_like_modules_of_python_works_and_has_its_own(
    tmp_path: Path, before: str, inside: str
) -> None:
    mine(tmp_path, *STANDARD)
    done = run(tmp_path, before=before, inside=inside, name="csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(sum(sum(range(n)) for n in range(40))), "True", "csv"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tempfile", "email"])
def test_a_file_named_like_what_python_imports_late_is_one_line(tmp_path: Path, name: str) -> None:
    mine(tmp_path, name, "random")
    done = run(tmp_path, name="random")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        f"concompare.errors.HiddenModule: {tmp_path / name}.py is found where Python's own {name} is looked for, which "
        "concompare needs: rename that file"
    )


@pytest.mark.parametrize("name", libraries.PACKAGES)
def test_a_file_named_like_a_package_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if PathFinder.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: what needed it may need it no more")
    mine(tmp_path, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(HiddenModule) as caught:
        libraries.load_from_libraries()
    assert str(caught.value) == (
        f"{tmp_path / name}.py is found where the package {name} is looked for, "
        "which concompare needs: rename that file"
    )
    assert name not in sys.modules


def test_a_file_named_like_a_package_that_is_not_installed_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "PACKAGES", (*libraries.PACKAGES, "nobodys_package"))
    mine(tmp_path, "nobodys_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "nobodys_package" not in dict(libraries.in_front())
    libraries.load_from_libraries()


def test_where_it_has_been_imported_python_has_to_start_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine(tmp_path, "rich")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    import rich

    assert rich.MINE == "rich"  # type: ignore[attr-defined]
    with pytest.raises(HiddenModule, match=r"rich\.py is found .* rename that file and start Python anew$"):
        libraries.load_from_libraries()
    del sys.modules["rich"]


def test_a_package_that_has_been_loaded_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    mine(tmp_path, "psutil")
    monkeypatch.syspath_prepend(str(tmp_path))
    libraries.load_from_libraries()
    assert sys.modules["psutil"] is psutil


def test_a_checkout_of_a_package_and_what_pip_has_put_somewhere_are_no_files_of_the_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("checkout/rich", "target/rich-1.0.dist-info", "other"):
        (tmp_path / folder).mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / folder.split("/")[0]))
    (tmp_path / "checkout/rich/__init__.py").write_text("")
    (tmp_path / "target/rich.py").write_text("")
    (tmp_path / "other/nothing_of_ours.py").write_text("")
    monkeypatch.delitem(sys.modules, "rich", raising=False)
    assert not dict(libraries.in_front()).keys() & {*libraries.PACKAGES}


def test_nothing_is_loaded_where_no_file_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine(tmp_path, "helpers", "random")  # `random` has been loaded
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(libraries, "load_ahead", lambda names: pytest.fail(f"loads for {names}"))
    libraries.load_from_libraries()


@pytest.mark.slow
def test_the_packages_are_all_that_concompare_loads() -> None:
    code = (
        "import concompare, sys\nfrom importlib import import_module\nfrom concompare import libraries\n"
        "for name in (*libraries.core(), *libraries.PACKAGES, *libraries.LATE):\n"
        "    try: import_module(name)\n    except ImportError: pass\n"
        "print(*sorted({name.partition('.')[0] for name, module in sys.modules.items()"
        " if 'site-packages' in (getattr(module, '__file__', '') or '')}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("_")}
    assert loaded - {"concompare", "mpl_toolkits", "pylab"} <= {*libraries.PACKAGES}


def test_the_extension_and_the_command_line_say_it_too(tmp_path: Path) -> None:
    mine(tmp_path, "jinja2")
    code = "from IPython.testing.globalipapp import start_ipython as start\n"
    code += "start().run_line_magic('load_ext', 'concompare')"
    for words, status in ((["-c", code], 1), (["-m", "concompare", "info"], 2)):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == status, done.stderr
        assert "jinja2.py is found where the package jinja2 is looked for" in done.stderr
