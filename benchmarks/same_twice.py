"""How often the same thing, measured twice, is called a difference; and how often a true difference is found.

    python benchmarks/same_twice.py [--runs 2000] [--blocks 3,4,5,8] [--noise 0.01,0.03,0.06,0.12]

Simulated passes in interleaved random blocks, judged by the very functions that judge real ones: `stats.interval` and
`stats.verdict`. The machine holds its pace, slows down by 3 % a pass, or drops to two thirds of it at some
moment. False calls must be under 5 % from three blocks on; the last columns say what that costs: how often a true
difference of 10 % and of 20 % is found. Fewer blocks than three are warned of in every report.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from concompare.analysis import stats

DRIFTS: dict[str, Callable[[int, int], float]] = {
    "none": lambda moment, jump: 1.0,
    "linear": lambda moment, jump: 1.0 + 0.03 * moment,
    "step": lambda moment, jump: 1.5 if moment >= jump else 1.0,
}
"""How long a pass takes at a moment, in times of the first; `jump` is the moment of the step."""


def called(blocks: int, noise: float, drift: str, faster: float, seed: int) -> bool:
    """Measure two ways, one of them so many times as fast; say whether they are told apart, the right way round."""
    chance = random.Random(seed)
    jump, moment, ratios = chance.randrange(2 * blocks), 0, []
    for _ in range(blocks):
        walls = {}
        for name in chance.sample("ab", 2):
            pace = DRIFTS[drift](moment, jump) * max(0.2, chance.gauss(1, noise))
            walls[name], moment = pace / (faster if name == "b" else 1.0), moment + 1
        ratios.append(walls["a"] / walls["b"])
    said = stats.verdict(stats.interval(ratios))
    return said == "faster" if faster > 1 else said != "tie"


def share(runs: int, blocks: int, noise: float, drift: str, faster: float = 1.0) -> float:
    """Return the share of the runs in which a difference is called."""
    return sum(called(blocks, noise, drift, faster, seed) for seed in range(runs)) / runs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--blocks", default="3,4,5,8")
    parser.add_argument("--noise", default="0.01,0.03,0.06,0.12")
    options = parser.parse_args()
    print("blocks  noise  false calls: " + "  ".join(f"{name:>6}" for name in DRIFTS) + "   found: 10 %    20 %")
    worst = 0.0
    for blocks in map(int, options.blocks.split(",")):
        for noise in map(float, options.noise.split(",")):
            false = [share(options.runs, blocks, noise, drift) for drift in DRIFTS]
            found = [share(options.runs, blocks, noise, "none", faster) for faster in (1.1, 1.2)]
            worst = max(worst, *false)
            words = "  ".join(f"{one:6.1%}" for one in false)
            power = f"{found[0]:4.0%}    {found[1]:4.0%}"
            print(f"{blocks:6} {noise:6.0%}               {words}          {power}", flush=True)
    print(f"\nworst: {worst:.1%} of {options.runs} runs")


if __name__ == "__main__":
    main()
