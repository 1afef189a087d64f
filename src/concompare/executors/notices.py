"""Warnings of what calls do unseen in their workers: changes that stay there, random numbers drawn twice."""

from __future__ import annotations

import contextlib
import warnings
from contextvars import Context

from concompare.errors import LostChanges
from concompare.worker.chunk import Answer
from concompare.worker.transfer.pickling import names_in

MOST = 10_000
"""States of random sources that are remembered."""


class Notices:
    """What one session has noticed, each of it told once.

    Args:
        name: What the session's executor is called.
        initializer: What it refers to is there to be changed in workers.
    """

    def __init__(self, name: str, initializer: object = None) -> None:
        self.name = name
        code = getattr(initializer, "__code__", None)
        self.meant = frozenset(names_in(code)) if code is not None else frozenset()
        self.told: set[str] = set()
        self.drawn: dict[tuple[str, bytes], tuple[int, int]] = {}

    def take(self, answer: Answer, context: Context) -> None:
        """Warn of changes that stay in a worker, and of random numbers that two workers drew alike."""
        for name in answer.changed:
            if name not in self.meant:
                text = f"{self.name}: calls change `{name}` in their workers, where the changes stay. "
                self.warn(f"`{name}`", LostChanges(f"{text}Return what they compute, or use threads."), context)
        if len(self.drawn) > MOST:
            self.drawn.clear()
        for source in answer.drawn:
            if self.drawn.setdefault(source, answer.ident) != answer.ident:
                text = f"{self.name}: two workers drew the same random numbers from {source[0]}. "
                remedy = "Make a generator inside the function, from a seed that is an argument."
                self.warn(source[0], RuntimeWarning(text + remedy), context)

    def warn(self, about: str, warning: Warning, context: Context) -> None:
        """Warn once of one thing, where the calls came from."""
        if about not in self.told:
            self.told.add(about)
            with contextlib.suppress(type(warning)):  # filters that turn it into an error have nobody to give it to
                context.run(warnings.warn, warning, None, 2)
