"""Questions about the parts of a body that their syntax alone answers."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterable, Iterator, Set

from concompare.cells.ir import Analysed, Order
from concompare.cells.syntax import names
from concompare.cells.syntax.own_code import is_user_module

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)
CONDITIONAL = (ast.BoolOp, ast.IfExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
AMBIENT = frozenset([
    *("errstate", "localcontext", "suppress", "redirect_stdout", "redirect_stderr", "catch_warnings", "chdir"),
    *("printoptions", "option_context", "rc_context", "raises", "warns", "ExitStack", "config_context"),
])  # fmt: skip
CALM_CONTEXTS = frozenset([
    *("threading", "_thread", "multiprocessing", "concurrent", "asyncio", "io", "_io", "tempfile", "zipfile"),
    *("tarfile", "gzip", "bz2", "lzma", "sqlite3", "socket", "ssl", "shelve", "dbm", "mmap", "os", "pathlib"),
    *("urllib", "http", "requests", "tqdm", "builtins"),
])  # fmt: skip
"""Modules whose objects, as contexts, change nothing that a call inside goes by; a generator is one of the user's."""
CALM_CONTEXT_TYPES = (contextlib.suppress, contextlib.closing, contextlib.nullcontext)
SETTINGS = AMBIENT - {"suppress", "raises"}
"""Contexts that do; where a call raised, it is made again in the notebook, so that what swallows errors is none."""

SCOPED = (("numpy", "errstate"), ("decimal", "localcontext"))
"""Contexts that change what the calls inside them go by, in their own thread only, by what they are given."""
ERRORS = ("ignore", "warn", "raise")
"""What can be told to `errstate` that is the same in every process."""


def first_of(node: ast.AST) -> ast.AST | None:
    """Return the part of a conditional expression or an assertion that is evaluated in any case, if it has one."""
    if isinstance(node, ast.BoolOp):
        return node.values[0]
    if isinstance(node, (ast.IfExp, ast.Assert)):
        return node.test
    return node.generators[0].iter if isinstance(node, names.COMPREHENSIONS) else None


def asked_in(node: ast.expr) -> set[ast.expr]:
    """Return the parts of a condition that are evaluated in any case and of which no more than the truth matters."""
    first = node.values[0] if isinstance(node, ast.BoolOp) else node.test if isinstance(node, ast.IfExp) else None
    return {node} if first is None else {node, *asked_in(first)}


def is_slice(node: ast.AST) -> bool:
    """Tell whether an expression stands in brackets only: `a:b`, or a tuple with such a part."""
    return isinstance(node, ast.Slice) or (isinstance(node, ast.Tuple) and any(map(is_slice, node.elts)))


def operands(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that a node uses itself, the receiver of a method among them."""
    for part in names.children_of(node):
        if isinstance(node, ast.Call) and part is node.func and isinstance(part, ast.Attribute):
            yield part.value
        if isinstance(part, (ast.keyword, ast.Starred, ast.withitem, ast.Slice)):
            yield from operands(part)
        elif isinstance(part, ast.expr):
            yield part


def own_jumps(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the `break` and `continue` statements in a block that belong to the loop around it."""
    if isinstance(node, (ast.Break, ast.Continue)):
        yield node
    if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        for statement in node.orelse:
            yield from own_jumps(statement)
        return
    if isinstance(node, (*names.FUNCTIONS, ast.ClassDef)):
        return
    for part in names.children_of(node):
        if not isinstance(part, ast.expr):
            yield from own_jumps(part)


def jumps_in(statements: Iterable[ast.stmt]) -> list[ast.AST]:
    """Return the `break` and `continue` statements that belong to the loop around."""
    return [part for statement in statements for part in own_jumps(statement)]


def blocks_of(node: ast.AST) -> list[list[ast.stmt]]:
    """Return the blocks of statements that a node holds."""
    found = []
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            found.append(block)
    return found


def is_ambient(node: ast.AST, contexts: Set[str] = AMBIENT) -> bool:
    """Tell whether a context changes what statements inside it do, or swallows what they raise, by its name."""
    words = {part.id for part in names.nodes_in(node) if isinstance(part, ast.Name)}
    words |= {part.attr for part in names.nodes_in(node) if isinstance(part, ast.Attribute)}
    return bool(words & contexts)


def is_calm_context(item: ast.withitem, analysed: Analysed) -> bool:
    """Tell whether a context changes nothing that calls inside it go by without being given it, nor times them."""
    effects = analysed.inside([item])
    if Order.PROCESS in effects.order or effects.doubts or effects.trusted or "time" in effects.sees:
        return False
    if is_ambient(item.context_expr, SETTINGS) or SETTINGS.intersection(effects.called):
        return False
    kinds = [kind for obj in analysed.values.get(item.context_expr, ()) for kind in obj.types or ()]
    return all(
        issubclass(kind, CALM_CONTEXT_TYPES)
        or kind.__module__.partition(".")[0] in CALM_CONTEXTS
        or is_user_module(kind.__module__)
        for kind in kinds
    )


def is_scoped_context(item: ast.withitem, analysed: Analysed) -> bool:
    """Tell whether a context only changes how its thread computes, by constants: a worker can enter it as well."""
    node, namespace = item.context_expr, analysed.loop.__dict__.get("namespace", {})
    if not isinstance(node, ast.Call) or node.args or item.optional_vars is not None:
        return False
    if names.reads(node.func) & (names.writes(*analysed.loop.body) | analysed.given):
        return False
    constants = [part.value.value for part in node.keywords if part.arg and isinstance(part.value, ast.Constant)]
    if len(constants) < len(node.keywords):
        return False
    from concompare.cells.distribution.ahead.shadows import live_function

    found = live_function(node.func, namespace)
    known = [(name, getattr(sys.modules[module], name)) for module, name in SCOPED if module in sys.modules]
    kind = next((name for name, thing in known if thing is found), "")
    return kind == "localcontext" or (kind == "errstate" and all(value in ERRORS for value in constants))


def is_cheap(node: ast.AST, analysed: Analysed) -> bool:
    """Tell whether an expression only looks up parts of objects, at places that it may compute."""
    kinds = names.kinds_in(node)
    if kinds & {ast.Call, ast.Await, *names.COMPREHENSIONS, ast.Lambda, ast.NamedExpr}:
        return all(
            isinstance(part, ast.Call) is False or is_indexer(part) for part in names.nodes_in(node)
        ) and not kinds & {ast.Await, *names.COMPREHENSIONS, ast.Lambda, ast.NamedExpr}
    return not any(analysed.of(part).heavy or analysed.of(part).writes for part in names.nodes_in(node))


def is_indexer(node: ast.AST) -> bool:
    """Tell whether a call is one of a builtin that makes a number of a number."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("int", "len", "abs", "min")
    )
