"""What we rely on of cloudpickle that it does not document, and what we do not rely on any more."""

from __future__ import annotations

import dis
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from types import CodeType, ModuleType, TracebackType
from typing import Any

import cloudpickle
import pytest

from concompare import engine
from concompare.testing import NOTEBOOK
from concompare.worker import remote
from concompare.worker.transfer import code_objects, pickling
from tests.dependencies.forgetful import Forgetful

SOURCE = """
import dataclasses, functools

def divide(n):
    return 1 // n

class Methods:
    def plain(self, n): return divide(n)
    @staticmethod
    def static(n): return [k for k in (divide(n),)]
    @classmethod
    def of_class(cls, n): return divide(n)
    @property
    def value(self): return divide(0)
    @functools.cached_property
    def kept(self): return divide(0)

@dataclasses.dataclass
class Data:
    n: int
    def go(self): return divide(self.n)

def doubled(function):
    @functools.wraps(function)
    def wrapper(n): return 2 * function(n)
    return wrapper

@doubled
def decorated(n): return divide(n)

@functools.lru_cache(maxsize=5)
def cached(n): return divide(n)

def nested(n):
    def inner(k):
        return (lambda q: [divide(q) for _ in range(1)])(k)
    return inner(n)

def made_by(start):
    def made(n, other=divide, *, more=lambda n: divide(n)): return start and made and other(n)
    return made

everything = [
    divide, Methods, Methods().plain, Methods.of_class, Data, Data(0).go, decorated, cached, nested, made_by(3),
    functools.partial(divide, n=0), {"parts": (lambda n: divide(n), [nested])}, divide.__code__,
]
"""


@pytest.fixture
def names() -> dict[str, Any]:
    """What a cell has defined."""
    namespace = dict(NOTEBOOK)
    exec(compile(SOURCE, "<cell 3>", "exec"), namespace)
    return namespace


@pytest.fixture(params=[cloudpickle.Pickler, Forgetful], ids=["cloudpickle", "forgetful"])
def pickler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """cloudpickle as it is, and as it may become."""
    monkeypatch.setattr(cloudpickle, "Pickler", request.param)
    return request.param  # type: ignore[no-any-return]


def codes_in(thing: Any, seen: set[int]) -> Iterator[CodeType]:
    """Yield every code object that a value leads to, in an order that depends on the value only."""
    if id(thing) in seen or isinstance(thing, ModuleType):
        return
    seen.add(id(thing))
    parts: list[Any] = []
    if isinstance(thing, CodeType):
        yield thing
        parts = list(thing.co_consts)
    elif isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, list | tuple):
        parts = list(thing)
    else:
        names = ("__code__", "__defaults__", "__kwdefaults__", "__wrapped__", "__func__", "__self__", "fget", "func")
        parts = [getattr(thing, name, None) for name in names]
        parts += [cell.cell_contents for cell in getattr(thing, "__closure__", None) or ()]
        if type(thing) is type or hasattr(thing, "__dict__"):
            parts += [part for name, part in sorted(vars(thing).items()) if name != "__wrapped__"]
        scope = getattr(thing, "__globals__", {}) if getattr(thing, "__module__", "") == "__main__" else {}
        parts += [scope[name] for name in getattr(getattr(thing, "__code__", None), "co_names", ()) if name in scope]
    for part in parts:
        yield from codes_in(part, seen)


def told_by(value: Any) -> list[tuple[Any, ...]]:
    """Return what every code object that a value leads to says of its place, and what it runs."""
    return [
        (code.co_filename, code.co_qualname, code.co_firstlineno, [*code.co_positions()], dis.Bytecode(code).dis())
        for code in codes_in(value, set())
        if code.co_filename == "<cell 3>"
    ]


def test_code_says_after_its_way_where_it_is_from(pickler: type[Any], names: dict[str, Any]) -> None:
    """`code_objects`: without it, tracebacks of items end nowhere and the names that an error leaves are not found."""
    told = told_by(names["everything"])
    expected = {"divide", "Methods.static", "Methods.value", "Methods.kept", "Data.go", "doubled.<locals>.wrapper"}
    expected |= {"nested.<locals>.inner.<locals>.<lambda>", "made_by.<locals>.made", "made_by.<locals>.<lambda>"}
    assert expected < {name for _, name, *_ in told}
    there = pickle.loads(pickling.pack(names["everything"]))
    assert all_of(told_by(there)) == all_of(told)
    assert all_of(told_by(pickle.loads(pickling.pack(there)))) == all_of(told)


def all_of(told: list[tuple[Any, ...]]) -> set[str]:
    """Return what code objects say, each once: the notebook's classes are not made again, so some are met twice."""
    return set(map(repr, without_addresses(told)))


def without_addresses(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return what code objects say, without where those inside them lie in memory."""
    cut = [text.split(" at 0x") for *_, text in told]
    return [(*rest, [part[-40:] for part in parts]) for (*rest, _), parts in zip(told, cut, strict=True)]


def test_the_names_that_stand_for_code_are_those_that_replace_takes() -> None:
    """`code_objects.fields`: what is missing among them would be taken from an empty program."""
    source = (
        "def f(a, /, b, *c, d=1, **e):\n    try: return lambda: (a, b, [c for c in d])\n    except ValueError: pass"
    )
    names: dict[str, Any] = {}
    exec(compile(source, "<here>", "exec"), names)
    made = code_objects.make_code(*code_objects.reduce_code(names["f"].__code__)[1])
    assert made == names["f"].__code__
    assert made.co_filename == "<here>"
    assert {"co_filename", "co_firstlineno", "co_linetable", "co_qualname", "co_code"} <= set(code_objects.fields())


READER = """
import pickle, sys, traceback
for thing in pickle.load(sys.stdin.buffer):
    try:
        thing(0)
    except ZeroDivisionError as error:
        print(*(entry.lineno for entry in traceback.extract_tb(error.__traceback__) if entry.filename == "<cell 3>"))
"""


def test_another_process_finds_the_users_lines(pickler: type[Any], names: dict[str, Any]) -> None:
    """`pickling.by_value`: its pickles are loaded by plain pickle, by a process that has nothing of the notebook."""
    calls = [names["divide"], names["Methods"]().plain, names["Methods"].static, names["nested"], names["decorated"],
             names["made_by"](1)]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", READER], input=pickling.pack(calls), capture_output=True, timeout=50, check=True
    )
    there = [[int(word) for word in line.split()] for line in ran.stdout.decode().splitlines()]
    assert there == [[line for line, _ in failing(call)] for call in calls]
    assert len(there) == len(calls)


def failing(call: Any) -> list[tuple[int | None, str]]:
    """Return the lines of the cell, and their functions, in the traceback of a call with 0 in this process."""
    with pytest.raises(ZeroDivisionError) as caught:
        call(0)
    return places(caught.value)


def places(error: BaseException) -> list[tuple[int | None, str]]:
    """Return the lines of the cell, and the full names of their functions, in an error's traceback."""
    entries = [(entry.tb_frame.f_code, entry.tb_lineno) for entry in walked(error.__traceback__)]
    return [(line, code.co_qualname) for code, line in entries if code.co_filename == "<cell 3>"]


def walked(entry: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the entries of a traceback."""
    while entry is not None:
        yield entry
        entry = entry.tb_next


@pytest.mark.parametrize("backend", ["processes", "spawn"])
def test_an_error_of_a_worker_ends_on_the_users_line(backend: str, pickler: type[Any], names: dict[str, Any]) -> None:
    from concompare import backends

    with engine.lease(backends.find(backend), 1) as pool, pytest.raises(ZeroDivisionError) as caught:
        engine.run_pass(names["nested"], [1, 0], pool)
    assert places(caught.value) == failing(names["nested"])


def test_a_pickler_of_cloudpickle_asks_its_reducer_override_for_functions_classes_and_code() -> None:
    """`pickling.by_value` builds on it: without, nothing of the notebook is sent by value as we want it."""
    seen: list[type] = []

    class Watching(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            seen.append(type(thing))
            return super().reducer_override(thing)

    namespace = dict(NOTEBOOK)
    exec("class A:\n    def f(self): return memoryview", namespace)
    Watching(io.BytesIO(), 5).dump([namespace["A"], memoryview(b"abc")])
    assert {type, type(test_another_process_finds_the_users_lines), CodeType, memoryview} <= set(seen)


def test_functions_are_reduced_to_what_makes_them_and_classes_to_what_makes_them_empty_first() -> None:
    """`code_objects.reduce_function` and `pickling.with_slots` take reductions apart: else classes lose `__slots__`."""
    namespace = dict(NOTEBOOK)
    exec("def f(): return 1\nclass A:\n    __slots__ = ('value',)", namespace)
    pickler = cloudpickle.Pickler(io.BytesIO(), 5)
    make, arguments, *_ = pickler.reducer_override(namespace["f"])
    assert callable(make)
    assert arguments[0] is namespace["f"].__code__
    make, (metaclass, name, bases, options, *_), (state, *_), *_ = pickler.reducer_override(namespace["A"])
    assert make.__name__ == "_make_skeleton_class"
    assert (metaclass, name, tuple(bases)) == (type, "A", (object,))
    assert isinstance(options, dict)
    assert "__slots__" in state
    there = pickle.loads(pickling.pack(namespace["A"]))
    assert not hasattr(there(), "__dict__")


def test_a_class_that_comes_back_is_the_class_that_was_sent() -> None:
    """Results of classes of the notebook: without it, `isinstance(result, Point)` is False after the cell."""
    namespace = dict(NOTEBOOK)
    exec("class Point: pass", namespace)
    assert pickle.loads(pickling.pack(namespace["Point"])) is namespace["Point"]


def test_only_the_globals_that_a_function_names_go_with_it() -> None:
    """`functions`: without it, every message would carry the whole notebook."""
    namespace = dict(NOTEBOOK, big=bytes(10**6), small=1)
    exec("def f(n): return (lambda: small + n)()", namespace)
    assert len(pickling.pack(namespace["f"])) < 10_000


def test_functions_sent_together_share_their_globals() -> None:
    """Functions of a cell that count in a global: without it, each would have a global of its own in a worker."""
    namespace = dict(NOTEBOOK, number=0)
    exec("def add():\n    global number\n    number += 1\ndef read(): return number", namespace)
    add, read = pickle.loads(pickling.pack([namespace["add"], namespace["read"]]))
    add()
    assert read() == 1


def test_a_cached_function_goes_with_its_settings_and_without_what_it_holds() -> None:
    """`pickling.cached`: cloudpickle refuses cached functions of the notebook."""
    namespace = dict(NOTEBOOK)
    exec(SOURCE, namespace)
    namespace["cached"](1)
    there = pickle.loads(pickling.pack(namespace["cached"]))
    assert there.cache_info() == (0, 0, 5, 0)
    assert there.__name__ == "cached"


def test_the_code_that_workers_without_concompare_get_is_whole() -> None:
    """`remote.sources`: cloudpickle's pickles of ours name modules, which must be among those that are sent."""
    sent = {name for name, _ in remote.sources()}
    assert code_objects.__name__.partition(".worker.")[2] in sent
