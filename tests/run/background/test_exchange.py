"""Names that go to another process and come back: copies there, the notebook's own objects here."""

from __future__ import annotations

import ast
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from concompare.errors import CannotShip
from concompare.run.background import exchange


class Box:
    """Something that holds a value, and equals nothing else."""

    def __init__(self, value: Any) -> None:
        self.value = value


def ran(notebook: dict[str, Any], cell: str, meanwhile: Callable[[], object] = lambda: None) -> exchange.Returned:
    """Run a cell on copies of the notebook's names, and bind what it leaves unless that has changed `meanwhile`."""
    tree = ast.parse(cell)
    names = exchange.names_in(tree, notebook)
    seen = exchange.Seen(dict(notebook))
    probe, given = pickle.loads(exchange.packed_names(names, notebook))
    namespace = probe.__globals__
    assert namespace is not notebook
    namespace.update(given)
    watched = exchange.Names(namespace)
    exec(compile(tree, "<cell>", "exec"), namespace)
    returned: exchange.Returned = pickle.loads(pickle.dumps(watched.returned()))
    meanwhile()
    values = seen.load(returned)
    if not seen.changed(returned, notebook):
        for name in returned.kept:
            values.pop(name, None)
        exchange.bind(returned, values, notebook)
    return returned


@pytest.mark.parametrize(
    "cell",
    [
        "x = 3\ntotal += 2",
        "new = [box for box in boxes]\nfirst = boxes[0]\npair = (boxes, table)",
        "for box in boxes:\n    out.append((box, box.value))\n    table[box.value] = box",
        "out.append(1)\nalias = out\nboth = [out, boxes]",
        "table['more'] = out\ntable.pop('k')",
        "seen |= {3, 4}\nseen.discard(1)",
        "boxes.reverse()\ndel total",
        "out.clear()",
        "boxes = boxes[:1]",
    ],
)
def test_what_a_cell_leaves_is_what_the_plain_cell_leaves(cell: str) -> None:
    def fresh() -> dict[str, Any]:
        boxes = [Box(n) for n in range(3)]
        return {"boxes": boxes, "out": [0], "table": {"k": boxes[1]}, "seen": {1, 2}, "total": 5, "other": boxes}

    plain, notebook = fresh(), fresh()
    notebook_boxes, notebook_out = notebook["boxes"], notebook["out"]
    own, others = list(notebook["boxes"]), list(plain["boxes"])
    exec(cell, plain)
    plain.pop("__builtins__")
    returned = ran(notebook, cell)
    assert returned.kept == {}
    notebook.pop("__builtins__", None)
    assert notebook["other"] is notebook_boxes
    assert "out = " in cell or notebook["out"] is notebook_out
    matching = dict(zip(map(id, own), map(id, others), strict=True))
    assert shape(notebook, matching) == shape(plain, {})


def shape(thing: Any, matching: dict[int, int], path: tuple[int, ...] = ()) -> Any:
    """Return what something is made of, boxes by which ones they are."""
    if isinstance(thing, Box):
        return matching.get(id(thing), id(thing))
    if isinstance(thing, dict):
        return {key: shape(value, matching) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return type(thing)(shape(part, matching) for part in thing)
    return thing


@pytest.mark.parametrize(
    "cell", ["boxes[0].value = 9", "box.value += 1", "for one in boxes:\n    one.value = 0\nx = boxes"]
)
def test_a_copy_that_was_changed_is_kept_and_not_bound(cell: str) -> None:
    boxes = [Box(n) for n in range(2)]
    notebook: dict[str, Any] = {"boxes": boxes, "box": Box(5)}
    returned = ran(notebook, cell)
    assert set(returned.kept) <= {"boxes", "box", "one"}
    assert "was changed in place" in next(iter(returned.kept.values()))
    assert [one.value for one in boxes] == [0, 1]
    assert notebook["box"].value == 5
    assert notebook["boxes"] is boxes


@pytest.mark.parametrize(
    ("cell", "meanwhile", "changed"),
    [
        ("r = 1", lambda names: names.update(r=2), ["r"]),
        ("out.append(1)", lambda names: names["out"].append(7), ["out"]),
        ("out.append(1)\nx = 1", lambda names: names.update(out=[]), ["out"]),
        ("table['a'] = 1", lambda names: names["table"].update(b=2), ["table"]),
        ("seen.add(3)", lambda names: names["seen"].add(8), ["seen"]),
        ("r = len(out)", lambda names: names["out"].append(7), []),
    ],
)
def test_what_was_changed_meanwhile_is_not_written_over(
    cell: str, meanwhile: Callable[[dict[str, Any]], object], changed: list[str]
) -> None:
    notebook: dict[str, Any] = {"out": [0], "table": {}, "seen": {1}}
    seen = exchange.Seen(dict(notebook))
    returned = ran(notebook, cell, lambda: meanwhile(notebook))
    assert seen.changed(returned, notebook) == changed if changed else notebook["r"] == 1


def test_functions_of_the_notebook_see_its_names_there_too() -> None:
    notebook: dict[str, Any] = {"__name__": "__main__", "count": 0}
    exec(
        "def step():\n    global count\n    count += 1\n    return helper() + count\ndef helper():\n    return 10",
        notebook,
    )
    ran(notebook, "value = step()")
    assert (notebook["value"], notebook["count"]) == (11, 1)


def test_values_of_a_dict_are_the_notebook_s_own_whatever_its_keys_are() -> None:
    notebook: dict[str, Any] = {"table": {Box(1): [1, 2], Box(2): [3]}}
    ran(notebook, "first, second = table.values()\nboth = [second, table]")
    assert notebook["second"] is list(notebook["table"].values())[1]
    assert notebook["both"][0] is notebook["second"]
    assert notebook["both"][1] is notebook["table"]


def test_what_cannot_be_sent_is_named() -> None:
    names = {"a": 1, "lock": threading.Lock()}
    with pytest.raises(CannotShip, match=r"^`lock` cannot be sent to a process of its own: cannot pickle"):
        exchange.packed_names(names, dict(names))


def test_what_cannot_come_back_costs_itself_alone() -> None:
    notebook: dict[str, Any] = {"n": 1}
    returned = ran(notebook, "import threading\nlock = threading.Lock()\nx = n + 1\nf = lambda: n")
    assert notebook["x"] == 2
    assert returned.kept["lock"].startswith("cannot be sent back: cannot pickle")
    assert returned.kept["f"] == "is a function of the run: define it in a cell of its own"
    assert "f" not in notebook


def test_frames_arrive_whole_or_not_at_all() -> None:
    file = io.BytesIO()
    exchange.send(file, {"a": 1})
    exchange.send(file, "b")
    whole = file.getvalue()
    assert [exchange.receive(file) for file in [io.BytesIO(whole)] for _ in range(2)] == [{"a": 1}, "b"]
    first = len(whole) - exchange.SIZE.size - len(pickle.dumps("b", 5))
    for size in (0, 3, exchange.SIZE.size, first - 1):
        with pytest.raises(EOFError):
            exchange.receive(io.BytesIO(whole[:size]))
