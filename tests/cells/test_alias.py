"""Whether what changes may be what is read, on objects as a notebook holds them."""

from __future__ import annotations

from typing import Any

import pytest

from concompare.cells import alias


@pytest.mark.parametrize("make", [list, dict, set])
def test_a_container_that_one_name_holds_is_apart_from_more_than_is_looked_at(make: Any) -> None:
    namespace: dict[str, Any] = {"out": make(), "data": [[] for _ in range(alias.MOST + 1)]}
    assert not alias.overlap([namespace["out"]], [], [namespace["data"]], namespace)


@pytest.mark.parametrize("make", [list, dict, set])
def test_a_container_that_something_read_holds_too_overlaps(make: Any) -> None:
    out = make()
    namespace: dict[str, Any] = {"out": out, "data": [(1, out)]}
    del out
    assert alias.overlap([namespace["out"]], [], [namespace["data"]], namespace)
