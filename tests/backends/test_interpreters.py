"""Sub-interpreters: what can be loaded there runs, what cannot is named."""

from __future__ import annotations

import asyncio
import concurrent.futures
import platform
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from concompare import backends, engine
from concompare.backends import interpreters
from concompare.errors import BackendUnavailable

THERE = hasattr(concurrent.futures, "InterpreterPoolExecutor")
needed = pytest.mark.skipif(not THERE, reason="NO SUB-INTERPRETERS: they need Python 3.14")


def define(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(source, namespace)
    return namespace["f"]


def run(function: Any, items: Any, workers: int = 2, **options: Any) -> engine.Outcome:
    with engine.lease(backends.find("interpreters"), workers) as pool:
        return engine.run_pass(function, items, pool, engine.PassOptions(**options))


def refusal(package: str, version: str) -> str:
    return f"not possible here: {package} {version} does not support sub-interpreters"


@pytest.mark.skipif(THERE, reason="this Python has sub-interpreters")
def test_an_older_python_says_what_it_lacks() -> None:
    reason = f"sub-interpreters need Python 3.14 or newer, and this is {platform.python_version()}"
    assert backends.find("interpreters").unavailable() == reason


@needed
@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\ndef f(x): return np.sum(x)",
        "from numpy import sum\nf = lambda x: sum(x)",
        "def f(x):\n    import numpy.linalg\n    return x",
        "def g(x):\n    def h():\n        from numpy import sum\n    return h\ndef f(x): return g(x)",
    ],
)
def test_a_module_that_refuses_is_named_before_anything_runs(source: str, no_leaks: None) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        run(define(source), [1])
    assert str(caught.value) == refusal("numpy", np.__version__)


@needed
def test_an_item_that_needs_such_a_module_is_named_too(no_leaks: None) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        run(define("def f(x): return 1"), [1, np.zeros(3)])
    assert str(caught.value) == refusal("numpy", np.__version__)


@needed
def test_a_function_is_tried_once(no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []

    def note(blob: bytes) -> str:
        tried.append(blob)
        return ""

    monkeypatch.setattr(interpreters, "REFUSALS", {})
    monkeypatch.setattr(interpreters, "tried", note)
    function = define("def f(x): return x + 1")
    assert run(function, range(9)).values == list(range(1, 10))
    assert run(function, range(9), 3).values == list(range(1, 10))
    assert len(tried) == 1


@needed
def test_every_worker_is_an_interpreter_with_a_lock_of_its_own(no_leaks: None) -> None:
    source = "def f(x):\n    import _interpreters\n    return _interpreters.get_current()[0]"
    with engine.lease(backends.find("interpreters"), 3) as pool:
        assert pool.got == 3
        values = engine.run_pass(define(source), range(60), pool, engine.PassOptions(chunk=1)).values
    import _interpreters  # type: ignore[import-not-found]

    assert _interpreters.get_main()[0] not in values


@needed
@pytest.mark.parametrize(
    "source",
    ["def f(x):\n    while True: x += 1", "import asyncio\nasync def f(x): await asyncio.sleep(3600)"],
    ids=["computes", "waits"],
)
def test_what_runs_ends_with_its_pass(source: str, no_leaks: None) -> None:
    assert run(define(source), [0, 1], cap=0.3).stopped


@needed
def test_a_coroutine_function_has_a_loop_in_its_interpreter(no_leaks: None) -> None:
    function = define("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return -x")

    async def notebook() -> list[Any]:
        return run(function, range(5)).values

    assert asyncio.run(notebook()) == [0, -1, -2, -3, -4]


@needed
def test_an_executor_that_is_shut_down_finishes_what_it_has() -> None:
    executor = interpreters.InterpreterExecutor(2)
    future = executor.submit(abs, -3)
    executor.shutdown()
    assert future.result(0) == 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("concompare-interpreter")]


@needed
def test_python_ends_while_interpreters_are_kept_warm() -> None:
    source = "import concompare\nprint(concompare.map(abs, [-1, -2], backend='interpreters', workers=2))"
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=500, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[1, 2]\n", "")
