from __future__ import annotations

import io
from typing import Any

import pytest

from concompare.worker.transfer import pickling, strided
from concompare.worker.transfer.class_objects import Arriving

np = pytest.importorskip("numpy")

GRID = np.arange(24.0).reshape(4, 6)
ARRAYS = {
    "a column": GRID[:, 1],
    "a column backwards": GRID[::-1, 2],
    "a part": GRID[1:3, 1:4],
    "a part backwards": GRID[::-2, ::-1],
    "a window": np.lib.stride_tricks.sliding_window_view(GRID[0], 3)[::2],
    "one number again and again": np.broadcast_to(np.float32(2.5), (3, 2)),
    "three axes": np.arange(60, dtype="i2").reshape(3, 4, 5)[:, ::2, 1:3],
    "records": np.zeros(5, dtype=[("a", "f8"), ("b", "i4")])["b"],
    "rows": GRID[1],
    "another order": GRID.T,
    "nothing": GRID[:0, 1],
    "objects": np.array([[1, "a"], [2, "b"]], dtype=object)[:, 0],
}
KEPT = [name for name in ARRAYS if name not in ("objects", "nothing")]


def there_and_back(thing: Any, **options: Any) -> Any:
    """Return what arrives of something that is sent with its large buffers inside or beside."""
    buffers: list[Any] = []
    data = pickling.pack(thing, buffers, **options)
    return Arriving(io.BytesIO(data), buffers=[buffer.raw() for buffer in buffers]).load()


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_arrives_with_its_numbers_and_type(name: str) -> None:
    made = there_and_back(ARRAYS[name])
    assert made.dtype == ARRAYS[name].dtype
    assert made.tolist() == ARRAYS[name].tolist()


@pytest.mark.parametrize("name", KEPT)
def test_an_array_keeps_its_strides(name: str) -> None:
    assert there_and_back([ARRAYS[name]])[0].strides == ARRAYS[name].strides


def test_an_array_keeps_its_strides_beside_what_goes_by_value() -> None:
    column, function = there_and_back((GRID[:, 1], lambda: GRID))
    assert column.strides == (48,)
    assert function().tolist() == GRID.tolist()


def test_an_array_that_arrives_can_be_changed_alone() -> None:
    one, same = there_and_back([GRID[:, 1]] * 2)
    one[0] = -1.0
    assert same[0] == -1.0
    assert GRID[0, 1] == 1.0


def test_a_small_array_that_arrives_owns_its_memory_as_most_do() -> None:
    array = there_and_back(np.arange(6.0).reshape(2, 3))
    assert array.flags.owndata
    array.resize((3, 3), refcheck=False)  # which no other array lets be done
    assert array[2].tolist() == [0.0, 0.0, 0.0]


def test_a_large_column_is_summed_in_the_same_order() -> None:
    numbers = np.random.default_rng(0).normal(size=(20_000, 3)) * 10.0 ** np.arange(3)
    column = numbers[:, 1]
    made = there_and_back(column)
    assert (made @ made).hex() == (column @ column).hex()
    assert made.sum().hex() == column.sum().hex()


def test_a_part_is_the_part_of_another_array_that_is_laid_out_alike() -> None:
    sent, own = np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4)
    layout, offset, strides, writeable, data = strided.place_in(sent, sent[1, ::2])

    made = strided.part_of(own, layout, offset, strides, writeable, data)
    made[0] = 9

    assert own[1].tolist() == [9, 5, 6, 7]
    assert strided.part_of(own.T.copy(), layout, offset, strides, writeable, data) is data
    assert strided.part_of([1], layout, offset, strides, writeable, data) is data


def test_a_part_whose_numbers_are_others_there_is_a_copy() -> None:
    sent, own = np.arange(6), np.zeros(6, int)

    assert strided.part_of(own, *strided.place_in(sent, sent[2:])).tolist() == [2, 3, 4, 5]
    assert not own.any()
