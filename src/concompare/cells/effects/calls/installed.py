"""Installed callables: followed by their entries, or trusted where nothing is declared."""

from __future__ import annotations

import ast
import codecs
import copy
import dataclasses
import inspect
import logging
import pickle
import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments, Found, carried
from concompare.cells.effects.attributes import (
    any_part,
    attribute,
    attribute_of,
    computed_attributes,
    is_shared_by_all,
    refuse_names,
)
from concompare.cells.effects.calls.applying import apply, parameter_count
from concompare.cells.effects.calls.drawing import as_drawing
from concompare.cells.effects.calls.held_functions import call_held, refuse_hidden
from concompare.cells.effects.calls.nested import callables_among, may_be_called
from concompare.cells.effects.calls.own_objects import ELSEWHERE, call_own
from concompare.cells.effects.calls.written_to import write_on, write_through, write_to
from concompare.cells.effects.elements import elements_of, walked
from concompare.cells.effects.identity import OF_MEMORY, SEARCHES, found_by_identity, noted
from concompare.cells.effects.inherited import call_overridden
from concompare.cells.effects.kinds import CALM_METHODS, DICTS, MOCKS, PURE, is_container
from concompare.cells.effects.live import static
from concompare.cells.effects.numeric import computed, is_numeric, is_of_numeric_package, operated_on
from concompare.cells.effects.operators import CONTAINERS, DEEPEST, SHOWING, looked_at, of_members, operated, seen_in
from concompare.cells.effects.own_state import changes_itself
from concompare.cells.effects.storing import changed_by_name
from concompare.cells.ir import Place, Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, Obj, Value, reachable

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

ASKED: dict[Any, str] = {
    **{len: "len", str: "shown", repr: "repr", print: "shown", format: "formatted", bool: "bool len"},
    **{int: "int index trunc", float: "float index", abs: "abs", round: "round", hash: "hash", sorted: "lt gt"},
    **{
        min: "lt gt",
        max: "lt gt",
        sum: "add radd",
        reversed: "reversed len getitem",
        next: "next",
        divmod: "divmod rdivmod",
    },
    **{
        pow: "pow rpow",
        set: "hash eq",
        frozenset: "hash eq",
        dict: "hash eq keys getitem",
        bytes: "bytes",
        list: "len",
    },
    **{getattr: "getattr getattribute", hasattr: "getattr getattribute", setattr: "setattr", delattr: "delattr"},
    **{tuple: "len", range: "index", bin: "index", hex: "index", oct: "index", complex: "complex float", chr: "index"},
    **{pickle.dumps: "pickled", pickle.dump: "pickled", any: "bool len", all: "bool len", filter: "bool len"},
}
"""The special methods that builtins run on their arguments or the elements of these."""
SENDING = ("send", "throw")
"""Methods of generators that hand something to what they run."""
RUNNING = (*SENDING, "close", "__enter__", "__exit__")
"""Methods of generators that run them, and of the context managers that are made of some."""
HASHING = frozenset({set, frozenset, *DICTS})


STREAMS = {id(codecs.getreader): codecs.StreamReader, id(codecs.getwriter): codecs.StreamWriter}
"""Functions that give a class, and from which class it is derived whatever they are asked for."""
COPYING = {id(copy.copy): "copy", id(copy.deepcopy): "deepcopy"}
"""What is asked of an object by functions that are written in Python."""


def installed(
    an: Interpreter, node: ast.AST, thing: Any, given: Arguments, what: str, made_type: type | None = None
) -> Value:
    """Follow a call of an installed function."""
    an.now.called += (getattr(thing, "__name__", what),)
    if thing is len and all(counts_items(an, obj) for obj in given.of("0")):
        an.now.reads |= {Place(obj, ELEMENT) for obj in given.all}
        return ATOM
    if thing is vars:
        refuse_names(an, given.of("0"), types.ModuleType)
    if thing is vars and given.of("0") and not any(map(is_shared_by_all, given.of("0"))):
        return ATOM.union(*[attribute_of(an, obj, "__dict__", node) for obj in given.of("0")])
    if id(thing) in STREAMS:
        return an.world.outer(STREAMS[id(thing)], what)
    asked(an, node, thing, given)
    if an.now.called[-1] in OF_MEMORY:
        noted(an, node, given.all)
    handed = computed(an, node, given.all, an.now.called[-1]) if is_of_numeric_package(thing) else ATOM
    entry = declared.function(thing) or as_drawing(thing)
    home = f"{declared.module_of(thing)}.{getattr(thing, '__qualname__', '')}"
    call_own(an, node, thing, home, given.all, declared=entry is not None)
    if entry is not None:
        found = run_by_name(an, node, thing, given)
        result = apply(an, node, entry, ATOM, given, what, made_type=made_type) | handed
        return result | found_by_name(an, node, given.of("0")) | found if thing is getattr else found or result
    func = node.func if isinstance(node, ast.Call) else None
    of_function(an, an.values.get(func.value, ATOM) if isinstance(func, ast.Attribute) else ATOM, what)
    found = undeclared(an, node, what, given, ATOM)
    module = getattr(thing, "__module__", None) or type(thing).__module__
    an.now.trusted |= {f"{module}.{getattr(thing, '__qualname__', what)}"}
    if made_type is None:
        an.calling_only.add(node)
    else:
        for obj in found:
            obj.types = (made_type,)
    return found | handed


def run_by_name(an: Interpreter, node: ast.AST, thing: Any, given: Arguments) -> Value:
    """Follow what runs where attributes are asked for, set or deleted by their names; returns what that gives."""
    seen = given.flags.get(1)
    name = seen if type(seen) is str else None
    found = ATOM
    for obj in given.of("0"):
        if thing is setattr or thing is delattr:
            changed_by_name(an, obj, name, node, "set" if thing is setattr else "delete", given.of("2"))
        elif (thing is getattr or thing is hasattr) and name is not None:
            found |= attribute(an, frozenset({obj}), name, node)
        elif thing is getattr or thing is hasattr or thing is inspect.getmembers:
            computed_attributes(an, frozenset({obj}), node)
        elif thing is isinstance:
            for word in words_of_protocols(given.of("1")):
                attribute_of(an, obj, word, node)
        elif thing is dataclasses.replace:
            found |= replaced(an, node, obj, given)
        elif thing is dataclasses.asdict or thing is dataclasses.astuple:
            copied_fields(an, node, obj)
    return found if thing is getattr or thing is dataclasses.replace else ATOM


def words_of_protocols(classes: Value) -> set[str]:
    """Return the attributes for which an object is asked whether it is of some classes that are protocols."""
    kinds = [kind for obj in classes for kind in obj.live if isinstance(kind, type) and vars(kind).get("_is_protocol")]
    bases = [base for kind in kinds for base in kind.__mro__ if vars(base).get("_is_protocol")]
    found = {word for base in bases for word in (*vars(base), *vars(base).get("__annotations__", ()))}
    return {word for word in found if not word.startswith(("_abc_", "__"))}


def replaced(an: Interpreter, node: ast.AST, obj: Obj, given: Arguments) -> Value:
    """Return the object that `dataclasses.replace` makes of another one of its class."""
    found = ATOM
    for kind in obj.types or ():
        fields = getattr(kind, "__dataclass_fields__", {}) if an.world.is_user(kind) else {}
        same = {name: attribute_of(an, obj, name, node) for name, part in fields.items() if part.init}
        if fields:
            whole = Arguments([], {**same, **given.named}, given.spread)
            found |= an.call_value(node, an.world.outer(kind, kind.__name__), whole, kind.__name__)
    return found


def copied_fields(an: Interpreter, node: ast.AST, obj: Obj) -> None:
    """Follow what the user's classes do where the fields of a data class's object are copied, containers one by one."""
    fields = seen_in(an, frozenset({obj}), 2 * DEEPEST)
    operated(an, "deepcopy", fields, node, fields)
    for part in fields:
        for kind in part.types or ():
            if an.world.is_user(kind) and issubclass(kind, (list, tuple, dict)):
                an.call_value(node, an.world.outer(kind, kind.__name__), Arguments(spread=fields), kind.__name__)


def found_by_name(an: Interpreter, node: ast.AST, holder: Value) -> Value:
    """Return what `getattr` may find of an object that is not the iteration's own: a method of it as well."""
    holder = frozenset(obj for obj in holder if obj.outer)
    made = an.made(node, "what `getattr` finds", None, key="found by name")
    made.code = Found(holder)
    return frozenset({made}) if holder else ATOM


def counts_items(an: Interpreter, obj: Obj) -> bool:
    """Tell whether the length of an object is how many items there are, whatever these hold."""
    return obj in an.walked_objects and CONTAINERS.issuperset(obj.types or (object,))


def of_function(an: Interpreter, holders: Value, what: str) -> None:
    """Doubt what a decorator has hung on a function of the user's, as `register`: it may change what that does."""
    for thing in (thing for obj in holders for thing in obj.live):
        if isinstance(thing, types.FunctionType) and an.world.is_user(thing) and not an.world.assume_pure:
            an.doubt(Why.OPAQUE, f"it cannot be seen whether `{what}` changes `{thing.__name__}`", PURE)


def asked(an: Interpreter, node: ast.AST, thing: Any, given: Arguments) -> None:
    """Follow the special methods of the user's classes that a builtin runs."""
    words = ASKED.get(thing) if isinstance(thing, (type, types.BuiltinFunctionType)) else COPYING.get(id(thing))
    if thing is id and given.all and not an.world.assume_pure:
        an.doubt(Why.ALIAS, "asks for an object's place in memory, which differs from process to process")
    for word in (words or "").split() if not given.all else ():
        of_members(an, word, node)
    if words is None or not given.all:
        return
    if thing is setattr:
        an.put(given.of("0"), ANY, given.of("2"))
    if thing in (setattr, delattr) and any(map(is_shared_by_all, given.of("0"))):
        an.doubt(
            Why.FORBIDDEN, f"`{ast.unparse(node)}` changes what everything else may read", "Take it out of the loop"
        )
    held = [elements_of(an, obj) for obj in given.all if not obj.live or is_container(type(obj.live[0]))]
    values = given.all.union(*held)
    if words in SHOWING or words == "repr":
        operated_on(an, node, values, "__str__")  # text of a frame is text of what is in its cells
    if words in SHOWING:
        operated(an, words, given.all, node, given.all)
        values, words = ATOM.union(*held), "repr"  # which is what containers show
    for word in words.split():
        operated(an, word, values, node, given.all)


def undeclared(an: Interpreter, node: ast.AST, what: str, given: Arguments, this: Value) -> Value:
    """Follow an installed callable of which nothing is declared: trusted to change nothing that it is given."""
    an.now.heavy = True
    an.deep(given.all | this)
    call_back(an, node, given, given.all)
    write_to(an, node, given.all, what)
    made = an.made(node, f"the result of `{what}`", None)
    an.put({made}, ANY, carried(given.all))
    return frozenset({made})


def undeclared_method(an: Interpreter, node: ast.AST, kind: type, name: str, this: Value, given: Arguments) -> Value:
    """Follow a method of which nothing is declared: it changes its object; that of the notebook is tried first."""
    an.now.heavy = True
    if kind.__module__ == MOCKS and not an.world.assume_pure:
        an.doubt(Why.OPAQUE, f"`.{name}` of a mock keeps its calls, in their order", PURE)
    an.deep(given.all | this)
    call_back(an, node, given, given.all)
    write_to(an, node, given.all, name)
    write_through(an, node, this, name)
    write_on(an, this, name)
    counts = kind.__module__.partition(".")[0] == "tqdm"  # a bar, which shows it
    changing = counts or changes_itself(kind, name)
    own = frozenset(obj for obj in this if changing or not obj.outer)
    an.write(own, ANY)
    an.put(own, ANY, carried(given.all))
    for obj in this - own:
        if not an.world.assume_pure:
            an.now.trusted |= {f".{name}"}
            if obj.types is None or kind is object:
                an.doubt(Why.OPAQUE, f"it cannot be seen whether `{obj.label}.{name}` changes `{obj.label}`", PURE)
    made = an.made(node, f"the result of `.{name}`", None)
    held = ATOM
    for obj in this:
        held |= any_part(an, obj)
    an.put({made}, ANY, held | carried(given.all))
    return frozenset({made}) | own


def installed_method(an: Interpreter, node: ast.AST, kind: type, name: str, this: Value, given: Arguments) -> Value:
    """Follow a method of an installed class."""
    an.now.called += (name,)
    if name == "__next__" and declared.method(kind, name) is None:
        return installed(an, node, next, given.after(this), name)
    if kind in HASHING:
        looked_at(an, given.all)
    if kind is types.GeneratorType and name in RUNNING:
        run_generators(an, name, this, given)
    entry = declared.method(kind, name) or as_drawing(static(kind, name))
    searches, puts = name in SEARCHES or name == "sort", entry is not None and bool(entry.holds)
    if searches and not puts:
        looked_at(an, this)
    if name in SEARCHES and kind.__module__ in ("builtins", "collections"):
        found_by_identity(an, node, given.positional[0] if given.positional else ATOM, this)
    if kind.__module__.partition(".")[0] not in ELSEWHERE:
        call_held(an, node, this, given)
    elif kind.__name__ == "ufunc":
        call_held(an, node, this, given)
        for thing in (thing for obj in this for thing in obj.live):
            refuse_hidden(an, thing, name)
    call_overridden(an, node, kind, name, this, given)
    handed = computed(an, node, this | given.all, name) if any(map(is_numeric, this)) else ATOM
    if not an.world.is_user(kind) and not issubclass(kind, logging.Logger):
        home = f"{kind.__module__}.{kind.__qualname__}"
        call_own(an, node, static(kind, name), home, this | given.all, declared=entry is not None)
    if entry is not None:
        found = apply(an, node, entry, this, given, name) | handed
        if searches and puts:
            looked_at(an, this)  # at what it has by now, which one walk sees then
        calm = CALM_METHODS.get(kind, set())
        an.now.calm = name in calm or (kind is set and name == "add" and not given.all)
        return found
    return undeclared_method(an, node, kind, name, this, given) | handed


def run_generators(an: Interpreter, name: str, this: Value, given: Arguments) -> None:
    """Follow what generators do that go on by a method of theirs."""
    if name in SENDING and any(obj.outer for obj in reachable(given.all)):
        an.doubt(Why.OPAQUE, f"`.{name}` hands an object to a generator that is running, where it cannot be followed")
    for obj in this:
        walked(an, obj)


def call_back(an: Interpreter, node: ast.AST, given: Arguments, values: Value) -> None:
    """Follow the functions among the arguments: an installed function may call them, with what it was given."""
    for obj in callables_among(an, given.all):
        if not may_be_called(an, obj):
            continue
        parts = ATOM
        for other in values - {obj}:
            parts |= any_part(an, other) | (elements_of(an, other) if other.outer or other.all_held() else ATOM)
        count = parameter_count(obj)
        an.call_obj(node, obj, Arguments([parts - {obj}] * count), obj.label)
