"""Generators, `map`, `filter` and their like that a consumer takes one by one: `sum(map(f, xs))`."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from concompare.cells.forms import callers
from concompare.cells.forms.comprehensions import collected, collecting
from concompare.cells.forms.streams import BUILT_IN, CONTAINER, LIST, Fusion, Stream, is_calm, is_fixed, name_of
from concompare.cells.ir import OURS, RESULT, VALUE, Loop, Meant
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located, method

CONSUMERS = frozenset([
    *("list", "tuple", "set", "frozenset", "sum", "max", "min", "sorted", "any", "all", "dict", "next"),
    *("bytes", "bytearray"),
])  # fmt: skip
"""Builtins that take the values one by one, as their first argument."""
CONSUMING_METHODS = frozenset(["join", "extend", "update", "union"])
CONSUMING_FUNCTIONS = {
    **{name: f"collections.{name}" for name in ("Counter", "deque", "OrderedDict")},
    **{name: f"math.{name}" for name in ("fsum", "prod")},
    **{name: f"statistics.{name}" for name in ("mean", "fmean", "median", "stdev", "pstdev", "variance", "quantiles")},
    **{name: f"pandas.{name}" for name in ("concat", "DataFrame", "Series", "Index")},
    **{name: f"heapq.{name}" for name in ("nlargest", "nsmallest")},
    "fromiter": "numpy.fromiter",
}
SECOND = frozenset({"nlargest", "nsmallest"})
"""Functions that take the values as their second argument, and compare them."""
ONE_OF_MANY = {"writelines": "write", "writerows": "writerow", "executemany": "execute"}
"""Methods that do with all values, the last argument, what another one does with one."""
FOLDING = frozenset({"sum", "reduce"})
"""Those that may begin with an object that is made for them."""
STOPPING = frozenset({"any", "all", "next"})
SURE = frozenset({"list", "tuple", "sorted", "any", "all", "next", "join", "extend", "deque"})
"""Those that fail at no value: the others may raise before they have asked for all of them."""
SO_FAR = OURS + "so_far"
"""Stands for what `reduce` and `accumulate` have come to."""


@dataclass
class Taker:
    """How the values are taken.

    Attributes:
        stops, filled, pure, brittle, between, means: As of a `Loop`.
        whole: All values are taken, with nothing of the cell's own in between.
    """

    stops: str | None = None
    filled: ast.expr | None = None
    pure: bool = False
    brittle: str = ""
    between: list[ast.stmt] = field(default_factory=list)
    means: list[Meant] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Tell whether all values are taken at once."""
        return self.stops is None and not self.between

    def partly(self, means: list[Meant], between: list[ast.stmt] | None = None) -> Taker:
        """Return how values are taken through something that may not want all of them."""
        return replace(
            self, stops="some", pure=True, means=[*self.means, *means], between=[*(between or []), *self.between]
        )


def consumed(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a generator or `map` that a call takes one by one, as a loop that stands for that argument."""
    if isinstance(node, ast.AugAssign):
        return added(node, shadowed)
    if not isinstance(node, (ast.Call, ast.List, ast.Tuple, ast.Set, ast.Assign)):
        return None
    for place, argument in enumerate(arguments_of(node)):
        part = argument.value if isinstance(argument, ast.Starred) else argument
        taker: Taker | None = Taker(brittle=brittle(node))
        if isinstance(node, ast.Call) and part is argument:
            taker = taker_of(node, place, shadowed)
            if taker is not None:
                taker.brittle = brittle(node)
        loop = taken(part, taker, shadowed) if taker is not None and not is_keyed(node, part) else None
        if loop is not None:
            return loop
    return None


def brittle(node: ast.AST) -> str:
    """Return the name of who takes the values, if it may fail at one of them before it has asked for all."""
    if isinstance(node, ast.Assign):
        parts = [part for target in node.targets if isinstance(target, (ast.Tuple, ast.List)) for part in target.elts]
        return "" if any(isinstance(part, ast.Starred) for part in parts) else "unpacking"
    if not isinstance(node, ast.Call):
        return "set" if isinstance(node, ast.Set) else ""
    name = name_of(node.func)
    if name == "dict" and node.args and isinstance(node.args[0], ast.Call):
        pairs = node.args[0]
        sure = name_of(pairs.func) == "enumerate" or (name_of(pairs.func) == "zip" and has_calm_keys(pairs))
        return "" if sure else name
    return "" if name in SURE and (len(node.args) == 1 or name == "next") else name


def has_calm_keys(pairs: ast.Call) -> bool:
    """Tell whether what `zip` gives `dict` as keys is there already: keys that are computed may be unhashable."""
    return not pairs.args or is_calm(pairs.args[0])


def added(node: ast.AugAssign, shadowed: frozenset[str]) -> Loop | None:
    """Return what a list with a name takes one by one in `values += map(f, xs)`."""
    if not isinstance(node.op, ast.Add) or not isinstance(node.target, ast.Name):
        return None
    held = located(ast.Name(node.target.id, ast.Load()), node.target)
    return taken(node.value, Taker(filled=held, means=[Meant(held, LIST)]), shadowed)


def is_keyed(node: ast.AST, part: ast.expr) -> bool:
    """Tell whether a key does the work, and nothing in what is walked does any."""
    key = callers.word(node, "key") if isinstance(node, ast.Call) else None
    if key is None or callers.is_light(key):
        return False
    if isinstance(part, ast.GeneratorExp):
        return callers.is_light(located(ast.Lambda(ast.arguments([], [], None, [], [], None, []), part.elt), part))
    return isinstance(part, ast.Call) and bool(part.args) and callers.is_light(part.args[0])


def arguments_of(node: ast.Call | ast.List | ast.Tuple | ast.Set | ast.Assign) -> list[ast.expr]:
    """Return the parts of an expression or assignment that may be walked one by one."""
    if isinstance(node, ast.Call):
        return node.args
    if isinstance(node, ast.Assign):
        unpacked = all(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets)
        return [node.value] if unpacked else []
    return [part for part in node.elts if isinstance(part, ast.Starred)]


def taker_of(node: ast.Call, place: int, shadowed: frozenset[str]) -> Taker | None:
    """Return how a call takes the items of an argument one by one, or None if it does not."""
    name = name_of(node.func)
    if isinstance(node.func, ast.Name) and name in shadowed:
        return None
    words = {keyword.arg: keyword.value for keyword in node.keywords}
    others = [*node.args[place + 1 :], *words.values()]
    if None in words or not all(is_calm(part) or (name in FOLDING and is_made(part)) for part in others):
        return None
    if name == "reduce":
        return reducing(node, place)
    if name == "sum" and place == 0 and not all(map(is_calm, others)):
        return Taker(between=summed(others[0], node), means=[Meant(node.func, "builtins.sum")])
    if isinstance(node.func, ast.Name) and name in CONSUMERS:
        return builtin_taker(node, name, words) if place == 0 else None
    if name in CONSUMING_FUNCTIONS and place == (name in SECOND):
        counted = name == "fromiter" and (len(node.args) > 2 or "count" in words)
        means = [Meant(node.func, CONSUMING_FUNCTIONS[name])]
        key = words.get("key") if name in SECOND else None
        between = [applied(key, node)] if key is not None else []
        return Taker(stops="some" if counted else None, pure=counted, means=means, between=between)
    if name in ONE_OF_MANY and isinstance(node.func, ast.Attribute) and place == len(node.args) - 1 and not words:
        return Taker(between=[written_one(node.func, node.args[:-1], name, node)])
    if name in CONSUMING_METHODS and isinstance(node.func, ast.Attribute):
        holder = node.func.value
        simple = isinstance(holder, (ast.Name, ast.Constant))
        return Taker(filled=holder, means=[Meant(holder, BUILT_IN)] if simple else [])
    return None


def builtin_taker(node: ast.Call, name: str, words: dict[str | None, ast.expr]) -> Taker | None:
    """Return how a builtin takes the items of its first argument."""
    taker = Taker(name if name in STOPPING else None, means=[Meant(node.func, f"builtins.{name}")])
    if name in ("max", "min"):
        if len(node.args) > 1:
            return None
        key = words.get("key")
        if key is not None and not (isinstance(key, ast.Constant) and key.value is None):
            taker.between = [applied(key, node)]
    return taker


def applied(function: ast.expr, place: ast.AST) -> ast.stmt:
    """Return the call of a function with each value."""
    value = located(ast.Name(VALUE, ast.Load()), place)
    return located(ast.Expr(located(ast.Call(function, [value], []), place)), place)


def written_one(func: ast.Attribute, before: list[ast.expr], name: str, place: ast.AST) -> ast.stmt:
    """Return what one of ONE_OF_MANY does with each value."""
    value = located(ast.Name(VALUE, ast.Load()), place)
    method = located(ast.Attribute(func.value, ONE_OF_MANY[name], ast.Load()), place)
    return located(ast.Expr(located(ast.Call(method, [*before, value], []), place)), place)


def folded(function: ast.expr, first: ast.expr | None, place: ast.AST) -> list[ast.stmt]:
    """Return the call of a function with what came before and each value.

    Args:
        function: The function.
        first: What it begins with; None for the first value.
        place: Where it stands.
    """
    value, so_far = (located(ast.Name(word, ast.Load()), place) for word in (VALUE, SO_FAR))
    target = located(ast.Name(SO_FAR, ast.Store()), place)
    begin = located(ast.If(located(ast.Name(VALUE, ast.Load()), place), [], []), place)
    begin.body = [located(ast.Assign([target], first or value), place)]
    call = located(ast.Call(function, [so_far, names.copied(value)], []), place)
    return [begin, located(ast.Assign([located(ast.Name(SO_FAR, ast.Store()), place)], call), place)]


def is_made(node: ast.expr) -> bool:
    """Tell whether an expression is a call with nothing else in it that runs code, such as `Stats(0)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.Attribute)) or not is_calm(node.func):
        return False
    return all(is_calm(part) for part in [*node.args, *[keyword.value for keyword in node.keywords]])


def summed(first: ast.expr, place: ast.AST) -> list[ast.stmt]:
    """Return what `sum` does with each value where it begins with an object that is made for it."""
    value, so_far = (located(ast.Name(word, ast.Load()), place) for word in (VALUE, SO_FAR))
    begin = located(ast.If(value, [], []), place)
    begin.body = [located(ast.Assign([located(ast.Name(SO_FAR, ast.Store()), place)], first), place)]
    total = located(ast.BinOp(so_far, ast.Add(), names.copied(value)), place)
    return [begin, located(ast.Assign([located(ast.Name(SO_FAR, ast.Store()), place)], total), place)]


def reducing(node: ast.Call, place: int) -> Taker | None:
    """Return how `reduce` takes the items of its second argument."""
    if place != 1 or not 2 <= len(node.args) <= 3 or node.keywords or not is_fixed(node.args[0]):
        return None
    first = node.args[2] if len(node.args) > 2 else None
    return Taker(between=folded(node.args[0], first, node), means=[Meant(node.func, "functools.reduce")])


def taken(node: ast.expr, taker: Taker, shadowed: frozenset[str]) -> Loop | None:
    """Return what is taken one by one as a loop, or None where nothing is worth it."""
    loop = read(node, taker, shadowed)
    if loop is not None:
        loop.lazy = True
        loop.stops, loop.filled, loop.between = taker.stops, taker.filled, taker.between
        loop.pure = taker.pure or bool(loop.between)
        loop.brittle = taker.brittle
        loop.means += taker.means
        return loop
    if not isinstance(node, ast.Call) or any(isinstance(part, ast.Starred) for part in node.args):
        return None
    if not taker.between and taker.stops in (None, "some"):
        lazy = callers.lazy_call(node, shadowed)
        if lazy is not None and None in (lazy.stops, taker.stops):
            lazy.stops, lazy.pure = lazy.stops or taker.stops, taker.pure
            lazy.filled, lazy.means = taker.filled, [*taker.means]
            lazy.brittle = lazy.brittle or taker.brittle
            return lazy
    return through(node, taker, shadowed)


def read(node: ast.expr, taker: Taker, shadowed: frozenset[str]) -> Loop | None:
    """Return a generator or a chain of calls as a loop that collects its values."""
    stream = Fusion(shadowed).stream(node) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.GeneratorExp) and (stream is None or not stream.works):
        return None
    inner = stream.inner if stream is not None else node.generators[1:]  # type: ignore[attr-defined]
    if taker.stops is not None and not all(map(is_single_value, inner)):
        return stopping(node, taker.stops) if isinstance(node, ast.GeneratorExp) else None
    return loop_of(node, stream) if stream is not None else collecting(node)  # type: ignore[arg-type]


def is_single_value(part: ast.comprehension) -> bool:
    """Tell whether an inner loop only gives one value a name."""
    return isinstance(part.iter, ast.List) and len(part.iter.elts) == 1


def stopping(node: ast.GeneratorExp, stops: str) -> Loop | None:
    """Return inner loops of which `any` or `all` may not want every value as a loop over what it says of each item."""
    if stops not in ("any", "all"):
        return None
    first, *inner = node.generators
    told = located(ast.GeneratorExp(node.elt, inner), node)
    value = located(ast.Call(located(ast.Name(stops, ast.Load()), node), [told], []), node)
    return collected("comprehension", node, first.target, first.iter, value, list(first.ifs), [])


def loop_of(node: ast.expr, stream: Stream) -> Loop:
    """Return a stream as a loop that collects its values."""
    tests, inner = list(stream.tests), list(stream.inner)
    loop = collected(stream.kind, node, stream.target, stream.items, stream.value, tests, inner)
    loop.means, loop.once = list(stream.means), list(stream.once)
    if is_ours(stream) and not all(map(is_single_value, inner)):  # what came before an error is taken
        loop.body = flattened(loop.body, inner, stream.value)
    if not is_single(node, stream):
        loop.plainly = stream.as_generator(node)
    return loop


def flattened(body: list[ast.stmt], inner: list[ast.comprehension], value: ast.expr) -> list[ast.stmt]:
    """Return the body of a loop with inner loops as statements, in the place of one list of all their values."""
    step = body[0]
    if isinstance(step, ast.If):
        return [located(ast.If(step.test, flattened(step.body, inner, value), []), step)]
    made: list[ast.stmt] = [located(ast.Expr(located(ast.Call(method_of(value), [value], []), value)), value)]
    for part in reversed(inner):
        for test in reversed(part.ifs):
            made = [located(ast.If(test, made, []), test)]
        made = [located(ast.For(part.target, part.iter, made, []), part.target)]
    return made


def method_of(place: ast.expr) -> ast.expr:
    """Return what takes a value of the loop."""
    return method(located(ast.Name(RESULT, ast.Load()), place), "append", place)


def is_single(node: ast.expr, stream: Stream) -> bool:
    """Tell whether a stream is one `map` or `starmap` and nothing else."""
    call = stream.value
    plain = isinstance(node, ast.Call) and name_of(node.func) in ("map", "starmap") and isinstance(call, ast.Call)
    if not plain or not stream.straight:
        return False
    assert isinstance(call, ast.Call)
    parts = [part.value if isinstance(part, ast.Starred) else part for part in call.args]
    return all(isinstance(part, ast.Name) and part.id.startswith(OURS) for part in parts)


THROUGH = {
    **{name: f"itertools.{name}" for name in ("chain", "accumulate", "takewhile", "dropwhile", "zip_longest")},
    **{name: f"itertools.{name}" for name in ("islice", "pairwise", "batched")},
    **{name: f"builtins.{name}" for name in ("zip", "enumerate")},
}
"""Calls that hand on what they take, in a way that cannot be read as one loop with it."""


CONTAINERS = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Constant, ast.Call)
"""Calm expressions that give no iterator."""


def through(node: ast.Call, taker: Taker, shadowed: frozenset[str]) -> Loop | None:
    """Return what is taken one by one through a call that hands values on."""
    name = name_of(node.func)
    if name not in THROUGH or (isinstance(node.func, ast.Name) and name in shadowed):
        return None
    means = [Meant(node.func, THROUGH[name])]
    words = {keyword.arg: keyword.value for keyword in node.keywords}
    if name in ("takewhile", "dropwhile"):
        if len(node.args) != 2 or words or not is_fixed(node.args[0]):
            return None
        return taken(node.args[1], taker.partly(means, [applied(node.args[0], node)]), shadowed)
    several = name in ("chain", "zip", "zip_longest")
    for part in node.args if several else node.args[:1]:
        others = [other for other in [*node.args, *words.values()] if other is not part]
        function = node.args[1] if name == "accumulate" and len(node.args) > 1 else words.get("func")
        looked_at = [other for other in others if isinstance(other, (ast.Name, ast.Attribute, ast.Subscript))]
        known = all(other in looked_at or isinstance(other, CONTAINERS) for other in others)
        if (
            not all(map(is_calm, others))
            or (several and not known)
            or (function is not None and not is_fixed(function))
        ):
            continue
        between = folded(function, words.get("initial"), node) if function is not None else []
        whole = taker.whole and name not in ("zip", "islice") and not between
        still = [*means, *[Meant(other, CONTAINER) for other in looked_at if several]]
        passed = taker.partly(still, between)
        if whole or (name == "accumulate" and taker.whole):
            passed.stops = None
        loop = taken(part, passed, shadowed)
        if loop is not None:
            return loop
    return None


def for_stream(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a `for` statement over a chain of calls as a loop whose body calls their functions."""
    if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call):
        return None
    stream = Fusion(shadowed).stream(node.iter)
    if stream is None or not stream.works or stream.inner or not is_ours(stream):
        return None
    first = located(ast.Assign([node.target], stream.value), node.iter)
    body: list[ast.stmt] = [first, *node.body]
    for test in reversed(stream.tests):
        negated = located(ast.UnaryOp(ast.Not(), test), test)
        body.insert(0, located(ast.If(negated, [located(ast.Continue(), test)], []), test))
    means, once = list(stream.means), list(stream.once)
    return Loop("loop", node.lineno, node, stream.target, stream.items, body, node.orelse, means=means, once=once)


def is_ours(stream: Stream) -> bool:
    """Tell whether the names that stand for items are not the user's, as those of a generator are."""
    return all(name.startswith(OURS) for name in stream.bound)
