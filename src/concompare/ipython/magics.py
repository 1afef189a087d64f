"""The four magics: options in, report out."""

from __future__ import annotations

import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument
from IPython.display import display

from concompare import formats
from concompare.errors import BadOption, CellRefused
from concompare.ipython.arguments import BUDGET, COMMON, PYTHON, REPEAT_OK, RESUME, SCALING, options, read_options
from concompare.ipython.command_line import blank_lines, check_target, ends_with_semicolon, moment_of
from concompare.ipython.display import Live, Place, Runs
from concompare.ipython.source import Source, calling_cell
from concompare.ipython.tracebacks import plain_syntax_error, user_traceback
from concompare.worker import clocks  # noqa: F401 - notes the kernel's own threads before the user starts any

if TYPE_CHECKING:
    from concompare.cells.program import Cell
    from concompare.ipython.watching import Watch
    from concompare.report.report import Report
    from concompare.run.cell_runners import Comparing, Running, Telling
    from concompare.run.dispatch import Ran
    from concompare.run.request import Request

KEPT = 10e6
"""Bytes of results that `concompare.last()` keeps, at the most."""

BACKGROUND = argument("--background", action="store_true", help="run the cell in a process of its own, and go on")
BACK_OFF = argument(
    "--back-off",
    metavar="EXC[,EXC]",
    help="exceptions that ask for less, such as a service's too many requests: the item is tried again later, at most "
    "eight times in all, and fewer run at once meanwhile",
)
WATCH = argument(
    "--watch", choices=("on", "off"), help="line form: after a slow plain cell, say whether it could run in parallel"
)
STRICT = argument("--strict", action="store_true", help="what cannot run in parallel is an error, not the plain loop")


@magics_class
class ConcompareMagics(Magics):
    """Run a cell's loop in parallel, or measure the ways to do so."""

    shell: Any
    watching: Watch | None = None

    @no_var_expand
    @options(*COMMON, BACK_OFF, STRICT, RESUME, BACKGROUND)
    @line_cell_magic
    @needs_local_scope
    def parallel(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Run the loop of a cell in parallel; afterwards the notebook is as if the plain cell had run.

        ::

            %%parallel -b processes -w 4
            results = [score(p) for p in papers]
        """
        args, code = read_options(self.parallel.parser, line, cell)
        if args.info or args.close or args.forget:
            return self.look_after(args)
        source = self.source_of("parallel", line, cell, code)
        how: dict[str, Any] = {"strict": args.strict, "plainly": not args.strict, "witnessed": not args.assume_pure}
        how["resume"] = args.resume
        request = self.request_of(args, ("auto",), moment=moment_of(self.shell.execution_count, cell), **how)
        if args.explain:
            return self.explain(args, source)
        if args.background:
            self.refuse_inner(local_ns)
            return self.in_background(args, source, request)
        from concompare.run.cell_runners import Running

        self.refuse_inner(local_ns)
        found = self.cell_of(args, source, measured=len(request.backends) > 1)
        runner = Running(request, telling(args), args.assume_pure, source.text)
        with user_traceback(self.shell, source), resuming(request, runner.tell):
            value = found.run(self.shell.user_ns, runner)
        tell_of_loops_inside(found, runner.tell)
        show_runs(runner, args)
        if not (found.lifted or found.refused or found.loops):
            runner.tell(nothing_in(source))
        return None if source.silent else value

    @no_var_expand
    @options(*COMMON, BUDGET, SCALING, REPEAT_OK, PYTHON, WATCH)
    @line_cell_magic
    @needs_local_scope
    def concompare(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Measure in which kind of workers, and in how many, the loop of a cell is fastest; returns the report.

        ::

            %%concompare
            results = [score(p) for p in papers]
        """
        since = time.perf_counter()
        args, code = read_options(self.concompare.parser, line, cell)
        if args.watch is not None:
            return self.watch(args, cell)
        if args.info or args.close or args.forget:
            return self.look_after(args)
        source = self.source_of("concompare", line, cell, code)
        request = self.request_of(
            args, None, budget=args.budget, scaling=args.scaling, pythons=args.python, since=since
        )
        if args.explain:
            return self.explain(args, source)
        from concompare.run.cell_runners import Comparing

        self.refuse_inner(local_ns)
        found = self.cell_of(args, source, measured=True)
        live = None if args.quiet else Live(notebook=hasattr(self.shell, "kernel"))
        runner = Comparing(found, request, telling(args), live, args.assume_pure, args.repeat_ok, found.share)
        try:
            with user_traceback(self.shell, source):
                found.run(self.shell.user_ns, runner)
        finally:
            if live is not None:
                live.close()
        tell_of_loops_inside(found, runner.tell)
        if not (found.lifted or found.refused or found.loops):
            runner.tell(nothing_in(source))
        return chosen_report(runner, args)

    def request_of(self, args: Namespace, default: tuple[str, ...] | None, **more: Any) -> Request:
        """Return what the options ask for, all of it checked before anything runs."""
        from concompare.run.request import exceptions_named, request_of

        check_target(args.save)
        names = tuple(name.strip() for name in args.backend.split(",")) if args.backend else default
        return request_of(
            names,
            args.workers,
            namespace=self.shell.user_ns,
            on_error=args.on_error,
            chunk=args.chunk,
            timeout=args.timeout,
            address=args.address,
            seed=args.seed,
            timeline=args.timeline,
            back_off=exceptions_named(getattr(args, "back_off", None), self.shell.user_ns),
            native_threads=args.native_threads,
            kept=KEPT,
            progress=None if args.quiet else Place() if hasattr(self.shell, "kernel") else sys.stderr,
            **more,
        )

    def cell_of(self, args: Namespace, source: Source, *, measured: bool = False) -> Cell:
        """Return the code under a magic with its loops, which are to be measured or not; nothing has run."""
        from concompare.cells.program import Cell, Wishes
        from concompare.cells.wishes import not_known
        from concompare.run.short_loops import lasted_in

        with plain_syntax_error(self.shell):
            return Cell(
                source.text,
                Wishes(
                    filename=source.filename,
                    first_line=source.first_line,
                    over=args.over,
                    function=args.function,
                    line=args.line,
                    inside=args.inside,
                    assume_pure=args.assume_pure,
                    seeded=args.seed is not None,
                    strict=getattr(args, "strict", False),
                    measured=measured,
                    lasted=not_known if getattr(args, "resume", None) else lasted_in(source.text),
                ),
            )

    def explain(self, args: Namespace, source: Source) -> None:
        """Print what would run where; of a cell that cannot run in parallel every reason with its line."""
        from concompare.cells.explaining import explanation

        try:
            print(explanation(self.cell_of(args, source), self.shell.user_ns))  # noqa: T201
        except CellRefused as refusal:
            for reason in refusal.reasons[1:]:
                print(reason)  # noqa: T201
            raise

    def in_background(self, args: Namespace, source: Source, request: Request) -> None:
        """Run a cell in a process of its own, on copies of the names that it mentions; raises before anything ran."""
        from concompare.ipython import background_cell

        names = background_cell.checked(args, request)
        cell = self.cell_of(args, source)
        background_cell.start(self.shell, args, source, cell, names)

    def refuse_inner(self, local_ns: dict[str, Any] | None) -> None:
        """Refuse to run inside a function, whose names a magic cannot see."""
        if local_ns is not None and local_ns is not self.shell.user_ns:
            raise BadOption("a magic inside a function cannot see its names: use concompare.map(function, items) there")

    def source_of(self, name: str, line: str, cell: str | None, code: str) -> Source:
        """Return the code under a magic, registered so that tracebacks show the cell's own lines."""
        outer, first = calling_cell(self.shell.user_ns)
        if cell is None:
            shown = "\n" * (first - 1) + code
        else:
            first = 2
            shown, code = f"%%{name} {line}".rstrip() + "\n" + cell, cell
        if not code.strip():
            raise BadOption(f"there is nothing to run: write the code under %%{name}, or after %{name}")
        # Whether execution_count is this cell's number already or still differs between versions of IPython.
        number = getattr(self.shell.compile, "_filename_map", {}).get(outer, self.shell.execution_count)
        filename = self.shell.compile.cache(shown, number)
        with plain_syntax_error(self.shell):
            plain = self.shell.transform_cell(code)
        lost = blank_lines(code) - blank_lines(plain)
        return Source("\n" * lost + plain, filename, first, ends_with_semicolon(plain))

    def watch(self, args: Namespace, cell: str | None) -> None:
        """Switch on or off the line after slow plain cells."""
        if cell is not None:
            raise BadOption("--watch belongs to the line form: %concompare --watch on")
        from concompare.ipython.watching import Watch

        if self.watching is not None:
            self.watching.off()
        self.watching = Watch(self.shell) if args.watch == "on" else None
        if self.watching is not None:
            self.watching.on()

    def look_after(self, args: Namespace) -> Any:
        """Close the pools, forget earlier runs, or return the card of this machine and the open pools."""
        from concompare import backends, engine

        if args.forget:
            from concompare.run import auto_history

            file = auto_history.forget()
            print(f"forgot earlier runs{f', and deleted {file}' if file is not None else ''}")  # noqa: T201
        if args.close:
            engine.close_pools()
        if not args.info:
            return None
        from concompare.machine import environment
        from concompare.report.info_card import card_of

        return card_of(environment(), engine.pools(), backends.cluster_words())


def nothing_in(source: Source) -> str:
    """Return why nothing of a cell could run in parallel, where no loop was found in it."""
    found = re.match(r"\s*get_ipython\(\)\.run_cell_magic\('(\w+)'", source.text)
    if found is not None:
        return f"ran as it is: %%{found[1]} runs the code itself. Write it above this magic"
    return "ran as it is: nothing in it works through items"


def tell_of_loops_inside(found: Cell, tell: Telling) -> None:
    """Say why a loop in a function of the cell ran as it is, where nothing ran in parallel and nothing was said."""
    inside = found.refused if not found.lifted else []
    for one in inside:
        if not tell.because:
            tell.plainly(one.refusal, one.loop.kind)


def telling(args: Namespace) -> Telling:
    """Return what says what the user should know, unless it is to be quiet."""
    from concompare.run.cell_runners import Telling

    return Telling((lambda sentence: None) if args.quiet else print)


@contextmanager
def resuming(request: Request, tell: Telling) -> Iterator[None]:
    """Open the file of results, before anything runs; let it say what is to be said, and close it at the end."""
    if request.resume is None:
        yield
        return
    request.resume.say = tell
    request.resume.open()
    try:
        yield
    finally:
        request.resume.close()


def chosen_report(runner: Comparing, args: Namespace) -> Report | None:
    """Return the report of the loop that takes longest, after showing those of the others."""
    report = runner.longest
    for other in runner.reports:
        other.plots = not args.no_plot
        if other is not report and not args.quiet:
            display(Runs(other))
    if report is not None and args.save:
        report.save(Path(args.save).expanduser())
    return report


def show_runs(runner: Running, args: Namespace) -> None:
    """Show what `%%parallel` measured: a line and a small table; of several trials all of them and the plots."""
    found = runner.by_loop()
    if not found:
        runner.tell(*runner.tell.waiting[: not runner.tell.because])
        return
    if args.save:
        from concompare.report.report import Report

        Report(found[0][0].comparison, findings=(), plots=not args.no_plot).save(Path(args.save).expanduser())
    for ran, times, seconds in found if not args.quiet else ():
        words = [ran.note] if ran.note else []
        if times > 1:
            words.append(f"the longest of {times} runs that took {formats.seconds(seconds)} in all")
        note = ". ".join(words)
        show_run(ran, f"line {ran.task.line}: {note}".removesuffix(": ") if len(found) > 1 else note, args)


def show_run(ran: Ran, note: str, args: Namespace) -> None:
    """Show one run: a line and a small table; where it ran in several ways a table of them and the plots."""
    if len(ran.trials) == 1:
        from concompare.report.run_summary import summary_of

        comparison = ran.comparison if args.timeline else ran.outline
        display(summary_of(comparison, note, timeline=args.timeline).bundle, raw=True)
        return
    from concompare.report.report import Report

    display(Runs(Report(ran.comparison, findings=(), plots=not args.no_plot)))
