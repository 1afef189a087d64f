"""Examples of the types that the tables speak of, and of the arguments that their methods take."""

from __future__ import annotations

import builtins
import collections
import concurrent.futures
import contextlib
import contextvars
import dataclasses
import datetime
import decimal
import enum
import importlib
import io
import json
import logging
import os
import pathlib
import queue
import socket
import sqlite3
import subprocess
import tarfile
import types
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from typing import Any, Literal

import matplotlib
import matplotlib.figure
import numpy as np
import pandas as pd
import PIL.Image
import PIL.ImageDraw
import PIL.ImageEnhance
import PIL.ImageFont
import PIL.ImageStat

from tests.cells.effects.pictures import Recorder, Sink, Thing

matplotlib.use("agg")
Maker = Callable[[], Any]


class Colour(enum.Enum):
    RED = 1


class Flags(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: Any
    y: int = 2


Pair = collections.namedtuple("Pair", "a b")


def count_up() -> Any:
    yield [1]
    yield [2]


async def later() -> int:
    return 1


async def laters() -> Any:
    yield [1]


def catching() -> Any:
    """Return a generator that goes on after an error."""

    def inner() -> Any:
        with contextlib.suppress(ValueError):
            yield [1]
        yield [2]

    made = inner()
    next(made)
    return made


@types.coroutine
def pausing() -> Any:
    yield [1]


def catching_later() -> Any:
    """Return a coroutine that goes on after an error."""

    async def inner() -> None:
        with contextlib.suppress(ValueError):
            await pausing()
        await pausing()

    made = inner()
    made.send(None)
    return made


def failed() -> BaseException:
    try:
        raise ValueError([Thing()])
    except ValueError as error:
        return error


def table() -> Any:
    conn = sqlite3.connect(":memory:", check_same_thread=False)
    conn.execute("create table t (a int, b text)")
    conn.execute("insert into t values (1, 'x'), (2, 'y')")
    conn.commit()
    conn.row_factory = sqlite3.Row
    return conn


def frame() -> Any:
    return pd.DataFrame({"a": [3, 1, 2], "b": [1.5, 2.5, 0.5], "c": [0.0, 4.0, 1.0]})


def dated() -> Any:
    return pd.Series([1.0, 2.0, 3.0, 4.0], index=pd.date_range("2024-01-01", periods=4))


def things_frame() -> Any:
    return pd.DataFrame({"a": [Thing(1), Thing(2)], "b": [1, 2]})


def zipped(mode: Literal["r", "a"] = "r") -> Any:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("a.txt", "text")
    return zipfile.ZipFile(held, mode)


CHILD = ET.Element("d")


def tree(*children: ET.Element) -> ET.Element:
    made = ET.fromstring('<a x="1"><b>text</b><c/></a>')
    made.extend(children)
    return made


def tarred() -> Any:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as made:
        made.add("there.txt")
    held.seek(0)
    return tarfile.open(fileobj=held)


def axes() -> Any:
    return matplotlib.figure.Figure().add_subplot()


def saved_image() -> str:
    image().save("new.png")
    return "new.png"


def image() -> Any:
    return PIL.Image.new("RGB", (4, 3), "red")


def linked() -> pathlib.Path:
    path = pathlib.Path("link")
    if not path.is_symlink():
        path.symlink_to("there.txt")
    return path


def opened() -> int:
    """Return the number of an open file that is not seen again, so that it is not closed by anybody else."""
    number = os.open("there.txt", os.O_RDWR)
    NUMBERS.append(number)
    return number


NUMBERS: list[int] = []
"""Open files by their numbers, closed when a table is done."""


def zip_file() -> str:
    with zipfile.ZipFile("new.zip", "w") as made:
        made.writestr("a.txt", "text")
    return "new.zip"


class Encoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return [o]


def pool() -> Any:
    made = concurrent.futures.ThreadPoolExecutor(1)
    KEPT.append(made)
    return made


def done() -> Any:
    future: Any = concurrent.futures.Future()
    future.set_result([1])
    return future


def taken(lock: Any) -> Any:
    lock.acquire()
    return lock


class Program(subprocess.Popen[bytes]):
    """A program that ends at once."""

    def __init__(self) -> None:
        super().__init__(["true"])
        self.wait()


def record() -> logging.LogRecord:
    return logging.LogRecord("n", logging.INFO, "p", 1, "text", (), None)


def socketed() -> Any:
    one, _other = socket.socketpair()
    _other.sendall(b"hello")
    KEPT.append(_other)
    one.settimeout(1)
    return one


KEPT: collections.deque[Any] = collections.deque(maxlen=4)


VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("tests")


def bound() -> Any:
    made = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("new.socket")
    made.bind("new.socket")
    return made


def npy_bytes() -> bytes:
    held = io.BytesIO()
    np.save(held, np.eye(2))
    return held.getvalue()


def npz_file() -> str:
    np.savez("new.npz", a=np.eye(2))
    return "new.npz"


def npz() -> Any:
    held = io.BytesIO()
    np.savez(held, a=np.eye(2))
    held.seek(0)
    return np.load(held)


def pickled_frame() -> str:
    frame().to_pickle("new.pickle")
    return "new.pickle"


def filled(kind: type) -> Any:
    made = kind()
    made.put(Pair([1], 2) if kind is queue.PriorityQueue else [1])
    return made


PLAIN: tuple[Maker, ...] = (
    *(lambda: [Thing(2), Thing(1)], lambda: 1, lambda: "a", lambda: Recorder(), lambda: Thing(), lambda: 0),
    *(
        lambda: {"a": [1]},
        lambda: iter([[1], [2]]),
        lambda: (0, 2),
        lambda: b"a",
        lambda: [3, 1, 2],
        lambda: slice(0, 1),
    ),
    *(
        lambda: {1, 2},
        lambda: io.BytesIO(b"ab"),
        lambda: ["a", "b"],
        lambda: bytearray(b"abcdefgh"),
        lambda: 1.5,
        lambda: Sink("ab\n"),
    ),
    *(
        lambda: [("a", [1])],
        lambda: Thing,
        lambda: "i",
        lambda: None,
        lambda: decimal.Decimal(2),
        lambda: datetime.date(2024, 1, 2),
    ),
)
FILES: tuple[Maker, ...] = (
    lambda: "there.txt",
    lambda: "new.txt",
    lambda: "dir",
    lambda: "empty",
    lambda: 0o644,
    lambda: "other.txt",
    *PLAIN[:4],
)
NUMPY: tuple[Maker, ...] = (
    *(
        lambda: np.array([3.0, 1.0, 2.0]),
        lambda: np.array([[4.0, 1.0], [1.0, 3.0]]),
        lambda: 1,
        lambda: np.array([1, 0]),
        lambda: (2, 2),
    ),
    *(
        lambda: np.array([Thing(2), Thing(1)], dtype=object),
        lambda: np.array([True, False, True]),
        lambda: 1.5,
        lambda: "a",
        lambda: float,
    ),
    *(
        lambda: 0,
        lambda: [1, 2],
        lambda: [np.array([1.0, 2.0]), np.array([3.0, 4.0])],
        lambda: Recorder(),
        lambda: [Thing(2), Thing(1)],
    ),
    *(
        lambda: io.BytesIO(b"1 2"),
        lambda: iter([1, 2]),
        lambda: None,
        lambda: "new.npy",
        lambda: np.array("2024-01-02", dtype="datetime64[D]"),
    ),
)
PANDAS: tuple[Maker, ...] = (
    *(
        frame,
        lambda: frame()["b"],
        lambda: 1,
        lambda: "a",
        lambda: Recorder(),
        lambda: ["b"],
        lambda: 0,
        lambda: {"a": "x"},
        things_frame,
    ),
    *(
        lambda: np.array([True, False, True]),
        lambda: "2D",
        lambda: [frame(), frame()],
        lambda: "sum",
        dated,
        lambda: slice(0, 1),
        lambda: np.array([1.0, 2.0, 3.0]),
    ),
    *(
        lambda: ("a", 1),
        lambda: "UTC",
        lambda: 1.5,
        lambda: Sink("a,b\n1,2\n"),
        lambda: [0, 1],
        lambda: "new.csv",
        lambda: "10:00",
        lambda: Recorder(2),
        lambda: pd.Timestamp("2024-01-02"),
    ),
)
IMAGES: tuple[Maker, ...] = (
    *(
        image,
        lambda: (2, 2),
        lambda: 1,
        lambda: "L",
        lambda: (0, 0, 2, 2),
        lambda: "red",
        lambda: 0,
        lambda: Recorder(1),
        lambda: [1, 2, 3] * 4,
        lambda: np.zeros((3, 4), dtype=np.uint8),
    ),
    *(
        lambda: PIL.Image.new("L", (4, 3)),
        lambda: "RGB",
        lambda: [(1, 1), (2, 2)],
        lambda: "text",
        lambda: io.BytesIO(),
        lambda: "new.png",
        lambda: b"abc" * 12,
    ),
)
PLOTS: tuple[Maker, ...] = (
    lambda: [1, 2, 3],
    lambda: [2, 1, 3],
    lambda: 0.5,
    lambda: "a",
    lambda: np.array([[1.0, 2.0], [3.0, 4.0]]),
    lambda: (0, 1),
    lambda: io.BytesIO(),
    lambda: True,
)
GRAPHS: tuple[Maker, ...] = (
    lambda: receivers().graph(),
    lambda: "a",
    lambda: "b",
    lambda: 2,
    lambda: receivers().graph("DiGraph"),
    lambda: ["a", "b"],
    lambda: {"a": [1], "b": 2},
    lambda: [("a", "c"), ("c", "d")],
    lambda: 0.5,
    lambda: iter(["a", "b"]),
)
LEARNING: tuple[Maker, ...] = (
    lambda: np.array([[3.0, 1.0], [1.0, 2.0], [2.0, 5.0], [0.0, 3.0]]),
    lambda: np.array([0, 1, 0, 1]),
    lambda: receivers().fitted(receivers().sklearn("linear_model").LogisticRegression()),
    lambda: 2,
    lambda: receivers().fitted(receivers().sklearn("tree").DecisionTreeClassifier()),
    lambda: ["a b", "b c", "c a", "a d"],
    lambda: 1,
    lambda: "l2",
    lambda: {"verbose": [0]},
    lambda: Recorder(1.0),
)


def receivers() -> Any:
    """Return the module of receivers, which needs this one."""
    return importlib.import_module("tests.cells.effects.receivers")


POOLS: dict[str, tuple[Maker, ...]] = {
    **{
        "os": FILES,
        "pathlib": FILES,
        "numpy": NUMPY,
        "pandas": PANDAS,
        "pil": IMAGES,
        "matplotlib": PLOTS,
        "scipy": NUMPY,
        "sklearn": LEARNING,
        "networkx": GRAPHS,
    },
}
KEYWORDS: dict[str, tuple[Maker, ...]] = {
    **{
        "key": (lambda: Recorder(1),),
        "inplace": (lambda: True,),
        "copy": (lambda: False,),
        "overwrite_a": (lambda: True,),
        "overwrite_x": (lambda: True,),
    },
    **{
        "random_state": (lambda: np.random.RandomState(1),),
        "default": (lambda: [5],),
        "file": (Sink,),
        "initial": (lambda: [1],),
        "func": (lambda: Recorder(1),),
    },
    **{"buf": (Sink,), "overwrite_b": (lambda: True,), "overwrite_input": (lambda: True,)},
}


class Names(dict[str, Any]):
    """The names of the expressions of `calls.txt`: those of this module, and modules as they are called."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        return importlib.import_module(name)
