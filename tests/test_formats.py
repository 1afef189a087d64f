from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concompare import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (2.2834, "2.28 s"),
        (0.0491, "49.1 ms"),
        (0.9996, "1.00 s"),
        (12.34, "12.3 s"),
        (99.96, "100 s"),
        (119, "119 s"),
        (150, "2.50 min"),
        (8000, "2.22 h"),
        (400_000, "4.63 d"),
        (3.2e-6, "3.20 µs"),
        (4e-10, "0.400 ns"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞ s"),
    ],
)
def test_a_time_is_short_and_has_its_unit(value: float | None, text: str) -> None:
    assert formats.seconds(value) == text


@given(st.floats(1e-10, 1e8))
def test_no_time_has_more_than_three_significant_digits(value: float) -> None:
    number, unit = formats.seconds(value).split()
    digits = number.replace(".", "").lstrip("0")
    assert len(digits.rstrip("0")) <= 3
    scale = {name: size for size, name in formats.SECONDS}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("value", "around", "text"),
    [
        (0.05, 2.28, "± 0.05"),
        (0.0004, 2.28, "± 0.0004"),
        (0.005, 0.27, "± 5"),
        (2.0, 100.0, "± 2"),
        (0.0, 1.0, "± 0.00"),
    ],
)
def test_a_spread_has_the_unit_and_places_of_its_time(value: float, around: float, text: str) -> None:
    assert formats.spread(value, around) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (490, "490 B"), (1840, "1.84 kB"), (312e6, "312 MB"), (999_999, "1.00 MB"), (None, "–")],
)
def test_a_size_is_short_and_has_its_unit(value: float | None, text: str) -> None:
    assert formats.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.604, "3.60×"), (0.954, "0.95×"), (0.996, "1.00×"), (12.34, "12.3×"), (0.0421, "0.042×"), (None, "–")],
)
def test_a_ratio_is_short(value: float | None, text: str) -> None:
    assert formats.times(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"), [(3.412, 3.79, "[3.41–3.79]"), (9.5, 10.42, "[9.5–10.4]"), (0.9, 1.1, "[0.90–1.10]")]
)
def test_an_interval_has_as_many_places_at_both_ends(low: float, high: float, text: str) -> None:
    assert formats.between(low, high) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.884, "88 %"), (1.0, "100 %"), (0.004, "0.4 %"), (0.0001, "< 0.1 %"), (0, "0 %"), (None, "–")]
)
def test_a_share_is_a_percentage(share: float | None, text: str) -> None:
    assert formats.percent(share) == text


def test_a_count_agrees_with_its_noun() -> None:
    assert formats.count(1, "item") == "1 item"
    assert formats.count(12_345, "item") == "12,345 items"
    assert formats.count(2, "pass", "passes") == "2 passes"


@pytest.mark.slow
@given(st.text())
def test_clean_text_steers_no_terminal(text: str) -> None:
    cleaned = formats.clean(text)
    assert all(c.isprintable() or c in "\n\t\u200d" or c.isspace() for c in cleaned)
    cleaned.encode("utf-8")


def test_clean_text_shows_what_was_there() -> None:
    assert formats.clean("\x1b[31mred\x07 \u202eabc\udc80") == "\\x1b[31mred\\x07 \\u202eabc\\udc80"
    assert formats.clean("naïve 数 👩‍🔬\nnext") == "naïve 数 👩‍🔬\nnext"


def test_one_line_is_one_line_and_short() -> None:
    assert formats.one_line("a\n  b\tc") == "a b c"
    assert formats.one_line("x" * 500, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("name", "limit", "text"),
    [
        ("score", 5, "score"),
        ("download_pages_of_site_a", 11, "downl…ite_a"),
        ("download_pages_of_site_b", 10, "downl…te_b"),
        ("threads × 64", 9, "thre…× 64"),
        ("a\nb\x1b", 20, "a b\\x1b"),
        ("x" * 50 + "\x1b" * 50, 9, "xxxx…\\x1b"),
    ],
)
def test_a_long_name_is_cut_in_its_middle(name: str, limit: int, text: str) -> None:
    assert formats.one_name(name, limit) == text


def test_a_name_without_end_is_cut_quickly_and_keeps_its_end() -> None:
    assert formats.one_name("a" * 1_000_000 + "z" * 1_000_000, 7) == "aaa…zzz"
