"""One item per message: as quick as a message can be, and with every promise of the other messages."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine import PassOptions, Pool, output
from concompare.engine.shortcuts.direct_channel import Lines
from concompare.errors import WorkerDied
from concompare.worker import direct_server
from concompare.worker.frames import BRIEF

pytestmark = pytest.mark.skipif(not direct_server.possible(), reason="this system has no Unix sockets")
ONE = PassOptions(chunk=1)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with engine.lease(backends.find("processes"), 2, fresh=True) as leased:
        yield leased


@pytest.fixture
def lone() -> Iterator[Pool]:
    """One worker: with several, all of them have to have answered before there is nothing to say twice."""
    with engine.lease(backends.find("processes"), 1, fresh=True) as leased:
        yield leased


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The kinds of the messages that are sent."""
    sent: list[int] = []
    post = Lines.post

    def noting(lines: Lines, kind: int, body: bytes) -> Any:
        sent.append(kind)
        return post(lines, kind, body)

    monkeypatch.setattr(Lines, "post", noting)
    return sent


def test_every_item_has_its_message_and_most_say_nothing_twice(lone: Pool, kinds: list[int]) -> None:
    outcome = engine.run_pass(lambda x: x * x, range(2000), lone, ONE)
    assert outcome.values == [x * x for x in range(2000)]
    assert outcome.record is not None
    assert sorted(message.first for message in outcome.record.messages) == list(range(2000))
    assert len(kinds) == 2000
    assert kinds.count(BRIEF) > 1000


SETTINGS = {"mode": "fast"}
ROWS: list[Any] = [*[(number, "a") for number in range(40)], *[[number] for number in range(40)], {"n": 1}, {2}, b"x"]


def test_rows_of_numbers_and_texts_say_nothing_twice_either(lone: Pool, kinds: list[int]) -> None:
    values = engine.run_pass(lambda row: (len(row), "row"), ROWS * 20, lone, ONE).values
    assert kinds.count(BRIEF) > 1000
    assert values == [*[(2, "row")] * 40, *[(1, "row")] * 43] * 20


def test_a_row_that_is_its_own_result_is_the_notebook_s_own(lone: Pool, kinds: list[int]) -> None:
    values = engine.run_pass(lambda row: row, ROWS * 20, lone, ONE).values
    assert kinds.count(BRIEF) > 1000
    assert all(value is row for value, row in zip(values, ROWS * 20, strict=True) if type(row) is not bytes)


def test_a_row_inside_its_result_is_the_notebook_s_own(pool: Pool) -> None:
    values = engine.run_pass(lambda row: {"row": row, "pair": (row, SETTINGS)}, ROWS * 9, pool, ONE).values
    for value, row in zip(values, ROWS * 9, strict=True):
        assert value["row"] is value["pair"][0]
        assert value["row"] == row
        assert value["row"] is row or type(row) is bytes
        assert value["pair"][1] is SETTINGS


def test_what_is_captured_is_the_notebook_s_own_beside_messages_that_say_nothing_twice(pool: Pool) -> None:
    held = {"a": 1}
    assert all(value is held for value in engine.run_pass(lambda number: held, range(600), pool, ONE).values)


def test_rows_that_are_changed_come_back_changed_and_others_themselves(pool: Pool) -> None:
    def change(row: list[int]) -> list[int]:
        if row[0] % 2:
            row.append(0)
        return row

    rows = [[number] for number in range(800)]
    values = engine.run_pass(change, rows, pool, ONE).values
    assert rows == [[number] for number in range(800)]
    assert values == [[number, 0] if number % 2 else [number] for number in range(800)]
    assert [value is row for value, row in zip(values, rows, strict=True)] == [number % 2 == 0 for number in range(800)]


def test_a_row_that_comes_to_hold_another_one_comes_back_with_it(pool: Pool) -> None:
    def grow(row: list[Any]) -> list[Any]:
        row.append([row[0]])
        return row

    values = engine.run_pass(grow, [[number] for number in range(400)], pool, ONE).values
    assert values == [[number, [number]] for number in range(400)]


def test_small_arrays_keep_strides_and_identity(pool: Pool) -> None:
    numpy = pytest.importorskip("numpy")
    table = numpy.arange(400.0).reshape(20, 20)
    columns = [table[:, number] for number in range(20)]
    values = engine.run_pass(lambda column: (column, column.strides, column.sum()), columns * 20, pool, ONE).values
    for (same, strides, total), column in zip(values, columns * 20, strict=True):
        assert same is column
        assert strides == column.strides
        assert total == column.sum()
    same = engine.run_pass(lambda column: column, columns * 20, pool, ONE).values
    assert all(value is column for value, column in zip(same, columns * 20, strict=True))


def test_parts_of_small_arrays_and_nan_keep_their_identity(pool: Pool) -> None:
    numpy = pytest.importorskip("numpy")
    arrays = [numpy.arange(10.0) + number for number in range(400)]
    parts = engine.run_pass(lambda array: array[2:4], arrays, pool, ONE).values
    assert all(numpy.shares_memory(part, array) for part, array in zip(parts, arrays, strict=True))
    nan = float("nan")
    rows = [(number, nan) for number in range(400)]
    values = engine.run_pass(lambda row: (row[1], row[0]), rows, pool, ONE).values
    assert all(value[0] is nan for value in values)


def test_long_texts_and_rows_go_beside_messages(pool: Pool, kinds: list[int]) -> None:
    items = ["x" * 20_000, b"y" * 20_000, list(range(20_000)), tuple("abc" * 7000)] * 4
    assert engine.run_pass(len, items, pool, ONE).values == [20_000, 20_000, 20_000, 21_000] * 4
    assert BRIEF not in kinds


def test_a_row_in_an_error_is_the_notebook_s_own(pool: Pool) -> None:
    def fail(row: list[int]) -> None:
        raise ValueError(row)

    rows = [[number] for number in range(300)]
    outcome = engine.run_pass(fail, rows, pool, PassOptions(chunk=1, on_error="keep"))
    assert all(failure.error.args[0] is row for failure, row in zip(outcome.failures, rows, strict=True))


def test_results_do_not_depend_on_it(kinds: list[int]) -> None:
    def several(x: int) -> Any:
        if x % 7 == 3:
            print("at", x)
        if x % 11 == 5:
            raise ValueError(x)
        return {"x": x} if x % 5 == 0 else (x, str(x)) if x % 5 == 1 else -x

    def run() -> tuple[Any, Any, Any]:
        with engine.lease(backends.find("processes"), 2, fresh=True) as leased:
            outcome = engine.run_pass(several, range(300), leased, PassOptions(chunk=1, on_error="keep", output="keep"))
        plain = [value for value in outcome.values if not isinstance(value, engine.Failure)]
        return plain, [(one.index, repr(one.error)) for one in outcome.failures], outcome.output

    found = run()
    assert BRIEF in kinds
    with engine.plain_way():
        kinds.clear()
        assert run() == found
        assert not kinds
    assert [index for index, _ in found[1]] == [x for x in range(300) if x % 11 == 5]
    assert [text for _, _, text in found[2]] == [f"at {x}\n" for x in range(300) if x % 7 == 3]


def test_a_second_pass_begins_with_the_function_as_it_was(pool: Pool) -> None:
    seen: list[int] = []

    def count(x: int) -> int:
        seen.append(x)
        return len(seen)

    for _ in range(2):
        values = engine.run_pass(count, range(200), pool, ONE).values
        assert min(values) == 1
        assert max(values) <= 200


def test_no_item_waits_behind_a_long_one(pool: Pool, tmp_path: Path) -> None:
    """All others are computed while one that came in their midst goes on until they are."""
    done = tmp_path / "done"
    done.touch()

    def wait(x: int) -> int:
        if x == 400:
            until = time.monotonic() + 100
            while done.stat().st_size < 799 and time.monotonic() < until:
                time.sleep(0.001)
            return done.stat().st_size
        with done.open("ab") as file:
            file.write(b".")
        return 0

    values = engine.run_pass(wait, range(800), pool, ONE).values
    assert values == [799 if x == 400 else 0 for x in range(800)]


def test_what_had_finished_before_a_worker_died_runs_once_and_the_dead_one_is_named(pool: Pool, tmp_path: Path) -> None:
    def die(x: int) -> int:
        with (tmp_path / f"{os.getpid()}").open("a") as file:
            file.write(f"{x} ")
        if x == 333:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    options = PassOptions(chunk=1, on_error="keep")
    outcome = engine.run_pass(die, range(600), pool, options)
    assert [value for value in outcome.values if isinstance(value, int)] == [x for x in range(600) if x != 333]
    (failure,) = outcome.failures
    assert failure.index == 333
    assert isinstance(failure.error, WorkerDied)
    ran = [int(word) for file in tmp_path.iterdir() for word in file.read_text().split()]
    again = {x for x in ran if ran.count(x) > 1}
    assert 333 in again
    # Of the others only what the second worker had under way when the executor ended it may run twice, for each death.
    assert len(again) <= 1 + 2


def test_few_items_are_begun_after_one_that_fails(pool: Pool, tmp_path: Path) -> None:
    def fail(x: int) -> int:
        (tmp_path / str(x)).touch()
        if x == 50:
            raise ValueError(x)
        time.sleep(0.002)
        return x

    with pytest.raises(ValueError, match="50"):
        engine.run_pass(fail, range(10_000), pool, ONE)
    assert len(list(tmp_path.iterdir())) < 50 + 2 * 64 + 2


def test_prints_come_in_the_order_of_the_items(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(output, "show", lambda stream, text: shown.append(text))

    def say(x: int) -> int:
        print(x)
        return x

    engine.run_pass(say, range(300), pool, ONE)
    assert "".join(shown) == "".join(f"{x}\n" for x in range(300))


@pytest.mark.parametrize("function", [abs, lambda x: [x], lambda x: "x" * x], ids=["numbers", "objects", "texts"])
def test_an_iterator_is_not_taken_far_ahead(pool: Pool, function: Callable[[int], Any]) -> None:
    taken = 0
    ahead: list[int] = []

    def items() -> Iterator[int]:
        nonlocal taken
        for x in range(3000):
            taken += 1
            yield x

    def note(position: int, value: object) -> None:
        ahead.append(taken - position)

    engine.run_pass(function, items(), pool, ONE, on_value=note)
    assert len(ahead) == 3000
    assert max(ahead) <= 2 * 64 + 2 * 64 + 16
