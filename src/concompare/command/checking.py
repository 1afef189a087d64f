"""`check`: whether a loop has become slower, from two saved reports or from one and a new measurement."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from concompare import formats
from concompare.analysis.slowdown import LOOKS, Check, Deciding, Shift, sample_of
from concompare.analysis.slowdown import check as checked
from concompare.command import files
from concompare.command.executing import say
from concompare.command.listing import VERSION
from concompare.command.measuring import measured
from concompare.errors import BadOption
from concompare.records import PLAIN
from concompare.report.report import Report, load
from concompare.report.side_by_side import environment_differences, task_differences

STATUS = {"same": 0, "slower": 1, "unclear": 3}
WORDS = {
    "same": "not slower: a slow-down of 10 % would have been found",
    "slower": "slower",
    "unclear": "it cannot be told",
}
REMEDY = "Measure both with a larger --budget, on a machine that does nothing else"


def check(args: Namespace) -> int:
    """Say whether a loop has become slower; 0: not, 1: it has, 3: it cannot be told."""
    old, looks = report_of(args.old), 1
    if args.new.lower().endswith(".json"):
        if args.arguments:
            raise BadOption(f"{args.arguments[0]!r}: arguments are those of a script, and {args.new} is a report")
        new = report_of(args.new)
    else:
        if args.backend is None and args.workers is None:  # more passes of what decides
            pick = old.pick
            args.backend, args.workers = f"{PLAIN},{pick.backend}", str(pick.workers)
        say(f"measures for up to {args.budget:g} s, until it can be told")
        deciding, looks = Deciding(old.comparison), len(LOOKS)
        places = sample_of(old.comparison)
        found, refusal = measured(args.new, args.arguments, args, enough=deciding, places=places)
        if found is None:
            assert refusal is not None
            raise BadOption(f"{args.new} cannot be measured: {files.of_a_script(str(refusal))}")
        new = found
    result = checked(old.comparison, new.comparison, looks)
    one, other = old.comparison, new.comparison
    changes = [*task_differences(one, other), *environment_differences(one.environment, other.environment)]
    if args.json:
        sys.stdout.write(files.as_json(data_of(args, result, changes)))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines_of(result, changes)))
    return STATUS[result.verdict]


def report_of(name: str) -> Report:
    """Return a saved report."""
    files.check_file(Path(name))
    return load(name)


def lines_of(result: Check, changes: list[str]) -> list[str]:
    """Return what there is to say, line by line."""
    lines = [f"{WORDS[result.verdict]}{'. ' + REMEDY if result.verdict == 'unclear' and not result.obstacles else ''}"]
    lines += [f"  {sentence}" for sentence in result.obstacles]
    lines += [f"  {line_of(shift)}" for shift in result.shifts]
    return lines + [f"  changed: {sentence}" for sentence in changes if sentence not in result.obstacles]


def line_of(shift: Shift) -> str:
    """Return one line about a way of running."""
    trial = shift.trial
    way = trial.label or trial.backend
    way += "" if trial.plain else f" × {trial.workers}"
    role = "decides" if shift.decides else "for information"
    if math.isnan(shift.ratio):
        return f"{way}: no timed passes in one of them ({role})"
    passes = f"{shift.passes[0]} and {shift.passes[1]} passes{', the items alone' if shift.quiet else ''}"
    return f"{way}: {formats.times(shift.ratio)} the time of before ({passes}, {role}): {WORDS[shift.verdict]}"


def data_of(args: Namespace, result: Check, changes: list[str]) -> dict[str, Any]:
    """Return the check as docs/schema/check.json says."""
    return {
        "format": "concompare check",
        "version": VERSION,
        "old": args.old,
        "new": args.new,
        "verdict": result.verdict,
        "obstacles": list(result.obstacles),
        "changes": changes,
        "ways": [way_data(shift) for shift in result.shifts],
    }


def way_data(shift: Shift) -> dict[str, Any]:
    """Return one way of running as JSON has it."""
    return {
        "backend": shift.trial.backend,
        "workers": shift.trial.workers,
        "ratio": None if math.isnan(shift.ratio) else shift.ratio,
        "chance": shift.chance,
        "passes": list(shift.passes),
        "decides": shift.decides,
        "verdict": shift.verdict,
        "quiet": shift.quiet,
    }
