"""Warnings of what calls do unseen in their workers: changes that stay there, random numbers drawn twice."""

from __future__ import annotations

import contextlib
import warnings
from contextvars import Context

from concompare.worker.chunk import Answer

MOST = 10_000
"""States of random sources that are remembered."""


class Notices:
    """What one session has noticed, each of it told once.

    Args:
        name: What the session's executor is called.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: set[str] = set()
        self.drawn: dict[tuple[str, bytes], tuple[int, int]] = {}

    def take(self, answer: Answer, context: Context) -> None:
        """Warn of changes that stay in a worker, and of random numbers that two workers drew alike."""
        for name in answer.changed:
            self.warn(
                f"`{name}`",
                f"{self.name}: calls change `{name}` in their workers, where the changes stay. "
                "Return what they compute, or use threads.",
                context,
            )
        if len(self.drawn) > MOST:
            self.drawn.clear()
        for source in answer.drawn:
            if self.drawn.setdefault(source, answer.ident) != answer.ident:
                self.warn(
                    source[0],
                    f"{self.name}: two workers drew the same random numbers from {source[0]}. "
                    "Make a generator inside the function, from a seed that is an argument.",
                    context,
                )

    def warn(self, about: str, text: str, context: Context) -> None:
        """Warn once of one thing, where the calls came from."""
        if about not in self.told:
            self.told.add(about)
            with contextlib.suppress(RuntimeWarning):  # filters that turn it into an error have nobody to give it to
                context.run(warnings.warn, text, RuntimeWarning, 2)
