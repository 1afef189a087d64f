"""The definitions that code objects were compiled from."""

from __future__ import annotations

import ast
import linecache
import types
from typing import Any

from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


GENERATOR = "<genexpr>"
"""How Python calls the code of a generator expression."""
FIRST = ".0"
"""How that calls what it walks."""
INDEX: dict[str, tuple[int, dict[tuple[int, str], list[Definition]]]] = {}
"""By file: a hash of its text, and its definitions by first line and name."""


def remember(filename: str, tree: ast.AST) -> None:
    """Take a tree for the source of a file, as that of a cell below its magic."""
    INDEX[filename] = (hash(tuple(linecache.getlines(filename))), definitions_under(tree))


def definition_of(code: types.CodeType, name: str) -> Definition | None:
    """Find the definition that a code object was compiled from; None if the source is gone or was edited since."""
    for again in (False, True):
        if again:
            linecache.checkcache(code.co_filename)  # a module may have been edited and loaded again
        definitions = definitions_of_file(code.co_filename)
        found = definitions.get((code.co_firstlineno, code.co_name), [])
        found = placed(found, code) if len(found) > 1 else found
        if len(found) == 1 and is_of(found[0], code):
            return found[0]
    named = [part for (_, found_name), parts in definitions.items() if found_name == code.co_name for part in parts]
    alike = [part for part in named if does_the_same(part, code)]  # reloading compiles a function apart, as line 1
    return alike[0] if len(alike) == 1 else None


def placed(found: list[Definition], code: types.CodeType) -> list[Definition]:
    """Return that of several of one line which stands around the places of a code object's instructions."""
    places = [place for place in code.co_positions() if None not in place and place[2:] != (0, 0)]
    first = min(((line, column) for line, _, column, _ in places), default=(0, 0))
    inside = [node for node in found if is_expression(node) and first >= begin_of(node)]
    return [max(inside, key=begin_of)] if inside else found


def is_expression(node: Definition) -> bool:
    """Tell whether a definition is that of a lambda or of a generator expression."""
    return isinstance(node, ast.Lambda) or node.name == GENERATOR


def begin_of(node: Definition) -> tuple[int, int]:
    """Return where the code of a lambda or of a generator expression begins."""
    part = node.body if isinstance(node, ast.Lambda) else node
    return part.lineno, part.col_offset


def definitions_of_file(path: str) -> dict[tuple[int, str], list[Definition]]:
    """Return the definitions of a file by first line and name, found once for each text."""
    lines = linecache.getlines(path)
    if not lines and path not in INDEX:
        return {}
    key = hash(tuple(lines))
    if path not in INDEX or INDEX[path][0] != key:
        INDEX[path] = (key, definitions_in("".join(lines)))
    return INDEX[path][1]


def does_the_same(node: Definition, code: types.CodeType) -> bool:
    """Tell whether a definition compiles to the same instructions as a code object, wherever it stands."""
    if isinstance(node, ast.Lambda) or is_expression(node) or not is_of(node, code):
        return False
    whole = names.copied(node)
    whole.decorator_list = []
    inner: ast.stmt = whole
    for name in code.co_freevars:  # the names of a function around it have to be such here as well
        taken = ast.arguments([], [ast.arg(name)], None, [], [], None, [])
        inner = ast.FunctionDef(f"around_{name}", taken, [inner], [], None)
    module = ast.fix_missing_locations(ast.Module([inner], []))
    stack = [compile(module, code.co_filename, "exec", dont_inherit=True)]
    while stack:
        part = stack.pop()
        if part.co_name == code.co_name and instructions(part) == instructions(code):
            return True
        stack += [constant for constant in part.co_consts if isinstance(constant, types.CodeType)]
    return False


def instructions(code: types.CodeType) -> tuple[Any, ...]:
    """Return what a code object does, without its positions."""
    constants = tuple(
        instructions(part) if isinstance(part, types.CodeType) else (type(part), part) for part in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def definitions_in(text: str) -> dict[tuple[int, str], list[Definition]]:
    """Return the definitions of a file by first line and name."""
    try:
        return definitions_under(ast.parse(text))
    except SyntaxError:
        return {}


def definitions_under(tree: ast.AST) -> dict[tuple[int, str], list[Definition]]:
    """Return the definitions in a tree by first line and name."""
    found: dict[tuple[int, str], list[Definition]] = {}
    for node in names.nodes_in(with_private_names(tree)):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, ast.GeneratorExp) and not any(part.is_async for part in node.generators):
            found.setdefault((node.lineno, GENERATOR), []).append(as_function(node))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            found.setdefault((first, node.name), []).append(node)
    return found


def as_function(node: ast.GeneratorExp) -> ast.FunctionDef:
    """Return a generator expression as the function that Python makes of it."""
    body: ast.stmt = located(ast.Expr(located(ast.Yield(node.elt), node.elt)), node.elt)
    for part in reversed(node.generators):
        for test in reversed(part.ifs):
            body = located(ast.If(test, [body], []), test)
        items = located(ast.Name(FIRST, ast.Load()), part.iter) if part is node.generators[0] else part.iter
        body = located(ast.For(part.target, items, [body], []), part.target)
    arguments = ast.arguments([], [located(ast.arg(FIRST), node)], None, [], [], None, [])
    return located(ast.FunctionDef(GENERATOR, arguments, [body], []), node)


def is_private(name: Any) -> bool:
    """Tell whether a name is one that only its class uses."""
    return isinstance(name, str) and name.startswith("__") and not name.endswith("__")


def with_private_names(tree: ast.AST) -> ast.AST:
    """Return a tree in which the private names of classes are written as Python compiles them."""
    words = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg"}
    if ast.ClassDef not in names.kinds_in(tree):
        return tree
    if not any(is_private(getattr(node, words.get(type(node), ""), None)) for node in names.nodes_in(tree)):
        return tree

    def inside(holder: str, node: names.Node) -> names.Node:
        def instead(part: ast.AST) -> ast.AST | None:
            if isinstance(part, ast.ClassDef) and part is not node:
                return inside(part.name.lstrip("_"), part)
            word = words.get(type(part), "")
            if not holder or not is_private(getattr(part, word, None)):
                return None
            made = names.copied(part, lambda inner: instead(inner) if inner is not part else None)
            setattr(made, word, f"_{holder}{getattr(part, word)}")
            return made

        return names.copied(node, instead)

    return inside("", tree)


def is_of(node: Definition, code: types.CodeType) -> bool:
    """Tell whether a definition is that of a code object, asked about at every analysis and found once."""
    found: tuple[types.CodeType, bool] | None = node.__dict__.get("concompare_code")
    if found is None or found[0] is not code:
        found = node.__dict__["concompare_code"] = (code, same_code(node, code))
    return found[1]


def same_code(node: Definition, code: types.CodeType) -> bool:
    """Tell whether a definition has the parameters and names of a code object (a file may have been edited)."""
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    local = set(code.co_varnames[:count])
    if set(names.parameters(node)) != local:
        return False
    known_names = set(code.co_names) | set(code.co_varnames) | set(code.co_freevars) | set(code.co_cellvars)
    loaded = {part.id for part in names.nodes_in(node) if isinstance(part, ast.Name)}
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    while inner:
        part = inner.pop()
        known_names |= set(part.co_names) | set(part.co_varnames) | set(part.co_freevars)
        inner += [constant for constant in part.co_consts if isinstance(constant, types.CodeType)]
    return known_names - {".0", "__class__"} - set(dir_of(node)) <= loaded | local | attributes_of(node)


def dir_of(node: ast.AST) -> list[str]:
    """Return the names that definitions and imports inside a function bind."""
    found = ["__module__", "__qualname__", "__name__", "__annotations__", "AssertionError"]
    for part in names.nodes_in(node):
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(part.name)
        elif isinstance(part, ast.alias):
            found += [part.name, *part.name.split("."), part.asname or ""]
        elif isinstance(part, ast.ImportFrom):
            found.append(part.module or "")
        elif isinstance(part, ast.ExceptHandler):
            found.append(part.name or "")
        elif isinstance(part, ast.arg):
            found.append(part.arg)
    return found


def attributes_of(node: ast.AST) -> set[str]:
    """Return the attribute names used inside a function."""
    found = {part.attr for part in names.nodes_in(node) if isinstance(part, ast.Attribute)}
    for part in names.nodes_in(node):
        if isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name:
            found.add(part.name)
        elif isinstance(part, (ast.Global, ast.Nonlocal)):
            found |= set(part.names)
    return found
