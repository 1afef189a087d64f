"""Comparisons recorded on a real machine, most of them while others used it: findings and pick stay what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from concompare.analysis import findings, pick, scaling, stats
from concompare.record_data import from_data, to_data
from concompare.records import Comparison
from concompare.report.older import with_kinds

FOLDER = Path(__file__).parents[1] / "data" / "recorded"
FINDINGS: dict[str, tuple[set[str], str]] = {
    "python": ({"gil-bound", "machine-busy", "scales-well"}, "%%parallel -b processes -w 2"),
    "tiny": ({"machine-busy", "too-small"}, ""),
    "sleep": ({"scales-well", "waits"}, "%%parallel -b threads -w 8"),
    "sockets": ({"waits"}, "%%parallel -b threads -w 8"),
    "hashing": ({"machine-busy", "releases-gil", "scales-well"}, "%%parallel -b threads -w 2"),
    "json": ({"gil-bound", "machine-busy", "scales-well"}, "%%parallel -b processes -w 2"),
    "big-arguments": ({"machine-busy", "transfer-bound"}, "%%parallel -b threads -w 2"),
    "few-items": ({"gil-bound", "machine-busy", "stopped"}, ""),
    "wrong": ({"machine-busy", "results-differ"}, "%%parallel -b threads -w 2"),
    "changed": ({"hidden-state", "machine-busy", "too-noisy"}, ""),
    "drawn": ({"machine-busy", "shared-random"}, ""),
    "gil": ({"gil-bound", "scales-well"}, "%%parallel -b processes -w 2"),
    "crowded": ({"gil-bound", "oversubscribed", "scales-well"}, "%%parallel -b processes -w 2"),
    "released": ({"releases-gil", "scales-well", "startup-bound"}, "%%parallel -b threads -w 2"),
    "started": ({"gil-bound", "scales-well", "startup-bound"}, "%%parallel -b processes -w 2"),
    "uneven": ({"gil-bound", "uneven-items"}, "%%parallel -b processes -w 2"),
    "re-enabled": ({"gil-bound", "gil-re-enabled", "machine-busy"}, "%%parallel -b processes -w 2"),
}


def recorded(name: str) -> Comparison:
    return with_kinds(from_data(Comparison, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", FINDINGS)
def test_a_recorded_comparison_keeps_its_findings_and_pick(name: str) -> None:
    codes, line = FINDINGS[name]
    comparison = recorded(name)
    assert {finding.code for finding in findings.find(comparison)} == codes
    assert pick.pick(comparison).line == line


@pytest.mark.parametrize("name", FINDINGS)
def test_a_recorded_comparison_is_explained_to_the_end(name: str) -> None:
    comparison = recorded(name)
    assert from_data(Comparison, to_data(comparison)) == comparison
    for trial in comparison.trials:
        for passed in stats.used(trial):
            assert passed.ledger is None or abs(passed.ledger.unexplained) <= 0.05 * passed.ledger.total
    for curve in scaling.curves(comparison):
        assert curve.at(curve.measured) is not None


CONTRADICTIONS = (
    {"gil-bound", "releases-gil"},
    {"gil-bound", "waits"},
    {"releases-gil", "waits"},
    {"too-small", "scales-well"},
    {"too-small", "startup-bound"},
    {"too-noisy", "scales-well"},
    {"too-few-items", "uneven-items"},
    {"uneven-items", "scales-well"},
)


@pytest.mark.parametrize("name", FINDINGS)
def test_no_finding_of_a_recording_contradicts_another(name: str) -> None:
    codes = {finding.code for finding in findings.find(recorded(name))}
    assert codes
    assert not [pair for pair in CONTRADICTIONS if pair <= codes]


def test_every_recording_is_used() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FINDINGS)
