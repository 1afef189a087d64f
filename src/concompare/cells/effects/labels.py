"""Functions of the user's in the place of labels, which pandas calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.calls.applying import parameter_count
from concompare.cells.effects.calls.nested import callables_among, may_be_called
from concompare.cells.effects.numeric import is_numeric

if TYPE_CHECKING:
    import ast

    from concompare.cells.effects.interpreter import Interpreter
    from concompare.cells.objects import Value


def call_as_labels(an: Interpreter, node: ast.AST, base: Value, index: Value) -> None:
    """Follow functions in the place of labels, as in `df.loc[f]`: pandas calls them with the frame."""
    for obj in callables_among(an, index) if any(map(is_numeric, base)) else ():
        if may_be_called(an, obj):
            an.call_obj(node, obj, Arguments([base] * parameter_count(obj)), obj.label)
