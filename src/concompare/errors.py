"""The exceptions concompare raises itself; an item's own exception is always raised as itself."""

from __future__ import annotations

from pickle import PicklingError
from typing import Any

from concompare.formats import clean


class ConcompareError(Exception):
    """Base of every error that concompare raises."""

    def _render_traceback_(self) -> list[str]:
        """Show one line in a notebook, where a traceback through our frames would say nothing."""
        return [f"{type(self).__name__}: {clean(str(self))}"]


class BadOption(ConcompareError, ValueError):
    """Raised when an option has a value that cannot be used; says the value and what to write instead."""


class BadSyntax(ConcompareError):
    """Raised when the code under a magic is not Python.

    It is no SyntaxError, for which IPython would show every frame down to the parser.

    Attributes:
        lines: The error as a plain cell shows it.
    """

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.lines = lines

    def _render_traceback_(self) -> list[str]:
        """Show the user's line and the place in it."""
        return list(self.lines) or super()._render_traceback_()


class CellRefused(ConcompareError):
    """Raised when a cell cannot be run in parallel with the plain cell's result, before anything of it ran.

    Attributes:
        line: The line of the cell that stands in the way, as the notebook numbers it, or None.
        code: What kind of reason it is, one of `cells.ir.Why`.
        idle: Nothing of the loop would be worth a worker, so it is no loss.
        reasons: Everything that stands in the way, one sentence each, this one included.
        reason: The message without its line; `remedy`: what to write instead, where the message ends with that.
        lasting: Each item needs the result of the one before; `sure`: it does not hang on an object that is not known.
        spent: Items were taken that nobody can give once more, so that the plain loop cannot run in its stead.
        shared: The items that it changes share what it changes.
        waits: How the loop takes its items out of a container in the notebook, where calls for those there can be made.
    """

    def __init__(self, message: str, line: int | None = None, code: str = "form") -> None:
        super().__init__(f"line {line}: {message}" if line is not None else message)
        self.line = line
        self.code = code
        self.idle = self.spent = self.shared = False
        self.waits: Any = None
        self.lasting, self.sure = False, True
        self.reasons: tuple[str, ...] = (str(self),)
        self.reason, self.remedy = message, ""


class LostChanges(ConcompareError, UserWarning):
    """Warning, or raised where that was asked for: workers changed copies of something, and the changes are lost."""


class NotResumed(ConcompareError, UserWarning):
    """Warning: results in a file of an earlier run are not used, or new ones are not kept there, and why."""


class LowMemory(ConcompareError, UserWarning):
    """Warning: there is not enough memory for all workers, or for all results."""


class HiddenModule(ConcompareError, ImportError):
    """Raised when a file of the user's is found in place of a module or package that concompare needs; names both."""


class UnknownBackend(ConcompareError):
    """Raised when a backend's name is neither a backend of ours nor an Executor in the notebook."""


class BackendNotInstalled(ConcompareError):
    """Raised when a backend exists but the package it needs is not installed; names what to install."""


class BackendUnavailable(ConcompareError):
    """Raised when a backend cannot run here or cannot run this task, with the reason."""


class CannotShip(ConcompareError, PicklingError):
    """Raised when something cannot be sent to a worker; names it by its path, with the remedy."""


class WorkerDied(ConcompareError):
    """Raised when a worker ended while it computed an item.

    Attributes:
        index: The position of the item in the input, or None where it could not be told.
        signal: The name of the signal that ended the worker, or None.
    """

    def __init__(self, message: str, index: int | None = None, signal: str | None = None) -> None:
        super().__init__(message)
        self.index = index
        self.signal = signal


class RemoteError(ConcompareError):
    """Raised in the place of an item's exception that cannot be rebuilt here; bears its name and text."""

    @property
    def _render_traceback_(self) -> list[str]:  # type: ignore[override]
        """Not be there: it is shown as the item's own exception would be, with the user's lines."""
        raise AttributeError("_render_traceback_")


class ItemTimeout(ConcompareError, TimeoutError):
    """Raised (or kept as a Failure) when an item took longer than its time limit."""


class ReportDamaged(ConcompareError):
    """Raised when a saved report cannot be read: damaged, of a newer version, or not a report at all."""


class Interrupted(KeyboardInterrupt):
    """Raised when the user interrupts a pass; what had finished is in `concompare.last()`."""

    def _render_traceback_(self) -> list[str]:
        """Show one line: importing and walking a traceback would fight busy threads for the GIL."""
        return [f"KeyboardInterrupt: {self}"]


RAISED_BY = "concompare: raised by item "
"""What a note on an item's error begins with: an error keeps nothing else, and nobody else writes this."""


def without_our_note(error: BaseException) -> None:
    """Take from an item's error the note that says which item it was: the user's code handles the error."""
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, list):
        return
    kept = [note for note in notes if not (isinstance(note, str) and note.startswith(RAISED_BY))]
    if kept:
        BaseException.__setattr__(error, "__notes__", kept)
    elif notes:
        BaseException.__delattr__(error, "__notes__")
