"""Every worker pays for `import concompare`, and every notebook for `%load_ext concompare`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_importing_the_package_loads_next_to_nothing() -> None:
    """Not even `typing`; `-S`, for what `site` loads to find the package is not ours."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; before = set(sys.modules); import concompare\n"
    code += "print(*(set(sys.modules) - before))"
    words = [sys.executable, "-S", "-c", code, str(Path(__file__).parents[2] / "src")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=True)
    assert set(done.stdout.split()) <= {"concompare", "__future__"}


def test_exceptions_are_at_hand_without_anything_heavy() -> None:
    assert not loaded_by("from concompare import CellRefused, WorkerDied") & HEAVY


def test_a_worker_loads_the_standard_library_and_cloudpickle_only() -> None:
    loaded = loaded_by("import concompare.worker.chunk")
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
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "concompare")
assert shell.find_cell_magic("concompare") and shell.find_line_magic("parallel")
print(*(set(sys.modules) - before))
"""


def test_load_ext_loads_only_what_the_magics_are_made_of() -> None:
    names = set(run(LOAD).split())
    assert {name for name in names if name.startswith("concompare")} <= {
        "concompare", "concompare.errors", "concompare.formats", "concompare.interrupts", "concompare.ipython",
        "concompare.ipython.arguments", "concompare.ipython.command_line", "concompare.ipython.display",
        "concompare.ipython.loading_ahead", "concompare.ipython.magics", "concompare.ipython.source",
            "concompare.ipython.tracebacks",
        "concompare.libraries", "concompare.worker", "concompare.worker.clocks",
    }  # fmt: skip
    assert not {name.partition(".")[0] for name in names} & (HEAVY - {"IPython"})


FIRST = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config
settings = Config()
settings.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=settings)
with capture_output() as caught:
    shell.run_line_magic("load_ext", "concompare")
    from concompare.engine import pool_pass
    pool_pass.PROGRESS = 600.0  # on a busy machine it would look at the workers' memory, with psutil
    shell.run_cell("%%parallel {options}\\nout = [n * n for n in range(10)]").raise_error()
assert shell.user_ns["out"] == [n * n for n in range(10)]
(shown,) = caught.outputs
assert "10 items in" in shown.data["text/plain"] and "<table" in shown.data["text/html"]
"""


@pytest.mark.parametrize("options", ["-b threads", "-b processes -w 2", "-b serial", ""])
def test_the_first_run_of_a_kernel_imports_nothing_that_it_does_not_show(options: str) -> None:
    """Its summary is a line and a small table, as text and as HTML: no picture, no fitted curve, no terminal page."""
    patient = "from concompare.engine import pool_pass\npool_pass.PROGRESS = 3600"  # later it looks at workers' memory
    loaded = loaded_by(f"{patient}\n{FIRST.format(options=options)}")
    assert not loaded & {"PIL", "loky", "matplotlib", "numpy", "pandas", "psutil", "rich", "threadpoolctl"}


LATER = (
    *("cells.distribution.ahead", "cells.explaining", "cells.inside", "cells.replay.calling", "cells.replay.frames"),
    *("cells.replay.front", "cells.replay.independent", "cells.short_form", "cells.short_steps"),
    *(
        "analysis.pick",
        "analysis.stats",
        "backends.processes",
        "engine.cpu_timeline",
        "engine.shortcuts",
        "engine.transport",
        "measure",
        "pythons",
        "report.html.html",
    ),
    *("report.plots", "report.report", "report.text.text", "run.inside", "worker.remote"),
)
"""Rooms of ours that a first trivial cell does not need: loaded where the cell has what they are for."""
PACKAGES = {
    *(
        "PIL",
        "cloudpickle",
        "ctypes",
        "difflib",
        "email",
        "importlib.metadata",
        "jinja2",
        "loky",
        "matplotlib",
        "multiprocessing",
    ),
    *("numpy", "pandas", "platform", "psutil", "rich", "subprocess", "threadpoolctl", "tqdm", "zipfile"),
}
"""The same of other packages."""


def test_a_first_trivial_cell_in_threads_loads_no_room_that_it_does_not_enter() -> None:
    code = FIRST.format(options="-b threads").replace(
        "with capture_output", "before = set(sys.modules)\nwith capture_output"
    )
    loaded = set(run(f"{code}\nprint(*(set(sys.modules) - before))").split())
    ours = {name.removeprefix("concompare.") for name in loaded if name.startswith("concompare.")}
    assert {"cells.program", "cells.replay.binding", "engine.pool_pass", "report.html.brief"} <= ours
    assert {name for name in ours for room in LATER if f"{name}.".startswith(f"{room}.")} == set()
    assert {name for name in ours if name.startswith("cells.pools.")} <= {"cells.pools.known"}
    assert loaded & PACKAGES == set()


FEATURES = {
    "cells.pools.session": "with ThreadPoolExecutor(2) as pool:\n    out = list(pool.map(abs, range(3)))",
    "cells.inside.following": "def f(n):\n    return [abs(k) for k in range(n)]\nout = f(3)",
    "cells.replay.calling.caller": "def f(n):\n    return n * n\nout = sorted([1, 2], key=f)",
    "cells.distribution.ahead.rewriting": "todo, out = [1, 2], []\nwhile todo:\n    out.append(abs(todo.pop()) ** 2)",
}
"""Cells that need a room, by the room."""


@pytest.mark.parametrize("room", FEATURES)
def test_a_room_is_loaded_where_a_cell_has_what_it_is_for(room: str) -> None:
    code = FIRST.partition("with capture_output() as")[0] + (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with capture_output():\n"
        "    shell.run_line_magic('load_ext', 'concompare')\n"
        "    shell.user_ns['ThreadPoolExecutor'] = ThreadPoolExecutor\n"
        f"    shell.run_cell({'%%parallel -b threads' + chr(10) + FEATURES[room]!r}).raise_error()\n"
        f"print('concompare.{room}' in sys.modules)"
    )
    assert run(code) == "True\n"


@pytest.mark.slow
def test_a_picture_is_still_drawn_where_there_is_one() -> None:
    several = FIRST.format(options="-b serial,threads -w 2").replace("10 items in", "threads")
    assert {"matplotlib", "rich"} <= loaded_by(several)


def test_a_known_backend_is_found_without_a_look_at_installed_packages() -> None:
    names = run("import sys, concompare.backends as b\nb.find('threads')\nprint('importlib.metadata' in sys.modules)")
    assert names == "False\n"
