"""Callables: which functions a value may stand for when it is called."""

from __future__ import annotations

import ast
import functools
import inspect
import operator
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments, Found, Method, Partial, Unloaded
from concompare.cells.effects.attributes import BEHIND
from concompare.cells.effects.calls import held_functions
from concompare.cells.effects.calls.applying import apply
from concompare.cells.effects.calls.classes import call_class
from concompare.cells.effects.calls.getters import KINDS, Getter, call_getter, call_itemgetter, live_getter
from concompare.cells.effects.calls.installed import installed, installed_method, of_function, undeclared
from concompare.cells.effects.calls.written_to import write_behind
from concompare.cells.effects.elements import walked
from concompare.cells.effects.following import follow, run_body
from concompare.cells.effects.kinds import CACHE, MOCKS, PURE
from concompare.cells.effects.live import MISSING, static
from concompare.cells.effects.numeric import operated_on
from concompare.cells.effects.operators import binary, operated
from concompare.cells.ir import Effects, Order, Why
from concompare.cells.objects import ATOM, ELEMENT, Obj, Origin, Value, all_atoms, reachable
from concompare.cells.syntax.own_code import is_installed_file

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

OPERATIONS = {
    getattr(operator, f"__{name}__"): name
    for name in (*("add", "sub", "mul", "truediv", "floordiv", "mod"), *("pow", "matmul", "and", "or", "xor"))
}
"""Functions that do what an operator between two values does, by its name."""


def call_value(an: Interpreter, node: ast.AST, value: Value, given: Arguments, what: str) -> Value:
    """Follow a call of whatever a value may be."""
    if not value:
        unknown(an, node, what, given)
        return given.all
    found = ATOM
    for obj in value:
        found |= call_obj(an, node, obj, given, what)
    return found


def unknown(an: Interpreter, node: ast.AST, what: str, given: Arguments) -> None:
    """Note a call of something that cannot be told."""
    an.now.heavy = True
    an.deep(given.all)
    if what in an.unknowns:
        an.doubt(Why.OPAQUE, f"`{what}` has no value when the loop begins")
    elif not an.world.assume_pure:
        an.doubt(Why.OPAQUE, f"it cannot be seen what `{what}` is when it is called", PURE)


def call_obj(an: Interpreter, node: ast.AST, obj: Obj, given: Arguments, what: str) -> Value:
    """Follow a call of what one abstract object stands for."""
    if isinstance(obj.code, Unloaded):
        return call_unloaded(an, node, obj.code.dotted, given)
    refuse_unnamed(an, obj, given, what)
    if obj.origin is Origin.FUNCTION:
        return call_function(an, node, obj, given)
    if obj.live:
        found = ATOM
        for thing in called_of(obj):
            found |= call_live(an, node, thing, obj, given, what)
        return found
    methods = [static(kind, "__call__") for kind in obj.types or ()]
    if methods and all(thing is MISSING for thing in methods):
        return ATOM  # the call raises, or does not take place
    if obj.types is None:
        methods = [thing for _, thing in an.world.methods("__call__")]
    users = [thing for thing in methods if isinstance(thing, types.FunctionType) and an.world.is_user(thing)]
    for thing in users:
        return follow(an, thing, node, given.after(frozenset({obj})))
    if obj.types == (operator.itemgetter,):
        return call_itemgetter(an, node, given)
    if not obj.outer:  # an installed callable that the iteration made itself, and that may call what it was made of
        held_functions.call_held(an, node, frozenset({obj}), given)
    if obj.types is not None and not obj.outer:
        return undeclared(an, node, what, given, frozenset({obj}))
    if obj.outer:
        unknown(an, node, what, given)
        return given.all | {obj}
    return undeclared(an, node, what, given, frozenset({obj}))


def called_of(obj: Obj) -> list[Any]:
    """Return the live objects that a call may be one of: of several, none that cannot be called, for which it raises.

    Elements are looked at together: in `for cls, size in pairs`, `cls` may be a size as far as is known.
    """
    several = len(obj.live) > 1
    return [thing for thing in obj.live if not several or static(type(thing), "__call__") is not MISSING]


def refuse_unnamed(an: Interpreter, obj: Obj, given: Arguments, what: str) -> None:
    """Doubt a method that `getattr` found by a name which is not known, or a function that is given what may change."""
    if not isinstance(obj.code, Found) or an.world.assume_pure:
        return
    modules = all(isinstance(thing, types.ModuleType) for holder in obj.code.holder for thing in holder.live or (None,))
    if not modules or any(part.outer for part in reachable(given.all)):
        an.doubt(Why.OPAQUE, f"it cannot be seen what `{what}` is, and whether it changes something", PURE)


def call_function(an: Interpreter, node: ast.AST, obj: Obj, given: Arguments) -> Value:
    """Follow a call of a function that the body defines, or of a bound method."""
    code = obj.code
    if isinstance(code, Partial):
        an.read(obj, ELEMENT)  # its `keywords`, which the code may change
        before = code.given
        positional, named = [*before.positional, *given.positional], {**before.named, **given.named}
        spread = (before.spread or ATOM) | (given.spread or ATOM)
        if before.spread is not None:  # how many come before the others is not known
            positional, spread = before.positional, spread.union(*given.positional)
        return call_value(an, node, code.function, Arguments(positional, named, spread or None), obj.label)
    if isinstance(code, Getter):
        return call_getter(an, node, code, given, obj.label)
    if isinstance(code, Method):
        from concompare.cells.effects.calls.calling import call_method

        assert an.top is not None, "the interpreter walks a loop"
        return call_method(an, node, obj.owner, code.name, given, an.top)
    if isinstance(code, tuple):
        definition, scope = code
        return run_body(an, definition, node, given, scope, key=(definition, id(scope)))
    owner = obj.owner
    if isinstance(code, BEHIND):
        return call_behind(an, node, owner, code, given, obj.label)
    if isinstance(code, staticmethod):
        return call_plain(an, node, code.__func__, given)
    if isinstance(code, classmethod):
        kinds = [an.world.outer(kind, kind.__name__) for kind in obj.types or ()]
        return call_plain(an, node, code.__func__, given.after(ATOM.union(*kinds)))
    return call_plain(an, node, code, given.after(owner))


def call_plain(an: Interpreter, node: ast.AST, function: Any, given: Arguments) -> Value:
    """Follow a call of a live function with its receiver among the arguments."""
    if isinstance(function, types.FunctionType) and an.world.is_user(function):
        return follow(an, function, node, given)
    entry = declared.function(function)
    if entry is not None:
        return apply(an, node, entry, ATOM, given, getattr(function, "__name__", "it"))
    return undeclared(an, node, getattr(function, "__qualname__", "it"), given, ATOM)


def call_live(an: Interpreter, node: ast.AST, thing: Any, obj: Obj, given: Arguments, what: str) -> Value:
    """Follow a call of a live object."""
    if type(thing).__module__ == MOCKS and not an.world.assume_pure:
        an.now.heavy = True
        an.doubt(Why.OPAQUE, f"`{what}` keeps its calls, in their order", PURE)
        return given.all
    if isinstance(thing, CACHE):
        return call_cached(an, node, thing, given)
    if isinstance(thing, weakref.ref):
        return an.world.outer(thing(), what)
    if isinstance(thing, functools.partial):
        return call_partial(an, node, thing, given, what)
    if isinstance(thing, KINDS):
        return call_getter(an, node, live_getter(an, thing, what), given, what)
    if isinstance(thing, operator.itemgetter):
        return call_itemgetter(an, node, given)
    if isinstance(thing, types.MethodType):
        return call_live_method(an, node, thing, given, what)
    if isinstance(thing, types.FunctionType):
        return call_live_function(an, node, thing, obj, given, what)
    if isinstance(thing, type):
        return call_class(an, node, thing, given, what)
    if isinstance(thing, (types.BuiltinFunctionType, types.MethodWrapperType)):
        return call_builtin(an, node, thing, given, what)
    method = static(type(thing), "__call__")
    if isinstance(method, types.FunctionType) and an.world.is_user(method):
        return follow(an, method, node, given.after(frozenset({obj})))
    held_functions.call_held(an, node, frozenset({obj}), given)
    held_functions.refuse_hidden(an, thing, what)
    an.deep(frozenset({obj}))  # as a polynomial, whose value is what its coefficients say
    return installed(an, node, thing, given, what)


def call_partial(an: Interpreter, node: ast.AST, thing: Any, given: Arguments, what: str) -> Value:
    """Follow a call of a function with some of its arguments, which others may change."""
    for holder in an.world.outer(thing.keywords, f"{what}.keywords"):
        an.read(holder, ELEMENT)
    label = f"the arguments of `{what}`"
    bound = [an.world.outer(part, label) for part in thing.args]
    words = {name: an.world.outer(part, label) for name, part in thing.keywords.items()}
    whole = Arguments([*bound, *given.positional], {**words, **given.named}, given.spread, given.flags)
    return call_value(an, node, an.world.outer(thing.func, what), whole, what)


def call_live_method(an: Interpreter, node: ast.AST, thing: types.MethodType, given: Arguments, what: str) -> Value:
    """Follow a call of a method of a live object."""
    if is_named_function(thing):  # as `random.random`, a method of an object that nobody names
        return installed(an, node, thing, given, what)
    receiver: Any = thing.__self__
    function: Any = thing.__func__
    owner = an.world.outer(receiver, what.rpartition(".")[0] or f"what `{what}` belongs to")
    if isinstance(receiver, type):
        owner = an.world.outer(receiver, receiver.__name__)
    if an.world.is_user(function):
        return follow(an, function, node, given.after(owner))
    return installed_method(an, node, type(receiver), function.__name__, owner, given)


def call_live_function(
    an: Interpreter, node: ast.AST, thing: types.FunctionType, obj: Obj, given: Arguments, what: str
) -> Value:
    """Follow a call of a live function, the user's own behind an installed decorator too."""
    wrapped = inspect.unwrap(thing) if hasattr(thing, "__wrapped__") else thing
    registered = getattr(thing, "registry", None)
    if isinstance(registered, types.MappingProxyType):  # of `singledispatch`
        every = {id(one): an.world.outer(one, what) for one in registered.values()}
        return call_value(an, node, ATOM.union(*every.values()), given, what)
    ours = an.world.is_user(thing)  # `wraps` gives a wrapper of an installed module the user's module as its own
    if ours and (wrapped is thing or not is_installed_file(thing.__code__.co_filename)):
        return follow(an, thing, node, given)
    if wrapped is not thing and an.world.is_user(wrapped):  # contextmanager: the wrapper is installed
        run_around(an, node, thing, wrapped)
        return follow(an, wrapped, node, given)
    write_behind(an, thing)
    of_function(an, obj.via, what)
    return installed(an, node, thing, given, what)


def run_around(an: Interpreter, node: ast.AST, wrapper: types.FunctionType, wrapped: Any) -> None:
    """Follow what an installed wrapper runs beside the user's function, as that of a context manager as decorator."""
    for cell in wrapper.__closure__ or ():
        thing = held_functions.content_of(cell)
        if thing is wrapped or isinstance(thing, types.FunctionType):
            continue
        value = an.world.outer(thing, f"what `{wrapper.__name__}` is decorated with")
        for word in ("enter", "exit"):
            operated(an, word, value, node, ATOM)
        for function in held_functions.functions_in(an, thing):
            for obj in call_value(an, node, an.world.outer(function, wrapper.__name__), Arguments(), wrapper.__name__):
                walked(an, obj)


def call_behind(an: Interpreter, node: ast.AST, this: Value, thing: Any, given: Arguments, what: str) -> Value:
    """Follow a call of one of BEHIND: of the method or methods that it stands for."""
    if isinstance(thing, functools.partialmethod):
        before = [an.world.outer(part, what) for part in thing.args]
        named = {name: an.world.outer(part, what) for name, part in thing.keywords.items()}
        given = Arguments([*before, *given.positional], {**named, **given.named}, given.spread)
        methods = [thing.func]
    else:
        methods = list(thing.dispatcher.registry.values())
    kinds = [kind for obj in this for kind in obj.types or ()]
    classes = ATOM.union(*[an.world.outer(kind, kind.__name__) for kind in kinds])
    found = ATOM
    for method in methods:
        receiver = classes if isinstance(method, classmethod) else this
        whole = given if isinstance(method, staticmethod) else given.after(receiver)
        found |= call_plain(an, node, getattr(method, "__func__", method), whole)
    return found


def call_builtin(an: Interpreter, node: ast.AST, thing: Any, given: Arguments, what: str) -> Value:
    """Follow a call of a builtin function, or of a builtin method of a live object."""
    owner = thing.__self__
    operation = OPERATIONS.get(thing)
    if operation and len(given.positional) == 2 and given.spread is None:
        left, right = given.positional
        return operated_on(an, node, left | right, operation) | binary(an, operation, left, right, node)
    if owner is None or isinstance(owner, types.ModuleType) or is_named_function(thing):
        return installed(an, node, thing, given, what)
    label = what.rpartition(".")[0] or f"what `{what}` belongs to"
    return installed_method(an, node, type(owner), thing.__name__, an.world.outer(owner, label), given)


def is_named_function(thing: Any) -> bool:
    """Tell whether a builtin method is known as a function of its module, as `numpy.random.rand` is."""
    entry = declared.function(thing)
    if entry is None or not entry.order:
        return False
    known = vars(sys.modules.get(declared.module_of(thing), sys)).get(thing.__name__)
    return type(known) is type(thing) and bool(known == thing)  # and not the same method of another object


def call_cached(an: Interpreter, node: ast.AST, thing: Any, given: Arguments) -> Value:
    """Follow a function behind `lru_cache`: what it gives back is shared by all that ask for it."""
    wrapped = thing.__wrapped__
    if not an.world.is_user(wrapped):
        return installed(an, node, wrapped, given, wrapped.__name__)
    with an.recording(Effects()) as done:
        value = follow(an, wrapped, node, given)
    an.now.add(done)
    if done.order - {Order.RANDOM, Order.INPUT}:  # which are in order anyway
        an.now.order |= {Order.CACHED}
    an.world.caches = True
    if an.world.reads_caches:
        an.now.order |= {Order.CACHED}
    an.now.hazards += (f"the cache of `{wrapped.__name__}` does not come back from workers",)
    if not value:
        return ATOM
    if not is_asked_once(an, node, thing):
        an.now.order |= {Order.CACHED}  # for what was asked before, everybody is given the same object
    cache = an.world.outer(thing, f"the cache of `{wrapped.__name__}`")
    an.put(cache, ELEMENT, value)
    return cache


def is_asked_once(an: Interpreter, node: ast.AST, thing: Any) -> bool:
    """Tell whether a function with a cache, which is empty, is surely called once for each item, all different."""
    items, info = an.items, thing.cache_info()
    calls = an.asked.setdefault(thing, set())
    if calls and node not in calls:
        an.changed = an.missed = an.intertwined = True  # the first call was taken for the only one
    calls.add(node)
    if len(calls) > 1 or not isinstance(node, ast.Call) or node not in an.nodes or an.inner or node.keywords:
        return False
    if [part.id for part in node.args if isinstance(part, ast.Name)] != sorted(an.own_index) or len(node.args) != 1:
        return False
    if type(items) not in (list, tuple, range, dict) or not all_atoms(items) or info.currsize:
        return False
    return len(set(items)) == len(items) <= (info.maxsize if info.maxsize is not None else len(items))


def call_unloaded(an: Interpreter, node: ast.AST, dotted: str, given: Arguments) -> Value:
    """Follow a call into a module that is not loaded yet."""
    from concompare.cells.syntax.own_code import is_user_module

    if is_user_module(dotted.rpartition(".")[0] or dotted):
        if not an.world.assume_pure:
            text = f"`{dotted}` is not loaded yet, so it cannot be followed; import it in an earlier cell"
            an.doubt(Why.OPAQUE, text)
        return given.all
    entry = declared.named(dotted)
    if entry is not None:
        return apply(an, node, entry, ATOM, given, dotted)
    return undeclared(an, node, dotted, given, ATOM)
