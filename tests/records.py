"""Comparisons built by hand, for tests of what is derived from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from concompare.records import Comparison, Environment, Ledger, Pass, Probe, Subject, Trial
from concompare.report.older import with_kind

F = TypeVar("F", bound=Callable[..., Any])


def of_the_notebook(function: F) -> F:
    """Make a function one of the notebook's: workers cannot import it, so it goes to them by value."""
    function.__module__ = "__main__"
    return function


ENVIRONMENT = Environment("3.11.7", "CPython", "Linux", "x86_64", 4, 4, affinity=4, physical=4)


def parts(total: float, **shares: float | None) -> Ledger:
    """Build a ledger from shares of the total; what is left over is computing, or idle where computing is given."""
    given = {name: value * total for name, value in shares.items() if value is not None}
    rest = total - sum(given.values())
    if "computing" in given:
        given.setdefault("idle", rest)
    waiting = None if "waiting" in shares and shares["waiting"] is None else given.get("waiting", 0.0)
    return Ledger(
        total=total,
        computing=given.get("computing", rest),
        waiting=waiting,
        lock=given.get("lock", 0.0),
        io=given.get("io", 0.0),
        sending=given.get("sending", 0.0),
        idle=given.get("idle", 0.0),
    )


def bare(backend: str, workers: int, label: str = "", **more: Any) -> Trial:
    """Build a trial of a backend, of the kind that this is where it is one of ours."""
    return replace(with_kind(Trial(backend, workers, label)), **more)


def trial(
    backend: str,
    workers: int,
    walls: Sequence[float],
    *,
    items: int = 100,
    shares: dict[str, float | None] | None = None,
    cpu: float | None = None,
    **more: Any,
) -> Trial:
    """Build a trial with one pass per block, each with the ledger of these shares."""
    passes = tuple(
        Pass(
            items,
            wall,
            cpu if cpu is not None else wall,
            block=block,
            ledger=parts(workers * wall, **shares) if shares is not None else None,
        )
        for block, wall in enumerate(walls)
    )
    label = {"serial": "plain loop"}.get(backend, backend)
    return bare(backend, workers, label, passes=passes, **{"same": True, "got": workers, **more})


def serial(walls: Sequence[float] = (1.0,) * 5, **more: Any) -> Trial:
    """Build the plain loop's trial."""
    return trial("serial", 1, walls, **{"shares": {}, **more})


def comparison(
    *trials: Trial,
    items: int = 100,
    probe: Probe | None = None,
    environment: Environment = ENVIRONMENT,
    scaling: str = "strong",
) -> Comparison:
    """Build a comparison of these trials."""
    return Comparison(Subject("f", items=items), environment, trials, probe=probe or Probe(), scaling=scaling)
