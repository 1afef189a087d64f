"""What is known of the standard names: which builtins, methods and module functions change what they are given."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import functools
import pathlib
import re
import sys
import types
from typing import Any


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


ATOMS = (
    *(str, bytes, int, float, complex, bool, type(None), range, type(Ellipsis), slice, re.Pattern, re.Match),
    *(pathlib.PurePath, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, fractions.Fraction),
    types.ModuleType,
)
"""Types whose values nobody can change (a tuple or frozenset of these neither)."""

PURE_BUILTINS = frozenset(
    words("""
    abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod enumerate filter
    float format frozenset getattr hasattr hash hex id int isinstance issubclass len list map max memoryview
    min object oct open ord pow property range repr reversed round set slice sorted staticmethod str sum super
    tuple type zip iter print next setattr delattr aiter anext
    """)
)
FRESH_BUILTINS = frozenset(
    words("""
    abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter float format
    frozenset hasattr hash hex id int isinstance issubclass len list map object oct open ord pow
    range repr reversed round set slice sorted str sum tuple type zip
    """)
)
"""Builtins that return a new object; what is inside may be what they were given."""

ATOMIC_BUILTINS = frozenset(
    words("""
    abs all any ascii bin bool bytes callable chr complex float format hasattr hash hex id int isinstance
    issubclass len oct ord pow range repr round str open
    """)
)
"""Builtins whose result holds nothing of what they were given."""

FORBIDDEN = {
    "input": "asks for input",
    "exec": "runs code that cannot be seen",
    "eval": "runs code that cannot be seen",
    "compile": "compiles code that cannot be seen",
    "globals": "reaches every name of the notebook",
    "locals": "depends on where it is called",
    "vars": "depends on where it is called",
    "dir": "depends on where it is called",
    "breakpoint": "stops for the debugger",
    "exit": "ends the kernel",
    "quit": "ends the kernel",
    "__import__": "imports what cannot be seen",
    "get_ipython": "reaches the notebook itself",
}
CHEAP = frozenset(
    words("""
    abs bool bytes chr dict enumerate float frozenset getattr hasattr hash id int isinstance issubclass iter
    len list max min object ord print range repr reversed round set slice str tuple type zip next
    """)
)
"""Builtins that are no work worth a worker."""

MUTATORS = frozenset(
    words("""
    append extend insert remove pop clear sort reverse add discard update setdefault popitem appendleft
    popleft extendleft rotate subtract move_to_end intersection_update difference_update
    symmetric_difference_update write writelines read readline readlines readinto seek send throw close put
    put_nowait get_nowait fill resize itemset partition setflags setfield fit partial_fit fit_transform
    set_params execute executemany executescript commit rollback fetchone fetchall fetchmany shuffle seed
    acquire release reset step backward zero_grad train push writerow writerows flush truncate load_state_dict
    register notify start increment decrement __setitem__ __delitem__ __setattr__ __iadd__ __next__ add_ mul_
    copy_ zero_ drop_duplicates_ set_value appendchild set_index_ log_metric random randint choice choices
    sample uniform gauss normal normalvariate integers standard_normal permutation rand randn randrange
    betavariate expovariate triangular binomial poisson exponential getrandbits bytes_
    byteswap fromlist frombytes fromfile fromunicode readinto readinto1 readall
    __ior__ __iand__ __ixor__ __isub__ __imul__ __imatmul__ __itruediv__ __ifloordiv__ __imod__ __ipow__
    __ilshift__ __irshift__ __init__ __setstate__ __delattr__ __missing__
    """)
)
RANDOM_METHODS = frozenset(
    words("""
    random randint choice choices sample uniform gauss normal normalvariate integers standard_normal
    permutation rand randn randrange betavariate expovariate triangular binomial poisson exponential
    getrandbits shuffle
    """)
)
READERS = frozenset(
    words("""
    strip lstrip rstrip split rsplit splitlines partition_ rpartition lower upper title capitalize casefold
    swapcase center ljust rjust zfill startswith endswith find rfind index rindex count replace join encode
    decode format format_map isdigit isalpha isalnum isspace isupper islower istitle isnumeric isdecimal
    isidentifier translate removeprefix removesuffix expandtabs get keys values items copy most_common
    elements total union intersection difference symmetric_difference issubset issuperset isdisjoint hex
    bit_length to_bytes as_integer_ratio is_integer conjugate match search fullmatch findall finditer sub subn
    group groups groupdict span end predict predict_proba transform decision_function score inverse_transform
    forward encode_plus tokenize read_text read_bytes exists is_file is_dir glob rglob iterdir stat resolve
    with_suffix with_name relative_to as_posix joinpath expanduser absolute samefile isoformat strftime
    timestamp weekday isoweekday date time timetuple toordinal mean std var sum prod min max argmin argmax
    argsort cumsum cumprod dot reshape ravel flatten transpose astype tolist item round clip all any nonzero
    squeeze swapaxes repeat take trace view diagonal searchsorted conj tobytes byteswap head tail describe
    groupby agg apply merge isin isna notna fillna dropna value_counts unique nunique sort_values sort_index
    reset_index set_index to_dict to_numpy to_list iterrows itertuples quantile median rolling shift diff corr
    cov query filter loc iloc explode pivot_table melt rename assign map str dt nlargest nsmallest between
    idxmax idxmin json text content _asdict _replace hexdigest digest total_seconds is_absolute
    """)
)
"""Methods that change nothing, whatever they are called on (judged by the standard library, numpy and pandas)."""

FILE_METHODS = frozenset(
    words("""
    write_text write_bytes unlink mkdir rmdir replace_ touch symlink_to chmod to_csv to_parquet to_excel
    to_pickle to_hdf to_feather to_sql to_stata savefig imsave save_model save_pretrained write_image
    write_html
    """)
)

CHANGING_FUNCTIONS: dict[str, tuple[int, ...]] = {
    "random.shuffle": (0,),
    "numpy.random.shuffle": (0,),
    "heapq.heappush": (0,),
    "heapq.heappop": (0,),
    "heapq.heapify": (0,),
    "heapq.heapreplace": (0,),
    "heapq.heappushpop": (0,),
    "bisect.insort": (0,),
    "bisect.insort_left": (0,),
    "bisect.insort_right": (0,),
    "struct.pack_into": (1,),
    "numpy.dot": (2,),
    "numpy.concatenate": (2,),
    "numpy.put": (0,),
    "numpy.copyto": (0,),
    "numpy.place": (0,),
    "numpy.putmask": (0,),
    "numpy.fill_diagonal": (0,),
    "numpy.put_along_axis": (0,),
    "operator.setitem": (0,),
    "operator.delitem": (0,),
    "operator.iadd": (0,),
    "operator.iconcat": (0,),
    "operator.imul": (0,),
    "operator.ior": (0,),
    "operator.isub": (0,),
    "json.dump": (1,),
    "pickle.dump": (1,),
    "pickle.load": (0,),
    "json.load": (0,),
    "csv.writer": (0,),
    "csv.DictWriter": (0,),
    "csv.reader": (0,),
    "csv.DictReader": (0,),
    "itertools.islice": (0,),
    "itertools.tee": (0,),
    "collections.deque.append": (0,),
}
CHANGING_METHODS: dict[str, tuple[int, ...]] = {
    "shuffle": (0,),
    "pack_into": (0,),
    "readinto": (0,),
    "readinto1": (0,),
    "recv_into": (0,),
    "recvfrom_into": (0,),
}
"""Methods that change what they are given, by the places of it."""

WRITING_METHODS: dict[str, int] = {
    **dict.fromkeys(words("round dot max min any all argmax argmin ptp choose conj conjugate"), 1),
    **dict.fromkeys(
        words("clip cumsum cumprod sum prod mean take compress std var permuted random standard_normal"), 2
    ),
    **dict.fromkeys(words("reduce accumulate standard_exponential standard_gamma"), 3),
    **dict.fromkeys(words("trace reduceat"), 4),
}
"""Methods of numpy that write into what they are given, from this place on."""

CHANGING_FUNCTIONS = {**CHANGING_FUNCTIONS, **{"_" + k: v for k, v in CHANGING_FUNCTIONS.items()}}

FRESH_MODULES = frozenset(
    words("""
    math cmath re json statistics string textwrap hashlib zlib gzip bz2 lzma base64 binascii struct time
    datetime os os.path posixpath genericpath ntpath glob fnmatch decimal fractions colorsys difflib
    unicodedata html urllib urllib.parse urllib.request tokenize keyword ast requests platform _io io pathlib
    shutil tempfile zoneinfo calendar uuid hmac
    """)
)
"""Modules whose functions return nothing that they were given, or only what nobody can change."""

DOUBTFUL = frozenset(
    words("""
    posix nt asyncio concurrent ctypes dbm ftplib http imaplib importlib mailbox mmap multiprocessing nntplib os
    poplib pty runpy shelve shutil signal smtplib socket socketserver sqlite3 ssl subprocess telnetlib
    tempfile threading urllib webbrowser xmlrpc
    """)
)
"""Modules of the standard library whose functions may reach beyond the process."""

READING = frozenset(
    words("""
    getpid listdir stat lstat getcwd scandir urandom cpu_count getenv fspath access readlink get_terminal_size
    sched_getaffinity getloadavg fsencode fsdecode walk times uname getppid
    """)
)
"""Functions of `os` that change nothing."""

SURE = frozenset(sys.stdlib_module_names) - DOUBTFUL | frozenset(
    words("builtins posixpath ntpath numpy scipy pandas tqdm")
)
"""Packages whose functions are taken as known: they change nothing but what is listed here."""

ALIASING_NUMPY = frozenset(
    words("""
    asarray asanyarray ascontiguousarray ravel reshape squeeze transpose swapaxes moveaxis rollaxis atleast_1d
    atleast_2d atleast_3d broadcast_to expand_dims diagonal split array_split hsplit vsplit dsplit real imag
    frombuffer require nan_to_num array lib einsum as_strided sliding_window_view broadcast_arrays flip fliplr
    flipud rot90 view matrix_transpose permute_dims matrix asmatrix ndarray MaskedArray recarray memmap as_array
    """)
)
RANDOM_MODULES = ("random", "numpy.random")
RANDOM_MAKERS = frozenset(
    words("""
    Random SystemRandom default_rng RandomState Generator SeedSequence PCG64 Philox MT19937 SFC64
    """)
)
EFFECT_FUNCTIONS = {
    "numpy.save": "writes files",
    "numpy.savez": "writes files",
    "numpy.savez_compressed": "writes files",
    "numpy.savetxt": "writes files",
    "joblib.dump": "writes files",
    "torch.save": "writes files",
    "cv2.imwrite": "writes files",
    "imageio.imwrite": "writes files",
    "os.symlink": "makes links",
    "os.link": "makes links",
    "os.kill": "ends programs",
    "shutil.copytree": "writes files",
    "shutil.make_archive": "writes files",
    "urllib.request.urlretrieve": "writes files",
    "os.remove": "deletes files",
    "os.unlink": "deletes files",
    "os.rename": "renames files",
    "os.replace": "renames files",
    "os.mkdir": "makes folders",
    "os.makedirs": "makes folders",
    "os.rmdir": "deletes folders",
    "shutil.rmtree": "deletes folders",
    "shutil.move": "moves files",
    "shutil.copy": "writes files",
    "shutil.copyfile": "writes files",
    "shutil.copy2": "writes files",
    "subprocess.run": "starts programs",
    "subprocess.call": "starts programs",
    "subprocess.check_call": "starts programs",
    "subprocess.check_output": "starts programs",
    "subprocess.Popen": "starts programs",
    "os.system": "starts programs",
    "os.popen": "starts programs",
    "requests.post": "sends data",
    "requests.put": "sends data",
    "requests.delete": "sends data",
}
FORBIDDEN_FUNCTIONS = {
    "os.chdir": "changes the working directory of the notebook",
    "os._exit": "ends the process",
    "sys.exit": "ends the cell",
    "os.putenv": "changes the environment of the notebook",
    "sys.setrecursionlimit": "changes the interpreter",
    "locale.setlocale": "changes the interpreter",
    "gc.disable": "changes the interpreter",
    "builtins.input": "asks for input",
    "getpass.getpass": "asks for input",
    "os.fork": "forks the process",
    "warnings.simplefilter": "changes the interpreter",
    "warnings.filterwarnings": "changes the interpreter",
    "numpy.seterr": "changes numpy",
    "numpy.set_printoptions": "changes numpy",
    "csv.field_size_limit": "changes the interpreter",
    "socket.setdefaulttimeout": "changes the interpreter",
    "time.tzset": "changes the interpreter",
    "decimal.getcontext": "reaches state of the whole process",
    "matplotlib.pyplot": "draws on the notebook's current figure",
}
SHARED_ITERATORS: tuple[type, ...] = (
    types.GeneratorType, type(iter([])), type(iter(())), map, filter, zip, enumerate, reversed, type(iter(set())),
    type(iter({})), type(iter({}.items())), type(iter({}.values())), type(iter(range(0))),
)  # fmt: skip


def shared_random() -> list[Any]:
    """Return the objects behind the functions of `random` and `numpy.random`."""
    numpy_own = getattr(sys.modules.get("numpy.random"), "mtrand", None)
    found = [getattr(sys.modules.get("random"), "_inst", None), getattr(numpy_own, "_rand", None)]
    return [part for part in found if part is not None]


def is_bound(thing: Any) -> bool:
    """Tell whether a callable is a method of some object, or holds arguments: calling it reaches what it holds."""
    owner = getattr(thing, "__self__", None)
    if (
        owner is not None
        and not isinstance(owner, types.ModuleType)
        and any(owner is shared for shared in shared_random())
    ):
        return False
    if isinstance(thing, functools.partial):
        return not (is_atom(thing.args) and not thing.keywords) or is_bound(thing.func)
    return owner is not None and not isinstance(owner, (type, *ATOMS))


def is_atom(value: Any, depth: int = 3) -> bool:
    """Tell whether nobody can change the value nor anything inside it."""
    kind = type(value)
    if kind in ATOMS or isinstance(value, (pathlib.PurePath, types.ModuleType)):
        return True
    if kind is tuple or kind is frozenset:
        return depth > 0 and len(value) <= 1000 and all(is_atom(part, depth - 1) for part in value)
    if kind.__module__ == "numpy" and hasattr(value, "dtype") and not hasattr(value, "__setitem__"):
        return True
    return issubclass(kind, (int, str, float)) and kind.__module__ != "__main__"


def all_atoms(values: Any, most: int = 200_000) -> bool:
    """Tell whether every element of a builtin container (or numeric array) is something nobody can change."""
    kind = type(values)
    if kind in (range, str, bytes):
        return True
    if kind.__module__ == "numpy" and hasattr(values, "dtype"):
        return bool(values.ndim == 1 and values.dtype != object)
    if kind not in (list, tuple, set, frozenset, dict) or len(values) > most:
        return False
    kinds = set(map(type, values))
    if all(part in ATOMS for part in kinds):
        return True
    return len(values) <= 5000 and all(is_atom(value) for value in values)


DEFAULTING = (collections.defaultdict,)
CALLABLES = (
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodDescriptorType),
    *(types.WrapperDescriptorType, type, functools.partial, type(functools.lru_cache(lambda: None))),
)
STRING_METHODS = frozenset(
    words("""
    strip lstrip rstrip split rsplit splitlines rpartition lower upper title capitalize casefold swapcase
    center ljust rjust zfill startswith endswith find rfind index rindex count encode decode format isdigit
    isalpha isalnum isspace isupper islower isnumeric translate removeprefix removesuffix join hexdigest
    digest isoformat strftime read_text read_bytes exists is_file is_dir read readline readlines tolist mean
    std var argmin argmax most_common json predict write writelines
    """)
)
"""Methods whose value holds nothing that can be changed elsewhere."""

COPYING_METHODS = frozenset(
    words("""
    copy union intersection difference symmetric_difference keys argsort cumsum cumprod astype flatten dot sum
    prod min max clip round sort_values reset_index dropna fillna groupby agg apply merge to_dict rename drop
    elements replace sub isin append extend add update insert sort reverse clear discard remove
    """)
)

CHEAP_METHODS = frozenset(
    words("""
    append extend insert add update setdefault discard remove pop get keys values items popleft appendleft
    strip lower upper startswith endswith write writelines writerow format
    """)
)
"""Methods that are no work worth a worker."""

DIRECT_MUTATORS = frozenset(
    words("""
    append extend insert remove pop clear sort reverse add discard update setdefault popitem appendleft
    popleft extendleft intersection_update difference_update symmetric_difference_update
    """)
)
"""Methods that change the object itself and nothing that it holds."""

NAMED = frozenset(CHANGING_FUNCTIONS) | frozenset(EFFECT_FUNCTIONS) | frozenset(FORBIDDEN_FUNCTIONS)
QUIET = frozenset(
    words("""
    sleep display pprint pp collect print warn info debug warning error
    """)
)
"""Installed functions that are called for what they do, and do nothing to their arguments."""
