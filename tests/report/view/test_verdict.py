"""The sentence at the top, for every kind of outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest

from concompare.records import Comparison, Probe
from concompare.report.view import verdict
from concompare.report.view.table import table_of
from tests.records import bare
from tests.report import worlds
from tests.report.views import PICKS, pick_of, view
from tests.report.worlds import trial


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mocked", "4 processes: 3.62× faster"),
        ("one_row", "The plain loop: nothing else was measured"),
        ("all_failed", "Nothing could be measured"),
        ("tie", "Keep the plain loop: nothing else is faster"),
        ("tiny", "Keep the plain loop: nothing else is faster"),
        ("no_plain_loop", "1 thread: nothing else is clearly faster"),
        ("weak", "4 processes: 3.59× faster"),
    ],
)
def test_the_headline_says_what_to_do(name: str, says: str) -> None:
    assert view(name).headline == says


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mocked", "8.21 s → 2.27 s for 240 items"),
        ("sampled", "≈ 40.0 s → 10.7 s for 240 items"),
        ("tie", "1.00 s for 240 items"),
        ("weak", "10.0 items/s → 35.7 items/s"),
        ("no_plain_loop", "297 ms for 240 items"),
        ("all_failed", ""),
    ],
)
def test_the_change_is_in_seconds(name: str, says: str) -> None:
    assert view(name).change == says


def test_nothing_at_all_was_measured() -> None:
    empty = replace(worlds.mocked(), trials=())
    assert verdict.headline(empty, None) == ("Nothing was measured", "")
    assert table_of(empty, None).rows == ()


def test_a_faster_one_that_is_not_worth_it() -> None:
    comparison = replace(worlds.tie(), trials=(trial("serial", 1, 0.01), trial("processes", 2, 0.006)))
    says, _ = verdict.headline(comparison, pick_of(comparison, "serial", 1))
    assert says == "Keep the plain loop: what is faster is not worth it"


def test_threads_that_the_gil_rules_out_are_not_faster() -> None:
    trials = (trial("serial", 1, 1.0), trial("threads", 2, 0.5))
    comparison = replace(worlds.tie(), trials=trials, probe=Probe(gil_share=1.0))
    says, _ = verdict.headline(comparison, pick_of(comparison, "serial", 1))
    assert says == "Keep the plain loop: nothing else is clearly faster"


def test_a_faster_one_with_other_results_is_not_worth_anything() -> None:
    comparison = replace(worlds.tie(), trials=(trial("serial", 1, 1.0), trial("processes", 2, 0.6, same=False)))
    says, _ = verdict.headline(comparison, pick_of(comparison, "serial", 1))
    assert says == "Keep the plain loop: what is faster gives other results"


def test_one_worker_that_looks_faster_is_noise() -> None:
    comparison = replace(worlds.tie(), trials=(trial("serial", 1, 1.0), trial("threads", 1, 0.88)))
    says, _ = verdict.headline(comparison, pick_of(comparison, "serial", 1))
    assert says == "Keep the plain loop: nothing else is faster"


def test_a_speed_up_of_one_block_says_so() -> None:
    trials = (trial("serial", 1, 1.0), trial("processes", 2, 0.5, passes=1))
    comparison = replace(worlds.tie(), trials=trials)
    assert verdict.headline(comparison, pick_of(comparison, "processes", 2))[1] == "(timed once)"


def test_one_that_may_be_faster() -> None:
    comparison = replace(worlds.tie(), trials=(trial("serial", 1, 1.0), trial("processes", 2, 0.9, wobble=0.4)))
    says, _ = verdict.headline(comparison, pick_of(comparison, "serial", 1))
    assert says == "Keep the plain loop: nothing else is clearly faster"


def gil_world(threads: float, **probe: float) -> Comparison:
    trials = (trial("serial", 1, 8.0), trial("threads", 4, threads), trial("processes", 4, 2.0))
    return replace(worlds.mocked(), trials=trials, probe=Probe(**probe))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("comparison", "says"),
    [
        (gil_world(8.4, gil_share=0.95), "Threads do not help: the GIL is held ≈ 95 % of the time."),
        (gil_world(8.4, gil_share=0.1), "Threads do not help: 0.96× at best."),
        (gil_world(8.4), "Threads do not help: 0.96× at best."),
        (gil_world(4.0, gil_share=0.95), "Threads reach 2.02× with 4 workers."),
    ],
)
def test_it_says_what_the_other_kind_of_worker_does(comparison: Comparison, says: str) -> None:
    assert verdict.because(comparison, pick_of(comparison, "processes", 4)) == says


def test_without_another_kind_the_picks_own_reason_stands() -> None:
    comparison = replace(worlds.mocked(), trials=(trial("serial", 1, 8.0), trial("processes", 4, 2.0)))
    assert verdict.because(comparison, pick_of(comparison, "processes", 4)) == "processes × 4 is the fastest."


@pytest.mark.parametrize(
    ("runs", "says"),
    [(1.0, "Pays back in the first run."), (3.0, "Pays back after 3 runs."), (1e7, "Never pays back."), (None, "")],
)
def test_it_says_when_it_pays_back(runs: float | None, says: str) -> None:
    pick = pick_of(worlds.mocked(), *PICKS["mocked"])
    assert verdict.break_even(replace(pick, break_even=runs)) == says


@pytest.mark.parametrize(
    ("backend", "workers", "says"),
    [
        ("processes", 4, "4 processes"),
        ("processes", 1, "1 process"),
        ("threads", 2, "2 threads"),
        ("forkserver", 3, "3 processes (forkserver)"),
        ("my_pool", 2, "my_pool × 2"),
        ("serial", 1, "the plain loop"),
    ],
)
def test_workers_have_a_plural(backend: str, workers: int, says: str) -> None:
    assert verdict.workers_in_words(bare(backend, workers, backend)) == says


def test_a_trial_with_other_results_is_marked() -> None:
    table = view("hostile").table
    place = next(i for i, column in enumerate(table.columns) if column.key == "same")
    assert next(row for row in table.rows if row.backend == "processes").cells[place] == "✗ differs"


def test_the_pick_is_first_then_by_time_and_the_failed_last() -> None:
    rows = view("mocked").table.rows
    assert rows[0].kind == "pick"
    assert (rows[1].backend, rows[1].workers) == ("processes", 8)
    assert rows[-1].kind == "failed"
    assert rows[-1].note == "not possible here: numpy 2.5.5 does not load in sub-interpreters"


def test_without_a_gil_rows_of_threads_come_before_faster_others() -> None:
    pool = [trial("processes", 2, 4.0), trial("processes", 4, 3.0)]
    mixed = replace(worlds.tie(), trials=(trial("serial", 1, 8.0), *pool, trial("threads", 2, 5.0)))
    free = replace(mixed, environment=replace(mixed.environment, gil="off"))
    picked = ("processes", 4, None)
    found = [[(row.backend, row.workers) for row in table_of(c, picked).rows] for c in (mixed, free)]
    assert found == [
        [("processes", 4), ("processes", 2), ("threads", 2), ("serial", 1)],
        [("processes", 4), ("threads", 2), ("processes", 2), ("serial", 1)],
    ]


def test_under_weak_scaling_rows_are_ordered_by_what_they_get_done() -> None:
    assert [(row.backend, row.workers) for row in view("weak").table.rows][:2] == [("processes", 4), ("processes", 2)]


def test_fewer_workers_than_asked_for_are_told() -> None:
    short = replace(trial("processes", 4, 2.0), got=3)
    comparison = replace(worlds.tie(), trials=(trial("serial", 1, 8.0), short))
    assert "4 (got 3)" in {cell for row in table_of(comparison, None).rows for cell in row.cells}


def test_a_sampled_time_and_first_time_are_for_all_items() -> None:
    rows = {row.backend: row.cells for row in view("sampled").table.rows}
    columns = [column.key for column in view("sampled").table.columns]
    assert rows["processes"][columns.index("time")] == "≈ 10.7 s"
    assert rows["processes"][columns.index("cold")] == "≈ 10.9 s"
    assert "timed on 60 of the 240 items and scaled to all of them" in view("sampled").table.caption
