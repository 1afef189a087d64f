"""Values as bytes, with their large buffers beside the pickle."""

from __future__ import annotations

import functools
import math
import pickle
import sys
import types
from typing import Any

import pytest

from concompare.worker.transfer.pickling import (
    Parcel,
    function_parts,
    functions_behind,
    given_back,
    inner_function,
    lend,
    pack,
    put,
    unpack,
)

# ---------------------------------------------------------------------------------------------------- shared memory


def test_large_buffers_lie_beside_the_pickle(tmp_path: Any) -> None:
    import numpy as np

    file = tmp_path / "room"
    file.write_bytes(bytes(2**21))
    buffers: list[Any] = []
    data = pack([np.arange(100_000)], buffers)
    assert len(data) < 1000
    parcel, wanted = put(data, buffers, (str(file), 0, 2**21))
    assert parcel is not None
    assert wanted == 800_000
    lent: list[Any] = []
    (array,) = unpack(parcel, lent)
    assert array.tolist() == list(range(100_000))
    kept = array[3:5]
    del array
    assert not given_back(lent)
    assert kept.tolist() == [3, 4]


def test_what_is_lent_and_dropped_is_given_back(tmp_path: Any) -> None:
    file = tmp_path / "room"
    file.write_bytes(bytes(100_000))
    lent = [lend(str(file), 0, 50_000)]
    assert given_back(lent)


def test_too_small_a_room_is_refused_with_the_size_wanted() -> None:
    parcel, wanted = put(b"x" * 200_000, [], ("", 0, 0))
    assert (parcel, wanted) == (None, 200_000)
    assert put(b"x", [], ("", 0, 0)) == (Parcel(b"x"), 0)


def test_a_module_with_a_class_of_its_own_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(types.ModuleType):
        pass

    monkeypatch.setitem(sys.modules, "with_a_class_of_its_own", Own("with_a_class_of_its_own"))
    packed = pack(sys.modules["with_a_class_of_its_own"])
    assert pickle.loads(packed) is sys.modules["with_a_class_of_its_own"]


def made(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    return namespace


def test_a_function_carries_globals_closure_and_defaults_of_both_kinds() -> None:
    names = made("""
outer = [1]
def make(inner):
    def f(x, first=[2], *, second=[3]):
        return outer, inner, first, second
    return f
""")
    assert dict(function_parts(names["make"]([4]))) == {
        "global outer": [1],
        "closure inner": [4],
        "default 0": [2],
        "default second": [3],
    }


def test_functions_behind_a_function_come_once_and_the_nearest_first() -> None:
    names = made("""
def far(x): return near(x)
def near(x): return far(x), near(x)
def f(x, *, also=far): return near(x)
class Has:
    def method(self, x): return near(x)
""")
    f, near, far = names["f"], names["near"], names["far"]
    assert list(functions_behind(f)) == [f, near, far]
    assert list(functions_behind(f, depth=0)) == [f]
    assert list(functions_behind(near, depth=1)) == [near, far]
    assert list(functions_behind(functools.partial(near, 1))) == [near, far]
    assert list(functions_behind(names["Has"]().method))[1:] == [near, far]
    assert list(functions_behind(len)) == []
    assert inner_function(names["Has"]) is None


def test_a_chain_of_functions_is_followed_as_far_as_asked() -> None:
    names = made("\n".join(f"def f{n}(x): return f{n + 1}(x)" for n in range(8)) + "\ndef f8(x): return x")
    assert len(list(functions_behind(names["f0"]))) == 4
    assert len(list(functions_behind(names["f0"], math.inf))) == 9


def test_what_a_started_script_defines_goes_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that multiprocessing has spawned the script is called otherwise, and workers do not have it."""
    script = types.ModuleType("__mp_main__")
    exec("def f(x): return x + 1", vars(script))
    with monkeypatch.context() as started:
        started.setitem(sys.modules, "__mp_main__", script)
        data = pack(script.f)
    monkeypatch.delitem(sys.modules, "__mp_main__", raising=False)
    assert unpack(Parcel(data))(1) == 2


def test_functions_that_share_a_variable_share_it_on_the_other_side() -> None:
    """Also where one of them calls itself, and where the variable has no value yet."""
    names = made(
        "def pair():\n"
        "    n = 0\n"
        "    def get(): return n if later is None else get\n"
        "    def put(value):\n"
        "        nonlocal n, later\n"
        "        n, later = value, None\n"
        "    later = 1\n"
        "    return get, put\n"
        "def unset():\n"
        "    def get(): return m\n"
        "    def put():\n"
        "        nonlocal m\n"
        "        m = 8\n"
        "    if False: m = 0\n"
        "    return get, put\n"
    )
    get, put = unpack(Parcel(pack(names["pair"]())))
    assert get() is get
    put(7)
    assert get() == 7
    get, put = unpack(Parcel(pack(names["unset"]())))
    put()
    assert get() == 8


def test_functions_with_variables_of_their_own_keep_them_apart() -> None:
    names = made("""
def counter():
    n = 0
    def more():
        nonlocal n
        n += 1
        return n
    return more
""")
    one, other = unpack(Parcel(pack([names["counter"](), names["counter"]()])))
    assert (one(), one(), other()) == (1, 2, 1)
