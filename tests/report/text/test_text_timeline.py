from __future__ import annotations

import pytest

from concompare.report.text.text_timeline import blocks_of, strips_of
from concompare.report.view.parts import Span, Strip, Strips, Timeline
from tests.report.views import view


def spans(*parts: tuple[float, float, float]) -> tuple[Span, ...]:
    """Spans from start to end, computing for a share of the time and blocked for the rest."""
    return tuple(Span(a, b, (("computing", share), ("lock", 1 - share))) for a, b, share in parts)


def test_the_height_is_the_share_computed_and_no_item_is_blank() -> None:
    strip = Strip("1", spans((0.0, 1.0, 1.0), (1.0, 2.0, 0.5), (2.0, 3.0, 0.0)))
    assert blocks_of(strip, 4.0, 4) == "█▄· "
    assert blocks_of(strip, 4.0, 8) == "██▄▄··  "


def test_a_column_mixes_what_happened_in_it() -> None:
    strip = Strip("1", spans((0.0, 0.25, 1.0), (0.75, 1.0, 1.0)))
    assert blocks_of(strip, 2.0, 2) == "▄ "


def test_strips_have_their_trial_their_worker_and_the_time() -> None:
    one = Strips("threads", "threads × 2", (Strip("1", spans((0.0, 0.5, 0.5))), Strip("2", spans((0.5, 1.0, 0.5)))))
    lines = strips_of(Timeline((one,), 0.5, whole=False), 40)
    assert lines[0] == "who did what when (first 500 ms)  ▂█ computing  · waiting"
    assert lines[1] == "threads × 2   1 " + "▄" * 23
    assert lines[2] == "              2"
    assert lines[3] == " " * 16 + "0" + " " * 16 + "500 ms"


def test_many_workers_are_counted() -> None:
    lane = Strip("1", spans((0.0, 1.0, 1.0)))
    lines = strips_of(Timeline((Strips("threads", "threads × 9", (lane,) * 8, 1),), 1.0, whole=True), 80)
    assert sum("█" * 10 in line for line in lines) == 4
    assert lines[5].strip() == "and 5 more workers"


def test_nothing_recorded_draws_nothing() -> None:
    assert strips_of(None, 80) == []


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", ["mocked", "twelve_backends", "many_workers", "hostile"])
def test_strips_fit_the_terminal(name: str, width: int) -> None:
    lines = strips_of(view(name).pictures.timeline, width)
    assert len(lines) >= 4
    assert max(map(len, lines)) <= width
