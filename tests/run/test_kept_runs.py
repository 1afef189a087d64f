"""What is kept between kernels, and what is not believed of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.task import Task, task_of
from concompare.errors import BadOption
from concompare.records import Pass
from concompare.run import auto_history, kept_runs
from concompare.run.kept_runs import NAME, VARIABLE

WAYS = {("serial", 1): 0.002, ("processes", 2): 0.0011}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    kept_runs.LINES.clear()
    return tmp_path / "kept" / NAME


def task(text: str = "", function: Any = abs) -> Task:
    found = task_of(function, range(100))
    found.source += text
    return found


def test_what_is_kept_is_known_to_another_kernel(file: Path) -> None:
    kept_runs.keep(task(), WAYS)
    kept_runs.LINES.clear()
    assert kept_runs.known(task()) == WAYS
    assert kept_runs.known(task("other")) == {}
    code = (
        "from concompare.run import kept_runs; from concompare.cells.task import task_of;"
        "print(kept_runs.known(task_of(abs, range(100))))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(WAYS)


def test_another_function_by_the_same_name_is_another_task(file: Path) -> None:
    kept_runs.keep(task(function=lambda x: x + 1), WAYS)
    assert kept_runs.known(task(function=lambda x: x + 1)) == WAYS
    assert kept_runs.known(task(function=lambda x: x + 2)) == {}
    assert kept_runs.known(task(function=lambda x: x.real)) == {}


def test_another_machine_knows_nothing_of_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_runs.keep(task(), WAYS)
    monkeypatch.setattr(kept_runs, "machine_here", lambda: "other")
    assert kept_runs.known(task()) == {}


def test_no_source_and_no_name_is_in_the_file(file: Path) -> None:
    def secret_name(x: int) -> str:
        return "a secret"

    kept_runs.keep(task("# a secret", secret_name), WAYS)
    assert b"secret" not in file.read_bytes()
    assert b"machine" not in file.read_bytes()


def test_the_latest_of_a_task_counts_and_what_is_about_the_same_is_not_written_again(file: Path) -> None:
    kept_runs.keep(task(), WAYS)
    size = file.stat().st_size
    kept_runs.keep(task(), {way: 1.2 * seconds for way, seconds in WAYS.items()})
    assert file.stat().st_size == size
    slower = {way: 2 * seconds for way, seconds in WAYS.items()}
    kept_runs.keep(task(), slower)
    assert kept_runs.known(task()) == slower


DAMAGES: dict[str, Any] = {
    "cut": lambda data: data[:-9],
    "a bit": lambda data: data.replace(b"0.002", b"0.003"),
    "no text": lambda data: b"\x00\xff" * 500,
    "newer": lambda data: kept_runs.line_of("x", WAYS).replace(b'"version":1', b'"version":2'),
    "empty": lambda data: b"",
    "nested": lambda data: b"00000000 " + b"[" * 100_000,
    "a line without an end before it": lambda data: data[:20],
}


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_what_is_damaged_or_another_version_s_is_passed_over_and_written_after(file: Path, damage: str) -> None:
    kept_runs.keep(task(), WAYS)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    kept_runs.LINES.clear()
    assert kept_runs.known(task()) == {}
    kept_runs.keep(task(), WAYS)
    assert kept_runs.known(task()) == WAYS


@pytest.mark.parametrize("text", ['{"version":1}', '{"version":1,"task":"x","seconds":{"a":1}}', "[]", "1", "null"])
def test_a_line_of_another_form_is_passed_over(text: str) -> None:
    import zlib

    assert kept_runs.read_line(f"{zlib.crc32(text.encode()):08x} {text}".encode()) is None


def test_where_nothing_can_be_written_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "folder"))
    kept_runs.keep(task(), WAYS)
    assert kept_runs.known(task()) == {}
    assert kept_runs.forget() is None


def test_a_folder_in_the_file_s_place_is_left_alone(file: Path) -> None:
    file.mkdir(parents=True)
    kept_runs.keep(task(), WAYS)
    assert kept_runs.known(task()) == {}
    assert file.is_dir()


def test_the_file_never_gets_larger_than_it_may(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_runs, "LARGEST", 4096)
    monkeypatch.setattr(kept_runs, "KEPT", 5)
    for number in range(100):
        kept_runs.keep(task(f"{number}"), WAYS)
        assert file.stat().st_size < 4096
    assert kept_runs.known(task("99")) == WAYS
    assert kept_runs.known(task("0")) == {}
    assert [path.name for path in file.parent.iterdir()] == [NAME]


def test_another_program_s_file_is_not_written_over(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_runs, "LARGEST", 4096)
    file.parent.mkdir()
    file.write_bytes(b"something else\n" * 500)
    kept_runs.keep(task(), WAYS)
    assert file.read_bytes() == b"something else\n" * 500


def test_several_kernels_write_at_once(file: Path) -> None:
    code = (
        "import sys; from concompare.run import kept_runs; from concompare.cells.task import task_of\n"
        "for number in range(40):\n"
        "    task = task_of(abs, range(100)); task.source += f'{sys.argv[1]} {number}'\n"
        "    kept_runs.keep(task, {('serial', 1): 0.002})"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(3)]
    assert [other.wait() for other in others] == [0, 0, 0]
    for number in range(3):
        assert all(kept_runs.known(task(f"{number} {each}")) for each in range(40))


def test_it_is_where_the_system_keeps_such_files(tmp_path: Path) -> None:
    assert kept_runs.file_of({"XDG_CACHE_HOME": "/x"}, tmp_path) == Path("/x/concompare", NAME)
    assert kept_runs.file_of({"LOCALAPPDATA": "/y"}, tmp_path) == Path("/y/concompare", NAME)
    assert kept_runs.file_of({}, tmp_path) == tmp_path / ".cache" / "concompare" / NAME
    (tmp_path / "Library" / "Caches").mkdir(parents=True)
    assert kept_runs.file_of({}, tmp_path) == tmp_path / "Library" / "Caches" / "concompare" / NAME
    assert kept_runs.file_of({VARIABLE: "/z"}, tmp_path) == Path("/z", NAME)
    assert kept_runs.file_of({VARIABLE: "off", "XDG_CACHE_HOME": "/x"}, tmp_path) is None


def test_the_tests_leave_the_user_s_own_file_alone() -> None:
    assert os.environ[VARIABLE] == "off"
    assert kept_runs.file_of() is None


def test_what_is_learned_of_long_tasks_is_kept_and_gives_a_hint_until_it_is_forgotten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_history, "RUNS", {})
    monkeypatch.setattr(auto_history, "COMPARISONS", {})
    sizes = auto_history.sizes_of(task())
    auto_history.learn(task("short"), sizes, ("threads", 2), Pass(100, 0.01, 0.01), {auto_history.PLAIN: 0.0002})
    assert not file.exists()
    auto_history.learn(task(), sizes, ("processes", 2), Pass(100, 1.0, 2.0), {auto_history.PLAIN: 0.02})
    auto_history.RUNS.clear()
    hint = auto_history.hint(task())
    assert hint is not None
    assert (hint.backend, hint.workers) == ("processes", 2)
    assert auto_history.learned(task(), sizes) is None  # nothing is chosen by it alone
    assert auto_history.forget() == file
    assert auto_history.hint(task()) is None
    assert auto_history.forget() is None


def test_a_file_that_cannot_be_deleted_is_said(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(BadOption, match="what is kept of earlier runs cannot be deleted: "):
        auto_history.forget()
