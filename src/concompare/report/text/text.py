"""A view as text for terminals, `str()` and saved notebooks: complete, and readable from 60 columns on."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from concompare import formats
from concompare.report.text.braille_plot import shape_of
from concompare.report.text.text_timeline import strips_of


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """Leave the random numbers as they are that the user may have seeded."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


with undrawn():  # rich draws a number when it is imported
    from rich.cells import cell_len
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

if TYPE_CHECKING:
    from concompare.report.view.model import Fold, Table, View

LEAST_WIDTH = 60
WIDTH = 100
HEIGHT = 25
"""Lines of the terminal, which nothing depends on: what is not said here is read from variables and the terminal."""
GAP = 2
KEYS_OF_A_ROW = 2
"""Columns that say which row it is, repeated where a table goes on below."""
BAR = 30
WITH_UNIT = re.compile(r"(?<=\d) (?=(?:%|[nµm]?s|min|h|[kMGT]?B)(?!\w))|(?<=[×±]) (?=\d)")
"""The space between a number and its unit, where no line ends."""
KEPT = "\ue000"
"""Stands for such a space while lines are broken: rich breaks them at every kind of space, no-break ones too."""


def text_of(
    view: View, width: int = WIDTH, *, styled: bool = False, head: bool = True, plot: bool = True, details: bool = True
) -> str:
    """Return the view as text.

    Args:
        view: What to say.
        width: Columns of the terminal; fewer than 60 count as 60.
        styled: Whether to use terminal colours and weights.
        head: Whether to begin with the verdict.
        plot: Whether to plot time against workers, and what every worker did when.
        details: Whether to write out what is folded away elsewhere.
    """
    out = Console(
        file=StringIO(),
        width=max(LEAST_WIDTH, width),
        height=HEIGHT,
        no_color=False,
        color_system="standard" if styled else None,
        force_terminal=styled,
        force_jupyter=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    if head:
        write_verdict(out, view)
    if plot and (lines := shape_of(view.pictures, out.width)):
        out.print()
        write_lines(out, lines)
    if plot and (lines := strips_of(view.pictures.timeline, out.width)):
        out.print()
        write_lines(out, lines)
    if view.table.rows:
        out.print()
        write_table(out, view.table)
    write_remarks(out, view)
    for fold in view.folds if details else ():
        write_fold(out, fold)
    file = out.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().replace(KEPT, " ").splitlines()) + "\n"


def prose(words: str, style: str = "") -> Text:
    """Return words whose numbers stay on one line with their units."""
    return Text(WITH_UNIT.sub(KEPT, words), style=style)


def write_verdict(out: Console, view: View) -> None:
    """Write the verdict, its reason and the line to paste, or how far the measuring is."""
    first = prose(view.headline, "bold")
    for words in (view.interval, view.change and f"  {view.change}"):
        if words:
            first.append_text(prose(f" {words}", "not bold"))
    out.print(first)
    if view.because:
        out.print(prose(view.because))
    if view.line:
        out.print(Text("Run it that way:  ").append(view.line, style="bold"))
    for notice in view.notices:
        write_hanging(out, prose(f"- {notice}"))
    if view.doing:
        done = round(view.fraction * BAR)
        bar = "█" * done + "░" * (BAR - done)
        out.print(Text(f"{bar} {formats.percent(view.fraction)}  {view.doing}"))


def write_lines(out: Console, lines: list[str]) -> None:
    """Write lines that are already as wide as they may be."""
    for line in lines:
        out.print(Text(line), no_wrap=True, overflow="ignore", crop=False)


def write_table(out: Console, table: Table) -> None:
    """Write a table; the columns that do not fit go on in a second one under it."""
    if table.caption:
        out.print(prose(table.caption, "dim"))
    rest = list(range(len(table.columns)))
    keys = rest[: KEYS_OF_A_ROW if table.columns[1:2] and table.columns[1].key == "workers" else 1]
    rest = rest[len(keys) :]
    notes = True
    while rest:
        shown = [*keys]
        while rest and (len(shown) == len(keys) or width_of(table, [*shown, rest[0]]) <= out.width):
            shown.append(rest.pop(0))
        write_part(out, table, shown, notes=notes)
        notes = False
        if rest:
            out.print()


def width_of(table: Table, shown: list[int]) -> int:
    """Return the width of a table with these columns."""
    widths = [max(cell_len(table.columns[i].title), *(cell_len(r.cells[i]) for r in table.rows), 0) for i in shown]
    return sum(widths) + GAP * len(widths) + GAP


def write_part(out: Console, table: Table, shown: list[int], *, notes: bool) -> None:
    """Write some columns of a table; a failed row's reason stands in place of its numbers, or the row is left out."""
    grid = Grid(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column("", no_wrap=True)
    for i in shown:
        column = table.columns[i]
        grid.add_column(Text(column.title), justify="right" if column.numbers else "left", no_wrap=True)
    failed = [row for row in table.rows if row.note]
    for row in table.rows:
        if not row.note:
            mark = "▸" if row.kind == "pick" else " "
            grid.add_row(mark, *(Text(row.cells[i]) for i in shown), style="bold" if row.kind == "pick" else "")
    if len(failed) < len(table.rows):
        out.print(grid)
    for row in failed if notes else ():
        name = " × ".join(cell for cell in row.cells[:KEYS_OF_A_ROW] if cell)
        out.print(Padding(prose(f"{name}: {row.note}", "dim"), (0, 0, 0, 3)))


def write_remarks(out: Console, view: View) -> None:
    """Write the findings, each with its next step."""
    if view.remarks:
        out.print()
    for remark in view.remarks:
        words = Text("• ").append(remark.code, style="bold")
        write_hanging(out, words.append_text(prose(f"  {remark.summary} {remark.advice}".rstrip())))


def write_hanging(out: Console, words: Text) -> None:
    """Write a paragraph whose further lines are indented."""
    lines = words.wrap(out, out.width - 2)
    for i, line in enumerate(lines):
        out.print(line if i == 0 else Text("  ").append_text(line), no_wrap=True, overflow="ignore", crop=False)


def write_fold(out: Console, fold: Fold) -> None:
    """Write a detail under its title."""
    out.print()
    out.print(prose(fold.title, "bold"))
    for line in fold.lines:
        write_hanging(out, prose(f"  {line}"))
    if fold.table is not None:
        write_table(out, fold.table)
    if fold.code:
        write_lines(out, [f"    {line}" for line in fold.code.splitlines()])
