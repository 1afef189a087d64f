"""How likely each trial is the fastest, and what taking it is expected to lose: from the first pass on.

    log(seconds per item) = trial + block + noise

Fitted robustly: a pass that something disturbed far more than the other passes of its trial weighs less, by what the
kernel says of it and by how far off it is. Trials of few passes borrow their spread from all others, and one that ran
once is taken to spread as passes on shared machines do. What is drawn from the fit says the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.analysis import stats

if TYPE_CHECKING:
    from concompare.records import Pass, Trial

SPREAD, WORTH = 0.15, 3.0
"""Relative spread taken for passes before there are any, and how many passes' worth this counts."""
BLOCKS = 0.3
"""Relative spread of what blocks have in common: the machine's pace."""
WARMING = 0.2
"""Further relative spread of a first small pass, which starts cold, where a trial has no other yet."""
DISTURBED = 0.1
"""Share of the time without a CPU, beyond what is usual in its trial, from which on a pass weighs less than half."""
TAILS = 4.0
"""Degrees of freedom of the noise: what is far off counts little."""
EFFICIENCY = (TAILS + 3) / (TAILS + 1)
"""Variance of such a fit over its scale."""
ROUNDS = 12
DRAWS = 4000
QUIET = 10**9
"""Number of the block that stands for a quiet machine."""
AS_QUIET = 0.2
"""Relative spread between what trials are to each other on a quiet machine and on the same one when it is busy."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one trial against the others.

    Attributes:
        pace: Estimated seconds per item.
        error: Its relative standard error.
        best: Chance that it is the fastest, from 0 to 1.
        loss: What taking it is expected to lose, relative to the fastest: 0.1 for a tenth longer.
        beats: Chance that it is faster than the plain loop; None where that is unknown.
    """

    trial: Trial
    pace: float
    error: float
    best: float
    loss: float
    beats: float | None = None


def standings(
    trials: Sequence[Trial], least: Mapping[int, float] | None = None, cpus: int | None = None
) -> tuple[Standing, ...]:
    """Return how the trials stand that have a pass, in their order.

    Args:
        trials: Those that may be picked.
        cpus: CPUs that may be used, to tell what others took of them; None: that is not looked at.
        least: For the `id` of a trial, the least share of the plain loop's time that can be believed of it.
    """
    import numpy as np  # not loaded by `auto` before anything was compared

    able = [trial for trial in trials if passes_of(trial)]
    if not able:
        return ()
    busy = any((stats.busy_share(trial) or 0.0) > stats.BUSY_SHARE for trial in able)
    quiet = [quiet_pace(trial, cpus) if busy else None for trial in able]
    paces, errors, freedom = fitted([passes_of(trial) for trial in able], quiet)
    plain = next((i for i, trial in enumerate(able) if trial.plain), None)
    chance = np.random.default_rng(0)
    drawn = paces + errors * chance.standard_t(freedom, (DRAWS, len(able)))
    if plain is not None:
        for i, trial in enumerate(able):
            bound = (least or {}).get(id(trial))
            if bound is not None and i != plain:
                drawn[:, i] = np.maximum(drawn[:, i], drawn[:, plain] + np.log(bound))
    fastest = drawn.min(axis=1)
    best = np.bincount(drawn.argmin(axis=1), minlength=len(able)) / DRAWS
    losses = np.expm1(np.minimum(drawn - fastest[:, None], 3.0)).mean(axis=0)
    beats = (drawn < drawn[:, [plain or 0]]).mean(axis=0)
    return tuple(
        Standing(
            trial,
            float(np.exp(paces[i])),
            float(errors[i]),
            float(best[i]),
            float(losses[i]),
            float(beats[i]) if plain is not None and i != plain else None,
        )
        for i, trial in enumerate(able)
    )


def passes_of(trial: Trial) -> list[Pass]:
    """Return the passes that tell a trial's pace: those of the blocks, else the last one it has."""
    able = [p for p in trial.passes if p.stopped is None and p.items and p.wall > 0]
    return [p for p in able if p.block >= 0 and not p.warm_up] or able[-1:]


def quiet_pace(trial: Trial, cpus: int | None) -> float | None:
    """Return the seconds per item without the time that others took; None where that is not told.

    More workers than CPUs wait for each other, and threads that wait for the GIL of one that has no CPU look like it.
    """
    if cpus is None or trial.workers > cpus or trial.isolation not in ("none", "process", "interpreter"):
        return None
    return stats.quiet_per_item(trial)


def fitted(passes: Sequence[Sequence[Pass]], quiet: Sequence[float | None]) -> tuple[Any, Any, float]:
    """Return the logarithms of the trials' seconds per item, their errors, and the degrees of freedom.

    What the trials are on a quiet machine is one more block, of passes that count for little: where there are few
    passes on a busy machine, it says more than they do.
    """
    import numpy as np

    rows = [(i, p.block, p.whole / stats.done(p)) for i, group in enumerate(passes) for p in group]
    beside = [(i, QUIET, pace) for i, pace in enumerate(quiet) if pace is not None and pace > 0]
    beside = beside if len(beside) > 1 else []
    which = np.array([i for i, *_ in (*rows, *beside)])
    numbers = {block: k for k, block in enumerate(sorted({block for _, block, _ in (*rows, *beside)}))}
    block = np.array([numbers[block] for _, block, _ in (*rows, *beside)])
    logs = np.log([pace for *_, pace in (*rows, *beside)])
    known = np.concatenate([*(weights_of(group) for group in passes), np.full(len(beside), 0.0)])
    rows += beside
    weights = known.copy()
    paces = np.array([np.median(logs[which == i]) for i in range(len(passes))])
    pace_of_block = np.zeros(len(numbers))
    variance, spare, inflation = SPREAD**2, 0.0, 1.0
    for turn in range(ROUNDS):
        if turn and beside:
            known[-len(beside) :] = variance / (variance + AS_QUIET**2)
        rest = logs - paces[which]
        total = np.bincount(block, weights)
        pace_of_block = np.bincount(block, weights * rest) / (total + variance / BLOCKS**2)
        rest = logs - pace_of_block[block]
        paces = np.bincount(which, weights * rest) / np.bincount(which, weights)
        rest = logs - paces[which] - pace_of_block[block]
        lost = len(passes) + float((total / (total + variance / BLOCKS**2)).sum()) - 1
        spare = max(0.0, float(weights.sum()) * (1 - lost / len(rows)))
        inflation = EFFICIENCY * len(rows) / max(1.0, len(rows) - lost)
        seen = float((weights * rest**2).sum()) * inflation
        variance = (WORTH * SPREAD**2 + seen) / (WORTH + float(weights.sum()))
        weights = known * np.minimum(1.0, (TAILS + 1) / (TAILS + rest**2 / variance))
    counts = np.bincount(which, weights)
    own = (WORTH * variance + inflation * np.bincount(which, weights * rest**2)) / (WORTH + np.maximum(0, counts - 1))
    return paces, np.sqrt(np.maximum(own, 1e-6) / counts), WORTH + spare


def weights_of(passes: Sequence[Pass]) -> Any:
    """Return what the passes of a trial weigh, by what disturbed them more than usually and by how they were made."""
    import numpy as np

    shares = np.array([disturbance(p) or 0.0 for p in passes])
    beyond = np.maximum(0.0, shares - np.median(shares)) / DISTURBED
    warm = np.array([1.0 if p.block >= 0 and not p.warm_up else SPREAD**2 / (SPREAD**2 + WARMING**2) for p in passes])
    return warm / (1 + beyond**2)


def disturbance(passed: Pass) -> float | None:
    """Return the share of a pass's time that others took, as far as the kernel tells; None where it does not.

    Its workers were ready but without a CPU, or their CPUs were away: at a hypervisor, or beyond a container's limit.
    """
    parts = passed.ledger
    if parts is None or parts.waiting is None or parts.total <= 0:
        return None
    away = (passed.stolen or 0.0) / passed.wall if passed.wall > 0 else 0.0
    return min(1.0, parts.waiting / parts.total + away)
