"""Every worker pays for `import concompare`, and every notebook for `%load_ext concompare`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "IPython", "cloudpickle", "jinja2", "loky", "matplotlib", "multiprocessing", "numpy", "pandas", "psutil", "rich",
    "threadpoolctl", "tqdm",
}  # fmt: skip


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that are loaded after the code ran."""
    names = run(f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')").split()
    return {name.partition(".")[0] for name in names}


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import concompare")
    assert "concompare" in loaded
    assert not loaded & HEAVY


def test_exceptions_are_at_hand_without_anything_heavy() -> None:
    assert not loaded_by("from concompare import CellRefused, WorkerDied") & HEAVY


def test_a_worker_loads_the_standard_library_and_cloudpickle_only() -> None:
    loaded = loaded_by("import concompare.worker")
    extra = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert extra - {"concompare", "cloudpickle", "sitecustomize", "usercustomize", "distutils-precedence"} == set()


def test_auto_chooses_without_numpy_and_what_draws() -> None:
    loaded = loaded_by("import concompare\nfor _ in range(3): concompare.map(lambda n: sum(range(n)), [9_000] * 400)")
    assert "concompare" in loaded
    assert not loaded & {"IPython", "jinja2", "matplotlib", "numpy", "pandas", "rich"}


def test_public_names_all_exist() -> None:
    out = run("import concompare as c\nfor name in c.__all__: getattr(c, name)\nprint(c.environment)")
    assert out.startswith("<function environment")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import concompare

    with pytest.raises(AttributeError, match="module 'concompare' has no attribute 'no_such_name'"):
        concompare.no_such_name  # noqa: B018


LOAD = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
began = time.perf_counter()
shell.run_line_magic("load_ext", "concompare")
seconds = time.perf_counter() - began
assert shell.find_cell_magic("concompare") and shell.find_line_magic("parallel")
print(seconds, *(set(sys.modules) - before))
"""


def test_load_ext_is_quick() -> None:
    runs = [run(LOAD).split() for _ in range(3)]
    assert min(float(seconds) for seconds, *_ in runs) < 0.150
    assert not {name.partition(".")[0] for name in runs[0][1:]} & (HEAVY - {"IPython"})
