from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.executors.batches import Batch
from concompare.executors.broken import ExecutorBroken
from concompare.executors.session import Session
from concompare.testing import define
from tests.backends.conftest import nothing_left
from tests.executors.test_batches import Noting


class Ending(Noting):
    """Receiver that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def end(self, error: BaseException | None) -> None:
        super().end(error)
        self.over.set()


@pytest.fixture(scope="module", params=["threads", "processes"])
def warm(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name a backend whose workers stay for the next test; after the last one nothing of them is left."""
    with nothing_left():
        yield request.param


@pytest.fixture
def session(warm: str) -> Any:
    opened = Session(backends.find(warm), 2)
    yield opened
    opened.shutdown()


def values(receiver: Noting) -> list[Any]:
    return [value for _, found, _ in receiver.taken for value in found]


def test_batches_share_the_workers(session: Session) -> None:
    found = [Ending() for _ in range(3)]
    for receiver in found:
        session.add(Batch(define("def f(n): return n * 2"), receiver), range(100))
    for receiver in found:
        assert receiver.over.wait(120)
        assert values(receiver) == [2 * n for n in range(100)]
        assert receiver.ends == [None]
    assert session.batches == set()


def test_a_batch_may_be_fed_in_several_goes(session: Session) -> None:
    receiver = Ending()
    batch = Batch(abs, receiver)
    session.add(batch, [-1], complete=False)
    session.feed(batch, [-2, -3])
    session.feed(batch, [], complete=True)
    assert receiver.over.wait(120)
    assert values(receiver) == [1, 2, 3]


def test_what_is_cancelled_is_not_computed(session: Session) -> None:
    receiver = Ending()
    batch = Batch(abs, receiver, fixed=1)
    with session.lock:
        session.add(batch, range(1000))
        session.cancel(batch)
    assert receiver.over.wait(120)
    assert len(values(receiver)) <= 4


def test_workers_that_were_closed_meanwhile_are_replaced(no_leaks: None) -> None:
    session = Session(backends.find("processes"), 1)
    for _ in range(2):
        receiver = Ending()
        session.add(Batch(abs, receiver), [-1])
        assert receiver.over.wait(120)
        assert values(receiver) == [1]
        engine.close_pools()
    session.shutdown()


def test_an_error_of_our_own_leaves_nobody_waiting(no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    session, receiver = Session(backends.find("threads"), 1), Ending()
    monkeypatch.setattr(Session, "settled", lambda *_: 1 / 0)
    session.add(Batch(abs, receiver), [1])
    assert receiver.over.wait(120)
    assert isinstance(receiver.ends[0], ExecutorBroken)
    session.over.wait(120)
    with pytest.raises(ExecutorBroken, match="division by zero"):
        session.add(Batch(abs, Ending()), [1])


def test_a_callback_may_shut_its_own_session_down(session: Session) -> None:
    class Closing(Ending):
        def end(self, error: BaseException | None) -> None:
            session.shutdown()
            super().end(error)

    receiver = Closing()
    session.add(Batch(abs, receiver), [-1])
    assert receiver.over.wait(120)
    assert session.over.wait(120)


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_with_a_seed_every_call_has_the_stream_of_its_place(no_leaks: None, backend: str) -> None:
    import concompare

    draw = define("import random\ndef f(n): return random.random()")
    expected = concompare.map(draw, range(20), backend="serial", seed=5)
    with concompare.Executor(2, backend=backend, seed=5) as executor:
        assert list(executor.map(draw, range(20))) == expected
        assert list(executor.map(draw, range(20), chunksize=3)) == expected
    with concompare.Pool(2, backend=backend, seed=5) as pool:
        assert [pool.apply(draw, (0,)) for _ in range(3)] == expected[:3]
    assert list(concompare.imap(draw, range(20), backend=backend, seed=5)) == expected


def test_what_cannot_have_a_stream_of_its_own_in_threads_is_refused(no_leaks: None) -> None:
    import concompare
    from concompare.errors import BadOption

    draw = define("from random import random\ndef f(n): return random()")
    with concompare.Executor(2, backend="threads", seed=5) as executor, pytest.raises(BadOption, match="--seed cannot"):
        executor.submit(draw, 0)
