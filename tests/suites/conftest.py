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
