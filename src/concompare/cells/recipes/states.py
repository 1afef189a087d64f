"""What tells one connection or open file from another, and why one is not made again."""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
import types
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname


class NotAgain(Exception):
    """Raised where an object is not made again in workers; says why, and what would help beside making it there."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


SETTINGS = (
    *("foreign_keys", "recursive_triggers", "read_uncommitted", "reverse_unordered_selects", "query_only"),
    *("ignore_check_constraints", "trusted_schema", "legacy_alter_table", "encoding", "temp_store"),
)
"""Settings of a database connection that change what queries give."""
QUESTIONS = (
    *("PRAGMA database_list", "PRAGMA function_list", "PRAGMA collation_list", "SELECT 'a' LIKE 'A'"),
    *("SELECT type, name, sql FROM sqlite_temp_master", *(f"PRAGMA {name}" for name in SETTINGS)),
)
"""What a connection is asked: its files, the functions and orders that it was given, its temporary tables."""


DETECT_TYPES = 2
"""Place among the arguments of `sqlite3.connect` of what asks for converters: IPython's history registers one, too."""
ALIKE = ("sqlite3", "pandas")
"""Packages whose own ways to write and read dates as text are alike: pandas has them as soon as it reads a table."""


def database(connection: Any) -> tuple[Any, ...]:
    """Return what tells a connection of `sqlite3` from others to the same or another database.

    Raises:
        NotAgain: Its database is in memory, it has changes that only itself sees, or Python writes values its own way.
    """
    refuse_registered("adapters")
    if callbacks(connection):
        raise NotAgain("it tells a function of the notebook what it does")
    try:
        changed = connection.in_transaction
        answers = [sorted(asked(connection, question), key=repr) for question in QUESTIONS]
    except Exception as error:
        raise NotAgain(f"it cannot be asked about its state ({type(error).__name__}: {error})") from None
    if changed:
        raise NotAgain("it has changes that are not committed, which workers would not see", "call its commit() first")
    answers[0] = [(name, file) for _, name, file in answers[0] if name != "temp"]  # which asking for tables makes
    if not dict(answers[0]).get("main"):
        raise NotAgain("its database is in memory, where no other process finds it", "keep it in a file")
    return tuple(map(tuple, answers))


def asked(connection: Any, question: str) -> list[Any]:
    """Return the answers of a database, whatever the connection makes of rows and texts."""
    cursor = connection.cursor()
    cursor.row_factory = None
    kept, connection.text_factory = connection.text_factory, str
    try:
        return list(cursor.execute(question))
    finally:
        connection.text_factory = kept


def same_database(connection: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """See that a connection made with these arguments would be to the same file: to try another one may make that.

    Raises:
        NotAgain: It would not, or that cannot be told, or Python reads the values that it gives its own way.
    """
    if arguments[DETECT_TYPES] if len(arguments) > DETECT_TYPES else named.get("detect_types"):
        refuse_registered("converters")
    given = arguments[0] if arguments else named.get("database", "")
    text = os.fsdecode(given) if isinstance(given, (str, bytes, os.PathLike)) else ""
    if text.startswith("file:"):
        text = url2pathname(urlsplit(text).path)
    files = [file for _, name, file in asked(connection, QUESTIONS[0]) if name == "main"]
    if not (text and any(files) and os.path.exists(text) and os.path.samefile(text, files[0])):
        raise NotAgain("the same line would connect to another database now")


def refuse_registered(table: str) -> None:
    """Refuse a connection where Python has been told to read or write values in another way than workers do."""
    found = vars(sys.modules["sqlite3"]).get(table, {}).items()
    own = [str(key) for key, value in found if getattr(value, "__module__", "").partition(".")[0] not in ALIKE]
    if own:
        raise NotAgain(f"workers do not read and write {own[0]} as it was registered here")


def open_file(file: Any) -> tuple[Any, ...]:
    """Return what tells an open file from others: the file on the disk, and the place where reading goes on.

    Raises:
        NotAgain: It is open for writing, or its place cannot be told.
    """
    if set(getattr(file, "mode", "")) & set("wax+"):
        raise NotAgain("it is open for writing")
    try:
        found = os.fstat(file.fileno())
        return found.st_dev, found.st_ino, file.tell()
    except (OSError, ValueError) as error:
        raise NotAgain(f"it cannot be asked where it is ({type(error).__name__}: {error})") from None


def archive(archive: Any) -> tuple[Any, ...]:
    """Return what tells an open archive from others: the file on the disk.

    Raises:
        NotAgain: It is open for writing, closed, or no file.
    """
    if archive.mode != "r":
        raise NotAgain("it is open for writing")
    try:
        found = os.fstat(archive.fp.fileno())
    except (OSError, ValueError, AttributeError) as error:
        raise NotAgain(f"it is no open file ({type(error).__name__}: {error})") from None
    return found.st_dev, found.st_ino, len(archive.namelist())


def path_of(thing: Any, look: str) -> str | None:
    """Return where the file is that an archive reads, by which alone one like it can be opened; None: others."""
    name = getattr(getattr(thing, "fp", None), "name", None) if look == archive.__name__ else None
    return os.path.abspath(name) if isinstance(name, str) and name else None


def engine(engine: Any) -> tuple[Any, ...]:
    """Return what tells an engine of SQLAlchemy from others: its address, and how many functions listen to it.

    Raises:
        NotAgain: Its database is in memory, or it cannot be asked.
    """
    try:
        address, name = engine.url.render_as_string(hide_password=False), engine.url.database or ""
        heard = [listening(part.dispatch) for part in (engine, engine.pool, engine.dialect)]
    except Exception as error:
        raise NotAgain(f"it cannot be asked about its state ({type(error).__name__}: {error})") from None
    if engine.dialect.name == "sqlite" and (name in ("", ":memory:") or "mode=memory" in address):
        raise NotAgain("its database is in memory, where no other process finds it", "keep it in a file")
    return (address, *heard)


def listening(dispatch: Any) -> int:
    """Return how many functions are told of the events of a part of SQLAlchemy's."""
    return sum(len(getattr(dispatch, name)) for name in dispatch._event_names)


BEFORE = {"database": same_database}
"""What is seen to before another one is made here."""
LOOKS = {look.__name__: look for look in (database, open_file, archive, engine)}


def kept_from_threads(thing: Any) -> str:
    """Return why a connection of `sqlite3`, or a cursor of one, is not for other threads, as words; or nothing."""
    if (type(thing).__module__, type(thing).__name__) not in (("sqlite3", "Connection"), ("sqlite3", "Cursor")):
        return ""
    connection = getattr(thing, "connection", thing)
    if callbacks(connection):
        return "tells a function of the notebook what it does, which then happens in another order"
    try:
        functions = own_functions(connection)
    except Exception:  # it is closed, or of another thread: items get the error of the plain loop
        return ""
    if is_bound_to_thread(connection):
        return "can only be used in the thread that made it; use -b processes, or check_same_thread=False"
    if functions or not all(map(is_plain_setting, (connection.row_factory, connection.text_factory))):
        return "calls functions of the notebook, which may keep something that all threads share"
    return ""


def callbacks(connection: Any) -> list[Any]:
    """Return the functions that a connection calls for statements, permissions or progress: to ask it calls them too.

    It does not say which it has, but shows all that it holds to the garbage collector.
    """
    held = [part for part in gc.get_referents(connection) if callable(part)]
    settings = connection.row_factory, connection.text_factory
    own = (type, type(functools.lru_cache(asked)))  # the factory of cursors, and the statements that are kept
    return [part for part in held if not isinstance(part, own) and not any(part is one for one in settings)]


def own_functions(connection: Any) -> set[Any]:
    """Return the functions that a connection was given."""
    new = vars(sys.modules["sqlite3"])["connect"](":memory:")
    try:
        return set(asked(connection, QUESTIONS[1])) - set(asked(new, QUESTIONS[1]))
    finally:
        new.close()


def is_bound_to_thread(connection: Any) -> bool:
    """Tell whether a connection can only be used in this thread."""
    failed: list[Exception] = []

    def ask() -> None:
        try:
            connection.cursor()
        except Exception as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    return bool(failed)


def attribute(thing: Any, dotted: str) -> Any:
    """Return an attribute, of a part where the name has dots; where there is none, nothing that differs."""
    for name in dotted.split("."):
        thing = getattr(thing, name, None)
    return thing


def is_plain_setting(value: Any) -> bool:
    """Tell whether a setting can be copied: a value, a class, or a function that keeps nothing and changes nothing."""
    if not isinstance(value, types.FunctionType):
        return value is None or isinstance(value, (str, int, type, types.BuiltinFunctionType))
    read = [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
    plain = all(isinstance(part, (type, types.ModuleType, types.BuiltinFunctionType)) for part in read)
    return plain and not (value.__closure__ or value.__defaults__ or value.__kwdefaults__ or value.__dict__)
