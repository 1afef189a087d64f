"""What comes from the user steers neither a terminal nor a page, wherever it is shown beside the report."""

from __future__ import annotations

from concompare import formats
from concompare.engine.item_errors import short_repr, with_item
from concompare.engine.outcome import Failure
from concompare.errors import CannotShip
from concompare.report.info_card import Card, card_of
from tests.report.worlds import NASTY, hostile

STEERING = ("\x1b", "\x07", "\u202e")


class Nasty:
    def __repr__(self) -> str:
        return NASTY


def test_the_repr_of_an_item_steers_nothing() -> None:
    shown = short_repr(Nasty())
    assert not any(sign in shown for sign in STEERING)
    assert "\\x07 \\u202eabc" in shown


def test_the_note_on_an_exception_steers_nothing() -> None:
    (note,) = with_item(ValueError("bad"), 3, short_repr(Nasty())).__notes__
    assert note.startswith("concompare: raised by item 3: <script>")
    assert not any(sign in note for sign in STEERING)


def test_a_failure_steers_nothing() -> None:
    shown = repr(Failure(0, short_repr(Nasty()), ValueError(NASTY)))
    assert "ValueError: <script>" in shown
    assert not any(sign in shown for sign in STEERING)


def test_an_error_of_ours_in_a_notebook_steers_nothing() -> None:
    (line,) = CannotShip(f"score → global {NASTY}")._render_traceback_()
    assert line.startswith("CannotShip: score → global <script>")
    assert not any(sign in line for sign in STEERING)


def test_the_card_of_the_machine_is_text_only() -> None:
    card: Card = card_of(hostile().environment)
    page = card._repr_html_()
    assert formats.one_line(NASTY, 300) in repr(card)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not any(sign in page or sign in repr(card) for sign in STEERING)
    assert page.startswith("<table><caption>")
