"""Errors of a cell as the plain cell shows them: without our frames, and without our notes where it handles them."""

from __future__ import annotations

import sys
import types

from concompare.errors import without_our_note


def as_plainly(error: BaseException, hook: types.CodeType, *, unwalkable: bool = False) -> types.TracebackType | None:
    """Return the traceback of an error as that of the plain cell.

    Args:
        error: What was raised.
        hook: The code of the call that stands in the place of a loop.
        unwalkable: The cell itself failed there: what it walks cannot be walked.
    """
    from concompare.cells.inside import following
    from concompare.cells.replay.frames import tracebacks
    from concompare.cells.replay.frames.methods import Reached
    from concompare.cells.replay.independent import Ahead

    def leads_in(entry: types.TracebackType) -> bool:
        """Tell whether the plain cell goes on in one frame where this frame calls something in its place."""
        code = entry.tb_frame.f_code
        reached = code is Reached.direct.__code__ and not entry.tb_frame.f_locals["self"].inside
        return reached or code in (hook, Ahead.ready.__code__)

    trace, plain = error.__traceback__, isinstance(error, Exception)
    trace = tracebacks.above(trace, hook) if unwalkable else tracebacks.below(trace, leads_in, plain=plain)
    return tracebacks.without_ours(following.without_hooks(trace))


def tidy(hook: types.CodeType) -> None:
    """Show none of our frames and notes to what handles the error that is being handled."""
    error = sys.exc_info()[1]
    if error is not None:
        error.__traceback__ = as_plainly(error, hook)
        without_our_note(error)
