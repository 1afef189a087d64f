"""`explain`: every loop of a file and whether it would run in parallel; and `info`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concompare import formats, machine
from concompare.cells.ir import Why
from concompare.cells.whole_files import Told, explained, fresh_names
from concompare.command import files
from concompare.engine import shared_context
from concompare.errors import BadOption, CellRefused
from concompare.record_data import to_data

VERSION = 1
"""Of what is written as JSON; docs/schema has its form."""
DRAWS = "it draws by pyplot, whose current figure all threads share"


@dataclass(frozen=True)
class Found:
    """A loop of a file, and what would become of it.

    Attributes:
        cell: Number of the notebook's code cell from 1, or None in a script.
        threads: Why it does not run in threads, or None where it does.
    """

    file: str
    cell: int | None
    told: Told
    threads: str | None = None

    @property
    def place(self) -> str:
        """Return where it is, as editors understand it."""
        return f"{self.file}:{self.told.line}" if self.cell is None else f"{self.file}[{self.cell}]:{self.told.line}"

    def in_words(self, text: str) -> str:
        """Return what is said of the loop in the words for its file."""
        return text if self.cell is not None else files.of_a_script(text)

    @property
    def parallel(self) -> bool | None:
        """Return whether it would run in parallel; None: only running the file tells."""
        if self.told.refusal is None:
            return True
        return False if self.told.known else None

    @property
    def loses(self) -> bool:
        """Return whether it has work and cannot run in parallel."""
        return self.parallel is False and self.told.refusal is not None and self.told.refusal.code != Why.NOTHING


def explain(args: Namespace) -> int:
    """Say of every loop of a file whether it would run in parallel; 1 where it has to be and is not."""
    path = Path(args.file)
    files.check_file(path)
    found = loops_of(path)
    if args.json:
        write_json(data_of(path, found))
    else:
        for one in found:
            sys.stdout.write(f"{line_of(one)}\n")
            if args.verbose:
                text = one.in_words(one.told.text)
                sys.stdout.write("".join(f"    {line}".rstrip() + "\n" for line in text.splitlines()) + "\n")
        sys.stdout.write(f"{sum_of(found)}\n")
    return 1 if args.strict and any(one.loses for one in found) else 0


def loops_of(path: Path) -> list[Found]:
    """Return every loop of a script or notebook.

    Raises:
        BadOption: It cannot be read, or is not Python.
    """
    sys.modules["concompare"].parallel  # noqa: B018 (the decorator, for those who use it)
    if path.suffix == ".ipynb":
        from concompare.ipython.notebook_file import code_cells

        sources: list[tuple[int | None, str]] = [*code_cells(path)]
    else:
        sources = [(None, files.source_of(path))]
    found: list[Found] = []
    known = fresh_names(str(path))
    with files.modules_of([source for _, source in sources], path.resolve().parent):
        for number, source in sources:
            filename = str(path) if number is None else f"{path}[{number}]"
            try:
                told = explained(source, filename, known)
            except (SyntaxError, ValueError, RecursionError) as error:
                raise BadOption(f"{filename}: {syntax_words(error)}") from None
            found += [Found(str(path), number, one, threads_of(one)) for one in told]
    return found


def syntax_words(error: Exception) -> str:
    """Return what is wrong with code, with the line."""
    return f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)


def threads_of(told: Told) -> str | None:
    """Return why a loop that can run in parallel does not in threads, or None."""
    if told.head is None:
        return None
    if told.draws:
        return DRAWS
    shared = shared_context(told.head)
    return f"{shared} of the whole process" if shared is not None else None


def line_of(found: Found) -> str:
    """Return one line about a loop."""
    told = found.told
    where = f"{found.place}: {told.noun}"
    where += f" in `{told.function}`" if told.function else ""
    if told.refusal is None:
        kinds = "threads or processes" if found.threads is None else f"processes (not in threads: {found.threads})"
        return f"{where} runs in {kinds}"
    sure = "runs as it is" if told.known else "shows only when it runs; as far as can be seen, it runs as it is"
    return f"{where} {sure}: {found.in_words(str(told.refusal))} [{told.refusal.code}]"


def sum_of(found: list[Found]) -> str:
    """Return how many loops there are, and how many of them would run in parallel."""
    can, cannot = ([one for one in found if one.parallel is kind] for kind in (True, False))
    idle = sum(not one.loses for one in cannot)
    words = [f"{len(can)} can run in parallel", f"{len(cannot) - idle} cannot", f"{idle} have too little to do"]
    words += [f"{len(found) - len(can) - len(cannot)} only running shows"]
    return f"{formats.count(len(found), 'loop')}: {', '.join(words)}"


def data_of(path: Path, found: list[Found]) -> dict[str, Any]:
    """Return the loops as docs/schema/explain.json says."""
    loops = [dict(loop_data(one)) for one in found]
    return {"format": "concompare explain", "version": VERSION, "file": str(path), "loops": loops}


def loop_data(found: Found) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of one loop."""
    told = found.told
    yield "cell", found.cell
    yield "line", told.line
    yield "loop", told.caption
    yield "function", told.function or None
    yield "parallel", found.parallel
    yield "threads", told.refusal is None and found.threads is None
    yield "processes", told.refusal is None
    yield "not_in_threads", found.threads
    yield "refusal", refusal_data(told.refusal, found.in_words) if told.refusal is not None else None
    yield "notes", [found.in_words(note) for note in told.notes]
    yield "text", found.in_words(told.text)


def refusal_data(refusal: CellRefused, in_words: Callable[[str], str] = files.of_a_script) -> dict[str, Any]:
    """Return a reason as JSON has it, in the words for a script unless others are given."""
    return {
        "code": str(refusal.code),
        "line": refusal.line,
        "reason": in_words(refusal.reason),
        "remedy": in_words(refusal.remedy) or None,
        "worth": refusal.code != Why.NOTHING and not refusal.idle,
    }


def write_json(data: dict[str, Any]) -> None:
    """Write data to stdout, in a form that people can read too."""
    sys.stdout.write(files.as_json(data))


def info(args: Namespace) -> int:
    """Show the environment card."""
    environment = machine.environment()
    if args.json:
        write_json({"format": "concompare info", "version": VERSION, "environment": to_data(environment)})
    else:
        from concompare.report.info_card import card_of

        sys.stdout.write(f"{card_of(environment)!r}\n")
    return 0
