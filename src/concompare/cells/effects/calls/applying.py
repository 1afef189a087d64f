"""Declared entries: what an installed callable does with its arguments, as the library says."""

from __future__ import annotations

import ast
import collections
import io
import logging
import pathlib
import types
from typing import TYPE_CHECKING

from concompare.cells import readers
from concompare.cells.effects import declared, sinks
from concompare.cells.effects.arguments import Arguments, Method, made_with
from concompare.cells.effects.attributes import any_part
from concompare.cells.effects.calls import naming, one_file
from concompare.cells.effects.calls.copying import deep_copies, hooked, is_copied_by_class
from concompare.cells.effects.calls.nested import callables_among, may_be_called
from concompare.cells.effects.calls.own_objects import call_given
from concompare.cells.effects.calls.written_to import write_through
from concompare.cells.effects.elements import (
    elements_of,
    is_array_of_numbers,
    known_behind,
    looked_up,
    walk_over,
    walked,
)
from concompare.cells.effects.given_by_iterators import Applied, elements_given
from concompare.cells.effects.kinds import (
    DICT_VIEWS,
    FILES,
    MADE_FOR_THREADS,
    PLAIN_CONTAINERS,
    inert,
    is_composed,
    is_container,
    type_named,
)
from concompare.cells.effects.live import MISSING, held, objects_in
from concompare.cells.effects.numeric import is_numeric
from concompare.cells.effects.operators import looked_at
from concompare.cells.effects.sized import is_one_number, is_sized
from concompare.cells.ir import AT, Effects, Order, Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, STREAM, Obj, Origin, Value, is_atom_type, reachable

if TYPE_CHECKING:
    from concompare.cells.effects.declared import Declared
    from concompare.cells.effects.interpreter import Interpreter

OWN_CONTEXTS = frozenset({"localcontext", "errstate", "printoptions", "copy_context"})
"""What changes context variables: every thread has its own."""
HAZARDS = {"files": "writes or deletes files", "programs": "starts programs", "network": "reaches other machines"}
MOST_PLACES = 3
"""Arguments that methods of installed classes take by their places, of which nothing tells how many."""
MAPS = ("map", "starmap")
LOGGING = frozenset(["debug", "info", "warning", "error", "critical", "exception", "log", "warn", "fatal"])
"""Methods that hand a record to handlers."""
REGISTERED = (logging.Logger, "getChild")
"""What registers the logger that it gives with the process, as `logging.getLogger` does."""
FILLED = (dict, collections.OrderedDict, collections.Counter)
"""Types whose first argument is walked, not held."""
SOURCE = "source"
"""The field of what a lazy object walks."""


def apply(
    an: Interpreter,
    node: ast.AST,
    entry: Declared,
    this: Value,
    given: Arguments,
    what: str,
    *,
    made_type: type | None = None,
) -> Value:
    """Do what a declared entry says."""
    if entry.draws:
        apply_draws(an, this, what)
    returned: list[str] = []
    for more in [entry, *holding(entry, this, given)]:
        if more.changes or more.holds:
            apply_changes(an, node, more, this, given, what)
        returned += more.returns
        if more.reads or more.order:
            apply_sight(an, node, more, this, given)
        if more.order:
            apply_order(an, node, more, what)
        if more.forbidden and not is_under(an, node, more.within):
            an.doubt(Why.FORBIDDEN, f"`{what}` {more.forbidden}", more.instead or "Take it out of the loop")
        if more.walks and not entry.lazy:
            apply_walks(an, more, given)
    if not entry.cheap and not entry.order & {"log", "output"}:
        an.now.heavy = True
    apply_reads(an, entry, this, given)
    lazy, called = None, ATOM
    if entry.lazy:
        lazy = Effects()
        with an.recording(lazy):
            called = apply_calls(an, node, entry, this, given)
            apply_walks(an, entry, given)
    elif entry.calls:
        called = apply_calls(an, node, entry, this, given)
        if not (entry.holds or made_type):
            an.calling_only.add(node)
    call = Applied(node, entry, this, given, what, made_type, called, lazy)
    return result(an, call, returned)


def apply_draws(an: Interpreter, this: Value, what: str) -> None:
    """Note that random numbers are drawn from some objects."""
    behind = [part for part in reachable(this - {obj for obj in this if obj.outer}) if part.outer and gives_bits(part)]
    if behind or any(obj.origin is Origin.OUTER for obj in this):
        an.now.order |= {Order.RANDOM}
    an.write({*behind, *(obj for obj in this if obj.origin is not Origin.OUTER)}, ANY, what)


def gives_bits(obj: Obj) -> bool:
    """Tell whether an object may be what generators of random numbers take their bits from, as numpy's do."""
    return any(hasattr(kind, "random_raw") or hasattr(kind, "bit_generator") for kind in obj.types or ())


def apply_sight(an: Interpreter, node: ast.AST, entry: Declared, this: Value, given: Arguments) -> None:
    """Note what an entry says that a call sees, and the files that it touches.

    What an iteration's own connection looks up is what it has put there, as far as other entries tell.
    """
    own = "database" in entry.reads and not any(obj.outer for obj in reachable(this | given.all))
    an.now.sees |= entry.reads - {"database"} if own else entry.reads
    if "files" in entry.reads or "files" in entry.order:
        an.now.paths |= one_file.touched(an, node)
    if "frames" in entry.reads:
        apply_text(an, node, this, given)


def apply_text(an: Interpreter, node: ast.AST, this: Value, given: Arguments) -> None:
    """Read, and call, what a text names that is looked up where the call stands."""
    found = naming.looked_up_by_text(an, node, this, given)
    an.deep(found)
    for obj in found:
        if may_be_called(an, obj):
            an.call_obj(node, obj, Arguments([this] * parameter_count(obj)), obj.label)


def is_under(an: Interpreter, node: ast.AST, context: str) -> bool:
    """Tell whether a call stands under a context that is surely of this type."""
    return bool(context) and any(kinds == {context} and node in calls for kinds, calls in an.managers.values())


def apply_order(an: Interpreter, node: ast.AST, entry: Declared, what: str) -> None:
    """Note what an entry says of order, and of what does not come back from workers."""
    for order in entry.order - {"files"} if one_file.is_nowhere(an, node) else entry.order:
        if not (order == "process" and what.rpartition(".")[2] in OWN_CONTEXTS):
            an.now.order |= {Order(order)}
        if order == "files" and (one_file.writes_one_file(an, node) or one_file.uses_open_file(an, node)):
            an.now.order |= {Order.ONE_FILE}
        elif order == "files" and one_file.appends(an, node):
            an.now.order |= {Order.APPENDS}
        elif order == "files" and one_file.may_use_open_file(an, node):
            text = f"`{what}` uses a file by the number that it is given, which another process does not know"
            an.doubt(Why.FORBIDDEN, text, "Open the file in the same function")
        if order in an.taken_in:
            sinks.take_in(an, node, order)
        if order in HAZARDS:
            an.now.hazards += (f"`{what}` {HAZARDS[order]}",)


def apply_walks(an: Interpreter, entry: Declared, given: Arguments) -> None:
    """Note which arguments an entry walks over."""
    for word in entry.walks:
        looked_at(an, given.of(word))
        for obj in given.of(word):
            walked(an, obj)


def apply_reads(an: Interpreter, entry: Declared, this: Value, given: Arguments) -> None:
    """Note that a call reads its arguments, but for those that are only held, not looked into for their parts."""
    for word in entry.looks_up:
        looked_up(an, given.of(word))
    words, held = set(entry.holds), set[str]()
    if words:
        held = {word.partition(".")[0] for word in words} - {word for word in words if f"{word}.part" in words}
    for place, value in [*enumerate(given.positional), *given.named.items()]:
        if str(place) not in held:
            an.deep(value)
        elif f"{place}.part" in words:
            for obj in value:
                an.read(obj, ELEMENT)
    if given.spread:
        an.deep(given.spread)
    if not entry.holds:
        for obj in this:
            an.read(obj, ANY)
            if not entry.cheap or is_composed(obj):
                an.deep(frozenset({obj}))


def holding(entry: Declared, this: Value, given: Arguments) -> list[Declared]:
    """Return what an entry adds under the conditions that this call may meet."""
    if not entry.when:
        return []
    return [more for text, more in entry.when.items() if holds(declared.condition(text), this, given)]


def holds(said: declared.Condition, this: Value, given: Arguments) -> bool:
    """Tell whether a condition of an entry may hold for a call."""
    if said.test == "type":
        words = (*said.names, *([] if said.position is None else [str(said.position)]))
        objects = ATOM.union(*[given.of(word) for word in words])
        kinds = {type_named(name) for name in said.value.split()}
        return not objects or any(not kinds.issuperset(classes_of(obj)) for obj in objects)
    found: list[tuple[bool, object]] = []
    for word in said.names:
        base, dot, attribute = word.partition(".")
        if dot:
            value = this if base == "self" else given.of(base)
            found += [given_at_first(obj, attribute) for obj in value]
        elif word in given.named:
            found.append((True, given.flags.get(word, declared.UNSEEN)))
    place = said.position
    if place is not None and place < len(given.positional):
        found.append((True, given.flags.get(place, declared.UNSEEN)))
    if given.spread is not None:
        found.append((said.test != "missing", declared.UNSEEN))
    if said.test == "absent":
        return all(said.may_hold(*one) for one in found) if found else said.may_hold(False)
    return any(said.may_hold(*one) for one in found) if found else said.may_hold(False)


def classes_of(obj: Obj) -> tuple[type | None, ...]:
    """Return the types that an object may have, None among them where they are not known."""
    return (types.FunctionType,) if obj.origin is Origin.FUNCTION and not obj.owner else obj.types or (None,)


def given_at_first(obj: Obj, attribute: str) -> tuple[bool, object]:
    """Return whether an object was made with an attribute, and its value where that can be seen."""
    if attribute in obj.made_with:
        return True, obj.made_with[attribute]
    for thing in obj.live:
        value = held(thing, attribute)
        if value is not MISSING:
            return True, value
    return False, None


def apply_changes(an: Interpreter, node: ast.AST, entry: Declared, this: Value, given: Arguments, what: str) -> None:
    """Do what an entry says of changes."""
    for word in entry.changes:
        found = named(an, word, this, given) if word == "self" or word.endswith("part") else given.of(word)
        if word == "out":
            found |= in_tuples(an, found)
        for obj in found:
            if is_brought_back(an, obj, entry, word, what) or (word == "self" and names_functions(what, obj, given)):
                continue
            plain = obj.types is not None and all(kind.__module__ in ("builtins", "collections") for kind in obj.types)
            if reads_on(obj, word, what):
                an.write({obj, *known_behind(an, obj)}, AT, what)
                continue
            an.write({obj}, ELEMENT if plain else ANY, what)
            if word == "self":
                write_through(an, node, frozenset({obj}), what)
    for word in entry.holds:
        value = given.of(word.partition(".")[0])
        if word.endswith(".part"):
            parts = ATOM
            looked_at(an, value)
            for obj in value:
                walked(an, obj)
                parts |= elements_of(an, obj)
            value = parts
        holders = this
        if not this and entry.changes:
            holders = given.of(entry.changes[0])
        an.put(holders, ELEMENT, value)


def reads_on(obj: Obj, word: str, what: str) -> bool:
    """Tell whether a method only reads on in a file or an archive of the notebook, by itself or by a member of it."""
    reading = word in ("self", "part") and what.rpartition(".")[2] in readers.READING
    return reading and obj.whole and bool(obj.live) and all(map(readers.is_reader, obj.live))


def in_tuples(an: Interpreter, value: Value) -> Value:
    """Return what tuples hold: `out=(a, b)` names the arrays for several results."""
    return ATOM.union(*[elements_of(an, obj) for obj in value if obj.types and tuple in obj.types])


def is_brought_back(an: Interpreter, obj: Obj, entry: Declared, word: str, what: str) -> bool:
    """Tell whether what a call changes of an object is no change that anybody could miss, or none at all."""
    method = what.rpartition(".")[2]
    if obj.method == STREAM:
        return Order.OUTPUT not in an.taken_in  # what is printed is brought back in order
    if word == "self" and {"log", "output"} <= entry.order and method in LOGGING:
        return True  # records are brought back in order as well
    if obj.types == REGISTERED[:1] and method == REGISTERED[1]:
        return True
    if obj.types and all(map(is_atom_type, obj.types)):
        return True  # a path instead of a file, which would be read further
    if obj.outer and obj.types and all(kind.__module__ in MADE_FOR_THREADS for kind in obj.types):
        return True
    return is_only_called(obj, word)


def names_functions(what: str, obj: Obj, given: Arguments) -> bool:
    """Tell whether a method of pandas gets functions by their names only, as `agg(["sum", "mean"])`.

    It is the user's functions that may change what such methods hand them.
    """
    pandas = all(kind.__module__.partition(".")[0] == "pandas" for kind in obj.types or ())
    if not pandas or what.rpartition(".")[2] not in OF_FUNCTIONS:
        return False
    kinds = {list, tuple, dict}
    return all(part.origin is Origin.MADE and {*(part.types or (object,))} <= kinds for part in reachable(given.all))


def is_only_called(obj: Obj, word: str) -> bool:
    """Tell whether an argument that may be changed is a function: what that changes is found where it is called."""
    if obj.origin is Origin.FUNCTION:
        return isinstance(obj.code, tuple)
    return word == "*" and bool(obj.live) and all(isinstance(thing, types.FunctionType) for thing in obj.live)


def apply_calls(an: Interpreter, node: ast.AST, entry: Declared, this: Value, given: Arguments) -> Value:
    """Follow what an entry says is called, with parts of the other arguments; returns what the calls give."""
    found = ATOM
    for word in entry.calls:
        functions = named(an, word, this, given) if word.endswith(".part") else given.of(word)
        if entry.folds:
            found |= folded(an, node, entry, functions, given)
            continue
        others = [value for place, value in enumerate(given.positional) if str(place) != word]
        parts = [walk_over(an, value, node) for value in others]
        extra = handed_on(an, node, entry, word, this, given)
        if not parts or extra is not None:
            parts = [walk_over(an, this, node) | (extra or ATOM)]
        if given.positional[1:] and entry is declared.function(max):
            parts = [ATOM.union(*given.positional)]  # the key is called with these themselves
        for obj in callables_among(an, functions):
            if obj.origin is Origin.FUNCTION or obj.live or obj.types:
                count = parameter_count(obj)  # of builtins and `*args` fewer than they take
                arguments = parts if len(parts) == count else [ATOM.union(*parts)] * max(count, len(parts))
                found |= call_given(an, node, obj, Arguments(arguments))
    return found


def handed_on(
    an: Interpreter, node: ast.AST, entry: Declared, word: str, this: Value, given: Arguments
) -> Value | None:
    """Return what a call hands on to a function beside parts of its receiver, where any parameter may be any of it.

    Methods of pandas have `args` and keywords for that, and functions of numpy take what comes last; None: others.
    """
    if not any(map(is_numeric, this)) and "*" not in entry.changes and not word.endswith(".part"):
        return None
    others = given.all - callables_among(an, given.of(word))
    return others | walk_over(an, others, node)


def folded(an: Interpreter, node: ast.AST, entry: Declared, functions: Value, given: Arguments) -> Value:
    """Follow calls with what the call before gave and the next element; returns what they give."""
    walked_over, first = entry.folds[:2]
    element = walk_over(an, given.of(walked_over), node)
    before = element | given.of(first)
    for _ in range(2):  # what the first call gives is handed to the second
        for obj in functions:
            before |= an.call_obj(node, obj, Arguments([before, element]), obj.label)
    return before


def parameter_count(obj: Obj) -> int:
    """Return how many positional arguments a function takes at the most."""
    if isinstance(obj.code, tuple):
        return len(obj.code[0].args.args)
    if isinstance(obj.code, Method):
        return MOST_PLACES
    thing = obj.live[0] if obj.live else obj.code
    thing = getattr(thing, "__wrapped__", getattr(thing, "__func__", thing))
    code = getattr(thing, "__code__", None)
    bound = isinstance(obj.code, types.FunctionType) or isinstance(obj.live[0] if obj.live else None, types.MethodType)
    return max(code.co_argcount - bound, 0) if code is not None else 1


def result(an: Interpreter, call: Applied, returned: list[str]) -> Value:
    """Return what an entry says is returned."""
    this, given = call.this, call.given
    found = ATOM
    if is_one_number(call.entry, given, call.what):
        return found
    if call.entry is declared.function(max) and given.spread is None:  # one of several, or an element, never the `key`
        returned = [*map(str, range(len(given.positional)))] if given.positional[1:] else ["0.part", "default"]
    words = dict.fromkeys(returned)
    for word in sorted(words, key="new".__eq__) if len(words) > 1 else words:
        if word == "new" and not found and call.entry is declared.function(sum):
            continue  # as for `+`, the sum of what nobody can change is that as well
        if word == "part" and not this and call.entry.type is not None:
            found |= {there_already(an, call)}
        elif word == "atom":
            found |= path_made(an, call.node, call.made_type, call.what)
        elif word == "new":
            copied = deep_copies(an, call.node, given.of("0")) if call.entry.copies and is_alone(given) else None
            others = hooked(an, call.node, given.of("0")) if call.entry.copies and not copied else ATOM
            found |= copied or others | {new_result(an, call)}
        else:
            value = named(an, word, this, given)
            if word == "part" and call.what.rpartition(".")[2] in OF_ELEMENTS:
                value -= {obj for obj in this if is_array_of_numbers(obj)}
            if word == "0" and call.entry.copies:
                value = frozenset(obj for obj in value if not is_copied_by_class(an, obj))
            found |= value
    return found


def is_alone(given: Arguments) -> bool:
    """Tell whether there is one argument, at its place."""
    return len(given.positional) == 1 and given.spread is None and not given.named


def there_already(an: Interpreter, call: Applied) -> Obj:
    """Return an object that a function gives everybody who asks, as a logger by its name."""
    key = "there already", call.what
    if key not in an.sites:
        kind = type_named(call.entry.type or "")
        types = (kind,) if kind is not None else None
        an.sites[key] = Obj(Origin.OUTER, f"the result of `{call.what}`", types, whole=False)
    return an.sites[key]


OF_ELEMENTS = frozenset([
    *("all", "any", "max", "min", "argmax", "argmin", "mean", "std", "var", "sum", "prod", "cumsum", "cumprod"),
    *("clip", "compress", "take", "dot", "choose", "trace", "tolist", "item"),
])  # fmt: skip
"""Methods of arrays that give new arrays and elements, never a view."""
OF_FUNCTIONS = frozenset({"agg", "aggregate", "apply", "transform"})
"""Methods of pandas that call the functions which they are given."""
OF_NUMBERS = frozenset({"arange", "linspace", "logspace", "geomspace", "zeros", "ones", "eye", "identity"})
"""Functions of numpy that make arrays of numbers where they are given numbers."""
ROWS = frozenset({"itertuples", "iterrows"})
"""Methods that give the rows of a frame."""


def new_result(an: Interpreter, call: Applied) -> Obj:
    """Return the new object that a call gives back, with what it holds: one for all entries that give one type."""
    entry, node, what, this, given = call.entry, call.node, call.what, call.this, call.given
    types = new_types(entry, call.made_type, this)
    made = an.made(node, f"the result of `{what}`", types, key=(what, id(entry) if entry.lazy else types))
    if made.types is None and (entry.draws or "random" in entry.order) and is_sized(what, given):
        kind = type_named("numpy.ndarray")
        made.types = (kind,) if kind is not None else None
        made.of_values = kind is not None
    if gives_numbers(call, made):
        kind = type_named("numpy.ndarray")
        made.types, made.of_values = (kind,) if kind is not None else None, kind is not None
    if any(is_narrower(obj, made) for obj in call.called):
        made.types = None  # a class of the user's, given as the factory, makes it
    if call.lazy is not None:
        an.defer(made, call.lazy)
    if call.made_type is not None or "check_same_thread" in given.named:  # by `sqlite3.connect`
        made.made_with = made_with(given)
    if entry.lazy and any(issubclass(kind, pathlib.PurePath) for obj in this for kind in obj.types or ()):
        an.put({made}, ELEMENT, path_made(an, node, pathlib.Path, f"an element of {what}"))
    elements = elements_given(an, call)
    if elements is not None:
        an.put({made}, ELEMENT, elements)
        method = what.rpartition(".")[2]
        if method in ROWS:  # made of values; `row_walks` knows of when they are taken
            made.owner, made.method = this, method
        else:
            an.put({made}, SOURCE, given.all | this)
        return made
    for word in entry.holding:
        place = place_for(word, entry, made, what)
        filled = word == "*" and made.types and made.types[0] in FILLED
        value = ATOM.union(given.spread or ATOM, *given.named.values()) if filled else named(an, word, this, given)
        if word == "part":
            value -= {obj for obj in this if is_array_of_numbers(obj)}
        an.put({made}, place, value)
    if entry.calls and (call.called or entry.lazy):
        an.put({made}, ELEMENT, call.called)
    return made


def gives_numbers(call: Applied, made: Obj) -> bool:
    """Tell whether a call surely gives numbers, or an array of them: one that makes such, or a method of one."""
    if call.entry.calls or (call.this and made.types is not None) or not all(map(inert, call.given.all)):
        return False
    if not call.this and call.what.rpartition(".")[2] not in OF_NUMBERS:
        return False
    kind = type_named("numpy.ndarray")
    return kind is not None and (all(map(is_array_of_numbers, call.this)) if call.this else made.types == (kind,))


def place_for(word: str, entry: Declared, made: Obj, what: str) -> str:
    """Return where a new result holds what a word of its entry stands for."""
    if entry.lazy:
        return ELEMENT if word.endswith("part") and what not in MAPS else SOURCE
    if word == "self" and made.types and made.types[0] in DICT_VIEWS.values():
        return SOURCE
    return ELEMENT if made.types and is_container(made.types[0]) else ANY


def is_narrower(obj: Obj, made: Obj) -> bool:
    """Tell whether an object is of a class below the one that a result is declared to have."""
    return any(issubclass(kind, made.types or ()) and kind not in (made.types or ()) for kind in obj.types or ())


def path_made(an: Interpreter, node: ast.AST, made_type: type | None, what: str) -> Value:
    """Return a path where one is made: nobody can change it, but its methods reach files."""
    if made_type is None or not issubclass(made_type, pathlib.PurePath):
        return ATOM
    return frozenset({an.made(node, "a path", (made_type,), key=what)})


def named(an: Interpreter, word: str, this: Value, given: Arguments) -> Value:
    """Return what a word of an entry stands for."""
    if word == "self":
        return this
    if word == "part":
        return ATOM.union(*[inner(an, obj) for obj in this])
    place, _, part = word.partition(".")
    value = given.of(place)
    if not part:
        return value | in_tuples(an, value) if place == "out" else value
    found = ATOM
    for obj in value:
        walked(an, obj)
        elements = elements_of(an, obj)
        if part == "part" and not obj.live:
            elements |= obj.held_anywhere()
        found |= in_pairs(an, obj, elements) if part == "pairs" else elements
    return found


def in_pairs(an: Interpreter, obj: Obj, elements: Value) -> Value:
    """Return what a dict that is made of an object holds: its values, or what is in the pairs that it gives."""
    mapping = obj.types is None or any(hasattr(kind, "keys") for kind in obj.types)
    found = elements if mapping else ATOM
    if obj.types is None or not all(hasattr(kind, "keys") for kind in obj.types):
        found |= ATOM.union(*[elements_of(an, pair) for pair in elements])
    return found


def inner(an: Interpreter, obj: Obj) -> Value:
    """Return what a method may give of its receiver: an element of a container, else any part or a view of it."""
    plain = bool(obj.types) and all(kind in PLAIN_CONTAINERS for kind in obj.types or ())
    if obj.live and obj.whole and objects_in(obj.live) is not None:
        return elements_of(an, obj)
    return elements_of(an, obj) if plain else any_part(an, obj) | elements_of(an, obj)


def new_types(entry: Declared, made_type: type | None, this: Value) -> tuple[type, ...] | None:
    """Return the types of a new result; what methods of pandas give depends on the classes of their receivers."""
    if made_type is not None or not entry.type:
        return FILES if made_type is io.IOBase else None if made_type is None else (made_type,)
    kinds = tuple(kind for kind in map(type_named, entry.type.split()) if kind is not None)
    if kinds == (io.IOBase,):
        return FILES
    if not any(map(is_of_pandas, kinds)):
        return kinds or None
    derived = any(obj.types is None or not all(map(is_of_pandas, obj.types)) for obj in this)
    return None if derived else kinds


def is_of_pandas(kind: type) -> bool:
    """Tell whether a class is one of pandas' own."""
    return kind.__module__.partition(".")[0] == "pandas"
