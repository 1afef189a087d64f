"""Builtins, itertools and numpy that are given a function to call with items: `sorted(xs, key=f)`.

What is called is known for certain only when the call is reached; so the form stands for what is called, and the calls
that it will make are found there (see `replay/calling`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from concompare.cells.forms.comprehensions import collected
from concompare.cells.forms.streams import ITERTOOLS, is_fixed, name_of
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

ITEM = OURS + "item0"
COMPARING = frozenset({"min", "max", "nlargest", "nsmallest"})
"""Calls that compare a value before they ask for the next."""
FUNCTION = OURS + "function"
"""How the names begin that stand for functions which the cell makes in the call."""
VECTORIZED = "concompare_vectorized"
"""Marks a call of what is known to be a `numpy.vectorize`."""
LIGHT = frozenset({
    *("abs", "bool", "dict", "float", "getattr", "hash", "id", "int", "isinstance", "len", "list", "max", "min"),
    *("ord", "repr", "round", "set", "sorted", "str", "sum", "tuple", "type"),
    *("casefold", "count", "endswith", "get", "index", "lower", "split", "startswith", "strip", "upper"),
    *("itemgetter", "attrgetter", "cmp_to_key"),
})  # fmt: skip
"""Names of what is done sooner than a worker could be asked."""
Found = tuple[ast.expr | None, ast.expr]
"""The function, if it is given, and what it is called with."""


def call_with_function(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a call that calls a function with items at once as a loop over them."""
    if not isinstance(node, ast.Call):
        return None
    found = vectorized(node) or found_in(node, shadowed, AT_ONCE)
    return loop_of(node, *found) if found is not None else None


def lazy_call(node: ast.Call, shadowed: frozenset[str]) -> Loop | None:
    """Return a call whose result calls a function with items when it is walked as a loop over them."""
    found = found_in(node, shadowed, LAZILY)
    loop = loop_of(node, *found) if found is not None else None
    if loop is not None and name_of(node.func) in ("takewhile", "dropwhile"):
        loop.stops = "all"
    return loop


def walked_call(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return such a call that a loop or a comprehension walks, whose code runs between the calls."""
    walked = node.iter if isinstance(node, ast.For) else None
    walked = node.generators[0].iter if isinstance(node, names.COMPREHENSIONS) else walked
    loop = lazy_call(walked, shadowed) if isinstance(walked, ast.Call) else None
    if loop is not None:
        loop.pure = True
        loop.timeless = isinstance(node, ast.For) or not does_little(node, shadowed)
    return loop


def does_little(node: ast.AST, shadowed: frozenset[str]) -> bool:
    """Tell whether the code of a comprehension changes nothing, as far as the names of what it calls show."""
    assert isinstance(node, names.COMPREHENSIONS)
    first, *inner = node.generators
    values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    parts = [part for held in (*values, *first.ifs, *inner) for part in names.nodes_in(held)]
    called = [name_of(part.func) for part in parts if isinstance(part, ast.Call)]
    kinds = {type(part) for part in parts}
    return set(called) <= LIGHT - shadowed and not kinds & {ast.NamedExpr, ast.Await, ast.Yield}


def with_values(statement: ast.stmt, loop: Loop) -> ast.stmt:
    """Return a statement with a call in it that is handed values, as somebody could have written it."""
    node = loop.node
    assert isinstance(node, ast.Call)
    found = vectorized(node) or found_in(node, frozenset(), AT_ONCE) or found_in(node, frozenset(), LAZILY)
    stands = ast.parse("lambda *items, values=iter(results): next(values)", mode="eval").body
    function = found[0] if found is not None else None
    if VECTORIZED in node.__dict__:
        function = node.func
        stands = ast.parse(f"np.vectorize({ast.unparse(stands)})", mode="eval").body
    return names.copied(statement, lambda part: stands if part is function else None)


def found_in(node: ast.Call, shadowed: frozenset[str], known: dict[str, Callable[[ast.Call], Found | None]]) -> Any:
    """Return function and items of a call, as one of some kinds of calls."""
    name = name_of(node.func)
    if name not in known or (isinstance(node.func, ast.Name) and name in shadowed):
        return None
    if any(isinstance(part, ast.Starred) for part in node.args) or any(word.arg is None for word in node.keywords):
        return None
    return known[name](node)


def loop_of(node: ast.Call, function: ast.expr | None, items: ast.expr) -> Loop | None:
    """Return the calls of a function as a loop, or None where none is worth a worker; `*items`: with all of an item."""
    if function is None or is_light(function):
        return None
    if not is_fixed(function):
        word = f"{FUNCTION}{node.lineno}_{node.col_offset}"
        function = located(ast.Name(word, ast.Load()), function)
    given: ast.expr = located(ast.Name(ITEM, ast.Load()), function)
    if isinstance(items, ast.Starred):
        items, given = items.value, located(ast.Starred(given, ast.Load()), function)
    call = located(ast.Call(function, [given], []), function)
    loop = collected(
        name_of(node.func) or "vectorize", node, located(ast.Name(ITEM, ast.Store()), node), items, call, [], []
    )
    loop.lazy, loop.caller = True, node.func
    if name_of(node.func) in COMPARING:
        loop.brittle = name_of(node.func)
    loop.plainly = generator(loop, call)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "sort":
        loop.filled = node.func.value
    return loop


def generator(loop: Loop, call: ast.expr) -> ast.GeneratorExp:
    """Return the calls of a loop as a generator expression."""
    assert loop.target is not None
    assert loop.items is not None
    part = ast.comprehension(names.copied(loop.target), loop.items, [], 0)
    return located(ast.GeneratorExp(names.copied(call), [part]), loop.node)


def is_light(node: ast.expr) -> bool:
    """Tell whether a function is surely done sooner than a worker could be asked."""
    if isinstance(node, ast.Lambda):
        calls = [part for part in names.nodes_in(node.body) if isinstance(part, ast.Call)]
        return all(name_of(part.func) in LIGHT for part in calls)
    if isinstance(node, ast.Call):
        return name_of(node.func) in LIGHT
    return isinstance(node, ast.Constant) or name_of(node) in LIGHT


def keyed(node: ast.Call) -> Found | None:
    """Read `sorted`, `min` and `max`."""
    return (word(node, "key"), node.args[0]) if len(node.args) == 1 else None


def sort(node: ast.Call) -> Found | None:
    """Read `list.sort`, which changes the list but walks what it held before."""
    if not isinstance(node.func, ast.Attribute) or node.args:
        return None
    copy = located(ast.Call(located(ast.Name("list", ast.Load()), node), [node.func.value], []), node)
    return word(node, "key"), copy


def several(node: ast.Call) -> Found | None:
    """Read `nlargest` and `nsmallest`."""
    key = node.args[2] if len(node.args) == 3 else word(node, "key")
    return (key, node.args[1]) if 2 <= len(node.args) <= 3 else None


def while_true(node: ast.Call) -> Found | None:
    """Read `takewhile` and `dropwhile`."""
    return (node.args[0], node.args[1]) if len(node.args) == 2 else None


def mapped(node: ast.Call) -> Found | None:
    """Read `map` and its like with a function that is made for it: any other is read as a stream."""
    name = name_of(node.func)
    module = node.func.value if isinstance(node.func, ast.Attribute) else None
    known = isinstance(module, ast.Name) and module.id in ITERTOOLS and name in ("starmap", "filterfalse")
    if not (module is None or known) or node.keywords or len(node.args) < 2 or is_fixed(node.args[0]):
        return None
    function, *walked = node.args
    if name == "starmap":
        return (function, located(ast.Starred(walked[0], ast.Load()), node)) if len(walked) == 1 else None
    if len(walked) == 1:
        return function, walked[0]
    if name != "map":
        return None
    pairs = located(ast.Call(located(ast.Name("zip", ast.Load()), node), walked, []), node)
    return function, located(ast.Starred(pairs, ast.Load()), node)


def grouped(node: ast.Call) -> Found | None:
    """Read `groupby`."""
    key = node.args[1] if len(node.args) == 2 else word(node, "key")
    return (key, node.args[0]) if node.args else None


def along(node: ast.Call) -> Found | None:
    """Read `apply_along_axis`, whose arguments may have their names."""
    function = node.args[0] if node.args else word(node, "func1d")
    items = node.args[2] if len(node.args) > 2 else word(node, "arr")
    return (function, items) if function is not None and items is not None else None


def word(node: ast.Call, name: str) -> ast.expr | None:
    """Return a keyword argument."""
    return next((part.value for part in node.keywords if part.arg == name), None)


AT_ONCE: dict[str, Callable[[ast.Call], Found | None]] = {
    **dict.fromkeys(("sorted", "min", "max"), keyed),
    **dict.fromkeys(("nlargest", "nsmallest"), several),
    "sort": sort,
    "apply_along_axis": along,
}
"""Calls that make all their calls before they return."""
LAZILY: dict[str, Callable[[ast.Call], Found | None]] = {
    **dict.fromkeys(("takewhile", "dropwhile"), while_true),
    **dict.fromkeys(("map", "starmap", "filter", "filterfalse"), mapped),
    "groupby": grouped,
}
"""Calls that make their calls when what they give is walked."""


def vectorized(node: ast.Call) -> Found | None:
    """Return function and items of a call of `numpy.vectorize(f)`, or of a name that stands for one."""
    if not node.args and not node.keywords:
        return None
    items = node.args[0] if node.args else node.keywords[0].value
    items = items.value if isinstance(items, ast.Starred) else items
    if isinstance(node.func, ast.Call) and name_of(node.func.func) == "vectorize" and node.func.args:
        return node.func.args[0], items
    known = node.__dict__.get(VECTORIZED)
    return (known, items) if known is not None else None
