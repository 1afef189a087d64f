"""What a pass takes from the file and adds to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.ordering import Settled
from concompare.engine.outcome import PassOptions
from concompare.engine.resume.journal import Journal
from concompare.engine.resume.recorder import Recorder


@pytest.fixture(autouse=True, scope="module")
def no_pools_left() -> Iterator[None]:
    yield
    engine.close_pools()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Recorder]]:
    """Return what opens a file again, as another process would."""
    journals: list[Journal] = []

    def again(function: Callable[..., Any] = abs, **options: Any) -> Recorder:
        for journal in journals:
            journal.close()
        journals.append(Journal(tmp_path / "results"))
        recorder = Recorder(journals[-1], "key", function, changing=False, entries=journals[-1].entries)
        recorder.enter(**{"shares": False, "compared": False, "doubts": True, **options})
        return recorder

    yield again
    for journal in journals:
        journal.close()


def record(recorder: Recorder, first: int, items: list[Any], **given: Any) -> None:
    settled = Settled([item * 10 for item in items], **given)
    recorder.record(first, items, recorder.marks(items), settled)


def values(recorder: Recorder, first: int, items: list[Any]) -> list[Any] | None:
    found = recorder.restored(first, items, recorder.marks(items))
    return found.values if found is not None else None


def test_recorded_results_are_found_by_position_and_items(opened: Callable[..., Recorder]) -> None:
    recorder = opened()
    record(recorder, 0, [1, 2], names={"n": [2]}, output=((1, "stdout", "two\n"),))
    record(recorder, 5, [6])
    recorder = opened()
    assert [recorder.at(position) for position in range(7)] == [2, 0, 0, 0, 0, 1, 0]
    assert [recorder.room(position) for position in (0, 2, 4)] == [5, 3, 1]
    found = recorder.restored(0, [1, 2], recorder.marks([1, 2]))
    assert found is not None
    assert (found.values, found.names, found.output) == ([10, 20], {"n": [2]}, ((1, "stdout", "two\n"),))
    assert values(recorder, 5, [7]) is None
    assert (recorder.used, recorder.differing) == (2, 1)
    assert recorder.at(0) == recorder.at(5) == 0


def test_later_results_stand_for_earlier_ones(opened: Callable[..., Recorder]) -> None:
    record(opened(), 0, [1, 2])
    record(opened(), 0, [3])
    assert values(opened(), 0, [3]) == [30]


def test_failed_items_are_left_out_and_with_names_their_neighbours_too(opened: Callable[..., Recorder]) -> None:
    error = {1: ValueError()}
    record(opened(), 0, [1, 2, 3], errors=error)
    record(opened(), 6, [1, 2], errors={1: ValueError()}, names={"n": 1})
    recorder = opened()
    assert [recorder.at(position) for position in range(8)] == [1, 0, 1, 0, 0, 0, 0, 0]
    assert values(recorder, 2, [3]) == [30]


def test_results_of_workers_that_were_not_compared_count_where_they_are_now(opened: Callable[..., Recorder]) -> None:
    record(opened(compared=True), 0, [1])
    assert opened(doubts=False).at(0) == 0
    recorder = opened(compared=True)
    found = recorder.restored(0, [1], recorder.marks([1]))
    assert found is not None
    assert not found.firm
    recorder.agree()
    assert opened(doubts=False).at(0) == 1


def test_what_is_taken_back_is_computed_again(opened: Callable[..., Recorder]) -> None:
    recorder = opened(compared=True)
    for first in (0, 2, 4):
        record(recorder, first, [first, first + 1])
    recorder.void(3)
    recorder = opened()
    assert [recorder.at(first) for first in (0, 2, 4)] == [2, 0, 0]


def test_an_unwritable_result_is_said_and_those_beside_it_are_kept(opened: Callable[..., Recorder]) -> None:
    recorder = opened()
    recorder.record(0, [1, 2], recorder.marks([1, 2]), Settled([(n for n in [0]), 5]))
    assert "the result of item 0 cannot be kept" in recorder.problem
    recorder = opened()
    assert (recorder.at(0), recorder.at(1)) == (0, 1)


def test_a_full_disk_ends_the_recording_and_not_the_run(opened: Callable[..., Recorder]) -> None:
    recorder = opened()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    recorder.journal.append = full  # type: ignore[method-assign, assignment]
    record(recorder, 0, [1])
    record(recorder, 1, [1])
    assert "No space left on device" in recorder.problem
    assert recorder.ended


def test_items_without_a_fingerprint_are_not_recorded(opened: Callable[..., Recorder]) -> None:
    recorder = opened()
    items = [(n for n in [0])]
    recorder.record(0, items, recorder.marks(items), Settled([1]))
    assert "nothing tells one builtins.generator from another" in recorder.problem
    assert opened().at(0) == 0


BOXES = [[number] for number in range(12)]
BACKENDS = ("serial", "threads", "processes")


def work(box: list[int]) -> tuple[list[int], int]:
    print("box", box[0])
    return box, box[0] ** 2


@pytest.mark.parametrize("writing", BACKENDS)
@pytest.mark.parametrize("reading", BACKENDS)
def test_any_backend_goes_on_where_any_other_has_ended(
    writing: str, reading: str, opened: Callable[..., Recorder], capsys: pytest.CaptureFixture[str]
) -> None:
    """Recorded are items 2 to 5 and 9; the others are computed, and all come out as in a run without a file."""
    outcomes = []
    for name, ranges in ((writing, [range(2, 6), range(9, 10)]), (reading, [range(12)])):
        for part in ranges:
            with engine.lease(backends.find(name), 2) as pool:
                recorder = opened(work, shares=pool.shares_objects)
                options = PassOptions(recorder=recorder, first=part[0], chunk=2)
                outcome = engine.run_pass(work, BOXES[part[0] : part[-1] + 1], pool, options)
        outcomes.append(outcome)
    assert outcomes[1].restored == 5
    assert outcomes[1].record is not None
    assert outcomes[1].record.items == 12
    assert sum(message.count for message in outcomes[1].record.messages) == 7
    assert [square for _, square in outcomes[1].values] == [number**2 for number in range(12)]
    assert all(box is own for (box, _), own in zip(outcomes[1].values, BOXES, strict=True))
    shown = [2, 3, 4, 5, 9, *range(12)]
    assert capsys.readouterr().out == "".join(f"box {number}\n" for number in shown)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", ["list", "iterator", "one buffer"])
def test_items_are_compared_one_by_one_also_where_they_come_from_an_iterator(
    backend: str, shape: str, opened: Callable[..., Recorder]
) -> None:
    if shape == "one buffer" and backend != "serial":
        pytest.skip("refused on workers")

    def items(numbers: list[int]) -> Any:
        boxes = [[number] for number in numbers]
        return boxes if shape == "list" else iter(boxes) if shape == "iterator" else filled(numbers)

    def filled(numbers: list[int]) -> Iterator[list[int]]:
        box = [0]
        for box[0] in numbers:
            yield box

    def square(box: list[int]) -> int:
        return int(box[0] ** 2)

    for numbers in ([1, 2, 3, 4], [1, 2, 7, 4, 5], [1, 2, 7]):
        with engine.lease(backends.find(backend), 2) as pool:
            options = PassOptions(recorder=opened(square, shares=pool.shares_objects), chunk=1)
            outcome = engine.run_pass(square, items(numbers), pool, options)
        assert outcome.values == [number**2 for number in numbers]
    assert outcome.restored == 3


def test_a_tail_that_stops_takes_no_more_from_the_file(opened: Callable[..., Recorder]) -> None:
    for name in BACKENDS:
        for _ in range(2):
            seen: list[int] = []

            def stops(position: int, _: object, seen: list[int] = seen) -> bool:
                seen.append(position)
                return position == 3

            with engine.lease(backends.find(name), 2) as pool:
                options = PassOptions(recorder=opened(work, shares=pool.shares_objects))
                engine.run_pass(work, BOXES, pool, options, on_value=stops)
            assert seen == [0, 1, 2, 3]


def test_a_file_cut_at_random_places_gives_the_same_results_and_runs_the_rest_only(
    opened: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Each cut is what a kill at that moment leaves behind."""
    import random

    calls = itertools.count()

    def count(item: int) -> tuple[int, str]:
        return next(calls) * 0 + item * item, f"<{item}>"

    def run() -> tuple[list[Any], int, int]:
        before = next(calls)
        with engine.lease(backends.plain(), 1) as pool:
            recorder = opened(count, shares=False)
            outcome = engine.run_pass(count, range(40), pool, PassOptions(recorder=recorder, chunk=3))
        return outcome.values, outcome.restored, next(calls) - before - 1

    path = tmp_path / "results"
    expected, restored, computed = run()
    assert (restored, computed) == (0, 40)
    whole = path.read_bytes()
    draw = random.Random(7)
    for size in sorted(draw.randrange(len(whole)) for _ in range(100)):
        path.write_bytes(whole[:size])
        values, restored, computed = run()
        assert values == expected
        assert restored + computed == 40
        assert restored <= 40 * size / len(whole) + 3
        assert restored >= 40 * (size - 700) / len(whole) - 3
        assert run() == (expected, 40, 0)
