from __future__ import annotations

from dataclasses import dataclass, field

from concompare.measure.calibrate import Calibrating
from concompare.measure.trials import Wishes


@dataclass
class Plain:
    """Items of a tenth of a second each."""

    items: range = range(40)
    seconds: dict[int, float] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    blocked: dict[int, float] = field(default_factory=dict)
    told: bool = True
    native_share: float = 0.0

    def run(self, positions: tuple[int, ...] | range) -> None:
        for position in positions:
            self.seconds[position] = self.cpu[position] = 0.1


def test_an_item_runs_even_if_the_machine_was_slow_to_begin() -> None:
    late = Calibrating(Plain(), Wishes(None, 30.0, "strong", 1), True, 2, lambda: 5.0)  # type: ignore[arg-type]
    known = late.calibrate()
    assert known.done >= 1
    assert known.mean == 0.1
