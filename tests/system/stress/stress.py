"""Interrupt, kill and restart real kernels at random moments, for as long as asked, with a printed seed.

    python -m tests.system.stress.stress --seconds 120 [--seed 7] [--backends threads,fork] [--work "linear algebra"]
        [--events interrupted,killed]

Each round runs a cell on some backend and disturbs it. After an interrupt the cell must be free in time, nothing of
ours may compute, and the next cell must give the right result on the same kernel. After a kill or restart no worker may
be left after three seconds, and no shared memory. On a slow or busy machine the limits are so many times as long as a
plain loop takes there.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
import queue
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.system.kernel.notebook import Cell, Notebook

BACKENDS = ["threads", "processes", "fork", "spawn", "loky", "mp-pool", "mp-threads", "process-per-item"]

WORK = {
    "busy": "def f(x):\n    s = 0\n    for i in range(3_000_000): s += i\n    return x",
    "short": "def f(x):\n    return sum(range(2000)) * 0 + x",
    "sleeping": "import time\ndef f(x):\n    time.sleep(0.3)\n    return x",
    "printing": "def f(x):\n    for i in range(30): print('line', x, i)\n    return x",
    "arrays": "import numpy as np\ndef f(x):\n    a = np.full(400_000, float(x))\n    return a",
    "arrays in a list": "import numpy as np\nxs = [np.full(20_000 + n % 9 * 30_000, n + 0.5) for n in range(50)] * 8\n"
    "def f(x):\n    return float(x[:, None].sum()) if x[0] % 2 else x * 2",
    "linear algebra": "import numpy as np\na = np.ones((3000, 3000))\ndef f(x):\n    return (a @ a)[0, 0]",
}
"""What the items do; `linear algebra` sits in C code, `sleeping` in a call that Python cannot stop in a thread."""

OVER = {"arrays in a list": "xs"}
"""The items where they are no numbers: workers take large ones of a list from the kernel's memory."""

CELL = "%%parallel -b {backend} -w 2 --quiet\nresults = []\nfor x in {over}:\n    results.append(f(x))\n"
CHECK = "%%parallel -b {backend} -w 2 --quiet\nafter = [x * 2 for x in map(abs, range(40))]\n"
PLAIN = "%%parallel -b {backend} -w 2 --quiet\nafter = [g(x) for x in range(40)]\n"

SAME = "%%parallel -b {backend} -w 2 --quiet\nafter = [f(x) for x in xs[:70]]\n"
SAID = "\nlen(after) == 70 and all(np.array_equal(f(x), one) for x, one in zip(xs, after))"
CHECKS = {"arrays in a list": SAME + SAID}
"""What must be true in the next cell, for work that has a check of its own."""

FREE = 1.0
"""Seconds after an interrupt within which the cell is to be free."""
LOOKS = 3
"""Times that workers are looked at after an interrupt, until they compute no more."""
GONE = 3.0
"""Seconds after a kill within which workers and shared memory are to be gone."""
SPIN = 0.09
"""Seconds that `spin` takes on a quiet machine of the year 2020."""
SLOWEST = 4.0
"""How many times as long the limits get at the most."""
PATIENCE = 120.0
"""Seconds after which a cell hangs; a process for each of 70 items takes 30 where eight other processes compute."""
LATE = "{what} after {took:.2f} s (at most {limit:.2f} s, on a machine {slow:.1f} times as slow)"
LEFT = 60.0
"""Seconds that calls of interrupted threads may take to end: so long a fork may be refused."""
REFUSED = "another thread of this process computes in native code"


class Trouble(AssertionError):
    """Raised when a promise was broken; says which."""


READY = """
import faulthandler, signal
traces = open({traces!r}, "w")
faulthandler.register(signal.SIGUSR1, traces, all_threads=True)
del faulthandler, signal
%load_ext concompare
"""


def started() -> Notebook:
    """Return a new kernel with the extension, which writes on SIGUSR1 where its threads are."""
    notebook = Notebook()
    notebook.run(READY.format(traces=traces(kernel_pid(notebook))))
    return notebook


def traces(pid: int) -> str:
    return f"{tempfile.gettempdir()}/stress-{pid}.traces"


def where(notebook: Notebook) -> str:
    """Return where the kernel's threads are, if it is there and still answers signals."""
    try:
        pid = kernel_pid(notebook)
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.5)
        threads = Path(traces(pid)).read_text(encoding="utf-8").split("\n\n")
        telling = [thread for thread in threads if "Current thread" in thread or "/concompare/" in thread]
        return "\n\n".join(telling[-6:])
    except (OSError, AttributeError, TypeError):
        return "the kernel is gone"


def family(notebook: Notebook) -> list[psutil.Process]:
    """Return the processes below the kernel."""
    return psutil.Process(kernel_pid(notebook)).children(recursive=True)


def kernel_pid(notebook: Notebook) -> int:
    return int(notebook.manager.provisioner.pid)  # type: ignore[union-attr]


def seconds_of(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds of processes that are still there."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def spin() -> float:
    """Return the seconds that a plain loop takes now."""
    began, total = time.perf_counter(), 0
    for number in range(3_000_000):
        total += number
    return time.perf_counter() - began


def slowness() -> float:
    """Return how many times as slow as a quiet machine this one is now, at least 1."""
    return min(SLOWEST, max(1.0, spin() / SPIN))


def in_time(what: str, took: float, limit: float) -> float:
    """Return the seconds that something took, unless that is more than the machine's slowness accounts for."""
    if took > limit:
        slow = slowness()
        if took > limit * slow:
            raise Trouble(LATE.format(what=what, took=took, limit=limit, slow=slow))
    return took


def gone(left: Callable[[], list[str]], since: float) -> float:
    """Return the seconds from a moment until nothing is left."""
    last: list[str] = []
    while (now := left()) and time.monotonic() - since < 2 * SLOWEST * GONE:
        last = now
        time.sleep(0.02)
    return in_time(f"what was left was gone ({', '.join(last)})", time.monotonic() - since, GONE)


def interrupted(notebook: Notebook, backend: str, kind: str, after: float) -> float:
    """Interrupt a cell after some seconds; return how long it took to be free."""
    items = {"short": 200_000, "printing": 400, "arrays": 400}.get(kind, 60)
    notebook.run(WORK[kind] + "\ndef g(x):\n    return x * 2")
    request = notebook.start(CELL.format(backend=backend, over=OVER.get(kind, f"range({items})")))
    notebook.wait_for_start(request)  # between two cells a kernel takes no signal
    time.sleep(after)
    notebook.manager.interrupt_kernel()
    began = time.monotonic()
    look = threading.Timer(FREE, os.kill, (kernel_pid(notebook), signal.SIGUSR1))
    look.start()
    try:
        cell = notebook.finish(request, timeout=PATIENCE)
    except TimeoutError:
        raise Trouble(f"the cell did not end within {PATIENCE:.0f} s of the interrupt") from None
    except queue.Empty:  # idle, but ipykernel was interrupted itself while it answered
        cell, began = Cell("error", error="KeyboardInterrupt: of ipykernel"), time.monotonic()
    finally:
        look.cancel()
    took = time.monotonic() - began
    if cell.status == "ok" or REFUSED in cell.error:
        return 0.0  # it had ended already, or never begun
    if "KeyboardInterrupt" not in cell.error + cell.traceback:
        raise Trouble(f"the cell ended with {cell.error}: {cell.traceback[-600:]}")
    if cell.error.startswith("Interrupted"):
        in_time("the cell was free", took, FREE)
    elif "/concompare/" in cell.traceback:  # else IPython was interrupted itself, before or after anything of ours
        raise Trouble(f"an interrupt was shown with our frames: {cell.traceback[-1500:]}")
    if backend not in ("threads", "mp-threads"):
        for _ in range(LOOKS):  # those that were just starting have an end of their imports, those at work go on
            before = seconds_of(family(notebook))
            time.sleep(0.3)
            used = seconds_of(family(notebook)) - before
            if used <= 0.1:
                break
        else:
            raise Trouble(f"workers still compute: {used:.2f} CPU seconds in 0.3 s")
    works_again(notebook, backend, kind)
    return took


def works_again(notebook: Notebook, backend: str, kind: str) -> None:
    """Run another cell to its end; where it must not be forked yet, as soon as it may."""
    code = CHECKS.get(kind, PLAIN + "\nafter == [2 * x for x in range(40)]").format(backend=backend)
    began, cell = time.monotonic(), notebook.run(code, timeout=PATIENCE, check=False)
    while REFUSED in cell.error and time.monotonic() - began < LEFT:
        cell = notebook.run(code, timeout=PATIENCE, check=False)
    if cell.text != "True":
        raise Trouble(f"the next cell gave {cell.text!r} {cell.error} {cell.traceback[-2000:]}")


def killed(notebook: Notebook, backend: str, kind: str, after: float) -> float:
    """Kill the kernel in the middle of a cell; return how long the workers lived on."""
    notebook.run(WORK[kind])
    notebook.start(CELL.format(backend=backend, over=OVER.get(kind, "range(400)")))
    time.sleep(after)
    pid = kernel_pid(notebook)
    children = family(notebook)
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    # A process whose threads are not all gone yet looks dead, and cannot be replaced.
    return gone(lambda: [*["the kernel"] * notebook.manager.is_alive(), *words_of(children), *leftovers(pid)], began)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def words_of(processes: list[psutil.Process]) -> list[str]:
    """Return the commands of the processes that are alive."""
    words = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if alive(process):
                words.append(" ".join(process.cmdline())[:150])
    return words


def leftovers(pid: int) -> list[str]:
    return glob.glob(f"/dev/shm/concompare-{pid}-*") + glob.glob(f"/tmp/concompare-{pid}-*")


def restarted(notebook: Notebook, backend: str, kind: str, after: float) -> float:
    """Restart the kernel in the middle of a cell; return how long that took."""
    notebook.run(WORK[kind])
    notebook.start(CELL.format(backend=backend, over=OVER.get(kind, "range(400)")))
    time.sleep(after)
    children, pid = family(notebook), kernel_pid(notebook)
    began = time.monotonic()
    notebook.manager.restart_kernel(now=random.random() < 0.5)
    notebook.client.wait_for_ready(timeout=40)
    took = time.monotonic() - began
    gone(lambda: words_of(children), began + took)
    notebook.run(READY.format(traces=traces(kernel_pid(notebook))))
    time.sleep(2.0)
    # A restart may kill the workers with the kernel; what they could not remove, the next pool does.
    notebook.run(WORK["short"] + "\ndef g(x):\n    return x * 2")
    notebook.run(PLAIN.format(backend="processes"))
    if leftovers(pid):
        raise Trouble(f"left in shared memory: {leftovers(pid)}")
    return took


EVENTS = {interrupted: 8, killed: 1, restarted: 1}
"""What may happen to a cell, and how often beside the others."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--work", default=",".join(WORK))
    parser.add_argument("--events", default="interrupted,killed,restarted")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    chosen, kinds = options.backends.split(","), options.work.split(",")
    events = {event: share for event, share in EVENTS.items() if event.__name__ in options.events.split(",")}
    end = time.monotonic() + options.seconds
    done: Counter[str] = Counter()
    worst: dict[str, float] = {}
    troubles: list[str] = []
    notebook = started()
    while time.monotonic() < end:
        backend, kind = random.choice(chosen), random.choice(kinds)
        what = random.choices(list(events), list(events.values()))[0]
        after = random.choice([0.02, 0.1, 0.3, 0.8]) * random.uniform(0.5, 1.5)
        words = f"{what.__name__} {backend} {kind} after {after:.3f} s"
        try:
            took = what(notebook, backend, kind, after)
        except (Trouble, AssertionError, TimeoutError) as trouble:
            troubles.append(f"{words}: {trouble}")
            print(troubles[-1], flush=True)
            print(where(notebook), flush=True)
            took = 0.0
            notebook.manager.shutdown_kernel(now=True)
        worst[what.__name__] = max(worst.get(what.__name__, 0.0), took)
        done[what.__name__] += 1
        if not notebook.manager.is_alive():
            notebook = started()
    notebook.manager.shutdown_kernel(now=True)
    for path in Path(tempfile.gettempdir()).glob("stress-*.traces"):
        path.unlink(missing_ok=True)
    rounds = ", ".join(f"{count} {name} (at most {worst[name]:.2f} s)" for name, count in done.items())
    print(f"{rounds}; {len(troubles)} broken promises")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
