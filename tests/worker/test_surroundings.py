"""The notebook's environment variables and folder in a worker, from pass to pass."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from concompare.worker.surroundings import Started, Surroundings, changes, decoded, read_at_start, undecoded


@pytest.mark.parametrize(
    "name", ["OMP_NUM_THREADS", "LD_PRELOAD", "PYTHONHASHSEED", "MALLOC_ARENA_MAX", "LC_ALL", "TZ"]
)
def test_variables_that_are_read_once_are_known(name: str) -> None:
    assert read_at_start(name)


@pytest.mark.parametrize("name", ["PYTEST_CURRENT_TEST", "PATH", "LANGCHAIN_KEY", "TZ_OF_USER", "MODE", "OMPHALOS"])
def test_others_are_not_taken_for_such(name: str) -> None:
    assert not read_at_start(name)


def test_changes_are_what_was_set_altered_and_deleted() -> None:
    before = {b"SAME": b"1", b"OTHER": b"1", b"GONE": b"1", b"OMP_NUM_THREADS": b"1"}
    now = {b"SAME": b"1", b"OTHER": b"2", b"NEW": "größer\udce9".encode("utf-8", "surrogateescape")}
    assert dict(changes(before, now)) == {"OTHER": "2", "GONE": None, "NEW": "größer\udce9"}
    assert changes(now, dict(now)) == ()


def test_undecoded_variables_decode_to_the_environment() -> None:
    assert decoded(undecoded()) == dict(os.environ)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    """A worker that has started in a folder with two variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("CC_NEW", "CC_OWN", "OMP_CC"):
        monkeypatch.setenv(name, "put back")  # by monkeypatch, at the end
        monkeypatch.delenv(name)
    monkeypatch.setenv("CC_A", "1")
    monkeypatch.setenv("CC_B", "1")
    found = Started()
    found.note()
    return found


def seen() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CC_", "OMP_CC"))}


def test_a_pass_begins_with_what_the_notebook_has(started: Started, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    started.take(Surroundings(str(tmp_path / "other"), (("CC_A", "2"), ("CC_B", None), ("CC_NEW", "3"))), "first")
    assert (seen(), os.getcwd()) == ({"CC_A": "2", "CC_NEW": "3"}, str(tmp_path / "other"))
    started.take(Surroundings(str(tmp_path)), "second")
    assert (seen(), os.getcwd()) == ({"CC_A": "1", "CC_B": "1"}, str(tmp_path))


def test_what_items_change_lasts_for_their_pass(started: Started, tmp_path: Path) -> None:
    same = Surroundings(str(tmp_path), (("CC_A", "2"),))
    started.take(same, "first")
    os.environ["CC_OWN"], os.environ["CC_A"] = "left", "left"
    os.chdir(os.sep)
    started.take(same, "first")
    assert (seen(), os.getcwd()) == ({"CC_A": "left", "CC_B": "1", "CC_OWN": "left"}, os.sep)
    started.take(same, "second")
    assert (seen(), os.getcwd()) == ({"CC_A": "2", "CC_B": "1"}, str(tmp_path))


def test_what_a_library_sets_for_its_start_is_left_alone(started: Started, tmp_path: Path) -> None:
    os.environ["OMP_CC"] = "set when it was loaded"
    started.take(Surroundings(str(tmp_path)), "first")
    assert os.environ["OMP_CC"] == "set when it was loaded"


def test_a_worker_that_is_part_of_the_notebook_stays_in_its_folder(started: Started, tmp_path: Path) -> None:
    started.take(Surroundings("", (("CC_A", "2"),)), "first")
    assert (os.environ["CC_A"], os.getcwd()) == ("2", str(tmp_path))


def test_a_folder_that_cannot_be_entered_is_tried_again(started: Started, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            started.take(Surroundings(str(tmp_path / "gone")), "first")
