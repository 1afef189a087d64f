"""How many items go into a message."""

from __future__ import annotations

from concompare.engine.chunking import (
    AHEAD,
    FIRST_BULK,
    GROWTH,
    LARGEST_MESSAGE,
    MOST_AHEAD,
    MOST_AT_FIRST,
    PER_WORKER,
    TARGET,
    Chunker,
)
from concompare.worker.compute import TINY

# -------------------------------------------------------------------------------------------------------- chunk sizes


def test_few_items_start_one_by_one_and_many_in_small_bulk() -> None:
    assert Chunker(2, 100).next() == 1
    assert Chunker(2, 2000).next() == FIRST_BULK
    assert Chunker(2, 51_200).next() == 100  # one in 256 of a worker's share
    assert Chunker(2, 10**7).next() == MOST_AT_FIRST
    assert Chunker(2, None).next() == 1, "it may be the last but a few"


def test_long_items_are_never_more_than_one_a_message() -> None:
    chunker = Chunker(2, 1000)
    chunker.next()
    chunker.learn(1, 0.05, 100)
    assert {chunker.next() for _ in range(50)} == {1}


def test_chunks_of_short_items_fill_the_target_and_shrink_to_the_end() -> None:
    chunker = Chunker(2, 4000)
    sizes = []
    while chunker.taken < 4000:
        sizes.append(chunker.next())
        chunker.learn(sizes[-1], sizes[-1] * 100e-6, sizes[-1] * 10)
    assert sum(sizes) == 4000
    assert max(sizes) == int(TARGET / 100e-6)
    assert sizes[-1] == 1
    largest = sizes.index(max(sizes))
    tail = sizes[len(sizes) - 20 :]
    assert tail == sorted(tail, reverse=True)
    assert largest < len(sizes) - 20


def test_tiny_items_are_timed_by_the_chunk() -> None:
    chunker = Chunker(2, 100_000)
    assert chunker.each
    chunker.next()
    chunker.learn(FIRST_BULK, FIRST_BULK * TINY / 100, 50)
    assert not chunker.each


def test_one_fast_item_does_not_decide() -> None:
    chunker = Chunker(2, None)
    chunker.next()
    chunker.learn(1, 1e-9, 50)
    assert chunker.next() == GROWTH


def test_large_items_bound_a_message() -> None:
    chunker = Chunker(2, 10_000)
    chunker.next()
    chunker.largest = 10_000
    chunker.learn(1, 50e-6, 2**20)
    assert chunker.next() == LARGEST_MESSAGE // 2**20


def test_a_fixed_size_is_kept_but_for_the_rest() -> None:
    chunker = Chunker(2, 10, fixed=4)
    assert [chunker.next(), chunker.next(), chunker.next()] == [4, 4, 2]


# ----------------------------------------------------------------------------- what an earlier pass of a function tells


def sizes(chunker: Chunker) -> list[int]:
    found = []
    while chunker.count is not None and chunker.taken < chunker.count:
        found.append(chunker.next())
    return found


def test_what_is_known_to_be_little_goes_in_one_message_per_worker() -> None:
    assert sizes(Chunker(2, 100, expected=1e-7)) == [50, 50]


def test_what_is_known_to_be_tiny_but_much_goes_in_a_few() -> None:
    """50,000 items of 80 ns are 2 ms for each of two workers, worth four messages of 0.25 ms and more."""
    assert sizes(Chunker(2, 50_000, expected=80e-9)) == [50_000 // (2 * PER_WORKER)] * 8


def test_what_is_known_to_take_long_goes_one_by_one() -> None:
    assert sizes(Chunker(2, 5, expected=0.5)) == [1] * 5


def test_of_an_unknown_number_no_more_than_first_messages_hold_goes_out_before_an_answer() -> None:
    assert Chunker(2, None, expected=1e-7).next() == MOST_AT_FIRST


def test_messages_are_worth_what_they_cost() -> None:
    from concompare.engine.chunking import Chunker

    cheap, dear = Chunker(2, 10_000), Chunker(2, 10_000, cost=0.02)
    for chunker in (cheap, dear):
        chunker.learn(16, 0.016, 0)
    assert cheap.next() == 10, "10 ms of items of 1 ms"
    assert dear.next() == 200, "ten times 20 ms"
    dear.taken = 9_990
    assert dear.measured_size() == 60, "three times 20 ms at the end"


def test_many_short_single_items_may_wait_where_workers_take_one_at_a_time() -> None:
    def ahead(seconds: list[float], fixed: int | None = 1, *, deep: bool = True) -> int:
        chunker = Chunker(2, 1000, fixed, deep=deep)
        for each in seconds:
            chunker.learn(1, each, 10)
        return chunker.ahead()

    assert ahead([]) == 1, "nothing is known"
    assert ahead([1e-6] * 20) == MOST_AHEAD
    assert abs(ahead([1e-4] * 20) - AHEAD / 1e-4) <= 1
    assert ahead([0.1] * 20) == 2
    assert ahead([1e-6] * 20, None) == ahead([1e-6] * 20, deep=False) == 2
    assert ahead([*[1e-5] * 20, 0.1, *[1e-5] * 3]) > 32, "one that had to wait says little of the others"
    assert ahead([*[1e-5] * 20, *[0.1] * 40]) == 2, "they have become long"
