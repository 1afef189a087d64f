"""What the names of a cell stand for before it runs: the notebook's objects and what the cell itself defines."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import importlib.util
import inspect
import linecache
import site
import sys
import sysconfig
import types
from collections.abc import Mapping
from typing import Any

from concompare.cells import known, names

MISSING: Any = object()
OURS = "concompare"
"""The package whose objects are never the user's own, from wherever it is imported."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@functools.cache
def installed_folders() -> tuple[str, ...]:
    """Return the folders of the standard library and of installed packages."""
    paths = sysconfig.get_paths()
    found = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(found | set(site.getsitepackages()) | {site.getusersitepackages()})


def is_installed_file(path: str | None) -> bool:
    """Tell whether a file belongs to Python or to an installed package (not to the user's own code)."""
    return path is None or path.startswith(("<frozen", "<__array_function__")) or path.startswith(installed_folders())


@functools.cache
def is_user_module(name: str) -> bool:
    """Tell whether a module is the user's own: the notebook, or a local file."""
    if name == "__main__":
        return True
    if name.partition(".")[0] in (*sys.stdlib_module_names, OURS):
        return False
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if module is None:
        try:
            spec = importlib.util.find_spec(name.partition(".")[0])
        except (ImportError, ValueError):
            return True
        if spec is None:
            return True
        path = spec.origin
    return path is not None and not is_installed_file(path)


class Standing(ast.AST):
    """A function or class of the notebook to which the cell gives another name."""

    def __init__(self, thing: Any) -> None:
        super().__init__()
        self.thing = thing


class World:
    """The notebook's names and the definitions of the cell, as the analysis looks them up.

    Args:
        namespace: The notebook's names.
        before: The statements of the cell that run before the loop.
        assume_pure: Take every call that cannot be seen as one that changes nothing.

    Attributes:
        steady: Nothing before the loop changes what the notebook's objects hold.
        awaits: The loop awaits one coroutine for each item, which a worker does in an event loop of its own.
        trusted: Installed functions of which nothing is known, taken as changing nothing.
        outside: What the workers do beyond their process, as far as the source shows: line and predicate.
    """

    def __init__(self, namespace: Mapping[str, Any], before: list[ast.stmt], *, assume_pure: bool = False) -> None:
        self.namespace = namespace
        self.assume_pure = assume_pure
        self.module = str(namespace.get("__name__", "__main__"))
        self.definitions: dict[str, ast.AST | None] = {}
        self.hidden: dict[str, Any] = {}
        self.notes: dict[str, None] = {}
        self.hazards: dict[str, None] = {}
        self.summaries: dict[Any, Any] = {}
        self.by_name: dict[str, list[Any]] = {}
        self.steady = True
        self.awaits = False
        self.lazy: dict[str, bool] = {}
        self.lazy_parts: set[str] = set()
        self.trusted: dict[str, None] = {}
        self.outside: dict[tuple[int, str], None] = {}
        for statement in before:
            self.define(statement)

    def define(self, statement: ast.stmt) -> None:
        """Record what a statement of the cell makes of its names."""
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.definitions[statement.name] = statement
            return
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.definitions[alias.asname or alias.name.split(".")[0]] = ast.Import([alias])
            return
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                made = ast.ImportFrom(statement.module, [alias], statement.level)
                self.definitions[alias.asname or alias.name] = made
            return
        for name in names.writes(statement):
            self.definitions[name] = None
        if isinstance(statement, ast.Assign):
            value = self.meant(statement.value)
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    self.definitions[target.id] = value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            self.definitions[statement.target.id] = statement.value

    def meant(self, node: ast.expr) -> ast.AST | None:
        """Return what an expression of the cell stands for: for the name of a function or class, what that is."""
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return node
        if isinstance(node, ast.Name) and node.id in self.definitions:
            return self.definitions[node.id]
        thing = self.object(node.id) if isinstance(node, ast.Name) else self.part(node)
        if thing is MISSING and isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            thing = bound_method(self.object(node.value.id), node.attr)
        return Standing(thing) if isinstance(thing, known.CALLABLES) else node

    def part(self, node: ast.expr) -> Any:
        """Return the object that a dotted name stands for, looking into modules and classes only, or MISSING."""
        if isinstance(node, ast.Name):
            return self.object(node.id)
        base = self.part(node.value) if isinstance(node, ast.Attribute) else MISSING
        if not isinstance(node, ast.Attribute) or not isinstance(base, (types.ModuleType, type)):
            return MISSING
        return unwrapped(base, vars(base).get(node.attr, MISSING))

    def object(self, name: str) -> Any:
        """Return the object that a global name stands for when the loop starts, or MISSING if that cannot be told."""
        if name in self.definitions:
            return self.imported(self.definitions[name])
        if name in self.namespace:
            return self.namespace[name]
        return getattr(builtins, name, MISSING)

    def imported(self, definition: ast.AST | None) -> Any:
        """Return what an import statement of the cell binds, if it is loaded already, or what a name was given."""
        if isinstance(definition, Standing):
            return definition.thing
        if isinstance(definition, ast.Import):
            alias = definition.names[0]
            return sys.modules.get(alias.name if alias.asname else alias.name.split(".")[0], MISSING)
        if isinstance(definition, ast.ImportFrom) and not definition.level:
            module = sys.modules.get(definition.module or "")
            return MISSING if module is None else vars(module).get(definition.names[0].name, MISSING)
        return MISSING

    def imports(self, name: str) -> str | None:
        """Return the dotted name that an import of the cell gives to a name, or None."""
        definition = self.definitions.get(name)
        if isinstance(definition, ast.Import):
            alias = definition.names[0]
            return alias.name if alias.asname else alias.name.split(".")[0]
        if isinstance(definition, ast.ImportFrom):
            return f"{definition.module}.{definition.names[0].name}"
        return None

    def is_user(self, thing: Any) -> bool:
        """Tell whether a function or class is the user's own, so that it must be followed."""
        if isinstance(thing, types.FunctionType):
            if thing.__globals__ is self.namespace or thing.__module__ == self.module:
                return True
            return not is_installed_file(thing.__code__.co_filename) and is_user_module(thing.__module__ or "__main__")
        module = getattr(thing, "__module__", None)
        return isinstance(module, str) and (module == self.module or is_user_module(module))

    def classes(self) -> list[type | ast.ClassDef]:
        """Return the user's classes: of the notebook, of the cell, and of the notebook's objects."""
        if not hasattr(self, "found"):
            found: dict[int, type | ast.ClassDef] = {}
            for value in list(self.namespace.values()):
                kind = value if isinstance(value, type) else type(value)
                for part in kind.__mro__:
                    if part is not object and id(part) not in found and self.is_user(part):
                        found[id(part)] = part
            for definition in self.definitions.values():
                if isinstance(definition, ast.ClassDef):
                    found[id(definition)] = definition
            self.found = list(found.values())
        return self.found

    def methods(self, name: str) -> list[Any]:
        """Return every method or property of that name in the user's classes."""
        if name in self.by_name:
            return self.by_name[name]
        found = self.by_name[name] = []
        for kind in self.classes():
            if isinstance(kind, type):
                if name in vars(kind):
                    found.append(vars(kind)[name])
            else:
                found += [
                    part for part in kind.body if isinstance(part, Definition) and getattr(part, "name", "") == name
                ]
        return found

    def source(self, function: types.FunctionType) -> Definition | None:
        """Return the definition of a function as it was compiled, or None where its source cannot be found."""
        return definition_of(function.__code__, function.__name__)


INDEX: dict[str, tuple[int, dict[tuple[int, str], list[Definition]]]] = {}
"""By file: a hash of its text, and its definitions by first line and name."""


def definition_of(code: types.CodeType, name: str) -> Definition | None:
    """Find the definition that a code object was compiled from; None if the source is gone or was edited since."""
    lines = linecache.getlines(code.co_filename)
    if not lines:
        return None
    key = hash(tuple(lines))
    if code.co_filename not in INDEX or INDEX[code.co_filename][0] != key:
        INDEX[code.co_filename] = (key, definitions_in("".join(lines)))
    found = INDEX[code.co_filename][1].get((code.co_firstlineno, code.co_name), [])
    return found[0] if len(found) == 1 and is_of(found[0], code) else None


def definitions_in(text: str) -> dict[tuple[int, str], list[Definition]]:
    """Return the definitions of a file by first line and name."""
    found: dict[tuple[int, str], list[Definition]] = {}
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return found
    for node in names.nodes_in(tree):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            found.setdefault((first, node.name), []).append(node)
    return found


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


def unwrapped(holder: Any, found: Any) -> Any:
    """Return what a name of a class or module stands for: a static method's function, a class method with its class."""
    if isinstance(found, classmethod) and isinstance(found.__func__, types.FunctionType):
        return types.MethodType(found.__func__, holder)
    return found.__func__ if isinstance(found, (staticmethod, classmethod)) else found


def bound_method(holder: Any, name: str) -> Any:
    """Return the method of an object, without running anything, or MISSING."""
    if holder is MISSING or isinstance(holder, (types.ModuleType, type)) or name in getattr(holder, "__dict__", {}):
        return MISSING
    found = inspect.getattr_static(type(holder), name, MISSING)
    if isinstance(found, types.FunctionType):
        return types.MethodType(found, holder)
    return getattr(holder, name) if isinstance(found, types.MethodDescriptorType) else MISSING


def closure_of(function: types.FunctionType) -> dict[str, Any]:
    """Return what the free variables of a function hold."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            found[name] = MISSING
    return found


def default_of(function: types.FunctionType, name: str) -> Any:
    """Return the default value of a parameter, or MISSING."""
    found = inspect.signature(function, follow_wrapped=False).parameters.get(name)
    return MISSING if found is None or found.default is inspect.Parameter.empty else found.default


def is_plain_data_class(kind: type) -> bool:
    """Tell whether the constructor of a class was written by the standard library."""
    init = vars(kind).get("__init__")
    return init is None or (dataclasses.is_dataclass(kind) and init.__code__.co_filename == "<string>")


def qualified(thing: Any) -> str:
    """Return the dotted name under which a function or class is known."""
    owner = getattr(thing, "__self__", None)
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", type(thing).__name__)
    module = getattr(thing, "__module__", None)
    if isinstance(owner, types.ModuleType):
        module = owner.__name__
    elif owner is not None and not isinstance(owner, type):
        module = type(owner).__module__
    if isinstance(thing, types.BuiltinFunctionType) and module is None:
        module = "builtins"
    return f"{module}.{name}"


def is_iterator(value: Any) -> bool:
    """Tell whether walking over the value uses it up."""
    return isinstance(value, known.SHARED_ITERATORS) or (
        hasattr(type(value), "__next__") and hasattr(type(value), "__iter__")
    )
