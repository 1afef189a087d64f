from __future__ import annotations

from dataclasses import replace

from concompare.report.view.table import MOST_ROWS, folded, table_of
from tests.records import bare
from tests.report import worlds
from tests.report.views import view


def test_very_many_rows_are_folded_and_of_every_backend_the_best_stays() -> None:
    broken = bare("ray", 4, "ray", problem="not installed: pip install ray")
    everything = worlds.twelve_backends()
    whole = table_of(replace(everything, trials=(*everything.trials, broken)), ("mp-pool", 2, None))
    shown, rest = folded(whole)
    assert rest is not None
    assert len(shown.rows) == MOST_ROWS
    assert (shown.rows[0].kind, shown.rows[0].backend, shown.rows[0].workers) == ("pick", "mp-pool", 2)
    assert {row.backend for row in shown.rows} == {"serial", "ray", *worlds.TWELVE}
    assert {row.kind for row in shown.rows} == {"pick", "plain", "other", "failed"}
    assert sorted((*shown.rows, *rest.rows), key=whole.rows.index) == list(whole.rows)
    assert [whole.rows.index(row) for row in shown.rows] == sorted(whole.rows.index(row) for row in shown.rows)
    assert (rest.columns, bool(rest.caption)) == (whole.columns, True)


def test_a_table_of_the_usual_size_stays_whole() -> None:
    whole = table_of(worlds.mocked(), None)
    assert folded(whole) == (whole, None)


def test_the_folded_rows_are_the_first_detail() -> None:
    said = view("many_workers")
    assert said.folds[0].title == "The other 7 trials"
    assert said.folds[0].table is not None
    assert len(said.folds[0].table.rows) == 7
    assert len(said.table.rows) == MOST_ROWS
