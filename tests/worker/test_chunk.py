"""What a worker does with one chunk of items that came without anyone knowing how long they take."""

from __future__ import annotations

import pickle

from concompare.worker import chunk
from concompare.worker.transfer.pickling import Parcel, pack


def test_a_large_first_message_of_tiny_items_brings_no_times_back() -> None:
    request = chunk.Request("blocks", pickle.dumps(abs), 0, Parcel(pack(list(range(-50_000, 0)))), True, limit=60.0)
    answer = chunk.run(request)
    assert pickle.loads(answer.values.data) == list(range(50_000, 0, -1))
    assert answer.seconds == ()
