from __future__ import annotations

import json
import sys
import types
import warnings
from typing import Any

import pytest

from concompare.cells.effects.live import MISSING, held


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """An installed module that loads a part of it when it is asked for, as numpy does `random`."""
    module = types.ModuleType("loads_its_parts_late")
    module.__file__ = json.__file__

    def load(name: str) -> Any:
        warnings.warn("somebody else's", DeprecationWarning, stacklevel=2)
        if name != "part":
            raise AttributeError(name)
        return json

    module.__getattr__ = load  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_part_that_an_installed_module_loads_late_is_seen_without_its_warnings(lazy: types.ModuleType) -> None:
    assert held(lazy, "part") is json
    assert held(lazy, "other") is MISSING


def test_no_code_of_a_module_of_the_user_runs(lazy: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy.__name__, lazy.__file__ = "loads_its_parts_late_too", "/home/of/a/user.py"
    monkeypatch.setitem(sys.modules, lazy.__name__, lazy)

    assert held(lazy, "part") is MISSING
