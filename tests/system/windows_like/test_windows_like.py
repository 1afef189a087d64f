"""Both magics, `map` and `compare` in a Python that looks like the one on Windows, and what that Python hides.

`make windows-like` runs the core of the suite in it; these tests start such a Python themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.kernel.notebook import Notebook

STARTUP = Path(__file__).with_name("startup")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is pretended")


def searched() -> str:
    """Return PYTHONPATH with the hook before all else."""
    return os.pathsep.join(filter(None, (str(STARTUP), str(Path.cwd()), os.environ.get("PYTHONPATH"))))


def run(code: str, folder: Path) -> str:
    """Run a script in a Python that pretends, and return what it prints."""
    script = folder / "script.py"
    script.write_text(code)
    variables = {**os.environ, "PYTHONPATH": searched()}
    done = subprocess.run(
        [sys.executable, str(script)], env=variables, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---------------------------------------------------------------------------------------------------- what it hides

SEEN = """
import ctypes, mmap, multiprocessing, os, select, signal, socket, time
def seen():
    found = []
    for name in ("fcntl", "resource", "pwd", "grp", "termios", "posix", "_posixsubprocess"):
        try:
            __import__(name)
        except ImportError:
            continue
        found.append(name)
    for module, names in (
        (os, "fork forkpty posix_spawn register_at_fork sched_getaffinity getloadavg getuid pread readv statvfs"),
        (os, "WNOHANG O_NONBLOCK environb uname wait"),
        (signal, "SIGKILL SIGALRM SIGUSR1 SIGCHLD pthread_kill pthread_sigmask setitimer alarm SIG_BLOCK"),
        (socket, "AF_UNIX send_fds recv_fds"), (select, "poll epoll"), (mmap, "MAP_PRIVATE MADV_HUGEPAGE"),
        (time, "clock_gettime CLOCK_MONOTONIC"),
    ):
        found += [name for name in names.split() if hasattr(module, name)]
    for method in ("fork", "forkserver"):
        try:
            multiprocessing.get_context(method)
        except ValueError:
            continue
        found.append(method)
    for look in (os.stat, os.listdir, open, os.path.getsize):
        for place in ("/proc/self/stat", "/dev/shm", "/proc", "/sys"):
            try:
                look(place)
            except FileNotFoundError:
                continue
            found.append((look.__name__, place))
    if os.path.exists("/proc") or os.access("/dev/shm", os.W_OK):
        found.append("exists")
    try:
        ctypes.CDLL(None)
    except TypeError:
        return found
    return [*found, "libc"]
"""

KEPT = (
    "os.getpid, os.kill, os.replace, os.cpu_count, signal.SIGINT, signal.SIGTERM, signal.raise_signal, socket.AF_INET"
)


def test_what_windows_lacks_is_hidden_and_nothing_else(tmp_path: Path) -> None:
    kept = f"print(seen(), [{KEPT}] and 'kept', multiprocessing.get_all_start_methods())"
    assert run(SEEN + kept, tmp_path) == "[] kept ['spawn']"


def test_the_standard_library_and_installed_packages_still_work(tmp_path: Path) -> None:
    code = """
import asyncio, psutil, subprocess, sys, tempfile, zmq
print(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout)
print(asyncio.run(asyncio.sleep(0, 2)), psutil.Process().num_threads() > 0, tempfile.TemporaryFile().read())
"""
    assert run(code, tmp_path).splitlines() == [r"b'1\n'", "2 True b''"]


def test_a_file_in_use_cannot_be_deleted_or_replaced(tmp_path: Path) -> None:
    code = f"""
import mmap, os, pathlib, shutil
folder = pathlib.Path({str(tmp_path / "folder")!r})
folder.mkdir()
one = folder / "one"
one.write_bytes(bytes(100))
def refused(call, *arguments):
    try:
        call(*arguments)
    except PermissionError:
        return True
with open(one, "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
    print(refused(one.unlink), refused(os.replace, one, folder / "two"))
print(refused(os.unlink, one))
shutil.rmtree(folder, ignore_errors=True)
print(one.exists())
mapped.close()
shutil.rmtree(folder)
print(folder.exists())
"""
    assert run(code, tmp_path).splitlines() == ["True True", "True", "True", "False"]


@pytest.mark.parametrize("backend", ["processes", "loky", "mp-pool", "process-per-item"])
def test_workers_see_no_more_than_the_notebook(backend: str, tmp_path: Path) -> None:
    code = f"""
import concompare
print(concompare.map(lambda _: seen(), [0, 1], backend={backend!r}, workers=2))
"""
    assert run(SEEN + code, tmp_path) == "[[], []]"  # once: no worker has run the script


def test_compare_gives_a_report_and_the_results(tmp_path: Path) -> None:
    code = """
import concompare
def work(n): return sum(range(2000 + n))
report = concompare.compare(work, range(30), backends=["serial", "processes"], workers=2, budget=30)
print(report.results == [sum(range(2000 + n)) for n in range(30)], report.comparison.environment.untold)
"""
    assert run(code, tmp_path) == "True ('waiting', 'limits', 'sharing', 'load')"


# ------------------------------------------------------------------------------------------------------- a real kernel


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    with Notebook(PYTHONPATH=searched()) as notebook:
        notebook.run("%load_ext concompare\nimport os, concompare\ndef work(n): return sum(range(2000 + n))")
        yield notebook


def test_both_magics_leave_the_plain_cell_s_results(notebook: Notebook) -> None:
    plain = [sum(range(2000 + n)) for n in range(30)]
    notebook.run("%%parallel -b processes -w 2\none = [work(n) for n in range(30)]")
    notebook.run("%%concompare -b serial,threads,processes -w 2 --budget 60\ntwo = [work(n) for n in range(30)]")
    assert notebook.value("one") == notebook.value("two") == plain


def test_reports_say_what_cannot_be_told(notebook: Notebook) -> None:
    cell = notebook.run("%%concompare -b serial,threads -w 2 --budget 5\n[work(n) for n in range(30)]")
    assert "What cannot be told on this system (needs Linux)" in cell.text
    assert "how long workers waited for a CPU" in cell.text
    assert notebook.value("_.comparison.environment.start_methods") == ("spawn",)
    assert "quota not known" in cell.text
    card = notebook.run("%parallel --info").text
    assert "needs Linux" in card
    assert "start by spawn; here: spawn" in card
    shown = notebook.run("%%parallel -b processes -w 2 --timeline\n[work(n) for n in range(30)]").shown
    assert "cannot be told on this system (needs Linux)" in shown


def test_a_worker_that_dies_costs_its_item(notebook: Notebook) -> None:
    dying = "if n == 3 and os.getpid() != here: ctypes.string_at(0)"
    notebook.run(f"import ctypes\nhere = os.getpid()\ndef risky(n):\n    {dying}\n    return n")
    notebook.run("%%parallel -b processes -w 2 --on-error keep\nkept = [risky(n) for n in range(8)]")
    assert notebook.value("[n for n in kept if isinstance(n, int)]") == [0, 1, 2, 4, 5, 6, 7]
    assert "while computing item 3" in notebook.value("str(kept[3].error)")


def test_an_item_over_its_time_is_ended(notebook: Notebook) -> None:
    notebook.run("import threading\ndef late(n):\n    if n == 2: threading.Event().wait()\n    return n")
    cell = notebook.run("%%parallel -b processes -w 2 --timeout 1\n[late(n) for n in range(4)]", check=False)
    assert cell.error.startswith("ItemTimeout: item 2")


def test_an_interrupt_frees_the_cell_and_the_next_one_runs(notebook: Notebook, tmp_path: Path) -> None:
    there = tmp_path / "0"
    notebook.run(
        f"import pathlib, threading\ndef forever(n):\n    pathlib.Path({str(tmp_path)!r}, str(n)).touch()\n"
        "    threading.Event().wait()"
    )
    request = notebook.start("%%parallel -b processes -w 2\n[forever(n) for n in range(4)]")
    while not there.exists():
        time.sleep(0.01)
    notebook.interrupt()
    assert notebook.finish(request).error.startswith("Interrupted")
    notebook.run("%%parallel -b processes -w 2\nafter = [work(n) for n in range(4)]")
    assert notebook.value("after") == [sum(range(2000 + n)) for n in range(4)]
