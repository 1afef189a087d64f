from __future__ import annotations

import sys
import types

import pytest

from concompare.cells.effects.kinds import type_named


def test_a_type_is_found_once_its_module_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("imported_by_the_next_cell")
    module.Thing = type("Thing", (), {})  # type: ignore[attr-defined]

    before = type_named("imported_by_the_next_cell.Thing")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    assert before is None
    assert type_named("imported_by_the_next_cell.Thing") is module.Thing
