"""Exceptions of the user's that resist: they arrive by their class where that can be, with the item and the lines."""

from __future__ import annotations

import signal
import traceback
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.item_errors import death, rebuild, short_repr
from concompare.errors import RemoteError
from concompare.testing import NOTEBOOK
from concompare.worker.transfer.pickling import pack_error

SOURCE = """
import dataclasses, threading

@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int

class Made(Exception):
    def __new__(cls, a, b):
        return super().__new__(cls, a)
    def __init__(self, a, b):
        self.b = b

class Holding(Exception):
    def __init__(self, text):
        super().__init__(text, open)
        self.lock, self.code = threading.Lock(), 7

class Silent(Exception):
    def __str__(self): raise SystemExit(5)

class Stuck(Exception):
    def __reduce__(self): raise SystemExit(5)

class Hidden(Exception):
    @property
    def args(self): raise RuntimeError("no")

class Noted(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.__notes__ = "text"

def frozen(): raise Frozen(7)
def made(): raise Made(1, 7)
def holding(): raise Holding("full")
def silent(): raise Silent("s")
def stuck(): raise Stuck("t")
def hidden(): raise Hidden("h")
def noted(): raise Noted("n")
kinds = [frozen, made, holding, silent, stuck, hidden, noted]
def f(n): return kinds[n]() if n < len(kinds) else n
"""
NAMES = ["Frozen", "Made", "Holding", "Silent", "Stuck", "Hidden", "Noted"]


@pytest.fixture
def namespace() -> dict[str, Any]:
    names = dict(NOTEBOOK)
    exec(compile(SOURCE, "<cell 5>", "exec"), names)
    return names


def lines_of(error: BaseException) -> list[tuple[str, int]]:
    entry, found = error.__traceback__, []
    while entry is not None:
        found.append((entry.tb_frame.f_code.co_filename, entry.tb_lineno))
        entry = entry.tb_next
    return found


@pytest.mark.parametrize("name", ["serial", "threads", "processes"])
def test_each_arrives_as_its_class_with_the_item_and_the_lines(name: str, namespace: dict[str, Any]) -> None:
    count = len(NAMES)
    with engine.lease(backends.find(name), 2) as pool:
        keep = engine.PassOptions(on_error="keep")
        outcome = engine.run_pass(namespace["f"], range(count + 2), pool, keep)
    assert outcome.values[count:] == [count, count + 1]
    rows = SOURCE.splitlines()
    for position, failure in enumerate(outcome.failures):
        error, kind = failure.error, NAMES[position]
        assert type(error).__name__ == kind
        if kind != "Hidden" or name != "processes":  # of its arguments nothing can be told
            assert isinstance(error, namespace[kind])
        assert lines_of(error) == [
            ("<cell 5>", rows.index("def f(n): return kinds[n]() if n < len(kinds) else n") + 1),
            ("<cell 5>", next(row for row, line in enumerate(rows, 1) if line.startswith(f"def {kind.lower()}()"))),
        ]
        assert repr(failure).startswith(f"<Failure: item {position} ({position}): {kind}: ")
        if kind != "Noted":
            assert f"concompare: raised by item {position}: {position}" in error.__notes__
    codes = [getattr(failure.error, "code", None) for failure in outcome.failures]
    assert [codes[0], codes[2]] == [7, 7]
    assert getattr(outcome.failures[1].error, "b", None) == 7


@pytest.mark.parametrize("name", ["serial", "threads", "processes"])
@pytest.mark.parametrize("which", range(1, len(NAMES)))  # Python's own context managers stumble over the first
def test_each_ends_the_pass_as_itself(name: str, which: int, namespace: dict[str, Any]) -> None:
    with engine.lease(backends.find(name), 2) as pool, pytest.raises(Exception) as caught:  # noqa: PT011
        engine.run_pass(namespace["f"], [9, which, 9], pool)
    assert type(caught.value).__name__ == NAMES[which]
    assert engine.last().values == [9]


def test_a_stand_in_is_shown_with_the_users_lines() -> None:
    from concompare.errors import ConcompareError, RemoteError

    assert hasattr(ConcompareError("x"), "_render_traceback_")
    assert not hasattr(RemoteError("x"), "_render_traceback_")


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_a_result_whose_pickling_ends_the_process_is_its_items_error(name: str) -> None:
    source = "class Bad:\n    def __reduce__(self): raise SystemExit(3)\ndef f(x): return Bad() if x == 1 else x"
    names = dict(NOTEBOOK)
    exec(source, names)
    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(names["f"], range(4), pool, engine.PassOptions(on_error="keep"))
    assert [outcome.values[0], *outcome.values[2:]] == [0, 2, 3]
    assert (len(outcome.failures) == 1) is (name == "processes")


# ------------------------------------------------------------------------------------------------------- exceptions


def raised(source: str, **names: Any) -> BaseException:
    try:
        exec(compile(source, "<cell 3>", "exec"), names)
    except BaseException as error:
        # The worker's own frame is the first; the user's begin below it.
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        return error
    raise AssertionError("it did not raise")


def test_a_rebuilt_exception_walks_through_the_users_lines_without_marks() -> None:
    error = rebuild(pack_error(raised("def f(x):\n    return 1 / x\n\n\nf(0)")))
    assert [(frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(error.__traceback__)] == [
        ("<cell 3>", 5, "<module>"),
        ("<cell 3>", 2, "f"),
    ]
    assert "^" not in "".join(traceback.format_exception(error))


def test_an_exception_that_cannot_cross_keeps_its_name_and_text() -> None:
    source = "class Odd(Exception):\n    def __reduce__(self): raise RuntimeError('no')\nraise Odd('text', open)"
    packed = pack_error(raised(source, __name__="elsewhere"))
    packed.pop("parts", None)
    error = rebuild(packed)
    assert isinstance(error, RemoteError)
    assert type(error).__name__ == "Odd"
    assert "text" in str(error)


def test_an_exception_whose_text_fails_still_crosses() -> None:
    packed = pack_error(raised("class Bad(Exception):\n    def __str__(self): return 1 / 0\nraise Bad"))
    assert packed["text"] == "(its text could not be made)"


def test_a_repr_is_short_and_on_one_line_whatever_the_item_does() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    assert short_repr(Bad()).startswith("<Bad instance at 0x")
    assert "\n" not in short_repr("a\nb")
    assert len(short_repr(list(range(1000)))) <= 80


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system ends processes without a signal")
def test_a_death_names_the_signal_the_item_and_the_memory() -> None:
    error = death(4, "'big.csv'", -signal.SIGKILL, 3 * 10**9)
    assert str(error).startswith(
        "a worker was killed by SIGKILL (often the system, for lack of memory) while computing item 4 ('big.csv'); "
        "it had used 3.00 GB of memory."
    )
    assert (error.index, error.signal) == (4, "SIGKILL")
    assert "ended with exit code 7" in str(death(0, "0", 7, None))
    assert "ended by Windows with 0xC0000005 (access violation) while" in str(death(0, "0", 0xC0000005, None))
    assert "ended by Windows with 0xC0000142 while" in str(death(0, "0", 0xC0000142, None))
