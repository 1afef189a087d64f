"""What users' type checkers say of code that uses the package."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import concompare

SCRIPT = Path(__file__).with_name("user_code.py")
CACHE = Path(__file__).parents[3] / ".mypy_cache" / "from_outside"


def test_the_script_uses_every_public_name() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(concompare.__all__) <= attributes | imported


def test_a_strict_type_checker_finds_nothing_in_it_from_outside(tmp_path: Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("TYPES NOT CHECKED FROM OUTSIDE: mypy is not installed: make lint")
    script = tmp_path / "user_code.py"
    wrong = "\n\nwrong: list[str] = concompare.map(score, PAPERS)\n"
    script.write_text(SCRIPT.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={CACHE}", script.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    *found, said = done.stdout.splitlines()
    assert said.startswith("Found 1 error in 1 file"), done.stdout + done.stderr
    line = script.read_text(encoding="utf-8").splitlines().index(wrong.strip()) + 1
    assert [words.partition(" error:")[0] for words in found] == [f"{script.name}:{line}:"]
