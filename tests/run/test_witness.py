from __future__ import annotations

from typing import Any

import pytest

from concompare import backends, engine
from concompare.cells.task import task_of
from concompare.run import witness
from concompare.run.once import run_once
from concompare.run.request import request_of


def test_the_items_computed_in_the_notebook_share_one_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open one takes longer than many an item."""
    lease, opened, computed = engine.lease, [], []
    own = witness.computed

    def leased(backend: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(backend.name)
        return lease(backend, *arguments, **options)

    def counted(*arguments: Any) -> Any:
        computed.append(arguments)
        return own(*arguments)

    monkeypatch.setattr(engine, "lease", leased)
    monkeypatch.setattr(witness, "computed", counted)
    monkeypatch.setattr(witness, "LITTLE", 60.0)
    request = request_of(["processes"], 1, witnessed=True)
    _, value, said = run_once(task_of(abs, range(-10, 0)), backends.find("processes"), 1, request)
    assert value == list(range(10, 0, -1))
    assert not said
    assert len(computed) == witness.MOST
    assert opened == ["processes", "serial"]
