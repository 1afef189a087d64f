"""What a few items do is seen in a process of their own, and none of it is done there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.syntax import own_code
from concompare.errors import CellRefused
from concompare.run import preflight
from tests.cells import plainly, programs

MODULE = """
import os, random, socket, subprocess, tempfile, time

calls = 0

class Box:
    def __init__(self):
        self.n = 0

def double(x):
    return x * 2

def keep(x):
    with open(os.path.join(FOLDER, f"{x}.txt"), "w") as file:
        file.write(str(x))
    return x

def keep_in_spite(x):
    try:
        return keep(x)
    except BaseException:
        return keep(x + 100)

def remove(x):
    os.remove(os.path.join(FOLDER, "old.txt"))
    return x

def start(x):
    return subprocess.run(["touch", os.path.join(FOLDER, "started")], check=True).returncode

def connect(x):
    with socket.socket() as end:
        end.connect(("127.0.0.1", PORT))
    return x

def count(x):
    global calls
    calls += 1
    return x + calls

def draw(x):
    return random.random()

def now(x):
    return time.perf_counter()

def change(box, x):
    box.n += 1
    return x

def scratch(x):
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "a"), "w") as file:
        file.write("a")
    return x

def forever(x):
    while True:
        time.sleep(0.01)

def speak(x):
    print("spoken", x)
    return x
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a module that counts as installed; returns the folder that it writes into."""
    place, folder = tmp_path / "site", tmp_path / "out"
    place.mkdir()
    folder.mkdir()
    text = MODULE.replace("FOLDER", repr(str(folder))).replace("PORT", "9")
    (place / f"doubtful_{tmp_path.name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(place))
    installed = (*own_code.installed_folders(), str(place))
    monkeypatch.setattr(own_code, "installed_folders", lambda: installed)
    own_code.is_user_module.cache_clear()
    for limit in ("ONCE", "SEVERAL_TIMES"):  # a busy machine takes longer than what users would wait
        monkeypatch.setattr(preflight, limit, 30.0)
    return folder


@pytest.fixture
def check(library: Path) -> Callable[..., tuple[str, ...]]:
    def checked(call: str, repeated: bool = True, **options: Any) -> tuple[str, ...]:
        name = f"doubtful_{library.parent.name}"
        namespace = plainly.fresh(f"import {name} as lib\nxs = list(range(12))\nbox = lib.Box()\n")
        return preflight.check(
            *programs.bound(f"# a comment\nr = [{call} for x in xs]", namespace), repeated=repeated, **options
        )

    return checked


def test_items_that_do_nothing_else_leave_nothing_to_say(check: Callable[..., tuple[str, ...]]) -> None:
    assert check("lib.double(x)") == ()


@pytest.mark.parametrize(
    ("call", "words"),
    [("keep", "writes files"), ("keep_in_spite", "writes files"), ("remove", "deletes files"), ("start", "starts pro")],
)
def test_what_should_be_done_once_is_refused_in_a_comparison_and_not_done(
    call: str, words: str, check: Callable[..., tuple[str, ...]], library: Path
) -> None:
    (library / "old.txt").write_text("kept")
    with pytest.raises(CellRefused, match=rf"line 2: {words}.* Add --repeat-ok"):
        check(f"lib.{call}(x)")
    assert [path.name for path in library.iterdir()] == ["old.txt"]
    assert any(words in note for note in check(f"lib.{call}(x)", repeat_ok=True))
    assert any(words in note for note in check(f"lib.{call}(x)", repeated=False))


def test_a_connection_is_only_noted_and_not_made(check: Callable[..., tuple[str, ...]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        assert check("lib.connect(x)") == ("line 2: connects to 127.0.0.1:9, in every pass",)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_results_that_depend_on_the_order_are_refused(check: Callable[..., tuple[str, ...]]) -> None:
    with pytest.raises(CellRefused, match=r"line 2: the results depend on the order.*--assume-pure"):
        check("lib.count(x)", repeated=False)
    assert "depend on the order" in check("lib.count(x)", repeated=False, assume_pure=True)[0]


def test_random_numbers_that_all_items_share_are_refused_unless_seeded(check: Callable[..., tuple[str, ...]]) -> None:
    with pytest.raises(CellRefused, match="draw from random, which all items share: add --seed"):
        check("lib.draw(x)")
    assert check("lib.draw(x)", seeded=True) == ()


def test_a_clock_is_no_dependence_on_the_order(check: Callable[..., tuple[str, ...]]) -> None:
    assert check("lib.now(x)") == ("line 2: the same items give other results every time they run",)


def test_a_captured_object_that_changes_is_named(check: Callable[..., tuple[str, ...]]) -> None:
    assert "the items change `box`" in check("lib.change(box, x)")[0]


def test_temporary_files_and_prints_are_nobody_s_business(
    check: Callable[..., tuple[str, ...]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert check("lib.scratch(x)") == ()
    assert check("lib.speak(x)") == ()
    assert "spoken" not in capfd.readouterr().out


def test_items_that_take_too_long_are_not_waited_for(
    check: Callable[..., tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "SEVERAL_TIMES", 0.05)
    assert check("lib.forever(x)") == ()


def test_a_task_is_tried_once(check: Callable[..., tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert check("lib.change(box, x)")
    monkeypatch.setattr(preflight, "in_throw_away_process", lambda *_: pytest.fail("was tried again"))
    assert "the items change `box`" in check("lib.change(box, x)")[0]


RENAMES = [
    "r = [p.rename(target) for p in paths]",
    "r = [p.replace(p.with_suffix('.b')) for p in paths]",
    "for p in paths:\n    q = p.parent / 'x'\n    q.touch()",
    "for p in paths:\n    handle = p.open('w')",
    "r = list(map(Path.rename, paths, paths))",
    "for i, p in enumerate(paths):\n    p.rename(f'{p}{i}')",
    "for p in paths:\n    posix_rename(p, target)",
    "for p in paths:\n    zipfile.ZipFile(p, 'w').close()",
    "for n in names:\n    q = Path(n)\n    q.rename(target)",
    "for n in names:\n    np.arange(3).tofile(n)",
]


@pytest.mark.parametrize("cell", RENAMES)
def test_files_are_not_changed_once_more_in_every_pass(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "in_throw_away_process", lambda *_: pytest.fail("was tried"))
    namespace = plainly.fresh(
        "import zipfile\nimport numpy as np\nfrom os import rename as posix_rename\nfrom pathlib import Path\n"
        "paths = [Path('/nowhere/a'), Path('/nowhere/b')]\ntarget = Path('/nowhere/c')\nnames = ['/nowhere/a']\n"
    )
    one_after_another = "touches files that other items may change"  # all are renamed to one file
    left_open = "makes an iterator or an open file, which no worker can give back"
    reason = f"and a comparison runs every item several times|{one_after_another}|{left_open}"
    with pytest.raises(CellRefused, match=reason):
        preflight.check(*programs.bound(cell, namespace), repeated=True)


@pytest.mark.parametrize(
    "cell",
    [
        "r = [n.replace('a', 'b') for n in names]",
        "r = [n.strip().partition('a') for n in names]",
        "r = [d.replace(year=2000) for d in days]",
        "r = [n.upper().replace('a', 'b', 1) for n in held['names']]",
        "r = [p.with_suffix('.b').name.replace('a', n) for p, n in zip(paths, names)]",
    ],
)
def test_texts_and_dates_are_replaced_without_a_word(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "in_throw_away_process", lambda *_: pytest.fail("was tried"))
    namespace = plainly.fresh(
        "import datetime\nfrom pathlib import Path\nnames = ['xa', 'ya']\nheld = {'names': names}\n"
        "days = [datetime.date(2020, 1, 1)]\npaths = [Path('a'), Path('b')]\n"
    )
    found = programs.bound(cell, namespace)
    assert preflight.check(*found, repeated=True) == ()


def test_what_the_source_shows_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "in_throw_away_process", lambda *_: pytest.fail("was tried"))
    namespace = plainly.fresh("import math\nxs = [1, 2]\nfrom pathlib import Path\n")
    found = programs.bound("r = [math.sqrt(x) for x in xs]", namespace)
    assert preflight.check(*found, repeated=True) == ()
    found = programs.bound("for x in xs:\n    y = Path(str(x)).write_text('a')", namespace)
    with pytest.raises(
        CellRefused,
        match=r"line 2: `write_text` writes or deletes files, and a comparison runs every item several times",
    ):
        preflight.check(*found, repeated=True)
    assert preflight.check(*found, repeated=True, repeat_ok=True) == ()
