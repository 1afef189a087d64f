"""What the suites of others need to run among our tests."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring tests of the suites into an order that is the same in all processes: joblib's have sets as parameters."""
    places = [place for place, item in enumerate(items) if HERE in item.path.parents]
    ordered = sorted((items[place] for place in places), key=lambda item: item.nodeid)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item
        item.own_markers[:] = [as_theirs(mark) for mark in item.own_markers]


def as_theirs(mark: pytest.Mark) -> pytest.Mark:
    """Return a mark as it is meant where it comes from: what may fail there may pass as well."""
    if mark.name != "xfail" or "strict" in mark.kwargs:
        return mark
    decorator: pytest.MarkDecorator = pytest.mark.xfail(*mark.args, **{**mark.kwargs, "strict": False})
    return decorator.mark
