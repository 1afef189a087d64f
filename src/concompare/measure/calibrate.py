"""Calibrate on the plain loop: a growing prefix, some items of every stretch, then the sample itself.

What it ran is kept for the user, and runs again only to be compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from concompare.measure import plan
from concompare.measure.baseline import PlainLoop
from concompare.measure.cost_model import Calibration, Costs, allowed
from concompare.measure.plan import Shape
from concompare.measure.tails import Tails
from concompare.measure.trials import Wishes

PREFIX = 0.2
"""Seconds of the growing prefix."""
STRETCHES = (8, 24)
"""Items of the stratified probes that follow the prefix, while they stay short."""
UNASKED = 10.0
"""Seconds of a budget that nobody asked for, as far as the probes go by it."""
MOST_MORE, MOST_STEP = 10_000, 64
"""Items that are added to a sample of short ones at most, and those that run before they are looked at."""
LONG = 3
"""Items of the first of these where they are long, as long as they take no more than a tenth of the budget."""


@dataclass
class Calibrating:
    """The plain loop's first runs.

    Attributes:
        gil: Whether threads share one GIL.
        usable: CPUs that may be used.
        spent: Returns the seconds since the comparison began.
        tails: Replays the tails of the first items, or None where the loop has none.
        later: Seconds that are needed once it is decided, as far as they are known.
        tried: Positions that ran beyond the prefix, one of each of so many stretches as `wanted` says, or of fewer.
    """

    plain: PlainLoop
    wishes: Wishes
    gil: bool
    usable: int
    spent: Callable[[], float]
    tails: Tails | None = None
    tried: tuple[int, ...] = ()
    wanted: int = 0
    later: float = 0.0

    def calibrate(self) -> Calibration:
        """Run the plain loop on a growing prefix, then on some items of every stretch of the input."""
        plain, count = self.plain, len(self.plain.items)
        budget = self.wishes.budget if self.wishes.asked else min(UNASKED, self.wishes.budget)
        done, step = 0, 1
        while done < count and (done == 0 or self.spent() < PREFIX):
            plain.run(range(done, min(count, done + step)))
            self.replay()
            done, step = min(count, done + step), step * 2
        for wanted in STRETCHES:
            longest = max(plain.seconds.values())
            seconds = max(min(2 * PREFIX, budget / 20), min(LONG * longest, budget / 10))
            size = min(wanted, int(seconds / max(longest, 1e-9)), count - done)
            if size < 2:
                break
            tried = [done + p for p in plan.stratified(count - done, size, self.wishes.seed)]
            self.wanted = size
            self.tried = tuple(self.run_while(tried, PREFIX + budget / 10))
        self.replay()
        return self.known()

    def replay(self) -> None:
        """Replay some of the tails of the items that come first, which tell what the others will take."""
        if self.tails is not None:
            self.tails.replay(self.plain.values, self.plain.output, PREFIX)

    def run_while(self, positions: Sequence[int], seconds: float) -> list[int]:
        """Run items one by one until so many seconds are spent; return the positions of those that ran."""
        ran = []
        for position in plan.shuffled(positions, self.wishes.seed):
            self.plain.run((position,))
            ran.append(position)
            if self.spent() > seconds:
                break
        return ran

    def known(self, sample: Sequence[int] = ()) -> Calibration:
        """Return the estimate from what ran, and from items of a sample; the very first, often slow, counts once."""
        plain = self.plain
        seconds, cpu = plain.seconds, plain.cpu
        total = sum(seconds.values())
        chosen = list({*self.tried, *sample}) or [p for p in seconds if p > 0] or list(seconds)
        mean = sum(seconds[p] for p in chosen) / len(chosen)
        if not sample and len(self.tried) < self.wanted:  # the stretches that were not reached are like all that ran
            reached = len(self.tried) / self.wanted
            mean = reached * mean + (1 - reached) * total / len(seconds)
        busy = sum(min(cpu.get(p, 0.0), s) for p, s in seconds.items())
        blocked = sum(plain.blocked.values())
        return Calibration(
            items=len(plain.items),
            mean=max(1e-9, (total + (len(plain.items) - len(seconds)) * mean) / len(plain.items)),
            longest=max(seconds[p] for p in chosen),
            waits=blocked / (busy + blocked) if busy + blocked > 0 else 0.0,
            done=len(seconds),
            spent=self.spent(),
            gil=self.gil,
            native=plain.native_share,
            beside=self.tails.left(len(plain.items)) if self.tails is not None else 0.0,
            later=self.later,
        )

    def scouted(self, calibration: Calibration, shape: Shape) -> tuple[int, ...]:
        """Return items that ran already for a first small pass of one arm of each backend; none where these are long.

        None either where whole passes are as short: then the first block comes as soon.
        """
        seconds = self.plain.seconds
        known = [p for p in self.tried or sorted(seconds) if seconds.get(p, 0.0) > 0]
        if shape.mode == "looped" or self.wishes.scaling == "weak" or len(known) < 2:
            return ()
        chosen: list[int] = []
        total, order = 0.0, plan.shuffled(known, self.wishes.seed)
        for position in order:
            if total >= plan.SCOUT and len(chosen) >= 2:
                break
            chosen.append(position)
            total += seconds[position]
        room = allowed(calibration, self.wishes.budget, self.wishes.asked)
        return tuple(sorted(chosen)) if total <= max(2 * plan.SCOUT, room / 20) else ()

    def sample(self, shape: Shape) -> tuple[int, ...]:
        """Return the positions of a pass, of what the plain loop ran already as many as fit.

        With temporaries the last item is among them, whose names are those that the cell ends with.
        """
        if shape.places:
            return shape.places
        if shape.size == 1:
            return (max(self.plain.values),)
        count = len(self.plain.items)
        chosen = plan.stratified(count, shape.size, self.wishes.seed, self.plain.values)
        return (*chosen[:-1], count - 1) if self.wishes.temporaries else chosen

    def run_sample(self, shape: Shape, calibration: Calibration) -> tuple[Shape, tuple[int, ...], Calibration]:
        """Run the sample in the plain loop; where its items turn out longer than thought, only a part of it.

        Returns:
            The shape, the sample's positions, and what is known of the items by now.
        """
        weak = self.wishes.scaling == "weak"
        chosen = plan.shuffled(self.sample(shape), self.wishes.seed)
        if weak or shape.mode == "looped":
            self.plain.run(chosen)
            return shape, tuple(sorted(chosen)), calibration
        ran, step, planned = 0, 1, shape.size * calibration.mean
        while ran < min(len(chosen), shape.size):
            self.plain.run(chosen[ran : ran + step])
            ran = min(len(chosen), ran + step)
            calibration = self.known(chosen[:ran])
            costs = Costs(calibration, self.usable, shape.rounds)
            shape = plan.fitted(shape, costs, shape.estimate - self.spent())
            step = max(1, min(2 * step, shape.size - ran))
        found = chosen[: shape.size]
        if (
            shape.mode == "sampled" and not shape.places and shape.size == len(chosen)
        ):  # it was not cut for want of time
            found += self.more(found, planned)
            shape, calibration = replace(shape, size=len(found)), self.known(found)
        return shape, tuple(sorted(found)), replace(calibration, spent=self.spent())

    def more(self, chosen: Sequence[int], planned: float) -> list[int]:
        """Return further items where those of a sample take much less than planned, as where few items are long.

        A pass of a few short items says nothing. An item that is longer than the whole sample was to be is not one.
        """
        seconds, count, found = self.plain.seconds, len(self.plain.items), list[int]()
        total, step = sum(seconds[position] for position in chosen), 1
        if total > planned / 2:
            return found
        others = plan.shuffled([p for p in range(count) if p not in {*chosen}], self.wishes.seed)
        others.sort(key=lambda position: position not in seconds)
        while others and total < planned and len(found) < MOST_MORE:
            some, others = others[:step], others[step:]
            self.plain.run(some)
            some = [position for position in some if seconds[position] <= planned]
            found += some
            total += sum(seconds[position] for position in some)
            step = min(2 * step, MOST_STEP)
        return found
