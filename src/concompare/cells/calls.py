"""What a call may change: installed functions by what is known of them, the user's own by following them."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

from concompare.cells import callbacks, known, library, names, summaries
from concompare.cells.values import NOTHING, WALKED_ONCE, Value, extracted, joined, unwound
from concompare.cells.world import MISSING, is_iterator, is_user_module, qualified, unwrapped

if TYPE_CHECKING:
    from concompare.cells.purity import Analyzer

CACHE = type(functools.lru_cache(lambda: None))


class Arguments:
    """The arguments of one call, followed."""

    def __init__(self, analyzer: Analyzer, node: ast.Call) -> None:
        self.nodes = list(node.args)
        self.positional = [analyzer.value(part) for part in node.args]
        self.named = {part.arg or "**": analyzer.value(part.value) for part in node.keywords}
        self.keywords = {part.arg or "**": part.value for part in node.keywords}
        self.spread = any(isinstance(part, ast.Starred) for part in node.args) or "**" in self.named
        self.all = unwound(joined([*self.positional, *self.named.values()]))

    def expressions(self) -> list[ast.expr]:
        """Return the expressions of all arguments."""
        return [*self.nodes, *self.keywords.values()]

    def flag(self, name: str) -> bool:
        """Tell whether a keyword is given as anything but False or None."""
        given = self.keywords.get(name)
        return given is not None and not (isinstance(given, ast.Constant) and not given.value)


def resolve(an: Analyzer, node: ast.AST) -> Any:
    """Return the object that a name or dotted name stands for, without running anything, or MISSING."""
    if isinstance(node, ast.Name):
        return an.object(node.id)
    if not isinstance(node, ast.Attribute):
        return MISSING
    base = resolve(an, node.value)
    if isinstance(base, types.ModuleType):
        return vars(base).get(node.attr, MISSING)
    return unwrapped(base, inspect.getattr_static(base, node.attr, MISSING)) if isinstance(base, type) else MISSING


def module_part(an: Analyzer, node: ast.Attribute, thing: Any) -> str | None:
    """Return the root of an object that a module holds, such as `sys.path`, or None."""
    module = resolve(an, node.value)
    if not isinstance(module, types.ModuleType) or thing is MISSING or callable(thing) or inspect.ismodule(thing):
        return None
    root = f"{module.__name__}.{node.attr}"
    an.world.hidden[root] = thing
    return root


def is_trusted(an: Analyzer, thing: Any) -> bool:
    """Tell whether a thing is a function or class of an installed module."""
    return isinstance(thing, known.CALLABLES) and not an.world.is_user(thing)


def dotted(an: Analyzer, node: ast.AST) -> str | None:
    """Return the full name of something in a module that the cell itself imports or that loads its parts late."""
    if isinstance(node, ast.Attribute):
        base = dotted(an, node.value)
        held = resolve(an, node.value)
        if held is not MISSING and not isinstance(held, (types.ModuleType, type)):
            return None
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Name) and node.id not in an.local:
        thing = an.object(node.id)
        if isinstance(thing, types.ModuleType):
            return thing.__name__
        return an.world.imports(node.id) if thing is MISSING else None
    return None


def kind_of(an: Analyzer, node: ast.AST) -> Any:
    """Return the type of an expression's value where that is certain, or MISSING."""
    if isinstance(node, ast.Constant):
        return type(node.value)
    if isinstance(node, ast.JoinedStr):
        return str
    if isinstance(node, ast.Name) and node.id in an.local:
        return an.types.get(node.id, MISSING)
    if isinstance(node, ast.Name) and node.id in an.world.definitions:
        definition = an.world.definitions[node.id]
        shown = {ast.List: list, ast.ListComp: list, ast.Dict: dict, ast.DictComp: dict, ast.Set: set, ast.SetComp: set}
        return shown.get(type(definition), MISSING)
    thing = resolve(an, node)
    return MISSING if thing is MISSING else type(thing)


def call(an: Analyzer, node: ast.Call) -> Value:
    """Follow a call; returns where its value comes from."""
    func = node.func
    if (opened := without_partial(an, node)) is not None:
        return call(an, opened)
    if isinstance(func, ast.Name) and func.id not in an.local:
        if func.id in known.FORBIDDEN:
            an.effect("forbidden", node, f"`{func.id}()` {known.FORBIDDEN[func.id]}")
            return NOTHING
        if func.id == "super" and an.first is not None:
            return an.local.get(an.first, NOTHING)
    holder = an.value(func.value) if isinstance(func, ast.Attribute) else NOTHING
    if not isinstance(func, ast.Attribute):
        an.value(func)
    given = Arguments(an, node)
    if isinstance(func, ast.Attribute) and func.attr in library.STREAM_METHODS and library.is_stream(an, func.value):
        an.effect("print", node, "prints")
        return NOTHING
    for part, value in zip(given.nodes, given.positional, strict=True):
        an.consume(part, value) if is_used_up(an, part) else None
    here = an.functions.get(func.id) if isinstance(func, ast.Name) else func
    if isinstance(here, names.FUNCTIONS):
        return summaries.inline(an, here, node, given)
    thing = resolve(an, func)
    if thing is not MISSING:
        return call_object(an, thing, node, given)
    return call_missing(an, node, holder, given)


def call_missing(an: Analyzer, node: ast.Call, holder: Value, given: Arguments) -> Value:
    """Follow a call of what is no object yet: defined or imported by the cell, a method, or unknown."""
    func = node.func
    if isinstance(func, ast.Name) and func.id not in an.local:
        definition = an.world.definitions.get(func.id)
        if isinstance(definition, (*names.FUNCTIONS, ast.ClassDef)):
            return follow_definition(an, definition, node, given)
        if (method := called_method(an, definition)) is not None:
            return summaries.follow(an, method, node, [an.value(func), *given.positional], given)
    name = dotted(an, func)
    if name is not None:
        return call_unloaded(an, name, node, given)
    if isinstance(func, ast.Attribute):
        return call_method(an, node, func, holder, given)
    return call_unknown(an, node, given)


def called_method(an: Analyzer, definition: ast.AST | None) -> Any:
    """Return what calling an object of the cell runs, where the cell makes it from a class of the user's, or None."""
    if not isinstance(definition, ast.Call) or not isinstance(definition.func, ast.Name):
        return None
    kind = an.world.definitions.get(definition.func.id)
    if isinstance(kind, ast.ClassDef) and not kind.decorator_list and not kind.bases and not kind.keywords:
        return next((part for part in kind.body if getattr(part, "name", "") == "__call__"), None)
    thing = an.world.object(definition.func.id)
    found = inspect.getattr_static(thing, "__call__", MISSING) if isinstance(thing, type) else MISSING
    plain = isinstance(thing, type) and type(thing) is type and an.world.is_user(thing) and "__new__" not in vars(thing)
    return found if plain and isinstance(found, types.FunctionType) else None


def without_partial(an: Analyzer, node: ast.Call) -> ast.Call | None:
    """Return a call of `partial(f, ...)` as the call of `f` that it makes; None where it is no such call."""
    func: ast.AST | None = node.func
    if isinstance(func, ast.Name) and func.id not in an.local:
        func = an.world.definitions.get(func.id)
    if not isinstance(func, ast.Call) or not func.args or isinstance(func.args[0], ast.Starred):
        return None
    if resolve(an, func.func) is not functools.partial and dotted(an, func.func) != "functools.partial":
        return None
    named = {part.arg: part for part in [*func.keywords, *node.keywords]}
    return ast.copy_location(ast.Call(func.args[0], [*func.args[1:], *node.args], list(named.values())), node)


def is_library_call(an: Analyzer, node: ast.Call) -> bool:
    """Tell whether a call is surely of a builtin or an installed function or class."""
    thing = resolve(an, node.func)
    return thing is not MISSING and is_trusted(an, thing)


def is_unknown_installed(an: Analyzer, node: ast.Call) -> bool:
    """Tell whether a call is of an installed function of which nothing is known."""
    if isinstance(node.func, ast.Name) and node.func.id in an.local:
        return False
    thing = resolve(an, node.func)
    if thing is MISSING:
        name = dotted(an, node.func)
        return name is not None and name not in known.NAMED and not is_user_module(name.rpartition(".")[0] or name)
    if not is_trusted(an, thing) or thing is getattr(builtins, getattr(thing, "__name__", ""), MISSING):
        return False
    return qualified(thing) not in known.NAMED and getattr(thing, "__name__", "") not in known.QUIET


def is_defaulting(an: Analyzer, node: ast.expr) -> bool:
    """Tell whether reading a key of what an expression names adds the key, as in a `defaultdict`."""
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return isinstance(part_of(an, node), known.DEFAULTING)
    if not isinstance(node, ast.Name):
        return False
    thing = an.object(node.id)
    definition = an.world.definitions.get(node.id)
    if thing is MISSING and node.id not in an.local and isinstance(definition, ast.Call):
        named = dotted(an, definition.func) == "collections.defaultdict"
        return named or resolve(an, definition.func) in known.DEFAULTING
    return isinstance(thing, known.DEFAULTING)


def held_part(node: ast.expr) -> str:
    """Return the attribute that an expression names, or "[]" for an element."""
    return node.attr if isinstance(node, ast.Attribute) else "[]"


def part_of(an: Analyzer, node: ast.Attribute | ast.Subscript) -> Any:
    """Return the attribute or element of a notebook's object that an expression names, or MISSING."""
    holder = an.object(node.value.id) if isinstance(node.value, ast.Name) else MISSING
    if isinstance(node, ast.Attribute):
        return getattr(holder, "__dict__", {}).get(node.attr, MISSING)
    key = node.slice.value if isinstance(node.slice, ast.Constant) else MISSING
    if type(holder) is dict:
        return holder.get(key, MISSING)
    return holder[key] if type(holder) is list and type(key) is int and -1 < key < len(holder) else MISSING


def is_used_up(an: Analyzer, node: ast.AST) -> bool:
    """Tell whether an expression is an iterator that exists outside, which walking over it uses up."""
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return held_part(node) in an.world.lazy_parts or is_iterator(part_of(an, node))
    if not isinstance(node, ast.Name):
        return False
    thing = an.object(node.id)
    if thing is not MISSING:
        return is_iterator(thing)
    definition = an.world.definitions.get(node.id)
    if node.id in an.local or not isinstance(definition, ast.expr):
        return False
    if node.id not in an.world.lazy:
        an.world.lazy[node.id] = True  # as in `xs = iter(xs)`
        an.world.lazy[node.id] = bool(WALKED_ONCE & type(an)(an.world).value(definition).own)
    return an.world.lazy[node.id]


def call_unknown(an: Analyzer, node: ast.Call, given: Arguments) -> Value:
    """Record a call of something that cannot be told."""
    func = node.func
    value = an.value(func)
    parameters = {root for root in value.own if root.startswith("param:")}
    if isinstance(func, ast.Name) and parameters and an.place:
        for root in parameters:
            an.effect("calls", node, root.removeprefix("param:"), given.all.all | {root})
    elif not an.world.assume_pure:
        what = ast.unparse(func)[:40]
        an.effect(
            "opaque", node, f"it cannot be seen what `{what}` is when it is called", value.all | given.all.all | {"*"}
        )
    return extracted(joined([given.all, value]))


def call_unloaded(an: Analyzer, name: str, node: ast.Call, given: Arguments) -> Value:
    """Follow a call into a module that is not loaded yet: known by name alone."""
    if is_user_module(name.rpartition(".")[0] or name):
        if not an.world.assume_pure:
            text = f"`{name}` is not loaded yet, so it cannot be followed; import it in an earlier cell"
            an.effect("opaque", node, text, given.all.all | {"*"})
        return extracted(given.all)
    return library.call_installed(an, name, node, given)


def follow_definition(an: Analyzer, definition: ast.AST, node: ast.AST, given: Arguments) -> Value:
    """Follow a function or class that the cell itself defines."""
    if isinstance(definition, ast.ClassDef):
        for part in definition.body:
            if isinstance(part, names.FUNCTIONS) and getattr(part, "name", "") in (
                "__init__",
                "__new__",
                "__post_init__",
            ):
                summaries.follow(an, part, node, [NOTHING, *given.positional], given)
        if definition.decorator_list and not all(
            summaries.is_known_decorator(part) for part in definition.decorator_list
        ):
            an.effect(
                "opaque", node, f"the class `{definition.name}` is decorated by something that cannot be seen", {"*"}
            )
        return Value(inside=given.all.all)
    assert isinstance(definition, names.FUNCTIONS)
    return summaries.follow(an, definition, node, given.positional, given)


def follow(an: Analyzer, thing: Any, node: ast.AST, values: list[Value]) -> Value:
    """Follow a method or operator of one of the user's classes."""
    if isinstance(thing, (staticmethod, classmethod)):
        thing, values = thing.__func__, values[1:] if isinstance(thing, staticmethod) else values
    if isinstance(thing, property):
        thing = thing.fget
    if isinstance(thing, functools.cached_property):
        thing = thing.func
    if isinstance(thing, (types.FunctionType, *names.FUNCTIONS)):
        if isinstance(thing, types.FunctionType) and not an.world.is_user(thing):
            return extracted(joined(values))
        return summaries.follow(an, thing, node, values, None)
    return extracted(joined(values))


def follow_properties(an: Analyzer, node: ast.Attribute, base: Value) -> Value:
    """Follow what reading or setting an attribute runs in the user's classes, and the mutable class attributes."""
    found = NOTHING
    for kind in an.world.classes():
        if isinstance(kind, type):
            thing = vars(kind).get(node.attr, MISSING)
            if isinstance(thing, (property, functools.cached_property)):
                follow(an, thing, node, [base])
                if isinstance(thing, functools.cached_property):
                    an.change(base.own, node, "fills a cache of {}")
            elif (
                thing is not MISSING
                and not known.is_atom(thing)
                and not callable(thing)
                and not hasattr(thing, "__get__")
            ):
                root = f"{kind.__name__}.{node.attr}"
                an.world.hidden[root] = thing
                an.reading.roots.add(root)
                found = joined([found, Value(frozenset({root}), frozenset({root}))])
        else:
            found = joined([found, in_class_body(an, kind, node, base)])
    thing = part_of(an, node)
    if thing is MISSING and resolve(an, node) is MISSING:
        for magic in ("__getattr__", "__getattribute__") if isinstance(node.ctx, ast.Load) else ():
            for method in an.world.methods(magic):
                found = joined([found, follow(an, method, node, [base])])
    if node.attr == "__class__":
        found = joined([found, Value(frozenset({"the class"}), frozenset({"the class"}))])
    return found


def in_class_body(an: Analyzer, kind: ast.ClassDef, node: ast.Attribute, base: Value) -> Value:
    """Follow an attribute of a class that the cell itself defines."""
    found = NOTHING
    for part in kind.body:
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) and part.name == node.attr and part.decorator_list:
            summaries.follow(an, part, node, [base], None)
        elif isinstance(part, (ast.Assign, ast.AnnAssign)) and not isinstance(part.value, (ast.Constant, type(None))):
            roots = frozenset({f"{kind.name}.{node.attr}"} if node.attr in names.writes(part) else set())
            found = joined([found, Value(roots, roots)])
    return found


def call_object(an: Analyzer, thing: Any, node: ast.Call, given: Arguments) -> Value:
    """Follow a call of a known object."""
    world = an.world
    if isinstance(thing, CACHE):
        if world.is_user(thing.__wrapped__):
            world.notes[f"the cache of `{thing.__name__}` does not come back from workers"] = None
            summaries.follow(an, thing.__wrapped__, node, given.positional, given)
            root = f"{thing.__name__}'s cache"
            return Value(frozenset({root}), frozenset({root}))
        return extracted(given.all)
    if isinstance(thing, functools.partial):
        root = f"the arguments of {ast.unparse(node.func)}"
        world.hidden[root] = (thing.args, thing.keywords)
        bound = (
            NOTHING if known.is_atom(thing.args) and not thing.keywords else Value(frozenset({root}), frozenset({root}))
        )
        values = [bound] * len(thing.args) + given.positional
        return call_callable(an, thing.func, node, values, joined([bound, given.all]))
    if isinstance(thing, types.MethodType) and world.is_user(thing.__func__):
        root = ast.unparse(node.func)
        world.hidden[root] = thing.__self__
        owner = Value(frozenset({root}), frozenset({root}))
        an.reading.roots.add(root)
        return summaries.follow(an, thing.__func__, node, [owner, *given.positional], given)
    if isinstance(thing, types.FunctionType) and world.is_user(thing):
        return summaries.follow(an, thing, node, given.positional, given)
    if isinstance(thing, type) and world.is_user(thing):
        return call_class(an, thing, node, given)
    if not isinstance(thing, known.CALLABLES) and world.is_user(type(thing)):
        method = inspect.getattr_static(type(thing), "__call__", MISSING)
        return follow(an, method, node, [an.value(node.func), *given.positional])
    if thing is getattr(builtins, getattr(thing, "__name__", ""), MISSING):
        return library.call_builtin(an, thing.__name__, node, given)
    if known.is_bound(thing):
        return call_bound(an, thing, node, given)
    return library.call_installed(an, qualified(thing), node, given, thing)


def call_callable(an: Analyzer, thing: Any, node: ast.AST, values: list[Value], everything: Value) -> Value:
    """Follow a call of an object with values whose expressions are not known."""
    made = ast.copy_location(ast.Call(ast.Name("·called", ast.Load()), [], []), node)
    given = Arguments(an, made)
    given.positional, given.all, given.spread = values, everything, False
    ast.copy_location(made.func, node)
    if isinstance(thing, names.FUNCTIONS):
        return summaries.inline(an, thing, node, given)
    if not isinstance(thing, known.CALLABLES):
        return extracted(everything)
    return call_object(an, thing, made, given)


def call_class(an: Analyzer, kind: type, node: ast.Call, given: Arguments) -> Value:
    """Follow the construction of an object of one of the user's classes."""
    for name in ("__new__", "__init__", "__post_init__"):
        method = inspect.getattr_static(kind, name, MISSING)
        method = method.__func__ if isinstance(method, staticmethod) else method
        if (
            isinstance(method, types.FunctionType)
            and an.world.is_user(method)
            and method.__code__.co_filename != "<string>"
        ):
            summaries.follow(an, method, node, [NOTHING, *given.positional], given)
    if type(kind) is not type and an.world.is_user(type(kind)):
        method = inspect.getattr_static(type(kind), "__call__", MISSING)
        follow(an, method, node, [an.value(node.func), *given.positional])
    return Value(inside=given.all.all)


def call_method(an: Analyzer, node: ast.Call, func: ast.Attribute, holder: Value, given: Arguments) -> Value:
    """Follow a method call, by the type of the object where it is known, else by the method's name."""
    kind = kind_of(an, func.value)
    name = func.attr
    if kind is not MISSING and an.world.is_user(kind):
        return call_user_method(an, kind, node, func, holder, given)
    own = an.world.methods(name) if kind is MISSING else []
    results = [follow(an, method, node, [holder, *given.positional]) for method in own]
    if kind in known.ATOMS:
        callbacks.apply_callables(an, node, given)
        if name in known.FILE_METHODS:
            an.effect("file", node, "writes files")
        return Value(inside=given.all.all) if name not in known.STRING_METHODS else NOTHING
    return joined([*results, installed_method(an, node, func, kind, holder, given, followed=bool(own))])


def installed_method(
    an: Analyzer, node: ast.Call, func: ast.Attribute, kind: Any, holder: Value, given: Arguments, *, followed: bool
) -> Value:
    """Follow a method that is not the user's own, by its name and what it is called on."""
    name = func.attr
    library.effects_of_method(an, node, func, kind, holder, given, followed=followed)
    if "out" in given.named:
        an.change(given.named["out"].own, node, "writes into {}")
    callbacks.apply_callables(an, node, given)
    if name in known.STRING_METHODS:
        return NOTHING
    if name in known.COPYING_METHODS and not library.may_not_copy(given):
        return Value(inside=holder.all | given.all.all)
    return extracted(joined([holder, given.all]))


def call_bound(an: Analyzer, thing: Any, node: ast.Call, given: Arguments) -> Value:
    """Follow a call of a method that was taken from an installed object before: `push = out.append; push(x)`."""
    holder = an.value(node.func)
    if library.is_shared_source(thing.__self__):
        library.draw(an, node)
        if thing.__name__ == "shuffle":
            an.change(given.all.own, node, "shuffles {}")
        return extracted(given.all)
    if not holder.own:
        root = f"what `.{thing.__name__}` belongs to"
        an.world.hidden.setdefault(root, []).append(thing.__self__)
        holder = Value(frozenset({root}), frozenset({root}))
    an.reading.roots |= holder.all
    func = ast.copy_location(ast.Attribute(node.func, thing.__name__, ast.Load()), node)
    return installed_method(an, node, func, type(thing.__self__), holder, given, followed=False)


def call_user_method(
    an: Analyzer, kind: type, node: ast.Call, func: ast.Attribute, holder: Value, given: Arguments
) -> Value:
    """Follow a method of one of the user's classes."""
    method = inspect.getattr_static(kind, func.attr, MISSING)
    if isinstance(method, types.FunctionType) and an.world.is_user(method):
        return summaries.follow(an, method, node, [holder, *given.positional], given)
    if isinstance(method, (staticmethod, classmethod)):
        return follow(an, method, node, [holder, *given.positional])
    if func.attr in known.MUTATORS:
        an.change(holder.own, node, f"calls `.{func.attr}` of {{}}")
    elif func.attr not in known.READERS and not an.world.assume_pure:
        an.effect("opaque", node, f"it cannot be seen what `{ast.unparse(func)}` is", holder.all | {"*"})
    return extracted(joined([holder, given.all]))
