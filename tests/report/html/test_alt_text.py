"""What is said of a picture."""

from __future__ import annotations

import re

from concompare.report.html.alt_text import alt_of
from tests.report.views import view


def test_the_words_for_the_picture_say_what_is_fitted() -> None:
    words = alt_of(view("mocked"), "speed-up")
    assert re.search(r"processes: .* with 8, fitted \d\.\d\d× \[\d\.\d\d–\d\.\d\d\] with 16", words)


def test_bars_of_one_worker_count_are_not_called_a_line_against_workers() -> None:
    assert alt_of(view("tie"), "times").startswith("Time of one pass. plain loop: 1.00 s; threads: ")
    assert alt_of(view("tie"), "speed-ups").startswith("Speed-up over the plain loop. threads: ")
