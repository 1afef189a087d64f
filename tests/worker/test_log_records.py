"""What items log and warn of: handled once, in item order, by what the notebook has set up."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import api, backends, engine
from concompare.cells.task import task_of
from concompare.run import dispatch
from concompare.run.request import request_of
from concompare.worker import log_records

COUNT = 24
KINDS = ["serial", "threads", "processes", "spawn", "loky"]


class Keep(logging.Handler):
    """A handler that keeps a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Keep]:
    root, handler = logging.getLogger(), Keep()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def made(source: str) -> Callable[[Any], Any]:
    """Return the function `f` of a notebook's source."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    function: Callable[[Any], Any] = namespace["f"]
    return function


PLAIN = made("import logging\ndef f(x):\n    logging.getLogger('app.part').info('item %d', x)\n    return x\n")
DEBUG = made("import logging\ndef f(x):\n    logging.getLogger('app').debug('item %d', x)\n    return x\n")
QUIET = made("import logging\ndef f(x):\n    logging.getLogger('app.part').debug('item %d', x)\n    return x\n")
FORMAT = made("import logging\ndef f(x):\n    logging.info({'item': x})\n    logging.getLogger().info('and %s', [x])\n")
EXTRA = made(
    "import logging\ndef f(x):\n    logging.getLogger('app').info('item', extra={'place': x, 'bad': (i for i in ())})\n"
)
FAILS = made(
    "import logging\ndef f(x):\n    try:\n        1 / 0\n"
    "    except ZeroDivisionError:\n        logging.getLogger('app').exception('item %d', x)\n"
)


def record_of(item: int, failed: Any) -> logging.LogRecord:
    """Return a record with an argument."""
    return logging.LogRecord("app", logging.INFO, "cell", 3, "item %d", (item,), failed)


WARNS = made("import warnings\ndef f(x):\n    warnings.warn(f'item {x}')\n    return x\n")
LINES = [f"item {item}" for item in range(COUNT)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_is_handled_once_and_in_item_order(kind: str, kept: Keep) -> None:
    api.map(PLAIN, range(COUNT), backend=kind, workers=2)
    assert kept.lines == LINES


@pytest.mark.parametrize("kinds", [["threads"], ["processes"], ["threads", "processes"]])
def test_a_comparison_handles_each_record_once(kinds: list[str], kept: Keep, tmp_path: Path) -> None:
    file = logging.FileHandler(tmp_path / "lines")
    logging.getLogger("app").addHandler(file)
    try:
        dispatch.measure(task_of(PLAIN, list(range(COUNT))), request_of(kinds, 2, budget=1.0))
    finally:
        logging.getLogger("app").removeHandler(file)
        file.close()
    assert kept.lines == LINES
    assert (tmp_path / "lines").read_text().splitlines() == LINES


def test_several_configurations_handle_each_record_once(kept: Keep) -> None:
    dispatch.run(task_of(PLAIN, range(COUNT)), request_of(["threads", "processes", "serial"], 2))
    assert kept.lines == LINES


@pytest.mark.parametrize("kind", KINDS)
def test_workers_have_the_levels_of_the_notebook(kind: str, kept: Keep) -> None:
    logger = logging.getLogger("app")
    api.map(DEBUG, range(COUNT), backend=kind, workers=2)
    assert kept.lines == []
    logger.setLevel(logging.DEBUG)
    try:
        api.map(DEBUG, range(COUNT), backend=kind, workers=2)
        assert kept.lines == LINES
    finally:
        logger.setLevel(logging.NOTSET)
    kept.lines.clear()
    api.map(QUIET, range(COUNT), backend=kind, workers=2)
    assert kept.lines == []


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_made_of_what_the_item_had(kind: str, kept: Keep) -> None:
    api.map(FORMAT, range(3), backend=kind, workers=2)
    assert kept.lines == [line for item in range(3) for line in (f"{{'item': {item}}}", f"and [{item}]")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("logged", ["'%s', d", "d", "'%s and %d', d, x", "'%(item)s', d", "'%s', Own(d)", "Own(d)"])
def test_texts_are_as_when_the_item_logged_whatever_changes_later(logged: str, kind: str, kept: Keep) -> None:
    change = made(
        "import logging\nclass Own:\n    def __init__(self, d): self.d = d\n    def __str__(self): return str(self.d)\n"
        f"def f(x):\n    d = {{'item': [x]}}\n    logging.info({logged})\n    d['item'].append(-1)\n    return d\n"
    )
    api.map(change, range(3), backend=kind, workers=2)
    assert [line for line in kept.lines if "-1" in line] == []
    assert [str(item) in line for item, line in enumerate(kept.lines)] == [True] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_handlers_get_the_data_that_was_logged(kind: str, kept: Keep) -> None:
    seen: list[Any] = []

    def emit(record: logging.LogRecord) -> None:
        seen.append(copy.deepcopy((record.msg, record.args, vars(record).get("data"))))

    kept.emit = emit  # type: ignore[method-assign]
    function = made(
        "import logging\ndef f(x):\n    d = {'item': (x, None), 'in': {'a': [x]}}\n"
        "    logging.info(d, extra={'data': d['in']})\n    logging.info('%s %s', [x], 2.5)\n    d['in']['a'][0] = 9\n"
    )
    api.map(function, range(2), backend=kind, workers=2)
    for item in range(2):
        assert seen[2 * item] == ({"item": (item, None), "in": {"a": [item]}}, (), {"a": [item]})
        assert seen[2 * item + 1] == ("%s %s", ([item], 2.5), None)


def test_a_record_with_its_text_is_one_like_others() -> None:
    class Own:
        def __str__(self) -> str:
            return ", ".join(parts)

    parts = ["a"]
    settled = log_records.settled(logging.LogRecord("app", logging.INFO, "cell", 3, "own %s", (Own(),), None))
    parts.append("b")
    assert settled.getMessage() == "own a"
    assert isinstance(settled.args[0], Own)
    assert type(settled).__name__ == "LogRecord"
    copied, sent = copy.copy(settled), pickle.loads(pickle.dumps(settled))
    assert (copied.getMessage(), sent.getMessage()) == ("own a", "own a")
    assert set(vars(settled)) == set(vars(record_of(1, None)))


def test_a_record_whose_text_cannot_be_made_is_left_to_its_handlers() -> None:
    record = logging.LogRecord("app", logging.INFO, "cell", 3, "%d", (object(),), None)
    with pytest.raises(TypeError):
        log_records.settled(record).getMessage()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_record_has_besides_comes_along_as_far_as_it_can_be_sent(kind: str, kept: Keep) -> None:
    kept.setFormatter(logging.Formatter("%(name)s %(message)s %(place)d"))
    api.map(EXTRA, range(COUNT), backend=kind, workers=2)
    assert kept.lines == [f"app item {item}" for item in range(COUNT)]


@pytest.mark.parametrize("kind", KINDS)
def test_tracebacks_in_records_come_along(kind: str, kept: Keep) -> None:
    api.map(FAILS, range(3), backend=kind, workers=2)
    assert [line.splitlines()[0] for line in kept.lines] == LINES[:3]
    assert {line.splitlines()[-1] for line in kept.lines} == {"ZeroDivisionError: division by zero"}


def test_handlers_see_what_a_record_was_made_of() -> None:
    record = record_of(7, None)
    try:
        raise ValueError("bad")
    except ValueError:
        failed = record_of(8, sys.exc_info())
    seen = [logging.makeLogRecord(pickle.loads(log_records.sendable_record(one))) for one in (record, failed)]

    assert [(one.msg, one.args, one.getMessage()) for one in seen] == [
        ("item %d", (7,), "item 7"),
        ("item %d", (8,), "item 8"),
    ]
    assert seen[0].exc_info is None
    assert seen[1].exc_info is not None
    kind, error, frames = seen[1].exc_info
    assert (kind, repr(error), frames) == (ValueError, "ValueError('bad')", None)
    assert str(seen[1].exc_text).endswith("ValueError: bad")


def test_a_record_that_cannot_be_sent_whole_has_its_text() -> None:
    record = record_of(7, None)
    record.odd = iter("")

    assert logging.makeLogRecord(pickle.loads(log_records.sendable_record(record))).getMessage() == "item 7"


def test_a_filter_of_the_logger_is_asked_where_the_item_runs(kept: Keep) -> None:
    def odd(record: logging.LogRecord) -> bool:
        return bool(record.args) and record.args[0] % 2 == 1  # type: ignore[index,operator]

    logger = logging.getLogger("app.part")
    logger.addFilter(odd)
    try:
        api.map(PLAIN, range(COUNT), backend="threads", workers=2)
    finally:
        logger.removeFilter(odd)
    assert kept.lines == LINES[1::2]


def test_records_of_other_threads_and_times_are_handled_at_once(kept: Keep) -> None:
    before = logging.Logger.handle
    with log_records.kept():
        logging.getLogger("app").info("not of an item")
        assert kept.lines == ["not of an item"]
    assert logging.Logger.handle is before


def test_records_before_a_failing_item_are_handled(kept: Keep) -> None:
    source = "import logging\ndef f(x):\n    logging.getLogger('app').info('item %d', x)\n    return 1 // (3 - x)\n"
    for kind in ("serial", "threads", "processes"):
        kept.lines.clear()
        with pytest.raises(ZeroDivisionError):
            api.map(made(source), range(8), backend=kind, workers=2)
        assert kept.lines == LINES[:4]


@pytest.mark.parametrize("kind", KINDS)
def test_warnings_go_to_what_the_notebook_shows_them_with(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *place, **more: shown.append(str(message)))
    with engine.lease(backends.find(kind), 2, fresh=True) as pool, warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *place, **more: shown.append(str(message)))
        engine.run_pass(WARNS, range(COUNT), pool)
        assert shown == LINES
        shown.clear()
        engine.run_pass(WARNS, range(COUNT), pool, engine.PassOptions(output="drop"))
    assert shown == []


def test_a_warning_that_cannot_be_sent_comes_as_its_text() -> None:
    class Own(UserWarning):
        def __reduce__(self) -> Any:
            raise TypeError

    message, category, *place = pickle.loads(log_records.sendable(log_records.WARNING, (Own("said"), Own, "cell", 3)))
    assert (message, category, place) == ("Own: said", UserWarning, ["cell", 3])


def test_lines_of_cells_that_workers_lack_are_put_into_tracebacks() -> None:
    here = f'  File "{__file__}", line 3, in f\n'
    assert log_records.with_source(here) == here + "    from __future__ import annotations\n"
    assert log_records.with_source('  File "gone", line 1, in f\nE') == '  File "gone", line 1, in f\nE'


@pytest.mark.parametrize("kinds", [["serial"], ["threads"], ["processes"], ["serial", "threads", "processes"]])
def test_a_comparison_prints_and_warns_once_where_the_streams_are_files(
    kinds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = made(
        "import sys, warnings\ndef f(x):\n    print(f'item {x}')\n    print(f'item {x}', file=sys.stderr)\n"
        "    warnings.warn(f'warned {x}')\n    return x\n"
    )
    with (
        (tmp_path / "out").open("w") as out,
        (tmp_path / "err").open("w") as err,
        warnings.catch_warnings(),
        monkeypatch.context() as patch,
    ):
        warnings.simplefilter("default")
        patch.setattr(warnings, "showwarning", lambda message, *_: err.write(f"{message}\n"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        dispatch.measure(task_of(function, list(range(COUNT))), request_of(kinds, 2, budget=1.0))
    assert (tmp_path / "out").read_text().splitlines() == LINES
    told = (tmp_path / "err").read_text().splitlines()
    assert [line for line in told if line in LINES] == LINES
    assert [line for line in told if line.startswith("warned")] == [f"warned {item}" for item in range(COUNT)]
