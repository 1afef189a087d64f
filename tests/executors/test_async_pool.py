"""`concompare.Pool`: what is promised beyond what CPython's own tests ask of a pool."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import Pool
from concompare.errors import BadOption, WorkerDied
from concompare.testing import define
from tests.backends.conftest import nothing_left

KINDS = ["threads", "processes", "fork", "spawn"]


@pytest.fixture(scope="module", params=KINDS)
def warm(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name a backend whose workers stay for the next test; after the last one nothing of them is left."""
    with nothing_left():
        yield request.param


@pytest.fixture
def pool(warm: str) -> Any:
    with Pool(2, backend=warm) as opened:
        yield opened


SOURCE = "K = 3\ndef f(a, b=0): return a * K + b"


def test_functions_of_a_notebook_are_called_in_every_way(pool: Pool) -> None:
    function = define(SOURCE)
    assert pool.apply(function, (2,), {"b": 1}) == 7
    assert pool.map(function, range(20)) == [3 * n for n in range(20)]
    assert pool.starmap(function, [(n, n) for n in range(20)]) == [4 * n for n in range(20)]
    assert list(pool.imap(function, range(20))) == [3 * n for n in range(20)]
    assert sorted(pool.imap_unordered(function, iter(range(20)))) == [3 * n for n in range(20)]
    assert pool.map_async(function, (n for n in range(4))).get() == [0, 3, 6, 9]
    assert pool.starmap_async(function, [(1, 1)]).get() == [4]


def test_callbacks_are_called_once_before_the_result_is_there(pool: Pool) -> None:
    good: list[Any] = []
    bad: list[Any] = []
    one = pool.apply_async(abs, (-2,), None, good.append, bad.append)
    for call in (one, pool.map_async(abs, [-1, -2], None, good.append)):
        call.wait()
        assert call.ready()
        assert call.successful()
    failed = pool.apply_async(divmod, (1, 0), None, good.append, bad.append)
    with pytest.raises(ZeroDivisionError):
        failed.get()
    assert not failed.successful()
    assert sorted(map(str, good)) == ["2", "[1, 2]"]
    assert [type(error) for error in bad] == [ZeroDivisionError]


def test_after_an_error_an_iterator_goes_on(pool: Pool) -> None:
    results = pool.imap(define("def f(n): return 1 / (n - 1)"), range(3), 1)
    assert next(results) == -1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results) == 1
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize("chunksize", [None, 1, 8])
def test_an_error_keeps_no_other_item_of_a_map_from_being_computed(pool: Pool, tmp_path: Path, chunksize: int) -> None:
    source = f"from pathlib import Path\ndef f(n):\n    Path({str(tmp_path)!r}, str(n)).touch()\n    return 1 / (n % 4)"
    with pytest.raises(ZeroDivisionError) as caught:
        pool.map(define(source), range(12), chunksize)
    assert sorted(int(file.name) for file in tmp_path.iterdir()) == list(range(12))
    assert "item 0" in "".join(caught.value.__notes__)


def test_what_does_not_come_in_time_can_be_asked_for_again(pool: Pool) -> None:
    wait = define("import time\ndef f(n):\n    time.sleep(n)\n    return n")
    call, results = pool.apply_async(wait, (0.5,)), pool.imap(wait, [0.5])
    for late in (call.get, results.next):
        with pytest.raises(multiprocessing.TimeoutError):
            late(timeout=0.001)
    assert call.get() == 0.5
    assert results.next() == 0.5
    with pytest.raises(TimeoutError):
        pool.apply_async(wait, (0.5,)).get(0.001)


def test_a_call_that_has_not_ended_is_neither_good_nor_bad(pool: Pool) -> None:
    call = pool.apply_async(define("import time\ndef f():\n    time.sleep(0.5)"))
    with pytest.raises(ValueError, match="not ready"):
        call.successful()


def test_a_closed_pool_computes_what_it_was_asked_for(pool: Pool) -> None:
    call = pool.map_async(abs, range(50))
    results = pool.imap(abs, (n for n in range(1000)))
    with pytest.raises(ValueError, match="Pool is still running"):
        pool.join()
    pool.close()
    with pytest.raises(ValueError, match="Pool not running"):
        pool.apply_async(abs, (1,))
    pool.join()
    assert call.get() == list(range(50))
    assert list(results) == list(range(1000))


def test_an_initializer_runs_in_every_worker(no_leaks: None) -> None:
    source = "import os\nstate = None\ndef begin(n):\n    global state\n    state = n, os.getpid()\n"
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(f"{source}def f(_): return state == (5, os.getpid())", space)
    for kind in KINDS[1:]:
        with Pool(2, space["begin"], (5,), backend=kind) as pool:
            assert pool.map(space["f"], range(6), 1) == [True] * 6


def test_a_lost_worker_is_named_instead_of_waited_for_for_ever(no_leaks: None) -> None:
    with Pool(2) as pool:
        call = pool.map_async(define("import os\ndef f(n): return os._exit(3) if n == 2 else n"), range(4), 1)
        with pytest.raises(WorkerDied, match=r"exit code 3 while computing item 2 \(2\)"):
            call.get()
        assert pool.apply(abs, (-1,)) == 1


def test_terminate_ends_what_runs(no_leaks: None) -> None:
    pool = Pool(1)
    begun = pool.apply_async(define("import time\ndef f(): time.sleep(600)"))
    pool.terminate()
    pool.join()
    with pytest.raises(BaseException, match="ended while it ran or waited"):
        begun.get()


def test_a_pool_cannot_be_sent(no_leaks: None) -> None:
    with Pool(1) as pool, pytest.raises(NotImplementedError, match="cannot be passed between processes"):
        pickle.dumps(pool)


def test_bad_options_get_one_clear_line(no_leaks: None) -> None:
    with pytest.raises(BadOption, match="processes must be greater than 0, and is 0"):
        Pool(0)
    with Pool(1, backend="threads") as pool, pytest.raises(BadOption, match="chunksize must be >= 1, and is -2"):
        pool.map(abs, [1], -2)


def test_calls_may_come_from_several_threads(pool: Pool) -> None:
    found: dict[int, list[int]] = {}

    def ask(n: int) -> None:
        found[n] = pool.map(abs, range(n, n + 50))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: list(range(n, n + 50)) for n in range(8)}
