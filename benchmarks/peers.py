"""What a parallel map costs as it grows: concompare and its peers on the same work, interleaved in one run.

    python benchmarks/peers.py [--grow items,messages,payload-in,payload-out,workers] [--peers loky,mpire] [--reps 9]
                               [--quick]

Four things grow: the number of trivial items (10 to 10⁶), the same with one item per message (100 to 10⁴), the bytes of
an argument or a result (1 B to 256 MB, in four items) and the number of workers on sleeping items (1 to 64). Every
repetition runs every peer once in shuffled order on a warm pool. Printed are the medians and the ratios to the fastest
peer, each the median of the ratios of one repetition, with the interval that holds it at 95 % where there are enough of
them. Beside the peers stand two limits that are none: the plain loop, and copying the same bytes once (memcpy). The
load of the machine is printed with each case. The plot is written to build/peers.png, the raw values to
build/peers.json.
Peers: pip install joblib loky mpire pathos.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

BUILD = Path(__file__).resolve().parents[1] / "build"
WORKERS = 2

Map = Callable[[Callable[[Any], Any], list[Any]], list[Any]]

ONE_BY_ONE = [False]
"""Whether each item goes in a message of its own, in the case at hand."""


def trivial(x: int) -> int:
    return x * x


def take(data: bytes) -> int:
    return len(data)


def give(size: int) -> bytes:
    return bytes(size)


def nap(x: int) -> int:
    time.sleep(0.02)
    return x


def cases(grow: list[str], quick: bool) -> list[tuple[str, float, int, Callable[[Any], Any], list[Any]]]:
    """Return what is run: what grows, its size, the workers, the function and the items."""
    found: list[tuple[str, float, int, Callable[[Any], Any], list[Any]]] = []
    most = 10**5 if quick else 10**6
    if "items" in grow:
        found += [("items", n, WORKERS, trivial, list(range(n))) for n in powers(10, most, 10)]
    if "messages" in grow:
        found += [("messages", n, WORKERS, trivial, list(range(n))) for n in powers(100, 1000 if quick else 10**4, 10)]
    payloads = powers(1, 2**24 if quick else 2**28, 16)
    if "payload-in" in grow:
        found += [("payload-in", size, WORKERS, take, [bytes([i]) * size for i in range(4)]) for size in payloads]
    if "payload-out" in grow:
        found += [("payload-out", size, WORKERS, give, [size] * 4) for size in payloads]
    if "workers" in grow:
        found += [("workers", n, n, nap, list(range(128))) for n in powers(1, 16 if quick else 64, 2)]
    return found


def powers(first: int, last: int, step: int) -> list[int]:
    return [first * step**k for k in range(round(math.log(last / first, step)) + 1)]


# ------------------------------------------------------------------------------------------------------------- peers


class Peer:
    """A way to map on warm workers; `open` gives the map and what closes it."""

    def __init__(self, name: str, open_it: Callable[[int], tuple[Map, Callable[[], Any]]]) -> None:
        self.name = name
        self.open_it = open_it


def chunk(items: list[Any], workers: int) -> int:
    return 1 if ONE_BY_ONE[0] else max(1, len(items) // (4 * workers))


def plain_loop(workers: int) -> tuple[Map, Callable[[], Any]]:
    return lambda f, xs: [f(x) for x in xs], lambda: None


def memcpy(workers: int) -> tuple[Map, Callable[[], Any]]:
    """Copy what the items or the results hold, once and in this thread: less cannot be done by who copies at all."""
    sources: dict[int, bytearray] = {}

    def copy(f: Callable[[Any], Any], xs: list[Any]) -> list[Any]:
        if f is take:
            return [len(bytearray(x)) for x in xs]
        if xs[0] not in sources:  # made before the first measured time
            sources[xs[0]] = bytearray(xs[0])
        return [bytearray(sources[xs[0]]) for _ in xs]

    return copy, lambda: None


def thread_pool(workers: int) -> tuple[Map, Callable[[], Any]]:
    pool = ThreadPoolExecutor(workers)
    return lambda f, xs: list(pool.map(f, xs)), pool.shutdown


def process_pool(workers: int) -> tuple[Map, Callable[[], Any]]:
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
    return lambda f, xs: list(pool.map(f, xs, chunksize=chunk(xs, workers))), pool.shutdown


def mp_pool(workers: int) -> tuple[Map, Callable[[], Any]]:
    pool = multiprocessing.get_context("fork").Pool(workers)
    return lambda f, xs: pool.map(f, xs, chunksize=1 if ONE_BY_ONE[0] else None), pool.terminate


def loky(workers: int) -> tuple[Map, Callable[[], Any]]:
    from loky import ProcessPoolExecutor as Loky

    pool = Loky(workers)
    return lambda f, xs: list(pool.map(f, xs, chunksize=chunk(xs, workers))), pool.shutdown


def joblib(workers: int) -> tuple[Map, Callable[[], Any]]:
    from joblib import Parallel, delayed

    def run(f: Callable[[Any], Any], xs: list[Any]) -> list[Any]:
        size: Any = 1 if ONE_BY_ONE[0] else "auto"
        return list(Parallel(n_jobs=workers, batch_size=size)(delayed(f)(x) for x in xs))

    return run, lambda: None


def mpire(workers: int) -> tuple[Map, Callable[[], Any]]:
    from mpire.pool import WorkerPool

    pool = WorkerPool(workers, keep_alive=True, start_method="fork")
    return (
        lambda f, xs: pool.map(
            f,
            ((x,) for x in xs),
            iterable_len=len(xs),
            chunk_size=1 if ONE_BY_ONE[0] else None,
            concatenate_numpy_output=False,
        ),
        pool.terminate,
    )


def pathos(workers: int) -> tuple[Map, Callable[[], Any]]:
    from pathos.multiprocessing import ProcessPool

    pool = ProcessPool(workers)

    def close() -> None:
        pool.close()
        pool.join()
        pool.clear()

    return lambda f, xs: pool.map(f, xs, chunksize=1) if ONE_BY_ONE[0] else pool.map(f, xs), close


def ours(backend: str) -> Callable[[int], tuple[Map, Callable[[], Any]]]:
    def open_it(workers: int) -> tuple[Map, Callable[[], Any]]:
        import concompare
        from concompare import engine

        options: dict[str, Any] = {} if backend == "auto" else {"backend": backend, "workers": workers}

        def run(f: Callable[[Any], Any], xs: list[Any]) -> list[Any]:
            return concompare.map(f, xs, chunk=1 if ONE_BY_ONE[0] else None, **options)

        return run, engine.close_pools

    return open_it


PEERS = [
    Peer("plain loop", plain_loop),
    Peer("memcpy", memcpy),
    Peer("threads", thread_pool),
    Peer("fork pool", process_pool),
    Peer("mp.Pool", mp_pool),
    Peer("joblib", joblib),
    Peer("loky", loky),
    Peer("mpire", mpire),
    Peer("pathos", pathos),
    *(Peer(f"concompare {name}", ours(name)) for name in ("threads", "processes", "auto")),
]
ORDER = [peer.name for peer in PEERS]
NOT_PEERS = ("plain loop", "memcpy", "concompare")


# --------------------------------------------------------------------------------------------------------- measuring

TOO_LONG = 10.0
"""Seconds of one map beyond which a peer is not repeated on that case."""


def measure(peers: list[Peer], case: tuple[str, float, int, Any, list[Any]], reps: int) -> dict[str, list[float]]:
    """Return the seconds of every peer on one case, its pool warm, repetitions interleaved."""
    grown, _, workers, function, items = case
    ONE_BY_ONE[0] = grown == "messages"
    peers = [peer for peer in peers if peer.name != "memcpy" or grown.startswith("payload")]
    times: dict[str, list[float]] = {}
    maps: dict[str, tuple[Map, Callable[[], Any]]] = {}
    expected = [function(item) for item in items[:3]]
    for peer in peers:
        try:
            maps[peer.name] = peer.open_it(workers)
            maps[peer.name][0](function, items[:4])
        except Exception as error:
            print(f"  {peer.name}: {type(error).__name__}: {str(error)[:120]}")
            maps.pop(peer.name, None)
    for _ in range(reps):
        for name in random.sample(list(maps), len(maps)):
            if times.get(name) and times[name][-1] > TOO_LONG:
                continue
            began = time.perf_counter()
            values = maps[name][0](function, items)
            times.setdefault(name, []).append(time.perf_counter() - began)
            assert len(values) == len(items)
            assert list(values[: len(expected)]) == expected, name
    for _, close in maps.values():
        close()
    return times


def table(grown: str, rows: dict[float, dict[str, list[float]]], loads: dict[float, float]) -> str:
    """Return a table for each size: the median seconds of each peer, and its ratio to the fastest with an interval."""
    lines = []
    for size, row in rows.items():
        medians = {name: statistics.median(each) for name, each in row.items()}
        best = min((name for name in row if not name.startswith(NOT_PEERS)), key=medians.__getitem__, default=None)
        lines.append(f"{grown} {size:.0f} (load {loads[size]:.1f}); ratios to {best or 'nobody'}")
        for name, each in sorted(row.items(), key=lambda pair: ORDER.index(pair[0])):
            ratio = "" if best is None else ratio_of(each, row[best])
            lines.append(f"  {name:24}{medians[name]:12.5f} s  {ratio}")
    return "\n".join(lines)


def ratio_of(ours: list[float], theirs: list[float]) -> str:
    """Return the median of the ratios within repetitions, with the interval that holds it at 95 % of certainty.

    That is from order statistics: with n ratios the median lies between the k-th lowest and highest unless fewer than k
    of n fair coins fall on one side. With fewer than six there is no such k, and all that was measured is given.
    """
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=False))
    count = len(ratios)
    outside, k = 0.0, 0
    while k < count // 2 and 2 * (outside + math.comb(count, k) / 2**count) <= 0.05:
        outside += math.comb(count, k) / 2**count
        k += 1
    low, high = (ratios[k - 1], ratios[count - k]) if k else (ratios[0], ratios[-1])
    return f"{statistics.median(ratios):8.2f} x  [{low:.2f} to {high:.2f}{'' if k else ', all'}]"


def plot(results: dict[str, dict[float, dict[str, float]]], path: Path) -> None:
    """Draw the medians against what grows, on logarithmic axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6 * len(results), 5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (grown, rows) in zip(figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True):
        for name in dict.fromkeys(name for row in rows.values() for name in row):
            points = [(size, row[name]) for size, row in rows.items() if name in row]
            width = 2.5 if name.startswith("concompare") else 1.0
            axes.loglog(*zip(*points, strict=True), label=name, linewidth=width, marker="o", markersize=3)
        axes.set_xlabel(grown)
        axes.set_ylabel("seconds")
        axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grow", default="items,messages,payload-in,payload-out,workers")
    parser.add_argument("--peers", default=",".join(peer.name for peer in PEERS), help="beside the plain loop and us")
    parser.add_argument("--reps", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="two sizes fewer of each")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    chosen = [peer for peer in PEERS if peer.name in options.peers.split(",") or peer.name.startswith(NOT_PEERS)]
    results: dict[str, dict[float, dict[str, float]]] = {}
    raw: dict[str, Any] = {}
    times_of: dict[str, dict[float, dict[str, list[float]]]] = {}
    loads: dict[str, dict[float, float]] = {}
    for case in cases(options.grow.split(","), options.quick):
        times = measure(chosen, case, options.reps)
        results.setdefault(case[0], {})[case[1]] = {name: statistics.median(each) for name, each in times.items()}
        times_of.setdefault(case[0], {})[case[1]] = times
        loads.setdefault(case[0], {})[case[1]] = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
        raw[f"{case[0]} {case[1]}"] = times
    for grown, sized in times_of.items():
        print(table(grown, sized, loads[grown]), end="\n\n")
    BUILD.mkdir(exist_ok=True)
    plot(results, BUILD / "peers.png")
    (BUILD / "peers.json").write_text(json.dumps(raw))


if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    main()
