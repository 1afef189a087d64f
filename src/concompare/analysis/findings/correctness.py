"""Findings on results: different ones, hidden state, shared random numbers; and the good news."""

from __future__ import annotations

from concompare import formats
from concompare.analysis.findings import evidence, gil, overhead
from concompare.records import Comparison, Finding

WELL = 0.75
"""Speed-up over what the CPUs can give from which on a trial scales well."""
LEAST = 1.15
"""Speed-up below which nothing scales."""


def results_differ(comparison: Comparison) -> Finding | None:
    """A backend gave results other than the plain loop's."""
    wrong = [trial for trial in comparison.trials if trial.same is False]
    if not wrong:
        return None
    first = wrong[0]
    rows = ", ".join(f"{t.label or t.backend} × {t.workers}" for t in wrong)
    how = f": {first.difference}" if first.difference else ""
    if all(trial.rounding for trial in wrong):
        return Finding(
            "results-differ",
            f"{rows} gave results that differ from the plain loop's in their last digits{how}.",
            "BLAS and OpenMP add in another order with another number of threads, and workers have fewer each. Where"
            " the last digits do not matter, name the backend yourself; for the same bits everywhere, compare and run"
            " with --native-threads 1.",
            (("trials that differ", float(len(wrong))),),
            (first.backend, first.workers),
        )
    return Finding(
        "results-differ",
        f"{rows} gave results other than the plain loop's{how}.",
        "They are never picked. Look for random numbers (--seed), state that items share, or the order of items.",
        (("trials that differ", float(len(wrong))),),
        (first.backend, first.workers),
    )


def hidden_state(comparison: Comparison) -> Finding | None:
    """The function changes something that the notebook's copy does not see."""
    found = comparison.probe.hidden_state
    if not found:
        return None
    return Finding(
        "hidden-state",
        f"Workers changed their own copy of {', '.join(f'`{name}`' for name in found)}: those changes are lost.",
        "Return what changed as part of the result, and put it together in the loop.",
        (("objects changed", float(len(found))),),
    )


def shared_random(comparison: Comparison) -> Finding | None:
    """Two workers drew the same random numbers."""
    found = comparison.probe.shared_random
    if not found:
        return None
    return Finding(
        "shared-random",
        f"Workers drew the same random numbers (`{found}`): their results are not independent.",
        "Use --seed N, which gives every item its own stream, the same on every backend.",
    )


def scales_well(comparison: Comparison) -> Finding | None:
    """The pick uses what the machine can give."""
    best = evidence.picked(comparison)
    between = evidence.speed(best, comparison) if best is not None else None
    if best is None or between is None or best.workers < 2 or between.mid < LEAST:
        return None
    waiting, possible = evidence.waiting_task(comparison), evidence.possible(best, comparison)
    if best.threads and not waiting and gil.takes_turns(best, comparison):
        return None  # more threads get more of a busy machine's CPUs, whoever holds the GIL
    if possible < LEAST or between.mid < WELL * possible:
        return None
    if overhead.too_few_items(comparison) or overhead.uneven_items(comparison) or evidence.transferring(comparison):
        return None  # there is something to do
    limit = (
        f"{best.workers} workers" if waiting else f"the {possible:.2g} CPUs' worth that {best.workers} workers can get"
    )
    return Finding(
        "scales-well",
        f"{best.label or best.backend} × {best.workers} are {formats.times(between.mid)} as fast as the plain loop:"
        f" {formats.percent(min(1.0, between.mid / possible))} of {limit} (from {formats.percent(WELL)}).",
        "More CPUs would make it faster still, more workers on these would not."
        if not waiting
        else "More workers may bring more, as long as what they wait for can take it.",
        (("speed-up", between.mid), ("possible", possible)),
        (best.backend, best.workers),
    )
