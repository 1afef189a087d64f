"""The folded details of a report: why not the others, the ledger, warnings, code, plan and environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats
from concompare.analysis import stats
from concompare.report.view.finding_pages import meaning_of
from concompare.report.view.line_table import lines_fold
from concompare.report.view.model import LEDGER_PARTS, Column, Fold, Row, Table
from concompare.report.view.naming import configuration
from concompare.report.view.plot_data import trial_shares
from concompare.report.view.table import is_picked, ordered

if TYPE_CHECKING:
    from concompare.analysis.pick import Pick
    from concompare.records import Comparison, Environment
    from concompare.report.view.table import Configuration

LONGEST_SOURCE = 20_000

UNTOLD = {
    "waiting": "how long workers waited for a CPU: that time counts as lock or I/O, and --timeline draws messages only",
    "limits": "whether a container limits the CPUs or the memory",
    "load": "how busy the machine was before",
    "sharing": "which memory workers share: only what is each one's own is counted",
}
"""What is said of `Environment.untold`."""


def folds_of(comparison: Comparison, pick: Pick | None, takeaway: str, codes: tuple[str, ...] = ()) -> tuple[Fold, ...]:
    """Return the details that have something to say, in the order they are shown."""
    picked = None if pick is None else (pick.backend, pick.workers, pick.native_threads)
    found = (
        takeaway_fold(takeaway),
        meanings_fold(codes),
        others_fold(pick, comparison),
        warnings_fold(comparison),
        ledger_fold(comparison, picked),
        lines_fold(comparison),
        curves_fold(comparison),
        what_if_fold(comparison, pick),
        memory_fold(comparison, picked),
        task_fold(comparison),
        environment_fold(comparison),
        untold_fold(comparison.environment),
    )
    return tuple(fold for fold in found if fold is not None)


def takeaway_fold(takeaway: str) -> Fold | None:
    """Return the code that runs the pick without concompare."""
    return Fold("Take-away code: the pick without concompare", code=formats.clean(takeaway)) if takeaway else None


def meanings_fold(codes: tuple[str, ...]) -> Fold | None:
    """Return what the findings mean, for who meets them first."""
    lines = tuple(f"{code}: {meaning}" for code in codes if (meaning := meaning_of(code)))
    return Fold("What the findings mean", lines) if lines else None


def others_fold(pick: Pick | None, comparison: Comparison) -> Fold | None:
    """Return why the others were not picked, unless one reason for all of them stands in the table."""
    if pick is None or not pick.others:
        return None
    if is_plain(comparison) and len({why for _, why in pick.others}) == 1:
        return None
    lines = (f"{formats.one_name(name, 60)}: {formats.one_line(why, 300)}" for name, why in pick.others)
    return Fold("Why not the others", tuple(lines))


def warnings_fold(comparison: Comparison) -> Fold | None:
    """Return what makes numbers doubtful, by trial, and what could not be compared."""
    lines = []
    for trial in comparison.trials:
        if trial.problem is None:
            found = list(stats.warnings_of(trial, comparison.environment.usable))
            if trial.same is False:
                found.append(f"results differ: {formats.one_line(trial.difference or 'no detail')}")
            lines += [f"{configuration(trial)}: {formats.one_line(warning, 300)}" for warning in found]
    lines += [formats.one_line(hazard, 300) for hazard in comparison.environment.hazards]
    return Fold(f"Warnings ({len(lines)})", tuple(lines)) if lines else None


def ledger_fold(comparison: Comparison, picked: Configuration | None) -> Fold | None:
    """Return the ledgers as a table of shares: what the bars show, in numbers."""
    trials = [(t, s) for t in ordered(comparison, picked) if (s := trial_shares(t))]
    keys = [(key, word) for key, word in LEDGER_PARTS if any(shares[key] >= 0.005 for _, shares in trials)]
    if not trials or not keys:
        return None
    columns = (Column("trial", "", numbers=False), *(Column(key, word) for key, word in keys))
    rows = tuple(
        Row(
            (configuration(trial), *(formats.percent(shares[key]) for key, _ in keys)),
            "pick" if is_picked(trial, picked) else "other",
            backend=trial.backend,
            workers=trial.workers,
        )
        for trial, shares in trials
    )
    table = Table("Share of workers × wall time of one pass; the start of the workers comes on top", columns, rows)
    return Fold("Where the workers' time went, in numbers", table=table)


def curves_fold(comparison: Comparison) -> Fold | None:
    """Return what the fitted scaling curves say of more workers, never beyond twice what was measured."""
    from concompare.analysis import scaling  # which needs numpy, and is rare: three worker counts make a curve

    lines = []
    for curve in scaling.curves(comparison):
        there = curve.at(curve.limit)
        if there is None:
            continue
        name = formats.one_name(curve.backend)
        alone = formats.percent(curve.sigma / max(curve.cost, curve.sigma, 1e-9))
        gains = f"gains nothing beyond {curve.best}" if curve.best < curve.limit else "still gains there"
        lines.append(
            f"{name}: with {curve.limit} workers {formats.times(there.mid)} {formats.between(there.low, there.high)}, "
            f"where {curve.measured} were the most that ran; {gains}; {alone} of the work does not run in parallel"
        )
    return (
        Fold("More workers: what a fitted curve promises (Universal Scalability Law)", tuple(lines)) if lines else None
    )


def what_if_fold(comparison: Comparison, pick: Pick | None) -> Fold | None:
    """Return which changes would make the pick quicker or slower against the plain loop, and by how much.

    Where the plain loop is the pick, it is what would be quickest after the change.
    """
    from concompare.analysis import what_if

    if pick is None:
        return None
    wanted = (pick.backend, pick.workers)
    plain = any(trial.plain and trial.backend == pick.backend for trial in comparison.trials)
    asked = None if plain else lambda trial: (trial.backend, trial.workers) == wanted
    changes = what_if.usual_changes(comparison, pick.workers)
    quickest = [found[0] for change in changes if (found := what_if.outlooks(comparison, change, asked))]
    lines = [str(one) for one in quickest if one.matters]
    return Fold("What if", tuple(lines)) if lines else None


def memory_fold(comparison: Comparison, picked: Configuration | None) -> Fold | None:
    """Return the memory of each worker at its most, by trial."""
    lines = []
    for trial in ordered(comparison, picked):
        sizes = max((p.worker_memory for p in trial.passes), key=sum, default=())
        if sizes:
            least, most = formats.size(sizes[-1]), formats.size(sizes[0])
            each = most if least == most else f"{least} to {most}"
            lines.append(f"{configuration(trial)}: {each} a worker, {formats.size(sum(sizes))} together")
    return Fold("Memory of each worker at its most", tuple(lines)) if lines else None


def task_fold(comparison: Comparison) -> Fold | None:
    """Return what ran in the workers, what was replayed in the notebook, and what was sent."""
    subject = comparison.subject
    if not (subject.head or subject.source):
        return None
    code = formats.clean((subject.head or subject.source)[:LONGEST_SOURCE]).rstrip()
    if subject.tail:
        replayed = formats.clean(subject.tail[:LONGEST_SOURCE]).rstrip()
        code += f"\n\n# replayed in the notebook, in order:\n{replayed}"
    lines = [f"{formats.one_name(subject.name, 60)}, {formats.count(subject.items, 'item')}"]
    if subject.blob is not None:
        lines.append(f"sent once to each worker: {formats.size(subject.blob)}")
    if subject.captured:
        named = (f"{formats.one_name(name)} ({formats.size(weight)})" for name, weight in subject.captured)
        lines.append(f"captured: {', '.join(named)}")
    return Fold("What ran" if is_plain(comparison) else "What ran in the workers", tuple(lines), code=code)


def is_plain(comparison: Comparison) -> bool:
    """Tell whether nothing but the plain loop has run, of several ways to."""
    return len(comparison.trials) > 2 and {trial.plain for trial in comparison.trials if trial.passes} == {True}


def environment_fold(comparison: Comparison) -> Fold:
    """Return the plan, what was spent, and the machine."""
    lines = [*plan_lines(comparison), *environment_lines(comparison.environment)]
    return Fold(f"Plan and environment: {environment_words(comparison.environment)}{spent(comparison)}", tuple(lines))


def spent(comparison: Comparison) -> str:
    """Return how long the comparison took and how often items ran, to follow other words."""
    words = ""
    if comparison.plan is not None:
        words += (
            f", {formats.round_seconds(comparison.seconds)} of {formats.round_seconds(comparison.plan.budget)} used"
        )
    if comparison.probe.executions:
        words += f", each item run at most {formats.count(comparison.probe.executions, 'time')}"
    return words


def plan_lines(comparison: Comparison) -> list[str]:
    """Return the plan, one step a line, and what the probe found."""
    plan, probe = comparison.plan, comparison.probe
    lines = [f"measured {moment_words(comparison.created)}"] if comparison.created else []
    lines += [formats.one_line(step, 300) for step in plan.steps] if plan is not None else []
    if plan is not None:
        lines.append(
            f"planned: {formats.round_seconds(plan.estimate)} of {formats.round_seconds(plan.budget)}, seed {plan.seed}"
        )
    if any(count > 1 for count, _ in probe.capacity):
        given = (f"{count} do {formats.times(ratio)}" for count, ratio in probe.capacity if count > 1)
        lines.append(f"capacity: of the work of one spinning process {', '.join(given)}")
    if probe.gil_share is not None or probe.gil_word:
        share = "" if probe.gil_share is None else f"≈ {formats.percent(probe.gil_share)} of the time"
        words = formats.one_line(probe.gil_word)
        lines.append(f"GIL held by the plain loop: {share}{f' ({words})' if share and words else words}")
    if probe.bytes_in is not None or probe.bytes_out is not None:
        lines.append(f"an item is {formats.size(probe.bytes_in)} to send, its result {formats.size(probe.bytes_out)}")
    return lines


def moment_words(moment: str) -> str:
    """Return a moment in ISO 8601 to the minute, with the zone where it is known."""
    date, _, clock = formats.one_line(moment, 40).partition("T")
    return f"{date} {clock[:5]}{' UTC' if clock.endswith(('+00:00', 'Z')) else ''}".rstrip()


def gil_words(environment: Environment) -> str:
    """Return what the GIL is here."""
    return {"on": "with GIL", "off": "without GIL", "re-enabled": "GIL switched back on by an import"}.get(
        environment.gil, formats.one_line(environment.gil, 40)
    )


def quota_words(environment: Environment) -> str:
    """Return how much CPU time the container may use."""
    if environment.quota is not None:
        return f"quota {formats.significant(environment.quota)}"
    return "quota not known" if "limits" in environment.untold else "no quota"


def untold_lines(environment: Environment) -> tuple[str, ...]:
    """Return what the system does not tell, one kind a line."""
    return tuple(UNTOLD[what] for what in environment.untold if what in UNTOLD)


def untold_fold(environment: Environment) -> Fold | None:
    """Return what the numbers leave out because the system does not tell it."""
    lines = untold_lines(environment)
    return Fold("What cannot be told on this system (needs Linux)", lines) if lines else None


def environment_words(environment: Environment) -> str:
    """Return the machine and Python in a few words ("4 CPUs (affinity 4, no quota), Python 3.14.2 with GIL")."""
    limits = [] if environment.affinity is None else [f"affinity {environment.affinity}"]
    limits.append(quota_words(environment))
    if environment.usable != environment.cpus:
        limits.append(f"{environment.usable} usable")
    cpus = formats.count(environment.cpus, "CPU")
    return f"{cpus} ({', '.join(limits)}), Python {formats.one_line(environment.python, 40)} {gil_words(environment)}"


def environment_lines(environment: Environment) -> list[str]:
    """Return everything else that was noted about the machine and Python, one kind a line."""
    said = formats.one_line
    lines = [
        ", ".join(
            filter(None, (said(environment.implementation), said(environment.platform, 80), said(environment.machine)))
        )
    ]
    if environment.processor:
        lines.append(said(environment.processor, 80))
    memory = (
        ("memory", environment.memory),
        ("available", environment.memory_available),
        ("limit", environment.memory_limit),
    )
    lines.append(", ".join(f"{name} {formats.size(value)}" for name, value in memory if value is not None))
    if environment.start_method:
        here = formats.count(environment.threads, "thread")
        lines.append(f"processes start by {said(environment.start_method)}; {here} in this process")
    if environment.load is not None:
        lines.append(f"load {formats.significant(environment.load)}")
    lines += [
        f"{said(p.library)} ({said(p.api)}): {formats.count(p.threads, 'thread')}" for p in environment.native_pools
    ]
    if environment.variables:
        lines.append(", ".join(f"{said(name, 40)}={said(value, 40)}" for name, value in environment.variables))
    if environment.packages:
        lines.append(", ".join(f"{said(name, 40)} {said(version, 40)}" for name, version in environment.packages))
    return [line for line in lines if line]
