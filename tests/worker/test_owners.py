"""Whose a function, class or module is."""

from __future__ import annotations

import ast
import json
from typing import Any

import numpy as np
import pytest

from concompare import api
from concompare.worker.owners import is_own
from tests import records


@pytest.mark.parametrize(
    ("thing", "own"),
    [
        (records.trial, True),
        (records, True),
        (json.dumps, False),
        (json, False),
        (ast.AST, False),
        (np.ndarray, False),
        (api.map, False),
        (type("Mine", (), {"__module__": "__main__"}), True),
    ],
)
def test_what_is_installed_is_told_from_the_user_s(thing: Any, own: bool) -> None:
    assert is_own(thing) is own
