"""`compare`: run a script up to one of its loops, and measure how that is fastest."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare import backends
from concompare.analysis.slowdown import precise
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.command import files
from concompare.command.executing import Script, say
from concompare.command.listing import VERSION, Found, loops_of, refusal_data
from concompare.errors import BadOption, CellRefused
from concompare.ipython.command_line import check_target
from concompare.report.live import Bar
from concompare.run import dispatch
from concompare.run.cell_runners import Comparing, Telling
from concompare.run.request import request_of

if TYPE_CHECKING:
    from concompare.cells.ir import Loop
    from concompare.report.report import Report


REFUSED = 1
"""Exit status where there is nothing to compare."""


class Reached(BaseException):
    """Ends the script where its loop has been compared; nothing of the script's own catches it by `Exception`."""


def compare(args: Namespace) -> int:
    """Compare the ways to run one loop of a script, and show the report."""
    if args.html and args.json:
        raise BadOption("--html and --json: choose one, and --save PATH for the other")
    check_target(args.save)
    enough = precise if str(args.save or "").lower().endswith(".json") else None  # for a later `check`
    report, refusal = measured(args.place, args.arguments, args, enough=enough)
    if report is None:
        sys.stderr.write(
            f"concompare compare: {args.place} cannot run in parallel: {files.of_a_script(str(refusal))}\n"
        )
        return REFUSED
    if args.save:
        report.save(Path(args.save).expanduser())
    if args.json:
        sys.stdout.write(files.as_json(report_data(args.place, report, refusal)))
    elif args.html:
        from concompare.report.html.html import page_of

        sys.stdout.write(page_of(report.view, plots=True))
    else:
        report.show()
    return 0


def measured(place: str, arguments: list[str], args: Namespace, **how: Any) -> tuple[Report | None, CellRefused | None]:
    """Run a script up to a loop and compare that; return the report, and why it cannot run in parallel if so.

    What the script prints goes to stderr where the report is for a program. `how` is for the request.
    """
    path, line = files.script_at(place)
    names = args.backend.split(",") if args.backend else None
    request = request_of(names, args.workers, budget=args.budget, seed=args.seed, kept=0, **how)
    line = line_meant(path, line)
    script = Script(path, arguments, files.source_of(path))
    bar = Bar()
    found: list[OneLoop] = []

    def runner_of(cell: Any) -> OneLoop:
        pure, repeat = args.assume_pure, args.repeat_ok
        show = bar.show if sys.stderr.isatty() else None
        made = OneLoop(cell, request, Telling(say), show, pure, repeat, file=str(script.path), line=line)
        found.append(made)
        return made

    for_program = getattr(args, "html", False) or args.json
    with contextlib.redirect_stdout(sys.stderr) if for_program else contextlib.nullcontext():
        ended = script.run_until(Reached, runner_of, seeded=args.seed is not None, assume_pure=args.assume_pure)
    bar.close()
    runner = found[0] if found else None
    if runner is not None and (report := runner.longest) is not None:
        return report, runner.refusal
    refused = [one.refusal for one in (script.cell.refused if script.cell is not None else []) if one.loop.line == line]
    if refused:
        return None, refused[0]
    raise BadOption(f"{path} ended with status {ended} before it came to the loop at line {line}")


def line_meant(path: Path, line: int | None) -> int:
    """Return the line of the loop to compare.

    Raises:
        BadOption: No loop begins there; or none is named, and there is not just one that can run in parallel, of the
            script's own or else in its functions.
    """
    loops = loops_of(path)
    if line is not None:
        if any(one.told.line == line for one in loops):
            return line
        raise BadOption(f"{path}:{line}: no loop begins there. {choices(path, loops)}")
    able = [one for one in loops if one.parallel]
    own = [one for one in able if not one.told.function] or able
    if len({one.told.line for one in own}) == 1:
        return own[0].told.line
    raise BadOption(f"{path}: name the line of the loop. {choices(path, able or loops)}")


def choices(path: Path, loops: list[Found]) -> str:
    """Return the loops that can be named."""
    if not loops:
        return "It has no loops"
    lines = [f"{path}:{line}" for line in sorted({one.told.line for one in loops})]
    return f"Loops begin at {', '.join(lines)}"


@dataclass
class OneLoop(Comparing):
    """Compares one loop of a script when it comes to it; the others before it run as the plain loop.

    Attributes:
        refusal: Why it runs as it is, if it does.
    """

    file: str = ""
    line: int | None = None
    refusal: CellRefused | None = None

    def run(self, task: Task, lifted: Lifted) -> None:
        """Compare the loop, or run another one."""
        if lifted.loop.line != self.line or lifted.filename != self.file:
            dispatch.run(task, replace(self.request, backends=(backends.plain(),), workers=None))
            return
        super().run(task, lifted)
        raise Reached

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop as it is."""
        if loop.line != self.line:
            return play()
        self.refusal = refusal
        super().plainly(loop, refusal, play)
        raise Reached


def report_data(place: str, report: Report, refusal: CellRefused | None) -> dict[str, Any]:
    """Return a report as docs/schema/compare.json says: what it says, not what it was made from."""
    pick = report.pick
    between = pick.speed_up
    return {
        "format": "concompare compare",
        "version": VERSION,
        "place": place,
        "verdict": report.view.headline,
        "pick": {
            "backend": pick.backend,
            "workers": pick.workers,
            "seconds": pick.seconds,
            "speed_up": None if between is None else [between.low, between.mid, between.high],
            "reason": pick.reason,
            "line": pick.line,
        },
        "rows": report.rows(),
        "findings": [
            {"code": one.code, "summary": one.summary, "advice": one.advice, "evidence": dict(one.evidence)}
            for one in report.findings
        ],
        "refusal": refusal_data(refusal) if refusal is not None else None,
        "code": report.code,
    }
