"""Code objects that cross to another process whole, whatever the pickler of the functions makes of them.

A traceback finds the user's line by a code object's file name, first line and line table, and `warnings` and `inspect`
read the same. cloudpickle keeps what it likes of them (3.1.3 no file name), so that they are put back here:

    function ── its own reduction, and its code ──> rebuilt() ── the function, with that code

Nothing but the standard library may be imported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

TEMPLATE: CodeType = compile("", "", "exec")
"""What other code is made from; nothing of it remains."""


@functools.cache
def fields() -> tuple[str, ...]:
    """Return the names of all that a code object of this Python consists of: the attributes that `replace` takes."""
    there = [name for name in dir(TEMPLATE) if name.startswith("co_") and name != "co_lnotab"]  # reading that warns
    return tuple(name for name in there if is_field(name, getattr(TEMPLATE, name)))


def is_field(name: str, value: Any) -> bool:
    """Return whether a code object can be given another value of that name."""
    try:
        TEMPLATE.replace(**{name: value})
    except TypeError:  # made of the others, or a method
        return False
    return True


def reduce_code(code: CodeType) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what makes the same code object, for a pickler."""
    names = fields()
    return make_code, (names, tuple(getattr(code, name) for name in names))


def make_code(names: tuple[str, ...], values: tuple[Any, ...]) -> CodeType:
    """Return a code object of these fields."""
    return TEMPLATE.replace(**dict(zip(names, values, strict=True)))


Cells = dict[int, tuple[CellType, CellType]]
"""By identity: the variables of functions, each with what stands for it in a pickle until it is given its value."""


def reduce_function(function: FunctionType, reduced: Any, cells: Cells) -> Any:
    """Return a function's reduction with its code beside it; one that names the function in a module stays as it is.

    Args:
        function: The function.
        reduced: Its own reduction.
        cells: Those of the functions that the pickler has met: what several functions share they share afterwards.
    """
    if not isinstance(reduced, tuple):
        return reduced
    make, arguments, *rest = reduced
    if function.__closure__ and len(arguments) == 5 and isinstance(arguments[4], tuple):
        pairs = zip(function.__closure__, arguments[4], strict=True)
        shared = tuple(cells.setdefault(id(cell), (cell, new))[1] for cell, new in pairs)
        arguments = (*arguments[:4], shared)
    return rebuilt, (function.__code__, make, *arguments), *rest


HOME = -1
"""Number, among what the function carries along, of the names that it sees: back there, the notebook's own."""


def at_home(function: FunctionType, reduced: Any) -> Any:
    """Return a function's reduction without the names that it sees, but for a reference to the notebook's.

    A function that a worker has made is one of the notebook's as any other: it sees what a name stands for when it is
    called.
    """
    make, arguments, (state, slots), items, pairs, fill = reduced
    kept = {name: value for name, value in slots.items() if name != "__globals__"}
    return make, (arguments[0], function.__globals__, *arguments[2:]), ((state, kept), fill), items, pairs, fill_at_home


def fill_at_home(function: FunctionType, filling: tuple[Any, Callable[[FunctionType, Any], None]]) -> None:
    """Fill in a function whose names are there already."""
    (state, slots), fill = filling
    own = function.__globals__["__builtins__"]
    fill(function, (state, {**slots, "__globals__": {}}))
    function.__globals__["__builtins__"] = own


def rebuilt(code: CodeType, make: Callable[..., FunctionType], *arguments: Any) -> FunctionType:
    """Make a function as its reduction says, with its own code."""
    function = make(*arguments)
    if function.__code__ is not code:
        function.__code__ = code
    return function
