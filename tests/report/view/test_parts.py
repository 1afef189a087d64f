from __future__ import annotations

from concompare.report.view.parts import Curve, Point


def test_a_fit_goes_on_where_the_measured_workers_end() -> None:
    curve = Curve("threads", "threads", (Point(1, 2.0), Point(2, 1.0)), tuple((n, 1.0, 1.5, 2.0) for n in (1, 2, 3)))
    assert curve.beyond == ((2, 1.0, 1.5, 2.0), (3, 1.0, 1.5, 2.0))
