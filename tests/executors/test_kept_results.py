"""`imap(resume=)`: results are taken from the file, and only what it has not is computed."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import concompare
from concompare.errors import BadOption, NotResumed

BACKENDS = pytest.mark.parametrize("backend", ["processes", "threads", "serial"])


@pytest.fixture
def ran(tmp_path: Path) -> Callable[[], Counter[int]]:
    """How often each item ran."""

    def count() -> Counter[int]:
        return Counter(int(word) for word in (tmp_path / "log").read_text().split())

    (tmp_path / "log").touch()
    return count


def noting(log: str) -> Callable[[int], int]:
    """Return a function that notes which items it computes."""

    def square(x: int) -> int:
        place = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.write(place, b"%d " % x)
        os.close(place)
        return x * x

    return square


@BACKENDS
@pytest.mark.parametrize("ordered", [True, False], ids=["in order", "as they come"])
def test_what_the_file_has_is_not_computed_again(
    backend: str, ordered: bool, tmp_path: Path, ran: Callable[[], Counter[int]]
) -> None:
    function, file = noting(str(tmp_path / "log")), tmp_path / "results"

    def all_of(count: int) -> list[int]:
        return list(concompare.imap(function, range(count), backend=backend, workers=2, ordered=ordered, resume=file))

    first, again, more = all_of(300), all_of(300), all_of(400)
    for found, count in ((first, 300), (again, 300), (more, 400)):
        assert (found if ordered else sorted(found)) == [x * x for x in range(count)]
    assert ran() == Counter(range(400))


@BACKENDS
def test_an_iterator_that_was_left_goes_on_where_it_was(
    backend: str, tmp_path: Path, ran: Callable[[], Counter[int]]
) -> None:
    function, file = noting(str(tmp_path / "log")), tmp_path / "results"
    for fetched in (70, 150):
        results = concompare.imap(function, range(200), backend=backend, workers=2, chunk=3, resume=file)
        assert [next(results) for _ in range(fetched)] == [x * x for x in range(fetched)]
        results.close()
    assert list(concompare.imap(function, range(200), backend=backend, workers=2, chunk=3, resume=file)) == [
        x * x for x in range(200)
    ]
    assert all(ran()[x] == 1 for x in range(70))
    assert ran().keys() == {*range(200)}
    assert ran().total() <= 200 + 2 * 12, "more than four messages of three were under way when it was left"


def test_what_failed_runs_again_and_the_others_do_not(tmp_path: Path, ran: Callable[[], Counter[int]]) -> None:
    square, file, switch = noting(str(tmp_path / "log")), tmp_path / "results", tmp_path / "switch"
    path = str(switch)

    def fail(x: int) -> int:
        value = square(x)
        if x == 60 and not os.path.exists(path):
            raise ValueError(x)
        return value

    with pytest.raises(ValueError, match="60"):
        list(concompare.imap(fail, range(100), workers=2, chunk=2, resume=file))
    switch.touch()
    assert list(concompare.imap(fail, range(100), workers=2, chunk=2, resume=file)) == [x * x for x in range(100)]
    assert ran()[60] == 2
    assert all(ran()[x] == 1 for x in range(60))


def test_results_of_other_items_are_not_taken_and_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "results"
    assert list(concompare.imap(abs, range(-50, 0), workers=2, chunk=5, resume=file)) == list(range(50, 0, -1))
    with pytest.warns(NotResumed, match="50 results of other items"):
        assert list(concompare.imap(abs, range(50), workers=2, chunk=5, resume=file)) == list(range(50))


def test_prints_come_again_in_the_order_of_the_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def say(x: int) -> int:
        print("item", x)
        return x

    for _ in range(2):
        assert list(concompare.imap(say, range(30), workers=2, chunk=4, resume=tmp_path / "results")) == [*range(30)]
        assert capsys.readouterr().out == "".join(f"item {x}\n" for x in range(30))


@pytest.mark.parametrize(("before", "after"), [(None, None), (None, 7), (7, None), (40, 7)])
def test_items_are_taken_no_further_ahead_than_is_asked(before: int | None, after: int | None, tmp_path: Path) -> None:
    file = tmp_path / "results"
    ahead: list[int] = []

    def run(buffer: int | None) -> list[Any]:
        taken, fetched, found = 0, 0, []

        def items() -> Iterator[int]:
            nonlocal taken
            for x in range(3000):
                taken += 1
                ahead.append(taken - fetched)
                yield x

        for value in concompare.imap(abs, items(), workers=2, buffersize=buffer, resume=file):
            fetched += 1
            found.append(value)
        return found

    assert run(before) == [*range(3000)]
    ahead.clear()
    assert run(after) == [*range(3000)]
    if after is not None:
        assert max(ahead) <= after + 1


def test_two_iterators_do_not_write_one_file(tmp_path: Path) -> None:
    results = concompare.imap(abs, range(1000), workers=2, resume=tmp_path / "results")
    with pytest.raises(BadOption, match="another run"):
        concompare.imap(abs, range(10), workers=2, resume=tmp_path / "results")
    results.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotResumed)  # of as many results as there were in time
        assert list(concompare.imap(abs, range(10), workers=2, resume=tmp_path / "results")) == [*range(10)]


def test_a_warning_that_is_an_error_leaves_no_workers(tmp_path: Path, no_leaks: None) -> None:
    assert list(concompare.imap(abs, range(9), workers=2, resume=tmp_path / "results")) == [*range(9)]
    with pytest.raises(NotResumed, match="other items"):
        list(concompare.imap(abs, range(-5, 0), workers=2, resume=tmp_path / "results"))
