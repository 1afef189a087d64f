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


def test_what_axes_hold_is_found_without_making_their_ticks() -> None:
    """To make them takes long, and each figure of a dozen axes has hundreds."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure, axes = pyplot.subplots(2)
    try:
        before = [len(vars(part.xaxis).get("majorTicks", ())) for part in axes]
        found = alias.Reach({})([axes[0]])
        assert [len(vars(part.xaxis).get("majorTicks", ())) for part in axes] == before
        assert {id(figure), id(axes[1]), id(axes[1].xaxis.label)} <= found
        tick = axes[1].xaxis.get_major_ticks()[-1]
        assert id(tick) in alias.Reach({})([axes[0]])
    finally:
        pyplot.close(figure)
