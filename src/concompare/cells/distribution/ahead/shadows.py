"""Copies of the notebook's objects that can be changed ahead of the originals, and calls that are cheap to repeat."""

from __future__ import annotations

import array
import ast
import builtins
import collections
import copy
import itertools
import random
import sys
import types
from collections.abc import Collection, Mapping
from typing import Any

from concompare.cells import readers
from concompare.cells.effects.live import held, static
from concompare.cells.ir import Effects, Order
from concompare.cells.objects import Value
from concompare.cells.syntax import names
from concompare.cells.syntax.definitions import definition_of
from concompare.cells.syntax.own_code import is_installed_file

CONTAINERS = (
    *(list, dict, set, bytearray, array.array, collections.deque, collections.defaultdict, collections.OrderedDict),
    collections.Counter,
)
EMPTY: dict[Any, Any] = {}
SOURCES: list[Any] = [[], (), range(0), "", "é", b"", range(2**70), EMPTY, EMPTY.items(), EMPTY.values()]
ITERATORS: tuple[type, ...] = tuple(type(iter(source)) for source in SOURCES)
WRAPPING: tuple[type, ...] = (enumerate, zip, reversed, type(reversed([])))
SPECIAL = ("__copy__", "__deepcopy__", "__getstate__", "__setstate__", "__getattr__", "__setattr__", "__del__")
SMALL = 150
"""Nodes of a user's function up to which repeating it costs next to nothing."""
DEEPEST = 3
LIGHT_METHODS = frozenset(
    name for kind in (str, list, dict, set, tuple, collections.deque, random.Random) for name in dir(kind)
) | frozenset(
    {
        *(
            "normal",
            "uniform",
            "integers",
            "standard_normal",
            "exponential",
            "poisson",
            "binomial",
            "permutation",
            "rand",
        ),
        *("randn", "random_sample", "lognormal", "beta", "gamma", "geometric", "heappush", "heappop", "heapreplace"),
        *("heappushpop", "sqrt", "floor", "ceil", "log", "exp"),
    }
)
LIGHT_BUILTINS = frozenset(
    {
        *(
            "abs",
            "bool",
            "dict",
            "divmod",
            "enumerate",
            "float",
            "frozenset",
            "int",
            "isinstance",
            "len",
            "list",
            "max",
        ),
        *("min", "next", "range", "round", "set", "str", "sum", "tuple", "zip", "sorted", "any", "all"),
    }
)
LOOPS = (ast.While, ast.For, ast.AsyncFor, *names.COMPREHENSIONS, ast.Await, ast.Yield)


def numpy_types(*words: str) -> tuple[type, ...]:
    """Return types of `numpy.random`, if it is loaded."""
    module = sys.modules.get("numpy.random")
    return tuple(getattr(module, word) for word in words) if module is not None else ()


def is_generator(thing: Any) -> bool:
    """Tell whether an object is a generator of random numbers whose state can be read and set."""
    return type(thing) is random.Random or type(thing) in numpy_types("Generator", "RandomState")


def is_of_process(thing: Any) -> bool:
    """Tell whether a generator is the one that functions of `random` or `numpy.random` draw from."""
    return any(thing is own for own in generators_of_process())


def generators_of_process() -> list[Any]:
    """Return the generators that functions of `random` and `numpy.random` draw from."""
    found = [getattr(random.random, "__self__", None)]
    module = sys.modules.get("numpy.random")
    if module is not None:
        found.append(getattr(module.random_sample, "__self__", None))
    return [thing for thing in found if thing is not None]


def state_of(generator: Any) -> Any:
    """Return the state of a generator of random numbers."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if hasattr(generator, "bit_generator"):
        return copy.deepcopy(generator.bit_generator.state)
    return generator.get_state(legacy=False)


def set_state(generator: Any, state: Any) -> None:
    """Set the state of a generator of random numbers."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif hasattr(generator, "bit_generator"):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def can_shadow(thing: Any, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a copy of a live object can stand in for it, wherever the notebook's names lead to it."""
    if is_generator(thing):
        return True
    return (can_copy(thing) or readers.is_reader(thing)) and route_to(thing, namespace) is not None


def can_copy(thing: Any) -> bool:
    """Tell whether a live object has a copy that behaves as it does and shares nothing but what is inside."""
    kind = type(thing)
    if kind in CONTAINERS or kind in ITERATORS or kind is itertools.count:
        return True
    if kind in WRAPPING:
        return all(can_copy(part) for part in thing.__reduce__()[1] if hasattr(part, "__next__"))
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return bool(thing.base is None and thing.dtype != object)
    return is_plain_object(thing)


def is_plain_object(thing: Any) -> bool:
    """Tell whether all there is to an object of the user's is its `__dict__`."""
    kind = type(thing)
    never = (type, types.ModuleType, types.FunctionType)
    if not isinstance(getattr(thing, "__dict__", None), dict) or isinstance(thing, never):
        return False
    if static(kind, "__new__") is not static(object, "__new__"):
        return False
    if any(vars(part).get("__slots__") for part in kind.__mro__):
        return False
    module = sys.modules.get(kind.__module__) if kind.__module__ != "__main__" else None
    if is_installed_file(getattr(module, "__file__", None) or "<cell>"):
        return kind is types.SimpleNamespace
    return not any(static(kind, name) is not static(object, name) for name in SPECIAL)


def route_to(thing: Any, namespace: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the name, and the attributes of plain objects after it, that lead to a live object."""
    for name, value in namespace.items():
        if value is thing:
            return (name,)
    for name, value in list(namespace.items()):
        if is_plain_object(value):
            for attribute, part in vars(value).items():
                if part is thing:
                    return (name, attribute)
    return None


def is_held(things: tuple[Any, ...], holders: tuple[Any, ...]) -> bool:
    """Tell whether each object is an attribute of the one plain object that holds it, which is copied with it."""
    if len(holders) != 1 or not is_plain_object(holders[0]):
        return False
    own = {id(part) for part in vars(holders[0]).values()}
    return bool(things) and all(is_generator(thing) or id(thing) in own for thing in things)


def holders_of(things: list[Any], namespace: Mapping[str, Any]) -> list[Any]:
    """Return the plain objects with names that hold any of some objects by an attribute."""
    wanted = {id(thing) for thing in things if not is_generator(thing)}
    return [
        value
        for value in list(namespace.values())
        if is_plain_object(value) and not wanted.isdisjoint(map(id, vars(value).values()))
    ]


class Never:
    """Stands for the condition that a queue has something in it, in a copy into which nobody puts anything."""

    def __init__(self, mutex: Any) -> None:
        self.mutex = mutex

    def __enter__(self) -> None:
        self.mutex.acquire()

    def __exit__(self, *_: object) -> None:
        self.mutex.release()

    def wait(self, timeout: float | None = None) -> None:
        """Wait in vain.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("nobody puts anything into a copy")


def is_queue(thing: Any) -> bool:
    """Tell whether an object is a queue of Python's for threads."""
    module = sys.modules.get("queue")
    return any(type(thing) is getattr(module, name, None) for name in ("Queue", "LifoQueue", "PriorityQueue"))


def queue_of(thing: Any) -> Any:
    """Return a copy of a queue, which fails where the other would wait."""
    made = type(thing)(thing.maxsize)
    with thing.mutex:
        made.queue = copy.copy(thing.queue)
    made.not_empty = Never(made.mutex)
    return made


def shadow_of(thing: Any) -> Any:
    """Return a copy that can be changed ahead of the original.

    Raises:
        TypeError: There is none.
    """
    kind = type(thing)
    if kind in CONTAINERS or kind in ITERATORS:
        return copy.copy(thing)
    if kind is itertools.count:
        return itertools.count(*ast.literal_eval(repr(thing).removeprefix("count").replace("(", "[").replace(")", "]")))
    if kind in WRAPPING:
        made, arguments, *state = thing.__reduce__()
        inner = made(*[shadow_of(part) if hasattr(part, "__next__") else part for part in arguments])
        if state and state[0] is not None:
            inner.__setstate__(state[0])
        return inner
    if kind.__module__ == "numpy":
        return thing.copy()
    if readers.is_reader(thing):
        return readers.twin_of(thing)
    if is_queue(thing):
        return queue_of(thing)
    if not is_plain_object(thing):
        raise TypeError(f"there is no copy of a {kind.__name__} that could be changed ahead of it")
    made_object = object.__new__(kind)
    vars(made_object).update(vars(thing))
    return made_object


def is_light(
    node: ast.AST,
    found: Effects,
    values: Mapping[ast.AST, Value],
    namespace: Mapping[str, Any],
    assigned: Collection[str] = (),
) -> bool:
    """Tell whether a call that may be work is cheap to repeat all the same: a draw, or a small function of the user's.

    Args:
        node: The call.
        found: What it does.
        values: What expressions stand for.
        namespace: The notebook's names.
        assigned: Those that the loop gives values, so that they say nothing.
    """
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and is_reading(node.func.attr, values.get(node.func.value, frozenset())):
        return True
    root = names.nodes_in(node.func)[-1]
    function = None if getattr(root, "id", None) in assigned else live_function(node.func, namespace)
    if is_generator(getattr(function, "__self__", None)):
        return True
    if isinstance(function, (types.FunctionType, types.MethodType)):
        inner: Any = getattr(function, "__func__", function)
        return inner.__globals__ is namespace and is_small(inner, namespace)
    if function is not None:
        return Order.RANDOM in found.order and not isinstance(function, type)
    if isinstance(node.func, ast.Attribute):
        base = values.get(node.func.value, frozenset())
        if base and all(obj.types and set(obj.types) <= set(CONTAINERS) for obj in base):
            return not any(keyword.arg == "key" for keyword in node.keywords)
        return bool(base) and all(obj.live and is_generator(obj.live[0]) for obj in base)
    return False


def is_reading(method: str, base: Value) -> bool:
    """Tell whether a method reads on in files or archives of the notebook, or in what reads members of these."""
    if method not in readers.READING or not base:
        return False
    return all(
        any(map(readers.is_reader, obj.live)) or {*map(readers.name_of, obj.types or (object,))} <= readers.MEMBERS
        for obj in base
    )


def live_function(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """Return the live function that an expression names, or None."""
    if isinstance(node, ast.Name):
        return namespace.get(node.id)
    if isinstance(node, ast.Attribute):
        holder = live_function(node.value, namespace)
        if holder is None:
            return None
        if is_generator(holder) or isinstance(holder, types.ModuleType):
            return getattr(holder, node.attr, None)
        thing = static(type(holder), node.attr)
        if isinstance(thing, types.FunctionType):
            return thing
        found = held(holder, node.attr)
        return found if is_generator(found) or is_plain_object(found) else None
    return None


def is_small(function: types.FunctionType, namespace: Mapping[str, Any], depth: int = 0) -> bool:
    """Tell whether a user's function has neither loops nor calls that may take long."""
    definition = definition_of(function.__code__, function.__name__)
    if definition is None or depth > DEEPEST:
        return False
    nodes = list(ast.walk(definition))
    if len(nodes) > SMALL or any(isinstance(part, LOOPS) for part in nodes):
        return False
    calls = [part for part in nodes if isinstance(part, ast.Call)]
    return all(is_small_call(part.func, namespace, depth) for part in calls)


def is_small_call(func: ast.expr, namespace: Mapping[str, Any], depth: int) -> bool:
    """Tell whether a call inside a user's function is cheap."""
    if isinstance(func, ast.Attribute):
        return func.attr in LIGHT_METHODS
    if not isinstance(func, ast.Name):
        return False
    if func.id in namespace:
        found = namespace[func.id]
        return isinstance(found, types.FunctionType) and is_small(found, namespace, depth + 1)
    return func.id in LIGHT_BUILTINS and hasattr(builtins, func.id)


class Shadows:
    """Lets code see copies of some live objects in their places, while it runs ahead.

    Args:
        things: The objects that it changes.
        namespace: The notebook's names.
    """

    def __init__(self, things: list[Any], namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.generators = [thing for thing in things if is_generator(thing)]
        self.states = [state_of(thing) for thing in self.generators]
        self.real: list[Any] = []
        self.kept = things
        self.copies: dict[int, Any] = {}
        for thing in things:
            if not is_generator(thing):
                self.copies[id(thing)] = shadow_of(thing)
        self.read = [(thing, readers.stamp_of(thing)) for thing in things if readers.is_reader(thing)]
        self.opened = [self.copies[id(thing)] for thing, _ in self.read]
        for holder in holders_of(things, namespace):
            if id(holder) not in self.copies:
                self.copies[id(holder)] = shadow_of(holder)
                self.kept = [*self.kept, holder]
        for made in list(self.copies.values()):
            if is_plain_object(made):
                state = vars(made)
                state.update({name: self.copies[id(part)] for name, part in state.items() if id(part) in self.copies})
        self.names = {name: self.copies[id(thing)] for name, thing in namespace.items() if id(thing) in self.copies}
        self.inside = False

    def close(self) -> None:
        """Close the files that were opened once more."""
        for thing in self.opened:
            readers.let_go(thing)

    def is_stale(self) -> bool:
        """Tell whether a file was written to since it was opened once more, so that what was read ahead may be old."""
        return any(readers.stamp_of(thing) not in (stamp, None) for thing, stamp in self.read)

    def of(self, thing: Any) -> Any:
        """Return what stands for a live object."""
        return self.copies.get(id(thing), thing)

    def enter(self) -> None:
        """Put the copies into the places of the originals."""
        self.real = [state_of(thing) for thing in self.generators]
        self.hidden = {name: self.namespace[name] for name in self.names if name in self.namespace}
        self.inside = True
        for thing, state in zip(self.generators, self.states, strict=True):
            set_state(thing, state)
        self.namespace.update({name: self.names[name] for name in self.hidden})

    def leave(self) -> None:
        """Put the originals back."""
        if not self.inside:
            return
        self.inside = False
        self.states = [state_of(thing) for thing in self.generators]
        for thing, state in zip(self.generators, self.real, strict=True):
            set_state(thing, state)
        self.namespace.update(self.hidden)
