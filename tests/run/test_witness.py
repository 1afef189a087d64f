from __future__ import annotations

import ast
import random
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from concompare import backends, engine
from concompare.cells.task import task_of
from concompare.run import witness
from concompare.run.once import run_once
from concompare.run.request import request_of


class Forgetful:
    def __init__(self) -> None:
        self.kept = self.dropped = 1

    def __getstate__(self) -> dict[str, int]:
        return {"kept": self.kept}


class Stubborn:
    def __reduce_ex__(self, protocol: object) -> Any:
        raise AssertionError("it was copied or pickled")

    __deepcopy__ = __reduce_ex__


class Pair(NamedTuple):
    one: int
    other: list[int]


@pytest.mark.parametrize("item", [Forgetful(), [1, Forgetful()], {"a": Forgetful()}])
def test_nothing_is_copied_that_says_how_it_is_copied(item: object) -> None:
    """The copy may lack something, so what the notebook computes with it says nothing."""
    assert witness.copies_of(item) == []


def test_nothing_is_copied_of_which_a_library_lists_every_copy() -> None:
    """A copy of a line is one of its figure too, which pyplot would show as one more."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    figure, axes = pyplot.subplots()
    try:
        (line,) = axes.plot([1, 2])
        assert [witness.copies_of(item) for item in (figure, axes, line, [line])] == [[], [], [], []]
        assert pyplot.get_fignums() == [*before, figure.number]
        figure.__dict__["never copied"] = Stubborn()
        assert witness.copies_of((axes, 1)) == witness.copies_of((0, (axes, 1))) == []
    finally:
        pyplot.close(figure)


def test_what_does_not_is_copied() -> None:
    pair = Pair(1, [2])
    (copied,) = witness.copies_of(pair)
    assert copied == pair
    assert copied.other is not pair.other


def test_the_items_computed_in_the_notebook_share_one_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open one takes longer than many an item."""
    lease, opened, computed = engine.lease, [], []
    own = witness.computed

    def leased(backend: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(backend.name)
        return lease(backend, *arguments, **options)

    def counted(*arguments: Any) -> Any:
        computed.append(arguments)
        return own(*arguments)

    monkeypatch.setattr(engine, "lease", leased)
    monkeypatch.setattr(witness, "computed", counted)
    monkeypatch.setattr(witness, "LITTLE", 60.0)
    request = request_of(["processes"], 1, witnessed=True)
    _, value, said = run_once(task_of(abs, range(-10, 0)), backends.find("processes"), 1, request)
    assert value == list(range(10, 0, -1))
    assert not said
    assert len(computed) == witness.MOST
    assert opened == ["processes", "serial"]


@pytest.mark.parametrize("first", [0, 3])
def test_items_can_be_had_again_before_one_was_taken(first: int) -> None:
    again = witness.Again((n for n in range(5)), first)
    assert list(again.from_position(first)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("changing", [False, True])
def test_the_first_item_is_computed_at_once_the_next_time(changing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker and notebook meet in the first item, which they cannot where one waits for the other's answer."""
    monkeypatch.setattr(witness, "LITTLE", 0.0)
    met = threading.Event()
    waiting: list[bool] = []

    def head(x: int) -> int:
        if threading.current_thread() is threading.main_thread():
            met.set()
        elif x == 7:
            waiting.append(met.wait(0 if not waiting else 60))
        return x * x

    request = request_of(["threads"], 2, witnessed=True)
    backend = backends.find("threads")
    for number in range(2):
        met.clear()
        task = replace(task_of(head, [7, 8]), changing=changing, source=f"changing: {changing}")
        _, value, said = run_once(task, backend, 2, replace(request, moment=10.0 * (number + 1)))
        assert (value, said) == ([49, 64], "")
    assert waiting == [False, True]


@pytest.mark.parametrize("longest", [0.0, 60.0])
def test_no_interrupt_waits_for_a_long_item_in_the_notebook_beside_threads(
    longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main thread hears it after a call into C only; the threads go on meanwhile, and take its CPUs."""
    monkeypatch.setattr(witness, "LONG_BESIDE_THREADS", longest)
    here: list[int] = []

    def head(x: int) -> int:
        if threading.current_thread() is threading.main_thread():
            here.append(x)
        return x * x

    request = request_of(["threads"], 2, witnessed=True)
    _, value, said = run_once(task_of(head, [7, 8]), backends.find("threads"), 2, request)
    assert (value, said) == ([49, 64], "")
    assert here == [7] * (longest > 0)


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_what_reaches_out_the_next_time_does_so_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "LITTLE", 0.0)
    path, backend = tmp_path / "seen.txt", backends.find(name)

    def head(item: tuple[int, bool]) -> int:
        if item[1]:
            with open(path, "a") as file:
                file.write(f"{item[0]}\n")
        return item[0]

    for number, reaches in enumerate((False, True)):
        task = task_of(head, [(1, reaches), (2, False)])
        request = replace(request_of([name], 1, witnessed=True), moment=10.0 * (number + 1))
        _, value, said = run_once(task, backend, 1, request)
        assert (value, said) == ([1, 2], "")
    assert path.read_text() == "1\n"


def test_what_is_stopped_before_it_reaches_out_has_drawn_nothing(tmp_path: Path) -> None:
    def head(x: int) -> float:
        drawn = random.random()
        try:
            (tmp_path / "made").mkdir()
        except Exception:
            return 0.0
        return drawn

    before = random.getstate()
    with engine.lease(backends.find("processes"), 1) as pool:
        request = request_of(["processes"], 1, witnessed=True)
        seeing = witness.Witness(task_of(head, [1]), request, pool, witness.Again([1], 0), seconds=0.5)
        with seeing:
            seeing.begin()
            assert random.getstate() == before
    assert (seeing.ahead, seeing.seconds, list(tmp_path.iterdir())) == ([], 0.0, [])


def warned(x: int) -> int:
    warnings.warn("odd", stacklevel=1)
    return x


def test_a_warning_is_shown_though_the_notebook_computes_the_first_item_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    globals().pop("__warningregistry__", None)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: told.append(str(message)))
        request = request_of(["processes"], 2, witnessed=True)
        _, value, said = run_once(task_of(warned, [7, 8, 9]), backends.find("processes"), 2, request)
    assert (value, said, told) == ([7, 8, 9], "", ["odd"])


@pytest.mark.parametrize("changing", ["item", "captured"])
@pytest.mark.parametrize("trusting", [True, False])
def test_what_an_installed_function_changes_in_a_worker_is_not_lost(changing: str, trusting: bool) -> None:
    """Of such a function it is only thought that it changes nothing; then its items run in the notebook."""
    trees = [ast.parse(f"x = {number}") for number in range(6)]
    other = ast.parse("y = 1")

    def head(tree: ast.Module) -> int:
        ast.increment_lineno(tree if changing == "item" else other, 2)
        return tree.body[0].lineno

    request = request_of(["processes"], 2, witnessed=True)
    task = replace(task_of(head, trees), trusting=trusting)
    _, value, said = run_once(task, backends.find("processes"), 2, request)
    assert value == [3 if changing == "item" else 1] * 6
    assert bool(said) == trusting
    assert "an installed function changes" in said or not trusting
    moved = [tree.body[0].lineno for tree in (*trees, other)]
    if trusting:
        assert moved == ([3] * 6 + [1] if changing == "item" else [1] * 6 + [13])
