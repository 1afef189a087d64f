from __future__ import annotations

import pytest

from tests.cells import plainly

TALLY = plainly.Tally()


@pytest.fixture
def tally() -> plainly.Tally:
    return TALLY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.lifted:
        terminalreporter.write_line(TALLY.sentence())
