"""A function as source and plain data, for another Python: code objects and pickled code cannot go there.

A recipe is a dict of builtins. `spaces` are the sets of global names that its functions share, each name to an entry;
`functions` their source; `data` one pickle of all values, so that what is shared stays shared; `main` the function's
entry. An entry is ("data", key), ("function", place), or ("import", module, name in it).

What is sent is never guessed: source counts only if it compiles to the code that the function has.
"""

from __future__ import annotations

import ast
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from concompare.cells.replay.compiling import HEADS
from concompare.cells.syntax.own_code import is_installed_file
from concompare.errors import CannotShip
from concompare.libraries import searched
from concompare.worker.transfer.pickling import names_in

OUTER = "_outer"
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def recipe_of(function: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the recipe of a function.

    Raises:
        CannotShip: Something of it has no source, or is no plain data; named, with the remedy.
    """
    return Writing().write(function)


class Writing:
    """A recipe being written."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.functions: list[dict[str, Any]] = []
        self.places: dict[int, int] = {}
        self.spaces: list[dict[str, Any]] = []
        self.space_of: dict[int, int] = {}
        self.held: list[Any] = []

    def write(self, function: Callable[[Any], Any]) -> dict[str, Any]:
        """Write the recipe."""
        name = getattr(function, "__name__", type(function).__name__)
        main = self.entry(function, name)
        try:
            data = pickle.dumps(self.data, 4)
        except Exception as error:
            raise CannotShip(f"{name} holds what cannot be sent to another Python: {error}") from None
        return {
            "main": main,
            "spaces": self.spaces,
            "functions": self.functions,
            "data": data,
            "path": own_paths(),
        }

    def entry(self, value: Any, path: str) -> tuple[Any, ...]:
        """Return a value's entry."""
        if isinstance(value, ModuleType):
            return ("import", value.__name__)
        if isinstance(value, (FunctionType, BuiltinFunctionType, type)):
            module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
            if module is not None and found_at(module, name) is value and module != "__main__":
                return ("import", module, name)
        if isinstance(value, FunctionType):
            return ("function", self.function(value, path))
        if isinstance(value, type):
            raise CannotShip(f"{path}: the class {value.__name__} is defined in the notebook: put it into a module")
        key = str(len(self.data))
        if b"__main__" in plain_pickle(value, path):
            raise CannotShip(f"{path} is of a class that is defined in the notebook: put it into a module")
        self.data[key] = value
        return ("data", key)

    def function(self, function: FunctionType, path: str) -> int:
        """Write a function, and what it uses; return its place."""
        if id(function) in self.places:
            return self.places[id(function)]
        self.held.append(function)
        place = self.places[id(function)] = len(self.functions)
        part: dict[str, Any] = {}
        self.functions.append(part)
        free = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        node = definition_of(function, path)
        part["name"] = function.__code__.co_name if not isinstance(node, ast.Lambda) else "<lambda>"
        if not isinstance(node, ast.Lambda):
            part["name"] = node.name
        part["source"] = ast.unparse(wrapped(node, tuple(free)))
        part["filename"] = function.__code__.co_filename
        part["space"] = self.space(function, path)
        part["free"] = {name: self.entry(cell.cell_contents, f"{path} → {name}") for name, cell in free.items()}
        part["defaults"] = self.entry(function.__defaults__, f"{path} → defaults")
        part["kwdefaults"] = self.entry(function.__kwdefaults__, f"{path} → defaults")
        return place

    def space(self, function: FunctionType, path: str) -> int:
        """Write the global names that a function uses; return the place of those it shares with others."""
        place = self.space_of.setdefault(id(function.__globals__), len(self.spaces))
        if place == len(self.spaces):
            self.spaces.append({})
        names = self.spaces[place]
        for name in names_in(function.__code__):
            if name in function.__globals__ and name not in names:
                names[name] = ("data", "")  # being written: a function may use itself
                names[name] = self.entry(function.__globals__[name], f"{path} → {name}")
        return place


def found_at(module: str, name: str) -> Any:
    """Return what a module has under a name, or None."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def plain_pickle(value: Any, path: str) -> bytes:
    """Return the pickle of a value.

    Raises:
        CannotShip: It has none.
    """
    try:
        return pickle.dumps(value, 4)
    except Exception as error:
        raise CannotShip(f"{path} cannot be sent to another Python: {type(error).__name__}: {error}") from None


def own_paths() -> list[str]:
    """Return the folders of the user's own modules: the search path without what belongs to this Python."""
    ours = str(Path(__file__).parents[2])
    paths = [str(Path(path).absolute()) for path in searched()]
    return [
        path
        for path in paths
        if not is_installed_file(path)
        and not path.endswith(".zip")
        and not {"site-packages", "dist-packages"} & set(Path(path).parts)
        and (path != ours or path in map(str, Path.cwd().parents))
    ]


# ---------------------------------------------------------------------------------------------------------- its source


def definition_of(function: FunctionType, path: str) -> Definition:
    """Return the definition that compiles to a function's code.

    Raises:
        CannotShip: There is none to be found.
    """
    head = HEADS.get(function)
    if head is not None:
        return head
    found = [node for tree in trees_of(function) for node in matching(tree, function.__code__)]
    if not found:
        raise CannotShip(
            f"{path}: its source is not to be found, and another Python needs it: define it with def in a cell"
        )
    return found[0]


def trees_of(function: FunctionType) -> Iterator[ast.Module]:
    """Yield the file or cell of a function as trees: as a whole, and statement by statement, as IPython compiles it."""
    try:
        lines, _ = inspect.findsource(function)
    except (OSError, TypeError):
        return
    text, first = "".join(lines), function.__code__.co_firstlineno
    for version in dict.fromkeys((text, without_magic(text))):
        try:
            tree = ast.parse(version)
        except (SyntaxError, ValueError):
            continue
        yield tree
        for statement in tree.body:
            if first_line(statement) <= first <= (statement.end_lineno or first):
                yield ast.Module([statement], [])


def matching(tree: ast.Module, code: CodeType) -> list[Definition]:
    """Return the definition of a code object in a tree; nothing where there is none, or more than one in its line."""
    name = code.co_name if code.co_name != "<lambda>" else None
    near = [
        node
        for node in ast.walk(tree)
        if isinstance(node, Definition)
        and getattr(node, "name", None) == name
        and first_line(node) == code.co_firstlineno
    ]
    if len(near) != 1:
        return []
    try:
        stack = [compile(tree, code.co_filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)]
    except (SyntaxError, ValueError):
        return []
    while stack:
        inside = [part for part in stack.pop().co_consts if isinstance(part, CodeType)]
        if any(same_code(part, code) for part in inside):
            return near
        stack += inside
    return []


def first_line(node: ast.AST) -> int:
    """Return the line in which a statement or lambda begins, its decorators included."""
    lines: list[int] = [part.lineno for part in getattr(node, "decorator_list", ())]
    return min([*lines, getattr(node, "lineno", 0)])


def without_magic(text: str) -> str:
    """Return a cell without its magic's line; the lines keep their numbers."""
    return "\n".join("" if line.startswith("%") else line for line in text.splitlines())


def wrapped(node: Definition, free: tuple[str, ...]) -> ast.Module:
    """Return a definition inside a function whose parameters are the names it finds there; defaults are left out."""
    arguments = ast.arguments(
        posonlyargs=node.args.posonlyargs,
        args=[ast.arg(part.arg, lineno=part.lineno, col_offset=part.col_offset) for part in node.args.args],
        vararg=node.args.vararg,
        kwonlyargs=node.args.kwonlyargs,
        kw_defaults=[None] * len(node.args.kwonlyargs),
        kwarg=node.args.kwarg,
        defaults=[],
    )
    inner: ast.stmt
    if isinstance(node, ast.Lambda):
        inner = ast.Return(ast.Lambda(arguments, node.body))
    else:
        inner = type(node)(name=node.name, args=arguments, body=node.body, decorator_list=[])
    outer = ast.parse(f"def {OUTER}({', '.join(free)}): pass")
    body: list[ast.stmt] = [ast.copy_location(inner, node)]
    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name not in free:
        body.insert(0, ast.Global([inner.name]))  # it may call itself by that name
    outer.body[0].body = body  # type: ignore[attr-defined]
    if isinstance(inner, ast.Return) and inner.value is not None:
        ast.copy_location(inner.value, node)
    return ast.fix_missing_locations(outer)


def same_code(mine: CodeType, theirs: CodeType) -> bool:
    """Tell whether two code objects do the same."""
    for part in (
        "co_code",
        "co_names",
        "co_varnames",
        "co_freevars",
        "co_cellvars",
        "co_argcount",
        "co_kwonlyargcount",
    ):
        if getattr(mine, part) != getattr(theirs, part):
            return False
    if len(mine.co_consts) != len(theirs.co_consts):
        return False
    return all(
        same_code(a, b)
        if isinstance(a, CodeType) and isinstance(b, CodeType)
        else (type(a), repr(a)) == (type(b), repr(b))
        for a, b in zip(mine.co_consts, theirs.co_consts, strict=True)
    )
