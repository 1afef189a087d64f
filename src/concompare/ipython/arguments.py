"""The options of the magics: declared once, read from a magic's line."""

from __future__ import annotations

import functools
import re
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser, argument, magic_arguments

from concompare.errors import BadOption
from concompare.interrupts import in_one_line
from concompare.ipython.command_line import split_options

COMMON = (
    argument("-b", "--backend", metavar="NAME[,NAME…]", help="kinds of workers, or a name that holds an Executor"),
    argument("-w", "--workers", metavar="N[,N…]", help="how many: 4, 1,2,4, 1-8, max (usable CPUs) or 2x (twice that)"),
    argument("--address", metavar="URL", help="an existing cluster, for backends such as dask that have one"),
    argument("--over", metavar="EXPR", help="the items, when the cell only defines a function"),
    argument("--function", metavar="NAME", help="which function to run, when the cell has several"),
    argument("--in", dest="inside", metavar="NAME", help="the function that the cell calls and whose loops are meant"),
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
    argument(
        "--forget", action="store_true", help="line forms: forget what earlier runs have shown, of other kernels too"
    ),
)
SCALING = argument(
    "--scaling",
    choices=("strong", "weak"),
    help="strong: the same items for any number of workers; weak: the same number of items for each worker",
)
PYTHON = argument("--python", action="append", metavar="PATH", help="another Python to compare with, e.g. 3.14t")
REPEAT_OK = argument(
    "--repeat-ok", action="store_true", help="the items write files, delete or start programs: run them several times"
)
RESUME = argument(
    "--resume", metavar="FILE", help="keep results in a file as they come; take from it what an earlier run has left"
)
BUDGET = argument(
    "--budget",
    type=float,
    metavar="S",
    help="seconds for the comparison; default 3 for short cells, for others up to 4 times the plain loop's, 30 at most",
)


def options(*arguments: Any) -> Callable[[Any], Any]:
    """Give a magic its options, in the order they are listed."""

    def decorate(method: Any) -> Any:
        for one in (in_one_line, *reversed(arguments)):
            method = one(method)
        return magic_arguments()(method)

    return decorate


def in_plain_words(message: str) -> str:
    """Return what argparse says of an option's value in the form of our own messages."""
    found = re.fullmatch(r"argument (?:.*/)?(--[\w-]+): invalid (int|float) value: (.*)", message)
    if found is None:
        return message.removeprefix("argument ")
    return f"{found[1]} is {found[3]}: use a {'whole ' if found[2] == 'int' else ''}number"


@functools.lru_cache(maxsize=128)
def parsed(parser: MagicArgumentParser, line: str) -> tuple[Namespace, str]:
    """Return the options at the start of a magic's line and what follows them: they depend on nothing else."""
    words, code = split_options(parser, line)
    try:
        return parser.parse_args(words), code
    except UsageError as error:
        raise BadOption(in_plain_words(str(error))) from None


def read_options(parser: MagicArgumentParser, line: str, cell: str | None) -> tuple[Namespace, str]:
    """Return the options at the start of a magic's line, and the code that follows them.

    Raises:
        BadOption: An option is unknown or its value cannot be used; or words follow the options of a cell magic.
    """
    found, code = parsed(parser, line)
    args = Namespace(**vars(found))
    if cell is not None and code:
        raise BadOption(f"{code!r} is not an option; put values with spaces in quotes")
    for name in ("info", "close", "forget"):
        if cell is not None and getattr(args, name):
            raise BadOption(f"--{name} belongs to the line form: %{parser.prog} --{name}")
    return args, code
