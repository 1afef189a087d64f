"""How requests and results get across."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from concompare import backends, engine


@pytest.mark.skipif(sys.platform != "linux", reason="file sizes are limited by a Linux resource limit here")
def test_without_room_in_shared_memory_results_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from concompare.engine.transport import transport

    monkeypatch.setattr(transport, "reserve", lambda path, size: False)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(a): return a + 1", namespace)
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        values = engine.run_pass(namespace["f"], [np.zeros(200_000) + x for x in range(6)], pool).values
    assert [float(value[0]) for value in values] == [1, 2, 3, 4, 5, 6]
