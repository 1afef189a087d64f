"""`check`: whether a loop has become slower, and its exit status."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from concompare.command import checking
from concompare.command.entry import main
from concompare.records import Comparison
from concompare.report.report import Report
from tests import records
from tests.command.schemas import checked

STEADY = [1.00, 1.01, 0.99, 1.02, 1.00, 0.98, 1.01, 0.99, 1.00]


def saved(name: str, factor: float, walls: Sequence[float] = STEADY) -> Comparison:
    """Save a report whose passes take that many times the walls."""
    trials = (
        records.trial("serial", 1, [factor * wall for wall in walls], same=True),
        records.trial("processes", 2, [factor * wall / 1.8 for wall in walls], same=True, start_up=0.1),
    )
    comparison = records.comparison(*trials)
    Report(comparison, ()).save(name)
    return comparison


@pytest.mark.parametrize(
    ("factor", "walls", "status", "words"),
    [
        (1.0, STEADY, 0, "not slower: a slow-down of 10 % would have been found\n"),
        (1.2, STEADY, 1, "slower\n  plain loop: 1.20× the time of before (9 and 9 passes, decides): slower\n"),
        (0.5, STEADY, 0, "not slower"),
        (1.0, STEADY[:2], 3, "it cannot be told. Measure both with a larger --budget"),
        (1.2, [1.0, 2.0, 1.5, 0.7, 1.9, 1.2, 0.9, 2.2, 1.4], 3, "it cannot be told"),
    ],
)
def test_the_status_says_whether_it_is_slower(
    factor: float, walls: list[float], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved("old.json", 1.0, walls)
    saved("new.json", factor, walls)
    assert main(["check", "old.json", "new.json"]) == status
    assert capsys.readouterr().out.startswith(words)
    assert main(["check", "--json", "old.json", "new.json"]) == status
    data = checked(capsys.readouterr().out, "check")
    assert data["verdict"] == {0: "same", 1: "slower", 3: "unclear"}[status]
    assert [way["decides"] for way in data["ways"]] == [True, True]


def test_times_of_other_machines_or_other_items_are_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    old = saved("old.json", 1.0)
    environment = replace(old.environment, processor="another", python="3.14.0")
    new = replace(old, environment=environment, subject=replace(old.subject, items=7))
    Report(new, ()).save("new.json")
    assert main(["check", "--json", "old.json", "new.json"]) == 3
    data = checked(capsys.readouterr().out, "check")
    assert len(data["obstacles"]) == 2
    assert any("not the same machine: processor was" in sentence for sentence in data["obstacles"])
    assert "Python: 3.11.7 → 3.14.0" in data["changes"]


def test_a_report_is_checked_against_a_measurement_of_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("import json\nr = [json.dumps(n) for n in range(50)]\n")
    measure = ["-b", "serial,threads", "-w", "2", "--budget", "0.3"]
    assert main(["compare", *measure, "--json", "--save", "old.json", "a.py"]) == 0
    capsys.readouterr()
    assert main(["check", "--budget", "0.3", "--json", "old.json", "a.py:2"]) in (0, 1, 3)
    written = capsys.readouterr()
    assert "concompare: measures for up to 0.3 s, until it can be told\n" in written.err
    data = checked(written.out, "check")
    assert data["ways"][0]["backend"] == "serial"
    assert data["obstacles"] == data["changes"] == []


def test_a_measurement_runs_the_items_of_the_report_until_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    old = saved("old.json", 1.0)
    trials = tuple(
        replace(one, passes=tuple(replace(part, sample=(3, 8, 21)) for part in one.passes)) for one in old.trials
    )
    old = replace(old, trials=trials)
    Report(old, ()).save("old.json")
    asked: dict[str, Any] = {}

    def measured(place: str, arguments: list[str], args: Namespace, **how: Any) -> tuple[Report, None]:
        asked.update(how)
        return Report(old, ()), None

    monkeypatch.setattr(checking, "measured", measured)
    assert main(["check", "old.json", "script.py"]) == 0
    assert asked["places"] == (3, 8, 21)
    few = [replace(one, passes=one.passes[:5]) for one in trials]
    assert [asked["enough"](part) for part in (few, trials)] == [False, True]


def test_arguments_for_a_report_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    saved("old.json", 1.0)
    assert main(["check", "old.json", "old.json", "--", "x"]) == 2
    assert "arguments are those of a script, and old.json is a report" in capsys.readouterr().err
