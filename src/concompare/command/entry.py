"""The arguments of the command line, and what they start."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from concompare.errors import ConcompareError
from concompare.formats import clean
from concompare.libraries import load_from_libraries

BAD = 2
"""Exit status for arguments that cannot be used, as that of argparse."""

SCRIPTS = "what follows -- are the script's own arguments"


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        """End with one line."""
        self.exit(BAD, f"{self.prog}: {message}: see {self.prog} --help\n")


def parser() -> Parser:
    """Return the parser of the whole command line."""
    made = Parser(prog="concompare", description="Threads or processes, how many workers, and why not faster.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    add_explain(commands)
    add_compare(commands)
    add_run(commands)
    add_check(commands)
    info = commands.add_parser("info", help="show the environment card: CPUs, limits, the GIL, hazards")
    info.set_defaults(action="concompare.command.listing:info")
    add_json(info)
    return made


def add_json(one: Parser) -> None:
    """Add the option that all commands have whose output is their own."""
    one.add_argument("--json", action="store_true", help="write JSON (docs/schema) instead of text")


def add_explain(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add `explain`."""
    text = "say of every loop of a script or notebook whether it would run in parallel, and why not; runs nothing of it"
    one = commands.add_parser("explain", help=text, description=text)
    one.set_defaults(action="concompare.command.listing:explain")
    one.add_argument("file", metavar="FILE", help="a script (.py) or a notebook (.ipynb)")
    one.add_argument("--strict", action="store_true", help="exit with 1 where a loop that has work cannot")
    one.add_argument("--verbose", action="store_true", help="show the code that would run in workers")
    add_json(one)


def add_compare(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add `compare`."""
    text = "run a script up to one of its loops, and measure how that is fastest"
    usage = "concompare compare [options] FILE[:LINE] [-- ARG ...]"
    one = commands.add_parser("compare", help=text, description=text, epilog=SCRIPTS, usage=usage)
    one.set_defaults(action="concompare.command.measuring:compare", arguments=[])
    one.add_argument("place", metavar="FILE[:LINE]", help="the script, and the line where the loop begins")
    add_measuring(one)
    one.add_argument("--html", action="store_true", help="write the report as a page of HTML instead of text")
    one.add_argument("--save", metavar="PATH", help="write the report as well: .json, .html, .csv, .png, .svg or .txt")
    add_json(one)


def add_measuring(one: Parser) -> None:
    """Add the options of a comparison."""
    one.add_argument("-b", "--backend", metavar="NAME[,NAME…]", help="kinds of workers to compare")
    one.add_argument("-w", "--workers", metavar="N[,N…]", help="how many: 4, 1,2,4, 1-8, max or 2x")
    one.add_argument("--budget", type=float, default=30.0, metavar="S", help="seconds for the comparison; default 30")
    one.add_argument("--seed", type=int, metavar="N", help="a random stream for each item")
    one.add_argument("--repeat-ok", action="store_true", help="the items write files or start programs: repeat them")
    one.add_argument("--assume-pure", action="store_true", help="accept calls that cannot be seen to be independent")


def add_run(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add `run`."""
    text = "run a script with its loops in parallel; it does, prints and ends as it does without"
    one = commands.add_parser("run", help=text, description=text)
    one.set_defaults(action="concompare.command.executing:run")
    one.add_argument("-b", "--backend", default="auto", metavar="NAME", help="kind of workers; default auto")
    one.add_argument("-w", "--workers", metavar="N", help="how many: 4, max (usable CPUs) or 2x")
    one.add_argument("--seed", type=int, metavar="N", help="a random stream for each item")
    one.add_argument("--verbose", action="store_true", help="say on stderr what ran where, and why not in parallel")
    one.add_argument("--quiet", action="store_true", help="no progress")
    one.add_argument("--json", metavar="PATH", help="write what ran where as JSON (docs/schema) to a file")
    one.add_argument("file", metavar="FILE", help="the script")
    one.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARG", help="the script's own arguments")


def add_check(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add `check`."""
    text = "tell whether a loop has become slower: a saved report against another, or against a new measurement"
    ends = "exit status: 0 not slower, 1 slower, 3 it cannot be told from these reports"
    usage = "concompare check [options] OLD.json NEW [-- ARG ...]"
    one = commands.add_parser("check", help=text, description=text, epilog=f"{SCRIPTS}; {ends}", usage=usage)
    one.set_defaults(action="concompare.command.checking:check", arguments=[])
    one.add_argument("old", metavar="OLD.json", help="a report, from `compare --save OLD.json`")
    one.add_argument("new", metavar="NEW", help="another report (NEW.json), or the script to measure now (FILE[:LINE])")
    add_measuring(one)
    add_json(one)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say and return the exit status; by default they are those of the process.

    What is wrong with them or with a file is one line on stderr, and status 2.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    apart = given.index("--") if "--" in given and given[0] in ("compare", "check") else len(given)
    args = parser().parse_args(given[:apart])
    if apart < len(given):
        args.arguments = given[apart + 1 :]
    module, _, name = args.action.partition(":")
    try:
        load_from_libraries()
        status: int = getattr(import_module(module), name)(args)
        sys.stdout.flush()
    except ConcompareError as error:
        sys.stderr.write(f"concompare {args.command}: {clean(str(error))}\n")
        return BAD
    except BrokenPipeError:  # as of `| head`: what is left in the buffer goes nowhere
        sys.stdout = None
        return 128 + getattr(signal, "SIGPIPE", 13)
    return status
