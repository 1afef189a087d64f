"""Files that all items write to: their lines have the order of the plain loop, so they are written in the notebook."""

from __future__ import annotations

import ast
import os
import types
from typing import TYPE_CHECKING

from concompare.cells.effects.scopes import Scope
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

WRITERS = frozenset([
    *("open", "FileIO", "ZipFile", "TarFile", "GzipFile", "write_text", "write_bytes", "tofile"),
    *("savetxt", "save", "savez", "savez_compressed", "savefig"),
    *("to_csv", "to_json", "to_pickle", "to_excel", "to_parquet", "to_feather", "to_html", "to_hdf"),
])  # fmt: skip
"""What writes into a file that it is given the path of, or that its receiver is the path of."""
APPENDERS = WRITERS & {"open", "FileIO", "ZipFile", "TarFile", "GzipFile", "to_csv", "to_json", "to_hdf"}
"""Those of them that may be told to append."""
OF_PATHS = frozenset({"open", "write_text", "write_bytes"})
"""Methods of a path."""
LISTERS = frozenset({"listdir", "iterdir", "scandir", "glob", "rglob", "iglob", "walk"})
"""What lists the files of a folder."""
SHARED = frozenset({("", "")})
"""Stands for the paths of files that are of several items."""
DESCRIPTORS = frozenset([
    *("write", "pwrite", "writev", "pwritev", "read", "pread", "readv", "preadv", "lseek", "ftruncate"),
    *("fsync", "fdatasync", "close", "dup", "posix_fallocate", "fdopen"),
])  # fmt: skip
"""Functions of `os` that are given the number of an open file, which means nothing in another process."""
SAME = (ast.Mod, ast.FloorDiv, ast.BitAnd, ast.RShift)
"""Operators that give the same number for several others."""
PLAIN = frozenset([
    *("join", "Path", "PurePath", "PosixPath", "str", "fspath", "joinpath", "with_suffix", "with_name", "abspath"),
    *("expanduser", "resolve", "absolute", "format"),
])  # fmt: skip
"""Calls that give the same path for the same parts."""


def writes_one_file(an: Interpreter, node: ast.AST) -> bool:
    """Tell whether a call writes to a file whose path is surely the same for every item."""
    scope = an.calling.get(node)
    if scope is None or not isinstance(node, ast.Call):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name not in WRITERS:
        return False
    if isinstance(node.func, ast.Attribute) and name in OF_PATHS and not is_module(an, node.func.value, scope):
        return is_same(an, node.func.value, scope)
    paths = [*node.args[:1], *(part.value for part in node.keywords if part.arg in ("file", "path", "fname"))]
    return bool(paths) and is_same(an, paths[0], scope)


def is_nowhere(an: Interpreter, node: ast.AST) -> bool:
    """Tell whether a call opens what keeps nothing: `open(os.devnull, "w")`."""
    scope = an.calling.get(node)
    if scope is None or not isinstance(node, ast.Call) or not node.args:
        return False
    func, path = node.func, node.args[0]
    opens = isinstance(func, ast.Attribute) and func.attr == "open" and is_module(an, func.value, scope)
    if not (opens or (isinstance(func, ast.Name) and func.id == "open")):
        return False  # `shutil.copy(os.devnull, path)` writes a file
    if isinstance(path, ast.Attribute):
        return path.attr == "devnull" and is_module(an, path.value, scope)
    return isinstance(path, ast.Constant) and path.value == os.devnull


def number_of_file(an: Interpreter, node: ast.AST) -> ast.expr | None:
    """Return the number of an open file that a function of `os` is given, or None for other calls."""
    scope = an.calling.get(node)
    if scope is None or not isinstance(node, ast.Call) or not node.args:
        return None
    if isinstance(node.func, ast.Attribute):
        known = node.func.attr in DESCRIPTORS and is_module(an, node.func.value, scope)
    else:
        known = isinstance(node.func, ast.Name) and node.func.id in DESCRIPTORS
    return node.args[0] if known else None


def uses_open_file(an: Interpreter, node: ast.AST) -> bool:
    """Tell whether a call uses a file by a number that the notebook has of it, not the item."""
    number = number_of_file(an, node)
    if number is None:
        return False
    scope = an.calling[node]
    return is_same(an, number, scope) or (scope is an.top and is_given(number, scope))


def may_use_open_file(an: Interpreter, node: ast.AST) -> bool:
    """Tell whether a call uses a file by a number that its function is given, whoever has opened that."""
    number = number_of_file(an, node)
    return number is not None and is_given(number, an.calling[node])


def is_given(node: ast.expr, scope: Scope) -> bool:
    """Tell whether an expression is a name of a piece of code that this code gives no value itself."""
    inner = [part for statement in scope.body for part in names.nodes_in(statement)]
    stored = {part.id for part in inner if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return isinstance(node, ast.Name) and node.id not in stored


def appends(an: Interpreter, node: ast.AST) -> bool:
    """Tell whether a call opens a file to append to that other items may append to: `open(f"{text[0]}.txt", "a")`."""
    scope = an.calling.get(node)
    if scope is None or not isinstance(node, ast.Call):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    modes = [*node.args[:2], *(part.value for part in node.keywords if part.arg == "mode")]
    texts = [part.value for part in modes if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    if name not in APPENDERS or not any("a" in text and set(text) <= set("abt+") for text in texts):
        return False
    if isinstance(node.func, ast.Attribute) and name in OF_PATHS and not is_module(an, node.func.value, scope):
        return may_meet(an, node.func.value, scope)
    return not node.args or may_meet(an, node.args[0], scope)


def touched(an: Interpreter, node: ast.AST) -> frozenset[tuple[str, str]]:
    """Return the paths of the files that a call touches, each as it is and without steps: `f"a{n + 1}"`, `f"a{n}"`.

    Those that surely are of several items have no path: a folder that is listed, and is the same for all items, and
    what has the same number or text in its path for several: `f"part{n % 3}"`, `name[:2]`.
    """
    scope = an.calling.get(node)
    if scope is None or not isinstance(node, ast.Call):
        return frozenset()
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    paths = [*node.args[:2], *(part.value for part in node.keywords)]
    if isinstance(node.func, ast.Attribute) and not is_module(an, node.func.value, scope):
        paths = [node.func.value, *node.args[:1]]
    if name in LISTERS and all(is_same(an, part, scope) for part in paths):
        return SHARED
    found = [names.copied(part, lambda inner: value_of(inner, scope)) for part in paths]
    if any(is_of_several(part) for path in found for part in names.nodes_in(path)):
        return SHARED
    return frozenset((ast.unparse(path), ast.unparse(names.copied(path, without_step))) for path in found)


def is_of_several(node: ast.AST) -> bool:
    """Tell whether a part of a path is the same for several items."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, SAME) and not isinstance(node.left, (ast.Constant, ast.JoinedStr))
    return isinstance(node, ast.Slice) and not isinstance(node.upper, (ast.UnaryOp, type(None)))


def without_step(node: ast.AST) -> ast.AST | None:
    """Return a number without what is added to it, or None for anything else itself."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))):
        return None
    return node.left if isinstance(node.right, ast.Constant) and isinstance(node.right.value, int) else None


def value_of(node: ast.AST, scope: Scope) -> ast.AST | None:
    """Return the expression that a name gets its only value from, or None for the node itself."""

    def value(part: ast.AST) -> ast.expr | None:
        return only_value(part.id, scope) if isinstance(part, ast.Name) else None

    found = value(node)
    return names.copied(found, value) if found is not None else None


def only_value(name: str, scope: Scope) -> ast.expr | None:
    """Return the expression that a name of a piece of code gets its only value from."""
    found = [part for statement in scope.body for part in names.nodes_in(statement) if isinstance(part, ast.Assign)]
    values = [part.value for part in found for target in part.targets if getattr(target, "id", "") == name]
    return values[0] if len(values) == 1 else None


def may_meet(an: Interpreter, node: ast.expr, scope: Scope) -> bool:
    """Tell whether an expression may have one value for several items: it is not made of the item as it is."""
    if isinstance(node, ast.Name):
        return node.id in (an.assigned - an.own_index if scope is an.top else scope.local - scope.own)
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        holder = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return name not in PLAIN or any(may_meet(an, part, scope) for part in [*holder, *node.args])
    if isinstance(node, ast.BinOp) and not isinstance(node.op, (ast.Add, ast.Div)):
        return not isinstance(node.left, (ast.Constant, ast.JoinedStr))  # else text with values put in
    return isinstance(node, ast.Subscript) or any(
        may_meet(an, part, scope) for part in names.children_of(node) if isinstance(part, ast.expr)
    )


def is_module(an: Interpreter, node: ast.expr, scope: Scope) -> bool:
    """Tell whether a name is that of a module, such as `gzip` in `gzip.open`."""
    if not (isinstance(node, ast.Name) and is_same(an, node, scope)):
        return False
    seen = scope.module if scope.module is not None else an.world.namespace
    return isinstance(seen.get(node.id), types.ModuleType)


def is_same(an: Interpreter, node: ast.expr, scope: Scope) -> bool:
    """Tell whether an expression surely has the same value for every item."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        current: Scope | None = scope
        while current is not None:
            if node.id in current.local and node.id not in current.declared:
                return node.id in current.same
            current = current.outer
        return node.id not in an.assigned
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        holder = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        parts = [*holder, *node.args, *(part.value for part in node.keywords)]
        return name in PLAIN and all(is_same(an, part, scope) for part in parts)
    if isinstance(node, (ast.Attribute, ast.JoinedStr, ast.FormattedValue, ast.BinOp)):
        return all(is_same(an, part, scope) for part in names.children_of(node) if isinstance(part, ast.expr))
    return False
