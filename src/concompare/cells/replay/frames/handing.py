"""Hand results to pandas in the order of its calls, as long as it asks for what was computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from concompare.cells.replay.frames.asking import Call, Outcome


@dataclass
class Lost:
    """True once pandas has asked for something else than was computed: from then on the functions are called."""

    yes: bool = False


@dataclass
class Handing:
    """Answers the calls of one function.

    Attributes:
        function: The user's.
        calls: What it was computed for, and `outcomes`: what that came to, as far as it went.
        lost: Shared by all functions of one method.
    """

    function: Any
    calls: list[Call]
    outcomes: list[Outcome]
    lost: Lost
    position: int = 0

    def answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what a call comes to."""
        place, self.position = self.position, self.position + 1
        if self.lost.yes or place >= len(self.outcomes) or not self.calls[place].is_as(args, kwargs):
            self.lost.yes = True
            return self.function(*args, **kwargs)
        outcome = self.outcomes[place]
        if outcome.value is self.calls[place].argument and outcome.error is None:
            return args[0]
        return outcome.give()
