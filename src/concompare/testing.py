"""The contract that every backend keeps, as tests to be run on yours; needs pytest.

from concompare.testing import BackendContract, FarContract

class TestMine(FarContract):
backend = "mine"
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from concompare import backends, engine
from concompare.errors import CannotShip

__all__ = ["NOTEBOOK", "BackendContract", "FarContract", "define"]

NOTEBOOK: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
"""What the names of a notebook begin with."""


def define(source: str, name: str = "f") -> Any:
    """Define a function as a notebook cell does: in `__main__`, with no file to import it from."""
    namespace = dict(NOTEBOOK)
    exec(source, namespace)
    return namespace[name]


class BackendContract:
    """What holds for every backend, whatever its workers are.

    Attributes:
        backend: The name of the backend, as `-b` takes it; or override the fixture `kind`, which gives the backend.
    """

    backend: ClassVar[str] = "threads"

    @pytest.fixture
    def kind(self) -> Any:
        """Return the backend."""
        found = backends.find(self.backend)
        reason = found.unavailable()
        if reason is not None:
            pytest.skip(reason)
        return found

    @pytest.fixture
    def pool(self, kind: Any) -> Iterator[engine.Pool]:
        """Yield two workers."""
        with engine.lease(kind, 2) as opened:
            yield opened

    def test_results_come_in_input_order(self, pool: engine.Pool) -> None:
        function = define("import time\ndef f(x):\n    time.sleep(0.002 * (x % 3 == 0))\n    return x, -x")
        assert engine.run_pass(function, range(12), pool).values == [(x, -x) for x in range(12)]

    def test_a_function_from_a_cell_takes_its_globals_and_imports_along(self, pool: engine.Pool) -> None:
        function = define("import math\nK = 3\ndef g(x):\n    return math.floor(x) * K\nf = lambda x: g(x) + 1")
        assert engine.run_pass(function, [1.5, 2.5], pool).values == [4, 7]

    def test_no_items_give_no_results(self, pool: engine.Pool) -> None:
        assert engine.run_pass(abs, [], pool).values == []

    def test_a_generator_is_consumed_once_and_in_the_calling_thread(self, pool: engine.Pool) -> None:
        threads = set()

        def items() -> Iterator[int]:
            for x in range(30):
                threads.add(threading.get_ident())
                yield x

        assert engine.run_pass(define("def f(x): return x + 1"), items(), pool).values == list(range(1, 31))
        assert threads == {threading.get_ident()}

    def test_the_first_failing_item_raises_itself_and_earlier_values_are_kept(self, pool: engine.Pool) -> None:
        function = define("def f(x):\n    if x in (5, 9):\n        raise ValueError(f'bad {x}')\n    return x")
        seen: list[Any] = []
        with pytest.raises(ValueError, match="bad 5") as caught:
            engine.run_pass(function, range(12), pool, on_value=lambda i, value: seen.append(value))
        assert seen == [0, 1, 2, 3, 4]
        assert engine.last().values == [0, 1, 2, 3, 4]
        assert caught.value.__notes__ == ["concompare: raised by item 5: 5"]

    def test_with_keep_failures_stand_in_their_places(self, pool: engine.Pool) -> None:
        function = define("def f(x):\n    if x == 0: raise ZeroDivisionError('no')\n    return 10 // x")
        outcome = engine.run_pass(function, [5, 0, 2, 0], pool, engine.PassOptions(on_error="keep"))
        assert [outcome.values[0], outcome.values[2]] == [2, 5]
        assert [failure.index for failure in outcome.failures] == [1, 3]
        assert outcome.values[1] is outcome.failures[0]
        assert isinstance(outcome.failures[0].error, ZeroDivisionError)
        assert repr(outcome.values[3]) == "<Failure: item 3 (0): ZeroDivisionError: no>"

    def test_the_traceback_ends_on_the_users_line_and_holds_no_line_of_ours(self, pool: engine.Pool) -> None:
        source = "def inner(x):\n    return 1 // x\n\ndef f(x):\n    return inner(x)\n"
        namespace = dict(NOTEBOOK)
        exec(compile(source, "<cell 7>", "exec"), namespace)
        with pytest.raises(ZeroDivisionError) as caught:
            engine.run_pass(namespace["f"], [0], pool)
        places = [
            (entry.path.name if hasattr(entry.path, "name") else entry.path, entry.lineno + 1)
            for entry in caught.traceback
        ]
        mine = [place for place in places if place[0] == "<cell 7>"]
        assert mine == [("<cell 7>", 5), ("<cell 7>", 2)]
        assert places[-2:] == mine
        assert not any(part in str(place[0]) for place in places for part in ("worker.py", "computing.py"))

    def test_prints_are_whole_once_and_in_item_order(
        self, pool: engine.Pool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = """
import sys
def f(x):
    print("item", x, end="")
    print("!")
    if x == 2:
        print("error", file=sys.stderr)
    return x
"""
        engine.run_pass(define(source), range(20), pool)
        out, err = capsys.readouterr()
        assert out == "".join(f"item {x}!\n" for x in range(20))
        assert err == "error\n"

    def test_prints_can_be_dropped_or_kept(self, pool: engine.Pool, capsys: pytest.CaptureFixture[str]) -> None:
        function = define("def f(x): print(x)")
        engine.run_pass(function, range(3), pool, engine.PassOptions(output="drop"))
        outcome = engine.run_pass(function, range(3), pool, engine.PassOptions(output="keep"))
        assert capsys.readouterr() == ("", "")
        assert outcome.output == ((0, "stdout", "0\n"), (1, "stdout", "1\n"), (2, "stdout", "2\n"))

    def test_a_true_answer_to_a_value_ends_the_pass(self, pool: engine.Pool) -> None:
        seen: list[Any] = []

        def take(position: int, value: Any) -> bool:
            seen.append(value)
            return bool(value == 3)

        outcome = engine.run_pass(define("def f(x): return x"), range(1000), pool, on_value=take)
        assert seen == [0, 1, 2, 3]
        assert outcome.stopped

    def test_names_assigned_come_back_with_their_last_values(self, pool: engine.Pool) -> None:
        source = "def f(x):\n    names = {'t': x * 2}\n    if x == 1:\n        names['once'] = x\n    return x, names"
        outcome = engine.run_pass(define(source), range(4), pool, engine.PassOptions(temporaries=("t", "once")))
        assert outcome.values == [0, 1, 2, 3]
        assert outcome.names == {"t": 6, "once": 1}

    def test_names_after_a_failure_are_those_of_the_plain_loop(self, pool: engine.Pool) -> None:
        source = "def f(x):\n    a = x\n    b = 6 // (3 - x)\n    return b, {'a': a, 'b': b}"
        with pytest.raises(ZeroDivisionError):
            engine.run_pass(define(source), range(6), pool, engine.PassOptions(temporaries=("a", "b")))
        names = engine.last().names
        assert (names["a"], names["b"]) == (3, 6)

    def test_an_exception_that_cannot_be_rebuilt_arrives_by_its_parts(self, pool: engine.Pool) -> None:
        source = """
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.pair = a, b
def f(x):
    raise Odd(x, 2)
"""
        with pytest.raises(Exception, match="1 and 2") as caught:
            engine.run_pass(define(source), [1], pool)
        assert type(caught.value).__name__ == "Odd"
        assert caught.value.pair == (1, 2)  # type: ignore[attr-defined]

    def test_causes_and_groups_arrive(self, pool: engine.Pool) -> None:
        source = """
def f(x):
    try:
        1 // x
    except ZeroDivisionError as error:
        raise ExceptionGroup("several", [KeyError("k")]) from error
"""
        with pytest.raises(ExceptionGroup) as caught:
            engine.run_pass(define(source), [0], pool)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert isinstance(caught.value.exceptions[0], KeyError)

    @pytest.mark.parametrize(
        "raised", ["SystemExit(3)", "RecursionError('deep')", "MemoryError('full')", "GeneratorExit()"]
    )
    def test_whatever_an_item_raises_is_the_items(self, pool: engine.Pool, raised: str) -> None:
        outcome = engine.run_pass(
            define(f"def f(x):\n    if x == 1: raise {raised}\n    return x"),
            range(3),
            pool,
            engine.PassOptions(on_error="keep"),
        )
        assert type(outcome.failures[0].error).__name__ == raised.partition("(")[0]
        assert [outcome.values[0], outcome.values[2]] == [0, 2]

    def test_numpy_arrays_cross_unchanged_and_can_be_written(self, pool: engine.Pool) -> None:
        arrays = [np.arange(50_000, dtype=float) + x for x in range(5)]
        outcome = engine.run_pass(define("def f(a): return a * 2"), arrays, pool)
        for array, result in zip(arrays, outcome.values, strict=True):
            np.testing.assert_array_equal(result, array * 2)
            result[0] = 1.0

    def test_coroutine_functions_run_in_a_loop_of_the_worker(self, pool: engine.Pool) -> None:
        function = define("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1")
        assert engine.run_pass(function, [1, 2, 3], pool).values == [2, 3, 4]

    def test_a_pass_records_what_it_took(self, pool: engine.Pool) -> None:
        function = define("def f(x):\n    s = 0\n    for i in range(20_000): s += i\n    return s")
        record = engine.run_pass(function, range(10), pool).record
        assert record is not None
        assert record.items == 10
        assert sum(message.count for message in record.messages) == 10
        assert record.cpu > 0
        for message in record.messages:
            moments = (message.sent, message.received, message.start, message.end, message.returned, message.done)
            assert list(moments) == sorted(moments)
            assert 0 <= message.worker < 2
            assert len(message.seconds) == message.count
        assert max(message.done for message in record.messages) <= record.wall

    def test_a_seed_gives_every_item_its_own_stream_the_same_everywhere(self, pool: engine.Pool) -> None:
        source = "import random\nimport numpy as np\ndef f(x): return random.random(), float(np.random.rand()), x"
        options = engine.PassOptions(seed=5, chunk=3)
        values = engine.run_pass(define(source), range(7), pool, options).values
        with engine.lease(backends.plain(), 1) as serial:
            assert values == engine.run_pass(define(source), range(7), serial, engine.PassOptions(seed=5)).values
            other = engine.run_pass(define(source), range(7), serial, engine.PassOptions(seed=6)).values
        sample = engine.PassOptions(seed=5, chunk=2, places=[6, 1, 3])
        assert engine.run_pass(define(source), [6, 1, 3], pool, sample).values == [values[6], values[1], values[3]]
        assert len({a for a, _, _ in values}) == len({b for _, b, _ in values}) == 7
        assert not {a for a, _, _ in values} & {a for a, _, _ in other}

    def test_what_failed_can_be_run_once_more(self, pool: engine.Pool, tmp_path: Any) -> None:
        source = "import os\ndef f(x):\n    if x % 3 == 1 and not os.path.exists(path): raise OSError(x)\n    return x"
        namespace = {**NOTEBOOK, "path": str(tmp_path / "there")}
        exec(source, namespace)
        outcome = engine.run_pass(namespace["f"], range(6), pool, engine.PassOptions(on_error="keep"))
        assert [failure.index for failure in outcome.failures] == [1, 4]
        assert engine.last().retry() == outcome.values
        assert [failure.index for failure in outcome.failures] == [1, 4]
        (tmp_path / "there").touch()
        assert engine.last().retry() == [0, 1, 2, 3, 4, 5]
        with pytest.raises(LookupError, match="nothing to run again"):
            engine.last().retry()

    def test_display_arrives_with_its_item(self, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        import builtins

        shown: list[Any] = []
        monkeypatch.setattr(builtins, "display", lambda *objects, **options: shown.extend(objects), raising=False)
        with engine.lease(kind, 2, fresh=True) as pool:
            engine.run_pass(define("def f(x): display({'item': x})"), range(5), pool)
        assert shown == [{"item": x} for x in range(5)]

    def test_an_error_in_a_sample_names_the_items_place_among_all(self, pool: engine.Pool) -> None:
        options = engine.PassOptions(places=[40, 7, 12])
        kept = engine.run_pass(define("def f(x): return 1 // x"), [1, 0, 2], pool, replace(options, on_error="keep"))
        assert [failure.index for failure in kept.failures] == [7]
        with pytest.raises(ZeroDivisionError) as caught:  # last: workers that are still at work then are ended
            engine.run_pass(define("def f(x): return 1 // x"), [1, 0, 2], pool, options)
        assert any("item 7" in note for note in caught.value.__notes__)

    def test_what_is_run_again_draws_the_numbers_of_its_own_place(self, pool: engine.Pool, tmp_path: Path) -> None:
        source = f"""
import os, random
def f(x):
    if x == 2 and not os.path.exists({str(tmp_path / "there")!r}):
        raise OSError(x)
    return random.random()
"""
        outcome = engine.run_pass(define(source), range(4), pool, engine.PassOptions(on_error="keep", seed=3))
        (tmp_path / "there").touch()
        outcome.retry()
        assert outcome.values == engine.run_pass(define(source), range(4), pool, engine.PassOptions(seed=3)).values


class FarContract(BackendContract):
    """What holds besides for workers that share nothing with the notebook: processes, other machines.

    Everything is tested on the plain way too, where the backend's passes have shortcuts.
    """

    @pytest.fixture(autouse=True, params=["shortcuts", "plain"])
    def way(self, request: pytest.FixtureRequest, kind: Any) -> Iterator[None]:
        """Let pools have the shortcuts that their workers can take, or none."""
        if request.param == "shortcuts":
            yield
            return
        if engine.Pool(kind, 2).shortcuts is None:
            pytest.skip("there are no shortcuts to these workers, so every pass goes the plain way")
        with engine.plain_way():
            yield

    def test_what_cannot_be_sent_is_named_by_its_path(self, pool: engine.Pool) -> None:
        source = "import sqlite3\ndb = sqlite3.connect(':memory:')\ndef g(x): return db\ndef f(x): return g(x)"
        function = define(source)
        with pytest.raises(CannotShip, match=r"f → global g → global db → sqlite3.Connection cannot be sent.*open it"):
            engine.run_pass(function, [1], pool)
        function.__globals__["db"].close()

    def test_an_item_that_cannot_be_sent_is_named(self, pool: engine.Pool) -> None:
        items = [1, threading.Lock()]
        with pytest.raises(CannotShip, match=r"item 1 → _thread.lock cannot be sent.*-b threads"):
            engine.run_pass(define("def f(x): return 1"), items, pool)

    def test_a_result_that_cannot_come_back_is_that_items_error(self, pool: engine.Pool) -> None:
        function = define("def f(x): return {'k': (y for y in [x])} if x == 1 else x")
        outcome = engine.run_pass(function, range(4), pool, engine.PassOptions(on_error="keep"))
        assert [failure.index for failure in outcome.failures] == [1]
        assert "result → ['k'] → generator" in str(outcome.failures[0].error)
        assert [outcome.values[0], *outcome.values[2:]] == [0, 2, 3]

    def test_classes_from_the_notebook_come_back_as_themselves(self, pool: engine.Pool) -> None:
        namespace = dict(NOTEBOOK)
        exec("class P:\n    def __init__(self, x): self.x = x\ndef f(p): return P(p.x + 1)", namespace)
        (value,) = engine.run_pass(namespace["f"], [namespace["P"](1)], pool).values
        assert type(value) is namespace["P"]
        assert value.x == 2

    def test_a_captured_object_that_a_worker_changes_is_noticed(self, pool: engine.Pool) -> None:
        source = "seen = []\nfixed = [1]\ndef g(x): seen.append(x)\ndef f(x):\n    g(x)\n    return fixed[0]"
        assert engine.run_pass(define(source), range(4), pool).hidden_state == ("seen",)

    @pytest.mark.parametrize("signature", ["x, seen=[]", "x, *, seen=[]"])
    def test_a_default_that_a_worker_changes_is_noticed(self, pool: engine.Pool, signature: str) -> None:
        function = define(f"def f({signature}):\n    seen.append(x)\n    return x")
        assert engine.run_pass(function, range(4), pool).hidden_state == ("a default of f",)

    def test_every_pass_begins_with_what_the_notebook_captured(self, pool: engine.Pool) -> None:
        function = define("seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)")
        options = engine.PassOptions(chunk=4)
        first = engine.run_pass(function, range(4), pool, options).values
        assert engine.run_pass(function, range(4), pool, options).values == first == [1, 2, 3, 4]

    def test_a_large_captured_value_goes_beside_the_messages(self, pool: engine.Pool) -> None:
        namespace = dict(NOTEBOOK)
        namespace["table"] = np.arange(400_000, dtype=float)
        exec("def f(x): return float(table[x])", namespace)
        outcome = engine.run_pass(namespace["f"], range(12), pool)
        assert outcome.values == [float(x) for x in range(12)]
        assert outcome.record is not None
        assert outcome.record.bytes_in < 20_000
