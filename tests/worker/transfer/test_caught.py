from __future__ import annotations

import pickle
import threading

from concompare.worker.transfer.caught import Caught


def raised(error: BaseException) -> BaseException:
    def inner() -> None:
        raise error

    try:
        inner()
    except BaseException as found:
        return found
    raise AssertionError


def test_an_exception_is_itself_where_nothing_crosses() -> None:
    error = raised(ValueError(3))
    caught = Caught(error)
    assert caught.error is error
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_code.co_name == "inner"


def test_an_exception_crosses_with_the_text_of_its_traceback() -> None:
    found = pickle.loads(pickle.dumps(Caught(raised(ValueError(3))))).error
    assert (type(found), found.args) == (ValueError, (3,))
    assert "in inner" in str(found.__cause__)


def test_the_cause_that_the_user_gave_crosses() -> None:
    error = ValueError(3)
    error.__cause__ = KeyError("why")
    assert repr(pickle.loads(pickle.dumps(Caught(raised(error)))).error.__cause__) == "KeyError('why')"


def test_what_cannot_be_sent_arrives_as_none() -> None:
    assert pickle.loads(pickle.dumps(Caught(raised(ValueError(threading.Lock()))))).error is None
