"""Items that start workers of their own."""

from __future__ import annotations

import pytest

from concompare import backends, engine
from concompare.testing import define

SOURCE = """
import concompare
def f(x):
    return concompare.map(abs, [-x, -2], backend="processes", workers=1)
"""


def test_an_item_on_fork_may_use_processes_though_the_notebook_has_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concompare.backends.processes.reason_not_to_fork", lambda *_: None)
    with engine.lease(backends.find("processes"), 1) as pool:
        assert engine.run_pass(abs, [-1], pool).values == [1]
    with engine.lease(backends.find("fork"), 1, fresh=True) as pool:
        assert engine.run_pass(define(SOURCE), [3], pool).values == [[3, 2]]
