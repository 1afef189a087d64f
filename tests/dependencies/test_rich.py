"""What we rely on of rich that it does not document."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from concompare.report.text.text import text_of
from tests.report.views import view


def test_cells_are_counted_where_we_import_that_from() -> None:
    """`text`: columns of tables with wide letters would not stand under each other."""
    assert [cell_len(text) for text in ("", "abc", "並列", "a\u0301")] == [0, 3, 4, 1]


VIEW = view("mocked")
VARIABLES = {
    "NO_COLOR": "1", "FORCE_COLOR": "1", "COLUMNS": "33", "LINES": "3", "TERM": "dumb", "COLORTERM": "truecolor",
    "JUPYTER_COLUMNS": "44", "TTY_COMPATIBLE": "0", "TTY_INTERACTIVE": "1",
}  # fmt: skip


@pytest.mark.parametrize("styled", [True, False])
@pytest.mark.parametrize("name", VARIABLES)
def test_a_console_that_is_told_everything_asks_no_variable(
    name: str, styled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`text.text_of`: saved reports would depend on the terminal of whoever saves them."""
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    before = text_of(VIEW, styled=styled)
    assert ("\x1b[1m" in before) == styled
    monkeypatch.setenv(name, VARIABLES[name])
    assert text_of(VIEW, styled=styled) == before
