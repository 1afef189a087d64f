"""Items are loaded one by one where each is a pickle of its own."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from concompare.worker.transfer.items import Apart
from concompare.worker.transfer.pickling import Parcel, pack
from concompare.worker.transfer.process_memory import system_call

LINUX = pytest.mark.skipif(system_call() is None, reason="process_vm_readv needs Linux")


@LINUX
def test_each_item_apart_numbers_its_own_objects() -> None:
    def item(number: int) -> list[Any]:
        shared = [f"shared {number}"]
        return [shared, *(f"{number}.{part}" for part in range(2 + 6 * number)), shared, "end"]

    given = [item(number) for number in range(4)]
    items = list(Apart(Parcel(pack(given, [], apart=True)), 4, 0))
    assert items == given
    assert all(one[0] is one[-2] for one in items)


class Leaver:
    def __reduce__(self) -> Any:
        return sys.exit, ("left",)


@LINUX
def test_what_ends_the_loading_of_an_item_ends_the_chunk() -> None:
    items = Apart(Parcel(pack([1, Leaver(), 3], [], apart=True)), 3, 0)
    assert next(items) == 1
    with pytest.raises(SystemExit):
        next(items)
    assert next(items, None) is None, "the place in the pickle is lost"
    assert items.problem is not None
