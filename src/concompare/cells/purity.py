"""What a piece of code may change, as far as its source shows: effects on objects, and where values come from."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from concompare.cells import calls, identity, known, names
from concompare.cells.values import FUNCTION, LAZY, LOCAL, MARKS, NOTHING, Effect, Reading, Value, extracted, joined
from concompare.cells.world import MISSING, World

MAGIC_BY_NODE: dict[type[ast.AST], tuple[str, ...]] = {
    ast.BinOp: tuple(f"__{word}__" for word in known.words("add radd sub mul rmul truediv matmul mod or and")),
    ast.Compare: ("__eq__", "__lt__", "__gt__", "__le__", "__ge__", "__ne__", "__contains__"),
    ast.Subscript: ("__getitem__", "__missing__"),
}  # fmt: skip
"""Operators that the user's own classes may define with effects."""

LAZY_OWN = frozenset({LAZY})
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)
"""Statements whose bodies may run in part, so that an assignment in them does not end what the name was before."""


class Analyzer:
    """Follows values through code, flow-insensitively, and collects effects.

    Args:
        world: What global names stand for.
        local: The names local to the code (of one iteration, or of a function), with where their values come from.
        place: What to call this code in messages ("" for the cell itself).
    """

    def __init__(self, world: World, local: dict[str, Value] | None = None, place: str = "") -> None:
        self.world = world
        self.local: dict[str, Value] = local if local is not None else {}
        self.types: dict[str, type] = {}
        self.functions: dict[str, names.FunctionNode] = {}
        self.objects: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.first: str | None = None
        self.declared: set[str] = set()
        self.reading = Reading()
        self.place = place
        self.line = 0
        self.returned = NOTHING
        self.depth = 0
        self.certain = False
        self.captured: set[str] = set()
        self.followed: dict[int, tuple[ast.Call, Value, Reading]] | None = None
        self.settled = False

    @contextmanager
    def fresh(self) -> Iterator[Reading]:
        """Collect what is read and done inside the block by itself."""
        kept, self.reading = self.reading, Reading()
        try:
            yield self.reading
        finally:
            self.reading = kept

    def look(self, *nodes: ast.AST) -> Reading:
        """Return what the statements or expressions read and do."""
        with self.fresh() as reading:
            for node in nodes:
                follow: Callable[..., Any] = self.statement if isinstance(node, ast.stmt) else self.value
                follow(node)
        return reading

    def effect(
        self, kind: str, node: ast.AST | int, text: str, roots: Iterable[str] = (), direct: bool = False
    ) -> None:
        """Record an effect at a node."""
        line = node if isinstance(node, int) else getattr(node, "lineno", self.line)
        self.reading.effects.append(Effect(kind, frozenset(roots), line, text, self.place, direct))

    def change(self, roots: Iterable[str], node: ast.AST, text: str, holder: ast.AST | None = None) -> None:
        """Record that objects may change: those reached from the roots, or just what the holder names."""
        roots = frozenset(roots) - MARKS
        if roots:
            own = {root for root in roots if not root.startswith(LOCAL)}
            direct = isinstance(holder, ast.Name) and own == {holder.id} and not self.place
            self.effect("change", node, text, roots, direct)

    # -- names ------------------------------------------------------------------------------------------------------

    def object(self, name: str) -> Any:
        """Return the object that a name stands for, or MISSING."""
        if name in self.objects:
            return self.objects[name]
        return MISSING if name in self.local else self.world.object(name)

    def root(self, name: str) -> Value:
        """Return where the value of a name comes from."""
        if name in self.local:
            return self.local[name]
        thing = self.object(name)
        if thing is not MISSING:
            trusted = callable(thing) and isinstance(thing, known.CALLABLES) and not self.world.is_user(thing)
            if known.is_atom(thing) or (trusted and not known.is_bound(thing)):
                return NOTHING
        elif self.world.imports(name) is not None or isinstance(self.world.definitions.get(name), ast.Constant):
            return NOTHING
        if name.startswith("·"):
            return NOTHING
        name = self.objects_root(name)
        return Value(frozenset({name}), frozenset({name}))

    def objects_root(self, name: str) -> str:
        """Return the root's name of a global, or of an object that only a followed function can reach."""
        if name in self.objects and self.place:
            hidden = f"{self.place}:{name}"
            self.world.hidden[hidden] = self.objects[name]
            return hidden
        return name

    # -- expressions ------------------------------------------------------------------------------------------------

    def value(self, node: ast.AST | None) -> Value:
        """Follow an expression; returns where its value comes from."""
        if node is None:
            return NOTHING
        self.line = getattr(node, "lineno", self.line)
        method = getattr(self, names.METHODS[type(node)], None)
        if method is not None:
            result: Value = method(node)
            return result
        return Value(inside=joined(self.value(child) for child in names.children_of(node)).all)

    def _on_Constant(self, node: ast.Constant) -> Value:
        return NOTHING

    def _on_Name(self, node: ast.Name) -> Value:
        found = self.root(node.id)
        if node.id not in self.local or self.place == "":
            self.reading.names.add(self.tags.get(node.id, node.id))
        self.reading.roots |= found.all
        return found

    def _on_Attribute(self, node: ast.Attribute) -> Value:
        base = self.value(node.value)
        thing = calls.resolve(self, node)
        if (part := calls.module_part(self, node, thing)) is not None:
            self.reading.roots.add(part)
            if not known.is_atom(thing) and not calls.is_trusted(self, thing) and not callable(thing):
                return Value(frozenset({part}), frozenset({part}))
        if thing is not MISSING and (known.is_atom(thing) or calls.is_trusted(self, thing)):
            return NOTHING
        return joined([extracted(base), calls.follow_properties(self, node, base)])

    def _on_Subscript(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        identity.follow_keys(self, [node.slice])
        self.operators(node, base)
        if calls.is_defaulting(self, node.value):
            self.change(base.own, node, "may add a key to {}")
        return extracted(base)

    def _on_BinOp(self, node: ast.BinOp) -> Value:
        both = joined([self.value(node.left), self.value(node.right)])
        self.operators(node, both)
        return Value(inside=both.all)

    def _on_Compare(self, node: ast.Compare) -> Value:
        both = joined(self.value(part) for part in [node.left, *node.comparators])
        self.operators(node, both)
        if any(isinstance(part, (ast.In, ast.NotIn)) for part in node.ops):
            for part in node.comparators:
                self.consume(part, self.value(part))
        identity.follow_compare(self, node, both)
        return Value(inside=both.all)

    def _on_BoolOp(self, node: ast.BoolOp) -> Value:
        return joined(self.value(part) for part in node.values)

    def _on_IfExp(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return joined([self.value(node.body), self.value(node.orelse)])

    def _on_JoinedStr(self, node: ast.JoinedStr) -> Value:
        for part in node.values:
            self.value(part)
        return NOTHING

    def _on_Starred(self, node: ast.Starred) -> Value:
        found = self.value(node.value)
        self.consume(node.value, found)
        return extracted(found)

    def _on_NamedExpr(self, node: ast.NamedExpr) -> Value:
        found = self.value(node.value)
        self.bind(node.target, found, node.value)
        return found

    def _on_Lambda(self, node: ast.Lambda) -> Value:
        free = joined(self.root(name) for name in names.free_names(node))
        self.reading.names |= set(names.free_names(node)) - (set(self.local) if self.place else set())
        self.reading.roots |= free.all
        return Value(frozenset({FUNCTION}), free.all | {FUNCTION})

    def _on_Await(self, node: ast.Await) -> Value:
        if not (self.place or self.world.awaits):
            self.effect("forbidden", node, "`await` needs the notebook's own event loop")
        return extracted(self.value(node.value))

    def _on_Yield(self, node: ast.Yield | ast.YieldFrom) -> Value:
        self.returned = joined([self.returned, Value(LAZY_OWN, self.value(node.value).all)])
        return NOTHING

    _on_YieldFrom = _on_Yield

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        """Follow a comprehension, whose targets are its own."""
        kept, types = dict(self.local), dict(self.types)
        for part in node.generators:
            found = self.value(part.iter)
            self.consume(part.iter, found)
            for name in names.stored(part.target):
                self.local[name] = NOTHING
            self.bind(part.target, extracted(found), None)
            for test in part.ifs:
                self.value(test)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        inside = joined(self.value(part) for part in parts).all
        bound = {name for part in node.generators for name in names.stored(part.target)}
        self.reading.names -= bound - set(kept)
        for name in bound:
            self.local.pop(name)
            if name in kept:
                self.local[name] = kept[name]
        self.types = types
        return Value(LAZY_OWN if isinstance(node, ast.GeneratorExp) else frozenset(), inside)

    _on_ListComp = _on_SetComp = _on_GeneratorExp = _on_DictComp = comprehension

    def _on_Call(self, node: ast.Call) -> Value:
        if self.place or self.followed is None:
            return calls.call(self, node)
        found = self.followed.get(id(node)) if self.settled else None
        if found is None:
            with self.fresh() as reading:
                value = calls.call(self, node)
            found = self.followed[id(node)] = (node, value, reading)
        self.reading.add(found[2])
        return found[1]

    def operators(self, node: ast.AST, operands: Value) -> None:
        """Follow the operators that the user's own classes define."""
        for magic in MAGIC_BY_NODE.get(type(node), ()):
            for method in self.world.methods(magic):
                calls.follow(self, method, node, [operands, operands])

    def consume(self, node: ast.AST, value: Value) -> None:
        """Record that walking over a value uses up an iterator that exists outside."""
        if calls.is_used_up(self, node):
            self.change(value.own, node, "uses up {}")
        for magic in ("__iter__", "__next__"):
            for method in self.world.methods(magic):
                calls.follow(self, method, node, [value])

    # -- statements -------------------------------------------------------------------------------------------------

    def bind(self, target: ast.AST, value: Value, source: ast.AST | None) -> None:
        """Give a value to an assignment target."""
        if isinstance(target, ast.Name):
            if target.id in self.declared:
                self.effect(
                    "rebind",
                    target,
                    f"gives the global name `{target.id}` a new value",
                    {self.tags.get(target.id, target.id)},
                )
                return
            if not self.place:
                value = Value(value.own | {f"{LOCAL}{target.id}"}, value.inside)
            held = NOTHING if self.certain and target.id not in self.captured else self.local.get(target.id, NOTHING)
            self.local[target.id] = joined([held, value])
            if isinstance(source, ast.Lambda):
                self.functions[target.id] = source
            else:
                self.functions.pop(target.id, None)
        elif isinstance(target, (ast.Tuple, ast.List)):
            pairs = isinstance(source, (ast.Tuple, ast.List)) and len(source.elts) == len(target.elts)
            if source is not None and not pairs:
                self.consume(source, value)
            for position, part in enumerate(target.elts):
                element = source.elts[position] if pairs and isinstance(source, (ast.Tuple, ast.List)) else None
                if element is not None and not isinstance(element, ast.Starred):
                    with self.fresh():
                        found = self.value(element)
                    self.bind(part, found, element)
                else:
                    self.bind(part, extracted(value), None)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, Value(inside=value.all), None)
        elif isinstance(target, (ast.Subscript, ast.Attribute)):
            self.store(target, value)

    def store(self, target: ast.Subscript | ast.Attribute, value: Value) -> None:
        """Record a store into an object."""
        base = self.value(target.value)
        if isinstance(target, ast.Subscript):
            self.value(target.slice)
            self.magic("__setitem__", target, base, value)
            self.change(base.own, target, "stores into {}", target.value)
        else:
            if calls.dotted(self, target.value) is not None:
                text = f"`{ast.unparse(target)}` is set, which everything else may read"
                self.effect("forbidden", target, text)
            self.magic("__setattr__", target, base, value)
            calls.follow_properties(self, target, base)
            self.change(base.own, target, "sets an attribute of {}", target.value)
        self.embed(target.value, value)

    def magic(self, name: str, node: ast.AST, *values: Value) -> None:
        """Follow the special methods of that name of the user's classes."""
        for method in self.world.methods(name):
            calls.follow(self, method, node, list(values))

    def embed(self, holder: ast.AST, value: Value) -> None:
        """Record that an object now holds a value."""
        while isinstance(holder, (ast.Subscript, ast.Attribute)):
            holder = holder.value
        if isinstance(holder, ast.Name) and holder.id in self.local:
            held = self.local[holder.id]
            self.local[holder.id] = Value(held.own, held.inside | value.all)

    def statement(self, node: ast.stmt) -> None:
        """Follow a statement."""
        self.line = node.lineno
        method = getattr(self, "_do_" + type(node).__name__, None)
        certain = self.certain
        self.certain = certain and not isinstance(node, BLOCKS)
        if method is None:
            self.effect("opaque", node, f"`{type(node).__name__.lower()}` is not followed", set(self.local) | {"*"})
        else:
            method(node)
        self.certain = certain

    def block(self, statements: Iterable[ast.stmt]) -> None:
        """Follow statements one after the other."""
        for statement in statements:
            self.statement(statement)

    def _do_Expr(self, node: ast.Expr) -> None:
        self.value(node.value)
        if isinstance(node.value, ast.Call) and calls.is_unknown_installed(self, node.value):
            with self.fresh():
                given = [
                    self.value(part) for part in [*node.value.args, *[keyword.value for keyword in node.value.keywords]]
                ]
            what = ast.unparse(node.value.func)[:40]
            self.change(joined(given).own, node, f"calls `{what}` for what it does to {{}}")

    def _do_Pass(self, node: ast.stmt) -> None:
        """Do nothing."""

    _do_Break = _do_Continue = _do_Alias = _do_Check = _do_Pull = _do_Pass

    def _do_Assign(self, node: ast.Assign) -> None:
        found = self.value(node.value)
        for target in node.targets:
            self.bind(target, found, node.value)

    def _do_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.bind(node.target, self.value(node.value), node.value)

    def _do_AugAssign(self, node: ast.AugAssign) -> None:
        found = self.value(node.value)
        if isinstance(node.target, ast.Name):
            held = self.value(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))
            self.change(held.own, node, "changes {}", node.target)
            self.magic("__iadd__", node, held, found)
            self.bind(node.target, Value(held.own, held.inside | found.all), None)
            return
        self.operators(node, found)
        assert isinstance(node.target, (ast.Subscript, ast.Attribute))
        self.value(names.as_read(node.target))
        self.store(node.target, found)

    def _do_For(self, node: ast.For | ast.AsyncFor) -> None:
        if isinstance(node, ast.AsyncFor) and not self.place:
            self.effect("forbidden", node, "`async for` needs the notebook's own event loop")
        found = self.value(node.iter)
        self.consume(node.iter, found)
        self.bind(node.target, extracted(found), None)
        for _ in range(2):
            self.block(node.body)
        self.block(node.orelse)

    _do_AsyncFor = _do_For

    def _do_While(self, node: ast.While) -> None:
        for _ in range(2):
            self.value(node.test)
            self.block(node.body)
        self.block(node.orelse)

    def _do_If(self, node: ast.If) -> None:
        self.value(node.test)
        self.block(node.body)
        self.block(node.orelse)

    def _do_With(self, node: ast.With | ast.AsyncWith) -> None:
        if isinstance(node, ast.AsyncWith) and not self.place:
            self.effect("forbidden", node, "`async with` needs the notebook's own event loop")
        for item in node.items:
            found = self.value(item.context_expr)
            if not isinstance(item.context_expr, ast.Call):
                self.change(found.own, node, "enters {}")
            if not (isinstance(item.context_expr, ast.Call) and calls.is_library_call(self, item.context_expr)):
                self.magic("__enter__", node, found)
                self.magic("__exit__", node, found)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, found, None)
        self.block(node.body)

    _do_AsyncWith = _do_With

    def _do_Try(self, node: ast.Try) -> None:
        self.block(node.body)
        for handler in node.handlers:
            self.value(handler.type)
            if handler.name:
                self.local[handler.name] = NOTHING
            self.block(handler.body)
        self.block(node.orelse)
        self.block(node.finalbody)

    _do_TryStar = _do_Try

    def _do_Match(self, node: ast.Match) -> None:
        found = self.value(node.subject)
        for case in node.cases:
            for part in names.nodes_in(case.pattern):
                if isinstance(part, ast.expr):
                    self.value(part)
            for name in names.writes(case.pattern):
                self.bind(ast.Name(name, ast.Store()), joined([found, extracted(found)]), None)
            self.value(case.guard)
            self.block(case.body)

    def _do_Raise(self, node: ast.Raise) -> None:
        self.value(node.exc)
        self.value(node.cause)

    def _do_Assert(self, node: ast.Assert) -> None:
        self.value(node.test)
        self.value(node.msg)

    def _do_Return(self, node: ast.Return) -> None:
        self.returned = joined([self.returned, self.value(node.value)])

    def _do_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, (ast.Subscript, ast.Attribute)):
                self.magic("__delitem__", target, self.value(target.value))
                self.change(self.value(target.value).own, target, "deletes from {}")
            elif isinstance(target, ast.Name) and target.id in self.declared:
                self.effect("rebind", target, f"deletes the global name `{target.id}`", {target.id})

    def _do_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            self.local[name] = NOTHING
            made = (
                ast.Import([alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], node.level)
            )
            self.objects[name] = self.world.imported(made)
            if alias.name == "*":
                self.effect("forbidden", node, "`import *` binds names that cannot be seen")

    _do_ImportFrom = _do_Import

    def _do_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            self.value(part)
        free = joined(self.root(name) for name in names.free_names(node))
        self.reading.names |= set(names.free_names(node)) - (set(self.local) if self.place else set())
        self.reading.roots |= free.all
        self.local[node.name] = Value(frozenset({FUNCTION}), free.all | {FUNCTION})
        if node.decorator_list:
            self.effect("opaque", node, f"the decorated function `{node.name}` is made in every iteration")
        self.functions[node.name] = node

    _do_AsyncFunctionDef = _do_FunctionDef

    def _do_Global(self, node: ast.Global) -> None:
        if not self.place:
            self.effect("forbidden", node, "`global` in a loop says nothing that can be split")
        self.declared |= set(node.names)

    def _do_Nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            self.effect("rebind", node, f"changes the closure variable `{name}`", {self.tags.get(name, name)})
        self.declared |= set(node.names)
