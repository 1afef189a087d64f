"""Warnings of items: with the notebook's filters, once for each place, as the plain loop shows them."""

from __future__ import annotations

import linecache
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from concompare import api
from concompare.worker import warnings_here

COUNT = 24
KINDS = ["threads", "processes", "spawn", "loky"]
NUMBERS = iter(range(10**6))
SOURCE = """
import warnings
class Own(UserWarning): pass
def fixed(x): warnings.warn("fixed")
def of_item(x): warnings.warn(f"item {x}", Own)
def late(x):
    if x > 15: warnings.warn("late")
def twice(x): warnings.warn("first"); warnings.warn("second"); warnings.warn("first")
def after_filters(x):
    with warnings.catch_warnings(): warnings.simplefilter("ignore")
    warnings.warn("again")
def error(x):
    try: warnings.warn("odd", RuntimeWarning)
    except RuntimeWarning as error: return str(error)
def recorded(x):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("inside")
    return len(caught)
"""
NAMES = ["fixed", "of_item", "late", "twice", "after_filters", "error", "recorded"]
FILTERS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "default": [("default", {})],
    "always": [("always", {})],
    "once": [("once", {})],
    "ignore": [("ignore", {})],
    "module": [("module", {})],
    "errors": [("default", {}), ("error", {"category": RuntimeWarning})],
    "texts": [("always", {}), ("ignore", {"message": "(item|first|late)"})],
    "of the notebook": [("always", {}), ("ignore", {"module": "__main__"})],
}


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of a notebook that has run the source."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    filename = f"<cell {next(NUMBERS)}>"
    linecache.cache[filename] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), filename)
    exec(compile(SOURCE, filename, "exec"), vars(main))
    yield vars(main)
    del linecache.cache[filename]


def shown(cell: dict[str, Any], name: str, how: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what a map gives, and the warnings that are shown."""
    told: list[Any] = []
    cell.pop("__warningregistry__", None)
    warnings.onceregistry.clear()  # type: ignore[attr-defined]
    with warnings.catch_warnings(), monkeypatch.context() as patch:
        for action, of in FILTERS[how]:
            warnings.filterwarnings(action, **of)  # type: ignore[arg-type]
        patch.setattr(
            warnings,
            "showwarning",
            lambda message, category, file, line, *_: told.append((str(message), category.__name__, file, line)),
        )
        values = [*api.map(cell[name], range(COUNT), backend=kind, workers=2)]
    return values, told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", FILTERS)
@pytest.mark.parametrize("name", NAMES)
def test_warnings_are_shown_as_in_the_plain_loop(
    name: str, how: str, kind: str, cell: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "threads" and name in ("after_filters", "recorded"):
        pytest.skip("not in threads, which share the filters")
    plain = shown(cell, name, how, "serial", monkeypatch)
    for _ in range(2):  # the second time by workers that have shown some
        assert shown(cell, name, how, kind, monkeypatch) == plain


def test_what_filters_cannot_be_sent_is_left_out() -> None:
    with warnings.catch_warnings():
        kind: Any = type("Own", (UserWarning,), {"__module__": "__main__", "__reduce__": None})
        warnings.filters.insert(0, ("ignore", None, kind, None, 0))  # type: ignore[attr-defined]
        assert b"ignore" in warnings_here.packed_filters()


def test_a_file_that_is_not_loaded_here_has_names_of_its_own() -> None:
    assert warnings_here.names_of(linecache.__file__)["__name__"] == "linecache"
    assert warnings_here.names_of("<a cell>") is vars(sys.modules["__main__"])
    found = warnings_here.names_of(__file__.replace("test_warnings_here", "test_caches"))
    assert found["__name__"] in ("test_caches", "tests.worker.test_caches")
