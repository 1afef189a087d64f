"""Background runs where they were started: how far they are, what they print, and how they end."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

from IPython.display import display

if TYPE_CHECKING:
    from concompare.run.background.background_run import Background

EVERY = 0.25
"""Seconds between two states that are shown."""
MOST = 20_000
"""Characters of what a run has printed that are shown: the last ones."""


class InNotebook:
    """Shows a run in one place of the notebook's output, from whatever thread."""

    def __init__(self) -> None:
        self.shown = 0.0
        self.handle: Any = None

    def __call__(self, run: Background) -> None:
        """Show this state, unless it is passing and another was shown a moment ago."""
        now = time.monotonic()
        if run.state == "running" and self.handle is not None and now - self.shown < EVERY:
            return
        self.shown = now
        if self.handle is None:
            self.handle = display(bundle_of(run), raw=True, display_id=True)
        else:
            self.handle.update(bundle_of(run), raw=True)


class InTerminal:
    """Shows a run in a terminal when it has ended, between two cells."""

    def __init__(self) -> None:
        self.run: Background | None = None

    def __call__(self, run: Background) -> None:
        """Note that there is something to show."""
        self.run = run

    def flush(self) -> None:
        """Print how the run has ended, once."""
        run = self.run
        if run is not None and run.state not in ("running", "finished"):
            self.run = None
            print(lines_of(run))  # noqa: T201


def lines_of(run: Background) -> str:
    """Return a run in words: its number and state, what it has printed, and its error."""
    text = run.text[-MOST:]
    parts = [text.rstrip("\n"), run.traceback.rstrip("\n"), f"background run {status_of(run)}"]
    return "\n".join(part for part in parts if part)


def status_of(run: Background) -> str:
    """Return the number and the state of a run."""
    if run.state == "running":
        return f"{run.number}: {run.progress.strip() or 'running'}"
    if run.state == "finished":
        return f"{run.number}: finished; its names are bound before the next cell runs"
    return f"{run.number}: {run.state}: {run.said}" if run.said else f"{run.number}: {run.state}"


def bundle_of(run: Background) -> dict[str, str]:
    """Return a run as a front end shows it."""
    text = lines_of(run)
    return {"text/plain": text, "text/html": f'<pre role="status" style="white-space:pre-wrap">{escape(text)}</pre>'}
