# ruff: noqa: SIM115
"""Examples of the types that the tables speak of."""

from __future__ import annotations

import array
import bz2
import calendar
import collections
import concurrent.futures
import contextlib
import contextvars
import csv
import datetime
import decimal
import difflib
import fractions
import functools
import hashlib
import hmac
import importlib
import io
import ipaddress
import itertools
import json
import logging
import lzma
import operator
import os
import pathlib
import pickle
import queue
import random
import re
import shelve
import statistics
import string
import struct
import tarfile
import tempfile
import textwrap
import threading
import types
import uuid
import xml.etree.ElementTree as ET
import zipfile
import zlib
import zoneinfo
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
import pandas as pd
import PIL.Image
import PIL.ImageDraw
import PIL.ImageEnhance
import PIL.ImageFont
import PIL.ImageStat

from tests.cells.effects.makers import (
    Colour,
    Flags,
    Maker,
    Pair,
    Program,
    axes,
    count_up,
    dated,
    done,
    failed,
    filled,
    frame,
    image,
    later,
    socketed,
    table,
    tarred,
    things_frame,
    tree,
    zipped,
)
from tests.cells.effects.pictures import Recorder, Sink, Thing


def scipy(module: str) -> Any:
    return importlib.import_module(f"scipy.{module}")


def sklearn(module: str) -> Any:
    return importlib.import_module(f"sklearn.{module}")


def fitted(model: Any) -> Any:
    return model.fit(np.array([[3.0, 1.0], [1.0, 2.0], [2.0, 5.0], [0.0, 3.0]]), np.array([0, 1, 0, 1]))


def shuffled() -> Any:
    return sklearn("model_selection").KFold(2, shuffle=True)


def graph(kind: str = "Graph") -> Any:
    made = getattr(importlib.import_module("networkx"), kind)()
    made.add_edge("a", "b", weight=1, notes=[1])
    made.add_edge("b", "c", weight=2)
    return made


def answered() -> Any:
    made = importlib.import_module("requests").Response()
    made._content, made.status_code, made.encoding = b"[1]", 200, "utf-8"
    return made


RECEIVERS: dict[str, tuple[Maker, ...]] = {
    "object": (object, Thing),
    "type": (lambda: Thing,),
    "str": (lambda: "a b,C", lambda: "{} {a}"),
    "bytes": (lambda: b"a b,C",),
    "int": (lambda: 6,),
    "float": (lambda: 1.5,),
    "complex": (lambda: 1 + 2j,),
    "NoneType": (lambda: None,),
    "ellipsis": (lambda: ...,),
    "NotImplementedType": (lambda: NotImplemented,),
    "range": (lambda: range(3),),
    "slice": (lambda: slice([1], 2, 3), lambda: slice(1, 2)),
    "list": (lambda: [3, 1, 2], lambda: [Thing(2), Thing(1)], lambda: [[1], [2]], lambda: ["a", [1]]),
    "tuple": (lambda: (3, 1), lambda: (Thing(), [1]), lambda: Pair([1], {})),
    "dict": (lambda: {"a": [1], "b": Thing()}, lambda: {0: [1], 1: [2]}),
    "set": (lambda: {1, 2}, lambda: {Thing(), Thing(2)}),
    "frozenset": (lambda: frozenset({1, 2}), lambda: frozenset({Thing()})),
    "bytearray": (lambda: bytearray(b"a b,C"),),
    "memoryview": (lambda: memoryview(bytearray(b"abcd")),),
    "dict_keys": (lambda: {"a": 1, (1, 2): Thing()}.keys(),),
    "dict_values": (lambda: {"a": [1]}.values(),),
    "dict_items": (lambda: {"a": (Thing(),)}.items(),),
    "generator": (count_up,),
    "coroutine": (later,),
    "list_iterator": (lambda: iter([[1], [2]]),),
    "tuple_iterator": (lambda: iter(([1], [2])),),
    "set_iterator": (lambda: iter({Thing()}),),
    "dict_keyiterator": (lambda: iter({"a": 1}),),
    "dict_valueiterator": (lambda: iter({"a": [1]}.values()),),
    "dict_itemiterator": (lambda: iter({"a": [1]}.items()),),
    "range_iterator": (lambda: iter(range(3)),),
    "list_reverseiterator": (lambda: reversed([[1], [2]]),),
    "enumerate": (lambda: enumerate([[1], [2]]),),
    "zip": (lambda: zip([[1], [2]], [3, 4], strict=False),),
    "reversed": (lambda: reversed(([1], [2])),),
    "map": (lambda: map(list, [[1], [2]]), lambda: map(Recorder(), [[1], [2]])),
    "filter": (lambda: filter(None, [[1], [2]]),),
    "BaseException": (failed,),
    "BaseExceptionGroup": (lambda: ExceptionGroup("x", [ValueError([1]), KeyError("k")]),),
    "OSError": (lambda: OSError(2, "x", "name"),),
    "StopIteration": (lambda: StopIteration([1]),),
    "KeyError": (lambda: KeyError("a"),),
    "types.SimpleNamespace": (lambda: types.SimpleNamespace(a=[1]),),
    "mappingproxy": (lambda: types.MappingProxyType({"a": [1]}),),
    "collections.deque": (lambda: collections.deque([3, 1]), lambda: collections.deque([Thing(), [1]])),
    "collections.defaultdict": (lambda: collections.defaultdict(list, a=[1]),),
    "collections.OrderedDict": (lambda: collections.OrderedDict(a=[1], b=[2]),),
    "collections.Counter": (lambda: collections.Counter("abca"), lambda: collections.Counter([(Thing(),)])),
    "collections.ChainMap": (lambda: collections.ChainMap({"a": [1]}, {"b": [2]}),),
    "collections.UserDict": (lambda: collections.UserDict(a=[1]),),
    "collections.UserList": (lambda: collections.UserList([[1], [2]]), lambda: collections.UserList([2, 1])),
    "collections.abc.Mapping": (lambda: collections.UserDict(a=[1]),),
    "collections.abc.MutableMapping": (lambda: collections.UserDict(a=[1]),),
    "queue.Queue": (lambda: filled(queue.Queue), lambda: filled(queue.LifoQueue)),
    "_queue.SimpleQueue": (lambda: filled(queue.SimpleQueue),),
    "array.array": (lambda: array.array("i", [3, 1, 2]), lambda: array.array("u", "abc")),
    "itertools.chain": (lambda: itertools.chain([[1]], [[2]]),),
    "itertools.count": (lambda: itertools.count(3),),
    "itertools.cycle": (lambda: itertools.cycle([[1], [2]]),),
    "itertools.islice": (lambda: itertools.islice([[1], [2]], 1),),
    "itertools.groupby": (lambda: itertools.groupby([[1], [2]]),),
    "itertools.product": (lambda: itertools.product([[1], [2]], [3]),),
    "itertools.starmap": (lambda: itertools.starmap(Pair, [([1], 2)]),),
    "itertools.accumulate": (lambda: itertools.accumulate([[1], [2]]),),
    "functools.partial": (lambda: functools.partial(Recorder(), [1]),),
    "functools._lru_cache_wrapper": (lambda: functools.lru_cache(count_up),),
    "operator.itemgetter": (lambda: operator.itemgetter(0), lambda: operator.itemgetter(0, 1)),
    "operator.attrgetter": (lambda: operator.attrgetter("notes"),),
    "operator.methodcaller": (lambda: operator.methodcaller("append", 3), lambda: operator.methodcaller("__iter__")),
    "statistics.NormalDist": (lambda: statistics.NormalDist(1, 2),),
    "decimal.Decimal": (lambda: decimal.Decimal("1.5"),),
    "decimal.Context": (decimal.Context,),
    "decimal.ContextManager": (decimal.localcontext,),
    "fractions.Fraction": (lambda: fractions.Fraction(1, 3),),
    "random.Random": (lambda: random.Random(1),),
    "random.SystemRandom": (random.SystemRandom,),
    "re.Pattern": (lambda: re.compile("(a)(?P<n>b)?"),),
    "re.Match": (lambda: re.search("(a)(?P<n>b)?", "ab a"),),
    "json.encoder.JSONEncoder": (json.JSONEncoder,),
    "json.decoder.JSONDecoder": (json.JSONDecoder,),
    "string.Template": (lambda: string.Template("$a"),),
    "string.Formatter": (string.Formatter,),
    "textwrap.TextWrapper": (textwrap.TextWrapper,),
    "csv.DictWriter": (lambda: csv.DictWriter(Sink(), ["a"]),),
    "csv.DictReader": (lambda: csv.DictReader(Sink("a,b\n1,2\n")),),
    "_csv.writer": (lambda: csv.writer(Sink()),),
    "_csv.reader": (lambda: csv.reader(iter(["a,b", "c"])),),
    "csv.Sniffer": (csv.Sniffer,),
    "difflib.SequenceMatcher": (lambda: difflib.SequenceMatcher(None, "abc", "abd"),),
    "difflib.Differ": (difflib.Differ,),
    "datetime.date": (lambda: datetime.date(2024, 1, 2),),
    "datetime.datetime": (lambda: datetime.datetime(2024, 1, 2),),
    "datetime.time": (lambda: datetime.time(1, 2),),
    "datetime.timedelta": (lambda: datetime.timedelta(1),),
    "datetime.tzinfo": (lambda: datetime.UTC,),
    "calendar.Calendar": (calendar.Calendar,),
    "zoneinfo.ZoneInfo": (lambda: zoneinfo.ZoneInfo("UTC"),),
    "uuid.UUID": (lambda: uuid.UUID(int=1),),
    "enum.Enum": (lambda: Colour.RED,),
    "enum.Flag": (lambda: Flags.READ,),
    "pickle.Pickler": (lambda: pickle.Pickler(io.BytesIO()), lambda: pickle._Pickler(io.BytesIO())),
    "pickle.Unpickler": (
        lambda: pickle.Unpickler(io.BytesIO(pickle.dumps([1]))),
        lambda: pickle._Unpickler(io.BytesIO(pickle.dumps([1]))),
    ),
    "_struct.Struct": (lambda: struct.Struct("i"),),
    "pathlib.PurePath": (lambda: pathlib.PurePath("dir/in.txt"),),
    "pathlib.Path": (
        lambda: pathlib.Path("there.txt"),
        lambda: pathlib.Path("dir"),
        lambda: pathlib.Path("new"),
        lambda: pathlib.Path("empty"),
    ),
    "os._Environ": (lambda: os.environ,),
    "os.DirEntry": (lambda: next(entry for entry in os.scandir() if entry.name == "there.txt"),),
    "os.stat_result": (lambda: os.stat("there.txt"),),
    "tempfile.TemporaryDirectory": (lambda: tempfile.TemporaryDirectory(dir="."),),
    "_io._IOBase": (
        lambda: open("there.txt"),
        lambda: open("there.txt", "rb"),
        lambda: open("there.txt", "r+b"),
        lambda: io.BytesIO(b"ab\nc"),
        lambda: io.StringIO("ab\nc"),
        lambda: open("there.txt", "r+"),
        lambda: io.FileIO("there.txt", "r+"),
        lambda: open("new", "wb"),
    ),
    "io.StringIO": (lambda: io.StringIO("ab\nc"),),
    "io.BytesIO": (lambda: io.BytesIO(b"ab\nc"),),
    "io.BufferedReader": (lambda: open("there.txt", "rb"),),
    "io.BufferedWriter": (lambda: open("new", "wb"),),
    "io.BufferedRandom": (lambda: open("there.txt", "r+b"),),
    "io.FileIO": (lambda: io.FileIO("there.txt"),),
    "tempfile._TemporaryFileWrapper": (lambda: tempfile.NamedTemporaryFile("w+"),),
    "io.TextIOWrapper": (lambda: open("there.txt"), lambda: io.TextIOWrapper(io.BytesIO(b"ab"))),
    "contextlib.ExitStack": (contextlib.ExitStack,),
    "contextlib.nullcontext": (lambda: contextlib.nullcontext([1]),),
    "contextlib.closing": (lambda: contextlib.closing(io.BytesIO()),),
    "contextlib.suppress": (lambda: contextlib.suppress(ValueError),),
    "_sre.SRE_Scanner": (lambda: re.compile("a").scanner("aa"),),  # type: ignore[attr-defined]
    "zlib.Compress": (zlib.compressobj,),
    "zlib.Decompress": (zlib.decompressobj,),
    "bz2.BZ2Compressor": (bz2.BZ2Compressor,),
    "bz2.BZ2Decompressor": (bz2.BZ2Decompressor,),
    "lzma.LZMACompressor": (lzma.LZMACompressor,),
    "lzma.LZMADecompressor": (lzma.LZMADecompressor,),
    "zipfile.ZipFile": (zipped, lambda: zipped("a")),
    "zipfile.ZipInfo": (lambda: zipfile.ZipInfo("a"),),
    "zipfile.ZipExtFile": (lambda: zipped().open("a.txt"),),
    "xml.etree.ElementTree.Element": (tree, lambda: ET.Element("a")),
    "xml.etree.ElementTree.ElementTree": (lambda: ET.ElementTree(tree()),),
    "tarfile.TarInfo": (lambda: tarfile.TarInfo("a"),),
    "tarfile.ExFileObject": (lambda: tarred().extractfile("there.txt"),),
    "tarfile.TarFile": (tarred, lambda: tarfile.open(fileobj=io.BytesIO(), mode="w")),
    "_hashlib.HASH": (lambda: hashlib.sha256(b"a"),),
    "_blake2.blake2b": (lambda: hashlib.blake2b(b"a"),),
    "_blake2.blake2s": (lambda: hashlib.blake2s(b"a"),),
    "hmac.HMAC": (lambda: hmac.new(b"k", b"a", "sha256"),),
    "shelve.Shelf": (
        lambda: shelve.Shelf({b"a": pickle.dumps([1])}),
        lambda: shelve.Shelf({b"a": pickle.dumps([1])}, writeback=True),
    ),
    "subprocess.Popen": (Program,),
    "concurrent.futures.Executor": (),
    "concurrent.futures.Future": (concurrent.futures.Future, done),
    "threading.Thread": (lambda: threading.Thread(target=count_up),),
    "_thread.lock": (threading.Lock,),
    "_thread.RLock": (threading.RLock,),
    "threading.Condition": (threading.Condition,),
    "threading.Semaphore": (threading.Semaphore,),
    "threading.Event": (threading.Event,),
    "threading.Barrier": (lambda: threading.Barrier(1),),
    "contextvars.ContextVar": (lambda: contextvars.ContextVar("a"),),
    "contextvars.Context": (contextvars.Context,),
    "socket.socket": (socketed,),
    "http.client.HTTPConnection": (),
    "http.client.HTTPResponse": (),
    "ipaddress.IPv4Address": (lambda: ipaddress.ip_address("1.2.3.4"),),
    "ipaddress.IPv6Address": (lambda: ipaddress.ip_address("::1"),),
    "ipaddress.IPv4Network": (lambda: ipaddress.ip_network("1.2.3.0/30"),),
    "ipaddress.IPv6Network": (lambda: ipaddress.ip_network("::/126"),),
    "logging.Logger": (lambda: logging.getLogger("tests.one"),),
    "logging.LoggerAdapter": (lambda: logging.LoggerAdapter(logging.getLogger("tests.one"), {}),),
    "logging.Handler": (lambda: logging.StreamHandler(Sink()),),
    "logging.StreamHandler": (lambda: logging.StreamHandler(Sink()),),
    "logging.Formatter": (logging.Formatter,),
    "sqlite3.Connection": (table,),
    "sqlite3.Cursor": (lambda: table().execute("select * from t"),),
    "sqlite3.Row": (lambda: table().execute("select * from t").fetchone(),),
    "numpy.ufunc": (lambda: np.add,),
    "numpy.ndarray": (
        lambda: np.array([3.0, 1.0, 2.0]),
        lambda: np.array([[1, 2], [3, 4]]),
        lambda: np.array([[1], None], dtype=object),
        lambda: np.array([True, False]),
        lambda: np.array(1.5),
    ),
    "numpy.generic": (lambda: np.float64(1.5), lambda: np.int64(3), lambda: np.bool_(True)),
    "numpy.void": (lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])[0],),
    "numpy.dtype": (lambda: np.dtype(float),),
    "numpy.flatiter": (lambda: np.array([[1, 2], [3, 4]]).flat,),
    "numpy.vectorize": (lambda: np.vectorize(Recorder()),),
    "numpy.matrix": (lambda: np.asmatrix(np.eye(2)),),
    "numpy.lib.npyio.NpzFile": (),
    "numpy.random.Generator": (lambda: np.random.default_rng(1),),
    "numpy.random.RandomState": (lambda: np.random.RandomState(1),),
    "numpy.random.BitGenerator": (lambda: np.random.PCG64(1),),
    "numpy.random.SeedSequence": (lambda: np.random.SeedSequence(1),),
    "pandas.core.generic.NDFrame": (lambda: frame()["b"], things_frame),
    "pandas.DataFrame": (frame, things_frame, lambda: frame().set_index("a", append=True)),
    "pandas.Series": (
        lambda: frame()["b"],
        dated,
        lambda: things_frame()["a"],
        lambda: pd.Series(["x", "y"]),
        lambda: pd.Series(["x"], dtype="category"),
        lambda: pd.Series([2.5]),
        lambda: frame().set_index("a", append=True)["b"],
    ),
    "pandas.Index": (
        lambda: pd.Index([3, 1, 2]),
        lambda: pd.Index(["x", "y"]),
        lambda: pd.date_range("2024-01-01", periods=3),
    ),
    "pandas.core.groupby.groupby.BaseGroupBy": (lambda: frame().groupby("a"),),
    "pandas.core.groupby.groupby.GroupBy": (
        lambda: frame().groupby("a"),
        lambda: frame().groupby("a")["b"],
        lambda: dated().groupby(lambda day: day.day % 2),
    ),
    "pandas.core.groupby.generic.DataFrameGroupBy": (lambda: frame().groupby("a"),),
    "pandas.core.groupby.generic.SeriesGroupBy": (lambda: frame().groupby("a")["b"],),
    "pandas.core.window.rolling.BaseWindow": (
        lambda: frame().rolling(2),
        lambda: frame()["b"].expanding(),
        lambda: frame().ewm(1),
    ),
    "pandas.core.resample.Resampler": (lambda: dated().resample("2D"),),
    "pandas.core.strings.accessor.StringMethods": (lambda: pd.Series(["ab", "c d"]).str,),
    "pandas.core.indexes.accessors.Properties": (lambda: pd.Series(pd.date_range("2024-01-01", periods=3)).dt,),
    "pandas.core.arrays.categorical.CategoricalAccessor": (lambda: pd.Series(["x", "y"], dtype="category").cat,),
    "pandas._libs.indexing.NDFrameIndexerBase": (
        lambda: frame().loc,
        lambda: frame().iloc,
        lambda: frame().at,
        lambda: things_frame().loc,
    ),
    "pandas.api.extensions.ExtensionArray": (lambda: pd.array([1, 2, None]), lambda: pd.Categorical(["x", "y"])),
    "pandas.Timestamp": (lambda: pd.Timestamp("2024-01-02"),),
    "pandas.Timedelta": (lambda: pd.Timedelta("1D"),),
    "pandas.Period": (lambda: pd.Period("2024-01"),),
    "pandas.Interval": (lambda: pd.Interval(0, 1),),
    "pandas.ExcelWriter": (),
    "pandas.ExcelFile": (),
    "matplotlib.artist.Artist": (lambda: axes().plot([1, 2])[0], axes),
    "matplotlib.figure.Figure": (matplotlib.figure.Figure, lambda: axes().figure),
    "matplotlib.axes.Axes": (axes,),
    "matplotlib.backend_bases.FigureCanvasBase": (lambda: axes().figure.canvas,),
    "matplotlib.colors.Normalize": (lambda: matplotlib.colors.Normalize(),),
    "matplotlib.colors.Colormap": (lambda: matplotlib.colors.ListedColormap(["r", "g"]),),
    "matplotlib.RcParams": (lambda: matplotlib.rcParams,),
    "PIL.Image.Image": (
        image,
        lambda: PIL.Image.new("L", (4, 3)),
        lambda: PIL.Image.new("P", (4, 3)),
        lambda: PIL.Image.new("RGBA", (4, 3)),
    ),
    "PIL.ImageDraw.ImageDraw": (lambda: PIL.ImageDraw.Draw(image()),),
    "PIL.ImageEnhance._Enhance": (lambda: PIL.ImageEnhance.Color(image()),),
    "PIL.ImageStat.Stat": (lambda: PIL.ImageStat.Stat(image()),),
    "PIL.ImageFont.FreeTypeFont": (lambda: PIL.ImageFont.load_default(10),),
    "scipy.stats._distn_infrastructure.rv_generic": (lambda: scipy("stats").norm, lambda: scipy("stats").poisson),
    "scipy.stats._distn_infrastructure.rv_frozen": (
        lambda: scipy("stats").norm(1, 2),
        lambda: scipy("stats").poisson(2),
    ),
    "scipy.stats._multivariate.multi_rv_generic": (
        lambda: scipy("stats").multivariate_normal,
        lambda: scipy("stats").dirichlet,
    ),
    "scipy.stats._multivariate.multi_rv_frozen": (lambda: scipy("stats").multivariate_normal([0, 1]),),
    "scipy.stats._qmc.QMCEngine": (lambda: scipy("stats.qmc").Halton(1),),
    "scipy.stats.gaussian_kde": (lambda: scipy("stats").gaussian_kde([1.0, 2.0, 4.0]),),
    "scipy.integrate._ivp.base.OdeSolver": (lambda: scipy("integrate").RK45(lambda t, y: y, 0, [1.0], 1),),
    "scipy.interpolate._polyint._Interpolator1D": (
        lambda: scipy("interpolate").interp1d([1, 2], [3, 4], bounds_error=False),
    ),
    "scipy.interpolate.PPoly": (lambda: scipy("interpolate").CubicSpline([1, 2, 4], [3.0, 1.0, 4.0]),),
    "scipy.interpolate.BSpline": (lambda: scipy("interpolate").make_interp_spline([1, 2, 4, 5], [3.0, 1.0, 4.0, 2.0]),),
    "scipy.interpolate.UnivariateSpline": (
        lambda: scipy("interpolate").UnivariateSpline([1, 2, 3, 4, 5], [3.0, 1, 4, 2, 1]),
    ),
    "scipy.interpolate.RegularGridInterpolator": (
        lambda: scipy("interpolate").RegularGridInterpolator((np.arange(3.0),), np.arange(3.0), bounds_error=False),
    ),
    "scipy.interpolate.RBFInterpolator": (
        lambda: scipy("interpolate").RBFInterpolator(np.array([[0.0], [1], [2]]), [1.0, 2, 3]),
    ),
    "scipy.spatial.KDTree": (lambda: scipy("spatial").KDTree(np.array([[4.0, 1.0], [1.0, 3.0]])),),
    "scipy.spatial.cKDTree": (lambda: scipy("spatial").cKDTree(np.array([[4.0, 1.0], [1.0, 3.0]])),),
    "scipy.spatial.ConvexHull": (lambda: scipy("spatial").ConvexHull([[0, 0], [0, 1], [1, 0]], incremental=True),),
    "scipy.spatial.Delaunay": (lambda: scipy("spatial").Delaunay([[0, 0], [0, 1], [1, 0], [1, 1]]),),
    "scipy.sparse._base._spbase": (
        lambda: scipy("sparse").csr_matrix(np.eye(2)),
        lambda: scipy("sparse").lil_matrix(np.eye(2)),
        lambda: scipy("sparse").coo_array(np.eye(2)),
    ),
    "sklearn.base.BaseEstimator": (
        lambda: fitted(sklearn("linear_model").LogisticRegression()),
        lambda: fitted(sklearn("neighbors").KNeighborsClassifier(1)),
        lambda: fitted(sklearn("ensemble").RandomForestClassifier(3)),
        lambda: fitted(sklearn("cluster").KMeans(2, n_init=1)),
        lambda: fitted(sklearn("preprocessing").StandardScaler()),
        lambda: fitted(sklearn("decomposition").PCA(1)),
        lambda: fitted(sklearn("linear_model").SGDClassifier(max_iter=3)),
        lambda: fitted(sklearn("mixture").GaussianMixture(1)),
        lambda: fitted(sklearn("tree").DecisionTreeClassifier()),
        lambda: fitted(sklearn("feature_selection").SelectKBest(k=1)),
        lambda: fitted(sklearn("neighbors").KernelDensity()),
        lambda: fitted(sklearn("ensemble").GradientBoostingClassifier(n_estimators=2)),
        lambda: sklearn("feature_extraction.text").CountVectorizer(),
    ),
    "sklearn.pipeline.Pipeline": (lambda: fitted(sklearn("pipeline").make_pipeline(sklearn("svm").SVC())),),
    "sklearn.model_selection.BaseCrossValidator": (lambda: sklearn("model_selection").KFold(2), lambda: shuffled()),
    "sklearn.model_selection.BaseShuffleSplit": (lambda: sklearn("model_selection").ShuffleSplit(2),),
    "sklearn.utils.Bunch": (lambda: sklearn("utils").Bunch(a=[1]),),
    "networkx.Graph": (graph,),
    "networkx.DiGraph": (lambda: graph("DiGraph"),),
    "networkx.MultiGraph": (lambda: graph("MultiGraph"),),
    "networkx.classes.reportviews.NodeView": (lambda: graph().nodes,),
    "requests.Session": (lambda: importlib.import_module("requests").Session(),),
    "requests.Response": (answered,),
}
"""Examples of each type: where there is none, the entries of its table are called by `calls.txt` alone, or not."""
