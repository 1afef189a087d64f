"""Decide which objects can be handed from a worker to the notebook."""

from __future__ import annotations

import io
import types

from concompare.cells.objects import Obj, Origin

# what only the process that made it can use, by the names of its type
UNSENDABLE = frozenset([
    *("re.Match", "_thread.lock", "_thread.RLock", "threading.Event", "threading.Condition", "threading.Semaphore"),
    *("threading.BoundedSemaphore", "threading.Barrier", "threading.Thread", "threading.Timer", "_thread._local"),
    *("sqlite3.Connection", "sqlite3.Cursor", "sqlite3.Blob", "sqlite3.Row", "socket.socket", "ssl.SSLSocket"),
    *("subprocess.Popen", "_csv.reader", "_csv.writer", "csv.DictReader", "csv.DictWriter", "mmap.mmap"),
    *("builtins.memoryview", "builtins.callable_iterator", "zipfile.ZipFile", "tarfile.TarFile", "queue.Queue"),
    *("http.client.HTTPConnection", "http.client.HTTPSConnection", "_asyncio.Task", "_asyncio.Future"),
    *("_hashlib.HASH", "_hashlib.HASHXOF", "_blake2.blake2b", "_blake2.blake2s", "hmac.HMAC", "zlib.Compress"),
    *("zlib.Decompress", "_bz2.BZ2Compressor", "_bz2.BZ2Decompressor", "_lzma.LZMACompressor"),
    *("_lzma.LZMADecompressor", "concurrent.futures.thread.ThreadPoolExecutor", "logging.Handler"),
    *("codecs.StreamReader", "codecs.StreamWriter", "codecs.StreamReaderWriter", "numpy.errstate"),
    *("_sre.SRE_Scanner", "decimal.ContextManager"),
])  # fmt: skip
FILES = frozenset({io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO})
FILE_NAMES = frozenset({
    *("tempfile._TemporaryFileWrapper", "gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile", "zipfile.ZipExtFile"),
})  # fmt: skip
"""The types of other files, by their names."""
PICKLING = frozenset({"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__"})
"""Methods by which a class says itself how its objects are handed over."""
BOUND_TO_THREADS = frozenset({"sqlite3.Connection", "sqlite3.Cursor", "sqlite3.Blob", "_thread._local"})
UNCROSSABLE = FILES | frozenset({
    types.GeneratorType, map, filter, zip, enumerate, reversed,
})  # fmt: skip
NOT_GIVEN_BACK = "makes an iterator or an open file, which no worker can give back"


def is_uncrossable(obj: Obj) -> bool:
    """Tell whether an object that the iteration made can only be used where it was made."""
    if obj.outer or obj.origin is Origin.FUNCTION:
        return False
    kinds = obj.types or ()
    return obj.lazy is not None or any(map(is_of_its_process, kinds))


def is_of_its_process(kind: type) -> bool:
    """Tell whether only the process that made an object of a type can use it: what a base of it says, or it itself."""
    for base in kind.__mro__:
        if base in UNCROSSABLE or name_of(base) in UNSENDABLE | FILE_NAMES:
            return True
        if base is not object and not PICKLING.isdisjoint(vars(base)):
            return False
    return False


def is_file(kind: type) -> bool:
    """Tell whether a type is that of files."""
    return kind in FILES or name_of(kind) in FILE_NAMES


def name_of(kind: type) -> str:
    """Return the dotted name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_bound_to_thread(obj: Obj) -> bool:
    """Tell whether only the thread that made an object can use it, or find in it what it has put there."""
    if obj.outer or obj.origin is Origin.FUNCTION or obj.made_with.get("check_same_thread", True) is False:
        return False
    return any(name_of(kind) in BOUND_TO_THREADS for kind in obj.types or ())
