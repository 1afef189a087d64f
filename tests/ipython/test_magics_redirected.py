"""Items that put something in the place of `sys.stdout` see what they print there, and the notebook keeps its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.worker import capture
from tests.ipython.conftest import Shell

BACKENDS = ["threads", "thread-per-item", "auto", "processes", "serial"]


@pytest.fixture(autouse=True, scope="module")
def closed() -> Iterator[None]:
    yield
    engine.close_pools()


OUT = """
import contextlib, io
def told(n):
    print("told", n)
def f(n):
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer):
        told(n)
    return buffer.getvalue()
"""
ERR = """
import contextlib, io, sys
def f(n):
    with contextlib.redirect_stderr(io.StringIO()) as buffer:
        print("told", n, file=sys.stderr)
    return buffer.getvalue()
"""
NESTED = """
import contextlib, io
def inner(n):
    with contextlib.redirect_stdout(io.StringIO()) as buffer:
        print("told", n)
    return buffer.getvalue()
def f(n):
    with contextlib.redirect_stdout(io.StringIO()) as outer:
        print("before")
        got = inner(n)
        print("after")
    assert outer.getvalue() == "before\\nafter\\n", outer.getvalue()
    return got
"""
RAISES = """
import contextlib, io
def fails(n):
    print("told", n)
    raise ValueError
def f(n):
    buffer = io.StringIO()
    try:
        with contextlib.redirect_stdout(buffer):
            fails(n)
    except ValueError:
        return buffer.getvalue()
"""
KINDS = {"out": OUT, "err": ERR, "nested": NESTED, "raises": RAISES}


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("setup", KINDS.values(), ids=KINDS)
def test_items_that_redirect_their_output_see_it_and_later_prints_are_seen(setup: str, name: str, shell: Shell) -> None:
    shell.run(setup)
    before = sys.stdout, sys.stderr
    shell.run(f"%%parallel -b {name} -w 3 --no-plot --quiet --assume-pure\nout = [f(n) for n in range(40)]")
    assert shell.names["out"] == [f"told {number}\n" for number in range(40)]
    assert (sys.stdout, sys.stderr) == before
    assert shell.run("print('seen')").stdout == "seen\n"


def test_later_prints_are_seen_after_items_that_overlapped_in_a_helper(shell: Shell) -> None:
    shell.run(
        "import contextlib, io, threading\n"
        "both, entered, left = threading.Barrier(2, timeout=30), threading.Event(), threading.Event()\n"
        "def f(n):\n"
        "    if n:\n        entered.wait(30)\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as buffer:\n"
        "        entered.set()\n        both.wait()\n        print('told', n)\n"
        "        if n:\n            left.wait(30)\n"
        "    left.set()\n"
        "    return buffer.getvalue()\n"
    )
    shell.run("%%parallel -b threads -w 2 --chunk 1 --no-plot --quiet --assume-pure\nout = [f(n) for n in range(2)]")
    assert shell.names["out"] == ["told 0\n", "told 1\n"]
    assert shell.run("print('seen')").stdout == "seen\n"


@pytest.mark.slow
def test_a_comparison_leaves_the_streams_alone(shell: Shell) -> None:
    shell.run(OUT)
    cell = "out = [f(n) for n in range(40)]"
    shell.run(f"%%concompare -b serial,threads,processes -w 2 --budget 3 --no-plot --quiet --assume-pure\n{cell}")
    assert shell.names["out"] == [f"told {number}\n" for number in range(40)]
    assert shell.run("print('seen')").stdout == "seen\n"


def test_an_item_that_fails_while_redirected_leaves_the_streams_alone(shell: Shell) -> None:
    shell.run(OUT + "def told(n):\n    print(1 // (3 - n))\n")
    ran = shell.fails("%%parallel -b threads -w 3 --no-plot --quiet --assume-pure\nout = [f(n) for n in range(40)]")
    assert isinstance(ran.error, ZeroDivisionError)
    assert shell.run("print('seen')").stdout == "seen\n"


def run(function: Any, count: int, workers: int = 4, name: str = "threads") -> engine.Outcome:
    with engine.lease(backends.find(name), workers) as pool:
        return engine.run_pass(function, list(range(count)), pool, engine.PassOptions(chunk=1))


def test_overlapping_items_catch_their_own_prints_only(capsys: pytest.CaptureFixture[str]) -> None:
    """All four are within their redirection at once, and leave it in another order than they entered it."""
    import contextlib
    import io
    import threading

    together, turns = threading.Barrier(4, timeout=30), [threading.Event() for _ in range(5)]
    turns[0].set()

    def item(number: int) -> str:
        print("open", number)
        with contextlib.redirect_stdout(io.StringIO()) as buffer:
            together.wait()
            print("inside", number)
            assert turns[number].wait(30)
        turns[number + 1].set()
        print("after", number)
        return buffer.getvalue()

    before = sys.stdout
    assert run(item, 4).values == [f"inside {number}\n" for number in range(4)]
    assert sys.stdout is before
    assert capsys.readouterr().out == "".join(f"open {number}\nafter {number}\n" for number in range(4))


def test_what_items_leave_in_the_place_of_the_streams_is_theirs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    import io

    def item(number: int) -> Any:
        sys.stdout = io.StringIO()
        print("inside", number)
        return sys.stdout.getvalue()

    before, kind = sys.stdout, type(sys)
    assert run(item, 8).values == [f"inside {number}\n" for number in range(8)]
    assert sys.stdout is before
    assert type(sys) is kind
    print("seen")
    assert capsys.readouterr().out == "seen\n"


def test_a_stream_that_writes_to_the_one_before_and_one_that_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    class Tee:
        def __init__(self) -> None:
            self.before, self.kept = sys.stdout, ""

        def write(self, text: str) -> int:
            self.kept += text
            return self.before.write(text)

        def flush(self) -> None:
            self.before.flush()

    kept = []

    def item(number: int) -> Any:
        before = sys.stdout
        kept.append(before)
        sys.stdout = tee = Tee()
        try:
            print("tee", number, flush=True)
        finally:
            sys.stdout = before
        return tee.kept

    assert run(item, 6).values == [f"tee {number}\n" for number in range(6)]
    assert capsys.readouterr().out == "".join(f"tee {number}\n" for number in range(6))
    kept[0].write("later")
    assert capsys.readouterr().out == "later"


def test_what_the_notebook_itself_redirects_meanwhile_is_not_taken_for_the_items_own() -> None:
    """The tail, or a cell that runs beside a pass in the background, redirects too."""
    import contextlib
    import io

    before = sys.stdout
    with capture.doors():
        assert sys.stdout is before
        with contextlib.redirect_stdout(io.StringIO()) as buffer:
            print("tail")
            assert run(lambda number: print("item", number), 3).values == [None] * 3
        assert sys.stdout is before
    assert buffer.getvalue() == "tail\nitem 0\nitem 1\nitem 2\n"
    assert sys.stdout is before


def test_passes_that_overlap_leave_the_streams_as_they_were() -> None:
    before, kind = sys.stdout, type(sys)
    first, second = capture.doors(), capture.doors()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.stdout is before
    second.__exit__(None, None, None)
    assert sys.stdout is before
    assert type(sys) is kind
    assert vars(sys)["stdout"] is before


def test_streams_that_are_missing_or_deleted() -> None:
    before = sys.stdout

    def item(number: int) -> Any:
        sys.stdout = None
        print("nowhere")
        return sys.stdout

    assert run(item, 2).values == [None, None]
    try:
        with capture.doors():
            del sys.stdout
            assert not hasattr(sys, "stdout")
    finally:
        sys.stdout = before


def test_coroutines_that_redirect_and_wait() -> None:
    import asyncio
    import contextlib
    import io

    async def item(number: int) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as buffer:
            await asyncio.sleep(0)
            print("inside", number)
            await asyncio.sleep(0)
        return buffer.getvalue()

    before = sys.stdout
    assert run(item, 8, name="asyncio").values == [f"inside {number}\n" for number in range(8)]
    assert sys.stdout is before


def test_workers_with_several_threads_keep_the_streams_of_their_items_apart() -> None:
    import contextlib
    import io
    import threading

    from concompare.worker.compute import Computed

    together, seen = threading.Barrier(2, timeout=30), {}

    def work(number: int) -> None:
        done = Computed()
        with capture.recording(done):
            print("open", number)
            with contextlib.redirect_stdout(io.StringIO()) as buffer:
                together.wait()
                print("inside", number)
                together.wait()
            print("after", number)
        seen[number] = buffer.getvalue(), "".join(text for _, _, text in done.output)

    before = sys.stdout
    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: (f"inside {number}\n", f"open {number}\nafter {number}\n") for number in range(2)}
    assert sys.stdout is before
