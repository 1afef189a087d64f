"""Tasks: a function, its items, and how results go back into the notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from concompare.cells.counting import number_of
from concompare.records import ShortForm


def forget(names: Mapping[str, Any]) -> None:
    """Do nothing with the names of a failed pass: a plain function leaves none."""


@dataclass
class Task:
    """A function, its items, and how results go back into the notebook.

    Attributes:
        function: The head: one item to its value (or to `(value, names)` where there are temporaries).
        items: The items; a list where their number is known, else consumed as they are needed.
        count: The number of items, if known.
        source: The cell; `statement` is the place in it of the statement that runs in parallel, from 0, if it has one.
        temporaries: Names that the head gives back for the notebook, because the plain loop would leave them there.
        apply: `(position, value)`: replay the tail of that item, in item order. True: the loop stopped here.
        finish: After the last item: bind the temporaries, run what follows; returns the cell's value.
        fail: An item raised: bind the names as the plain loop would have left them.
        changing: The function changes its items, so that computing one again changes it again.
        trusting: It calls installed functions of which nobody has declared that they change nothing.
        shared: The `id` of each object that such items share, and only read.
        staying: The call that stays in the notebook, with its line; empty where there is none that may take long.
        short: Gives the loop as a script has it.
    """

    function: Callable[[Any], Any]
    items: Iterable[Any]
    count: int | None
    name: str
    kind: str
    source: str
    head_source: str
    tail_source: str
    line: int
    temporaries: tuple[str, ...]
    apply: Callable[[int, Any], bool]
    finish: Callable[[Mapping[str, Any]], Any]
    fail: Callable[[Mapping[str, Any]], None] = forget
    statement: int | None = None
    changing: bool = False
    trusting: bool = False
    shared: frozenset[int] = frozenset()
    staying: str = ""
    short: Callable[[], ShortForm] | None = None


class Collector:
    """A tail that only collects the values."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def __call__(self, position: int, value: Any) -> bool:
        """Take one value."""
        self.values.append(value)
        return False

    def many(self, first: int, values: list[Any]) -> None:
        """Take several values in a row."""
        self.values.extend(values)


def task_of(
    function: Callable[[Any], Any], items: Iterable[Any], count: int | None = None, name: str | None = None
) -> Task:
    """Make a task of a plain function and its items; finishing it returns the list of values."""
    label = name or getattr(function, "__name__", None) or type(function).__name__
    collector = Collector()
    if count is None:
        count = number_of(items)
    source = f"[{label}(item) for item in items]"
    return Task(
        function=function,
        items=items,
        count=count,
        name=label,
        kind="function",
        source=source,
        head_source=f"{label}(item)",
        tail_source="",
        line=1,
        temporaries=(),
        apply=collector,
        finish=lambda names: collector.values,
    )
