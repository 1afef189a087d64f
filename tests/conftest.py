"""What all tests share: several run at once, but the ones that measure have the machine to themselves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.cells import plainly

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

TALLY = plainly.Tally()


@pytest.fixture
def tally() -> plainly.Tally:
    return TALLY


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait until this test may run: with others, or, where it is marked `alone`, with no other test of this run.

    Who waits to be alone holds the gate, so that no new test gets past it.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None or fcntl is None:
        yield
        return
    place = Path(tempfile.gettempdir())
    alone = request.node.get_closest_marker("alone") is not None
    with (place / f"tests-{run}.gate").open("w") as gate, (place / f"tests-{run}.room").open("w") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["cells"] = {name: sorted(v) if isinstance(v, set) else v for name, v in asdict(TALLY).items()}
    elif run := getattr(session.config, "run_uid", os.environ.get("PYTEST_XDIST_TESTRUNUID")):
        for name in ("gate", "room"):
            (Path(tempfile.gettempdir()) / f"tests-{run}.{name}").unlink(missing_ok=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    TALLY.add(getattr(node, "workeroutput", {}).get("cells", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.lifted or TALLY.generated:
        terminalreporter.write_line(TALLY.sentence())
