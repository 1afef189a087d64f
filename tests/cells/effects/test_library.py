"""The tables of installed callables are not trusted: each entry is called, and says no less than what is seen."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import inspect
import io
import itertools
import os
import tomllib
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.effects import declared, entries
from concompare.cells.effects.declared import Declared
from concompare.cells.effects.kinds import type_named
from tests.cells.effects import makers, pictures, seeing
from tests.cells.effects.receivers import RECEIVERS
from tests.cells.effects.seeing import MISSING, Seen

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]
"""Files stay open, deprecated names are called; and the machine may be busy."""
Attempt = Callable[[], tuple[Any, dict[str, Any]]]
HERE = Path(__file__).parent
SUCCESSES = (4, 8, 5, 3)
"""How many choices of no, one, two and three arguments have to work, where they can."""
DANGEROUS = frozenset({"programs", "process", "network", "input"})
"""Entries that need these are called with arguments that a person wrote."""


def raw_tables() -> dict[str, dict[str, dict[str, Any]]]:
    """Return all tables as they are written."""
    files = (path for path in sorted(declared.LIBRARY.glob("*.toml")) if path.stem != "index")
    return {key: entries for path in files for key, entries in tomllib.loads(path.read_text(encoding="utf-8")).items()}


RAW = raw_tables()
VERSIONED = {
    (key, name): raw
    for key, entries in RAW.items()
    for names, raw in entries.items()
    for name in names.split()
    if {"since", "until"} & raw.keys()
}


@functools.cache
def written_calls() -> dict[str, list[str]]:
    """Return the calls that people wrote, by the entry that they are of."""
    found: dict[str, list[str]] = {}
    for line in (HERE / "calls.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            entry, _, call = line.removeprefix("only ").partition(": ")
            found.setdefault(entry, []).append(call)
    return found


@functools.cache
def only_written() -> frozenset[str]:
    """Return the entries that would wait, or harm, with arguments that nobody chose."""
    lines = (HERE / "calls.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line[5:].partition(": ")[0] for line in lines if line.startswith("only "))


@functools.cache
def not_called() -> dict[str, str]:
    """Return the entries that are not called, and why not."""
    lines = (HERE / "not_called.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: reason for names, _, reason in pairs for name in names.split()}


def loaded(key: str) -> Any:
    """Return the module or type that a table stands for, or skip the test where its package is not installed."""
    module = key if declared.is_module(key) else key.rpartition(".")[0] or "builtins"
    if module.partition(".")[0] in declared.index().packages:
        pytest.importorskip(module, reason=f"{module} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = importlib.import_module(module)
    return found if declared.is_module(key) else getattr(found, key.rpartition(".")[2], None)


def exists(key: str, name: str, thing: Any) -> bool:
    """Tell whether a name is in a module or type, or in an example of it."""
    if hasattr(thing, name):
        return True
    return any(hasattr(make(), name) for make in RECEIVERS.get(key, ()))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    seeing.fresh_folder(tmp_path)
    yield tmp_path
    while makers.NUMBERS:
        with contextlib.suppress(OSError):
            os.close(makers.NUMBERS.pop())
    makers.KEPT.clear()
    gc.collect()


@pytest.mark.parametrize("key", RAW)
def test_every_declared_name_exists(key: str) -> None:
    thing = loaded(key)
    names = [name for name in declared.table(key) if name != "*" and (key, name) not in VERSIONED]
    assert [name for name in names if not exists(key, name, thing)] == []


def is_read(receiver: Any, name: str) -> bool:
    """Tell whether a name is read as an attribute, not called."""
    found = inspect.getattr_static(type(receiver), name, None)
    kinds = (property, types.GetSetDescriptorType, types.MemberDescriptorType, functools.cached_property)
    return found is None or isinstance(found, kinds) or not callable(getattr(receiver, name, None))


def caller(thing: Any, name: str, entry: Declared, receiver: Any) -> Callable[..., Any]:
    """Return what calls an entry with a receiver and arguments."""
    if receiver is MISSING:
        function = getattr(thing, name)
        return lambda _, *args, **kwargs: function(*args, **kwargs)
    if entry.static:
        return lambda _, *args, **kwargs: getattr(type(receiver), name)(*args, **kwargs)
    if is_read(receiver, name):
        return lambda receiver, *args, **kwargs: getattr(receiver, name)
    return lambda receiver, *args, **kwargs: getattr(receiver, name)(*args, **kwargs)


def given_of(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {**{str(place): value for place, value in enumerate(args)}, **kwargs}


def written_attempts(label: str) -> Iterator[Attempt]:
    """Yield the calls of an entry that people wrote: `receiver | arguments`, or only the arguments."""

    def make(text: str) -> tuple[Any, dict[str, Any]]:
        receiver, bar, arguments = f"{text} ".rpartition(" | ")
        names = makers.Names(vars(makers), given_of=given_of)
        return eval(receiver, {}, names) if bar else MISSING, eval(f"given_of({arguments})", {}, names)

    for text in written_calls().get(label, ()):
        yield functools.partial(make, text)


def keywords_of(thing: Any, name: str) -> list[str]:
    """Return the names of arguments that deserve a try."""
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        return [word for word in inspect.signature(getattr(thing, name)).parameters if word in makers.KEYWORDS]
    return ["key"] if name in ("sort", "max", "min", "sorted") else []


def tried_attempts(key: str, name: str, entry: Declared, thing: Any) -> Iterator[tuple[int, list[Attempt]]]:
    """Yield all sorts of arguments by their number, shorter ones first: calls with them of each receiver, in turn."""
    stem = declared.stem_of(key) or ""
    pool = makers.POOLS.get(stem, makers.PLAIN)
    if "files" in itertools.chain(entry.order, entry.reads, *(part.order for part in entry.when.values())):
        pool = tuple(
            maker for maker in pool if not isinstance(maker(), int)
        )  # they would be files that are open already
    receivers = [lambda: MISSING] if declared.is_module(key) else list(RECEIVERS.get(key, ()))
    arguments: list[tuple[makers.Maker, ...]] = [(), *((maker,) for maker in pool)]
    most = {"pandas": 5, "matplotlib": 2}.get(stem, 8)  # their examples take their time to make
    arguments += [*itertools.product(pool[:most], repeat=2), *itertools.product(pool[: most // 2], repeat=3)]
    words = keywords_of(thing, name)
    if all(make() is not MISSING and is_read(make(), name) for make in receivers):
        arguments = [()]

    def make(receiver: makers.Maker, args: tuple[makers.Maker, ...], word: str) -> tuple[Any, dict[str, Any]]:
        held = {str(place): maker() for place, maker in enumerate(args)}
        return receiver(), {**held, **({word: makers.KEYWORDS[word][0]()} if word else {})}

    for turn, args in enumerate(arguments):
        turned = receivers[turn % len(receivers) :] + receivers[: turn % len(receivers)] if receivers else []
        for word in ["", *words] if len(args) < 2 else [""]:
            yield len(args), [functools.partial(make, receiver, args, word) for receiver in turned]


def effective(entry: Declared, receiver: Any, given: dict[str, Any]) -> Declared:
    """Return an entry together with what is added under conditions that these arguments meet."""
    parts = [entry]
    for text, added in entry.when.items():
        wanted = declared.condition(text)
        found = [value for name in wanted.names for value in looked_up(name, wanted.position, receiver, given)]
        if wanted.may_hold(bool(found), found[0] if found else None):
            parts.append(added)
    words = {key: tuple(itertools.chain(*(getattr(part, key) for part in parts))) for key in entries.WORDS}
    sets = {key: frozenset(itertools.chain(*(getattr(part, key) for part in parts))) for key in entries.SETS}
    return Declared(**words, **sets, type=entry.type, lazy=entry.lazy, forbidden=entry.forbidden)  # type: ignore[arg-type]


def looked_up(name: str, position: int | None, receiver: Any, given: dict[str, Any]) -> list[Any]:
    """Return the value of a condition's argument or attribute, in a list that is empty where it is not there."""
    owner, dot, attribute = name.partition(".")
    if owner == "self" and dot:
        return [getattr(receiver, attribute)] if hasattr(receiver, attribute) else []
    found = [given[place] for place in (owner, str(position)) if place in given]
    return [getattr(value, attribute) for value in found if hasattr(value, attribute)] if dot else found


def covers(words: tuple[str, ...], term: str) -> bool:
    """Tell whether declared words speak of something seen."""
    head, _, tail = term.partition(".")
    mine = head in ("self", "part")
    if term in words or (mine and "self" in words) or (term == "self" and "part" in words):
        return True
    return not mine and (head in words or "*" in words or (bool(tail) and "*.part" in words))


def complaints(entry: Declared, seen: Seen, parties: dict[str, Any]) -> Iterator[str]:
    """Yield what was seen and is not declared; the file of a stream that is said to change is the stream's own."""
    if any(isinstance(thing, io.IOBase) and covers(entry.changes, name) for name, thing in parties.items()):
        seen.order.discard("files")
    for name in seen.changed:
        words = entry.changes + (entry.walks if name in seen.iterators else ())
        if not (name in words if name == "self" else covers(words, name)):
            yield f"changes {name}"
    yield from (f"holds {name}" for name in seen.held if not covers(entry.holds, name))
    yield from (f"calls {name}" for name in seen.called if name != "self" and not covers(entry.calls, name))
    yield from (f"needs {word} in order" for word in seen.order - entry.order)
    if seen.reads - entry.reads and "files" not in entry.order:
        yield "reads files"
    if seen.failed is None and not seen.atom:
        yield from complaints_of_result(entry, seen)


def complaints_of_result(entry: Declared, seen: Seen) -> Iterator[str]:
    """Yield what was seen of a result and is not declared."""
    yield from (f"returns {name}" for name in seen.returns if not covers(entry.returns, name))
    if not seen.returns and set(entry.returns) <= {"atom", "self"}:
        yield f"returns something new: {type(seen.result)}"
    words = entry.holding + tuple(word for word in entry.returns if word not in ("new", "atom"))
    yield from (f"the result holds {name}" for name in seen.holding if not covers(words, name))
    if entry.lazy and not hasattr(seen.result, "__next__"):
        yield f"is not lazy: {type(seen.result)}"
    if entry.type is not None and not seen.returns and not is_of(seen.result, entry.type):
        yield f"its type is {type(seen.result)}"


def is_of(thing: Any, dotted: str) -> bool:
    kinds = [kind for kind in map(type_named, dotted.split()) if kind is not None]
    return isinstance(thing, tuple(kinds))


@dataclass
class Entry:
    """One entry under test, and the state of the process and of the folder before its calls."""

    key: str
    name: str
    says: Declared
    thing: Any
    before: dict[str, Any] = field(default_factory=seeing.ambient)
    files: list[tuple[str, int, int]] = field(default_factory=lambda: seeing.listing("."))

    @property
    def label(self) -> str:
        return f"{self.key}.{self.name}"

    def placed(self, receiver: Any) -> Declared:
        """Return the entry as it is looked up: with the names of the arguments that it speaks of by their positions."""
        if receiver is not MISSING:
            return declared.placed(type(receiver), self.name, self.says)
        function = getattr(self.thing, self.name)
        bound = isinstance(function, (type, types.MethodType))
        says = declared.with_outputs(function, self.says)
        return declared.with_places(says, declared.parameters(function)[bound:])

    def works(self, attempt: Attempt) -> bool:
        """Tell whether a call with such arguments does not fail, at the cost of one that nobody watches."""
        receiver, given = attempt()
        try:
            if receiver is not MISSING and not hasattr(receiver, self.name):
                return False
        except Exception:  # an attribute that this receiver refuses to give
            return False
        places = [value for word, value in given.items() if word.isdigit()]
        words = {word: value for word, value in given.items() if not word.isdigit()}
        out = io.StringIO()
        with warnings.catch_warnings(record=True), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                caller(self.thing, self.name, self.says, receiver)(receiver, *places, **words)
            except Exception:
                return False
        self.put_files_back()
        return True

    def put_files_back(self) -> bool:
        """Make the files new, where something has changed them, and tell whether it has."""
        if seeing.listing(".") == self.files:
            return False
        seeing.fresh_folder(Path.cwd())
        self.files = seeing.listing(".")
        return True

    def run(self, attempt: Attempt) -> tuple[Seen, list[str]]:
        """Make receiver and arguments twice, call with one set, and compare what is seen with what is declared."""
        (receiver, given), other = attempt(), attempt()
        shared = (
            pictures.reach([receiver, *given.values()]).keys() & pictures.reach([other[0], *other[1].values()]).keys()
        )
        call = caller(self.thing, self.name, self.says, receiver)
        shown = " ".join(", ".join(f"{word}={value!r:.60}" for word, value in given.items()).split())
        self.files = seeing.listing(".")  # making them may have written files as well
        seen = seeing.see(call, receiver, given, frozenset(shared), self.before)
        if self.put_files_back():
            seen.order.add("files")
        texts = complaints(effective(self.placed(receiver), receiver, given), seen, {"self": receiver, **given})
        return seen, [f"{self.label}({shown}) of {type(receiver).__name__}: {text}" for text in texts]


def call_entry(key: str, name: str, says: Declared, thing: Any) -> tuple[int, list[str]]:
    """Call an entry until it has worked a few times; return how often it worked and what it says too little of."""
    entry = Entry(key, name, says, thing)
    worked, found = 0, []
    for attempt in written_attempts(entry.label):
        seen, texts = entry.run(attempt)
        found += texts if seen.failed is None else [f"{entry.label}: its written call fails: {seen.failed!r}"]
        worked += 1
    if not says.forbidden and not says.order & DANGEROUS and entry.label not in only_written():
        left = list(SUCCESSES)
        for count, attempts in tried_attempts(key, name, says, thing):
            most = len(attempts) if left[count] >= SUCCESSES[count] - 1 else 1
            working = filter(entry.works, attempts) if left[count] and len(found) < 4 else iter(())
            outcomes = [entry.run(attempt) for attempt in itertools.islice(working, most)]
            found += [text for _, texts in outcomes for text in texts]
            worked += sum(seen.failed is None for seen, _ in outcomes)
            left[count] -= bool(outcomes)
    return worked, found


@pytest.mark.parametrize("key", RAW)
def test_entries_say_no_less_than_is_seen(key: str) -> None:
    thing = loaded(key)
    found, silent = [], []
    for name, entry in declared.table(key).items():
        if name == "*" or not exists(key, name, thing) or f"{key}.{name}" in not_called():
            continue
        worked, texts = call_entry(key, name, entry, thing)
        found += texts
        if not worked and not entry.forbidden:
            silent.append(f"{key}.{name}: no call of it worked: write one into calls.txt")
    assert found + silent == []


def names_by_default(key: str, thing: Any) -> list[str]:
    """Return the public callables that a table's `"*"` speaks of."""
    listed = declared.table(key)
    if declared.is_module(key):
        names = [
            name for name, value in vars(thing).items() if callable(value) and declared.function(value) is listed["*"]
        ]
    else:
        examples = [make() for make in RECEIVERS.get(key, ())]
        names = sorted({name for example in examples for name in dir(example)})
        names = [name for name in names if declared.method(type(examples[0]), name) is listed["*"]]
    return [name for name in names if not name.startswith("_") and name not in listed]


NOTHING = Declared(returns=("atom",))


@pytest.mark.parametrize(
    ("key", "name", "says", "seen"),
    [
        ("list", "append", NOTHING, "changes self"),
        ("list", "append", Declared(changes=("self",)), "holds 0"),
        ("list", "extend", Declared(changes=("self",), holds=("0.part",)), "changes 0"),
        ("list", "sort", Declared(changes=("self",)), "calls key"),
        ("list", "copy", Declared(), "the result holds part"),
        ("list", "copy", NOTHING, "returns something new"),
        ("dict", "get", Declared(returns=("atom",)), "returns part"),
        ("pathlib.Path", "rename", Declared(returns=("atom", "0")), "needs files in order"),
        ("pathlib.Path", "replace", Declared(returns=("atom", "0")), "needs files in order"),
        ("pathlib.Path", "read_text", NOTHING, "reads files"),
        ("builtins", "print", NOTHING, "needs output in order"),
        ("random", "random", NOTHING, "needs random in order"),
        ("numpy.random", "normal", Declared(), "needs random in order"),
        ("logging", "warning", NOTHING, "needs log in order"),
        ("subprocess", "run", Declared(returns=("new",)), "needs programs in order"),
        ("csv", "register_dialect", NOTHING, "needs process in order"),
        ("heapq", "heappush", NOTHING, "changes 0"),
        ("numpy", "reshape", Declared(), "returns 0"),
        ("numpy.ndarray", "view", Declared(), "returns self"),
        ("numpy.ndarray", "sort", NOTHING, "changes self"),
        ("itertools", "chain", Declared(lazy=True), "the result holds 0"),
        ("builtins", "sorted", Declared(lazy=True, holding=("0.part",), walks=("0",), calls=("key",)), "is not lazy"),
        ("builtins", "sorted", Declared(type="dict", holding=("0.part",), walks=("0",), calls=("key",)), "its type is"),
        ("sqlite3", "connect", Declared(), "needs files in order"),
    ],
)
def test_an_entry_that_says_too_little_is_noticed(key: str, name: str, says: Declared, seen: str) -> None:
    found = call_entry(key, name, says, loaded(key))[1]
    assert any(seen in text for text in found), found


@pytest.mark.parametrize("method", ["rename", "replace"])
def test_what_a_path_renames_is_said(method: str) -> None:
    says = declared.table("pathlib.Path")[method]
    worked, found = call_entry("pathlib.Path", method, says, Path)
    assert worked
    assert found == []


OF_FIGURES = ("matplotlib.artist.Artist", "matplotlib.pyplot")
"""Tables whose default says that everything changes, which nothing that is seen can refute."""
DEFAULTS = [key for key, entries in RAW.items() if "*" in entries and key not in OF_FIGURES]


@pytest.mark.parametrize("key", DEFAULTS)
def test_defaults_say_no_less_than_is_seen_of_what_they_speak_of(key: str) -> None:
    thing, entry = loaded(key), declared.table(key)["*"]
    found = []
    for name in names_by_default(key, thing):
        if f"{key}.{name}" not in not_called():
            found += call_entry(key, name, entry, thing)[1]
    assert found == []


def test_what_is_not_called_is_declared_and_has_a_reason() -> None:
    assert [name for name, reason in not_called().items() if not reason] == []
    entries = {f"{key}.{name}" for key in RAW for name in declared.table(key)}
    defaults = tuple(f"{key}." for key, raw in RAW.items() if "*" in raw)
    assert [name for name in not_called() if name not in entries and not name.startswith(defaults)] == []


def test_few_entries_are_not_called() -> None:
    entries = [f"{key}.{name}" for key in RAW for name in declared.table(key) if name != "*"]
    missed = [name for name in not_called() if name in entries]
    print(f"{len(entries)} entries are declared, {len(missed)} of them are not called")
    assert len(missed) < len(entries) / 20
