"""A user's script with every public name, as a type checker sees it from outside: nothing here is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_type

import concompare
from concompare import (
    BackendNotInstalled,
    BackendUnavailable,
    BadOption,
    BadSyntax,
    CannotShip,
    CellRefused,
    ConcompareError,
    Executor,
    Failure,
    HiddenModule,
    Interrupted,
    ItemTimeout,
    LostChanges,
    LowMemory,
    NotResumed,
    Pool,
    Report,
    ReportDamaged,
    UnknownBackend,
    WorkerDied,
    background,
    compare,
    environment,
    imap,
    last,
    load,
    pandas_engine,
    parallel,
    register_joblib,
)


def score(paper: str) -> float:
    return len(paper) / 2


PAPERS = ["a", "bc", "def"]


@parallel
def scores(papers: list[str]) -> list[float]:
    return [score(paper) for paper in papers]


@parallel(backend="threads", workers=2, progress=True)
def totals(papers: list[str], start: float = 0.0) -> float:
    return start + sum(score(paper) for paper in papers)


def runs() -> None:
    assert_type(concompare.map(score, PAPERS), list[float])
    assert_type(concompare.map(score, PAPERS, backend="processes", workers="max", on_error="keep"), list[float])
    assert_type(scores(PAPERS), list[float])
    assert_type(totals(PAPERS, start=1.0), float)
    for value in imap(score, PAPERS, ordered=False):
        print(value)
    background().wait(timeout=1.0).cancel()
    kept = [value for value in concompare.map(score, PAPERS, on_error="keep") if not isinstance(value, Failure)]
    print(kept, last())


def reads() -> str:
    report = compare(score, PAPERS, backends=["serial", "threads"], workers=[1, 2], budget=5.0)
    assert_type(report, Report)
    best = report.best
    if best is not None:
        print(best.backend, best.workers, best.same)
    for finding in report.findings:
        print(finding.code, finding.summary, finding.advice)
    report.save("report.json")
    again: Report = load("report.json")
    print(report.against(again), report.to_json(), report.rows(), report.pick.line)
    print(environment().usable, report.comparison.environment.python)
    return report.code


def stands_in() -> None:
    with Executor(2, backend="threads", timeout=3.0) as executor:
        future = executor.submit(score, "a")
        print(future.result(), list(executor.map(score, PAPERS, chunksize=2)))
    with Pool(2) as pool:
        print(pool.map(score, PAPERS), pool.apply_async(score, ("a",)).get(timeout=1.0))
    register_joblib(make_default=False)
    print(pandas_engine(backend="processes", workers=4))


def fails(run: Callable[[], object]) -> None:
    try:
        run()
    except (BackendNotInstalled, BackendUnavailable, UnknownBackend, BadOption, BadSyntax, HiddenModule) as error:
        assert_type(str(error), str)
    except CellRefused as error:
        print(error.line, error.code)
    except (CannotShip, ItemTimeout, LostChanges, LowMemory, NotResumed, ReportDamaged, WorkerDied) as error:
        caught: ConcompareError = error
        print(caught)
    except Interrupted as error:
        pressed: KeyboardInterrupt = error
        print(pressed)
