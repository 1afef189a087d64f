"""How the tables of installed callables are looked up: by type through its bases, by function, by name."""

from __future__ import annotations

import collections
import io
import json
import os
import pathlib
import posixpath
import random
import subprocess
import sys
import threading
import tomllib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from concompare.cells.effects import declared, entries
from concompare.cells.effects.declared import Declared, condition, function, method, methods_named, named


def entry(found: Declared | None) -> Declared:
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["rename", "replace"])
def test_a_path_renames_files_and_a_text_does_not(name: str) -> None:
    assert entry(method(type(pathlib.Path()), name)).order == {"files"}
    assert entry(method(str, "replace")).order == frozenset()
    assert entry(method(str, "replace")).returns == ("atom",)


def test_a_receiver_of_unknown_type_gets_what_all_types_do() -> None:
    found = methods_named("replace")
    assert {"files"} in [said.order for said in found]
    assert frozenset() in [said.order for said in found]
    assert any("self" in said.changes for said in methods_named("update"))


def test_types_of_packages_that_are_not_loaded_do_not_count() -> None:
    code = (
        "import sys\n"
        "from concompare.cells.effects import declared\n"
        "before = declared.methods_named('iterrows')\n"
        "assert 'pandas' not in sys.modules\n"
        "declared.function(len), declared.method(list, 'append')\n"
        "print(before, [key for key in map(str, declared.table.cache_parameters())][:0])\n"
        "import pandas\n"
        "print(bool(declared.methods_named('iterrows')))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert shown.stdout.split() == ["()", "[]", "True"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_only_the_tables_that_are_asked_for_are_read() -> None:
    code = (
        "import sys, tomllib\n"
        "from concompare.cells.effects import declared\n"
        "texts = []\n"
        "loads = tomllib.loads\n"
        "tomllib.loads = lambda text: texts.append(text.split(']')[0]) or loads(text)\n"
        "declared.method(list, 'append'), declared.method(list, 'extend'), declared.function(len)\n"
        "print(sum(text.startswith('[') for text in texts), '[list' in texts, len(texts))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert shown.stdout.split() == ["2", "True", "3"]


@pytest.mark.parametrize(
    ("kind", "name", "changes"),
    [
        (list, "append", ("self",)),
        (collections.Counter, "pop", ("self",)),
        (collections.OrderedDict, "move_to_end", ("self",)),
        (np.ndarray, "sort", ("self",)),
        (np.random.Generator, "normal", ("self",)),
        (np.random.RandomState, "shuffle", ("self", "0")),
        (random.Random, "choice", ("self",)),
        (io.BytesIO, "write", ("self",)),
        (io.TextIOWrapper, "write", ("self",)),
        (type(threading.Lock()), "acquire", ("self",)),
        (type(threading.RLock()), "acquire", ("self",)),
        (pd.DataFrame, "insert", ("self",)),
        (type(pd.Series([1]).groupby([1])), "sum", ()),
        (bool, "bit_length", ()),
        (type({}.keys()), "isdisjoint", ()),
    ],
)
def test_methods_are_found_by_the_type_or_a_base_of_it(kind: type, name: str, changes: tuple[str, ...]) -> None:
    assert entry(method(kind, name)).changes[: len(changes) or None] == changes


@pytest.mark.parametrize(
    ("thing", "dotted"),
    [
        (random.shuffle, "random.shuffle"),
        (np.random.shuffle, "numpy.random.shuffle"),
        (os.path.join, "os.path.join"),
        (posixpath.join, "posixpath.join"),
        (os.rename, "posix.rename"),
        (json.dump, "json.dump"),
        (np.concatenate, "numpy.concatenate"),
        (np.linalg.inv, "numpy.linalg.inv"),
        (len, "len"),
        (len, "builtins.len"),
        (collections.deque, "collections.deque"),
        (pd.merge, "pandas.merge"),
        (pd.merge, "pandas.core.reshape.merge.merge"),
        (pathlib.Path, "pathlib.Path"),
        (list.append, "list.append"),
        (pathlib.Path.rename, "pathlib.Path.rename"),
        (dict.fromkeys, "dict.fromkeys"),
    ],
)
def test_a_function_is_found_as_it_is_and_by_its_name(thing: Any, dotted: str) -> None:
    assert entry(function(thing)) == entry(named(dotted))


def test_the_module_functions_of_random_draw_in_order_and_its_objects_from_themselves() -> None:
    assert entry(function(random.shuffle)).order == entry(function(np.random.shuffle)).order == {"random"}
    assert entry(function(random.Random(1).shuffle)).draws
    assert entry(function(np.random.default_rng(1).normal)).order == frozenset()


def test_a_bound_method_speaks_of_self_and_a_method_of_a_type_of_its_first_argument() -> None:
    assert entry(function([].append)).changes == ("self",)
    assert entry(function(list.append)).changes == ("0",)
    assert entry(function(list.append)).holds == ("1",)
    assert entry(function(dict.setdefault)).returns == ("0.part", "2")
    assert "mode@1~wax+" in entry(function(pathlib.Path.open)).when


def test_a_ufunc_writes_into_the_argument_after_its_inputs() -> None:
    assert entry(function(np.add)).changes == ("out", "2")
    assert entry(function(np.modf)).changes == ("out", "1", "2")
    assert entry(function(np.sqrt)).changes == ("out", "1")


class Shouting(str):
    def shout(self) -> str:
        return self.upper()

    def replace(self, *args: Any) -> str:
        return "other"


class Logged(list[int]):
    def append(self, item: int) -> None:
        print(item)


def test_methods_of_classes_without_tables_are_not_known_by_those_of_their_bases() -> None:
    assert method(Shouting, "shout") is None
    assert method(Shouting, "replace") is None
    assert entry(method(Shouting, "lower")).returns == ("atom",)
    assert method(Logged, "append") is None
    assert entry(method(Logged, "pop")).changes == ("self",)


def test_what_is_not_declared_is_not_known() -> None:
    assert method(list, "no_such_method") is None
    assert function(test_what_is_not_declared_is_not_known) is None
    assert function(Shouting) is None
    assert function(3) is None
    assert named("nowhere.at_all") is None
    assert method(pathlib.Path, "no_such_method") is None


def test_an_installed_wrapper_does_what_it_wraps() -> None:
    from IPython.core.interactiveshell import _modified_open

    assert function(_modified_open) == function(open)
    assert [key for key in entry(function(_modified_open)).when if key.startswith("mode@1")]


def test_a_method_that_the_notebook_puts_into_an_installed_class_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared, "METHODS", {})
    monkeypatch.setattr(pathlib.Path, "touch", lambda self: print(self))
    assert method(pathlib.Path, "touch") is None


@pytest.mark.parametrize(
    ("text", "given", "value", "holds"),
    [
        ("inplace", False, None, False),
        ("inplace", True, False, False),
        ("inplace", True, True, True),
        ("inplace", True, declared.UNSEEN, True),
        ("no random_state", False, None, True),
        ("no random_state", True, None, True),
        ("no random_state", True, 3, False),
        ("no random_state", True, declared.UNSEEN, True),
        ("copy=False", True, False, True),
        ("copy=False", True, True, False),
        ("copy=False", False, None, False),
        ("database@0!=:memory:", True, ":memory:", False),
        ("database@0!=:memory:", True, "file.db", True),
        ("mode@1~wax+", True, "rb", False),
        ("mode@1~wax+", True, "r+", True),
        ("mode@1~wax+", False, None, False),
    ],
)
def test_a_condition_holds_as_it_is_written(text: str, given: bool, value: object, holds: bool) -> None:
    assert condition(text).may_hold(given, value) is holds


def test_a_condition_says_names_and_position() -> None:
    assert condition("no rng|seed").names == ("rng", "seed")
    assert condition("mode@1~wax+").position == 1
    assert condition("copy=False").position is None


@pytest.mark.parametrize("path", sorted(declared.LIBRARY.glob("*.toml")), ids=lambda path: str(path.stem))
def test_every_table_can_be_found_by_the_package_of_its_name(path: pathlib.Path) -> None:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    if path.stem == "index":
        assert {stem.stem for stem in declared.LIBRARY.glob("*.toml")} == {"index", *raw["files"]}
        return
    assert list(declared.sections(path.stem)) == list(raw)
    for key, written in raw.items():
        assert declared.stem_of(key) == path.stem
        names = [name for group in written for name in group.split()]
        assert len(names) == len(set(names)), f"{key}: said twice"
        assert list(declared.table(key)) == names


def test_what_is_said_of_a_position_is_said_of_the_keyword_too_and_the_other_way_round() -> None:
    assert {"0", "source"} <= set(entries_of(fill).changes)
    assert {"1", "target"} <= set(entries_of(fill).holds)
    assert set(entries_of(fill).when) == {"no seed@2"}


def fill(source: list[int], target: list[int], seed: int = 0) -> None:
    source.append(seed)
    target.append(seed)


def entries_of(thing: Any) -> Declared:
    raw = {"changes": [0], "holds": ["target"], "when": {"no seed": {"order": "random"}}}
    return declared.with_places(entries.read_entry(raw), declared.parameters(thing))


def test_a_wrong_key_of_an_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="'chages' is no key of an entry"):
        entries.read_entry({"chages": ["self"]})


def test_what_is_drawn_from_is_changed() -> None:
    assert entries.read_entry({"draws": True}).changes == ("self",)


def test_the_tables_are_part_of_the_package() -> None:
    import concompare

    assert declared.LIBRARY.is_relative_to(pathlib.Path(concompare.__file__).parent)
    assert (declared.LIBRARY / "builtins.toml").is_file()
