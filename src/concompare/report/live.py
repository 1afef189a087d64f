"""A comparison while it is measured: its plan, how far it is, and the table as it fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats
from concompare.analysis import pick
from concompare.report.html.html import html_of
from concompare.report.text.text import text_of
from concompare.report.view.view import view_of

if TYPE_CHECKING:
    from concompare.measure.compare import Progress


def bundle_of(progress: Progress) -> dict[str, str]:
    """Return what a front end shows in place of the last state, as text and as HTML."""
    view = view_of(progress.comparison, doing=doing_of(progress), fraction=progress.fraction)
    return {"text/plain": text_of(view, details=False), "text/html": html_of(view)}


def doing_of(progress: Progress) -> str:
    """Return what is being done, the time that is left by the plan, and the pick so far."""
    words = formats.one_line(progress.doing, 120) or "measuring"
    so_far = pick.so_far(progress.comparison) if progress.fraction < 1 else ""
    best = f"; {so_far}, an interrupt takes it" if so_far else ""
    plan = progress.plan or progress.comparison.plan
    if plan is None or not 0 < progress.fraction < 1:
        return words + best
    return f"{words}, about {formats.round_seconds((1 - progress.fraction) * plan.estimate)} left{best}"
