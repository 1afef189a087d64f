"""Scripts by name, and the modules that they import while nothing of the user's runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from concompare.command import files
from concompare.errors import BadOption


def test_a_line_may_follow_the_name(tmp_path: Path) -> None:
    for name in ("a.py", "b:12", "c:7"):
        (tmp_path / name).write_text("")
    assert files.script_at("a.py") == (Path("a.py"), None)
    assert files.script_at("a.py:12") == (Path("a.py"), 12)
    assert files.script_at("b:12") == (Path("b:12"), None)
    assert files.script_at("c:7:3") == (Path("c:7"), 3)
    with pytest.raises(BadOption, match=r"a\.py:x: there is no such file"):
        files.script_at("a.py:x")


def test_a_script_is_read_in_its_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("# coding: latin-1\nword = 'Größe'\n".encode("latin-1"))
    assert files.source_of(Path("a.py")).endswith("word = 'Größe'\n")


def test_local_modules_are_sketched_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "files_local.py").write_text(
        "import files_pack.part\nLIMIT = 3\nprint('ran')\nopen('made', 'w')\nFOUND = print(1)\n"
        "def f(n):\n    return n\n"
    )
    (tmp_path / "files_pack").mkdir()
    (tmp_path / "files_pack" / "__init__.py").write_text("print('ran')\n")
    (tmp_path / "files_pack" / "part.py").write_text("def g(n):\n    return n\n")
    with files.modules_of(["import files_local, json\nfrom files_pack import part"], tmp_path):
        module = sys.modules["files_local"]
        assert module.LIMIT == 3
        assert module.f.__code__.co_filename == str(tmp_path / "files_local.py")
        assert module.f.__module__ == "files_local"
        assert not hasattr(module, "FOUND")
        assert sys.modules["files_pack.part"].g.__module__ == "files_pack.part"
    assert not {"files_local", "files_pack", "files_pack.part"} & set(sys.modules)
    assert not (tmp_path / "made").exists()
    assert capsys.readouterr().out == ""


def test_what_cannot_be_imported_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "files_broken.py").write_text("def f(:\n")
    with files.modules_of(["import no_such_module, files_broken\nimport json.no_such_part", "not python ("], tmp_path):
        assert "no_such_module" not in sys.modules
        assert not hasattr(sys.modules["files_broken"], "f")
