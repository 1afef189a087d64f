"""Warm-up requests: wake idle workers before a pass's first message, with a chunk without items, to fill caches.

A worker that was idle while other programs ran needs some 0.3 ms more for its first message than for the next. The
notebook needs about as long to get ready. Nothing of the user's runs here, and nothing goes back.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
from types import FunctionType
from typing import Any

from concompare.worker import chunk
from concompare.worker.bootstrap import PLACE
from concompare.worker.transfer.pickling import Parcel, pack

KEY = "rehearsal"

NOTHING = chunk.Request(KEY, None, 0, Parcel(pickle.dumps([], 5)), each=True, room=("", 0, 0), turn=KEY, limit=1.0)


def rehearse() -> None:
    """Go the whole way of a chunk, with a function of ours and no item; nothing remains of it."""
    used = [place.used for place in PLACE]
    with contextlib.suppress(Exception):
        known = chunk.FUNCTIONS[KEY] = part()
        known.turn = None  # it is loaded anew, as at the beginning of a pass
        request = pickle.loads(pickle.dumps(NOTHING, 5))
        pickle.dumps(chunk.answer_to(request), 5)
    chunk.FUNCTIONS.pop(KEY, None)
    for place, before in zip(PLACE, used, strict=True):
        place.used = before


@functools.cache
def part() -> chunk.Known:
    """Return a function that is sent by value, as those of a notebook are."""
    function = FunctionType(silence.__code__, {}, "silence")
    function.__module__ = "__main__"
    return chunk.Known(pack(function))


def silence(item: Any) -> Any:
    """Return the item."""
    return item
