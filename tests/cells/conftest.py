from __future__ import annotations

from collections.abc import Iterator

from tests.cells import plainly
import pytest

TALLY = plainly.Tally()


@pytest.fixture
def tally() -> Iterator[plainly.Tally]:
    yield TALLY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.lifted:
        terminalreporter.write_line(TALLY.sentence())
