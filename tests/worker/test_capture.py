from __future__ import annotations

import io
import pickle
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from concompare.worker import capture


@dataclass
class Done:
    values: list[Any] = field(default_factory=list)
    output: list[tuple[int, str, Any]] = field(default_factory=list)


def test_a_stream_that_was_read_past_its_property_can_be_put_back() -> None:
    ours, sys.stdout = sys.stdout, io.StringIO()
    try:
        original = sys.stdout
        with capture.doors():
            sys.stdout = vars(sys)["stdout"]  # as code reads it that Python has specialised for plain modules
            sys.stdout.write("heard")
            assert sys.stdout is original
        assert sys.stdout is original
        assert original.getvalue() == "heard"
    finally:
        sys.stdout = ours


def stdout_now() -> Any:
    return sys.stdout


def test_code_that_python_has_specialised_finds_the_stream_itself() -> None:
    for _ in range(1000):
        original = stdout_now()
    with capture.doors():
        assert stdout_now() is original
        with pytest.raises(AttributeError, match="module 'sys' has no attribute 'nothing'"):
            sys.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_same_while_items_are_recorded() -> None:
    done = Done()
    before = sys.stdout
    with capture.recording(done):
        sys.stdout = vars(sys)["stdout"]
        sys.stdout.write("of the item")
    assert done.output == [(0, "stdout", "of the item")]
    assert sys.stdout is before


def test_display_is_recorded_where_an_item_is_computed_and_the_original_elsewhere() -> None:
    shown: list[Any] = []
    display = capture.Displaying(lambda *objects, **options: shown.append((objects, options)))
    display(1, raw=True)
    assert shown == [((1,), {"raw": True})]
    done = Done()
    with capture.recording(done):
        display(2)
    assert done.output == [(0, "display", ((2,), {}))]
    assert len(shown) == 1


def test_what_is_displayed_is_as_it_was_then() -> None:
    done, box = Done(), [1]
    with capture.recording(done):
        capture.display(box)
    box.append(2)
    ((_, kind, packed),) = done.output
    assert (kind, pickle.loads(packed)) == ("display", (([1],), {}))


def test_the_original_makes_what_is_recorded_where_it_hands_that_on() -> None:
    made: list[Any] = []
    display = capture.Displaying(lambda *objects: made.append(str(objects)), through=True)
    done, box = Done(), [1]
    with capture.recording(done):
        display(box)
    box.append(2)
    assert (made, done.output) == (["([1],)"], [])


def test_pieces_are_kept_apart_where_each_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for apart, pieces in ((False, ["a b\n"]), (True, ["a", " ", "b", "\n"])):
        monkeypatch.setattr(capture, "APART", [apart])
        done = Done()
        with capture.recording(done):
            print("a", "b")
        assert [text for _, _, text in done.output] == pieces


def test_in_workers_of_ours_the_original_never_displays(capsys: pytest.CaptureFixture[str]) -> None:
    """A forked one would write to the notebook's own sockets; without any original there is nothing else either."""
    capture.Displaying(pytest.fail, always=lambda: [1])("an object")
    capture.Displaying(None)("another")
    assert capsys.readouterr().out == "'an object'\n'another'\n"
