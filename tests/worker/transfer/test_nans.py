"""Numbers that are none stay the objects that they are, on the way to workers and back."""

from __future__ import annotations

import io
import math
import pickle
import struct
from typing import Any

import numpy as np
import pytest

from concompare.worker.results import pack_result
from concompare.worker.transfer import nans
from concompare.worker.transfer.object_refs import Restorer, Sources
from concompare.worker.transfer.pickling import pack, pack_sent

OWN = float("nan")


def arrived(value: Any) -> Any:
    """Return a value as it is where it was sent."""
    return nans.read(pack_sent(value))


def returned(value: Any) -> Any:
    """Return a worker's value as the notebook gets it."""
    sources = Sources()
    data = pack_result([value], [value], None, sources)
    return (Restorer(data, (), {}).load() if sources.used else pickle.loads(data))[0]


@pytest.mark.parametrize("number", [math.nan, np.nan, OWN])
def test_what_is_sent_is_the_same_number_wherever_it_arrives(number: float) -> None:
    row, alone, table = arrived([[1.0, number], number, {number: 2}])

    assert row[1] is alone
    assert number in row
    assert table[number] == 2


@pytest.mark.parametrize("number", [math.nan, np.nan, OWN])
def test_what_comes_back_is_the_notebook_s_own_number(number: float) -> None:
    arrived(number)

    assert returned(number) is number
    assert returned({"a": [number]})["a"][0] is number


def test_numbers_of_arrays_of_objects_and_in_tuples_are_the_same_too() -> None:
    array = np.array([np.nan, None, OWN], dtype=object)

    assert [part is other for part, other in zip(arrived(array), array, strict=True)] == [True, True, True]
    assert returned((1, np.nan))[1] is np.nan


def test_a_number_of_an_item_s_own_is_a_number_of_its_own() -> None:
    fresh = float("nan")

    assert math.isnan(returned(fresh))
    assert returned(fresh) is not np.nan


def test_the_bits_of_a_number_are_kept() -> None:
    odd = struct.unpack("<d", bytes([1, 2, 0, 0, 0, 0, 0xF8, 0xFF]))[0]
    before = struct.pack("<d", odd)
    nans.BY_KEY.clear()
    nans.KEYS.clear()
    data = pack_sent([odd, -math.nan])
    nans.BY_KEY.clear()
    nans.KEYS.clear()

    found, negative = nans.read(data)

    assert struct.pack("<d", found) == before
    assert struct.pack("<d", negative) == struct.pack("<d", -math.nan)


def test_only_so_many_numbers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nans, "MOST", 3)
    kept = [float("nan") for _ in range(5)]

    for number in kept:
        nans.key_of(number)

    assert len(nans.BY_KEY) == 3
    assert set(nans.KEYS) == {id(number) for number in kept[2:]}


def test_what_holds_none_is_pickled_once() -> None:
    assert not nans.has_nan(pickle.dumps([1.5, math.inf, "nan"], 5))
    assert nans.has_nan(pickle.dumps([1.5, math.nan], 5))
    assert nans.has_nan(b"G\x7f\xf8" + pickle.dumps([bytes(1000), -math.nan], 5))
    assert not nans.has_nan(b"G\x7f\xf8G\xff\xf8" + bytes(3))
    assert pack_sent([1, 2.0]) == pack([1, 2.0])


def test_a_pickle_without_the_number_makes_another() -> None:
    reference = (nans.WORD, "nobody's", b"")

    assert math.isnan(nans.Reading(io.BytesIO(b"")).persistent_load(reference))
