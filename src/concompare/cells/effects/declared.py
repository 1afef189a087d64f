"""Effects of installed callables by type and name: the tables of `library/`, read on demand.

What an entry says is in `entries`. Files are opened, and tables parsed, only for types and modules that are asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from concompare.cells.effects.entries import UNSEEN, WORDS, Condition, Declared, condition, read_entry

__all__ = ["UNSEEN", "Condition", "Declared", "condition", "function", "method", "methods_named", "named"]
LIBRARY = Path(__file__).with_name("library")
BUILTIN = (types.BuiltinFunctionType, types.MethodDescriptorType)


@dataclass(frozen=True, slots=True)
class Index:
    """Which file has the tables of a package, which packages are not of the standard library, and what names stand for.

    `aliases` gives the public names of private modules, `modules` says which dotted names are modules, not types, and
    `rare` which types a method's name alone does not stand for.
    """

    files: Mapping[str, str]
    aliases: Mapping[str, str]
    modules: frozenset[str]
    packages: frozenset[str]
    rare: frozenset[str]


def parsed(text: str) -> dict[str, Any]:
    """Return what a text says."""
    import tomllib

    return tomllib.loads(text)


@functools.cache
def index() -> Index:
    """Read the index of the library."""
    raw = parsed((LIBRARY / "index.toml").read_text(encoding="utf-8"))
    files = {root: stem for stem, roots in raw["files"].items() for root in roots.split()}
    aliases = {private: public for public, names in raw["aliases"].items() for private in names.split()}
    modules, packages, rare = raw["modules"]["dotted"], raw["packages"]["names"], raw["rare"]["types"]
    return Index(files, aliases, frozenset(modules.split()), frozenset(packages.split()), frozenset(rare.split()))


@functools.cache
def sections(stem: str) -> Mapping[str, str]:
    """Return the text of each table of a file: they are read one by one, for parsing takes its time."""
    text = (LIBRARY / f"{stem}.toml").read_text(encoding="utf-8")
    _, *parts = ("\n" + text).split("\n[")
    return {part.partition("]")[0].strip('"'): "[" + part for part in parts}


@functools.cache
def last_names(stem: str) -> Mapping[str, tuple[str, ...]]:
    """Return the tables of types in a file by the last part of their names."""
    found: dict[str, tuple[str, ...]] = {}
    for key in sections(stem):
        short = key.rpartition(".")[2]
        if not is_module(key):
            found[short] = (*found.get(short, ()), key)
    return found


@functools.cache
def table(key: str) -> Mapping[str, Declared]:
    """Return the entries of a table, none where there is no such table."""
    stem = stem_of(key)
    text = sections(stem).get(key) if stem is not None else None
    if text is None:
        return {}
    entries: dict[str, Declared] = {}
    for names, raw in next(iter(parsed(text).values())).items():
        entries.update(dict.fromkeys(names.split(), read_entry(raw)))
    return entries


@functools.cache
def stem_of_root(root: str) -> str | None:
    """Return the file that has the tables of a package."""
    files = index().files
    return files.get(root) or files.get(root.lstrip("_"))


def stem_of(dotted: str) -> str | None:
    """Return the file that has the tables of a type's or module's package; builtin types are written without theirs."""
    root = dotted.partition(".")[0]
    stem = stem_of_root(root)
    return "builtins" if stem is None and dotted in sections("builtins") else stem


def is_module(key: str) -> bool:
    """Tell whether a table stands for a module, not a type."""
    return key in index().modules if "." in key else stem_of_root(key) is not None


def public(module: str) -> str:
    """Return the public name of a module: `os.path` for `posixpath`, `sklearn.svm` for `sklearn.svm._base`."""
    aliases = index().aliases
    if module in aliases:
        return aliases[module]
    parts = module.split(".")
    for place, part in enumerate(parts):
        if part.startswith("_") and place:
            parts = parts[:place]
            break
    cut = ".".join(parts)
    return aliases.get(cut, cut)


def module_of(thing: object) -> str:
    """Return the name of the module of a function or class, or of the object that a builtin belongs to."""
    module = getattr(thing, "__module__", None)
    if isinstance(module, str):
        return module
    owner = getattr(thing, "__objclass__", None) or type(getattr(thing, "__self__", thing))
    return str(owner.__module__)


def live(key: str) -> type | None:
    """Return the type that a table stands for, where its module is loaded."""
    module, _, name = key.rpartition(".")
    found = vars(sys.modules[module or "builtins"]).get(name) if (module or "builtins") in sys.modules else None
    return found if isinstance(found, type) else None


def find_table(kind: type) -> Mapping[str, Declared]:
    """Find the table of a type by its name, or as the one that a public module has under that name."""
    stem = stem_of_root(kind.__module__.partition(".")[0])
    if stem is None:
        return {}
    written = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    keys = sections(stem)
    if written in keys and not is_module(written):
        return table(written)
    for key in last_names(stem).get(kind.__name__, ()):
        if live(key) is kind or f"{public(kind.__module__)}.{kind.__qualname__}" == key:
            return table(key)
    return {}


TABLES: dict[type, Mapping[str, Declared]] = {}
METHODS: dict[tuple[type, str], Declared | None] = {}
FUNCTIONS: dict[int, tuple[object, Declared | None]] = {}


def is_covered(module: object) -> bool:
    """Tell whether a module belongs to a package that has tables."""
    return isinstance(module, str) and stem_of_root(module.partition(".")[0]) is not None


def table_of(kind: type) -> Mapping[str, Declared]:
    """Return the table of a type itself, none where it has no table."""
    found = TABLES.get(kind)
    if found is None:
        found = find_table(kind)
        if is_covered(kind.__module__):
            TABLES[kind] = found
    return found


def is_overridden(kind: type, name: str, owner: type) -> bool:
    """Tell whether a class of a package without tables has a method of its own in place of the owner's."""
    for base in kind.__mro__:
        if name in vars(base):
            written = isinstance(vars(base)[name], types.FunctionType)  # `namedtuple` gives a class methods of its own
            if not is_covered(vars(base)[name].__module__ if written else base.__module__):
                return True
        if base is owner:
            return False
    return False


def find_method(kind: type, name: str) -> Declared | None:
    """Look a method up in a type and its bases: the nearest entry of that name, else the nearest default."""
    default: tuple[type, Declared] | None = None
    for base in kind.__mro__:
        entries = table_of(base)
        if name in entries:
            return None if is_overridden(kind, name, base) else placed(kind, name, entries[name])
        if default is None and "*" in entries:
            default = base, entries["*"]
    return default[1] if default is not None and not is_overridden(kind, name, default[0]) else None


def placed(kind: type, name: str, declared: Declared) -> Declared:
    """Add the names of a method's arguments to their positions."""
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return with_places(declared, parameters(found)[not isinstance(found, staticmethod) :])


def method(kind: type, name: str) -> Declared | None:
    """Return what a method or attribute of a type does.

    Methods that a class of another package puts in the place of a declared one are not known.
    """
    try:
        return METHODS[kind, name]
    except KeyError:
        found = find_method(kind, name)
        if is_covered(kind.__module__):
            METHODS[kind, name] = found
        return found


def shifted(term: str) -> str:
    """Return the words for the same thing where the receiver is given as the first argument."""
    head, dot, tail = term.partition(".")
    if head == "self":
        return "0" + dot + tail
    if head == "part":
        return "0.part"
    return f"{int(head) + 1}{dot}{tail}" if head.isdigit() else term


@functools.lru_cache(maxsize=4096)
def unbound_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words where the receiver is given as the first argument."""
    return tuple(map(shifted, words))


def unbound(declared: Declared) -> Declared:
    """Return what a method does that is called by its type's name: `list.append(xs, x)`."""
    if declared.static:
        return declared
    words: dict[str, Any] = {key: unbound_words(getattr(declared, key)) for key in WORDS}
    when = {}
    for text, added in declared.when.items():
        name, at, rest = text.partition("@")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        when[f"{name}@{int(digits) + 1}{rest[len(digits) :]}" if at else text] = unbound(added)
    return dataclasses.replace(declared, **words, when=types.MappingProxyType(when))


def entry_of(module: str, name: str) -> Declared | None:
    """Return the entry of a module's table, or its default."""
    entries = table(module)
    return entries.get(name) or entries.get("*")


def loaded_homes(stem: str) -> Iterator[str]:
    """Yield the modules of a file that are loaded."""
    yield from (key for key in sections(stem) if key in sys.modules and is_module(key))


def find_by_place(thing: object, name: str) -> Declared | None:
    """Find a function or class by a public module that has it, else by the name of its own module."""
    module = module_of(thing)
    stem = stem_of_root(module.partition(".")[0])
    if stem is None:
        return None
    found = None
    for home in loaded_homes(stem):
        if vars(sys.modules[home]).get(name) is thing:
            exact = table(home).get(name)
            if exact is not None:
                return exact
            found = found or table(home).get("*")
    if found is None:
        home = public(module)
        there = vars(sys.modules[home]).get(name, thing) if home in sys.modules else thing
        found = entry_of(home, name) if there is thing and is_module(home) else None
    known = vars(sys.modules[module]).get(name) if module in sys.modules else None
    hidden = isinstance(thing, types.FunctionType) and known is not thing  # `hashlib.new` is `__hash_new` there
    return found or (by_another_name(thing, stem) if hidden or isinstance(thing, types.BuiltinFunctionType) else None)


def by_another_name(thing: object, stem: str) -> Declared | None:
    """Find a function by the name under which a public module has it, as `threading.Lock` is `allocate_lock`."""
    for home in loaded_homes(stem):
        for name, entry in table(home).items():
            if vars(sys.modules[home]).get(name) is thing:
                return entry
    return None


def parameters(thing: object) -> tuple[str, ...]:
    """Return the names of a function's arguments that have positions, the receiver among them."""
    if isinstance(thing, BUILTIN) or type(thing).__name__ == "_ArrayFunctionDispatcher":
        return builtin_parameters(thing)
    if isinstance(thing, type):
        thing = vars(thing).get("__init__")
    for _ in range(8):
        thing = getattr(thing, "__func__", getattr(thing, "__wrapped__", thing))
    code = getattr(thing, "__code__", None)
    return code.co_varnames[: code.co_argcount] if isinstance(code, types.CodeType) else ()


def builtin_parameters(thing: Any) -> tuple[str, ...]:
    """Return the names of a builtin function's arguments that have positions, empty where they cannot be given."""
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return ()
    with_place = [part for part in found if part.kind in (part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD)]
    return tuple("" if part.kind is part.POSITIONAL_ONLY else part.name for part in with_place)


def with_places(declared: Declared, names: tuple[str, ...]) -> Declared:
    """Say of keywords what is said of their positions, and the other way round."""
    if not names:
        return declared
    pairs = [(str(place), name) for place, name in enumerate(names) if name]
    other = {**dict(pairs), **{name: place for place, name in pairs}}
    words: dict[str, Any] = {}
    for key in WORDS:
        said = getattr(declared, key)
        more = [other[head] + dot + tail for head, dot, tail in (term.partition(".") for term in said) if head in other]
        words[key] = (*said, *(term for term in more if term not in said))
    when = {}
    for text, added in declared.when.items():
        asked = condition(text)
        place = other.get(asked.names[0])
        known = asked.position is not None or place is None or "." in asked.names[0]
        name = asked.names[0]
        when[text if known or len(asked.names) > 1 else text.replace(name, f"{name}@{place}", 1)] = with_places(
            added, names
        )
    return dataclasses.replace(declared, **words, when=types.MappingProxyType(when))


def with_outputs(thing: object, declared: Declared) -> Declared:
    """Add the places of a ufunc's arguments that it writes into."""
    if type(thing).__name__ != "ufunc" or not all(hasattr(thing, part) for part in ("nin", "nout")):
        return declared
    inputs, outputs = thing.nin, thing.nout  # type: ignore[attr-defined]
    places = tuple(str(place) for place in range(inputs, inputs + outputs))
    return dataclasses.replace(declared, changes=(*declared.changes, *places))


def find_function(thing: object) -> tuple[Declared | None, bool]:
    """Find what a callable does, and tell whether it lasts as long as its module."""
    name = getattr(thing, "__name__", None)
    if not isinstance(name, str):
        return None, False
    found = find_by_place(thing, name)
    if found is not None:
        bound = isinstance(thing, (type, types.MethodType))
        return with_places(with_outputs(thing, found), parameters(thing)[bound:]), True
    owner = getattr(thing, "__self__", None)
    if isinstance(thing, (types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType)):
        if owner is None or isinstance(owner, types.ModuleType):
            return None, False
        return method(owner if isinstance(owner, type) else type(owner), name), False
    definer = getattr(thing, "__objclass__", None)
    if isinstance(definer, type):
        found = method(definer, name)
    elif isinstance(thing, types.FunctionType) and "." in thing.__qualname__:
        found = found_in_class(thing)
    if found is None and isinstance(thing, types.FunctionType) and thing is not inspect.unwrap(thing):
        return find_function(inspect.unwrap(thing))  # as the `open` of a notebook, which is IPython's
    return (unbound(found) if found is not None else None), isinstance(definer, type)


def found_in_class(thing: types.FunctionType) -> Declared | None:
    """Find what a function does that is a method written in Python, by the class that has it."""
    place, _, name = thing.__qualname__.rpartition(".")
    kind = vars(sys.modules[thing.__module__]).get(place) if thing.__module__ in sys.modules else None
    return method(kind, name) if isinstance(kind, type) and vars(kind).get(name) is thing else None


def function(thing: object) -> Declared | None:
    """Return what a live function, builtin, ufunc, class or method does when called.

    Of a bound method the entry speaks of the object that it is bound to as `self`; of a method that is taken from its
    type the receiver is argument 0.
    """
    held = FUNCTIONS.get(id(thing))
    if held is not None and held[0] is thing:
        return held[1]
    found, lasting = find_function(thing)
    if lasting or (isinstance(thing, (type, types.FunctionType)) and is_covered(module_of(thing))):
        FUNCTIONS[id(thing)] = thing, found
    return found


def named(dotted: str) -> Declared | None:
    """Return what a callable does, by its dotted name; the receiver of a method is argument 0."""
    place, _, name = dotted.rpartition(".")
    place = place or "builtins"
    if place in sys.modules and name in vars(sys.modules[place]):
        return function(vars(sys.modules[place])[name])
    home = place if is_module(place) and table(place) else public(place)
    if stem_of(home) is not None and is_module(home):
        return entry_of(home, name)
    outer, _, short = place.rpartition(".")
    key = short if outer in ("", "builtins") else f"{public(outer)}.{short}"
    kind = live(key) if table(key) else None
    if kind is not None and hasattr(kind, name):
        return function(getattr(kind, name))
    found = entry_of(key, name)
    return unbound(found) if found is not None else None


class Taken(NamedTuple):
    """The arguments that a method takes: how many it needs, how many by position at most, and which by name.

    None: any.
    """

    least: int = 0
    most: int | None = None
    words: frozenset[str] | None = None

    def fits(self, given: int, words: Iterable[str]) -> bool:
        """Tell whether a call may do anything: one with other arguments raises before that.

        Args:
            given: How many arguments the call has by position.
            words: The names of those that it has by name.
        """
        named = frozenset(words)
        if given + len(named) < self.least or (self.most is not None and given > self.most):
            return False
        return self.words is None or named <= self.words


NAMED: dict[str, list[tuple[Taken, Declared]]] = {}
LOADED = [0]


def in_reach() -> Iterator[tuple[str, str]]:
    """Yield names and texts of the tables of types of the standard library and of packages that are loaded."""
    files, packages, rare = index().files, index().packages, index().rare
    for stem in dict.fromkeys(stem for root, stem in files.items() if root not in packages or root in sys.modules):
        yield from ((key, text) for key, text in sections(stem).items() if not is_module(key) and key not in rare)


def taken_by(kind: type | None, name: str) -> Taken:
    """Return which arguments a method of a type takes, as far as that is known."""
    found = next((vars(base)[name] for base in getattr(kind, "__mro__", ()) if name in vars(base)), None)
    if not isinstance(found, (types.FunctionType, types.MethodDescriptorType)) or hasattr(found, "__wrapped__"):
        return Taken()
    try:
        _, *parts = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return Taken()
    kinds = {part.kind for part in parts}
    placed = [part for part in parts if part.kind in (part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD)]
    words = (part.name for part in parts if part.kind in (part.KEYWORD_ONLY, part.POSITIONAL_OR_KEYWORD))
    return Taken(
        sum(part.default is part.empty for part in placed),
        None if inspect.Parameter.VAR_POSITIONAL in kinds else len(placed),
        None if inspect.Parameter.VAR_KEYWORD in kinds else frozenset(words),
    )


def find_methods(name: str) -> list[tuple[Taken, Declared]]:
    """Collect what the methods of that name do, each with the arguments that it takes."""
    found: list[tuple[Taken, Declared]] = []
    for key, text in in_reach():
        entry, kind = table(key).get(name) if name in text else None, live(key)
        if entry is None and '"*"' in text and kind is not None and hasattr(kind, name):
            entry = method(kind, name)
        if entry is not None:
            found.append((taken_by(kind, name), entry))
    return found


def methods_named(name: str, given: int | None = None, words: Iterable[str] = ()) -> tuple[Declared, ...]:
    """Return what the methods of that name do, each answer once, for receivers whose type cannot be seen.

    All types of the standard library count, and those of other packages once they are loaded. Methods that would have
    to be given more arguments, fewer, or others are not meant: a call of them raises before it does anything.

    Args:
        name: The name.
        given: How many arguments the call has by position; None: that cannot be seen.
        words: The names of those that it has by name.
    """
    if LOADED[0] != len(sys.modules):
        NAMED.clear()
        LOADED[0] = len(sys.modules)
    if name not in NAMED:
        NAMED[name] = find_methods(name)
    found: list[Declared] = []
    for taken, entry in NAMED[name]:
        if (given is None or taken.fits(given, words)) and entry not in found:
            found.append(entry)
    return tuple(found)
