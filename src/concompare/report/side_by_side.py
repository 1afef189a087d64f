"""Two comparisons side by side, what differs between their machines first."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from concompare import formats
from concompare.analysis import stats
from concompare.report.html.html import html_of
from concompare.report.text.text import text_of
from concompare.report.view.model import Column, Row, Table, View
from concompare.report.view.naming import configuration, name_of

if TYPE_CHECKING:
    from concompare.records import Comparison, Environment, Trial

COLUMNS = (
    Column("backend", "", "kind of worker", numbers=False),
    Column("workers", "workers", "workers at work at once"),
    Column("time", "first", "median time of one pass in the first report"),
    Column("second", "second", "median time of one pass in the second report"),
    Column("ratio", "second is", "how many times faster, lowest and highest over all pairs of passes"),
    Column("speed", "first speed-up", "over the plain loop of the first report"),
    Column("speed2", "second speed-up", "over the plain loop of the second report"),
)
PASSING = {"memory_available", "load", "threads", "hazards"}
"""Fields that differ from one minute to the next and are no difference between machines."""
WORDS = {
    "python": "Python",
    "cpus": "CPUs",
    "usable": "usable CPUs",
    "quota": "CPU quota",
    "affinity": "CPU affinity",
    "physical": "cores",
    "gil": "GIL",
    "memory_limit": "memory limit",
    "native_pools": "native thread pools",
    "variables": "thread variables",
    "start_method": "start method",
    "start_methods": "start methods",
    "free_threaded_build": "free-threaded build",
}


@dataclass(frozen=True, slots=True)
class Versus:
    """Two comparisons side by side; rich in notebooks, text elsewhere.

    Attributes:
        view: What is said.
        differences: What differs between the environments and tasks, one sentence each.
    """

    view: View
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return text_of(self.view)

    def __repr__(self) -> str:
        return str(self).rstrip()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": html_of(self.view)}


def versus_of(first: Comparison, second: Comparison) -> Versus:
    """Return two comparisons side by side."""
    found = (*task_differences(first, second), *environment_differences(first.environment, second.environment))
    where = "different environments" if found else "the same environment"
    view = View(
        headline=f"{formats.one_name(first.subject.name, 60)}: two reports from {where}",
        interval="",
        change="",
        because="Times from different environments are shown side by side, not judged." if found else "",
        line="",
        table=table_of(first, second),
        notices=found,
    )
    return Versus(view, found)


def environment_differences(first: Environment, second: Environment) -> tuple[str, ...]:
    """Return what differs between two environments, one sentence each."""
    said = []
    for part in fields(first):
        one, other = getattr(first, part.name), getattr(second, part.name)
        if one == other or part.name in PASSING:
            continue
        name = WORDS.get(part.name, part.name.replace("_", " "))
        if part.name in ("packages", "variables"):
            said += pair_differences(name, dict(one), dict(other))
        elif part.name in ("memory", "memory_limit"):
            said.append(f"{name}: {formats.size(one)} → {formats.size(other)}")
        elif part.name == "native_pools":
            said.append(f"{name}: {pool_words(one)} → {pool_words(other)}")
        else:
            said.append(f"{name}: {plain(one)} → {plain(other)}")
    return tuple(said)


def pair_differences(name: str, one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return what differs between two sets of names and values."""
    keys = [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]
    kind = "" if name == "packages" else f"{name} "
    return [f"{kind}{formats.one_line(key, 40)}: {plain(one.get(key))} → {plain(other.get(key))}" for key in keys]


def pool_words(pools: Any) -> str:
    """Return native thread pools in words."""
    return ", ".join(f"{plain(p.library)} × {p.threads}" for p in pools) or "none"


def plain(value: object) -> str:
    """Return a value of an environment as text."""
    if value is None or value == "":
        return "none"
    if isinstance(value, tuple):
        return formats.one_line(", ".join(map(str, value)), 120) or "none"
    return formats.one_line(str(value), 120)


def task_differences(first: Comparison, second: Comparison) -> tuple[str, ...]:
    """Return what differs between what was run, one sentence each."""
    one, other = first.subject, second.subject
    said = []
    if (one.name, one.source, one.head) != (other.name, other.source, other.head):
        names = f"{formats.one_name(one.name, 60)} → {formats.one_name(other.name, 60)}"
        said.append(f"not the same code: {names if one.name != other.name else 'the source differs'}")
    if one.items != other.items:
        said.append(f"items: {one.items:,} → {other.items:,}")
    if first.scaling != second.scaling:
        said.append(f"scaling: {first.scaling} → {second.scaling}")
    return tuple(said)


def table_of(first: Comparison, second: Comparison) -> Table:
    """Return one row for every backend and worker count of either comparison."""
    ones, others = ({key(t): t for t in c.trials} for c in (first, second))
    rows = []
    for place in dict.fromkeys((*ones, *others)):
        one, other = ones.get(place), others.get(place)
        known = one or other
        assert known is not None
        cells = (
            name_of(known),
            "" if known.plain else str(known.workers),
            time_words(one, first),
            time_words(other, second),
            ratio_words(one, other, first, second),
            speed_words(one, first),
            speed_words(other, second),
        )
        rows.append(Row(cells, "plain" if known.plain else "other", "", known.backend, known.workers))
    problems = [
        f"{configuration(t)}: {formats.one_line(t.problem)}" for t in (*first.trials, *second.trials) if t.problem
    ]
    caption = "; ".join(dict.fromkeys(("median of the passes of each report", *problems)))
    return Table(caption, COLUMNS, tuple(rows))


def key(trial: Trial) -> tuple[str, int, int | None]:
    """Return what makes a trial the same in two comparisons."""
    return trial.backend, trial.workers, trial.native_threads


def time_words(trial: Trial | None, comparison: Comparison) -> str:
    """Return a trial's time, or a dash."""
    if trial is None or trial.problem is not None:
        return formats.NOTHING
    return formats.seconds(stats.whole(trial, comparison))


def speed_words(trial: Trial | None, comparison: Comparison) -> str:
    """Return a trial's speed-up, or nothing."""
    serial = stats.serial_of(comparison)
    if trial is None or serial is None or trial.problem is not None or trial.plain:
        return ""
    between = stats.speed_up(trial, serial)
    return "" if between is None else formats.times(between.mid)


def ratio_words(one: Trial | None, other: Trial | None, first: Comparison, second: Comparison) -> str:
    """Return how many times faster the second was, with the range of all its passes against all of the first."""
    if one is None or other is None or one.problem or other.problem:
        return ""
    before, after = stats.whole(one, first), stats.whole(other, second)
    ours, theirs = [p.whole for p in stats.used(one)], [p.whole for p in stats.used(other)]
    if not before or not after or not min(*ours, *theirs, 1.0):
        return ""
    ratio = before / after
    scale = ratio / (stats.median(ours) / stats.median(theirs))
    low, high = (scale * min(ours) / max(theirs), scale * max(ours) / min(theirs))
    return f"{formats.times(ratio)} {formats.between(low, high)}"
