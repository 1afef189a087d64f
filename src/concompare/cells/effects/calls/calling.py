"""Calls in the code: their arguments, and the methods that a receiver may have."""

from __future__ import annotations

import ast
import re
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments, Unloaded
from concompare.cells.effects.attributes import (
    BEHIND,
    OF_PROPERTY,
    any_part,
    attribute,
    attribute_of,
    bound_to,
    cells_of,
    computed_attributes,
    getter_of,
    of_metaclass,
    user_method,
)
from concompare.cells.effects.calls.above import Above, call_above, is_super, made_super
from concompare.cells.effects.calls.applying import apply
from concompare.cells.effects.calls.callables import (
    call_behind,
    call_cached,
    call_obj,
    call_plain,
    call_unloaded,
    call_value,
)
from concompare.cells.effects.calls.classes import make_by_method
from concompare.cells.effects.calls.held_functions import call_held
from concompare.cells.effects.calls.installed import call_back, installed, installed_method, undeclared_method
from concompare.cells.effects.calls.naming import asked_by_name, seen_text, text_before, texts_of_argument
from concompare.cells.effects.calls.one_file import is_same, may_meet
from concompare.cells.effects.elements import elements_of, looked_up, walk_over, walked
from concompare.cells.effects.following import follow
from concompare.cells.effects.kinds import CACHE, MATCHES, SCANNER, is_table
from concompare.cells.effects.live import MISSING, part_of, static
from concompare.cells.effects.numeric import operated_on
from concompare.cells.effects.scopes import Scope
from concompare.cells.objects import ANY, ATOM, ELEMENT, STREAM, Obj, Origin, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

LONGEST = 40
"""Characters of what is called that messages show."""
OF_TEXT = frozenset({"format_map", *dir(str), *dir(bytes)})
OF_NUMBERS = frozenset({*dir(int), *dir(float)})
LOOKING_UP = frozenset({"format", "format_map", "translate"})
"""Methods of text that look something up in their arguments by key."""
FIELD = re.compile(r"\.(\w+)")
"""An attribute that a text to be filled in asks for."""
LISTING = frozenset({"split", "rsplit", "splitlines", "findall"})
"""Methods of text and patterns that give a list."""
OF_PATTERN: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("match", "search", "fullmatch"), (re.Match,)),
    "finditer": (MATCHES,),
    "scanner": (SCANNER,),
}
"""What methods of a pattern give that cannot be sent, by their names."""


def call(an: Interpreter, node: ast.Call, scope: Scope) -> Value:
    """Follow a call."""
    func = node.func
    an.calling[node] = scope
    if isinstance(func, ast.Attribute):
        base = an.value(func.value, scope)
        if scope is an.top:
            an.effects_of(func)
            an.note(func)
        given = arguments_of(an, node, scope)
        given.receiver = is_same(an, func.value, scope)
        return call_method(an, node, base, func.attr, given, scope)
    value = an.value(func, scope)
    given = arguments_of(an, node, scope)
    known = asked_by_name(an, func, scope)
    if known is not None:
        base = an.value(known.holder, scope)
        given.receiver = is_same(an, known.holder, scope)
        return ATOM.union(*[call_method(an, node, base, name, given, scope) for name in sorted(known.names)])
    if is_super(node, an, scope):
        return made_super(an, node, given, scope)
    return call_value(an, node, value, given, written(func))


def written(func: ast.expr) -> str:
    """Return what is called as the user wrote it, cut short, found once."""
    if isinstance(func, ast.Name):
        return func.id[:LONGEST]
    found: str | None = func.__dict__.get("concompare_written")
    if found is None:
        found = func.__dict__["concompare_written"] = ast.unparse(func)[:LONGEST]
    return found


def unfollowed(an: Interpreter, node: ast.Call, scope: Scope) -> Arguments:
    """Return the arguments of a call as far as their expressions tell of them before they are followed."""
    if not (node.args or node.keywords):
        return Arguments()
    parts: dict[int | str, ast.expr] = {}
    for place, part in enumerate(node.args):
        if isinstance(part, ast.Starred):
            break
        parts[place] = part
    parts |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    same = frozenset([word for word, part in parts.items() if is_same(an, part, scope)])
    meeting = frozenset([word for word, part in parts.items() if may_meet(an, part, scope)])
    return Arguments(same=same, meeting=meeting)


def arguments_of(an: Interpreter, node: ast.Call, scope: Scope) -> Arguments:
    """Follow the arguments of a call."""
    found = unfollowed(an, node, scope)
    for part in node.args:
        value = an.value(part, scope)
        if isinstance(part, ast.Starred):
            found.spread = (found.spread or ATOM) | value
        elif found.spread is not None:
            found.spread |= value
        else:
            seen = seen_value(an, part, scope)
            if seen is not declared.UNSEEN:
                found.flags[len(found.positional)] = seen
            if texts := texts_of_argument(an, part, scope):
                found.texts[len(found.positional)] = texts
            found.positional.append(value)
    for keyword in node.keywords:
        value = an.value(keyword.value, scope)
        if keyword.arg is None:
            found.spread = (found.spread or ATOM) | walk_over(an, value, keyword.value, values=True)
        else:
            found.named[keyword.arg] = value
            seen = seen_value(an, keyword.value, scope)
            if seen is not declared.UNSEEN:
                found.flags[keyword.arg] = seen
            if texts := texts_of_argument(an, keyword.value, scope):
                found.texts[keyword.arg] = texts
    return found


def seen_value(an: Interpreter, node: ast.expr, scope: Scope) -> Any:
    """Return the value of an argument where the code shows it: written out, or a text that a name surely has."""
    if isinstance(node, ast.Constant):
        return node.value
    if not isinstance(node, ast.Name):
        return seen_text(node)
    around: Scope | None = scope
    while around is not None:
        if node.id in around.local:
            return text_before(an, node, around) if around is scope else declared.UNSEEN
        around = around.outer
    seen = scope.module if scope.module is not None else an.world.namespace
    value = seen.get(node.id) if is_same(an, node, scope) and node.id not in scope.cells else None
    return value if type(value) is str else declared.UNSEEN


def call_method(an: Interpreter, node: ast.AST, base: Value, name: str, given: Arguments, scope: Scope) -> Value:
    """Follow the call of a method."""
    if not base:
        return atom_method(an, node, name, given)
    together: dict[types.FunctionType, set[Obj]] = {}
    unseen = frozenset([obj for obj in base if obj.types is None and is_unseen(obj, name)])
    found = call_by_name(an, node, unseen, name, given) if unseen else ATOM
    for obj in base - unseen if unseen else base:
        users = direct_methods(an, obj, name)
        if users is None:
            found |= method_of(an, node, obj, name, given, scope)
            continue
        for thing in users:
            together.setdefault(thing, set()).add(obj)
    for function, receivers in together.items():
        found |= follow(an, function, node, given.after(frozenset(receivers)))
    return found


def is_unseen(obj: Obj, name: str) -> bool:
    """Tell whether nothing is known of an object that tells what its method of that name does."""
    if obj.types is not None or obj.live or obj.code is not None or obj.made_with:
        return False
    return not obj.has(name)


def direct_methods(an: Interpreter, obj: Obj, name: str) -> list[types.FunctionType] | None:
    """Return the user's plain methods that an object's classes have under a name; None: there is more to it."""
    if not obj.types or obj.live or obj.code is not None or obj.has(name):
        return None
    found = [static(kind, name) for kind in obj.types]
    return found if all(isinstance(thing, types.FunctionType) and an.world.is_user(thing) for thing in found) else None


def atom_method(an: Interpreter, node: ast.AST, name: str, given: Arguments) -> Value:
    """Follow a method of something that nobody can change, such as text or a number."""
    call_back(an, node, given, given.all)
    an.deep(given.all)
    an.now.called += (name,)
    if name in LOOKING_UP:
        looked_up(an, given.all)
        fields_of_text(an, node, given)
    if name == "join":
        for obj in given.all:
            walked(an, obj)
        return ATOM
    found = ATOM
    for _, thing in an.world.methods(name):  # a frozen object of the user's, or one that could not be told
        found |= call_plain(an, node, unbound(thing), given.after(ATOM)) if unbound(thing) is not None else ATOM
    if name in LISTING:
        found |= {an.made(node, f"the result of `.{name}`", (list,))}
    if name in OF_TEXT:
        return found
    an.now.heavy = an.now.heavy or name not in OF_NUMBERS
    return found if name not in OF_PATTERN else found | {of_pattern(an, node, name)}


def fields_of_text(an: Interpreter, node: ast.AST, given: Arguments) -> None:
    """Follow reading the attributes that a text asks for, as `"{0.name}".format(x)`; any where the text is not seen."""
    owner = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
    value = given.all.union(*[elements_of(an, obj) for obj in given.all])
    operated_on(an, node, value, "__str__")
    if not isinstance(owner, ast.Constant):
        computed_attributes(an, value, node)
        return
    for name in FIELD.findall(str(owner.value)):
        attribute(an, value, name, node)


def of_pattern(an: Interpreter, node: ast.AST, name: str) -> Obj:
    """Return what a method of a pattern gives: a match, or what gives matches."""
    made = an.made(node, f"the result of `.{name}`", OF_PATTERN[name])
    if name == "finditer":
        an.put({made}, ELEMENT, frozenset({an.made(node, "a match", (re.Match,), key="match")}))
    return made


def unbound(thing: Any) -> Any:
    """Return the function of a method, or None."""
    thing = thing.__func__ if isinstance(thing, (staticmethod, classmethod)) else thing
    return thing if isinstance(thing, types.FunctionType) else None


def method_of(an: Interpreter, node: ast.AST, obj: Obj, name: str, given: Arguments, scope: Scope) -> Value:
    """Follow a method of one abstract object."""
    this = frozenset({obj})
    what = f"{obj.label}.{name}"
    if obj.live and isinstance(obj.live[0], (types.ModuleType, type)):
        return call_module_part(an, node, obj, name, given, what)
    if isinstance(obj.code, Unloaded):
        return call_unloaded(an, node, f"{obj.code.dotted}.{name}", given)
    if isinstance(obj.code, Above):
        return call_above(an, node, obj.code, name, given)
    if obj.origin is Origin.FUNCTION and name in ("__call__", "__func__"):
        plain = isinstance(obj.code, types.FunctionType) and name == "__func__"
        return call_plain(an, node, obj.code, given) if plain else call_obj(an, node, obj, given, what)
    stored = frozenset(obj.held(name))
    held = an.world.attribute(obj, name) if obj.method != STREAM else None  # where IPython puts its own `write`
    if held is not None or stored:
        an.read(obj, name)
        return call_value(an, node, (held or ATOM) | stored, given, what)
    if obj.types is None:
        return call_by_name(an, node, this, name, given)
    kinds = [kind for kind in obj.types if not lacks(an, obj, kind, name)]
    return ATOM.union(*[method_of_class(an, node, obj, kind, name, given, scope) for kind in kinds])


def method_of_class(
    an: Interpreter, node: ast.AST, obj: Obj, kind: type, name: str, given: Arguments, scope: Scope
) -> Value:
    """Follow a method that an object has from a class, or what else the class gives under its name."""
    this, what = frozenset({obj}), f"{obj.label}.{name}"
    thing = static(kind, name)
    function = thing.__func__ if isinstance(thing, (staticmethod, classmethod)) else thing
    if isinstance(function, types.FunctionType) and an.world.is_user(function):
        return call_user_method(an, node, this, kind, thing, given)
    of_property = name in OF_PROPERTY and any(isinstance(live, property) for live in obj.live)
    if of_property or isinstance(thing, property) or getter_of(an, thing) is not None:
        return call_value(an, node, attribute_of(an, obj, name, node), given, what)
    if isinstance(thing, CACHE):
        return call_cached(an, node, thing, given.after(this))
    if isinstance(thing, BEHIND):
        return call_behind(an, node, this, thing, given, what)
    if thing is MISSING and user_method(an, obj, "__getattr__") is not None:
        value = follow(an, user_method(an, obj, "__getattr__"), node, Arguments([this, ATOM]))
        return call_value(an, node, value, given, what)
    if is_kept(an, kind, name, thing):
        return call_value(an, node, an.world.outer(thing, what), given, what)
    return other_method(an, node, obj, kind, name, given, scope)


def is_kept(an: Interpreter, kind: type, name: str, thing: Any) -> bool:
    """Tell whether what is called is an object that a class of the user's just has: a class, or one that counts."""
    holder = next((base for base in kind.__mro__ if name in vars(base)), kind)
    return thing is not MISSING and an.world.is_user(holder) and static(type(thing), "__get__") is MISSING


BUILT_IN = frozenset({list, tuple, dict, set, frozenset, bytearray})
ARRAYS = frozenset({"ndarray", "flatiter"})
"""Types that have no attributes but those of their class; of numpy, their names."""


def lacks(an: Interpreter, obj: Obj, kind: type, name: str) -> bool:
    """Tell whether an object of a class has no method of a name, so that a call raises: an array, or a user's own."""
    if kind in BUILT_IN or (kind.__module__ == "numpy" and kind.__name__ in ARRAYS):
        return static(kind, name) is MISSING
    plain = not obj.outer and an.is_plain_class(kind) and not obj.has(ANY)
    return plain and static(kind, name) is MISSING and static(kind, "__getattr__") is MISSING


def other_method(
    an: Interpreter, node: ast.AST, obj: Obj, kind: type, name: str, given: Arguments, scope: Scope
) -> Value:
    """Follow a method of an installed class, or of what stands in a row or column of pandas where these lack it."""
    if static(kind, name) is MISSING and is_table(kind):
        return call_method(an, node, within_tables(an, obj, name), name, given, scope)
    if name == "pipe" and is_table(kind) and (piped := given.of("0")) and all(is_callable(one) for one in piped):
        an.now.called += (name,)
        handed = [frozenset({obj}), *given.positional[1:]]
        return call_value(an, node, piped, replace(given, positional=handed, same=given.same - {0}), name)
    made = make_by_method(an, node, kind, name, given)
    return made | installed_method(an, node, kind, name, frozenset({obj}), given)


def within_tables(an: Interpreter, obj: Obj, name: str) -> Value:
    """Return what a row or column holds that may have a method of a name, through others that lack it as well."""
    found: set[Obj] = set()
    met, waiting = {obj}, [obj]
    while waiting:
        one = waiting.pop()
        for part in ({*one.held(ANY), *one.held(ELEMENT)} | cells_of(an, one)) - met:
            met.add(part)
            lacking = part.types and all(is_table(kind) and static(kind, name) is MISSING for kind in part.types)
            (waiting.append if lacking else found.add)(part)
    return frozenset(found)


def is_callable(obj: Obj) -> bool:
    """Tell whether an object is surely one that can be called."""
    return obj.origin is Origin.FUNCTION or (bool(obj.live) and obj.whole and all(map(callable, obj.live)))


def call_user_method(an: Interpreter, node: ast.AST, this: Value, kind: type, thing: Any, given: Arguments) -> Value:
    """Follow a method of one of the user's classes."""
    function: Any = thing.__func__ if isinstance(thing, (staticmethod, classmethod)) else thing
    if isinstance(thing, staticmethod):
        return follow(an, function, node, given)
    if isinstance(thing, classmethod):
        return follow(an, function, node, given.after(an.world.outer(kind, kind.__name__)))
    return follow(an, thing, node, given.after(this))


def call_module_part(an: Interpreter, node: ast.AST, obj: Obj, name: str, given: Arguments, what: str) -> Value:
    """Follow a call of what a module or class holds."""
    found = ATOM
    for holder in obj.live:
        if isinstance(holder, type):
            thing = static(holder, name)
            if isinstance(thing, classmethod):
                function: Any = thing.__func__
                if an.world.is_user(function):
                    found |= follow(an, function, node, given.after(an.world.outer(holder, holder.__name__)))
                    continue
                found |= make_by_method(an, node, holder, name, given)
                found |= installed(an, node, getattr(holder, name), given, what, made_type=holder)
                continue
            if isinstance(thing, types.ClassMethodDescriptorType):
                found |= make_by_method(an, node, holder, name, given)
            thing = thing.__func__ if isinstance(thing, staticmethod) else thing
        elif not isinstance(holder, types.ModuleType):  # a container may hold classes and other things
            found |= call_by_name(an, node, frozenset({obj}), name, given)
            continue
        else:
            thing = part_of(holder, name)
        if thing is MISSING and isinstance(holder, type):  # what holds classes may hold other things that have it
            found |= call_of_metaclass(an, node, holder, name, given, what)
            continue
        if thing is MISSING:
            found |= call_unloaded(an, node, f"{getattr(holder, '__name__', what)}.{name}", given)
            continue
        found |= call_value(an, node, an.world.outer(thing, what), given, what)
    return found


def call_of_metaclass(an: Interpreter, node: ast.AST, kind: type, name: str, given: Arguments, what: str) -> Value:
    """Follow a call of a method that a class has from its own class, if that has it."""
    found = ATOM
    for obj in an.world.outer(kind, kind.__name__):
        value = of_metaclass(an, obj, kind, name, node)
        found |= call_value(an, node, value, given, what) if value else ATOM
    return found


def call_by_name(an: Interpreter, node: ast.AST, this: Value, name: str, given: Arguments) -> Value:
    """Follow a method of objects of unknown type: all that have the name may be meant."""
    found = ATOM
    users = an.world.methods(name)
    for kind, thing in users:
        if unbound(thing) is not None:
            found |= call_user_method(an, node, this, kind, thing, given)
        else:
            found = found.union(*[bound_to(an, obj, kind, thing, name, node) for obj in this])
    count = len(given.positional) if given.spread is None else None
    entries = declared.methods_named(name, count, given.named)
    for entry in entries:
        found |= apply(an, node, entry, this, given, name)
    if not users and not entries:
        call_held(an, node, frozenset(obj for obj in this if not obj.outer), given)
        found |= undeclared_method(an, node, object, name, this, given)
    return found.union(*[any_part(an, obj) for obj in this])
