"""Values, functions and exceptions as bytes and back, on either side of a worker's door.

Large buffers (numpy, Arrow) travel beside the pickle: a worker takes them from the notebook's memory, or both map the
same files.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import mmap
import operator
import pickle
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

from concompare.worker.transfer import error_traces, nans, precision, set_order, strided
from concompare.worker.transfer.class_objects import Arriving, by_token, container_parts
from concompare.worker.transfer.code_objects import at_home, reduce_code, reduce_function
from concompare.worker.transfer.process_memory import Loan, fetch, is_memory

LARGE_BUFFER = 16_384
"""Bytes from which a buffer travels beside the pickle instead of inside it."""

LARGE_PICKLE = 131_072
"""Bytes from which a pickle itself travels in shared memory."""

SEGMENTS: dict[str, mmap.mmap] = {}
"""Shared files that this process has mapped, by path."""


class Parcel(NamedTuple):
    """Pickled values: the pickle itself, and where its large buffers lie: (file, offset, length).

    Instead of a file it may be a process's memory, with addresses (see `process_memory`).
    A large pickle lies there too, at the first place, and `data` is None. `passing` says that nothing of what is
    rebuilt stays in that memory.
    """

    data: bytes | None
    places: tuple[tuple[str, int, int], ...] = ()
    passing: bool = False


Dress = Callable[[type[Any]], Callable[..., Any]]
"""Makes a pickler, from its class."""


def undressed(kind: type[Any]) -> type[Any]:
    """Return a class of picklers as it is."""
    return kind


def pack(
    value: Any,
    buffers: list[pickle.PickleBuffer] | None = None,
    picklers: list[Any] | None = None,
    dress: Dress = undressed,
    *,
    apart: bool = False,
    plainly: bool = False,
) -> bytes:
    """Pickle a value by protocol 5, by cloudpickle where plain pickle cannot or would refer to the notebook.

    Args:
        value: Anything.
        buffers: Collects the large contiguous buffers, left out of the pickle; None keeps all inside.
        picklers: Gets what pickled the value, with its memo, as its last entry.
        dress: Makes the pickler, from its class.
        apart: Whether the value is a list that becomes one pickle for each entry, in a row; large bytes in it go among
            the buffers.
        plainly: Return nothing where it would be cloudpickle.
    """
    mine: list[pickle.PickleBuffer] = []

    callback = None if buffers is None else functools.partial(beside, mine)
    arrays = strided.table()

    def dump(kind: type[Any]) -> bytes:
        with io.BytesIO() as file:
            pickler = dress(kind)(file, 5, buffer_callback=callback)
            if kind in PLAIN and arrays is not None:
                pickler.dispatch_table = arrays
            for part in value if apart else (value,):
                write(pickler, file, Raw(part) if apart and is_large(part) else part, mine)
                if apart:
                    pickler.clear_memo()
            if picklers is not None:
                picklers.append(pickler)
            return file.getvalue()

    try:
        simple = picklers is None and not apart and arrays is None and dress is undressed
        data = pickle.dumps(value, 5, buffer_callback=callback) if simple else b""
        if not simple or set_order.MARK in data:
            mine.clear()
            data = dump(pickle.Pickler)
        if error_traces.may_be_in(data):
            mine.clear()
            data = dump(PLAIN[1])
    except Exception:
        data = b"__main__"
    if b"__main__" in data or is_of_started_script(data):
        if plainly:
            return b""
        import cloudpickle

        mine.clear()
        data = dump(by_value(cloudpickle.Pickler))
    (mine if buffers is None else buffers).extend(mine)
    return data


def beside(found: list[pickle.PickleBuffer], buffer: pickle.PickleBuffer) -> bool:
    """Return whether a buffer stays in the pickle, as it is small; note it where it does not."""
    if buffer.raw().nbytes < LARGE_BUFFER:
        return True
    found.append(buffer)
    return False


def is_large(part: Any) -> bool:
    """Tell whether a part is bytes that travel beside the pickle."""
    return type(part) is bytes and len(part) >= LARGE_BUFFER


def write(pickler: Any, file: io.BytesIO, value: Any, beside: list[pickle.PickleBuffer]) -> None:
    """Pickle a value, again with the orders of its sets where they would have others."""
    begun, before = file.tell(), len(beside)
    pickler.dump(value)
    file.seek(begun)
    if set_order.MARK in file.read() and (orders := set_order.moved(pickler.memo)):
        file.truncate(file.seek(begun))
        del beside[before:]
        pickler.clear_memo()
        pickler.dump(set_order.InOrder(value, orders))


def pack_sent(
    value: Any,
    buffers: list[pickle.PickleBuffer] | None = None,
    picklers: list[Any] | None = None,
    dress: Dress = undressed,
    *,
    apart: bool = False,
) -> bytes:
    """Pickle what the notebook sends, as `pack` does, so that a number that is none stays the one that it is."""
    data = pack(value, buffers, picklers, dress, apart=apart)
    if not nans.has_nan(data):
        return data
    if buffers is not None:
        buffers.clear()
    keeping: Callable[[Any], Any] = nans.keeping
    return pack(value, buffers, picklers, lambda kind: dress(keeping(kind)), apart=apart)


PLAIN = (pickle.Pickler, error_traces.keeping(pickle.Pickler, lambda value: can_pack(value)))
"""Picklers that are not those of cloudpickle."""
STARTED = "__mp_main__"
"""What multiprocessing calls the script of the process that has started this one."""


def is_of_started_script(data: bytes) -> bool:
    """Tell whether a pickle names something of that script, which workers do not have; it goes by value from now on."""
    module = sys.modules.get(STARTED)
    if getattr(module, "__name__", "") != STARTED or STARTED.encode() not in data:  # elsewhere it is `__main__` itself
        return False
    import cloudpickle

    if STARTED not in cloudpickle.list_registry_pickle_by_value():
        cloudpickle.register_pickle_by_value(module)
    return True


class Raw:
    """Bytes that cross as a buffer, beside the pickle, and are bytes again on the other side."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: object) -> tuple[type[bytes], tuple[pickle.PickleBuffer]]:
        return bytes, (pickle.PickleBuffer(self.data),)


CACHED = type(functools.lru_cache(len))


@functools.cache
def is_named_otherwise(module: ModuleType) -> bool:
    """Tell whether a module has a class of its own, as `sys` has during a pass in threads: picklers know plain ones."""
    return type(module) is not ModuleType and sys.modules.get(module.__name__) is module


@functools.cache
def by_value(pickler: type[Any]) -> type[Any]:
    """Return a pickler that sends more by value than cloudpickle does, and more exactly.

    Code keeps its place in the user's source; cached functions of the notebook go with their settings, without what
    they hold, cached properties without their locks; classes with `__slots__` keep them, and nobody's class is made
    twice; views of memory stay views.
    """

    class ByValue(pickler):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            if type(thing) is CodeType:
                return reduce_code(thing)
            found = (
                error_traces.reduced(thing, can_pack) if isinstance(thing, BaseException) else precision.reduced(thing)
            )
            if found is not None:
                return found
            if isinstance(thing, ModuleType) and is_named_otherwise(thing):
                return importlib.import_module, (thing.__name__,)
            if type(thing) is CACHED and thing.__module__ == "__main__":
                return cached, (thing.__wrapped__, thing.cache_parameters())
            if type(thing) is memoryview:
                return parts_of_view(thing)
            special = strided.special(thing)
            special = container_parts(thing) if special is None else special
            if special is not None:
                return special
            if type(thing) is functools.cached_property:  # with a lock of its own up to Python 3.11
                state = {name: part for name, part in vars(thing).items() if name != "lock"}
                return functools.cached_property, (thing.func,), state
            reduced = super().reducer_override(thing)
            if type(thing) is FunctionType:
                if isinstance(reduced, tuple) and id(thing.__globals__) in getattr(self, "known", ()):
                    reduced = at_home(thing, reduced)
                return reduce_function(thing, reduced, self.__dict__.setdefault("cells", {}))
            if not isinstance(thing, type):
                return reduced
            return by_token(thing, with_slots(thing, reduced) if "__slots__" in vars(thing) else reduced)

    return ByValue


def cached(function: Callable[..., Any], settings: dict[str, Any]) -> Any:
    """Return a function that remembers its results, as `functools.lru_cache` makes it of these settings."""
    return functools.lru_cache(**settings)(function)


def parts_of_view(view: memoryview) -> tuple[Any, ...]:
    """Return what makes a view of a copy of the same memory, which cloudpickle would send as bytes."""
    data = view.tobytes() if view.readonly else bytearray(view.tobytes())
    if (view.format, view.ndim) == ("B", 1):
        return memoryview, (data,)
    return operator.methodcaller("cast", view.format, list(view.shape or ())), (memoryview(data),)


def with_slots(kind: type, reduced: Any) -> Any:
    """Let a class be made with its `__slots__`: cloudpickle sets them too late, and instances get a `__dict__`."""
    if not isinstance(reduced, tuple) or getattr(reduced[0], "__name__", "") != "_make_skeleton_class":
        return reduced
    if issubclass(kind, tuple) and not isinstance(reduced[1][2][0], type):
        return reduced  # made from `typing.NamedTuple`, which gives the class its slots
    make, arguments, (state, *others), *rest = reduced
    metaclass, name, bases, options, *tracked = arguments
    options = {**options, "__slots__": vars(kind)["__slots__"]}
    members = {name for name, part in state.items() if isinstance(part, MemberDescriptorType)}
    kept = {name: part for name, part in state.items() if name not in members | {"__slots__", "__slotnames__"}}
    return make, (metaclass, name, bases, options, *tracked), (kept, *others), *rest


def segment(path: str) -> mmap.mmap:
    """Return a mapped file of the pool, opened once per worker."""
    found = SEGMENTS.get(path)
    if found is None:
        with open(path, "r+b") as file:
            found = SEGMENTS[path] = mmap.mmap(file.fileno(), 0)
    return found


def let_go(folder: str) -> None:
    """Close the mapped files of a folder: its pool is gone."""
    for path in [path for path in SEGMENTS if path.startswith(folder)]:
        with contextlib.suppress(BufferError):  # something still reads it: it goes with its last reader
            SEGMENTS.pop(path).close()


def unpack(parcel: Parcel, lent: list[Any] | None = None) -> Any:
    """Rebuild what pack() made, on the memory itself; what was lent to the values is collected in `lent`.

    Raises:
        CannotFetch: The notebook's memory cannot be read.
    """
    pieces = pieces_of(parcel.places, lent)
    if lent is not None:
        lent.extend(pieces)
    buffers = [plain(piece) for piece in pieces]
    data = parcel.data if parcel.data is not None else buffers.pop(0)
    return Arriving(io.BytesIO(data), buffers=buffers).load()


def data_of(parcel: Parcel) -> bytes:
    """Return the pickle of a parcel without large buffers."""
    return parcel.data if parcel.data is not None else bytes(pieces_of(parcel.places[:1])[0])


def pieces_of(places: tuple[tuple[str, int, int], ...], lent: list[Any] | None = None) -> list[Any]:
    """Return the bytes at these places: of files where they lie, of the notebook's memory in a copy."""
    if places and is_memory(places[0][0]):
        return fetch(places, lent if isinstance(lent, Loan) else None)
    return [lend(*place) for place in places]


def lend(path: str, offset: int, length: int) -> Any:
    """Return a piece of shared memory as an object of its own, whose references tell who still uses it.

    A memoryview would not do: views of a view refer to what is below it (numpy makes one), so that it looks free.
    """
    import ctypes

    return (ctypes.c_char * length).from_buffer(segment(path), offset)


def plain(piece: Any) -> memoryview:
    """Return a piece of memory as values get to see it: as bytes, where ctypes says characters, which few can read."""
    return memoryview(piece).cast("B")


def given_back(lent: list[Any]) -> bool:
    """Return whether nobody but the list refers to what was lent, and empty it."""
    free = True
    while lent:
        free = holders_of_last(lent) <= NOBODY and free
    return free


def holders_of_last(lent: list[Any]) -> int:
    """Take the last piece off a list and return the references to it, those of the counting included."""
    piece = lent.pop()
    return sys.getrefcount(piece)


NOBODY = holders_of_last([object()])
"""Counted, not written down: Python 3.14 borrows references where earlier versions take them."""


def put(data: bytes, buffers: list[pickle.PickleBuffer], room: tuple[str, int, int]) -> tuple[Parcel | None, int]:
    """Lay a pickle's large buffers, and the pickle itself if it is large, into shared memory.

    Returns:
        The parcel, or None where the room is too small; and the bytes of room wanted.
    """
    raws = [buffer.raw() for buffer in buffers]
    large = len(data) >= LARGE_PICKLE
    if large:
        raws.insert(0, memoryview(data))
    wanted = room_for(raws)
    path, offset, size = room
    if wanted > size:
        return None, wanted
    return Parcel(None if large else data, write_buffers(raws, path, offset)), wanted


HIDDEN = ("name", "obj")
"""What an exception says beside its arguments and attributes, and Python up to 3.11 does not pickle."""


def pack_error(error: BaseException, depth: int = 0, referring: Callable[[Any], bytes] | None = None) -> dict[str, Any]:
    """Return an exception as plain data: itself where it can cross, its class and arguments, its name and text.

    Args:
        error: The exception.
        depth: How many others it led to.
        referring: Packs a value with references to what was sent to this worker, where the value holds any.
    """
    notes = getattr(error, "__notes__", ())
    packed: dict[str, Any] = {
        "type": type(error).__qualname__,
        "text": text_of(error),
        "notes": [text_of(note) for note in notes] if isinstance(notes, list) else [],
        "frames": error_traces.frames_of(error),
        "suppress": error.__suppress_context__,
    }
    with contextlib.suppress(BaseException):  # its own `__reduce__` may raise anything
        data = pack(error)
        if type(pickle.loads(data)) is type(error):
            packed["pickle"] = data
    if "pickle" in packed and referring is not None:
        with contextlib.suppress(BaseException):
            packed["referring"] = referring(error)
    if "pickle" not in packed:
        with contextlib.suppress(BaseException):
            packed["parts"] = (referring or pack)(parts_of_error(error))
    if isinstance(error, (AttributeError, NameError)):
        with contextlib.suppress(BaseException):
            hidden = {name: getattr(error, name, None) for name in HIDDEN if hasattr(error, name)}
            packed["hidden"] = pack(hidden) if referring is None else referring(hidden)
    if depth < 10:
        packed.update(led_from(error, depth + 1, referring))
    return packed


def led_from(error: BaseException, depth: int, referring: Callable[[Any], bytes] | None) -> dict[str, Any]:
    """Return the exceptions that led to one, and those that it groups, as plain data."""
    found: dict[str, Any] = {}
    if error.__cause__ is not None:
        found["cause"] = pack_error(error.__cause__, depth, referring)
    if error.__context__ is not None:
        same = error.__context__ is error.__cause__
        found["context"] = None if same else pack_error(error.__context__, depth, referring)
    if isinstance(error, BaseExceptionGroup):
        found["members"] = [pack_error(member, depth, referring) for member in error.exceptions]
    return found


def parts_of_error(error: BaseException) -> tuple[type, tuple[Any, ...], dict[str, Any]]:
    """Return an exception's class, arguments and attributes, without those that cannot be sent."""
    arguments = tuple(part if can_pack(part) else repr(part) for part in ARGUMENTS.__get__(error))
    state = {name: value for name, value in vars(error).items() if name != "__notes__" and can_pack(value)}
    return type(error), arguments, state


ARGUMENTS: Any = BaseException.__dict__["args"]
"""The exception's own arguments, whatever its class makes of `args`."""


def can_pack(value: Any) -> bool:
    """Return whether a value can be sent and arrives."""
    try:
        pickle.loads(pack(value))
    except BaseException:
        return False
    return True


def text_of(error: object) -> str:
    """Return the text of an exception or one of its notes, whatever its own `__str__` does."""
    try:
        return str(error)
    except BaseException:
        return "(its text could not be made)"


def aligned(size: int) -> int:
    """Round a buffer's size up to whole cache lines."""
    return -(-size // 64) * 64


def room_for(raws: list[memoryview]) -> int:
    """Return the bytes that the buffers take one after the other."""
    return sum(aligned(raw.nbytes) for raw in raws)


def write_buffers(raws: list[memoryview], path: str, offset: int) -> tuple[tuple[str, int, int], ...]:
    """Copy buffers into a mapped file one after the other and return where each lies."""
    if not raws:
        return ()
    target = memoryview(segment(path))
    places = []
    for raw in raws:
        target[offset : offset + raw.nbytes] = raw
        places.append((path, offset, raw.nbytes))
        offset += aligned(raw.nbytes)
    return tuple(places)


def way_to_unpicklable(value: Any, name: str, depth: int = 0, dress: Dress = undressed) -> str:
    """Return the path to the innermost part of a value that cannot be pickled: "score → global db → Connection"."""
    if depth < 8:
        for label, part in parts_of(value):
            try:
                pack(part, dress=dress)
            except BaseException:
                return f"{name} → {way_to_unpicklable(part, label, depth + 1, dress)}"
    kind = type(value)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"{name} → {module}{kind.__qualname__}"


def parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the named parts that pickling a value goes through."""
    if isinstance(value, FunctionType):
        yield from function_parts(value)
    elif isinstance(value, MethodType):
        yield "self", value.__self__
    elif isinstance(value, dict):
        yield from ((f"[{key!r}]"[:60], part) for key, part in list(value.items())[:1000])
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{position}]", part) for position, part in enumerate(list(value)[:1000]))
    elif isinstance(value, type):
        yield from ((f".{key}", part) for key, part in vars(value).items() if callable(part))
    else:
        if hasattr(value, "func"):
            yield ".func", value.func
        if isinstance(value, functools.partial):
            yield from ((f"argument {position}", part) for position, part in enumerate(value.args))
            yield from ((f"argument {key}", part) for key, part in value.keywords.items())
        with contextlib.suppress(TypeError):
            yield from ((f".{key}", part) for key, part in vars(value).items())


def function_parts(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the globals, closure and defaults that a function carries with it."""
    code = function.__code__
    for name in names_in(code):
        if name in function.__globals__:
            yield f"global {name}", function.__globals__[name]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):
            yield f"closure {name}", cell.cell_contents
    for position, default in enumerate(function.__defaults__ or ()):
        yield f"default {position}", default
    for name, default in (function.__kwdefaults__ or {}).items():
        yield f"default {name}", default


def inner_function(thing: Any) -> FunctionType | None:
    """Return the function that a call ends in: the thing itself, or that of a method or partial; None for others."""
    inner = getattr(thing, "__func__", getattr(thing, "func", thing))
    return inner if isinstance(inner, FunctionType) else None


def functions_behind(function: Any, depth: float = 3) -> Iterator[FunctionType]:
    """Yield a function and those that it carries with it, each once, the nearer ones first.

    Args:
        function: A function, or what ends in one.
        depth: How far to go.
    """
    own = inner_function(function)
    level = [] if own is None else [own]
    seen = set(map(id, level))
    while level and depth >= 0:
        yield from level
        depth -= 1
        following = [part for one in level for _, part in function_parts(one) if isinstance(part, FunctionType)]
        level = [part for part in {id(part): part for part in following}.values() if id(part) not in seen]
        seen.update(map(id, level))


def names_in(code: Any) -> list[str]:
    """Return the global names that a code object and those inside it may use."""
    names = list(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names.extend(names_in(constant))
    return list(dict.fromkeys(names))
