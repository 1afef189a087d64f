"""Statements of a function under other names, to stand in a loop's body."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

PARAMETER = "_concompare_key_"
"""How the parameters of functions without a name begin where they may not be called as written."""


def is_dotted_import(node: ast.AST) -> bool:
    """Tell whether a node imports a module of which it binds the package, or all names of one."""
    return isinstance(node, ast.alias) and ("." in node.name or node.name == "*") and node.asname is None


def swapped(node: names.Node, words: Mapping[str, str]) -> names.Node:
    """Return a statement or expression with other names for some variables."""

    def instead(part: ast.AST) -> ast.AST | None:
        if isinstance(part, ast.Name) and part.id in words:
            return located(ast.Name(words[part.id], part.ctx), part)
        if isinstance(part, ast.Lambda) and not words.keys().isdisjoint(names.parameters(part)):
            return with_own_parameters(part, words)
        if isinstance(part, ast.ExceptHandler) and part.name is not None and part.name in words:
            made = names.copied(part, lambda inner: instead(inner) if inner is not part else None)
            made.name = words[part.name]
            return made
        if isinstance(part, ast.alias) and (part.asname or part.name) in words:
            return located(ast.alias(part.name, words[part.asname or part.name]), part)
        if isinstance(part, ast.AnnAssign):
            if part.value is None:
                return located(ast.Pass(), part)
            return bound_to(names.copied(part.target, instead), names.copied(part.value, instead), part)
        return None

    return names.copied(node, instead)


def with_own_parameters(node: ast.Lambda, words: Mapping[str, str]) -> ast.Lambda:
    """Return a function without a name with other names for some variables, none of which its parameters are then."""
    fresh = {word: PARAMETER + word for word in names.parameters(node)}
    made = names.copied(node, lambda part: swapped(node.body, {**words, **fresh}) if part is node.body else None)
    for part in ast.walk(made.args):
        if isinstance(part, ast.arg):
            part.arg = fresh[part.arg]
    made.args.defaults = [swapped(part, words) for part in node.args.defaults]
    made.args.kw_defaults = [part and swapped(part, words) for part in node.args.kw_defaults]
    return made


def bound(name: str, value: ast.expr, place: ast.AST) -> ast.stmt:
    """Return the statement that gives a name a value."""
    return bound_to(located(ast.Name(name, ast.Store()), place), value, place)


def bound_to(target: ast.expr, value: ast.expr, place: ast.AST) -> ast.stmt:
    """Return the statement that gives a target a value."""
    return located(ast.Assign([target], value), place)


def load(name: str, place: ast.AST) -> ast.Name:
    """Return a name that is read."""
    return located(ast.Name(name, ast.Load()), place)
