"""Passes come to an end, whatever the code is that a worker ends with and whatever was lost with it."""

from __future__ import annotations

import pytest

from concompare import backends, engine
from concompare.errors import ItemTimeout, WorkerDied
from concompare.testing import define

QUIET = "import os\ndef f(x):\n    if x == 3: os._exit(0)\n    return x"
ENDED = "import psutil\ndef f(x):\n    while x == 3: psutil.Process().terminate()\n    return x"
LATE = "import time\ndef f(x):\n    time.sleep(3600 if x == 4 else 0.3)\n    return x"


@pytest.mark.parametrize("source", [QUIET, ENDED], ids=["exit 0", "SIGTERM"])
@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_a_worker_that_ends_as_if_it_was_told_to_is_noticed(name: str, source: str) -> None:
    with engine.lease(backends.find(name), 2, fresh=True) as pool:
        outcome = engine.run_pass(define(source), range(8), pool, engine.PassOptions(on_error="keep", chunk=1))
    assert [failure.index for failure in outcome.failures] == [3]
    assert isinstance(outcome.failures[0].error, WorkerDied)


def test_what_was_lost_before_the_first_failure_runs_again() -> None:
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool, pytest.raises(ItemTimeout):
        engine.run_pass(define(LATE), range(12), pool, engine.PassOptions(chunk=4, timeout=1.0))
    assert engine.last().values == [0, 1, 2, 3]
