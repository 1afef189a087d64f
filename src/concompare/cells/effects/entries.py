"""Description of one installed callable: an entry of a table of `library/`.

A table stands for a type (`["pathlib.Path"]`, builtins without their module) or a module (`["os.path"]`). An entry says

- `changes`: what is changed, itself or in what it owns: `"self"`, arguments by position (the receiver not counted) or
  by keyword, `"*"` for all arguments, `"part"` for what the receiver holds and passes changes on to. A look-up adds
  the keyword to a position, and the other way round, where the signature can be seen.
- `holds`: what the receiver holds afterwards, in the same words; `"0.part"` is an element or part of argument 0.
  A function has no receiver: there it is what the first of `changes` holds.
- `returns`: `"atom"` (nobody can change it, nor anything it refers to), `"new"`, `"self"`, `"part"` (something
  reachable from the receiver, or a view of it; of a function with a `type`: something that is there already, for
  everybody), `"0"` (that argument or a view of it), `"0.part"`; several where it depends.
- `holding`: what a new result may hold, in the same words.
- `walks`: arguments whose elements are taken one after the other: an iterator among them is used up.
- `folds`: of a call that hands a function what it gave for the elements before: the argument whose elements these
  are, and the one that it begins with.
- `looks_up`: arguments in which something is looked up by key: a `defaultdict` takes in what it lacks.
- `type`, `calls`, `order`, `reads`, `lazy`, `cheap`, `copies`, `draws`, `forbidden`, `instead`, `within`: see
  `Declared`.
- `when`: what is added under a condition on an argument, see `Condition`.
- `static`: a class method or static method, so that a call by the type's name gives no receiver.
- `since`, `until`: the first version that has the name, and the first that has it no more.

`"*"` is the entry for every name of the type or module that has none. The entry of a constructor is in the table of
its module. An attribute that is read, not called, has an entry as well: a view of an array, the columns of a frame.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass

UNSEEN = object()
"""The value of an argument that cannot be seen before the run."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What an installed callable does.

    Attributes:
        changes: What is changed.
        holds: What the receiver holds afterwards.
        returns: What may be returned.
        holding: What a new result may hold.
        type: The dotted name of a new result's type, where it is sure; several where it is one of them.
        calls: The arguments that are called, with parts of the others; of a class, the methods of its object as well.
        walks: The arguments that are walked, so that an iterator is used up.
        folds: The argument whose elements are handed to a function with what it gave before, and what that begins with.
        looks_up: The arguments in which something is looked up by key, so that a `defaultdict` may grow.
        order: What it needs in the plain loop's order: output, input, random, files, programs, network, process,
            log.
        reads: What it sees without being given it: files, environment, time, process (ids, hashes, settings),
            random (the machine's own random numbers), frames (names where it is called, and of the notebook in its
            text), children (how many generators a seed has spawned, which cannot be set back), database (what its
            connection leads to), and database-changes where it may change that.
        lazy: The result is an iterator that does its work when walked.
        cheap: It is no work worth a worker.
        copies: What is new is a copy of the first argument, with copies of what that holds.
        draws: It draws random numbers from the receiver.
        forbidden: Why it never runs in workers, as words of a message; `instead`: what its user can do about it;
            `within`: the type of a context whose end puts back what it changes, so that it may run under it.
        static: It has no receiver, though it is found in a type.
        when: What is added under a condition (the text of a `Condition`).
    """

    changes: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    returns: tuple[str, ...] = ("new",)
    holding: tuple[str, ...] = ()
    type: str | None = None
    calls: tuple[str, ...] = ()
    walks: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    looks_up: tuple[str, ...] = ()
    order: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    lazy: bool = False
    cheap: bool = False
    copies: bool = False
    draws: bool = False
    forbidden: str = ""
    instead: str = ""
    within: str = ""
    static: bool = False
    when: Mapping[str, Declared] = dataclasses.field(default_factory=lambda: types.MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one argument, under which an entry of `when` is added.

    Written as `inplace` (given, and not as False or None), `no random_state` (not given, or as None), `without object`
    (not given at all), `copy=False` (given as that), `database!=:memory:` (given as anything else), `mode~wax+` (given
    as a text with any of these characters), `sql!query` (given as anything but a query of a database, which only looks
    something up) or `con!:sqlite3.Connection` (given as what may be of another type than these). `mode@1` says its
    position as well, `rng|seed` gives several names for it. `self.random_state` stands for an attribute of the receiver
    and `estimator.random_state` for one of an argument: given where there is one.
    """

    names: tuple[str, ...]
    position: int | None = None
    test: str = "given"
    value: str = ""

    def may_hold(self, given: bool, value: object = UNSEEN) -> bool:
        """Tell whether the condition holds, or may hold where the value of the argument cannot be seen."""
        if self.test == "absent":
            return not given or value is None or value is UNSEEN
        if self.test == "missing":
            return not given
        if self.test == "executes":
            return given and not is_query(value)
        if not given or value is UNSEEN or isinstance(value, Beginning):
            return given
        if self.test == "given":
            return value is not None and value is not False
        if self.test in ("equals", "differs"):
            told = str(bool(value)) if self.value in ("True", "False") and isinstance(value, int) else str(value)
            return (told == self.value) is (self.test == "equals")
        return not isinstance(value, str) or any(letter in value for letter in self.value)


class Beginning(str):
    """The beginning of a text whose rest cannot be seen."""


COMMENTS = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
CHANGING = re.compile(r"\b(insert|update|delete|replace)\b", re.IGNORECASE)


def is_query(value: object) -> bool:
    """Tell whether an argument is one statement of SQL that only looks something up."""
    if not isinstance(value, str):
        return False
    found = COMMENTS.match(value)
    words = value[found.end() if found is not None else 0 :].split(None, 1)
    first = words[0].upper() if len(words) == 2 else ""
    if first == "WITH":
        return not isinstance(value, Beginning) and not CHANGING.search(value)
    return first in ("SELECT", "VALUES")


@functools.cache
def condition(text: str) -> Condition:
    """Read a condition as it is written in `when`."""
    test, value, name = "given", "", text
    if text.startswith("no "):
        test, name = "absent", text[3:]
    elif text.startswith("without "):
        test, name = "missing", text[8:]
    elif "!:" in text:
        test, (name, _, value) = "type", text.partition("!:")
    elif text.endswith("!query"):
        test, name = "executes", text.removesuffix("!query")
    elif "!=" in text:
        test, (name, _, value) = "differs", text.partition("!=")
    elif "=" in text:
        test, (name, _, value) = "equals", text.partition("=")
    elif "~" in text:
        test, (name, _, value) = "has", text.partition("~")
    name, _, position = name.partition("@")
    return Condition(tuple(name.split("|")), int(position) if position else None, test, value)


WORDS = frozenset({"changes", "holds", "returns", "holding", "calls", "walks", "folds", "looks_up"})
SETS = frozenset({"order", "reads"})
FLAGS = frozenset({"lazy", "cheap", "copies", "draws", "static"})
TEXTS = frozenset({"type", "forbidden", "instead", "within"})
VERSIONS = frozenset({"since", "until"})


def terms(value: object) -> tuple[str, ...]:
    """Return the words of a key: one, or a list of them."""
    return tuple(str(part) for part in value) if isinstance(value, list) else (str(value),)


def read_entry(raw: Mapping[str, object], added: bool = False) -> Declared:
    """Make the record of one entry; what is only added under a condition returns nothing unless it says so."""
    found: dict[str, object] = {"returns": ()} if added else {}
    for key, value in raw.items():
        if key in WORDS:
            found[key] = terms(value)
        elif key in SETS:
            found[key] = frozenset(terms(value))
        elif key in FLAGS | TEXTS:
            found[key] = value
        elif key == "when" and isinstance(value, dict):
            found[key] = types.MappingProxyType({text: read_entry(part, added=True) for text, part in value.items()})
        elif key not in VERSIONS:
            raise ValueError(f'{key!r} is no key of an entry; the name of a type is quoted: ["pathlib.Path"]')
    if found.get("draws") and "self" not in (changes := found.get("changes", ())):  # type: ignore[operator]
        found["changes"] = ("self", *changes)  # type: ignore[misc]
    return Declared(**found)  # type: ignore[arg-type]
