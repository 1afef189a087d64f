"""How many messages are under way at once: as many as help items that wait, fewer where a service asks for that."""

from __future__ import annotations

MORE = 1.2
"""How many times as many items a second twice as many threads must do for still more to be tried."""

LITTLE = 1.05
"""The same for twice as many to stay, once no more are tried."""


class Growth:
    """The number of messages that may be under way at once, from what those before have shown.

    At each number two batches of so many messages run, of which the second is measured. The number doubles while that
    helps, and stays at the knee. An exception that asks for less halves it, once for all messages that were under way
    then; afterwards each round that goes well adds one.

    Args:
        first: How many at first.
        most: How many at the most; as many as at first: it does not grow by itself.

    Attributes:
        now: How many may be under way.
        grows: Whether it is still looked at whether more would help; `started`: whether it was at first.
    """

    def __init__(self, first: int, most: int) -> None:
        self.most = max(1, most)
        self.now = max(1, min(first, most))
        self.started = self.grows = self.now < self.most
        self.before: tuple[int, float] | None = None
        self.since: float | None = None
        self.messages = self.items = self.good = 0
        self.lowered = float("-inf")

    def note(self, items: int, now: float) -> None:
        """Take in the answer to a message with so many items, at a time."""
        if not self.grows:
            self.raise_again()
            return
        self.messages += 1
        if self.since is None:
            if self.messages >= self.now:
                self.since, self.messages = now, 0
            return
        self.items += items
        if self.messages >= self.now:
            self.judge(self.items / max(1e-9, now - self.since))

    def judge(self, rate: float) -> None:
        """Grow on, or stay at the knee, by the items a second with so many under way."""
        number, best = self.before or (self.now, 0.0)
        self.messages, self.items, self.since = 0, 0, None
        if rate < MORE * best:
            self.grows = False
            self.now = self.most = number if rate < LITTLE * best else self.now
            return
        self.before = self.now, rate
        self.grows = self.now < self.most
        self.now = min(2 * self.now, self.most)

    def raise_again(self) -> None:
        """Add one after a round that went well, where it had to be less."""
        self.good += 1
        if self.good >= self.now and self.now < self.most:
            self.now, self.good = self.now + 1, 0

    def back_off(self, sent: float, now: float) -> None:
        """Halve it, since a message asks for less; not again for one that was sent before that was done."""
        self.good = 0
        if self.grows:
            self.grows = False
            self.most = self.now
        if sent >= self.lowered:
            self.now, self.lowered = max(1, self.now // 2), now
