"""What workers change of the notebook's is lost: that is said, once, in the caller's line."""

from __future__ import annotations

import os
import sys
import warnings

from concompare.errors import BadOption, LostChanges

ASKED = ("warn", "raise", "ignore")
"""What may become of lost changes."""

MOST_NAMED = 5
"""Names that are said."""

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


class Losses:
    """What workers have changed so far, and what is to become of it.

    Attributes:
        asked: "warn": said at the end; "raise": an error, at once; "ignore": nothing.
        names: Of what has changed.
    """

    def __init__(self, asked: str) -> None:
        if asked not in ASKED:
            raise BadOption(f"on_lost_changes is {asked!r}: use 'warn', 'raise' or 'ignore'")
        self.asked = asked
        self.names: dict[str, None] = {}

    def __call__(self, names: tuple[str, ...]) -> None:
        """Take note of what has changed.

        Raises:
            LostChanges: That is to be an error.
        """
        self.names.update(dict.fromkeys(names))
        if self.asked == "raise":
            raise LostChanges(self.words())

    def words(self) -> str:
        """Say what is lost, and what to do."""
        named = [f"`{name}`" if name.isidentifier() else name for name in self.names]
        more = [f"{len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
        which = " and ".join(filter(None, (", ".join(named[:MOST_NAMED]), *more)))
        return (
            f"workers changed their own copies of {which}, and here nothing has changed: return what is to be kept from"
            ' the function, or use backend="threads" (on_lost_changes="ignore" where it does not matter)'
        )

    def warn(self) -> None:
        """Warn in the caller's line if anything was lost."""
        if self.names and self.asked == "warn":
            warnings.warn(LostChanges(self.words()), stacklevel=level_outside())


def level_outside() -> int:
    """Return the level of the first frame that is not ours, as seen from the caller."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
