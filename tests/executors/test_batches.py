from __future__ import annotations

from typing import Any

from concompare.engine.ordering import Settled
from concompare.executors.batches import Batch


class Noting:
    """Receiver that notes all it is told."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.ends: list[BaseException | None] = []

    def begins(self) -> bool:
        return True

    def take(self, index: int, values: list[Any], errors: dict[int, BaseException]) -> None:
        self.taken.append((index, values, sorted(errors)))

    def end(self, error: BaseException | None) -> None:
        self.ends.append(error)


def batch(items: int, **options: Any) -> tuple[Batch, Noting]:
    receiver = Noting()
    made = Batch(abs, receiver, **options)
    made.feed(range(items))
    made.complete = True
    return made, receiver


def test_results_are_handed_on_in_the_order_of_the_items() -> None:
    made, receiver = batch(4)
    made.settle(2, Settled([2, 3]))
    assert receiver.taken == []
    made.settle(0, Settled([0, 1]))
    assert receiver.taken == [(0, [0, 1], []), (2, [2, 3], [])]
    assert receiver.ends == [None]


def test_or_as_they_come() -> None:
    made, receiver = batch(4, ordered=False)
    made.settle(2, Settled([2, 3]))
    assert receiver.taken == [(2, [2, 3], [])]
    assert receiver.ends == []


def test_an_error_ends_it_unless_it_keeps_going() -> None:
    for keep_going, taken in ((False, 1), (True, 2)):
        made, receiver = batch(4, keep_going=keep_going)
        made.settle(0, Settled([0, None], {1: ValueError()}))
        made.settle(2, Settled([2, 3]))
        assert receiver.taken[0] == (0, [0, None], [1])
        assert len(receiver.taken) == taken
        assert receiver.ends == [None]


def test_small_pieces_go_together_and_large_ones_apart() -> None:
    made = Batch(abs, Noting(), fixed=5)
    for start in (0, 2, 4):
        made.feed([start, start + 1])
    assert made.next(2, 0.0) == (0, [0, 1, 2, 3, 4])
    assert made.next(2, 0.0) == (5, [5])
    assert made.next(2, 0.0) is None
    made.feed(range(12))
    assert [made.next(2, 0.0) for _ in range(3)] == [(6, range(5)), (11, range(5, 10)), (16, range(10, 12))]


def test_what_is_given_back_goes_first_and_is_counted_once() -> None:
    made, _ = batch(8, fixed=4)
    assert made.next(2, 0.0) == (0, range(4))
    made.give_back(2, range(2, 4))
    assert made.chunker is not None
    assert made.chunker.taken == 2
    assert made.next(2, 0.0) == (2, [2, 3, 4, 5])  # with what follows it


def test_cut_short_it_ends_with_the_error_after_what_was_sent() -> None:
    made, receiver = batch(8, fixed=4)
    made.next(2, 0.0)
    error = RuntimeError()
    made.cut_short(error)
    assert receiver.ends == []
    made.settle(0, Settled([0, 1, 2, 3]))
    assert receiver.ends == [error]


def test_what_items_print_is_shown_where_the_batch_was_made(capsys: Any) -> None:
    made, _ = batch(2)
    made.settle(1, Settled([1], output=((0, "stdout", "second\n"),)))
    made.settle(0, Settled([0], output=((0, "stdout", "first\n"),)))
    assert capsys.readouterr().out == "first\nsecond\n"
