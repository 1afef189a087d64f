from __future__ import annotations

import array
import collections
import dataclasses
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from concompare.worker.transfer.item_state import Keeper, parts_of, put_in, restore

numpy = pytest.importorskip("numpy")


class Box:
    def __init__(self, *values: Any) -> None:
        self.values = values
        self.value = values[0] if values else None


class Slotted:
    __slots__ = ("first", "second")
    second: Any

    def __init__(self, first: Any) -> None:
        self.first = first


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    value: list[int]


def changed_by_worker(item: Any, change: Callable[[Any], Any]) -> None:
    """Let a copy of an item be changed, and put what comes back into the item."""
    copy = pickle.loads(pickle.dumps(item, 4))  # of arrays that own their memory: those of protocol 5 do not
    parts = parts_of(copy)
    change(copy)
    restore(item, *pickle.loads(pickle.dumps((copy, parts), 4)))


CHANGES: list[tuple[Any, Callable[[Any], Any], Any]] = [
    ({"a": 1, "b": 2}, lambda item: (item.pop("a"), item.update(a=3)), {"b": 2, "a": 3}),
    ([1, 2], lambda item: item.insert(0, [3]), [[3], 1, 2]),
    ({1, 2}, lambda item: item.symmetric_difference_update({2, 3}), {1, 3}),
    (collections.deque([1, 2], 2), lambda item: item.append(3), collections.deque([2, 3])),
    (collections.Counter("aab"), lambda item: item.update("b"), {"a": 2, "b": 2}),
    (collections.OrderedDict(a=1, b=2), lambda item: item.move_to_end("a"), {"b": 2, "a": 1}),
    (bytearray(b"ab"), lambda item: item.extend(b"c"), bytearray(b"abc")),
    (array.array("i", [1]), lambda item: item.append(2), array.array("i", [1, 2])),
]


IDS = [type(item).__name__ for item, _, _ in CHANGES]


@pytest.mark.parametrize(("item", "change", "expected"), CHANGES, ids=IDS)
def test_a_keeper_gives_a_container_what_it_held(item: Any, change: Callable[[Any], Any], expected: Any) -> None:
    own, keeper = pickle.loads(pickle.dumps(item)), Keeper()
    keeper(own)
    change(own)
    assert own == expected
    keeper.put_back(own)
    assert own == item
    assert list(own) == list(item)


@pytest.mark.parametrize(("item", "change", "expected"), CHANGES, ids=IDS)
def test_a_container_takes_what_it_holds_in_its_order(item: Any, change: Callable[[Any], Any], expected: Any) -> None:
    own = pickle.loads(pickle.dumps(item))
    changed_by_worker(own, change)
    assert own == expected
    assert list(own) == list(expected)


def test_the_limit_of_a_deque_and_the_factory_of_a_dict_stay() -> None:
    item: Any = (collections.deque([1, 2], 2), collections.defaultdict(list))
    changed_by_worker(item, lambda parts: (parts[0].append(3), parts[1]["a"].append(1)))
    assert item[0].maxlen == 2
    assert item[1] == {"a": [1]}
    assert item[1]["b"] == []


def test_an_array_keeps_its_memory() -> None:
    item = numpy.arange(4)
    view = item[1:]
    changed_by_worker(item, lambda copy: copy.__imul__(2))
    assert view.tolist() == [2, 4, 6]


def test_parts_keep_their_identity() -> None:
    inner, box = [1], Box([2])
    item: Any = {"inner": inner, "box": box, "pair": (inner, box)}
    changed_by_worker(item, lambda copy: (copy["inner"].append(3), vars(copy["box"]).update(value=4)))
    assert item["inner"] is inner
    assert item["box"] is box
    assert item["pair"][0] is inner
    assert (inner, box.value) == ([1, 3], 4)


def test_replaced_parts_are_replaced_and_the_old_ones_keep_what_they_became() -> None:
    old: list[Any] = [1]
    item: Any = {"part": old}

    def change(copy: Any) -> None:
        copy["part"].append(2)
        copy["part"] = ["new"]

    changed_by_worker(item, change)
    assert item == {"part": ["new"]}
    assert old == [1, 2]


def test_parts_that_changed_places_are_the_same_objects() -> None:
    first, second = [1], [1]
    item = [first, second]
    changed_by_worker(item, lambda copy: copy.reverse())
    assert item[0] is second
    assert item[1] is first


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda part: Box(part), lambda made: made.value),
        (lambda part: [[part]], lambda made: made[0][0]),
        (lambda part: {"a": (part, 1)}, lambda made: made["a"][0]),
        (lambda part: collections.deque([part]), lambda made: made[0]),
        (lambda part: collections.defaultdict(list, a=part), lambda made: made["a"]),
        (lambda part: Slotted(part), lambda made: made.first),
        (lambda part: Fixed(part), lambda made: made.value),
        (lambda part: (1, (2, part)), lambda made: made[1][1]),
    ],
)
def test_a_new_object_holds_the_parts_that_the_item_had(make: Callable[[Any], Any], read: Callable[[Any], Any]) -> None:
    part = [1]
    item: list[Any] = [part]
    changed_by_worker(item, lambda copy: copy.append(make(copy[0])))
    assert item[0] is part
    assert read(item[1]) is part


def test_a_new_object_that_holds_itself() -> None:
    item: list[Any] = []

    def change(copy: Any) -> None:
        ring: list[Any] = [copy]
        ring.append(ring)
        copy.append(ring)

    changed_by_worker(item, change)
    (ring,) = item
    assert ring[0] is item
    assert ring[1] is ring


def test_a_part_that_is_held_twice_stays_one() -> None:
    shared: list[Any] = [1]
    item: Any = [shared, {"again": shared}]
    assert sum(part is shared for part in parts_of(item)) == 1
    changed_by_worker(item, lambda copy: copy[1]["again"].append(2))
    assert item == [[1, 2], {"again": [1, 2]}]
    assert item[0] is shared
    assert item[1]["again"] is shared


def test_items_that_hold_themselves() -> None:
    item = Box()
    item.value = {"me": item}
    changed_by_worker(item, lambda copy: copy.value.update(more=copy))
    assert item.value["me"] is item
    assert item.value["more"] is item


def test_slots_get_values_and_lose_them() -> None:
    held = [1]
    item = Slotted(held)

    def change(copy: Any) -> None:
        copy.second = copy.first
        del copy.first

    changed_by_worker(item, change)
    assert item.second is held
    assert not hasattr(item, "first")


def test_attributes_get_values_and_lose_them() -> None:
    item = Box(1)

    def change(copy: Any) -> None:
        copy.other = [copy]
        del copy.value

    changed_by_worker(item, change)
    assert item.other == [item]  # type: ignore[attr-defined]
    assert not hasattr(item, "value")


def test_the_parts_of_a_frozen_object_change() -> None:
    item = Fixed([1])
    inner = item.value
    changed_by_worker(item, lambda copy: copy.value.append(2))
    assert item.value is inner
    assert inner == [1, 2]


def test_atoms_classes_and_modules_are_no_parts() -> None:
    item = [1, "a", b"b", None, 1.5, range(3), Box, math, (), frozenset({1})]
    assert parts_of(item) == [item]


def reshape(copy: list[Any]) -> None:
    with warnings.catch_warnings(action="ignore"):  # numpy means to take this away
        copy[0].shape = (3, 1)


def retype(copy: list[Any]) -> None:
    with warnings.catch_warnings(action="ignore"):
        copy[0].dtype = numpy.uint64


@pytest.mark.parametrize("change", [reshape, retype, lambda copy: copy[0].resize(5, refcheck=False)])
def test_an_array_takes_shape_type_and_size_of_another(change: Any) -> None:
    item, other = [numpy.arange(3)], [numpy.arange(3)]
    own = item[0]
    changed_by_worker(item, change)
    change(other)
    assert item[0] is own
    assert (own.shape, own.dtype) == (other[0].shape, other[0].dtype)
    assert own.tobytes() == other[0].tobytes()


def test_an_array_without_memory_of_its_own_takes_no_other_size() -> None:
    with pytest.raises(TypeError, match=r"shape \(3,\) cannot take the state of one of shape \(5,\)"):
        changed_by_worker([numpy.arange(6)[:3]], lambda copy: copy[0].resize(5, refcheck=False))


def test_an_array_that_cannot_be_written_is_left_alone() -> None:
    fixed = numpy.arange(3)
    fixed.flags.writeable = False
    item = [fixed, 0]
    changed_by_worker(item, lambda copy: copy.__setitem__(1, 5))
    assert item[0] is fixed
    assert item[1] == 5


def test_an_item_that_arrived_with_other_parts_is_an_error() -> None:
    item = [[1], [2]]
    with pytest.raises(TypeError, match="did not arrive in the worker as it is here"):
        restore(item, [[1]], parts_of([[1]]))
    assert item == [[1], [2]]


def test_an_item_that_threads_share_is_left_as_it_is() -> None:
    item = [[1]]
    inner = item[0]
    restore(item, item, parts_of(item))
    assert item == [[1]]
    assert item[0] is inner


def test_a_keeper_puts_each_item_back_once() -> None:
    keeper = Keeper()
    item = {"a": [1], "box": Box(2), "array": numpy.arange(2)}
    inner = item["a"]
    assert keeper(item) == parts_of(item)
    item["a"].append(9)
    item["array"] += 1
    item["box"].extra = 1
    item.clear()
    keeper.put_back(item)
    assert item["a"] is inner
    assert inner == [1]
    assert item["array"].tolist() == [0, 1]
    assert vars(item["box"]) == {"values": (2,), "value": 2}
    item["b"] = 3
    keeper.put_back(item)
    assert item["b"] == 3


def test_a_keeper_deletes_slots_that_had_no_value() -> None:
    keeper, item = Keeper(), Slotted(1)
    keeper(item)
    item.second = item.first
    del item.first
    keeper.put_back(item)
    assert item.first == 1
    assert not hasattr(item, "second")


def test_a_worker_process_only_lists_the_parts() -> None:
    assert pickle.loads(pickle.dumps(Keeper())) is parts_of


def test_only_what_holds_a_part_of_an_item_is_filled_again() -> None:
    part, own = ["theirs"], ["own"]
    left = set(range(100))
    left -= {*range(100)} - {9, 16}
    before = list(left)
    assert list(set(before)) != before, "a set that is filled again would have another order"
    other, holder, method = {"a": left}, {"p": (1, part)}, own.append
    found = put_in([other, holder, frozenset([3]), method], {id(part): own})
    assert found[0] is other
    assert list(left) == before
    assert holder["p"][1] is own
    assert found[2] == frozenset([3])
    assert found[3] is method
