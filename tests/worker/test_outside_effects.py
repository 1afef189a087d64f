from __future__ import annotations

import builtins
import io
import os
import sys
import tempfile
import threading
import types
from pathlib import Path

import pytest
from IPython.core import interactiveshell

from concompare.worker import outside_effects

notebooks_own = getattr(interactiveshell, "_modified_open", None)
"""The `open` of a notebook; old IPython has none of its own."""


@pytest.mark.parametrize("way", ["builtin", "notebook", "own name", "path", "descriptor", "temporary"])
def test_a_file_opened_for_writing_is_noticed(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("concompare_tests_old")
    exec("from io import open\ndef save(path):\n    with open(path, 'a'):\n        pass", vars(made))
    monkeypatch.setitem(sys.modules, made.__name__, made)
    path = tmp_path / "there.txt"
    with outside_effects.noticed() as found:
        if way == "builtin":
            open(path, "w").close()
        elif way == "notebook":
            (notebooks_own or open)(path, "w").close()
        elif way == "own name":
            vars(made)["save"](path)
        elif way == "path":
            path.write_text("")
        elif way == "descriptor":
            open(path, "x", opener=lambda name, flags: __import__("os").open(name, flags)).close()
        else:
            tempfile.TemporaryFile(dir=tmp_path).close()
    assert found


@pytest.mark.skipif(notebooks_own is None, reason="this IPython has no `open` of its own")
def test_reading_is_not_noticed_and_everything_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("text")
    before = builtins.open, io.open, vars(interactiveshell)["io_open"]
    with outside_effects.noticed() as found:
        assert (tmp_path / "there.txt").read_text() == "text"
        assert notebooks_own is not None
        with notebooks_own(tmp_path / "there.txt") as file:
            assert file.read() == "text"
        assert vars(interactiveshell)["io_open"] is not before[2]
    assert not found
    assert (builtins.open, io.open, vars(interactiveshell)["io_open"]) == before


def test_what_this_thread_does_is_refused_before_it_is_done(tmp_path: Path) -> None:
    def write(name: str) -> None:
        try:
            (tmp_path / name).write_text("text")
        except Exception:
            (tmp_path / "handled").mkdir()

    with outside_effects.refused() as found:
        other = threading.Thread(target=write, args=["other"])
        other.start()
        other.join()
        with pytest.raises(outside_effects.ReachesOut):
            write("this")
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    write("this")
    assert (tmp_path / "this").exists()


def test_everything_is_put_back_whoever_ends_first() -> None:
    """Two cells run in two threads, and the one that began first ends first."""
    before = builtins.open, io.open
    first, second = outside_effects.noticed(), outside_effects.noticed()
    first.__enter__()
    found = second.__enter__()
    first.__exit__(None, None, None)
    tempfile.TemporaryFile().close()
    second.__exit__(None, None, None)
    assert found
    assert (builtins.open, io.open) == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_the_plain_functions() -> None:
    plain = builtins.open
    with outside_effects.noticed():
        child = os.fork()
        if not child:
            os._exit(0 if builtins.open is plain and not outside_effects.REPLACED.lists else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
