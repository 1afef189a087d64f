"""Names of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats

if TYPE_CHECKING:
    from concompare.records import Trial


def name_of(trial: Trial) -> str:
    """Return a trial's backend as shown."""
    name = formats.one_name(trial.label or trial.backend)
    if trial.native_threads is not None:
        name += f" ({formats.count(trial.native_threads, 'BLAS thread')})"
    return name


def configuration(trial: Trial) -> str:
    """Return a trial's backend and worker count as shown ("processes × 4", "plain loop")."""
    return name_of(trial) if trial.plain else f"{name_of(trial)} × {trial.workers}"
