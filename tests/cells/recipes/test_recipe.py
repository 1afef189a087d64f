"""Objects are made again by the line that made them, and only where that surely makes the same."""

from __future__ import annotations

import functools
import io
import sqlite3
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.recipes.recipe import Recipe, recipe_of
from concompare.cells.recipes.states import NotAgain, kept_from_threads

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""Cells give names other values without closing what they had."""
Notebook = Callable[..., dict[str, Any]]


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """Return what runs cells in a folder with a database, a text and an archive."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    for folder in (tmp_path, tmp_path / "elsewhere"):
        with sqlite3.connect(folder / "some.db") as made:
            made.execute("CREATE TABLE t (x)")
        made.close()
        (folder / "some.txt").write_text("first\nsecond\n")
    with zipfile.ZipFile("some.zip", "w") as archive:
        archive.writestr("a", "text")

    namespaces: list[dict[str, Any]] = []

    def run(*cells: str) -> dict[str, Any]:
        namespace: dict[str, Any] = {"__name__": "__main__", "_ih": [""]}
        namespaces.append(namespace)
        for cell in ("import io, os, sqlite3, zipfile\nfrom pathlib import Path", *cells):
            namespace["_ih"].append(cell)
            exec(compile(cell, "<cell>", "exec"), namespace)
        return namespace

    yield run
    for value in [value for namespace in namespaces for value in namespace.values()]:
        if isinstance(value, (sqlite3.Connection, io.IOBase, zipfile.ZipFile)):
            value.close()


def recipe(namespace: dict[str, Any], name: str = "it") -> Recipe:
    found = recipe_of(namespace[name], [namespace])
    assert found is not None
    return found


CONNECT = "it = sqlite3.connect('some.db')"


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ([CONNECT], "sqlite3.connect('some.db')"),
        ([CONNECT, CONNECT], "sqlite3.connect('some.db')"),
        (["path = 'some.db'", "it = sqlite3.connect(path)", "other = 1"], "sqlite3.connect(path)"),
        (["path = Path('some') ", "it = sqlite3.connect(f'{path}.db')"], "sqlite3.connect(f'{path}.db')"),
        (["folder = os.getcwd()", "it = sqlite3.connect(os.path.join(folder, 'some.db'))"], "os.path.join"),
        (["from sqlite3 import connect as c\nit: object = c('some.db', timeout=9)"], "c('some.db', timeout=9)"),
        (["it = sqlite3.connect('file:some.db?mode=ro', uri=True)"], "uri=True"),
        (["if True:\n    it = sqlite3.connect('some.db')"], "sqlite3.connect('some.db')"),
        (["with sqlite3.connect('some.db') as it:\n    pass"], "sqlite3.connect('some.db')"),
        ([CONNECT, "it.execute('INSERT INTO t VALUES (1)')\nit.commit()"], "sqlite3.connect('some.db')"),
        ([CONNECT, "def f():\n    it = 3\n    return it"], "sqlite3.connect('some.db')"),
        (["it = open('some.txt')"], "open('some.txt')"),
        (["it = open('some.txt', 'rb')\nit.read()\nit.seek(0)"], "open('some.txt', 'rb')"),
        (["path = Path('some.txt')\nit = path.open(encoding='utf-8')"], "path.open(encoding='utf-8')"),
        (["it = zipfile.ZipFile('some.zip')"], "zipfile.ZipFile('some.zip')"),
        (["def make(): return zipfile.ZipFile('some.zip')", "it = make()"], "some.zip')"),
        (["import tempfile", "held = open('some.zip', 'rb')", "it = zipfile.ZipFile(held)"], "some.zip')"),
        (["get_ipython = lambda: None", CONNECT], "sqlite3.connect('some.db')"),
    ],
)  # fmt: skip
def test_the_line_is_found_and_makes_the_same(cells: list[str], line: str, notebook: Notebook) -> None:
    namespace = notebook(*cells)
    found = recipe(namespace)
    assert line in found.line
    made = found.make(*found.arguments, **found.named)
    assert type(made) is type(namespace["it"])
    made.close()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["it = sqlite3.connect(':memory:')"], "in memory"),
        (["it = sqlite3.connect('')"], "in memory"),
        ([CONNECT, "it.execute('INSERT INTO t VALUES (1)')"], "not committed"),
        ([CONNECT, "it = sqlite3.connect('elsewhere/some.db')"], "several values"),
        (["path = 'some.db'", "it = sqlite3.connect(path)", "path = 'elsewhere/some.db'"], "`path` was given several"),
        ([CONNECT, "os.chdir('elsewhere')"], "another database"),
        ([CONNECT, "os.rename('some.db', 'gone.db')"], "another database"),
        ([CONNECT, "it.create_function('double', 1, lambda x: 2 * x)"], "not as a new one"),
        ([CONNECT, "it.create_collation('mine', lambda a, b: 0)"], "not as a new one"),
        ([CONNECT, "seen = []\nit.set_trace_callback(seen.append)"], "tells a function of the notebook"),
        ([CONNECT, "it.set_authorizer(lambda *asked: 0)"], "tells a function of the notebook"),
        ([CONNECT, "it.execute('PRAGMA foreign_keys = ON')"], "not as a new one"),
        ([CONNECT, "it.execute(\"ATTACH 'elsewhere/some.db' AS other\")"], "not as a new one"),
        ([CONNECT, "it.execute('CREATE TEMP TABLE mine (x)')"], "not as a new one"),
        ([CONNECT, "seen = []\nit.row_factory = lambda cursor, row: seen.append(row)"], "row_factory may keep"),
        ([CONNECT, "it.close()"], "cannot be asked"),
        (["def make():\n    return sqlite3.connect('some.db')", "it = make()"], "not known that `make`"),
        (["def make():\n    global it\n    it = sqlite3.connect('some.db')\nmake()"], "cannot be found"),
        (["class Mine(sqlite3.Connection): pass", "it = sqlite3.connect('some.db', factory=Mine)"], None),
        (["for path in ['some.db']:\n    it = sqlite3.connect(path)"], "where `path` has its value from"),
        (["paths = ['some.db']\nit = sqlite3.connect(*paths)"], "cannot be told"),
        (["paths = ['some.db']\nit = sqlite3.connect(paths[0])"], "cannot be told whether `paths"),
        (["it, other = sqlite3.connect('some.db'), 1"], "cannot be found"),
        (["it = open('new.txt', 'w')"], "open for writing"),
        (["it = open('some.txt')", "it.readline()"], "not as a new one"),
        (["it = open('some.txt')", "next(it)"], "cannot be asked where it is"),
        (["it = open('some.txt')", "os.replace('elsewhere/some.txt', 'some.txt')"], "not as a new one"),
        (["it = zipfile.ZipFile('new.zip', 'w')"], "open for writing"),
        (["it = zipfile.ZipFile(io.BytesIO(Path('some.zip').read_bytes()))"], "cannot be told whether"),
        (["def make(): return zipfile.ZipFile('some.zip')", "it = make()", "os.chdir('elsewhere')"], "made again"),
        (["def make(): return zipfile.ZipFile('some.zip')", "it = make()", "it.setpassword(b'x')"], "its pwd is"),
        (["def make(): return zipfile.ZipFile('some.zip')", "it = make()", "os.remove('some.zip')"], "made again"),
        (["get_ipython = lambda: None", "%time it = 3", CONNECT], "cannot be found"),
    ],
)  # fmt: skip
def test_what_may_not_be_the_same_is_not_made_again(cells: list[str], reason: str | None, notebook: Notebook) -> None:
    magics = [cell for cell in cells if cell.startswith("%")]
    namespace = notebook(*[cell for cell in cells if not cell.startswith("%")])
    namespace["_ih"] += magics
    if reason is None:
        assert recipe_of(namespace["it"], [namespace]) is None
        return
    with pytest.raises(NotAgain, match=reason):
        recipe(namespace)
    assert not Path("elsewhere/new.db").exists()


def test_settings_go_along(notebook: Notebook) -> None:
    cells = ["it.row_factory = sqlite3.Row", "it.isolation_level = None", "it.text_factory = bytes"]
    found = recipe(notebook(CONNECT, *cells))
    assert found.settings == {"row_factory": sqlite3.Row, "isolation_level": None, "text_factory": bytes}
    plain = "def as_dict(cursor, row):\n    return dict(zip([part[0] for part in cursor.description], row))"
    assert recipe(notebook(CONNECT, plain, "it.row_factory = as_dict")).settings.keys() == {"row_factory"}


def test_what_python_registers_with_the_module_is_not_in_workers(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters: dict[Any, Any] = vars(sqlite3)["adapters"]
    monkeypatch.setitem(adapters, "MINE", lambda value: value)
    with pytest.raises(NotAgain, match="MINE"):
        recipe(notebook(CONNECT))


@pytest.mark.parametrize("asking", ["detect_types=sqlite3.PARSE_DECLTYPES", "5.0, 1"])
def test_what_python_converts_keeps_only_connections_that_convert(
    asking: str, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPython's own history registers one as soon as it is opened."""
    converting = f"it = sqlite3.connect('some.db', {asking})"
    monkeypatch.setattr(sqlite3, "converters", {"MINE": lambda data: data})
    assert recipe(notebook(CONNECT)).line == "sqlite3.connect('some.db')"
    with pytest.raises(NotAgain, match="MINE"):
        recipe(notebook(converting))


def test_a_line_under_a_magic_is_found(notebook: Notebook) -> None:
    namespace = notebook(CONNECT)
    namespace["_ih"][-1] = f"get_ipython().run_cell_magic('parallel', '-b processes', {CONNECT!r})"
    assert recipe(namespace).line == "sqlite3.connect('some.db')"
    namespace["_ih"][-1] = f"get_ipython().run_line_magic('time', {CONNECT!r})"
    with pytest.raises(NotAgain, match="cannot be found"):
        recipe(namespace)


def test_the_file_of_a_script_is_its_history(notebook: Notebook, tmp_path: Path) -> None:
    namespace = notebook(CONNECT)
    del namespace["_ih"]
    with pytest.raises(NotAgain, match="cannot be found"):
        recipe(namespace)
    script = tmp_path / "script.py"
    script.write_text(f"import sqlite3\nif __name__ == '__main__':\n    {CONNECT}\n")
    namespace["__file__"] = str(script)
    assert recipe(namespace).line == "sqlite3.connect('some.db')"


@pytest.mark.parametrize("source", ["[1]", "object()", "__import__('threading').Lock()", "None"])
def test_others_are_none_of_its_business(source: str) -> None:
    assert recipe_of(eval(source), []) is None


class Client:
    """Stands for a client of which nothing but its arguments tells what it is connected to."""

    def __init__(self, service: str, region: str = "here") -> None:
        details = types.SimpleNamespace(service_name=service)
        self.meta = types.SimpleNamespace(service_model=details, region_name=region, endpoint_url=service)


@pytest.fixture
def boto(monkeypatch: pytest.MonkeyPatch) -> None:
    Client.__module__, Client.__qualname__ = "botocore.client", "BaseClient"
    monkeypatch.setitem(sys.modules, "botocore.client", types.ModuleType("botocore.client"))
    module = types.ModuleType("boto3")
    module.__dict__["client"] = lambda service, region_name="here": Client(service, region_name)
    monkeypatch.setitem(sys.modules, "boto3", module)


@pytest.mark.usefixtures("boto")
@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["it = boto3.client('s3')"], ""),
        (["region = 'there'", "it = boto3.client('s3', region_name=region)"], ""),
        (["region = 'there'", "it = boto3.client('s3', region_name=region)", "region = 'there'"], ""),
        (["region = input_of()", "it = boto3.client('s3', region_name=region)"], ""),
        (["region = input_of()", "it = boto3.client(region)", "region = input_of()"], "cannot be told"),
        (["it = boto3.client('s3')", "os.environ['AWS_PROFILE'] = 'other'"], "may have changed"),
        (["region = 'there'", "it = boto3.client('s3', region_name=region)", "exec('pass')"], "may have changed"),
        (["it = boto3.client('s3')", "it.meta.region_name = 'other'"], "its meta.region_name is 'other'"),
    ],
)  # fmt: skip
def test_where_nothing_else_tells_the_names_do(cells: list[str], reason: str, notebook: Notebook) -> None:
    namespace = notebook("import boto3\ndef input_of():\n    return 'there'", *cells)
    if not reason:
        assert recipe(namespace).line.startswith("boto3.client(")
        return
    with pytest.raises(NotAgain, match=reason):
        recipe(namespace)


def test_a_client_whose_settings_have_changed_is_not_made_again(notebook: Notebook) -> None:
    pytest.importorskip("httpx")
    namespace = notebook("import httpx\nit = httpx.Client(base_url='http://localhost', headers={'A': 'b'})")
    assert recipe(namespace).line.startswith("httpx.Client(")
    namespace["it"].headers["token"] = "mine"
    with pytest.raises(NotAgain, match="its headers"):
        recipe(namespace)
    namespace["it"].close()


class Dispatch:
    """Stands for who tells functions of events."""

    _event_names = ("connect", "begin")

    def __init__(self) -> None:
        self.connect: list[Any] = []
        self.begin: list[Any] = []


class Url:
    """Stands for an address of SQLAlchemy's."""

    def __init__(self, text: str) -> None:
        self.text, self.database = text, text.partition("///")[2] or None

    def render_as_string(self, hide_password: bool) -> str:
        assert not hide_password
        return self.text


class Engine:
    """Stands for an engine of SQLAlchemy; it has no `close`."""

    def __init__(self, address: str, echo: bool) -> None:
        self.url, self.echo, self.dispatch = Url(address), echo, Dispatch()
        self.pool, self.dialect = types.SimpleNamespace(dispatch=Dispatch()), types.SimpleNamespace(dispatch=Dispatch())
        self.dialect.name = address.partition(":")[0]

    def dispose(self) -> None:
        """Close its connections."""


@pytest.fixture
def sqlalchemy(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine.__module__, Engine.__qualname__ = "sqlalchemy.engine.base", "Engine"
    monkeypatch.setitem(sys.modules, Engine.__module__, types.ModuleType(Engine.__module__))
    module = types.ModuleType("sqlalchemy")

    @functools.wraps(Engine)
    def create_engine(address: str, echo: bool = False) -> Engine:
        return Engine(address, echo)

    vars(create_engine)["__wrapped__"] = lambda *given: None
    module.__dict__["create_engine"] = create_engine
    monkeypatch.setitem(sys.modules, "sqlalchemy", module)


ENGINE = "it = sqlalchemy.create_engine('sqlite:///some.db')"


@pytest.mark.usefixtures("sqlalchemy")
@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([ENGINE], ""),
        (["it = sqlalchemy.create_engine('postgresql://me:word@there/db')"], ""),
        (["it = sqlalchemy.create_engine('sqlite://')"], "in memory"),
        (["it = sqlalchemy.create_engine('sqlite:///:memory:')"], "in memory"),
        (["it = sqlalchemy.create_engine('sqlite:///file:x?mode=memory&uri=true')"], "in memory"),
        ([ENGINE, "it.pool.dispatch.connect.append(print)"], "not as a new one is"),
        ([ENGINE, "it.echo = True"], "its echo is 'True'"),
        ([ENGINE, "os.chdir('elsewhere')"], "may have changed"),
        ([ENGINE, "del it.url"], "cannot be asked"),
    ],
)
def test_an_engine_is_made_again_where_its_address_and_listeners_are_those_of_a_new_one(
    cells: list[str], reason: str, notebook: Notebook
) -> None:
    namespace = notebook("import sqlalchemy", *cells)
    if not reason:
        found = recipe(namespace)
        assert found.line.startswith("sqlalchemy.create_engine(")
        assert found.make is namespace["sqlalchemy"].create_engine, "it goes by its name, as the decorated function"
        return
    with pytest.raises(NotAgain, match=reason):
        recipe(namespace)


class Redis:
    """Stands for a client of redis."""

    def __init__(self, host: str = "localhost", db: int = 0) -> None:
        self.connection_pool = types.SimpleNamespace(connection_class=dict)
        self.response_callbacks: dict[str, Any] = {"GET": str}


class MongoClient:
    """Stands for a client of pymongo."""

    def __init__(self, host: str = "localhost") -> None:
        self.codec_options, self.read_preference, self.read_concern, self.write_concern = 1, 2, 3, 4


@pytest.mark.parametrize(
    ("kind", "place", "home", "change"),
    [
        (Redis, "redis.client", "redis", "it.response_callbacks['GET'] = int"),
        (MongoClient, "pymongo.synchronous.mongo_client", "pymongo", "it.read_concern = 5"),
        (MongoClient, "pymongo.mongo_client", "pymongo", "it.codec_options = 5"),
    ],
)
def test_clients_of_redis_and_mongo_are_made_again_unless_changed(
    kind: type, place: str, home: str, change: str, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(kind.__name__, (kind,), {"__module__": place, "__qualname__": kind.__name__})
    monkeypatch.setitem(sys.modules, place, types.ModuleType(place))
    module = types.ModuleType(home)
    module.__dict__[kind.__name__] = kind
    monkeypatch.setitem(sys.modules, home, module)
    cells = f"import {home}\nname = 'there'", f"it = {home}.{kind.__name__}(name)"
    assert recipe(notebook(*cells)).line == f"{home}.{kind.__name__}(name)"
    with pytest.raises(NotAgain, match="not as in a new one"):
        recipe(notebook(*cells, change))
    with pytest.raises(NotAgain, match="several values"):
        recipe(notebook(*cells, "name = 'elsewhere'"))


def test_names_of_a_function_are_not_looked_for_in_the_cells(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = notebook(CONNECT)
    monkeypatch.setattr("concompare.cells.recipes.recipe.frame_of", lambda found: found)
    with pytest.raises(NotAgain, match="no name of the notebook"):
        recipe(namespace)


def test_it_is_seen_which_connections_are_for_one_thread(notebook: Notebook) -> None:
    free = "sqlite3.connect('some.db', check_same_thread=False)"
    namespace = notebook(CONNECT, f"free, own, odd, gone = {free}, {free}, {free}, {free}\ncursor = it.cursor()")
    namespace["own"].create_function("double", 1, lambda x: 2 * x)
    namespace["odd"].row_factory = lambda cursor, row: namespace
    namespace["gone"].close()
    assert kept_from_threads(namespace["it"]).startswith("can only be used in the thread")
    assert kept_from_threads(namespace["cursor"]).startswith("can only be used in the thread")
    assert kept_from_threads(namespace["own"]).startswith("calls functions of the notebook")
    assert kept_from_threads(namespace["odd"]).startswith("calls functions of the notebook")
    assert [kept_from_threads(namespace[name]) for name in ("free", "gone", "os")] == ["", "", ""]


def test_a_connection_that_tells_what_it_does_is_not_asked_anything(notebook: Notebook) -> None:
    namespace = notebook("seen = []\nit = sqlite3.connect('some.db', check_same_thread=False)", "cursor = it.cursor()")
    namespace["it"].set_trace_callback(namespace["seen"].append)
    assert kept_from_threads(namespace["it"]).startswith("tells a function of the notebook")
    assert kept_from_threads(namespace["cursor"]).startswith("tells a function of the notebook")
    with pytest.raises(NotAgain, match="tells a function of the notebook"):
        recipe(namespace)
    namespace["it"].set_trace_callback(None)
    assert (namespace["seen"], kept_from_threads(namespace["it"])) == ([], "")
