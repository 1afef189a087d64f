"""A magic's line and its code as words: options, values, blank lines, a final semicolon."""

from __future__ import annotations

import ast
import io
import itertools
import time
import tokenize
from argparse import ArgumentParser
from pathlib import Path

from concompare.errors import BadOption

SUFFIXES = (".json", ".html", ".csv", ".png", ".svg", ".txt")
"""Endings of the files that a report can be written to."""


def split_options(parser: ArgumentParser, line: str) -> tuple[list[str], str]:
    """Split a magic's line into its options, written in full, and the code after them as it was written."""
    known = {name: action for action in parser._actions for name in action.option_strings}
    found: list[str] = []
    rest = line.strip()
    while rest.startswith("-"):
        word, rest = next_word(rest)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name not in known:
            raise BadOption(f"there is no option {name!r}: see %{parser.prog}? (code that starts with - goes after --)")
        if known[name].nargs != 0 and not equals:
            if not rest:
                raise BadOption(f"{name} needs a value: {known[name].metavar}")
            value, rest = next_word(rest)
        full = known[name].option_strings[-1]
        found.append(f"{full}={unquoted(value)}" if known[name].nargs != 0 or equals else full)
    return found, rest


def next_word(line: str) -> tuple[str, str]:
    """Return the first word of a line and the rest of it; quotes and brackets hold their spaces."""
    quote, depth = "", 0
    for place, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign.isspace() and depth == 0:
            return line[:place], line[place:].lstrip()
        else:
            depth += (sign in "([{") - (sign in ")]}")
    if quote or depth > 0:
        raise BadOption(f"a quote or bracket is not closed: {line}")
    return line, ""


def unquoted(value: str) -> str:
    """Return what a value says when it is one quoted string, else the value as it is."""
    try:
        text = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return text if isinstance(text, str) else value


def check_target(path: str | None) -> None:
    """Refuse a file that the report could not be written to, before anything runs."""
    if path is None:
        return
    if Path(path).suffix.lower() not in SUFFIXES:
        raise BadOption(f"--save {path}: the name must end with one of {', '.join(SUFFIXES)}")
    if not Path(path).expanduser().resolve().parent.is_dir():
        raise BadOption(f"--save {path}: there is no folder {Path(path).parent}")


def ends_with_semicolon(code: str) -> bool:
    """Tell whether the last statement ends with a semicolon, which keeps its value from being shown."""
    if ";" not in code:
        return False
    passed = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT, tokenize.INDENT)
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type not in passed:
                last = token.string
    except (tokenize.TokenError, SyntaxError):
        return False
    return last == ";"


def blank_lines(code: str) -> int:
    """Return how many blank lines code begins with; IPython takes them away, and line numbers with them."""
    return len(list(itertools.takewhile(str.isspace, code.splitlines(keepends=True))))


def moment_of(number: int, cell: str | None) -> float:
    """Return the number of the cell that runs now; of a line magic, which may be anywhere in one, one of its own."""
    return float(number) if cell is not None else -time.monotonic()
