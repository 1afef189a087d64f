from __future__ import annotations

import base64
import copy
import csv
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from concompare.errors import BackendNotInstalled, BadOption, ReportDamaged
from concompare.record_data import from_data, to_data
from concompare.records import SCHEMA, Comparison, Environment, Pass, Subject
from concompare.report import report as reports
from concompare.report.report import Report, load
from tests.report import worlds
from tests.report.views import view
from tests.report.worlds import FINDINGS, WORLDS, mocked


@pytest.fixture
def report() -> Report:
    return Report(mocked(), FINDINGS, results=[1, 2, 3])


@pytest.mark.parametrize("name", WORLDS)
def test_a_saved_report_loads_equal(name: str, tmp_path: Path) -> None:
    report = Report(WORLDS[name](), FINDINGS)
    loaded = load(report.save(tmp_path / "report.json"))
    assert loaded == report
    assert loaded.comparison == report.comparison
    assert str(loaded) == str(report)


def test_numbers_that_are_not_finite_survive() -> None:
    one = Pass(1, float("inf"), float("nan"))
    back = from_data(Pass, json.loads(json.dumps(to_data(one), allow_nan=False)))
    assert back.wall == float("inf")
    assert back.cpu != back.cpu


def test_reports_pickle_and_copy(report: Report) -> None:
    report.view  # noqa: B018 - is derived and must not stand in the way
    for twin in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report), copy.copy(report)):
        assert twin == report
        assert twin.results == [1, 2, 3]
        assert str(twin) == str(report)


def test_the_best_is_a_trial_and_has_code(report: Report) -> None:
    assert report.best is not None
    assert (report.best.backend, report.best.workers) == ("processes", 4)
    compile(report.code, "<code>", "exec")
    assert "ProcessPoolExecutor" in report.code


def test_where_nothing_ran_nothing_is_best() -> None:
    report = Report(worlds.all_failed(), ())
    assert report.best is None
    assert report.code == ""
    assert "Nothing could be measured" in str(report)


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("r.html", b"<!DOCTYPE html>"),
        ("r.png", b"\x89PNG"),
        ("r.svg", b"<?xml"),
        ("r.csv", b"backend,"),
        ("r.txt", b"4 proc"),
    ],
)
def test_a_report_saves_as_its_name_says(report: Report, tmp_path: Path, name: str, starts: bytes) -> None:
    assert report.save(tmp_path / name).read_bytes().startswith(starts)
    assert os.listdir(tmp_path) == [name]


def test_another_name_is_refused(report: Report, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"report.docx: the name must end with one of .json, .html, .csv"):
        report.save(tmp_path / "report.docx")
    assert not os.listdir(tmp_path)


def test_a_failed_save_leaves_the_old_file_whole(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        report.save(target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_saving_keeps_a_files_permissions_and_a_links_target(report: Report, tmp_path: Path) -> None:
    target, link = tmp_path / "real.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    report.save(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert load(target) == report


def test_csv_has_plain_numbers_and_no_formula() -> None:
    base = mocked()
    bad = replace(base.trials[-1], problem="=cmd|' /C calc'!A0", label="@x")
    rows = list(csv.DictReader(StringIO(Report(replace(base, trials=(*base.trials[:-1], bad)), ()).to_csv())))
    assert len(rows) == 10
    assert rows[-1]["problem"].startswith("'=")
    assert rows[-1]["label"] == "'@x"
    best = next(row for row in rows if (row["backend"], row["workers"]) == ("processes", "4"))
    assert float(best["median_seconds"]) == pytest.approx(2.28)
    assert float(best["speed_up_low"]) < float(best["speed_up"]) < float(best["speed_up_high"])
    assert best["peak_memory_bytes"] == "312000000"


def test_pandas_gets_a_row_for_each_trial(report: Report) -> None:
    pytest.importorskip("pandas")
    frame = report.to_pandas()
    assert len(frame) == 10
    assert frame.loc[
        frame["workers"].eq(4) & frame["backend"].eq("processes"), "median_seconds"
    ].item() == pytest.approx(2.28)


def test_without_pandas_it_says_what_to_install(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BackendNotInstalled, match=r"pip install 'concompare\[pandas\]'"):
        report.to_pandas()


def test_every_front_end_gets_its_kind(report: Report) -> None:
    bundle = report._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    assert bundle["text/plain"] == str(report).rstrip() == repr(report)
    assert Image.open(BytesIO(base64.b64decode(bundle["image/png"]))).width > 1000
    assert sum(len(part) for part in bundle.values()) < 300_000
    assert set(report._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(report._repr_mimebundle_(exclude={"image/png"})) == {"text/plain", "text/html"}


def test_without_plots_there_is_no_picture(report: Report) -> None:
    report.plots = False
    bundle = report._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "<img" not in bundle["text/html"]


def test_a_terminal_gets_weights_and_its_own_width(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    bundle = report._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "\x1b[1m4 processes" in bundle["text/plain"]
    assert "\x1b" not in str(report)


def test_nothing_foreign_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "is_terminal", lambda: True)
    text = Report(worlds.hostile(), worlds.NASTY_FINDINGS).terminal_text()
    assert "\\x1b[31mred" in text
    assert "\x07" not in text
    assert "\x1b[31m" not in text


def test_a_terminal_without_our_signs_gets_others(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "is_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(BytesIO(), encoding="ascii"))
    assert report.terminal_text().isascii()


def test_show_writes_the_text_outside_a_notebook(
    report: Report, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    report.show()
    assert capsys.readouterr().out == str(report)


def test_figures_come_without_pyplot(report: Report) -> None:
    assert report.figure("dark").get_figwidth() == pytest.approx(9.5)
    drawn = report.timeline()
    assert len(drawn.axes) == 1
    assert drawn._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    with pytest.raises(BadOption, match="choose 'light' or 'dark'"):
        report.figure("blue")
    with pytest.raises(BadOption, match="no trial recorded"):
        Report(worlds.tie(), ()).timeline()


def edited(change: Callable[[Any], Any]) -> str:
    data = json.loads(Report(mocked(), FINDINGS).to_json())
    change(data)
    return json.dumps(data)


def trial_with(**parts: object) -> str:
    return edited(lambda data: data["comparison"]["trials"][1].update(parts))


def pass_with(**parts: object) -> str:
    return edited(lambda data: data["comparison"]["trials"][1]["passes"][0].update(parts))


def comparison_with(**parts: object) -> str:
    return edited(lambda data: data["comparison"].update(parts))


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not a saved report"),
        ("{", "is not a saved report"),
        ("\x00\x01", "is not a saved report"),
        (deep(100_000), "is not a saved report"),
        ("[]", "is not a saved report: save one with report.save"),
        ('{"format": "notebook"}', "is not a saved report: save one with"),
        (edited(lambda d: d.update(schema=SCHEMA + 1)), rf"newer concompare .* up to {SCHEMA}\): pip"),
        (edited(lambda d: d.update(schema="1")), "its schema version is '1'"),
        (edited(lambda d: d.update(schema=True)), "its schema version is True"),
        (edited(lambda d: d.pop("comparison")), "damaged: comparison must be an object, not nothing"),
        (edited(lambda d: d.pop("findings")), "damaged: findings must be a list"),
        (edited(lambda d: d["findings"][0].pop("code")), r"damaged: findings\[0\] lacks 'code'"),
        (edited(lambda d: d["comparison"].pop("trials")), "damaged: comparison lacks 'trials'"),
        (comparison_with(__class__="os.system"), "comparison has an unknown part '__class__'"),
        (trial_with(workers="4"), r"trials\[1\].workers must be int, not text"),
        (trial_with(workers=True), r"workers must be int, not true or false"),
        (trial_with(workers=0), r"trials\[1\].workers is 0"),
        (trial_with(workers=10**40), r"trials\[1\].workers is 1000000"),
        (pass_with(wall=-1), r"passes\[0\] has a wall"),
        (pass_with(wall="nan"), r"passes\[0\] has a wall"),
        (pass_with(wall=[1]), r"wall must be float, not a list"),
        (comparison_with(scaling="up"), "scaling is 'up'"),
        (edited(lambda d: d["comparison"]["environment"].update(usable=0)), "usable"),
        (edited(lambda d: d["comparison"]["subject"].update(captured=[["x"]])), r"captured\[0\] must have 2 parts"),
        (edited(lambda d: None).replace("2.28,", "NaN,"), "NaN is no JSON"),
    ],
)  # fmt: skip
def test_a_damaged_newer_or_hostile_file_is_refused_with_its_fault(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(content)
    with pytest.raises(ReportDamaged, match=message):
        load(file)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(b"\xff\xfe\x00\xd8\x80")
    with pytest.raises(ReportDamaged, match=r"report.json is not a saved report"):
        load(file)


def test_an_enormous_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    file.write_text("x" * 100)
    monkeypatch.setattr(reports, "LARGEST", 50)
    with pytest.raises(ReportDamaged, match=r"larger than any report \(100 B\)"):
        load(file)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")


def test_parts_with_defaults_may_be_missing_from_older_files() -> None:
    data = {"subject": {"name": "f"}, "environment": to_data(worlds.MACHINE), "trials": []}
    assert from_data(Comparison, data) == Comparison(Subject("f"), worlds.MACHINE, ())


def test_what_is_no_data_is_not_saved() -> None:
    odd: Any = object()
    with pytest.raises(TypeError, match="holds a object, which cannot be saved"):
        to_data(Subject(odd))


def test_numbers_of_other_libraries_are_saved_as_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    data = to_data(Pass(numpy.int64(3), numpy.float32(0.5), numpy.float64(1.0)))
    assert json.loads(json.dumps(data))["items"] == 3
    assert from_data(Pass, data) == Pass(3, 0.5, 1.0)


def test_two_reports_stand_side_by_side_differences_first() -> None:
    other = replace(
        worlds.tie(),
        environment=replace(
            worlds.MACHINE, python="3.11.7", cpus=2, usable=2, packages=(("numpy", "2.5.5"),), memory=8_000_000_000
        ),
        subject=replace(worlds.SUBJECT, items=240, tail="total += r"),
    )
    versus = Report(mocked(), ()).against(Report(other, ()))
    assert versus.differences == (
        "Python: 3.14.2 → 3.11.7",
        "CPUs: 4 → 2",
        "usable CPUs: 4 → 2",
        "memory: 16.0 GB → 8.00 GB",
        "ipython: 9.18.1 → none",
    )
    lines = str(versus).splitlines()
    assert lines[0] == "score: two reports from different environments"
    assert lines.index("- Python: 3.14.2 → 3.11.7") < next(i for i, line in enumerate(lines) if "plain loop" in line)
    plain = next(line for line in lines if "plain loop" in line)
    assert plain.split()[:5] == ["plain", "loop", "8.21", "s", "1.00"]
    html = versus._repr_mimebundle_()["text/html"]
    assert html.index("Python: 3.14.2") < html.index("<table")


def test_a_report_against_itself_shows_no_difference(report: Report) -> None:
    versus = report.against(report)
    assert versus.differences == ()
    assert "two reports from the same environment" in str(versus)
    row = next(line for line in str(versus).splitlines() if line.split()[:2] == ["processes", "4"])
    assert "1.00×" in row


def test_a_difference_of_hostile_text_is_harmless() -> None:
    versus = Report(mocked(), ()).against(Report(worlds.hostile(), ()))
    html = versus._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "\x1b" not in str(versus)


def test_environments_differ_by_what_stays_not_by_what_passes() -> None:
    busy: Environment = replace(worlds.MACHINE, load=9.0, threads=99, memory_available=1)
    versus = Report(mocked(), ()).against(Report(replace(mocked(), environment=busy), ()))
    assert versus.differences == ()


def test_a_fitted_curve_is_told_of_from_three_worker_counts_on() -> None:
    folds = {fold.title: fold for name in ("many_workers",) for fold in view(name).folds}
    (title,) = [title for title in folds if title.startswith("More workers")]
    assert any(line.startswith("threads: with 128 workers ") for line in folds[title].lines)
    assert not any(fold.title.startswith("More workers") for fold in view("one_row").folds)


def test_the_first_report_of_a_notebook_leaves_its_random_numbers_alone() -> None:
    """The package that draws tables in terminals draws a random number when it is imported."""
    program = (
        "import random, sys; random.seed(7); before = random.getstate(); import concompare.report.text.text;"
        " assert 'rich.style' in sys.modules; print(random.getstate() == before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
