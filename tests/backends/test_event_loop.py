"""Coroutine functions: many at once on the `asyncio` backend, one after the other in every other worker."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import concompare
from concompare import backends, engine
from concompare.backends import event_loop
from concompare.errors import BackendUnavailable
from concompare.worker.coroutines import LoopThread, is_coroutine_function

LONG = 3600.0
EVERYWHERE = ["serial", "threads", "processes", "asyncio"]


def define(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(source, namespace)
    return namespace["f"]


def run(name: str, function: Any, items: Any, workers: int = 2, **options: Any) -> engine.Outcome:
    with engine.lease(backends.find(name), workers) as pool:
        return engine.run_pass(function, items, pool, engine.PassOptions(**options))


def test_so_many_coroutines_are_under_way_as_there_are_workers(no_leaks: None) -> None:
    barrier = asyncio.Barrier(3)
    under_way = [0, 0]

    async def f(x: int) -> int:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await barrier.wait()
        under_way[0] -= 1
        return -x

    assert run("asyncio", f, range(9), 3, chunk=1).values == [-x for x in range(9)]
    assert under_way == [0, 3]


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_coroutine_function_runs_where_a_loop_runs_already(name: str, no_leaks: None) -> None:
    function = define("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * 2")

    async def notebook() -> list[Any]:
        return run(name, function, range(5)).values

    assert asyncio.run(notebook()) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("name", EVERYWHERE)
def test_an_error_shows_the_users_lines_alone(name: str, no_leaks: None) -> None:
    function = define("async def inner(x): return 1 // x\nasync def f(x): return await inner(x)")

    async def notebook() -> Any:
        return run(name, function, [1, 0])

    with pytest.raises(ZeroDivisionError) as caught:
        asyncio.run(notebook())
    assert [entry.name for entry in caught.traceback][-2:] == ["f", "inner"]
    assert not [entry for entry in caught.traceback if "asyncio/futures" in str(entry.path)]


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_seed_gives_coroutines_the_streams_of_the_plain_loop(name: str, no_leaks: None) -> None:
    source = "import asyncio, random\nasync def f(x):\n    a = random.random()\n    await asyncio.sleep(0)\n"
    function = define(source + "    return a, random.random(), x")
    values = run(name, function, range(6), seed=5, chunk=2).values
    assert values == run("serial", function, range(6), seed=5).values
    assert len({number for a, b, _ in values for number in (a, b)}) == 12


def test_prints_of_tasks_and_threads_of_a_coroutine_belong_to_its_item(
    no_leaks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    async def child(x: int) -> None:
        print("child of", x)

    async def f(x: int) -> None:
        await asyncio.sleep(0)
        await asyncio.gather(child(x), asyncio.to_thread(print, "thread of", x))

    run("asyncio", f, range(6), 3, chunk=1)
    lines = capsys.readouterr().out.splitlines()
    assert [sorted(lines[at : at + 2]) for at in range(0, 12, 2)] == [
        [f"child of {x}", f"thread of {x}"] for x in range(6)
    ]


@pytest.mark.parametrize("name", ["threads", "asyncio"])
def test_a_coroutine_that_waits_ends_with_its_pass(name: str, no_leaks: None) -> None:
    ended: list[int] = []

    async def f(x: int) -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            ended.append(x)

    assert run(name, f, range(2), chunk=1, cap=0.05).stopped
    end = time.monotonic() + 500
    while len(ended) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert sorted(ended) == [0, 1]


def test_a_coroutine_that_computes_is_ended_at_its_next_line(no_leaks: None) -> None:
    computing: list[bool] = []

    async def f(x: int) -> None:
        computing.append(True)
        while computing:
            x += 1

    assert run("asyncio", f, [0], cap=0.05).stopped


def test_an_ordinary_function_is_refused_in_one_line(no_leaks: None) -> None:
    message = (
        "asyncio: abs is an ordinary function, which an event loop cannot overlap: write it with async def and await"
    )
    with pytest.raises(BackendUnavailable, match=message):
        run("asyncio", abs, [1])


def test_the_time_of_the_loops_thread_is_shared_out_among_the_chunks_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    # From 0 to 2 s of CPU time the first chunk is alone, to 4 s there are two, to 5 s the second is alone.
    monkeypatch.setattr(time, "thread_time", iter([0.0, 2.0, 4.0, 5.0]).__next__)
    monkeypatch.setattr(event_loop, "run_queue", lambda: None)
    share = event_loop.Share()
    first = share.enter()
    second = share.enter()
    assert share.leave(first) == (3.0, None)
    assert share.leave(second) == (2.0, None)


def test_what_gives_coroutines_is_told_by_looking() -> None:
    class Called:
        async def __call__(self, x: int) -> int:
            return x

    assert is_coroutine_function(Called())
    assert is_coroutine_function(Called().__call__)
    assert not is_coroutine_function(Called)
    assert not is_coroutine_function(len)


def test_a_loop_ends_with_the_last_reference_to_it() -> None:
    beside = LoopThread("concompare-test")
    thread = beside.thread

    async def answer() -> int:
        return 4

    assert beside.call(answer()) == 4
    del beside
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.alone
@pytest.mark.usefixtures("unhurried")
def test_a_comparison_tells_coroutines_from_functions(no_leaks: None) -> None:
    async def wait(x: int) -> int:
        await asyncio.sleep(0.01)
        return x

    report = concompare.compare(wait, range(12), backends=["serial", "asyncio"], workers=[6], budget=60)
    (trial,) = (trial for trial in report.comparison.trials if trial.backend == "asyncio")
    assert (trial.problem, trial.same) == (None, True)
    assert report.best is not None
    assert report.best.backend == "asyncio"
    report = concompare.compare(abs, range(12), backends=["serial", "asyncio"], workers=[6], budget=60)
    (trial,) = (trial for trial in report.comparison.trials if trial.backend == "asyncio")
    assert trial.problem is not None
    assert "abs is an ordinary function" in trial.problem
