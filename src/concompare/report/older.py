"""Reports of older versions: what they do not say is added."""

from __future__ import annotations

from dataclasses import replace

from concompare.backends import kind_of_ours
from concompare.records import Comparison, Trial

MARK = " @ "
"""Between the kind of workers and the other Python in a trial's name."""
ROUNDING = ": rounding"
"""End of what was said of results that differ in their last digits only."""


def with_kinds(comparison: Comparison) -> Comparison:
    """Return a comparison whose trials say of what kind their workers are, by the backends' names.

    Of backends of other packages, and of executors of the user, it is not known any more.
    """
    return replace(comparison, trials=tuple(map(with_kind, comparison.trials)))


def with_kind(trial: Trial) -> Trial:
    """Return a trial that says of what kind its workers are."""
    trial = replace(trial, rounding=trial.same is False and (trial.difference or "").endswith(ROUNDING))
    name, _, python = trial.backend.partition(MARK)
    kind = kind_of_ours(name)
    if kind is None:
        return trial
    return replace(trial, isolation=kind["isolation"], traits=replace(kind["traits"], python=python))
