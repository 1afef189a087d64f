"""Forty kinds of known work: what is run, and which findings are right and which absurd about it.

    with workloads.place() as here:
        for work in workloads.built(here):
            [work.function(item) for item in work.walk(work.items)]

Each is made afresh from its name, so that a benchmark can run one of them in a process of its own. A plain loop takes
some tenths of a second to a few seconds; `repeated` makes it longer. Nothing is random but by a fixed seed, and every
item gives the same result each time.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import hashlib
import io
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # as the functions of a notebook go to workers
SERVER = """
import socketserver, time
class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(64); time.sleep(0.005); self.request.sendall(b"x" * 2000)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads, request_queue_size = True, 128
server = Server(("127.0.0.1", 0), Answer)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Workload:
    """Known work.

    Attributes:
        function: One item to its result.
        items: The items.
        expected: Findings of which at least one must be there; () for any.
        absurd: Findings that must not be there.
        walk: What the loop walks, of the items: they themselves, a zip or a generator.
    """

    name: str
    function: Callable[[Any], Any]
    items: Sequence[Any]
    expected: tuple[str, ...] = ()
    absurd: tuple[str, ...] = ()
    walk: Callable[[Sequence[Any]], Iterable[Any]] = iter

    def repeated(self, times: int) -> Workload:
        """Return the same with its items so many times."""
        return replace(self, items=[*self.items] * times)


@dataclass(frozen=True)
class Place:
    """A folder for the files of workloads, and the port of a server that answers after five milliseconds."""

    folder: Path
    port: int


Made = tuple[Callable[[Any], Any], Sequence[Any]]
KINDS: dict[str, Callable[[Place], Workload]] = {}
"""What makes a workload, by its name."""
QUICK = (
    "python", "tiny", "straggler", "half waiting", "sockets", "numpy", "compression", "json", "dictionaries",
    "captured 10 MB", "small files", "sqlite",
)  # fmt: skip
"""Some of every sort, for development."""
COMPUTES = ("scales-well", "gil-bound", "startup-bound")
RELEASES = ("releases-gil",)
MOVES = ("transfer-bound",)
NOT_WAITING = ("waits",)
HOLDS = ("waits", "releases-gil")


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """Make a folder and start the server, for as long as the context lasts."""
    command = [sys.executable, "-I", "-S", "-c", SERVER]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            yield Place(Path(folder), int(server.stdout.readline()))
        finally:
            server.kill()
            server.communicate()


def built(here: Place, names: Sequence[str] = ()) -> Iterator[Workload]:
    """Yield the workloads of these names, or all of them.

    Raises:
        KeyError: There is no such workload.
    """
    if unknown := [name for name in names if name not in KINDS]:
        raise KeyError(f"no workload {unknown[0]!r}; there are {', '.join(KINDS)}")
    for name in names or KINDS:
        yield KINDS[name](here)


def kind(
    name: str, expected: tuple[str, ...] = (), absurd: tuple[str, ...] = (), walk: Callable[..., Iterable[Any]] = iter
) -> Callable[[Callable[[Place], Made]], Callable[[Place], Made]]:
    """Add what makes a function and its items under a name."""

    def add(make: Callable[[Place], Made]) -> Callable[[Place], Made]:
        def build(here: Place) -> Workload:
            function, items = make(here)
            return Workload(name, function, items, expected, absurd, walk)

        KINDS[name] = build
        return make

    return add


def count(steps: int) -> int:
    """Compute in pure Python."""
    total = 0
    for i in range(steps):
        total += i * i
    return total


# ---- pure Python


@kind("python", COMPUTES, HOLDS)
def _python(here: Place) -> Made:
    return count, [60_000] * 300


@kind("long", COMPUTES, HOLDS)
def _long(here: Place) -> Made:
    return count, [120_000] * 800


@kind("tiny", ("too-small",), ("gil-bound", "waits"))
def _tiny(here: Place) -> Made:
    return lambda x: x * x, list(range(50_000))


@kind("skewed", COMPUTES, HOLDS)
def _skewed(here: Place) -> Made:
    return count, [500 * i for i in range(240)]


@kind("few items", ("too-few-items", *COMPUTES), HOLDS)
def _few(here: Place) -> Made:
    return count, [5_000_000] * 3


@kind("seconds", ("too-few-items", "uneven-items", *COMPUTES), HOLDS)
def _seconds(here: Place) -> Made:
    return count, [40_000_000, 75_000_000, 25_000_000, 30_000_000, 55_000_000]


@kind("long among short", ("uneven-items", *COMPUTES), HOLDS)
def _long_among_short(here: Place) -> Made:
    return count, [6_000_000 if i % 100 == 30 else 20_000 for i in range(400)]


@kind("straggler", ("uneven-items", "gil-bound"), HOLDS)
def _straggler(here: Place) -> Made:
    return count, [*[80_000] * 150, 14_000_000]


@kind("zip", COMPUTES, HOLDS, walk=lambda items: zip(*zip(*items, strict=True), strict=True))
def _zip(here: Place) -> Made:
    return lambda pair: count(pair[0]) + pair[1], list(zip([50_000] * 300, range(300), strict=True))


def lines_of(items: Sequence[Any]) -> Iterator[Any]:
    """Yield items as a file yields lines: each when it is asked for."""
    yield from items


@kind("generator", COMPUTES, HOLDS, walk=lines_of)
def _generator(here: Place) -> Made:
    lines = "\n".join(f"{i},name {i},{i * 0.5},{'x' * (i % 30)}" for i in range(1500))

    def parse(number: int) -> float:
        return sum(float(row[2]) for row in csv.reader(io.StringIO(lines))) + number

    return parse, list(range(400))


# ---- waiting


def nap(x: int) -> int:
    """Wait ten milliseconds."""
    time.sleep(0.01)
    return x


@kind("sleep", ("waits",), ("gil-bound", "releases-gil"))
def _sleep(here: Place) -> Made:
    return nap, list(range(200))


@kind("uneven waits", ("waits",), ("gil-bound", "releases-gil"))
def _uneven_waits(here: Place) -> Made:
    def wait(milliseconds: int) -> int:
        time.sleep(milliseconds / 1000)
        return milliseconds

    chance = random.Random(4)
    return wait, [chance.randrange(1, 30) for _ in range(150)]


@kind("sockets", ("waits",), ("gil-bound", "releases-gil"))
def _sockets(here: Place) -> Made:
    port = here.port

    def ask(x: int) -> int:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"%d" % x)
            return len(line.recv(4096))

    return ask, list(range(200))


@kind("mixed", ("waits", "scales-well"), ("releases-gil",))
def _mixed(here: Place) -> Made:
    def mixed(x: int) -> int:
        time.sleep(0.004)
        return count(40_000) + x

    return mixed, list(range(150))


@kind("half waiting", ("waits", "scales-well", "gil-bound"), ("releases-gil",))
def _half_waiting(here: Place) -> Made:
    def both(x: int) -> int:
        time.sleep(0.006)
        return count(90_000) + x

    return both, list(range(150))


@kind("programs", ("waits", "scales-well"), ("gil-bound",))
def _programs(here: Place) -> Made:
    command = [sys.executable, "-I", "-S", "-c"]

    def ask(x: int) -> int:
        done = subprocess.run([*command, f"print({x} * 2)"], capture_output=True, check=True)
        return int(done.stdout)

    return ask, list(range(80))


# ---- native code


@kind("numpy", ("releases-gil", "scales-well"), ("gil-bound", *NOT_WAITING))
def _numpy(here: Place) -> Made:
    def waves(seed: int) -> float:
        x = np.random.default_rng(seed).random(400_000)
        return float(np.sqrt(np.sin(x) ** 2 + np.cos(x) ** 2).sum())

    return waves, list(range(100))


@kind("small arrays", ("too-small", *COMPUTES), NOT_WAITING)
def _small_arrays(here: Place) -> Made:
    rows = np.random.default_rng(2).random((8000, 400))
    return lambda row: float(np.sqrt(row).sum()), list(rows)


@kind("draws", (), NOT_WAITING)
def _draws(here: Place) -> Made:
    def inside(seed: int) -> int:
        x, y = np.random.default_rng(seed).random((2, 20_000))
        return int((x * x + y * y < 1).sum())

    return inside, list(range(2000))


@kind("fft", ("releases-gil", "scales-well"), ("gil-bound", *NOT_WAITING))
def _fft(here: Place) -> Made:
    signal = np.random.default_rng(3).random(2**17)
    return lambda shift: float(abs(np.fft.rfft(signal * shift)[3])), list(range(1, 150))


def trace(seed: int, size: int) -> float:
    """Multiply matrices of this size."""
    a = np.random.default_rng(seed).random((size, size))
    return float((a @ a).trace())


@kind("blas", ("oversubscribed",), ("gil-bound", *NOT_WAITING))
def _blas(here: Place) -> Made:
    return lambda seed: round(trace(seed, 500), 6), list(range(60))


@kind("blas middle", (), ("gil-bound", *NOT_WAITING))
def _blas_middle(here: Place) -> Made:
    return lambda seed: round(trace(seed, 180), 6), list(range(500))


@kind("blas digits", ("oversubscribed", "results-differ"), ("gil-bound", *NOT_WAITING))
def _blas_digits(here: Place) -> Made:
    return lambda seed: trace(seed, 500), list(range(60))


@kind("memory", ("memory-bound", "releases-gil", "scales-well"), ("gil-bound", *NOT_WAITING))
def _memory(here: Place) -> Made:
    table = np.ones(8_000_000)
    return lambda x: float((table[x:] * 2.0).sum()), list(range(24))


@kind("hashing", RELEASES, NOT_WAITING)
def _hashing(here: Place) -> Made:
    data = np.random.default_rng(5).bytes(1_500_000)
    return lambda x: hashlib.sha256(data + b"%d" % x).hexdigest(), list(range(300))


@kind("small hashes", ("too-small",), ("waits", "releases-gil"))
def _small_hashes(here: Place) -> Made:
    return lambda x: hashlib.sha256(b"%d" % x * 20).hexdigest(), list(range(60_000))


@kind("compression", RELEASES, ("gil-bound", *NOT_WAITING))
def _compression(here: Place) -> Made:
    text = " ".join(str(i * 7919 % 4999) for i in range(40_000)).encode()
    return lambda x: len(zlib.compress(text + b"%d" % x, 6)), list(range(120))


@kind("unpacking", RELEASES, ("gil-bound", *NOT_WAITING))
def _unpacking(here: Place) -> Made:
    packed = bz2.compress(" ".join(str(i * 7919 % 4999) for i in range(60_000)).encode())
    return lambda x: len(bz2.decompress(packed)) + x, list(range(100))


# ---- text and objects, which hold the GIL


@kind("json", COMPUTES, HOLDS)
def _json(here: Place) -> Made:
    document = json.dumps([{"id": i, "name": f"name {i}", "values": list(range(20))} for i in range(800)])
    return lambda x: len(json.loads(document)) + x, list(range(300))


@kind("regex", COMPUTES, HOLDS)
def _regex(here: Place) -> Made:
    text = "the quick brown fox 123 jumps over 4567 lazy dogs " * 400
    pattern = re.compile(r"(\w+)\s+(\d+)\s+(\w+)")
    return lambda x: len(pattern.findall(text)) + x, list(range(250))


@kind("sorting", COMPUTES, HOLDS)
def _sorting(here: Place) -> Made:
    def middle(seed: int) -> float:
        chance = random.Random(seed)
        return sorted(chance.random() for _ in range(30_000))[15_000]

    return middle, list(range(120))


@kind("decimals", COMPUTES, HOLDS)
def _decimals(here: Place) -> Made:
    def root(x: int) -> str:
        with localcontext() as context:
            context.prec = 60
            value = guess = Decimal(x + 2)
            for _ in range(4000):
                guess = (guess + value / guess) / 2
            return str(guess)

    return root, list(range(150))


# ---- much to send


@kind("big arguments", (*MOVES, "releases-gil", "too-small"), ("gil-bound", *NOT_WAITING))
def _big_arguments(here: Place) -> Made:
    return lambda a: float(np.sqrt(a).sum()), [np.full(400_000, float(i)) for i in range(80)]


@kind("big results", (*MOVES, "releases-gil"), NOT_WAITING)
def _big_results(here: Place) -> Made:
    return lambda i: np.full(400_000, float(i)) ** 1.5, list(range(80))


@kind("dictionaries", (*MOVES, "gil-bound"), HOLDS)
def _dictionaries(here: Place) -> Made:
    def table(x: int) -> dict[str, float]:
        return {f"key {i}": i * 0.5 + x for i in range(12_000)}

    return table, list(range(150))


@kind("big captured", COMPUTES, HOLDS)
def _big_captured(here: Place) -> Made:
    table = {i: float(i) for i in range(400_000)}

    def look_up(x: int) -> float:
        return sum(table[(x * 7919 + i) % 400_000] for i in range(40_000))

    return look_up, list(range(250))


@kind("captured 10 MB", COMPUTES, HOLDS)
def _captured(here: Place) -> Made:
    chance = random.Random(6)
    values = [chance.random() for _ in range(1_100_000)]

    def part(x: int) -> float:
        return sum(value * value for value in values[x * 1000 : x * 1000 + 60_000])

    return part, list(range(300))


# ---- files


@kind("files", (*COMPUTES, "too-small"), HOLDS)
def _files(here: Place) -> Made:
    words = re.compile(r"\w+")

    def read(path: str) -> int:
        return len(words.findall(Path(path).read_text(encoding="utf-8", errors="replace")))

    return read, sorted(str(path) for path in Path(os.__file__).parent.glob("*.py"))


@kind("small files", (*COMPUTES, "too-small"), HOLDS)
def _small_files(here: Place) -> Made:
    paths = []
    for i in range(600):
        path = here.folder / f"record {i}.json"
        path.write_text(json.dumps({"id": i, "rows": [{"x": k, "y": [k] * 8} for k in range(150)]}), encoding="utf-8")
        paths.append(str(path))

    def total(path: str) -> int:
        return sum(sum(row["y"]) for row in json.loads(Path(path).read_text(encoding="utf-8"))["rows"])

    return total, paths


@kind("sqlite", ("releases-gil", "scales-well"), ("gil-bound", *NOT_WAITING))
def _sqlite(here: Place) -> Made:
    path = str(here.folder / "numbers.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("create table if not exists numbers (k integer, v real)")
        base.execute("delete from numbers")
        base.executemany("insert into numbers values (?, ?)", [(i % 97, float(i)) for i in range(60_000)])

    def query(k: int) -> float:
        with contextlib.closing(sqlite3.connect(path)) as own:
            return float(own.execute("select sum(v) from numbers where k = ?", (k,)).fetchone()[0])

    return query, list(range(97)) * 3
