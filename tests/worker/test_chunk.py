"""What a worker does with one chunk of items that came without anyone knowing how long they take."""

from __future__ import annotations

import pickle
from types import FunctionType

import cloudpickle

from concompare.worker import chunk
from concompare.worker.transfer.object_refs import Sources
from concompare.worker.transfer.pickling import Parcel, pack


def test_a_large_first_message_of_tiny_items_brings_no_times_back() -> None:
    request = chunk.Request("blocks", pickle.dumps(abs), 0, Parcel(pack(list(range(-50_000, 0)))), True, limit=60.0)
    answer = chunk.run(request)
    assert pickle.loads(answer.values.data) == list(range(50_000, 0, -1))
    assert answer.seconds == ()


def test_a_function_of_the_notebook_that_no_result_holds_is_not_looked_for() -> None:
    function = FunctionType((lambda x: (x, "new")).__code__, {"__name__": "__main__"})
    function.__module__ = "__main__"
    known = chunk.Known(cloudpickle.dumps(function))
    known.take("turn")
    sources = Sources()
    known.tell(sources)
    assert sources.names is not None
    assert sources.held() == []
    kept = known.function
    assert sources.held() == ["function"]
    del kept
