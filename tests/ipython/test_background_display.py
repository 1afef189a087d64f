"""What is shown of a background run, and when."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from concompare.ipython import background_display
from concompare.ipython.background_display import InNotebook, InTerminal, bundle_of


def state(name: str, **more: Any) -> Any:
    return SimpleNamespace(number=2, state=name, said="", progress="", text="", traceback="", **more)


def test_the_states_in_words() -> None:
    run = state("running")
    assert bundle_of(run)["text/plain"] == "background run 2: running"
    run.progress, run.text = " f: 3/12 ", "one\ntwo\n"
    assert bundle_of(run)["text/plain"] == "one\ntwo\nbackground run 2: f: 3/12"
    run.state = "finished"
    assert bundle_of(run)["text/plain"].endswith("run 2: finished; its names are bound before the next cell runs")
    run.state, run.said = "bound", "bound <r>"
    assert '<pre role="status"' in bundle_of(run)["text/html"]
    assert "run 2: bound: bound &lt;r&gt;</pre>" in bundle_of(run)["text/html"]


def test_a_notebook_shows_passing_states_now_and_then_and_the_last_always(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    clock = iter([0.0, 0.1, 0.2, 0.3, 0.31]).__next__

    class Handle:
        def update(self, bundle: dict[str, str], *, raw: bool) -> None:
            shown.append(bundle["text/plain"])

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        shown.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr(background_display, "display", display)
    monkeypatch.setattr(time, "monotonic", clock)
    show, run = InNotebook(), state("running")
    for progress in ("0", "1", "2", "3"):
        run.progress = progress
        show(run)
    run.state = "bound"
    show(run)
    assert [text.rpartition(": ")[2] for text in shown] == ["0", "3", "bound"]


def test_a_terminal_shows_the_end_once_between_cells(capsys: pytest.CaptureFixture[str]) -> None:
    show, run = InTerminal(), state("running")
    show(run)
    show.flush()
    run.state = "finished"
    show(run)
    show.flush()
    assert capsys.readouterr().out == ""
    run.state, run.text = "bound", "printed\n"
    show.flush()
    show.flush()
    assert capsys.readouterr().out == "printed\nbackground run 2: bound\n"
