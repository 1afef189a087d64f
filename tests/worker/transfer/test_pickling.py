"""Values as bytes, with their large buffers beside the pickle."""

from __future__ import annotations

import pickle
import sys
import types
from typing import Any

import pytest

from concompare.worker.transfer.pickling import Parcel, given_back, lend, pack, put, unpack

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
