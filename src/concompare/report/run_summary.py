"""Summary that `%%parallel` shows after a run: one line, and a small table where it adds to the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from concompare import formats
from concompare.report.text.plain_text import brief_of
from concompare.report.view.model import Column, Pictures, Row, Table, View
from concompare.report.view.naming import configuration

if TYPE_CHECKING:
    from concompare.records import Comparison, Pass, Trial
    from concompare.report.view.parts import Timeline

CLEAR = 1.15
"""Times the least, up to which the most and the least of the work done are one number."""
NO_TRACKS = "--timeline: when workers were on a CPU cannot be told on this system (needs Linux); messages are drawn."
COLUMNS = (
    Column("backend", "", "kind of worker", numbers=False),
    Column("workers", "workers", "workers at work at once"),
    Column("items", "items", "items computed"),
    Column("time", "time", "wall time of the run"),
    Column("start", "start-up", "time to start the workers, where they were started for this run"),
    Column("item", "per item", "median time of an item in its worker"),
    Column("cpu", "CPU", "CPU time of all workers"),
    Column("busy", "busy", "share of the workers' time spent on items"),
    Column("sent", "sent", "bytes sent to the workers"),
    Column("returned", "returned", "bytes that came back"),
    Column("memory", "memory", "peak memory of all workers together"),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run as it is shown; rich in notebooks, text elsewhere."""

    view: View

    def __repr__(self) -> str:
        if self.view.pictures.timeline is None:
            return brief_of(self.view).rstrip()
        from concompare.report.text.text import text_of

        return text_of(self.view).rstrip()

    @property
    def bundle(self) -> dict[str, str]:
        """What a front end shows, by its type: ready to be sent, as IPython would ask for many other types first."""
        if self.view.pictures.timeline is None:
            from concompare.report.html.brief import brief_html_of

            return {"text/plain": repr(self), "text/html": brief_html_of(self.view)}
        from concompare.report.html.html import html_of

        return {"text/plain": repr(self), "text/html": html_of(self.view)}


def summary_of(comparison: Comparison, note: str = "", *, timeline: bool = False) -> Summary:
    """Return the summary of the one trial that ran.

    Args:
        comparison: The trial with its one pass, and the environment.
        note: What else there is to say ("auto: processes × 4, since …").
        timeline: Whether to draw what every worker did when.
    """
    trial = comparison.trials[0]
    run = trial.passes[-1] if trial.passes else None
    if run is None:
        reason = formats.one_line(trial.problem or "it did not run", 300)
        return Summary(View(f"{configuration(trial)}: nothing ran", "", "", reason, "", Table("", (), ())))
    missing = [NO_TRACKS] if timeline and "waiting" in comparison.environment.untold else []
    return Summary(
        View(
            headline=f"{formats.count(run.items, 'item')} in {formats.seconds(run.wall)}",
            interval="",
            change=", ".join(filter(None, (where_words(trial), gain_words(trial, run, comparison)))),
            because=" ".join(filter(None, (sentence(note), *problems(trial, run, comparison), *missing))),
            line="",
            table=table_of(trial, run),
            pictures=Pictures(timeline=timeline_of(comparison) if timeline else None),
        )
    )


def timeline_of(comparison: Comparison) -> Timeline | None:
    """Return the strips of what every worker did when."""
    from concompare.report.view import plot_data

    return plot_data.timeline_of(comparison, None)


def computing(run: Pass) -> float | None:
    """Return the seconds of work done on items, all workers together, or None where it was not recorded."""
    if run.messages:
        return sum(message.end - message.start for message in run.messages)
    if run.ledger is not None:
        return run.ledger.total - run.ledger.idle - run.ledger.sending
    return None


def sentence(note: str) -> str:
    """Return a note on one line with its full stop."""
    line = formats.one_line(note, 300)
    return f"{line}." if line and not line.endswith((".", "…")) else line


def where_words(trial: Trial) -> str:
    """Return where it ran."""
    return "in the plain loop" if trial.plain else f"on {configuration(trial)}"


def gain_words(trial: Trial, run: Pass, comparison: Comparison) -> str:
    """Return how much faster than the items one after another it was, and how busy the workers were."""
    work, least = computing(run), least_work(trial, run, comparison)
    if work is None or least is None or run.wall <= 0 or trial.plain:
        return ""
    busy = formats.percent(min(1.0, work / run.wall / trial.workers))
    most = formats.times(work / run.wall)
    gain = most if is_clear(least, work) else f"{formats.times(least / run.wall).rstrip('×')} to {most}"
    return f"{gain} as fast as one after another, workers {busy} busy"


def least_work(trial: Trial, run: Pass, comparison: Comparison) -> float | None:
    """Return the seconds of work done, without what may have been waiting for a CPU or for the GIL.

    Workers wait for one another's CPUs only where they are more than these; for other programs' the plain loop would
    have waited too. A thread waits for the GIL while another one computes, so that all of them wait no longer than
    (workers − 1) × CPU seconds; which part of the time that they are blocked for it is, one run does not tell.
    """
    work = computing(run)
    if work is None or not run.messages:
        return work
    if trial.workers > comparison.environment.usable:
        work -= sum(message.waited or 0.0 for message in run.messages)
    if not trial.threads or comparison.environment.gil == "off":
        return work
    computed = min(work, sum(message.cpu + message.native_cpu for message in run.messages))
    return max(computed, work - (trial.workers - 1) * computed)


def is_clear(least: float, most: float) -> bool:
    """Say whether the work done is known well enough for one number."""
    return most <= CLEAR * least


def problems(trial: Trial, run: Pass, comparison: Comparison) -> list[str]:
    """Return what did not go as asked, and what one run cannot tell, one sentence each."""
    said = []
    work, least = computing(run), least_work(trial, run, comparison)
    if not trial.plain and work is not None and least is not None and not is_clear(least, work):
        what = "the GIL" if trial.threads else "a CPU"
        said.append(f"Workers may have waited for {what} within items: %%concompare tells.")
    if run.failures:
        said.append(f"{formats.count(run.failures, 'item')} failed.")
    if run.stopped:
        said.append(f"Stopped: {formats.one_line(run.stopped)}.")
    if trial.got is not None and trial.got < trial.workers:
        said.append(f"Only {trial.got} of {trial.workers} workers answered.")
    return said


def table_of(trial: Trial, run: Pass) -> Table:
    """Return the small table: one row, without the columns that have nothing to say."""
    each = sorted(s for m in run.messages for s in (m.seconds or ((m.end - m.start) / max(1, m.count),)))
    work = computing(run)
    busy = None if work is None or run.wall <= 0 else min(1.0, work / run.wall / trial.workers)
    cells = (
        formats.one_name(trial.label or trial.backend),
        "" if trial.plain else str(trial.workers),
        formats.count(run.items),
        formats.seconds(run.wall),
        formats.seconds(trial.start_up) if trial.start_up else "",
        formats.seconds(each[len(each) // 2]) if each else "",
        formats.seconds(run.cpu, 2) if run.cpu else "",
        formats.percent(busy) if busy is not None and not trial.plain else "",
        formats.size(run.bytes_in) if run.bytes_in else "",
        formats.size(run.bytes_out) if run.bytes_out else "",
        formats.size(run.peak_memory) if run.peak_memory else "",
    )
    safe = tuple(formats.one_line(cell, 60) for cell in cells)
    kept = [i for i, cell in enumerate(safe) if cell]
    row = Row(tuple(safe[i] for i in kept), "other", "", trial.backend, trial.workers)
    return Table("", tuple(COLUMNS[i] for i in kept), (row,))
