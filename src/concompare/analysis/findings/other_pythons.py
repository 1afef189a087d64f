"""The finding on other Pythons: whether one of them would be faster for this cell, in seconds."""

from __future__ import annotations

from collections.abc import Iterable

from concompare import formats
from concompare.analysis import pick, stats
from concompare.records import Comparison, Finding, Trial

WORDS = {"faster": "a gain", "slower": "a loss"}
"""What a speed-up means, by its verdict."""

ADVICE = {
    "faster": "Make a kernel of it and choose it in the notebook: python{version} -m ipykernel install --user.",
    "tie": "Stay with this Python for this cell.",
    "slower": "Stay with this Python for this cell.",
    "unknown": "Give it more time, with a larger --budget or fewer worker counts (-w).",
}
"""The next step, by the verdict."""


def other_python(comparison: Comparison) -> Finding | None:
    """Another installed Python was measured too."""
    there = fastest((t for t in comparison.trials if pick.elsewhere(t) and t.problem is None), comparison)
    here = fastest(pick.candidates(comparison), comparison)
    between = stats.speed_up(there[1], here[1]) if there is not None and here is not None else None
    if there is None or here is None or between is None:
        return None
    (theirs, trial), (ours, best) = there, here
    verdict: str = stats.verdict(between)
    if verdict == "faster" and between.n < stats.FEW:
        verdict = "unknown"
    version = trial.traits.python
    how = f"one {trial.traits.worker}" if trial.workers == 1 else pick.workers_in_words(trial)
    how = "the plain loop" if trial.isolation == "none" else how
    numbers = f"{formats.seconds(theirs)} with {how}, and the best here, {pick.name_of(best)}, {formats.seconds(ours)}"
    gil = " An import there switched its GIL back on." if any("re-enabled" in p.gil for p in trial.passes) else ""
    return Finding(
        "other-python",
        f"Python {version} needs {numbers}: {words_of(between, verdict)}.{gil}",
        ADVICE[verdict].format(version=version),
        (("speed-up", between.mid), ("seconds there", theirs), ("seconds here", ours)),
        (trial.backend, trial.workers),
    )


def fastest(trials: Iterable[Trial], comparison: Comparison) -> tuple[float, Trial] | None:
    """Return the seconds of the quickest of these trials, and the trial; None where none of them was measured."""
    same = [trial for trial in trials if trial.same is not False]
    known = [(seconds, trial) for trial in same if (seconds := stats.whole(trial, comparison)) is not None]
    return min(known, key=lambda entry: entry[0], default=None)


def words_of(between: stats.Interval, verdict: str) -> str:
    """Return how much faster the other Python is, in words."""
    spread = formats.between(between.low, between.high)
    if verdict == "tie":
        return f"a tie {spread}"
    times = f"{formats.times(between.mid)} as fast"
    if verdict == "unknown":
        return f"{times} in {formats.count(between.n, 'block')}, which is too few to say"
    return f"{times} {spread}, {WORDS[verdict]}"
