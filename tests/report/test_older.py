"""Reports saved by older versions load, and get the findings of today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from concompare.analysis import findings, stats
from concompare.errors import ReportDamaged
from concompare.records import DECLARED, SCHEMA, Traits, Trial
from concompare.report import report
from concompare.report.older import with_kind

SAVED = Path(__file__).parents[1] / "data" / "saved"
"""One report of every older schema version, each saved by the version of its time."""


def test_there_is_a_report_of_every_older_schema_version() -> None:
    schemas = {json.loads(path.read_text(encoding="utf-8"))["schema"] for path in SAVED.glob("*.json")}
    assert schemas == set(range(1, SCHEMA))


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.json")), ids=lambda path: path.stem)
def test_a_report_of_an_older_version_loads_whole(path: Path) -> None:
    loaded = report.load(path)
    comparison = loaded.comparison
    kinds = {(trial.backend, trial.isolation) for trial in comparison.trials}
    assert kinds == {("serial", "none"), ("threads", "thread"), ("mp-pool", "process"), ("loky", "process")}
    assert stats.serial_of(comparison) is comparison.trials[0]
    then = {finding.code for finding in loaded.findings}
    assert {finding.code for finding in findings.find(comparison)} >= then  # others are said beside a busy machine now
    again = report.from_json(loaded.to_json())
    assert again.comparison == comparison
    assert str(again) == str(loaded)


def test_a_saved_report_says_of_what_kind_workers_are() -> None:
    data = json.loads(report.load(SAVED / "schema-2.json").to_json())
    assert data["schema"] >= DECLARED
    pool = next(trial for trial in data["comparison"]["trials"] if trial["backend"] == "mp-pool")
    assert pool["isolation"] == "process"
    assert pool["traits"]["worker"] == "mp-pool worker"


def test_nothing_of_a_report_of_today_is_guessed_from_names() -> None:
    data = json.loads(report.load(SAVED / "schema-2.json").to_json())
    for trial in data["comparison"]["trials"]:
        trial["backend"] = "threads" if trial["isolation"] == "process" else trial["backend"]
    loaded = report.from_json(json.dumps(data))
    assert {trial.isolation for trial in loaded.comparison.trials if trial.backend == "threads"} == {
        "thread",
        "process",
    }


def test_an_isolation_that_there_is_not_is_damage() -> None:
    data = json.loads(report.load(SAVED / "schema-2.json").to_json())
    data["comparison"]["trials"][0]["isolation"] = "galaxy"
    with pytest.raises(ReportDamaged, match=r"trials\[0\]\.isolation must be one of none, thread, "):
        report.from_json(json.dumps(data))


def test_a_trial_on_another_python_is_known_by_its_name() -> None:
    found = with_kind(Trial("threads @ 3.14t", 2))
    assert (found.isolation, found.traits.python, found.traits.worker) == ("thread", "3.14t", "thread")
    assert not with_kind(Trial("serial @ 3.14t", 1)).plain


def test_of_a_backend_that_is_not_ours_nothing_is_known() -> None:
    found = with_kind(Trial("slurm", 2))
    assert (found.isolation, found.traits) == ("unknown", Traits())


def test_a_difference_by_rounding_is_known_by_its_words() -> None:
    assert with_kind(
        Trial("loky", 2, same=False, difference="item 0: 0.1 instead of 0.2, 2e-16 of it: rounding")
    ).rounding
    assert not with_kind(Trial("loky", 2, same=False, difference="item 0: 1 instead of 2")).rounding
