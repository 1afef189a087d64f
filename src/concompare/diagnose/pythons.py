"""The finding on other Pythons: whether one of them would be faster for this cell, in seconds."""

from __future__ import annotations

from concompare import advise, formats, stats
from concompare.records import Comparison, Finding

WORDS = {"faster": "a gain", "slower": "a loss"}
"""What a speed-up means, by its verdict."""

ONE = {"serial": "the plain loop", "threads": "one thread", "processes": "one process"}
"""What one worker of a kind is."""


def other_python(comparison: Comparison) -> Finding | None:
    """Another installed Python was measured too."""
    there = [t for t in comparison.trials if advise.elsewhere(t) and t.problem is None and t.same is not False]
    here = advise.best_of(comparison)
    known = [(seconds, t) for t in there if (seconds := stats.whole(t, comparison)) is not None]
    if not known or here is None or (ours := stats.whole(here, comparison)) is None:
        return None
    theirs, trial = min(known, key=lambda entry: entry[0])
    between = stats.speed_up(trial, here)
    if between is None:
        return None
    verdict = stats.verdict(between)
    kind, _, version = trial.backend.partition(" @ ")
    how = ONE.get(kind, kind) if trial.workers == 1 else f"{trial.workers} {kind}"
    numbers = (
        f"{formats.seconds(theirs)} with {how}, and the best here, {advise.name_of(here)}, {formats.seconds(ours)}"
    )
    spread = formats.between(between.low, between.high)
    ratio = (
        f"a tie {spread}" if verdict == "tie" else f"{formats.times(between.mid)} as fast {spread}, {WORDS[verdict]}"
    )
    gil = " An import there switched its GIL back on." if any("re-enabled" in p.gil for p in trial.passes) else ""
    return Finding(
        "other-python",
        f"Python {version} needs {numbers}: {ratio}.{gil}",
        f"Make a kernel of it to use it: python{version} -m ipykernel install --user, and choose it in the notebook."
        if verdict == "faster"
        else "Stay with this Python for this cell.",
        (("speed-up", between.mid), ("seconds there", theirs), ("seconds here", ours)),
        (trial.backend, trial.workers),
    )
