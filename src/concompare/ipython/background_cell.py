"""`%%parallel --background`: a cell handed to a process of its own, and its names bound before a later cell."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from concompare.cells.explaining import explanation
from concompare.errors import BadOption
from concompare.ipython.background_display import InNotebook, InTerminal
from concompare.ipython.source import Source
from concompare.run.background import background_run, exchange
from concompare.run.background.background_child import Order

if TYPE_CHECKING:
    from concompare.cells.program import Cell
    from concompare.run.request import Request

PASSED_ON = ("on_error", "chunk", "timeout", "address", "seed", "native_threads")
"""Options that hold in the background as well."""
NOT_THERE = ("save", "timeline", "back_off", "resume")
"""Options that do not."""
TERMINAL: list[InTerminal] = []


def checked(args: Namespace, request: Request) -> tuple[str, ...]:
    """Return the names of the backends, where the options can be had in the background.

    Raises:
        BadOption: One cannot.
    """
    for name in NOT_THERE:
        if getattr(args, name, None):
            option = name.replace("_", "-")
            raise BadOption(f"--background with --{option}: that needs a run that is waited for. Leave one of them out")
    if len(request.backends) > 1 or len(request.workers or (1,)) > 1:
        raise BadOption("--background with several backends or worker counts: name one")
    return (args.backend or "auto",)


def start(shell: Any, args: Namespace, source: Source, cell: Cell, names: tuple[str, ...]) -> None:
    """Start a cell in the background and show it.

    Raises:
        CellRefused: None of its loops can run in parallel, or it defines functions.
        CannotShip: A name that it mentions cannot be sent.
        BadOption: The backend is an executor of the notebook.
    """
    namespace = shell.user_ns
    background_run.check_backends(names, namespace)
    background_run.refuse(cell.tree)
    explanation(cell, namespace)
    given = exchange.names_in(cell.tree, namespace)
    options = {name: getattr(args, name) for name in PASSED_ON}
    options |= {"witnessed": not args.assume_pure, "plainly": True, "kept": 0}
    order = Order(
        source.text,
        cell.wishes,
        exchange.packed_names(given, namespace),
        names,
        args.workers,
        options,
        background_run.lines_of_cells(),
        source.silent,
    )
    settle_between_cells(shell)
    background_run.start(order, namespace, shown_in(shell, args))


def shown_in(shell: Any, args: Namespace) -> Any:
    """Return what shows a run in this front end."""
    if args.quiet:
        return lambda run: None
    if hasattr(shell, "kernel"):
        return InNotebook()
    TERMINAL.append(InTerminal())
    return TERMINAL[-1]


def settle_between_cells(shell: Any) -> None:
    """Let the names of runs that have finished be bound before each cell, when no code of the notebook runs."""
    if before_cell not in shell.events.callbacks["pre_run_cell"]:
        shell.events.register("pre_run_cell", before_cell)


def before_cell(info: Any = None) -> None:
    """Bind what has finished, and in a terminal say so."""
    background_run.settle_all()
    for one in TERMINAL:
        one.flush()
