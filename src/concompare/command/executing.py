"""`run`: a script as Python runs it, but with its loops in parallel."""

from __future__ import annotations
import __future__

import ast
import os
import sys
import time
import types
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.cells.whole_files import MAIN, WholeFile, fresh_names, without_futures
from concompare.cells.wishes import Runner, Wishes
from concompare.command import files
from concompare.command.listing import VERSION, refusal_data
from concompare.errors import BadOption, ConcompareError, Interrupted
from concompare.interrupts import unswallowed
from concompare.libraries import load_from_libraries
from concompare.report.report import write_whole
from concompare.run.cell_runners import Running, Telling, seconds_of
from concompare.run.dispatch import Ran
from concompare.run.request import Request, request_of

INTERRUPTED = 130
"""Exit status after Ctrl-C: that of shells, 128 and the number of the signal."""


def run(args: Namespace) -> int:
    """Run a script with its loops in parallel; return its exit status."""
    path, number = files.script_at(args.file)
    if number is not None:
        raise BadOption(f"{args.file}: `run` runs all of a script: leave the line out")
    check_target(args.json)
    request = request_as_asked(args)
    runner = Noting(request, Telling(say if args.verbose else dropped))
    script = Script(path, args.arguments, files.source_of(path))
    status = script.run(runner, seeded=request.seed is not None)
    if args.verbose:
        say(*map(in_words, runner.loops()))
    if args.json:
        data = {"format": "concompare run", "version": VERSION, "file": str(path), "status": status}
        data |= {"loops": runner.loops(), "refused": script.refused()}
        write_whole(Path(args.json), files.as_json(data).encode())
    return status


def request_as_asked(args: Namespace) -> Request:
    """Return how the loops are to be run."""
    shown = sys.stderr if not args.quiet and sys.stderr is not None and sys.stderr.isatty() else None
    how: dict[str, Any] = {"seed": args.seed, "progress": shown, "kept": 0, "moment": -time.monotonic()}
    return request_of([args.backend], args.workers, witnessed=True, plainly=True, named=False, **how)


def check_target(path: str | None) -> None:
    """Refuse a file that cannot be written, before anything runs."""
    if path is not None and not Path(path).resolve().parent.is_dir():
        raise BadOption(f"--json {path}: there is no folder {Path(path).parent}")


def say(*sentences: str) -> None:
    """Write lines to stderr, which is the script's as well."""
    for sentence in sentences:
        sys.stderr.write(f"concompare: {files.of_a_script(sentence)}\n")


def dropped(sentence: str) -> None:
    """Say nothing."""


@dataclass
class Noting(Running):
    """Runs loops in parallel, and notes in which files they stand."""

    places: dict[int, str] = field(default_factory=dict)

    def run(self, task: Task, lifted: Lifted) -> float:
        """Run a loop in parallel; returns what its items took."""
        before = len(self.ran)
        work = super().run(task, lifted)
        self.places |= {id(ran): lifted.filename for ran in self.ran[before:]}
        return work

    def loops(self) -> list[dict[str, Any]]:
        """Return what each loop ran in, as docs/schema/run.json says; those that took longest first."""
        found: dict[tuple[str, int, str], list[Ran]] = {}
        for ran in self.ran:
            found.setdefault((self.places.get(id(ran), ""), ran.task.line, ran.task.name), []).append(ran)
        made = [loop_data(file, max(runs, key=seconds_of), runs) for (file, _, _), runs in found.items()]
        return sorted(made, key=lambda one: -one["seconds"])


def loop_data(file: str, longest: Ran, runs: Sequence[Ran]) -> dict[str, Any]:
    """Return one loop as JSON has it: what its longest run ran in, and the seconds of all runs."""
    trial = longest.trials[-1]
    items = sum(part.items for part in trial.passes)
    return {
        "file": file,
        "line": longest.task.line,
        "loop": longest.task.name,
        "backend": trial.backend,
        "workers": trial.workers,
        "items": items,
        "runs": len(runs),
        "seconds": sum(map(seconds_of, runs)),
        "note": longest.note or None,
    }


def in_words(loop: dict[str, Any]) -> str:
    """Return one line about a loop that ran."""
    ways = "the plain loop" if loop["backend"] == "serial" else f"{loop['backend']} × {loop['workers']}"
    note = f" ({loop['note']})" if loop["note"] else ""
    return f"{loop['file']}:{loop['line']}: {loop['loop']}: {loop['items']} items in {ways}{note}"


class Script:
    """A script, which becomes the module `__main__` of this process.

    Attributes:
        path: Its file, from the root; `given`: as it was named.
        cell: The script as a cell, once it runs.
    """

    def __init__(self, path: Path, arguments: Sequence[str], source: str) -> None:
        self.given, self.arguments, self.source = path, list(arguments), source
        self.path = Path(os.path.abspath(path))  # as Python has it: links are not resolved
        self.cell: WholeFile | None = None

    def refused(self) -> list[dict[str, Any]]:
        """Return the loops that ran as they are, and why, each reason once."""
        refused = self.cell.refused if self.cell is not None else []
        found = {(one.loop.line, str(one.refusal)): one for one in refused}
        return [
            {"line": one.loop.line, "loop": one.loop.caption, "refusal": refusal_data(one.refusal)}
            for one in found.values()
        ]

    def run(self, runner: Runner, *, seeded: bool = False) -> int:
        """Run it as Python would; return the exit status. An exception is shown as Python shows it."""
        namespace = self.become_main()
        try:
            with unswallowed():
                self.execute(namespace, lambda cell: runner, seeded=seeded)
        except SystemExit as leaving:
            return status_of(leaving)
        except BaseException as error:
            return self.show(error)
        return 0

    def run_until(self, end: type[BaseException], runner_of: Callable[[WholeFile], Runner], **wishes: Any) -> int:
        """Run it until a loop's runner ends it by an exception; return the exit status if it ends before.

        Raises:
            ConcompareError: The runner refuses to go on.
        """
        try:
            with unswallowed():
                self.execute(self.become_main(), runner_of, measured=True, **wishes)
        except end:
            return 0
        except SystemExit as leaving:
            return status_of(leaving)
        except BaseException as error:
            if isinstance(error, ConcompareError) and not self.is_own(error):
                raise
            return self.show(error)
        return 0

    def execute(self, namespace: dict[str, Any], runner_of: Callable[[WholeFile], Runner], **wishes: Any) -> None:
        """Run its statements over names; `runner_of` gives what runs the loops of the cell that it is."""
        tree = ast.parse(self.source, str(self.path))
        namespace["__doc__"] = ast.get_docstring(tree, clean=sys.version_info >= (3, 13))
        future = [part for part in tree.body if isinstance(part, ast.ImportFrom) and part.module == "__future__"]
        compile(ast.Module([*future], []), str(self.path), "exec", dont_inherit=True)
        for name in (alias for part in future for alias in part.names):
            namespace[name.asname or name.name] = getattr(__future__, name.name)
        self.cell = WholeFile(without_futures(self.source, tree), Wishes(str(self.path), **wishes))
        self.cell.run(namespace, runner_of(self.cell))

    def become_main(self) -> dict[str, Any]:
        """Make the script's module `__main__`, with its arguments and its folder; return the module's names."""
        module = types.ModuleType(MAIN)
        vars(module).update(fresh_names(str(self.path)), __cached__=None, __loader__=None, __package__=None)
        sys.modules[MAIN] = module
        sys.argv = [str(self.given), *self.arguments]
        if not getattr(sys.flags, "safe_path", False):
            sys.path[0] = os.path.dirname(os.path.abspath(os.path.realpath(self.path)))
            load_from_libraries()
        return vars(module)

    def show(self, error: BaseException) -> int:
        """Show an exception that ends the script as Python does, from the script's own first line on."""
        if isinstance(error, ConcompareError) and not self.is_own(error):
            sys.stderr.write(f"concompare run: {type(error).__name__}: {error}\n")
            return 1
        part = self.own_part(error.__traceback__)
        shown = (KeyboardInterrupt() if isinstance(error, Interrupted) else error).with_traceback(part)
        sys.stdout.flush()
        sys.excepthook(type(shown), shown, part)
        return INTERRUPTED if isinstance(shown, KeyboardInterrupt) else 1

    def is_own(self, error: BaseException) -> bool:
        """Return whether the script itself raised an exception of ours."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        return trace is not None and trace.tb_frame.f_code.co_filename == str(self.path)

    def own_part(self, trace: types.TracebackType | None) -> types.TracebackType | None:
        """Return a traceback from the script's first frame on; nothing where it has none, as of a syntax error."""
        while trace is not None and trace.tb_frame.f_code.co_filename != str(self.path):
            trace = trace.tb_next
        return trace


def status_of(leaving: SystemExit) -> int:
    """Return the status with which an exit ends, and write what it says, as Python does."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code
    sys.stderr.write(f"{leaving.code}\n")
    return 1
