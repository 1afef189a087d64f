"""Interrupt, kill and restart real kernels at random moments, for as long as asked, with a printed seed.

    python -m tests.stress.stress --seconds 120 [--seed 7] [--backends threads,processes]

Each round runs a cell on some backend and disturbs it. After an interrupt the cell must be free in time, nothing of
ours may compute, and the next cell must give the right result on the same kernel. After a kill or restart no worker may
be left after three seconds, and no shared memory.
"""

from __future__ import annotations

import argparse
import glob
import os
import random
import sys
import time
from collections import Counter

import psutil

from tests.kernel.notebook import Notebook

BACKENDS = ["threads", "processes", "fork", "spawn", "loky", "mp-pool", "mp-threads", "process-per-item"]

WORK = {
    "busy": "def f(x):\n    s = 0\n    for i in range(3_000_000): s += i\n    return x",
    "short": "def f(x):\n    return sum(range(2000)) * 0 + x",
    "sleeping": "import time\ndef f(x):\n    time.sleep(0.3)\n    return x",
    "printing": "def f(x):\n    for i in range(30): print('line', x, i)\n    return x",
    "arrays": "import numpy as np\ndef f(x):\n    a = np.full(400_000, float(x))\n    return a",
    "linear algebra": "import numpy as np\na = np.ones((3000, 3000))\ndef f(x):\n    return (a @ a)[0, 0]",
}
"""What the items do; `linear algebra` sits in C code, `sleeping` in a call that Python cannot stop in a thread."""

CELL = "%%parallel -b {backend} -w 2 --quiet\nresults = []\nfor x in range({items}):\n    results.append(f(x))\n"
CHECK = "%%parallel -b {backend} -w 2 --quiet\nafter = [x * 2 for x in map(abs, range(40))]\n"
PLAIN = "%%parallel -b {backend} -w 2 --quiet\nafter = [g(x) for x in range(40)]\n"

FREE = 1.0
"""Seconds after an interrupt within which the cell is to be free."""
GONE = 3.0
"""Seconds after a kill within which workers are to be gone."""


class Trouble(AssertionError):
    """Raised when a promise was broken; says which."""


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


def wait_until(condition: object, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def interrupted(notebook: Notebook, backend: str, kind: str, after: float) -> float:
    """Interrupt a cell after some seconds; return how long it took to be free."""
    items = {"short": 200_000, "printing": 400, "arrays": 400}.get(kind, 60)
    notebook.run(WORK[kind] + "\ndef g(x):\n    return x * 2")
    request = notebook.start(CELL.format(backend=backend, items=items))
    notebook.wait_for_start(request)  # between two cells a kernel takes no signal
    time.sleep(after)
    notebook.manager.interrupt_kernel()
    began = time.monotonic()
    try:
        cell = notebook.finish(request, timeout=20)
    except TimeoutError:
        raise Trouble("the cell did not end within 20 s of the interrupt") from None
    took = time.monotonic() - began
    if cell.status == "ok":
        return 0.0  # it had ended already
    if "KeyboardInterrupt" not in cell.error + cell.traceback:
        raise Trouble(f"the cell ended with {cell.error}: {cell.traceback[-600:]}")
    if took > FREE:
        raise Trouble(f"the cell was free only {took:.2f} s after the interrupt")
    if backend not in ("threads", "mp-threads"):
        before = seconds_of(family(notebook))
        time.sleep(0.3)
        used = seconds_of(family(notebook)) - before
        if used > 0.1:
            raise Trouble(f"workers still compute: {used:.2f} CPU seconds in 0.3 s")
    after_cell = notebook.run(PLAIN.format(backend=backend) + "\nafter == [2 * x for x in range(40)]", timeout=20)
    if after_cell.text != "True":
        raise Trouble(f"the next cell gave {after_cell.text!r}")
    return took


def killed(notebook: Notebook, backend: str, kind: str, after: float) -> float:
    """Kill the kernel in the middle of a cell; return how long the workers lived on."""
    notebook.run(WORK[kind])
    notebook.start(CELL.format(backend=backend, items=400))
    time.sleep(after)
    children, pid = family(notebook), kernel_pid(notebook)
    os.kill(pid, 9)
    began = time.monotonic()
    if not wait_until(lambda: not any(alive(child) for child in children), GONE):
        left = [" ".join(child.cmdline())[:150] for child in children if alive(child)]
        raise Trouble(f"{len(left)} processes outlived the kernel: {left}")
    took = time.monotonic() - began
    if not wait_until(lambda: not leftovers(pid), 1.0):
        raise Trouble(f"left in shared memory: {leftovers(pid)}")
    return took


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def leftovers(pid: int) -> list[str]:
    return glob.glob(f"/dev/shm/concompare-{pid}-*") + glob.glob(f"/tmp/concompare-{pid}-*")


def restarted(notebook: Notebook, backend: str, kind: str, after: float) -> float:
    """Restart the kernel in the middle of a cell; return how long that took."""
    notebook.run(WORK[kind])
    notebook.start(CELL.format(backend=backend, items=400))
    time.sleep(after)
    children, pid = family(notebook), kernel_pid(notebook)
    began = time.monotonic()
    notebook.manager.restart_kernel(now=random.random() < 0.5)
    notebook.client.wait_for_ready(timeout=40)
    took = time.monotonic() - began
    if not wait_until(lambda: not any(alive(child) for child in children), GONE):
        raise Trouble("processes outlived the restart")
    notebook.run("%load_ext concompare")
    time.sleep(2.0)
    # A restart may kill the workers with the kernel; what they could not remove, the next pool does.
    notebook.run(WORK["short"] + "\ndef g(x):\n    return x * 2")
    notebook.run(PLAIN.format(backend="processes"))
    if leftovers(pid):
        raise Trouble(f"left in shared memory: {leftovers(pid)}")
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--backends", default=",".join(BACKENDS))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    chosen = options.backends.split(",")
    end = time.monotonic() + options.seconds
    done: Counter[str] = Counter()
    worst: dict[str, float] = {}
    troubles: list[str] = []
    notebook = Notebook()
    notebook.run("%load_ext concompare")
    while time.monotonic() < end:
        backend, kind = random.choice(chosen), random.choice(list(WORK))
        what = random.choices([interrupted, killed, restarted], [8, 1, 1])[0]
        after = random.choice([0.02, 0.1, 0.3, 0.8]) * random.uniform(0.5, 1.5)
        words = f"{what.__name__} {backend} {kind} after {after:.3f} s"
        try:
            took = what(notebook, backend, kind, after)
        except (Trouble, AssertionError, TimeoutError) as trouble:
            troubles.append(f"{words}: {trouble}")
            print(troubles[-1], flush=True)
            took = 0.0
            notebook.manager.shutdown_kernel(now=True)
        worst[what.__name__] = max(worst.get(what.__name__, 0.0), took)
        done[what.__name__] += 1
        if not notebook.manager.is_alive():
            notebook = Notebook()
            notebook.run("%load_ext concompare")
    notebook.manager.shutdown_kernel(now=True)
    rounds = ", ".join(f"{count} {name} (at most {worst[name]:.2f} s)" for name, count in done.items())
    print(f"{rounds}; {len(troubles)} broken promises")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
