"""Calls of builtins and itertools that hand items on one by one, read as one loop: `filter(g, map(f, xs))`.

Each call is put around what it walks, so that a chain of them becomes the target, the items and the value of a single
comprehension (stream fusion: Coutts, Leshchinskiy and Stewart, 2007). What is asked of the items, in which order, is
what the chain would ask.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from concompare.cells.ir import OURS, Meant
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

LOOKS_OUT = frozenset({ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom})
"""Kinds of expressions that do more than give a value."""
MOVES = frozenset({"zip", "enumerate", "islice"})


@dataclass
class Stream:
    """Items that come one by one, and what becomes of each.

    Attributes:
        target: What an item is bound to; `items`: what is walked.
        value: What is handed on; `tests`: for which items.
        inner: Inner loops, whose values are handed on one by one.
        means: Functions that have to be those that their names say.
        works: A function is called for each item.
        once: The expressions that give the functions, which the plain code evaluates once.
        kind: What the user would call it.
    """

    target: ast.expr
    items: ast.expr
    value: ast.expr
    tests: list[ast.expr] = field(default_factory=list)
    inner: list[ast.comprehension] = field(default_factory=list)
    means: list[Meant] = field(default_factory=list)
    works: bool = False
    once: list[ast.expr] = field(default_factory=list)
    kind: str = "map"

    @property
    def straight(self) -> bool:
        """Tell whether one value is handed on for every item."""
        return not self.tests and not self.inner

    @property
    def bound(self) -> set[str]:
        """Return the names that stand for items."""
        return names.stored(self.target).union(*[names.stored(part.target) for part in self.inner])

    def as_generator(self, place: ast.AST) -> ast.GeneratorExp:
        """Return it as a generator expression."""
        first = ast.comprehension(self.target, self.items, self.tests, 0)
        return located(ast.GeneratorExp(self.value, [first, *self.inner]), place)


class Fusion:
    """Reads one chain of calls.

    Args:
        shadowed: Names that do not mean the builtin here.
    """

    def __init__(self, shadowed: frozenset[str]) -> None:
        self.shadowed = shadowed
        self.numbers = itertools.count()

    def stream(self, node: ast.AST) -> Stream | None:
        """Return a lazy call or a generator as a stream, or None where it is something else."""
        if isinstance(node, ast.GeneratorExp):
            return self.generator(node)
        if not isinstance(node, ast.Call) or any(isinstance(part, ast.Starred) for part in node.args):
            return None
        name = name_of(node.func)
        maker = MAKERS.get(name)
        if maker is None or not self.may_mean(node.func, name) or (node.keywords and name not in ("zip", "enumerate")):
            return None
        found = maker(self, node)
        if found is None:
            return None
        found.means.append(Meant(node.func, PATHS[name]))
        return found if name in MOVES else replace(found, kind=name if name != "from_iterable" else "chain")

    def may_mean(self, func: ast.expr, name: str) -> bool:
        """Tell whether a function may be the one that its name says."""
        if isinstance(func, ast.Name):
            return name not in self.shadowed
        module = func.value.id if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else ""
        return not PATHS[name].startswith("builtins.") and (name != "starmap" or module in ITERTOOLS)

    def walked(self, node: ast.expr) -> Stream:
        """Return what a call walks, as a stream."""
        found = self.stream(node)
        if found is not None and found.works:
            return found
        word = self.word()
        return Stream(located(ast.Name(word, ast.Store()), node), node, located(ast.Name(word, ast.Load()), node))

    def word(self) -> str:
        """Return a name for an item."""
        return f"{OURS}item{next(self.numbers)}"

    def generator(self, node: ast.GeneratorExp) -> Stream | None:
        """Read a generator expression."""
        first, *inner = node.generators
        if names.kinds_in(node) & LOOKS_OUT or any(part.is_async for part in node.generators):
            return None
        return Stream(first.target, first.iter, node.elt, list(first.ifs), inner, works=True, kind="generator")

    def mapping(self, node: ast.Call) -> Stream | None:
        """Read `map`."""
        if len(node.args) < 2 or not is_fixed(node.args[0]):
            return None
        function, *walked = node.args
        inner = self.walked(walked[0]) if len(walked) == 1 else self.side_by_side(node, walked)
        if inner is None:
            return None
        values = [inner.value] if len(walked) == 1 else inner.value.elts  # type: ignore[attr-defined]
        return self.called(node, function, inner, list(values))

    def starring(self, node: ast.Call) -> Stream | None:
        """Read `starmap`."""
        if len(node.args) != 2 or not is_fixed(node.args[0]):
            return None
        inner = self.walked(node.args[1])
        return self.called(node, node.args[0], inner, [located(ast.Starred(inner.value, ast.Load()), node)])

    def called(self, node: ast.Call, function: ast.expr, inner: Stream, values: list[ast.expr]) -> Stream | None:
        """Return a stream with a function called for each value."""
        if names.reads(function) & inner.bound:
            return None
        inner.once.append(function)
        return replace(inner, value=located(ast.Call(function, values, []), node), works=True)

    def keeping(self, node: ast.Call) -> Stream | None:
        """Read `filter` and `filterfalse`."""
        if len(node.args) != 2 or not is_fixed(node.args[0]):
            return None
        function = node.args[0]
        inner = self.walked(node.args[1])
        if names.reads(function) & inner.bound:
            return None
        simple = isinstance(inner.value, ast.Name)
        word = inner.value.id if isinstance(inner.value, ast.Name) else self.word()
        value = located(ast.Name(word, ast.Load()), node)
        nothing = isinstance(function, ast.Constant) and function.value is None
        asked = names.copied(value)
        test: ast.expr = asked if nothing else located(ast.Call(function, [asked], []), node)
        if name_of(node.func) == "filterfalse":
            test = located(ast.UnaryOp(ast.Not(), test), node)
        inner.once.append(function)
        if not nothing and not isinstance(function, ast.Lambda):
            inner.means.append(Meant(function, NOT_NONE))
        if simple and inner.inner:
            inner.inner[-1].ifs.append(test)
        elif simple:
            inner.tests.append(test)
        else:
            alone = located(ast.List([inner.value], ast.Load()), node)
            target = located(ast.Name(word, ast.Store()), node)
            inner.inner.append(ast.comprehension(target, alone, [test], 0))
        return replace(inner, value=value, works=inner.works or not nothing)

    def flat(self, node: ast.Call) -> Stream | None:
        """Read `chain.from_iterable`."""
        if len(node.args) != 1:
            return None
        inner, word = self.walked(node.args[0]), self.word()
        part = ast.comprehension(located(ast.Name(word, ast.Store()), node), inner.value, [], 0)
        return replace(inner, value=located(ast.Name(word, ast.Load()), node), inner=[*inner.inner, part])

    def side_by_side(self, node: ast.Call, walked: list[ast.expr]) -> Stream | None:
        """Return several streams as one of tuples, as `zip` does; `node` is the call that walks them."""
        parts = [self.walked(part) for part in walked]
        bound = [name for part in parts for name in part.bound]
        if not all(part.straight for part in parts) or len(set(bound)) < len(bound):
            return None
        target = located(ast.Tuple([part.target for part in parts], ast.Store()), node)
        zipped = located(ast.Name("zip", ast.Load()), node)
        func = node.func if name_of(node.func) == "zip" else zipped
        items = located(ast.Call(func, [part.items for part in parts], node.keywords), node)
        value = located(ast.Tuple([part.value for part in parts], ast.Load()), node)
        means = [Meant(func, PATHS["zip"]), *[word for part in parts for word in part.means]]
        works, early = any(part.works for part in parts), any(part.works for part in parts[:-1])
        if works and (early or node.keywords):  # where one ends before another, one more value was asked for
            if len({name_of(part.items) for part in parts}) > 1 or not isinstance(parts[0].items, ast.Name):
                return None
            means.append(Meant(parts[0].items, CONTAINER))
        once = [word for part in parts for word in part.once]
        return Stream(target, items, value, means=means, works=works, once=once, kind=kind_of(parts))

    def zipped(self, node: ast.Call) -> Stream | None:
        """Read `zip`."""
        return self.side_by_side(node, node.args) if node.args else None

    def numbered(self, node: ast.Call) -> Stream | None:
        """Read `enumerate`."""
        if not node.args:
            return None
        inner, word = self.walked(node.args[0]), self.word()
        if not inner.straight:
            return None
        items = located(ast.Call(node.func, [inner.items, *node.args[1:]], node.keywords), node)
        number = located(ast.Name(word, ast.Store()), node)
        target = located(ast.Tuple([number, inner.target], ast.Store()), node)
        value = located(ast.Tuple([located(ast.Name(word, ast.Load()), node), inner.value], ast.Load()), node)
        return replace(inner, target=target, items=items, value=value)

    def some(self, node: ast.Call) -> Stream | None:
        """Read `islice` with a number of items."""
        if len(node.args) != 2:
            return None
        inner = self.walked(node.args[0])
        if not inner.straight:
            return None
        items = located(ast.Call(node.func, [inner.items, node.args[1]], []), node)
        return replace(inner, items=items)


def kind_of(parts: list[Stream]) -> str:
    """Return what the user would call several streams."""
    return next((part.kind for part in parts if part.works), "map")


Maker = Callable[[Fusion, ast.Call], Stream | None]
MAKERS: dict[str, Maker] = {
    "map": Fusion.mapping,
    "starmap": Fusion.starring,
    "filter": Fusion.keeping,
    "filterfalse": Fusion.keeping,
    "from_iterable": Fusion.flat,
    "zip": Fusion.zipped,
    "enumerate": Fusion.numbered,
    "islice": Fusion.some,
}
"""How the calls are read, by the last part of their name."""
PATHS = {
    **{name: f"builtins.{name}" for name in ("map", "filter", "zip", "enumerate")},
    **{name: f"itertools.{name}" for name in ("starmap", "filterfalse", "islice")},
    "from_iterable": "itertools.chain.from_iterable",
}
ITERTOOLS = frozenset({"itertools", "it", "itr", "itools"})
"""How the module is called; pools of workers have a `starmap` too."""
NOT_NONE, CONTAINER, BUILT_IN, LIST = "not None", "container", "built in", "list"
"""Stand in the place of a path: for anything but None, what is no iterator, an object of a builtin type, a list."""


def name_of(func: ast.expr) -> str:
    """Return the last part of the name of what is called; empty where it has none."""
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def is_fixed(node: ast.expr) -> bool:
    """Tell whether a function expression may be evaluated for every item as well as once."""
    if isinstance(node, ast.Call):
        parts = [*node.args, *[keyword.value for keyword in node.keywords]]
        known = name_of(node.func) in ("partial", "itemgetter", "attrgetter", "methodcaller")
        return known and all(map(is_fixed, parts))
    if isinstance(node, ast.Attribute):
        return is_fixed(node.value)
    return isinstance(node, (ast.Lambda, ast.Name, ast.Constant))


def is_calm(node: ast.expr) -> bool:
    """Tell whether an argument may be evaluated before the items are walked or after: it calls nothing that shows."""
    if is_fixed(node):
        return True
    if isinstance(node, ast.Call):
        return name_of(node.func) in ("len", "range", "dict", "list", "set", "Counter") and all(
            is_calm(part) for part in [*node.args, *[word.value for word in node.keywords]]
        )
    return not names.kinds_in(node) & {ast.Call, *LOOKS_OUT, *names.COMPREHENSIONS}
