"""Displays of the magics while something runs, and in its place at the end."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.display import display

if TYPE_CHECKING:
    from concompare.measure.compare import Progress
    from concompare.report.live import Bar
    from concompare.report.report import Report


NOTHING = {
    "text/plain": "",
    "text/html": "<style>.jp-OutputArea-child:has(.concompare-gone){display:none}</style><i class=concompare-gone></i>",
}
"""What takes no room: an empty text alone leaves an empty line, and of no form at all nbconvert complains."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Several runs of one cell as they are shown: the report, with its details in rich front ends only."""

    report: Report

    def __repr__(self) -> str:
        from concompare.report.text.text import text_of

        return text_of(self.report.view, details=False).rstrip()

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


class Place(io.StringIO):
    """A stream for a progress bar: its last line stands in one place of a notebook's output, and blanks clear it."""

    encoding = "utf-8"  # so that tqdm draws blocks
    in_place = True

    def __init__(self) -> None:
        super().__init__()
        self.handle: Any = None

    def write(self, text: str) -> int:
        """Show the text instead of what was shown before."""
        bundle = {"text/plain": text.strip()} if text.strip() else NOTHING
        if self.handle is not None:
            self.handle.update(bundle, raw=True)
        elif text.strip():
            self.handle = display(bundle, raw=True, display_id=True)
        return len(text)


class Live:
    """Shows how far a comparison is: in place in a notebook, as a bar in a terminal; gone at the end."""

    def __init__(self, *, notebook: bool) -> None:
        self.notebook = notebook
        self.shown = -1.0
        self.handle: Any = None
        self.bar: Bar | None = None

    def __call__(self, progress: Progress) -> None:
        """Show this state, unless another was shown a moment ago."""
        now = time.monotonic()
        if now - self.shown < 0.25:
            return
        self.shown = now
        if self.notebook:
            self.show_table(progress)
        else:
            self.show_bar(progress)

    def show_table(self, progress: Progress) -> None:
        """Show the plan and the rows so far, in the place where they were before."""
        from concompare.report.live import bundle_of

        bundle = bundle_of(progress)
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)

    def show_bar(self, progress: Progress) -> None:
        """Show a line with the part that is done."""
        from concompare.report.live import Bar

        if self.bar is None:
            self.bar = Bar()
        self.bar.show(progress)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.handle is not None:
            self.handle.update(NOTHING, raw=True)
        if self.bar is not None:
            self.bar.close()
