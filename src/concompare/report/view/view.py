"""Build the View of a comparison. Text and HTML are written from one View, so they cannot disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats
from concompare.analysis import pick as advise
from concompare.report.view import verdict
from concompare.report.view.details import folds_of
from concompare.report.view.model import Fold, Pictures, View
from concompare.report.view.parts import Remark
from concompare.report.view.plot_data import curves_of, pictures_of, plain_seconds
from concompare.report.view.table import folded, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from concompare.records import Comparison, Finding

__all__ = ["View", "view_of"]

DOUBTS = {
    "machine-busy": "Measured on a busy machine: see machine-busy.",
    "too-noisy": "What looks faster here may not be: see too-noisy.",
}
"""Findings that a reader has to know before the numbers, and what is said there."""


def view_of(
    comparison: Comparison,
    findings: Iterable[Finding] = (),
    pick: advise.Pick | None = None,
    *,
    doing: str = "",
    fraction: float = 1.0,
    so_far: str = "",
) -> View:
    """Return the view of a comparison.

    Args:
        comparison: What was measured, complete or so far.
        findings: The findings about it.
        pick: What to recommend; picked here when None and the comparison is complete.
        doing: What is being done now, while it is being measured.
        fraction: How much of it is done, while it is being measured.
        so_far: What would be recommended by now, while it is being measured.
    """
    if doing:
        return partial_view(comparison, doing, fraction, so_far)
    pick = pick or advise.pick(comparison)
    trial = verdict.trial_of(comparison, pick)
    picked = None if trial is None else (trial.backend, trial.workers, trial.native_threads)
    says, interval = verdict.headline(comparison, pick)
    reasons = (
        verdict.because(comparison, pick),
        verdict.sureness(comparison, pick),
        verdict.break_even(pick),
    )
    because = " ".join(filter(None, reasons))
    found = tuple(findings)
    table, rest = folded(table_of(comparison, picked))
    others = () if rest is None else (Fold(f"The other {formats.count(len(rest.rows), 'trial')}", table=rest),)
    code = "" if trial is None or trial.plain else advise.takeaway(comparison, pick)
    return View(
        headline=says,
        interval=interval,
        change=verdict.change(comparison, pick),
        because=because,
        line=formats.one_line(pick.line, 300) if trial is not None else "",
        table=table,
        remarks=tuple(remark_of(finding) for finding in found),
        folds=(*others, *folds_of(comparison, pick, code, tuple(finding.code for finding in found))),
        pictures=pictures_of(comparison, picked),
        notices=tuple(DOUBTS[finding.code] for finding in found if finding.code in DOUBTS),
    )


def remark_of(finding: Finding) -> Remark:
    """Return a finding as it is said."""
    return Remark(
        formats.one_line(finding.code, 40),
        formats.one_line(finding.summary, 500),
        formats.one_line(finding.advice, 500),
    )


def partial_view(comparison: Comparison, doing: str, fraction: float, so_far: str = "") -> View:
    """Return the view of a comparison that is still being measured: the plan and the rows so far."""
    plan = comparison.plan
    expected = ""
    if plan is not None:
        expected = f"about {formats.round_seconds(plan.estimate)}, {formats.round_seconds(plan.budget)} at most"
    return View(
        headline=f"Comparing {formats.one_name(comparison.subject.name, 60)}",
        interval="",
        change=expected,
        because=formats.one_line(so_far[:1].upper() + so_far[1:], 200),
        line="",
        table=table_of(comparison, None, partial=True),
        pictures=Pictures(curves=curves_of(comparison, None, fits=False), plain=plain_seconds(comparison)),
        notices=tuple(formats.one_line(step, 300) for step in plan.steps) if plan else (),
        doing=formats.one_line(doing, 200),
        fraction=min(1.0, max(0.0, fraction)),
    )
