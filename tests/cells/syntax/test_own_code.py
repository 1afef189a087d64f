from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from concompare.cells.syntax import own_code


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    own_code.installed_folders.cache_clear()
    yield
    own_code.installed_folders.cache_clear()


@pytest.mark.parametrize(
    ("folder", "installed"), [("site-packages", True), ("dist-packages", True), ("packages", False)]
)
def test_packages_of_another_environment_on_the_path_are_installed(
    folder: str, installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / folder)])
    assert own_code.is_installed_file(str(tmp_path / folder / "numpy" / "__init__.py")) is installed


def test_what_is_no_text_on_the_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [tmp_path / "site-packages", None, b"/lib", *sys.path])
    assert not own_code.is_installed_file(str(tmp_path / "site-packages" / "beside.py"))
