"""What the items do outside the notebook: once in `%%parallel`, and in a comparison only when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ipython.conftest import Shell

SAVE = "from pathlib import Path\ndef save(n):\n    return Path(folder, f'{n}.txt').write_text(str(n))\nxs = [1, 2, 3]"


@pytest.fixture
def folder(tmp_path: Path, shell: Shell) -> Path:
    shell.names["folder"] = str(tmp_path)
    shell.run(SAVE)
    return tmp_path


def test_a_comparison_of_what_writes_files_runs_the_plain_loop_once_and_says_why(folder: Path, shell: Shell) -> None:
    ran = shell.run("%%concompare --no-plot --budget 0.3\nbefore = 1\nsizes = [save(n) for n in xs]")
    assert "line 3: `write_text` writes or deletes files, and a comparison runs every item several times" in ran.stdout
    assert "--repeat-ok" in ran.stdout
    assert shell.names["before"] == 1
    assert sorted(path.name for path in folder.iterdir()) == ["1.txt", "2.txt", "3.txt"]
    plain, *others = ran.value.comparison.trials
    assert (plain.backend, len(plain.passes), plain.passes[0].items) == ("serial", 1, 3)
    assert {trial.backend for trial in others} == {"threads", "processes"}
    assert all("--repeat-ok" in (trial.problem or "") for trial in others)


def test_a_comparison_writes_files_when_that_is_asked_for(folder: Path, shell: Shell) -> None:
    shell.run("%%concompare --no-plot --budget 0.3 -b threads -w 2 --repeat-ok --quiet\nsizes = [save(n) for n in xs]")
    assert sorted(path.name for path in folder.iterdir()) == ["1.txt", "2.txt", "3.txt"]
    assert shell.names["sizes"] == [1, 1, 1]


def test_parallel_says_so_and_writes_each_file_once(folder: Path, shell: Shell) -> None:
    ran = shell.run("%%parallel -b threads -w 2\nsizes = [save(n) for n in xs]")
    assert "writes or deletes files" in ran.stdout
    assert len(list(folder.iterdir())) == 3


def test_what_installed_functions_write_is_seen_too(tmp_path: Path, shell: Shell) -> None:
    shell.run("import os\nxs = [1, 2, 3]")
    shell.names["folder"] = str(tmp_path) + os.sep
    ran = shell.run("%%concompare --no-plot --budget 0.3\nmade = [os.open(folder + str(n), os.O_CREAT) for n in xs]")
    assert "--repeat-ok" in ran.stdout
    assert len(list(tmp_path.iterdir())) == 3
    for made in shell.names["made"]:
        os.close(made)


@pytest.mark.parametrize("seed", ["", "--seed 1"])
@pytest.mark.parametrize("backend", ["", "-b serial", "-b threads", "-b processes"])
def test_an_error_leaves_what_came_before_it_in_the_same_item(backend: str, seed: str, shell: Shell) -> None:
    shell.run("def check(n):\n    if n > 4:\n        raise ValueError(n)\ndef heavy(n):\n    return sum(range(n))")
    cell = "found = []\nfor n in range(9):\n    found.append(heavy(n))\n    check(n)"
    ran = shell.fails(f"%%parallel -w 2 {backend} {seed}\n{cell}")
    assert repr(ran.error) == "ValueError(5)"
    assert shell.names["found"] == [0, 0, 1, 3, 6, 10]


def test_a_comparison_of_a_cell_that_asks_what_a_cache_counted_runs_once(shell: Shell) -> None:
    shell.run("import functools\n@functools.cache\ndef g(n):\n    return sum(k * n % 7 for k in range(50))")
    shell.run("def h(n):\n    return g(n) + g(n % 2)\nxs = [1, 2, 3, 4]")
    ran = shell.run(
        "%%concompare --no-plot --budget 0.3 -b threads -w 2\nr = [h(n) for n in xs]\ntold = g.cache_info()"
    )
    assert "asks what a cache has counted" in ran.stdout
    assert (shell.names["told"].hits, shell.names["told"].misses) == (3, 5)
