"""A comparison with its findings, as it is shown, saved and loaded. Loading a report executes nothing."""

from __future__ import annotations

import base64
import csv
import json
import os
import secrets
import shutil
import sys
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare import formats
from concompare.analysis import findings as diagnose
from concompare.analysis import pick as advise
from concompare.analysis import stats
from concompare.errors import BadOption, ReportDamaged
from concompare.record_data import from_data, to_data
from concompare.records import DECLARED, SCHEMA, Comparison, Finding, Trial
from concompare.report.text.text import WIDTH, text_of
from concompare.report.view.verdict import trial_of
from concompare.report.view.view import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from os import PathLike

    from matplotlib.figure import Figure

    from concompare.analysis.what_if import Outlook
    from concompare.report.side_by_side import Versus
    from concompare.report.view.model import View

FORMAT = "concompare report"
LARGEST = 256_000_000
"""Bytes of a file from which on it is not taken for a report."""
CSV_COLUMNS = (
    "backend",
    "label",
    "workers",
    "median_seconds",
    "mad_seconds",
    "passes",
    "items",
    "speed_up",
    "speed_up_low",
    "speed_up_high",
    "efficiency",
    "cpu_seconds",
    "start_up_seconds",
    "cold_seconds",
    "peak_memory_bytes",
    "same",
    "problem",
    "worker_memory_bytes",
    "native_threads",
)


class Report:
    """Result of a comparison: the trials, the findings, the pick, and how to show and save them.

    Attributes:
        comparison: What was measured.
        findings: The diagnoses, most important first.
        results: The values of the items, from the run that the user keeps; not saved.
        plots: Whether the report is shown with its pictures.
    """

    def __init__(
        self,
        comparison: Comparison,
        findings: Iterable[Finding] | None = None,
        results: Sequence[Any] | None = None,
        *,
        plots: bool = True,
    ) -> None:
        self.comparison = comparison
        self.findings = tuple(diagnose.find(comparison) if findings is None else findings)
        self.results = results
        self.plots = plots

    @cached_property
    def pick(self) -> advise.Pick:
        """The backend and worker count to use, and why."""
        return advise.pick(self.comparison)

    @property
    def best(self) -> Trial | None:
        """The trial that is recommended, or None when nothing could be measured."""
        return trial_of(self.comparison, self.pick)

    @property
    def code(self) -> str:
        """The recommended way as plain Python source that runs without concompare; empty when there is none."""
        return advise.takeaway(self.comparison, self.pick) if self.best is not None else ""

    @cached_property
    def view(self) -> View:
        """The report's content, from which text and HTML are written."""
        return view_of(self.comparison, self.findings, self.pick)

    def __eq__(self, other: object) -> bool:
        """Say whether two reports tell of the same comparison with the same findings."""
        if not isinstance(other, Report):
            return NotImplemented
        return self.comparison == other.comparison and self.findings == other.findings

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is derived; results that cannot be copied are the caller's to drop."""
        return {name: value for name, value in vars(self).items() if name not in ("pick", "view")}

    def __str__(self) -> str:
        return text_of(self.view, WIDTH)

    def __repr__(self) -> str:
        return str(self).rstrip()

    def _repr_html_(self) -> str:
        from concompare.report.html.html import html_of

        return html_of(self.view, plots=self.plots)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Return the report for every kind of front end.

        The picture, with the table in it, is for those that show no HTML, such as nbconvert's PDF.
        """
        makers: dict[str, Callable[[], str]] = {"text/plain": self.terminal_text}
        if not is_terminal():
            makers["text/html"] = self._repr_html_
        if not is_terminal() and self.plots:
            makers["image/png"] = lambda: base64.b64encode(self.png()).decode("ascii")
        wanted = [kind for kind in makers if (not include or kind in include) and kind not in (exclude or ())]
        return {kind: makers[kind]() for kind in wanted}

    def terminal_text(self) -> str:
        """Return the text, as wide as the terminal and with its weights where there is one."""
        if not is_terminal():
            return str(self).rstrip()
        text = text_of(self.view, shutil.get_terminal_size().columns, styled=True).rstrip()
        encoding = sys.stdout.encoding or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)

    def show(self) -> None:
        """Show the report: rich in a notebook, as text elsewhere."""
        shell = sys.modules.get("IPython")
        if shell is not None and shell.get_ipython() is not None:
            shell.display.display(self)
        else:
            sys.stdout.write(f"{self.terminal_text()}\n")

    def figure(self, theme: str = "light") -> Figure:
        """Return all pictures as one matplotlib figure, made without pyplot.

        Args:
            theme: "light" or "dark".
        """
        from concompare.report.plots import figure

        return figure.draw(self.view, theme_of(theme))

    def timeline(self, theme: str = "light") -> Figure:
        """Return the strips of what every worker did when as a matplotlib figure.

        Raises:
            BadOption: No trial recorded when its workers ran.
        """
        from concompare.report.plots import figure

        if self.view.pictures.timeline is None:
            raise BadOption("no trial recorded when its workers ran: a comparison of threads or processes does")
        return figure.draw_one(self.view.pictures, "timeline", theme_of(theme))

    def png(self) -> bytes:
        """Return the whole report as one picture: pictures, table and findings."""
        from concompare.report.plots import figure

        words = text_of(self.view, 132, details=False, plot=False, head=False)
        return figure.page_of(self.view, words)

    def to_json(self) -> str:
        """Return the report as JSON; results are not part of it."""
        data = {
            "format": FORMAT,
            "schema": SCHEMA,
            "comparison": to_data(self.comparison),
            "findings": to_data(self.findings),
        }
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict of plain numbers for each trial, seconds and bytes, as CSV and pandas get them."""
        return [row_of(trial, self.comparison) for trial in self.comparison.trials]

    def to_csv(self) -> str:
        """Return one line for each trial, numbers in seconds and bytes."""
        out = StringIO()
        writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: unformula(value) for name, value in row.items()} for row in self.rows())
        return out.getvalue()

    def to_pandas(self) -> Any:
        """Return one row for each trial as a DataFrame, numbers in seconds and bytes.

        Raises:
            BackendNotInstalled: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            from concompare.errors import BackendNotInstalled

            raise BackendNotInstalled("to_pandas() needs pandas: pip install 'concompare[pandas]'") from error
        return pd.DataFrame(self.rows(), columns=list(CSV_COLUMNS))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the report to a file, whole or not at all; its ending says how.

        Args:
            path: A name that ends in .json (to load again), .html, .csv, .png, .svg or .txt.

        Raises:
            BadOption: The name ends in something else.
        """
        target = Path(path).expanduser()
        write_whole(target, self.content(target))
        return target

    def content(self, target: Path) -> bytes:
        """Return what a file of this name holds."""
        from concompare.report.html import html
        from concompare.report.plots import figure

        makers: dict[str, Callable[[], str | bytes]] = {
            ".json": self.to_json,
            ".html": lambda: html.page_of(self.view, plots=self.plots),
            ".csv": self.to_csv,
            ".png": self.png,
            ".svg": lambda: figure.svg_of(figure.draw(self.view)),
            ".txt": self.__str__,
        }
        make = makers.get(target.suffix.lower())
        if make is None:
            raise BadOption(f"{target.name}: the name must end with one of {', '.join(makers)}")
        made = make()
        return made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace")

    def what_if(
        self, *, bytes: float = 1.0, work: float = 1.0, workers: int | None = None, chunk: int | None = None
    ) -> tuple[Outlook, ...]:
        """Return what each way of running the loop would take after a change, with an interval, the quickest first.

        The model, and what makes the interval wide, stand in `concompare.analysis.what_if`. Ways of which the
        measurement tells too little are left out, and threads where bytes change: they send none.

        Args:
            bytes: Times as many bytes of items and results (0.5: half), with the same work on them.
            work: Times as many seconds in each item (2: twice).
            workers: So many workers, and a CPU for each where they compute.
            chunk: So many items in a message.

        Raises:
            BadOption: It changes nothing, or a number cannot be.
        """
        from concompare.analysis.what_if import Change, outlooks

        return outlooks(self.comparison, Change(bytes, work, workers, chunk))

    def against(self, other: Report) -> Versus:
        """Return this report and another side by side, the differences of their environments first."""
        from concompare.report.side_by_side import versus_of

        return versus_of(self.comparison, other.comparison)


def theme_of(name: str) -> Any:
    """Return the name of a theme.

    Raises:
        BadOption: There is no such theme.
    """
    if name not in ("light", "dark"):
        raise BadOption(f"theme {name!r}: choose 'light' or 'dark'")
    return name


def is_terminal() -> bool:
    """Say whether text goes to a terminal that shows weights and colours."""
    try:
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False


def row_of(trial: Trial, comparison: Comparison) -> dict[str, Any]:
    """Return a trial as plain numbers."""
    serial = stats.serial_of(comparison)
    between = stats.speed_up(trial, serial) if serial is not None and trial.problem is None else None
    passes = stats.used(trial)
    walls = [p.whole for p in passes]
    memory = [p.peak_memory for p in trial.passes if p.peak_memory is not None]
    each = [size for p in trial.passes for size in p.worker_memory]
    values = (
        trial.backend,
        trial.label,
        trial.workers,
        stats.seconds(trial),
        stats.mad(walls) if walls else None,
        len(passes),
        passes[-1].items if passes else None,
        None if between is None else between.mid,
        None if between is None else between.low,
        None if between is None else between.high,
        None if between is None else between.mid / trial.workers,
        stats.cpu_seconds(trial),
        trial.start_up,
        trial.cold,
        max(memory, default=None),
        trial.same,
        trial.problem,
        max(each, default=None),
        trial.native_threads,
    )
    return dict(zip(CSV_COLUMNS, values, strict=True))


def unformula(value: Any) -> Any:
    """Return a value for CSV; text that a spreadsheet would run as a formula is quoted, control characters escaped."""
    if not isinstance(value, str):
        return value
    text = formats.clean(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def write_whole(target: Path, content: bytes) -> None:
    """Write a file by way of another beside it, so that a reader never sees half of it."""
    target = target.resolve()
    part = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            part.chmod(target.stat().st_mode & 0o777)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def load(path: str | PathLike[str]) -> Report:
    """Return a report that was saved as JSON; nothing in the file is executed.

    Raises:
        ReportDamaged: The file is not a report, is damaged, or was written by a newer version.
    """
    source = Path(path).expanduser()
    if source.stat().st_size > LARGEST:
        raise ReportDamaged(f"{source.name} is larger than any report ({formats.size(source.stat().st_size)})")
    return from_json(source.read_bytes(), source.name)


def from_json(content: str | bytes, name: str = "the text") -> Report:
    """Return the report that JSON holds.

    Raises:
        ReportDamaged: It is not a report, is damaged, or was written by a newer version.
    """
    try:
        data = json.loads(content, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        why = formats.one_line(str(error), 120)
        raise ReportDamaged(f"{name} is not a saved report: save one with report.save('name.json') ({why})") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ReportDamaged(f"{name} is not a saved report: save one with report.save('name.json')")
    schema = data.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ReportDamaged(f"{name} is damaged: its schema version is {formats.one_line(repr(schema), 40)}")
    if schema > SCHEMA:
        newer = f"{name} was saved by a newer concompare (schema {schema}, this one reads up to {SCHEMA})"
        raise ReportDamaged(f"{newer}: pip install -U concompare")
    try:
        comparison = from_data(Comparison, data.get("comparison"))
        check(comparison)
        if schema < DECLARED:
            from concompare.report.older import with_kinds

            comparison = with_kinds(comparison)
        found = data.get("findings")
        if not isinstance(found, list):
            raise ValueError("findings must be a list")
        findings = [from_data(Finding, part, f"findings[{place}]") for place, part in enumerate(found)]
    except (ValueError, RecursionError) as error:
        raise ReportDamaged(f"{name} is damaged: {formats.one_line(str(error), 200)}") from error
    return Report(comparison, findings)


def refuse_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(f"{name} is no JSON")


def check(comparison: Comparison) -> None:
    """Refuse numbers that no measurement can give.

    Raises:
        ValueError: With what is wrong and where.
    """
    for place, trial in enumerate(comparison.trials):
        where = f"comparison.trials[{place}]"
        if not 1 <= trial.workers <= 1_000_000:
            raise ValueError(f"{where}.workers is {formats.one_line(str(trial.workers), 30)}")
        for number, one in enumerate(trial.passes):
            possible = 0 <= one.wall < 1e12 and 0 <= one.beside < 1e12 and 0 <= one.cpu < 1e15
            if not (possible and 0 <= one.items < 1 << 62 and one.loops >= 1):
                raise ValueError(f"{where}.passes[{number}] has a wall, beside, cpu, items or loops that cannot be")
    if comparison.scaling not in ("strong", "weak"):
        raise ValueError(f"comparison.scaling is {comparison.scaling[:40]!r}")
    if comparison.environment.usable < 1 or comparison.subject.items < 0:
        raise ValueError("comparison.environment.usable or comparison.subject.items cannot be")
