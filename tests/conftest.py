"""What all tests share: several run at once, but the ones that measure have the machine to themselves."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from concompare.measure import plan
from tests.cells import work_calls

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

TALLY = work_calls.Tally()
WHOLE = Path(__file__).parent / "system"
SLOW_TO_START = {"loky", "process-per-item"}  # to start their workers is half the computing of all tests of backends
# `nbformat` loads it by `jsonschema`, for a format that no test has: its 39 grammars take up to five seconds each time.
sys.modules.setdefault("rfc3987_syntax", types.ModuleType("rfc3987_syntax"))
gc.disable()  # while tests are collected: nothing of them goes, and it would look at all of them again and again
os.environ["CONCOMPARE_CACHE"] = "off"  # no test reads or writes what the user's own runs have left

# A change is judged by the same drawn cells as the last one; `make generated` draws others each time.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as `nohup` and shells in the background leave it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test of a start method that this system does not have."""
    named = getattr(item, "callspec", None)
    for value in () if named is None else named.params.values():
        forks = isinstance(value, str) and value in ("fork", "forkserver")
        if forks and value not in multiprocessing.get_all_start_methods():
            pytest.skip(f"this system cannot start processes by {value}")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what `-m` says
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones, and let those that run alone come first: later each would wait for the slowest other."""
    for item in items:
        named = getattr(item, "callspec", None)
        texts = {value for value in (() if named is None else named.params.values()) if isinstance(value, str)}
        if not texts.isdisjoint(SLOW_TO_START) or item.get_closest_marker("alone") or item.path.is_relative_to(WHOLE):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("alone") is None)


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once: two for each CPU, as those with kernels and workers mostly wait."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def tally() -> work_calls.Tally:
    return TALLY


@pytest.fixture(autouse=True, scope="module")
def young() -> None:
    """Let the collector leave alone what earlier tests hold: every reset of a shell has it look at everything."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def same_place() -> Iterator[None]:
    """Put the current folder and the search path back: later tests, and their workers, import modules by them."""
    folder, path = os.getcwd(), list(sys.path)
    yield
    os.chdir(folder)
    sys.path[:] = path


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait until this test may run: with others, or, where it is marked `alone`, with no other test of this run.

    Who waits to be alone holds the gate, so that no new test gets past it. The locks are those that a forked child does
    not have, such as a worker that stays for the next test.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None or fcntl is None:
        yield
        return
    place = Path(tempfile.gettempdir())
    alone = request.node.get_closest_marker("alone") is not None
    with (place / f"tests-{run}.gate").open("a+") as gate, (place / f"tests-{run}.room").open("a+") as room:
        fcntl.lockf(gate, fcntl.LOCK_EX)
        fcntl.lockf(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.lockf(gate, fcntl.LOCK_UN)
        yield


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pass of a comparison be stopped as hopeless, as any may seem on a busy machine."""
    monkeypatch.setattr(plan, "cap", lambda *_: None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["cells"] = TALLY.as_data()
    elif run := getattr(session.config, "run_uid", os.environ.get("PYTEST_XDIST_TESTRUNUID")):
        for name in ("gate", "room"):
            (Path(tempfile.gettempdir()) / f"tests-{run}.{name}").unlink(missing_ok=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    TALLY.add(getattr(node, "workeroutput", {}).get("cells", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.lifted or TALLY.generated:
        terminalreporter.write_line(TALLY.sentence())
