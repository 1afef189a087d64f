"""At which of the user's lines the items are: a pass of some items made for that, on the best of each kind.

Nothing of it is timed or compared. It takes at most a tenth of the budget and half of a plain loop, and is left out
where that is too short to tell anything.
"""

from __future__ import annotations

import linecache
import math
import os
from collections.abc import Mapping
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from concompare.measure.cost_model import allowed
from concompare.measure.plan import thinned
from concompare.records import Line, LineProfile

if TYPE_CHECKING:
    from concompare.measure.trials import Bench, Trials

LEAST, MOST = 0.25, 1.0
"""Seconds of items in the plain loop that are looked at in one pass."""
SHARE_OF_BUDGET = 0.1
SHARE_OF_LOOP = 0.5
"""Shares of the budget and of the plain loop's seconds that all passes may take."""
MOST_LINES = 30
"""Lines of a profile that are kept."""
IN_ONE = 0.05
"""Seconds of items in one message: to begin and end the looking takes a worker some 0.2 ms for each."""
LONGEST_TEXT = 200


def of(trials: Trials) -> tuple[LineProfile, ...]:
    """Return the profiles of the plain loop, the best threads and the best processes, where there is time for them."""
    benches = chosen(trials)
    mean = sum(trials.plain.seconds.get(p, 0.0) for p in trials.sample) / max(1, len(trials.sample))
    limit = allowed(trials.calibration, trials.wishes.budget, trials.wishes.asked)
    left = (limit - trials.spent()) / (2 if trials.wishes.asked else 1)
    room = min(SHARE_OF_BUDGET * limit, left, SHARE_OF_LOOP * mean * len(trials.plain.items))
    benches = benches[: int(room / LEAST)]
    seconds = min(MOST, room / max(1, len(benches)))
    if not benches or not 0 < mean <= seconds or not can_look(trials.runner):
        return ()
    many = max(1, int(seconds / mean))
    positions = list(islice(cycle(thinned(trials.sample, many)), many))  # a sample is short, and looks are few
    found = (profile_of(trials, bench, positions, mean) for bench in benches)
    return tuple(profile for profile in found if profile is not None)


def can_look(runner: Any) -> bool:
    """Tell whether the lines of items can be seen here; a simulated runner has none."""
    asked = getattr(runner, "can_look", None)
    return asked is not None and asked()


def chosen(trials: Trials) -> list[Bench]:
    """Return the plain loop, the fastest of the threads and the fastest of the processes."""
    able = [bench for bench in trials.benches if bench.able and not bench.arm.traits.python]
    threads = [b for b in able if b.arm.isolation == "thread" and b.arm.traits.together and b.arm.workers > 1]
    processes = [b for b in able if b.arm.isolation == "process"]
    best = [min(some, key=lambda b: b.per_item or math.inf) for some in (threads, processes) if some]
    return [trials.serial, *best]


def profile_of(trials: Trials, bench: Bench, positions: list[int], mean: float) -> LineProfile | None:
    """Run a pass of the items at these positions and return where they were; None where it fails or tells nothing."""
    trials.tell(f"{bench.arm.name}: which lines take most")
    wishes, chosen = trials.wishes, [trials.plain.items[position] for position in positions]
    bulk = max(1, min(int(IN_ONE / mean), len(positions) // (2 * bench.arm.workers)))
    options = trials.runner.PassOptions(
        output="drop",
        temporaries=wishes.temporaries,
        chunk=wishes.chunk or bulk,
        seed=wishes.streams,
        places=positions,
        lines=True,
    )
    pool = trials.plain.pool if bench is trials.serial else bench.pool
    try:
        outcome = trials.runner.run_pass(trials.plain.function, chosen, pool, options, count=len(chosen))
    except Exception:  # an item that fails now and then: its trial says so, when that happens in a timed pass
        return None
    trials.runs += math.ceil(len(positions) / len(trials.sample))
    return as_record(bench, len(positions), outcome.lines) if outcome.lines else None


def as_record(bench: Bench, items: int, lines: Mapping[Any, Any]) -> LineProfile:
    """Return what was seen as a record."""
    ordered = sorted(lines.items(), key=lambda entry: -entry[1].seconds)
    return LineProfile(
        bench.arm.backend,
        bench.arm.workers,
        items,
        sum(counts.samples for counts in lines.values()),
        sum(counts.seconds for counts in lines.values()),
        tuple(line_of(place, counts) for place, counts in ordered if place.line)[:MOST_LINES],
        bench.arm.native,
    )


def line_of(place: Any, counts: Any) -> Line:
    """Return a line with what is written there, as the notebook has it."""
    return Line(
        os.path.basename(place.file) if os.path.isfile(place.file) else "",
        place.line,
        "" if place.function.startswith("<") else place.function,
        linecache.getline(place.file, place.line).strip()[:LONGEST_TEXT],
        *counts,
    )
