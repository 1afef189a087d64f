"""Tables of the pages that are made from the program itself, so that they cannot disagree with it."""

from __future__ import annotations

import inspect
from argparse import Action
from typing import Any

RETURNED = ("Comparison", "Trial", "Finding", "Environment")
"""Records that public functions and attributes give out."""


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


def api_pages() -> str:
    """Return directives of autodoc for every public name, functions first, in the order of the alphabet."""
    import concompare

    kinds: dict[str, list[str]] = {"Functions": [], "Classes": [], "Exceptions and warnings": []}
    for name in sorted(concompare.__all__, key=str.lower):
        value = getattr(concompare, name)
        is_error = inspect.isclass(value) and issubclass(value, BaseException)
        kind = "Exceptions and warnings" if is_error else "Classes" if inspect.isclass(value) else "Functions"
        directive = {"Functions": "autofunction", "Classes": "autoclass"}.get(kind, "autoexception")
        directive = directive if callable(value) and hasattr(value, "__name__") else "autodata"
        kinds[kind].append(directed(directive, f"concompare.{name}", members=kind == "Classes"))
    kinds["Records"] = [directed("autoclass", f"concompare.records.{name}", members=False) for name in RETURNED]
    return "\n".join(f"## {title}\n\n" + "\n".join(made) for title, made in kinds.items())


def directed(directive: str, name: str, *, members: bool) -> str:
    """Return a directive of autodoc as MyST writes it."""
    options = "   :members:\n" if members else ""
    return f"```{{eval-rst}}\n.. {directive}:: {name}\n{options}```\n"


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
