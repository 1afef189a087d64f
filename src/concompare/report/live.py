"""A comparison while it is measured: its plan, how far it is, and the table as it fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from concompare import formats
from concompare.analysis import pick
from concompare.report.html.html import html_of
from concompare.report.text.text import text_of
from concompare.report.view.view import view_of

if TYPE_CHECKING:
    from concompare.measure.compare import Progress


class Bar:
    """A line of a terminal with the part of a comparison that is done; gone at the end."""

    def __init__(self) -> None:
        self.bar: Any = None

    def show(self, progress: Progress) -> None:
        """Show this state."""
        from tqdm import tqdm

        if self.bar is None:
            looks = "{percentage:3.0f}%|{bar:20}| {desc}"
            self.bar = tqdm(total=100, leave=False, dynamic_ncols=True, bar_format=looks)
        self.bar.set_description_str(doing_of(progress), refresh=False)
        self.bar.update(round(100 * progress.fraction) - self.bar.n)
        self.bar.refresh()

    def close(self) -> None:
        """Leave nothing behind."""
        if self.bar is not None:
            self.bar.close()


def bundle_of(progress: Progress) -> dict[str, str]:
    """Return what a front end shows in place of the last state, as text and as HTML."""
    view = view_of(progress.comparison, doing=step_of(progress), fraction=progress.fraction, so_far=so_far_of(progress))
    return {"text/plain": text_of(view, details=False), "text/html": html_of(view)}


def doing_of(progress: Progress) -> str:
    """Return what is being done, the time that is left by the plan, and the pick so far, on one line."""
    return "; ".join(filter(None, (step_of(progress), so_far_of(progress))))


def step_of(progress: Progress) -> str:
    """Return what is being done, and the time that is left by the plan."""
    words = formats.one_line(progress.doing, 120) or "measuring"
    plan = progress.plan or progress.comparison.plan
    if plan is None or not 0 < progress.fraction < 1:
        return words
    if progress.at_most is not None:
        left = formats.round_seconds(progress.at_most)
        return f"{words}, longer than planned, {left} left at most"
    return f"{words}, about {formats.round_seconds((1 - progress.fraction) * plan.estimate)} left"


def so_far_of(progress: Progress) -> str:
    """Return the pick so far and how sure it is; nothing before there is one, and at the end."""
    best = pick.so_far(progress.comparison) if progress.fraction < 1 else ""
    return f"{best}, an interrupt takes it" if best else ""
