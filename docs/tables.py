"""Tables of the pages that are made from the program itself, so that they cannot disagree with it."""

from __future__ import annotations

from argparse import Action
from typing import Any


def option_tables() -> dict[str, str]:
    """Return the options that both magics have, and those that only one of them has, as Markdown tables."""
    from concompare.ipython.magics import ConcompareMagics

    parallel = options_of(ConcompareMagics.parallel)
    compare = options_of(ConcompareMagics.concompare)
    both = {name: action for name, action in parallel.items() if name in compare}
    return {
        "both": table_of(both),
        "parallel": table_of({name: action for name, action in parallel.items() if name not in both}),
        "concompare": table_of({name: action for name, action in compare.items() if name not in both}),
    }


def options_of(magic: Any) -> dict[str, Action]:
    """Return the options of a magic by their long names, in their order."""
    return {action.option_strings[-1]: action for action in magic.parser._actions if action.option_strings}


def table_of(options: dict[str, Action]) -> str:
    """Return options as a Markdown table; a sentence where there are none."""
    if not options:
        return "None.\n"
    lines = ["| option | does |", "|---|---|"]
    for action in options.values():
        names = ", ".join(action.option_strings)
        value = "" if action.nargs == 0 else f" {action.metavar or '/'.join(map(str, action.choices or ()))}"
        said = " ".join((action.help or "").split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| `{names}{value}` | {said} |")
    return "\n".join(lines) + "\n"
