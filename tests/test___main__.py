"""`python -m concompare`."""

from __future__ import annotations

import runpy
import sys
from importlib import metadata
from pathlib import Path

import pytest

import concompare
from concompare.command import entry


def test_the_module_runs_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["concompare", "explain", "no_such_file.py"])
    with pytest.raises(SystemExit) as leaving:
        runpy.run_module("concompare", run_name="__main__", alter_sys=False)
    assert leaving.value.code == 2
    assert capsys.readouterr().err == "concompare explain: no_such_file.py: there is no such file\n"


def test_the_console_script_is_the_same() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.scripts]\nconcompare = "concompare.command.entry:main"\n' in text
    assert callable(entry.main)
    assert metadata.version("concompare") == concompare.__version__
