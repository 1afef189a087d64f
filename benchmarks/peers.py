"""What a parallel map costs as it grows: concompare and its peers on the same work, interleaved in one run.

    python benchmarks/peers.py [--grow items,payload-in,payload-out,workers] [--peers loky,mpire] [--reps 5] [--quick]

Three things grow: the number of trivial items (10 to 10⁶), the bytes of an argument or a result (1 B to 256 MB, in four
items) and the number of workers on sleeping items (1 to 64). Every repetition runs every peer once in shuffled order on
a warm pool; printed are the medians and the ratio to the fastest peer (the plain loop and we are not counted among
them). The table is printed, the plot written to build/peers.png, the raw values to build/peers.json.
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
    return max(1, len(items) // (4 * workers))


def plain_loop(workers: int) -> tuple[Map, Callable[[], Any]]:
    return lambda f, xs: [f(x) for x in xs], lambda: None


def thread_pool(workers: int) -> tuple[Map, Callable[[], Any]]:
    pool = ThreadPoolExecutor(workers)
    return lambda f, xs: list(pool.map(f, xs)), pool.shutdown


def process_pool(workers: int) -> tuple[Map, Callable[[], Any]]:
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
    return lambda f, xs: list(pool.map(f, xs, chunksize=chunk(xs, workers))), pool.shutdown


def mp_pool(workers: int) -> tuple[Map, Callable[[], Any]]:
    pool = multiprocessing.get_context("fork").Pool(workers)
    return lambda f, xs: pool.map(f, xs), pool.terminate


def loky(workers: int) -> tuple[Map, Callable[[], Any]]:
    from loky import ProcessPoolExecutor as Loky

    pool = Loky(workers)
    return lambda f, xs: list(pool.map(f, xs, chunksize=chunk(xs, workers))), pool.shutdown


def joblib(workers: int) -> tuple[Map, Callable[[], Any]]:
    from joblib import Parallel, delayed

    return lambda f, xs: Parallel(n_jobs=workers)(delayed(f)(x) for x in xs), lambda: None


def mpire(workers: int) -> tuple[Map, Callable[[], Any]]:
    from mpire.pool import WorkerPool

    pool = WorkerPool(workers, keep_alive=True, start_method="fork")
    return (
        lambda f, xs: pool.map(f, ((x,) for x in xs), iterable_len=len(xs), concatenate_numpy_output=False),
        pool.terminate,
    )


def pathos(workers: int) -> tuple[Map, Callable[[], Any]]:
    from pathos.multiprocessing import ProcessPool

    pool = ProcessPool(workers)

    def close() -> None:
        pool.close()
        pool.join()
        pool.clear()

    return lambda f, xs: pool.map(f, xs), close


def ours(backend: str) -> Callable[[int], tuple[Map, Callable[[], Any]]]:
    def open_it(workers: int) -> tuple[Map, Callable[[], Any]]:
        import concompare
        from concompare import engine

        if backend == "auto":
            return lambda f, xs: concompare.map(f, xs), engine.close_pools
        return lambda f, xs: concompare.map(f, xs, backend=backend, workers=workers), engine.close_pools

    return open_it


PEERS = [
    Peer("plain loop", plain_loop),
    Peer("threads", thread_pool),
    Peer("fork pool", process_pool),
    Peer("mp.Pool", mp_pool),
    Peer("joblib", joblib),
    Peer("loky", loky),
    Peer("mpire", mpire),
    Peer("pathos", pathos),
    *(Peer(f"concompare {name}", ours(name)) for name in ("threads", "processes", "auto")),
]
NOT_PEERS = ("plain loop", "concompare")


# --------------------------------------------------------------------------------------------------------- measuring

TOO_LONG = 10.0
"""Seconds of one map beyond which a peer is not repeated on that case."""


def measure(peers: list[Peer], case: tuple[str, float, int, Any, list[Any]], reps: int) -> dict[str, list[float]]:
    """Return the seconds of every peer on one case, its pool warm, repetitions interleaved."""
    _, _, workers, function, items = case
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


def table(grown: str, rows: dict[float, dict[str, float]]) -> str:
    """Return one table: sizes down, peers across, median seconds and the ratio to the fastest peer."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [f"{grown:>12}" + "".join(f"{name:>24}" for name in names)]
    for size, row in rows.items():
        best = min((value for name, value in row.items() if not name.startswith(NOT_PEERS)), default=math.nan)
        cells = [f"{row[name]:14.5f} {row[name] / best:8.2f}x" if name in row else f"{'–':>24}" for name in names]
        lines.append(f"{size:>12.0f}" + "".join(cells))
    return "\n".join(lines)


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
    parser.add_argument("--grow", default="items,payload-in,payload-out,workers")
    parser.add_argument("--peers", default=",".join(peer.name for peer in PEERS), help="beside the plain loop and us")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two sizes fewer of each")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    chosen = [
        peer for peer in PEERS if peer.name in options.peers.split(",") or peer.name.startswith(("plain", "concompare"))
    ]
    results: dict[str, dict[float, dict[str, float]]] = {}
    raw: dict[str, Any] = {}
    for case in cases(options.grow.split(","), options.quick):
        times = measure(chosen, case, options.reps)
        results.setdefault(case[0], {})[case[1]] = {name: statistics.median(each) for name, each in times.items()}
        raw[f"{case[0]} {case[1]}"] = times
    for grown, rows in results.items():
        print(table(grown, rows), end="\n\n")
    BUILD.mkdir(exist_ok=True)
    plot(results, BUILD / "peers.png")
    (BUILD / "peers.json").write_text(json.dumps(raw))


if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    main()
