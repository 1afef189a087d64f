from __future__ import annotations

from itertools import combinations

import pytest

from concompare import backends
from concompare.report.palette import INKS, LOOKS, OTHERS, PAGES, PART_COLOURS, THEMES, Theme, contrast, ink_on, look_of
from concompare.report.view.model import STRIP_PARTS

READABLE = 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_colour_is_readable_on_every_page(theme: Theme) -> None:
    ink = INKS[theme]
    colours = [ink.text, ink.muted, *(look.colour(theme) for look in (*LOOKS.values(), *OTHERS))]
    poor = [(colour, page) for colour in colours for page in PAGES[theme] if contrast(colour, page) < READABLE]
    assert not poor


@pytest.mark.parametrize("theme", THEMES)
def test_the_picked_row_is_readable(theme: Theme) -> None:
    ink = INKS[theme]
    for page_text in {"light": ("#000000", ink.text), "dark": ("#ffffff", ink.text)}[theme]:
        assert contrast(page_text, ink.tint) >= READABLE
    assert contrast(ink.muted, ink.tint) >= READABLE


def test_numbers_in_the_bars_are_readable() -> None:
    for colour in PART_COLOURS.values():
        assert contrast(ink_on(colour), colour) >= READABLE


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_no_two_backends_look_alike() -> None:
    for (one, first), (other, second) in combinations(LOOKS.items(), 2):
        same = (first.light, first.marker, first.dashes) == (second.light, second.marker, second.dashes)
        assert not same, f"{one} and {other}"
        assert first.light != second.light, f"{one} and {other}"
        assert first.dark != second.dark, f"{one} and {other}"


def test_every_backend_of_ours_has_a_look() -> None:
    assert set(backends.names()) <= set(LOOKS)


def test_a_foreign_backend_always_looks_the_same() -> None:
    assert look_of("my_pool") is look_of("my_pool")
    assert look_of("my_pool") in OTHERS


def test_every_part_of_the_ledger_has_one_colour() -> None:
    assert set(PART_COLOURS) == {key for key, _ in STRIP_PARTS}
    assert len(set(PART_COLOURS.values())) == len(PART_COLOURS)
