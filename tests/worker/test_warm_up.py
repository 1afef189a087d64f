"""A warm-up leaves nothing behind."""

from __future__ import annotations

import io
import pickle
import random
from collections import OrderedDict

import pytest

from concompare.worker import bootstrap, chunk, compute, warm_up


def test_nothing_remains_of_a_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Place:
        used = 5
        item = None

        def mark(self, item: int) -> None:
            self.item = item

    place, went = Place(), []
    monkeypatch.setattr(bootstrap, "PLACE", [place])
    for module in (warm_up, compute):
        monkeypatch.setattr(module, "PLACE", bootstrap.PLACE)
    monkeypatch.setattr(chunk, "compute", lambda *arguments, **how: went.append((list(arguments[1]), how["each"])))
    kept = OrderedDict((str(number), chunk.Known(pickle.dumps(abs))) for number in range(chunk.FUNCTIONS_KEPT))
    monkeypatch.setattr(chunk, "FUNCTIONS", kept.copy())
    states = random.getstate()
    warm_up.rehearse()
    assert went == [([], True)], "it goes as far as to the items"
    assert kept == chunk.FUNCTIONS, "the user's functions are still known"
    assert place.used == 5
    assert random.getstate() == states


def test_a_rehearsal_takes_the_way_of_a_functions_first_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    known = warm_up.part()

    def spy() -> tuple[pickle.Unpickler, object]:
        read.append(1)
        return pickle.Unpickler(io.BytesIO(b"")), abs

    monkeypatch.setattr(known, "read", spy)
    warm_up.rehearse()
    warm_up.rehearse()
    assert read == [1, 1]
    monkeypatch.setattr(chunk, "answer_to", lambda request: 1 / 0)
    warm_up.rehearse()  # nobody is told
    assert warm_up.KEY not in chunk.FUNCTIONS
