"""Files that all items write to: their lines have the order of the plain loop, so they are written in the notebook."""

from __future__ import annotations

import ast
import os
import types
from collections.abc import Sequence
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
CLAIMERS = frozenset([
    *("mkdir", "makedirs", "rmdir", "removedirs", "unlink", "remove", "rmtree", "touch", "rename", "renames"),
    *("replace", "move", "symlink", "symlink_to", "link", "hardlink_to", "mkfifo"),
])  # fmt: skip
"""What goes by whether a file or folder is there, or changes that: of one path, the first item does something else."""
MOVERS, LINKERS = frozenset({"rename", "renames", "replace", "move"}), frozenset({"symlink", "link"})
"""Those of them that are given two paths: both matter, or the second."""
MOST, LABELS = 10_000, {str, int}
"""Items that are looked at, and their types."""
STEPS = frozenset({"range", "count", "iter", "next", "enumerate"})
"""Calls that give the same numbers in every item."""
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
    if is_claimed(an, node, name, paths, scope):
        return SHARED
    found = [names.copied(part, lambda inner: value_of(inner, scope)) for part in paths]
    if any(is_of_several(part) for path in found for part in names.nodes_in(path)):
        return SHARED
    return frozenset((ast.unparse(path), ast.unparse(names.copied(path, without_step))) for path in found)


def is_claimed(an: Interpreter, node: ast.Call, name: str, paths: Sequence[ast.expr], scope: Scope) -> bool:
    """Tell whether a call makes, takes away or writes a file whose path does not depend on the item.

    A path that is the same in any case is that of one file that all write to, for which there is `writes_one_file`.
    """
    if any(part.arg == "exist_ok" and getattr(part.value, "value", None) is True for part in node.keywords):
        return False
    if name in CLAIMERS:
        claimed = paths[:2] if name in MOVERS else paths[name in LINKERS :][:1]
        return any(is_of_all(an, path, scope) or is_repeated(an, path, scope) for path in claimed)
    if name not in WRITERS or not opens_to_write(node):
        return False
    path = next(iter(paths), None)
    if path is None or is_same(an, path, scope):
        return False
    return is_of_all(an, path, scope) or is_repeated(an, path, scope)


def is_repeated(an: Interpreter, node: ast.expr, scope: Scope) -> bool:
    """Tell whether what an expression has of the item comes again in another one: the same label, or the item."""
    if scope is not an.top:
        items = an.items if type(an.items) in (list, tuple) and len(an.items) <= MOST else ()
        return set(map(type, items)) <= LABELS and len(set(items)) < len(items) and not is_same(an, node, scope)
    whole = names.copied(node, lambda inner: value_of(inner, scope))
    read = sorted(names.reads(whole) & an.own_index)
    if not read or not all(name in an.labels for name in read):
        return False
    rows = [*zip(*[an.labels[name] for name in read], strict=True)]
    return len(set(rows)) < len(rows)


def opens_to_write(node: ast.Call) -> bool:
    """Tell whether a call writes: an `open` does where its mode says so."""
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    modes = [*node.args, *(part.value for part in node.keywords if part.arg == "mode")]
    texts = [part.value for part in modes if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return name != "open" or any(text and set(text) <= set("wxabt+") for text in texts)


def is_of_all(an: Interpreter, node: ast.expr, scope: Scope, met: frozenset[str] = frozenset()) -> bool:
    """Tell whether an expression depends on nothing of the item: the same for all, or numbers that each counts."""
    if is_same(an, node, scope):
        return True
    if isinstance(node, ast.Name):
        if node.id in met:
            return True
        values = values_in(node.id, scope.body)
        begun = any(begins for _, begins in values)
        return begun and all(is_of_all(an, value, scope, met | {node.id}) for value, _ in values)
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        holder = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        parts = [part for part in [*holder, *node.args] if not is_module(an, part, scope)]
        return name in PLAIN | STEPS and all(is_of_all(an, part, scope, met) for part in parts)
    known = (ast.Attribute, ast.JoinedStr, ast.FormattedValue, ast.BinOp, ast.Tuple)
    parts = [part for part in names.children_of(node) if isinstance(part, ast.expr)]
    return isinstance(node, known) and all(is_of_all(an, part, scope, met) for part in parts)


def values_in(name: str, body: Sequence[ast.stmt]) -> list[tuple[ast.expr, bool]]:
    """Return what a name of a piece of code has its values from, and whether that is without the value before it.

    Nothing where it has others as well.
    """
    nodes = [part for statement in body for part in names.nodes_in(statement)]
    found: list[tuple[ast.expr, bool]] = []
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = node.iter if isinstance(node, ast.For) else getattr(node, "value", None)
            begins = value is not None and not isinstance(node, ast.AugAssign) and name not in names.reads(value)
            found += [(value, begins)] if value is not None else []
    stores = sum(isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) for node in nodes)
    return found if stores == len(found) else []


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
        if scope is an.top:
            return node.id in an.assigned and node.id not in an.own_index
        return node.id in scope.local and node.id not in scope.own
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
