from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest

from concompare.worker.transfer import set_order
from concompare.worker.transfer.pickling import Parcel, pack, unpack


def crossed(value: Any, **how: Any) -> Any:
    return unpack(Parcel(pack(value, **how)))


def pairs(draw: random.Random) -> set[Any]:
    return {(draw.randrange(1, 11), draw.randrange(1, 11)) for _ in range(draw.randrange(2, 12))}


def joined(draw: random.Random) -> set[Any]:
    return (pairs(draw) | pairs(draw)) - pairs(draw)


def thinned(draw: random.Random) -> set[Any]:
    found = set(draw.sample(range(1000), 20))
    return found - set(draw.sample(sorted(found), 12))


def squares(draw: random.Random) -> set[Any]:
    return {n * n % 10007 for n in range(draw.randrange(300))}


def shares(draw: random.Random) -> set[Any]:
    return {draw.random() for _ in range(40)}


KINDS = (pairs, joined, thinned, squares, shares)


@pytest.mark.parametrize("kind", KINDS)
def test_sets_have_their_order_on_the_other_side(kind: Callable[[random.Random], set[Any]]) -> None:
    draw = random.Random(1)
    sets = [kind(draw) for _ in range(60)]
    assert any(list(pickle.loads(pickle.dumps(one))) != list(one) for one in sets)
    found = crossed(sets)
    assert found == sets
    kept = [list(one) == list(other) for one, other in zip(found, sets, strict=True)]
    assert sum(kept) >= len(sets) - 2  # one whose elements were pushed aside by others that are gone has no such order


def test_a_set_is_one_object_where_it_was_one() -> None:
    one = set(range(0, 4000, 31)) - set(range(0, 4000, 62))
    assert list(pickle.loads(pickle.dumps(one))) != list(one)
    first, second = crossed([one, {"again": one}])
    assert second["again"] is first
    assert list(first) == list(one)


def test_each_of_many_pickles_has_its_own() -> None:
    sets = [thinned(random.Random(number)) for number in range(4)]
    data = pack(sets, apart=True)
    reader = io.BytesIO(data)
    assert [list(pickle.load(reader)) for _ in sets] == [list(one) for one in sets]


def test_a_set_as_large_as_it_need_be_is_pickled_as_ever() -> None:
    value = [set(range(10)), {1, 2}, set()]
    assert pack(value) == pickle.dumps(value, 5)


def test_what_another_process_hashes_otherwise_is_left_alone() -> None:
    words = {f"w{number}" for number in range(60)} - {f"w{number}" for number in range(40)}
    assert set_order.order_of(words) is None
    odd: set[Any] = {float("nan"), *range(0, 300, 7)} - set(range(0, 300, 14))
    assert set_order.order_of(odd) is None


def test_a_set_is_filled_in_at_its_size() -> None:
    for number in (2, 3, 4, 5, 7, 15, 16, 18, 19, 70, 76, 200, 307):
        for slots in (8, 16, 32, 128, 512, 2048):
            order = list(range(number))
            filled = set_order.fill({"before"}, order, slots)
            assert filled == set(order)
            if 5 * number < 3 * (slots - 1):  # else it grows
                assert set_order.slots_of(filled) == slots, (number, slots)
