"""`concompare.parallel`: a function does what it did, with its loops on workers."""

from __future__ import annotations

import functools
import multiprocessing
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import concompare
from concompare import engine
from concompare.cells.inside import following
from concompare.errors import BadOption, UnknownBackend
from concompare.run import dispatch, inside
from concompare.run.inside import PATIENCE, SHARE, Patience

KINDS = ("serial", "threads", "processes", "auto")


@pytest.fixture(autouse=True, scope="module")
def no_pools_left() -> Iterator[None]:
    yield
    engine.close_pools()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """The line of each loop that was given to workers, and to which."""
    found: list[tuple[int, str]] = []

    def run(task: Any, request: Any) -> dispatch.Ran:
        done = plain_run(task, request)
        found.extend((task.line, trial.backend) for trial in done.trials)
        return done

    plain_run = dispatch.run
    monkeypatch.setattr(dispatch, "run", run)
    return found


def square(number: int) -> int:
    return number * number


def place(number: int) -> tuple[int, int]:
    return number, threading.get_ident()


def divide(number: int) -> int:
    return 12 // (3 - number)


def rows(numbers: Any, *, by: int = 1) -> tuple[list[int], int]:
    """Make rows."""
    found = []
    for number in numbers:
        value = square(number) * by
        found.append(value)
    return found, value


def failing(numbers: Any) -> list[int]:
    found = []
    for number in numbers:
        value = divide(number)
        found.append(value)
    return found


def several(numbers: Any) -> tuple[list[int], list[int]]:
    first = [square(number) for number in numbers]
    return first, rows(first)[0]


def decorated(function: Callable[..., Any], backend: str) -> Callable[..., Any]:
    return concompare.parallel(backend=backend, workers=2)(function)


@pytest.mark.parametrize("backend", KINDS)
def test_a_function_does_what_it_did(backend: str) -> None:
    assert decorated(rows, backend)(range(50), by=2) == ([n * n * 2 for n in range(50)], 4802)
    assert decorated(several, backend)([1, 2]) == ([1, 4], [1, 16])


def test_a_decorator_without_options() -> None:
    function = concompare.parallel(rows)
    assert function([3]) == ([9], 9)
    assert (function.__name__, function.__doc__) == ("rows", "Make rows.")
    assert vars(function)["__wrapped__"] is rows


def line_in(function: Callable[..., Any], distance: int) -> int:
    return function.__code__.co_firstlineno + distance


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_the_loops_run_on_workers_those_of_the_functions_that_it_calls_too(
    backend: str, ran: list[tuple[int, str]]
) -> None:
    decorated(several, backend)([1, 2, 3])
    assert ran == [(line_in(several, 1), backend), (line_in(rows, 3), backend)]


@pytest.mark.parametrize("backend", KINDS)
def test_an_error_ends_on_the_function_s_own_lines(backend: str) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        decorated(failing, backend)([1, 2, 3, 4])
    frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == __file__]
    first = failing.__code__.co_firstlineno
    assert [(frame.name, frame.lineno) for frame in frames[-2:]] == [
        ("failing", first + 3),
        ("divide", divide.__code__.co_firstlineno + 1),
    ]
    assert [frame.name for frame in frames].count("failing") == 1


@pytest.mark.parametrize("backend", KINDS)
def test_an_error_is_the_one_that_it_was(backend: str) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        decorated(failing, backend)([1, 2, 3, 4])
    assert not hasattr(caught.value, "__notes__")


def shifted(number: int) -> int:
    return number + 1


divide_all = concompare.parallel(backend="threads", workers=2)(failing)


def of_decorated(numbers: Any) -> list[list[int]]:
    found = divide_all(numbers)
    return [divide_all([number]) for number in numbers] + [found]


def test_it_may_call_others_that_are_decorated(ran: list[tuple[int, str]]) -> None:
    assert decorated(of_decorated, "threads")([0, 1]) == [[4], [6], [4, 6]]
    assert ran == [(line_in(failing, 2), "threads"), (line_in(of_decorated, 2), "threads")]


def test_a_decorator_around_it_is_called_by_others_that_are_decorated() -> None:
    calls = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def around(*args: Any) -> Any:
            calls.append(args)
            return function(*args) + 1

        return around

    @counted
    @concompare.parallel
    def inner(x: int) -> int:
        return x * 2

    @concompare.parallel
    def outer(xs: list[int]) -> list[int]:
        return [inner(x) for x in xs]

    assert outer([1, 2]) == [3, 5]
    assert calls == [(1,), (2,)]


def test_a_function_without_work_is_not_looked_at_for_ever() -> None:
    now = 0.0
    patience = Patience(lambda: now)
    looked = 0
    while not patience.is_over():
        looked += 1
        patience.spent += PATIENCE / 8
    assert looked == 9
    now = 2 * PATIENCE / SHARE
    assert not patience.is_over()


def test_looks_at_a_function_without_work_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[Patience] = []
    monkeypatch.setattr(inside, "PATIENCE", 0.0)
    over = Patience.is_over

    def is_over(patience: Patience) -> bool:
        noted.append(patience)
        return over(patience)

    monkeypatch.setattr(Patience, "is_over", is_over)
    function = decorated(shifted, "threads")
    assert function(1) == 2
    assert noted[0].spent > 0
    spent = noted[0].spent = 1e9
    assert function(2) == 3
    assert noted[0].spent == spent  # it was not looked at again


def test_what_went_into_small_loops_counts_for_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    in_vain: list[float] = []
    of_call = following.Following.in_vain

    def noted(part: following.Following) -> float:
        in_vain.append(of_call(part))
        return in_vain[-1]

    monkeypatch.setattr(following.Following, "in_vain", noted)
    for worth in (0.0, 1e9):
        monkeypatch.setattr(following, "WORTH", worth)
        decorated(rows, "threads")([1, 2])
    assert in_vain[0] == 0.0
    assert in_vain[1] > 0.0


@pytest.mark.parametrize("work", [0.0, 1e9])
def test_a_loop_is_worth_what_its_items_take_however_busy_the_machine_is(
    work: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    gained: list[bool] = []
    of_call = following.Following.in_vain

    def noted(part: following.Following) -> float:
        gained.append(part.gained)
        return of_call(part)

    monkeypatch.setattr(following.Following, "in_vain", noted)
    monkeypatch.setattr(dispatch.Ran, "work", work)
    monkeypatch.setattr(following, "WORTH", 1e-9)  # any machine takes longer to hand out items
    decorated(rows, "threads")([1, 2])
    assert gained == [work > 0]


def test_the_work_of_a_run_is_the_time_of_its_items(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[dispatch.Ran] = []
    plain_run = dispatch.run

    def run(task: Any, request: Any) -> dispatch.Ran:
        done.append(plain_run(task, request))
        return done[-1]

    monkeypatch.setattr(dispatch, "run", run)
    decorated(rows, "threads")([1, 2])
    record = done[0].trials[0].passes[0]
    assert 0 < done[0].work <= sum(max(part.cpu, part.end - part.start) for part in record.messages)


def each(numbers: Any) -> Iterator[int]:
    for number in numbers:
        yield square(number)


async def awaited(numbers: Any) -> list[int]:
    return [square(number) for number in numbers]


@pytest.mark.parametrize("function", [each, awaited])
def test_generators_and_coroutines_stay_what_they_are(function: Callable[..., Any]) -> None:
    assert decorated(function, "threads") is function


def endless(number: int) -> Any:
    return number + recursion(number - 1) if number else [square(part) for part in (1, 2)]


recursion = concompare.parallel(backend="threads", workers=2)(endless)


def test_a_recursion_without_end_fails_as_it_does_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecursionError) as ours:
        recursion(-1)
    monkeypatch.setitem(globals(), "recursion", endless)
    with pytest.raises(RecursionError) as plain:
        endless(-1)
    assert str(ours.value) == str(plain.value)


def test_a_recursion_that_ended_is_looked_at_again(ran: list[tuple[int, str]]) -> None:
    for _ in range(2):
        with pytest.raises(RecursionError):
            recursion(-1)
    assert recursion(0) == [1, 4]
    assert ran == [(line_in(endless, 1), "threads")]


def all_of(numbers: Any) -> list[int]:
    return list(each(numbers))


def test_a_generator_runs_in_parallel_where_its_values_are_taken(ran: list[tuple[int, str]]) -> None:
    assert decorated(all_of, "threads")([1, 2]) == [1, 4]
    assert ran == [(line_in(each, 1), "threads")]


def test_a_method() -> None:
    class Scaled:
        def __init__(self, by: int) -> None:
            self.by = by

        def one(self, number: int) -> int:
            return square(number) * self.by

        @concompare.parallel(backend="threads", workers=2)
        def all(self, numbers: Any) -> list[int]:
            return [self.one(number) for number in numbers]

    assert Scaled(3).all([1, 2]) == [3, 12]


@concompare.parallel(backend="threads", workers=2)
def inner(numbers: Any) -> list[tuple[int, int]]:
    return [place(number) for number in numbers]


def test_inside_workers_it_runs_as_it_is(ran: list[tuple[int, str]]) -> None:
    def outer(count: int) -> list[Any]:
        return [inner(range(number)) for number in range(count)]

    for backend in ("threads", "processes", "serial"):
        found = decorated(outer, backend)(4)
        assert [len(part) for part in found] == [0, 1, 2, 3]
        assert all(len({thread for _, thread in part}) <= 1 for part in found)
        assert ran.pop() == (line_in(outer, 1), backend)
        assert [len(part) for part in concompare.map(inner, [range(2)] * 3, backend=backend, workers=2)] == [2, 2, 2]
        assert len(ran) == 1
        ran.clear()


def test_in_a_thread_of_the_user_s_it_runs_as_it_is() -> None:
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(inner, range(5)).result()
        (thread,) = pool._threads
        assert {here for _, here in found} == {thread.ident}


def gathered(numbers: list[int]) -> list[int]:
    """Square numbers in threads of its own, started by a statement."""
    found: list[int] = []
    started = []
    for number in numbers:
        started.append(threading.Thread(target=lambda n=number: found.append(square(n))))  # noqa: PERF401
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    context = multiprocessing.get_context("spawn")
    made = []
    for number in numbers:
        ends = context.Pipe()
        made.append((context.Process(target=square, args=(number, ends)), ends))
    for _, (one, other) in made:
        one.close()
        other.close()
    return [*sorted(found), len(made)]


def test_a_function_that_starts_threads_and_processes_itself() -> None:
    assert concompare.parallel(backend="threads", workers=2)(gathered)([1, 2, 3]) == [1, 4, 9, 3]


def test_a_loop_that_cannot_run_in_parallel_runs_as_it_is(ran: list[tuple[int, str]]) -> None:
    @concompare.parallel(backend="threads", workers=2)
    def last(numbers: Any) -> int:
        kept = 1
        for number in numbers:
            kept = square(kept + number)
        return kept

    assert last([1, 2]) == 36
    assert not ran


@pytest.mark.parametrize("thing", [len, rows.__code__, "text"])
def test_only_functions_written_in_python(thing: Any) -> None:
    with pytest.raises(BadOption, match="is no function written in Python"):
        concompare.parallel(thing)


def test_options_are_checked_when_it_is_called() -> None:
    function = decorated(rows, "nowhere")
    with pytest.raises(UnknownBackend):
        function([1])


def test_it_goes_to_workers_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(inner)) is inner
