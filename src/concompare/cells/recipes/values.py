"""Arguments that surely have the values that they had before: of constants, and names that did not change."""

from __future__ import annotations

import ast
import builtins
import os.path
import pathlib
import types
from collections.abc import Mapping
from typing import Any

from concompare.cells.objects import is_atom
from concompare.cells.recipes.history import History

PURE: tuple[Any, ...] = (
    *(str, int, float, bytes, os.path.join, os.path.abspath, os.path.expanduser, os.path.dirname, os.fspath),
    *(pathlib.Path, pathlib.PurePath, pathlib.Path.home, pathlib.Path.cwd),
)
"""What arguments may call: for the same arguments, in the same folder, it gives the same."""
METHODS = frozenset([
    *("resolve", "absolute", "expanduser", "joinpath", "with_name", "with_suffix", "as_posix", "as_uri"),
    *("format", "lower", "upper", "strip", "encode", "join"),
])  # fmt: skip
"""Methods of paths and texts of which that holds as well."""
OPERATORS = (ast.Add, ast.Div, ast.Mod, ast.Mult, ast.Sub)


class Changed(Exception):
    """Raised where an expression may have another value now; says which part."""


class Values:
    """The values of a line's arguments.

    Args:
        namespace: The notebook's names.
        history: What gave them their values.
        cell: The cell with the line.
    """

    def __init__(self, namespace: Mapping[str, Any], history: History, cell: int) -> None:
        self.namespace, self.history, self.cell = namespace, history, cell
        self.asked: set[str] = set()

    def of(self, node: ast.expr) -> Any:
        """Return the value of an expression.

        Raises:
            Changed: It may be another one than before.
        """
        self.check(node)
        code = compile(ast.fix_missing_locations(ast.Expression(node)), "<again>", "eval", dont_inherit=True)
        try:
            return eval(code, {"__builtins__": builtins, **self.namespace})
        except Exception as error:
            raise Changed(f"`{ast.unparse(node)}` raises {type(error).__name__} now") from None

    def callee(self, node: ast.expr) -> Any:
        """Return what a call calls, None where that is not found without running anything."""
        if isinstance(node, ast.Name):
            return self.namespace.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            holder = self.callee(node.value)
            return vars(holder).get(node.attr) if isinstance(holder, (types.ModuleType, type)) else None
        return None

    def check(self, node: ast.AST) -> None:
        """Refuse an expression that may have another value now."""
        if isinstance(node, ast.Constant):
            return
        if isinstance(node, ast.Name):
            self.check_name(node.id)
        elif isinstance(node, ast.Call):
            self.check_call(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, OPERATORS):
            self.check(node.left)
            self.check(node.right)
        elif isinstance(node, (ast.JoinedStr, ast.FormattedValue, ast.Dict, ast.List, ast.Tuple, ast.UnaryOp)):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self.check(part)
        elif isinstance(node, ast.Attribute) and isinstance(holder := self.callee(node.value), types.ModuleType | type):
            if not is_atom(vars(holder).get(node.attr)):
                raise Changed(f"it cannot be told whether `{ast.unparse(node)}` is as it was")
        else:
            raise Changed(f"it cannot be told whether `{ast.unparse(node)}` is as it was")

    def check_call(self, node: ast.Call) -> None:
        """Refuse a call whose value may be another one now."""
        func = node.func
        found = self.callee(func)
        of_atoms = isinstance(func, ast.Attribute) and func.attr in METHODS
        if not any(found is pure or getattr(found, "__func__", None) is getattr(pure, "__func__", 0) for pure in PURE):
            if not of_atoms:
                raise Changed(f"it cannot be told whether `{ast.unparse(node)}` is as it was")
            self.check(func.value)  # type: ignore[attr-defined]
        for part in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.check(part)

    def check_name(self, name: str) -> None:
        """Refuse a name that may have had another value."""
        if name in self.asked:
            return
        self.asked.add(name)
        value = self.namespace.get(name, getattr(builtins, name, None))
        if isinstance(value, (types.ModuleType, types.BuiltinFunctionType, type)):
            return
        if not is_atom(value):
            raise Changed(f"`{name}` is a {type(value).__name__}, which may have changed")
        given = self.history.given(name)
        if not given or given[0].cell > self.cell or any(one.value is None for one in given):
            raise Changed(f"it cannot be told where `{name}` has its value from")
        first = given[0].value
        assert first is not None
        if any(ast.dump(one.value) != ast.dump(first) for one in given if one.value is not None):
            raise Changed(f"`{name}` was given several values")
        if len(given) == 1 and given[0].once:
            return
        if self.of(first) != value:
            raise Changed(f"`{name}` has another value now")
