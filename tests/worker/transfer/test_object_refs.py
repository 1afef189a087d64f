"""Results from processes that hold the notebook's own objects hold those, as after the plain loop, and no copies."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

from concompare import backends, engine
from concompare.worker.transfer.object_refs import Source, Sources, have_no_parts, only_atoms, read, written
from concompare.worker.transfer.pickling import pack
from tests.engine.conftest import arena_of


class Person:
    def __init__(self, number: int) -> None:
        self.number = number
        self.tags = [number]
        self.friends: list[Person] = []


def run(function: Any, items: list[Any], name: str = "processes") -> list[Any]:
    with engine.lease(backends.find(name), 2) as pool:
        return engine.run_pass(function, items, pool).values


@pytest.fixture(scope="module", autouse=True)
def closed() -> Any:
    yield
    engine.close_pools()


@pytest.fixture
def people() -> list[Person]:
    found = [Person(number) for number in range(6)]
    found[2].friends.append(found[5])
    return found


@pytest.mark.parametrize("name", ["processes", "fork", "loky", "process-per-item"])
def test_items_in_results_are_the_notebook_s_own(name: str, people: list[Person]) -> None:
    values = run(lambda person: {"person": person, "tags": person.tags}, people, name)
    assert all(value["person"] is person for value, person in zip(values, people, strict=True))
    assert all(value["tags"] is person.tags for value, person in zip(values, people, strict=True))
    assert people[2].friends[0] is people[5]


def test_what_a_function_captures_is_the_notebook_s_own_too() -> None:
    settings = {"names": ["a"]}
    values = run(lambda number: (number, settings, [settings["names"]]), [1, 2, 3])
    assert all(one is settings and names[0] is settings["names"] for _, one, names in values)


def test_what_a_worker_has_changed_comes_back_changed(people: list[Person]) -> None:
    def change(person: Person) -> Person:
        person.tags.append(7)
        return person

    values = run(change, people)
    assert [value.tags for value in values] == [[number, 7] for number in range(6)]
    assert [person.tags for person in people] == [[number] for number in range(6)]


def test_a_captured_object_that_a_worker_has_changed_comes_back_changed() -> None:
    settings: dict[str, Any] = {"names": ["a"]}

    def change(number: int) -> Any:
        settings["names"] = [number]
        return settings

    assert run(change, [5]) == [{"names": [5]}]
    assert settings == {"names": ["a"]}


def test_an_item_that_was_sent_in_several_messages_is_one_object() -> None:
    shared = [1]
    values = run(lambda item: [item], [shared] * 200)
    assert all(value[0] is shared for value in values)


def test_small_arrays_keep_their_identity_and_large_ones_their_content() -> None:
    numpy = pytest.importorskip("numpy")
    small = [numpy.arange(10.0) for _ in range(4)]
    assert all(value[0] is array for value, array in zip(run(lambda array: [array], small), small, strict=True))
    large = [numpy.full(100_000, float(number)) for number in range(4)]

    def halve(array: Any) -> Any:
        array *= 0.5
        return [array]

    values = run(halve, large)
    assert [value[0][0] for value in values] == [0.0, 0.5, 1.0, 1.5]
    assert [array[0] for array in large] == [0.0, 1.0, 2.0, 3.0]


def test_items_whose_arrays_find_no_room_come_back_as_copies() -> None:
    numpy = pytest.importorskip("numpy")
    items = [{"data": numpy.zeros(5000) + number} for number in range(3)]
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        engine.run_pass(len, items[:1], pool)
        arena_of(pool).limit = arena_of(pool).total
        arena_of(pool).free.clear()
        values = engine.run_pass(lambda item: [item], items, pool).values
    assert [value[0]["data"][-1] for value in values] == [0.0, 1.0, 2.0]


ROWS: list[Any] = [
    (1, "a"),
    [1, "a"],
    {"a": 1.5},
    {1, 2},
    frozenset({"b"}),
    bytearray(b"c"),
    (),
    7,
    2**70,
    "text",
    None,
]
"""Items without parts that could be told from copies, some of which have an identity."""


def is_kept(value: Any, item: Any) -> bool:
    return value is item if type(item) not in (int, str) else value == item


@pytest.mark.parametrize("chunk", [1, None])
@pytest.mark.parametrize(
    "around",
    [lambda item: item, lambda item: [item], lambda item: ([[item, item]], {"k": item})],
    ids=["", "in", "deep"],
)
def test_plain_items_in_results_are_the_notebook_s_own(around: Any, chunk: int | None) -> None:
    with engine.lease(backends.find("processes"), 2) as pool:
        values = engine.run_pass(around, ROWS, pool, engine.PassOptions(chunk=chunk)).values
    assert values == list(map(around, ROWS))
    for value, item in zip(values, ROWS, strict=True):
        if value == item:
            assert is_kept(value, item)
        elif type(value) is list:
            assert is_kept(value[0], item)
        else:
            (pair,), named = value
            assert all(is_kept(one, item) for one in (*pair, named["k"]))


@pytest.mark.parametrize("chunk", [1, 8, None])
def test_of_plain_items_those_that_were_changed_come_back_changed_and_the_others_themselves(chunk: int | None) -> None:
    def change(row: dict[str, int]) -> dict[str, int]:
        if row["n"] % 3 == 0:
            row["n"] = -1
        return row

    rows = [{"n": number} for number in range(48)]
    with engine.lease(backends.find("processes"), 2) as pool:
        values = engine.run_pass(change, rows, pool, engine.PassOptions(chunk=chunk)).values
    assert [row["n"] for row in rows] == list(range(48))
    assert [value["n"] for value in values] == [-1 if number % 3 == 0 else number for number in range(48)]
    assert [value is row for value, row in zip(values, rows, strict=True)] == [number % 3 != 0 for number in range(48)]


def test_new_objects_beside_plain_items_are_new_and_shared_as_they_were() -> None:
    def pair(row: list[int]) -> Any:
        new = ["new", row]
        return new, new, row, list(row)

    rows = [[number] for number in range(40)]
    for (new, same, own, copy), row in zip(run(pair, rows), rows, strict=True):
        assert new is same
        assert new == ["new", row]
        assert new[1] is own is row
        assert copy == row
        assert copy is not row


def test_one_plain_item_in_several_places_is_one_object() -> None:
    shared, other = [1], (2, "x")
    rows = [shared, other, shared, [3], other] * 30
    values = run(lambda row: {"row": row}, rows)
    assert all(value["row"] is row for value, row in zip(values, rows, strict=True))


def test_a_plain_item_that_the_worker_keeps_is_the_notebook_s_own_in_later_results() -> None:
    kept: list[Any] = []

    def keep(row: list[int]) -> Any:
        kept.append(row)
        return kept[0], len(kept)

    rows = [[number] for number in range(6)]
    with engine.lease(backends.find("processes"), 1) as pool:
        values = engine.run_pass(keep, rows, pool, engine.PassOptions(chunk=3)).values
    assert [value[0] for value in values] == [[0]] * 6
    assert all(value[0] is rows[0] for value in values[:3])


def test_what_is_captured_and_plain_items_keep_their_identity_in_one_result() -> None:
    settings = {"a": [1]}
    rows = [(number, "x") for number in range(40)]
    values = run(lambda row: (row, settings, settings["a"]), rows)
    assert all(
        one is row and two is settings and three is settings["a"]
        for (one, two, three), row in zip(values, rows, strict=True)
    )


def test_large_results_beside_plain_items_keep_their_identity_too() -> None:
    numpy = pytest.importorskip("numpy")
    rows = [[number] for number in range(6)]
    for _ in range(2):  # the second time there is room for the results
        values = run(lambda row: (row, numpy.full(30_000, row[0]), "x" * 200_000), rows)
        assert all(value[0] is row and (value[1] == row[0]).all() for value, row in zip(values, rows, strict=True))


def test_a_plain_item_in_an_error_is_the_notebook_s_own() -> None:
    def fail(row: list[int]) -> None:
        raise ValueError(row)

    rows = [[number] for number in range(5)]
    with engine.lease(backends.find("processes"), 2) as pool:
        outcome = engine.run_pass(fail, rows, pool, engine.PassOptions(on_error="keep"))
    assert all(failure.error.args[0] is row for failure, row in zip(outcome.failures, rows, strict=True))


def test_a_result_that_cannot_be_sent_spares_the_others_beside_plain_items() -> None:
    rows = [[number] for number in range(8)]
    with engine.lease(backends.find("processes"), 2) as pool:
        options = engine.PassOptions(on_error="keep", chunk=4)
        values = engine.run_pass(lambda row: (n for n in row) if row == [3] else row, rows, pool, options).values
    assert all(value is row for value, row in zip(values, rows, strict=True) if row != [3])
    assert isinstance(values[3].error, TypeError)


@pytest.mark.parametrize(
    ("things", "plain"),
    [
        ([1, "a", (1, 2), {"a": 1}, [None], {2}], True),
        ([[[1]]], False),
        ([{"a": []}], False),
        ([{(1, 2): "a"}], False),
        ([range(3)], False),
        ([Person], False),
    ],
)
def test_things_without_parts_are_told_from_others(things: list[Any], plain: bool) -> None:
    assert have_no_parts(things) is plain
    assert have_no_parts(things, 2**30) is plain  # walked one by one


def test_arrays_of_numbers_have_no_parts_and_arrays_of_objects_do() -> None:
    numpy = pytest.importorskip("numpy")
    assert have_no_parts([numpy.ones(3), [1], numpy.array("a")])
    assert not have_no_parts([numpy.array([[]], dtype=object), [1]])


def test_last_names_hold_the_notebook_s_own_objects(people: list[Person]) -> None:
    def head(person: Person) -> tuple[int, dict[str, Any]]:
        return person.number, {"tags": person.tags}

    with engine.lease(backends.find("processes"), 2) as pool:
        options = engine.PassOptions(temporaries=("tags",))
        outcome = engine.run_pass(head, people, pool, options)
    assert outcome.names["tags"] is people[-1].tags


def test_writer_and_reader_number_objects_alike(people: list[Person]) -> None:
    things = [people, {1: {2}}, (1, [2]), bytearray(b"x"), ["a"] * 2, range(3)]
    picklers: list[Any] = []
    reader = pickle.Unpickler(io.BytesIO(pack(things, None, picklers)))
    loaded = reader.load()
    (sent, made), arrived = written(picklers[-1], things), read(reader)
    arrived = {number: thing for number, thing in arrived.items() if number not in made and thing is not loaded}
    assert sent.keys() == arrived.keys()
    assert [type(sent[number]).__name__ for number in sent] == [type(arrived[number]).__name__ for number in sent]
    assert any(thing is people[3].tags for thing in sent.values())


@pytest.mark.parametrize(
    ("values", "plain"),
    [(range(9), True), ([1, "a", None], True), ([(1, "a"), (2.0,)], True), ([[1]], False), ([(1, [2])], False)],
)
def test_atoms_are_told_from_what_holds_others(values: Any, plain: bool) -> None:
    assert only_atoms(values) is plain


def test_nothing_is_looked_for_where_nothing_can_be_found() -> None:
    """Results that are numbers cost no look at all: the sources would fail at the first one."""
    from concompare.worker.results import pack_result

    sources = Sources()
    sources.add("items", Source(unwanted, unwanted))
    assert pickle.loads(pack_result([1, 2.0, "x"], [1, 2.0, "x"], None, sources)) == [1, 2.0, "x"]
    with pytest.raises(AssertionError, match="looked for"):
        pack_result([[1]], [[1]], None, sources)


def unwanted() -> dict[int, Any]:
    raise AssertionError("something was looked for")


def test_what_nobody_holds_is_not_looked_for_either() -> None:
    reader = pickle.Unpickler(io.BytesIO(pickle.dumps([[1], {2: 3}], 5)))
    things = reader.load()
    sources = Sources()
    source = Source(lambda: read(reader), unwanted)
    source.count()
    sources.add("function", source)
    assert sources.by_identity() == {}
    result = {"held": things[1]}
    assert set(sources.by_identity()) >= {id(result["held"])}


def test_the_list_that_items_came_in_is_not_looked_for() -> None:
    reader = pickle.Unpickler(io.BytesIO(pickle.dumps([1, 2, 3], 5)))
    items = reader.load()
    assert set(read(reader)) == {0}
    assert read(reader, chunk=items) == {}


def test_a_class_made_in_a_worker_stays_what_it_became_here() -> None:
    def made(number: int) -> Any:
        class Local:
            word = "a"

        thing: Any = Local()
        thing.number = number
        return thing, Local

    pairs = run(made, [0, 1, 2])
    assert all(type(thing) is kind for thing, kind in pairs)
    for _, kind in pairs:
        kind.word = "b"
    back = run(lambda pair: pair[0], pairs)
    assert [(thing.number, thing.word) for thing in back] == [(0, "b"), (1, "b"), (2, "b")]
    assert all(type(thing) is kind for thing, (_, kind) in zip(back, pairs, strict=True))


class Wrapped:
    """Its pickle holds a dictionary that it does not hold itself, until it is rebuilt."""

    def __init__(self, number: int) -> None:
        self.own = [number]

    def __getstate__(self) -> dict[str, Any]:
        return {"own": self.own, "fresh": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.own, self.state = state["own"], state


def parts_numbered(thing: Any) -> tuple[list[Any], int]:
    """Return the objects in a thing's pickle that results may refer to, and how many others there are."""
    picklers: list[Any] = []
    pack(thing, None, picklers)
    sent, made = written(picklers[-1], (thing,))
    return list(sent.values()), len(made)


def test_what_was_made_for_a_pickle_is_never_referred_to() -> None:
    wrapped = Wrapped(3)
    parts, others = parts_numbered(wrapped)
    assert {id(part) for part in parts} == {id(wrapped), id(wrapped.own)}
    assert others == 2


def test_parts_are_found_through_all_that_holds_them() -> None:
    numpy = pytest.importorskip("numpy")
    import collections
    import functools

    inside: list[list[int]] = [[number] for number in range(8)]
    array = numpy.empty(1, dtype=object)
    array[0] = inside[0]

    class Class:
        table = inside[1]

        def method(self, more: Any = inside[2]) -> Any:
            return more, inside[3]

    def function(*, key: Any = inside[4]) -> Any:
        return key, Class

    function.mark = inside[5]  # type: ignore[attr-defined]
    whole = [array, functools.partial(function, key=inside[6]), collections.deque([inside[7]]), Class()]
    parts, _ = parts_numbered(whole)
    found = {id(part) for part in parts}
    assert [number for number, part in enumerate(inside) if id(part) not in found] == []
    assert not [part for part in parts if type(part).__name__ in ("cell", "function", "type", "code", "module")]


def stale(now: list[Any], then: list[Any]) -> set[str]:
    """Return from which places a list is not as it arrived, where that was `then`."""
    sources = Sources()
    sources.add("function", Source(lambda: {0: now}, lambda: {0: then}))
    return sources.stale({("function", 0)}, pack, lambda things: None)


@pytest.mark.parametrize(("text", "found"), [("ab", set()), ("ac", {"function"})])
def test_which_texts_are_one_object_tells_no_change(text: str, found: set[str]) -> None:
    """Code that a worker reads may bring a text of its own where the pickle had one object."""
    one = "".join(["a", "b"])
    assert stale([one, one], [one, "".join(text)]) == found


def test_a_function_in_the_place_of_another_is_a_change() -> None:
    one, other = (lambda: 1), (lambda: 2)
    for function in (one, other):
        function.__module__, function.__qualname__ = "__main__", "written"
    assert stale([one], [one]) == set()
    assert stale([one], [other]) == {"function"}
    assert stale([one], ["written"]) == {"function"}
    deep, deeper = (lambda: lambda: (1, 2)), (lambda: lambda: (1, 3))
    for nested in (deep, deeper):
        nested.__module__, nested.__qualname__ = "__main__", "written"
    assert stale([deep], [deep]) == set()
    assert stale([deep], [deeper]) == {"function"}
    kept = type("Kept", (), {"__module__": "__main__"})
    assert stale([kept], [kept]) == set()
    assert stale([kept], ["Kept"]) == {"function"}


@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_what_a_function_captures_stays_the_notebook_s_own_beside_an_item_that_it_changes(
    name: str, people: list[Person]
) -> None:
    settings = {"names": ["a"]}

    def change(person: Person) -> Any:
        person.tags.append(7)
        return person, settings, settings["names"]

    values = run(change, people, name)
    assert [person.tags for person, _, _ in values] == [[number, 7] for number in range(6)]
    assert all(kept is settings and names is settings["names"] for _, kept, names in values)


METHODS = """
class Kept:
    @property
    def first(self): return rows[0]
    def last(self): return rows[-1]
rows, kept = [[1], [2]], Kept()
def of(number): return kept.first, kept.last(), kept
"""


@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_what_methods_see_stays_the_notebook_s_own_in_every_item(name: str) -> None:
    """To see whether objects have changed they are read once more: what is there goes by its classes still."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(METHODS, names)
    values = run(names["of"], list(range(7)), name)
    rows = names["rows"]
    assert [(first is rows[0], last is rows[1], kept is names["kept"]) for first, last, kept in values] == [
        (True, True, True)
    ] * 7
