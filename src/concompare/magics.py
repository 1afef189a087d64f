"""The four magics: options in, report out. The only door to IPython."""

from __future__ import annotations

import io
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import MagicArgumentParser, argument, magic_arguments
from IPython.display import display

from concompare.errors import BadOption, BadSyntax, CellRefused
from concompare.options import blank_lines, check_target, ends_with_semicolon, split_options
from concompare.pressing import in_one_line

if TYPE_CHECKING:
    from concompare.cells.functions import LiftedFunction
    from concompare.cells.lifting import Lifted
    from concompare.cells.task import Task
    from concompare.measure import Progress
    from concompare.report import Report
    from concompare.running import Ran, Request

OURS = (str(Path(__file__).parent), contextmanager.__code__.co_filename, futures.__path__[0])
"""Where frames come from that say nothing to the user."""

COMMON = (
    argument("-b", "--backend", metavar="NAME[,NAME…]", help="kinds of workers, or a name that holds an Executor"),
    argument("-w", "--workers", metavar="N[,N…]", help="how many: 4, 1,2,4, 1-8, max (usable CPUs) or 2x (twice that)"),
    argument("--address", metavar="URL", help="an existing cluster, for backends such as dask that have one"),
    argument("--over", metavar="EXPR", help="the items, when the cell only defines a function"),
    argument("--function", metavar="NAME", help="which function to run, when the cell has several"),
    argument("--line", type=int, metavar="N", help="the line of the loop to run, when the cell has several"),
    argument(
        "--on-error",
        choices=("stop", "keep"),
        default="stop",
        help="stop: the first failing item raises, earlier results are kept; keep: failures become values",
    ),
    argument("--chunk", type=int, metavar="N", help="items per message; default: from the measured time of an item"),
    argument("--native-threads", type=int, metavar="N", help="threads of BLAS and OpenMP in each worker"),
    argument("--timeout", type=float, metavar="S", help="seconds an item may take before its worker is ended"),
    argument("--seed", type=int, metavar="N", help="a random stream for each item, the same on every kind of workers"),
    argument("--assume-pure", action="store_true", help="accept calls that cannot be seen to be independent"),
    argument("--timeline", action="store_true", help="draw when each worker was on a CPU, waited or was blocked"),
    argument("--explain", action="store_true", help="say what would run where, and run nothing"),
    argument("--quiet", action="store_true", help="no progress, summary or table"),
    argument("--no-plot", action="store_true", help="no plots"),
    argument("--save", metavar="PATH", help="write the report: .json, .html, .csv, .png, .svg or .txt"),
    argument("--info", action="store_true", help="line forms: show CPUs, quota, GIL, native threads, hazards, pools"),
    argument("--close", action="store_true", help="line forms: close the open pools"),
)
SCALING = argument(
    "--scaling",
    choices=("strong", "weak"),
    help="strong: the same items for any number of workers; weak: the same number of items for each worker",
)
NOTHING = {
    "text/plain": "",
    "text/html": "<style>.jp-OutputArea-child:has(.concompare-gone){display:none}</style><i class=concompare-gone></i>",
}
"""What takes no room: an empty text alone leaves an empty line, and of no form at all nbconvert complains."""
PYTHON = argument("--python", action="append", metavar="PATH", help="another Python to compare with, e.g. 3.14t")
REPEAT_OK = argument(
    "--repeat-ok", action="store_true", help="the items write files, delete or start programs: run them several times"
)
BUDGET = argument("--budget", type=float, default=30.0, metavar="S", help="seconds for the comparison; default 30")


def options(*arguments: Any) -> Callable[[Any], Any]:
    """Give a magic its options, in the order they are listed."""

    def decorate(method: Any) -> Any:
        for one in (in_one_line, *reversed(arguments)):
            method = one(method)
        return magic_arguments()(method)

    return decorate


@dataclass(frozen=True, slots=True)
class Source:
    """The code under a magic, with the lines as the notebook numbers them.

    Attributes:
        text: The code, free of IPython's own syntax.
        filename: The name that tracebacks resolve to the cell.
        first_line: Number of the code's first line in the cell.
        silent: True when the last expression ends with a semicolon.
    """

    text: str
    filename: str
    first_line: int
    silent: bool


@magics_class
class ConcompareMagics(Magics):
    """Run a cell's loop in parallel, or measure the ways to do so."""

    shell: Any

    @no_var_expand
    @options(*COMMON)
    @line_cell_magic
    @needs_local_scope
    def parallel(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Run the loop of a cell in parallel; afterwards the notebook is as if the plain cell had run.

        ::

            %%parallel -b processes -w 4
            results = [score(p) for p in papers]
        """
        args, code = read_options(self.parallel.parser, line, cell)
        if args.info or args.close:
            return self.look_after(args)
        source = self.source_of("parallel", line, cell, code)
        request = self.request_of(args, ("auto",))
        if args.explain:
            return self.explain(args, source)
        task = self.task_of(args, source, local_ns, request)
        with user_traceback(self.shell, source):
            ran = run(task, request)
        show_run(ran, args)
        return None if source.silent else ran.value

    @no_var_expand
    @options(*COMMON, BUDGET, SCALING, REPEAT_OK, PYTHON)
    @line_cell_magic
    @needs_local_scope
    def concompare(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Measure in which kind of workers, and in how many, the loop of a cell is fastest; returns the report.

        ::

            %%concompare
            results = [score(p) for p in papers]
        """
        args, code = read_options(self.concompare.parser, line, cell)
        if args.info or args.close:
            return self.look_after(args)
        source = self.source_of("concompare", line, cell, code)
        request = self.request_of(args, None, budget=args.budget, scaling=args.scaling, pythons=args.python)
        if args.explain:
            return self.explain(args, source)
        task = self.task_of(args, source, local_ns, request, repeated=True)
        with user_traceback(self.shell, source):
            return compare(task, request, args, notebook=hasattr(self.shell, "kernel"))

    def request_of(self, args: Namespace, default: tuple[str, ...] | None, **more: Any) -> Request:
        """Return what the options ask for, all of it checked before anything runs."""
        from concompare import api

        check_target(args.save)
        names = tuple(name.strip() for name in args.backend.split(",")) if args.backend else default
        return api.request_of(
            names,
            args.workers,
            namespace=self.shell.user_ns,
            on_error=args.on_error,
            chunk=args.chunk,
            timeout=args.timeout,
            address=args.address,
            seed=args.seed,
            timeline=args.timeline,
            native_threads=args.native_threads,
            progress=None if args.quiet else Place() if hasattr(self.shell, "kernel") else sys.stderr,
            **more,
        )

    def lifted(self, args: Namespace, source: Source) -> Lifted | LiftedFunction:
        """Return what of the code under a magic can run in parallel, without running anything."""
        from concompare import cells

        with plain_syntax_error(self.shell):
            return cells.lift(
                source.text,
                self.shell.user_ns,
                over=args.over,
                function=args.function,
                line=args.line,
                first_line=source.first_line,
                filename=source.filename,
                assume_pure=args.assume_pure,
                seeded=args.seed is not None,
            )

    def explain(self, args: Namespace, source: Source) -> None:
        """Print what would run where; a cell that cannot be lifted is refused, every reason with its line."""
        try:
            print(self.lifted(args, source).explanation(self.shell.user_ns))  # noqa: T201
        except CellRefused as refusal:
            for reason in refusal.reasons[1:]:
                print(reason)  # noqa: T201
            raise

    def task_of(
        self,
        args: Namespace,
        source: Source,
        local_ns: dict[str, Any] | None,
        request: Request,
        *,
        repeated: bool = False,
    ) -> Task:
        """Return the task of the code under a magic; the statements before its loop have run then.

        What only running can show is looked at as well; `repeated`: its items will run several times.
        """
        from concompare import audit, backends

        namespace = self.shell.user_ns
        if local_ns is not None and local_ns is not namespace:
            raise BadOption("a magic inside a function cannot see its names: use concompare.map(function, items) there")
        lifted = self.lifted(args, source)
        allowed = {"assume_pure": args.assume_pure, "repeat_ok": getattr(args, "repeat_ok", False)}
        if repeated:
            audit.refuse_repeats(lifted, repeat_ok=allowed["repeat_ok"])
        say(args, *lifted.notes, *lifted.hazards)
        with user_traceback(self.shell, source):
            task: Task = lifted.bind(namespace)
            kinds = {backend.isolation for backend in request.backends if backend.name != "auto"}
            found = audit.check(
                task,
                lifted,
                repeated=repeated,
                seeded=args.seed is not None,
                started=bool(kinds - {"none", "thread"}),
                **allowed,
            )
        say(args, *found, *backends.hazards(request.backends))
        return task

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

    def look_after(self, args: Namespace) -> Any:
        """Close the pools, or return the card of this machine and the open pools."""
        from concompare import backends, engine

        if args.close:
            engine.close_pools()
        if not args.info:
            return None
        from concompare.machine import environment
        from concompare.render.card import card_of

        return card_of(environment(), engine.pools(), backends.cluster_words())


def say(args: Namespace, *sentences: str) -> None:
    """Print what the user should know, unless it is to be quiet."""
    for sentence in sentences if not args.quiet else ():
        print(sentence)  # noqa: T201


# ---- options in ----


def read_options(parser: MagicArgumentParser, line: str, cell: str | None) -> tuple[Namespace, str]:
    """Return the options at the start of a magic's line, and the code that follows them.

    Raises:
        BadOption: An option is unknown or its value cannot be used; or words follow the options of a cell magic.
    """
    words, code = split_options(parser, line)
    try:
        args: Namespace = parser.parse_args(words)
    except UsageError as error:
        raise BadOption(str(error)) from None
    if cell is not None and code:
        raise BadOption(f"{code!r} is not an option; put values with spaces in quotes")
    if cell is not None and (args.info or args.close):
        raise BadOption(f"--info and --close belong to the line form: %{parser.prog} --info")
    return args, code


def calling_cell(namespace: dict[str, Any]) -> tuple[str, int]:
    """Return the file name of the cell that runs now and the line it is at."""
    for frame, line in traceback.walk_stack(None):
        if frame.f_globals is namespace and frame.f_code.co_name.startswith(("<module", "<cell line")):
            return frame.f_code.co_filename, line
    return "", 1


# ---- report out ----


def run(task: Task, request: Request) -> Ran:
    """Run the task of `%%parallel`."""
    from concompare import running

    return running.run(task, request)


def compare(task: Task, request: Request, args: Namespace, *, notebook: bool) -> Report:
    """Compare for `%%concompare`, showing the plan and how far it is unless `--quiet`."""
    from concompare import running

    live = None if args.quiet else Live(notebook=notebook)
    try:
        report = running.measure(task, request, live)
    finally:
        if live is not None:
            live.close()
    report.plots = not args.no_plot
    if args.save:
        report.save(Path(args.save).expanduser())
    return report


def show_run(ran: Ran, args: Namespace) -> None:
    """Show what `%%parallel` measured: a line and a small table; of several trials all of them and the plots."""
    from concompare.report import Report

    if args.quiet and not args.save:
        return
    comparison = ran.comparison
    report = Report(comparison, findings=(), plots=not args.no_plot)
    if args.save:
        report.save(Path(args.save).expanduser())
    if not args.quiet:
        from concompare.render.summary import summary_of

        one = len(comparison.trials) == 1
        display(summary_of(comparison, ran.note, timeline=args.timeline) if one else Runs(report))


@dataclass(frozen=True, slots=True)
class Runs:
    """Several runs of one cell as they are shown: the report, with its details in rich front ends only."""

    report: Report

    def __repr__(self) -> str:
        from concompare.render.text import text_of

        return text_of(self.report.view, details=False).rstrip()

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


class Place(io.StringIO):
    """A stream for a progress bar: its last line stands in one place of a notebook's output, and blanks clear it."""

    encoding = "utf-8"  # so that tqdm draws blocks

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
        self.bar: Any = None

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
        from concompare.render.live import bundle_of

        bundle = bundle_of(progress)
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)

    def show_bar(self, progress: Progress) -> None:
        """Show a line with the part that is done."""
        from tqdm import tqdm

        from concompare.render.live import doing_of

        if self.bar is None:
            looks = "{percentage:3.0f}%|{bar:20}| {desc}"
            self.bar = tqdm(total=100, leave=False, dynamic_ncols=True, bar_format=looks)
        self.bar.set_description_str(doing_of(progress), refresh=False)
        self.bar.update(round(100 * progress.fraction) - self.bar.n)
        self.bar.refresh()

    def close(self) -> None:
        """Leave nothing behind."""
        if self.handle is not None:
            self.handle.update(NOTHING, raw=True)
        if self.bar is not None:
            self.bar.close()


# ---- errors ----


@contextmanager
def plain_syntax_error(shell: Any) -> Iterator[None]:
    """Show a syntax error as a plain cell would: the line and the place in it, and no frames."""
    from concompare.engine import unswallowed

    try:
        with unswallowed():
            yield
    except SyntaxError as error:
        lines = shell.SyntaxTB.structured_traceback(type(error), error, [])
        raise BadSyntax(f"{error.msg} (line {error.lineno})", tuple(lines)) from None


@contextmanager
def user_traceback(shell: Any, source: Source) -> Iterator[None]:
    """Show an exception of the user's code as the plain cell would: its own frames, none of ours.

    IPython asks an exception for `_render_traceback_` before it formats one; ours and an interrupt have their own.
    """
    from concompare.engine import unswallowed

    try:
        with unswallowed():
            yield
    except Exception as error:
        if not hasattr(error, "_render_traceback_"):
            frames = user_frames(error.__traceback__, source.filename)
            lines = shell.InteractiveTB.structured_traceback(type(error), error, frames, 0)
            noted = "\n".join(lines)
            lines += [note for note in getattr(error, "__notes__", ()) if note not in noted]
            with suppress(AttributeError, TypeError):
                error._render_traceback_ = Lines(tuple(lines))  # type: ignore[attr-defined]
        raise


@dataclass(frozen=True, slots=True)
class Lines:
    """A traceback that is already formatted; unlike a closure it can be pickled with its exception."""

    lines: tuple[str, ...]

    def __call__(self) -> list[str]:
        """Return the lines."""
        return list(self.lines)


def user_frames(trace: TracebackType | None, filename: str) -> TracebackType | None:
    """Return the traceback from the cell's first frame on, or where the cell is not in it without our first frames."""
    frame = trace
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            return frame
        frame = frame.tb_next
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    return trace
