"""An import hook that decorates every function and method of a folder's modules, as if it stood in their source."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

DECORATOR = "__decorated_for_doctests__"
"""The builtin by which the modules know the decorator; it looks no more private than Python's own names."""
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Decorating(ast.NodeTransformer):
    """Puts the decorator next to each `def` of a module and of its classes, not to those inside functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        place = node.decorator_list[0] if node.decorator_list else node
        decorator = ast.Name(DECORATOR, ast.Load())
        # On the line of the `def`, where that is the first one, so that the function's code begins where it did.
        ast.copy_location(decorator, place if place is not node else ast.copy_location(ast.Pass(), node))
        decorator.end_lineno, decorator.end_col_offset = decorator.lineno, decorator.col_offset
        node.decorator_list.append(decorator)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node


class Loader(SourceFileLoader):
    """Compiles a module with its functions decorated, always from its source."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = Decorating().visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code


class Finder:
    """Finds the modules of a folder, for `sys.meta_path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
            return None
        if not Path(spec.origin).resolve().is_relative_to(self.folder):
            return None
        spec.loader = Loader(fullname, spec.origin)
        return spec


def decorate(folder: Path, decorator: Decorator) -> None:
    """Give every function of the modules that are imported from a folder a decorator, in this process."""
    setattr(builtins, DECORATOR, decorator)
    sys.meta_path.insert(0, Finder(folder.resolve()))
