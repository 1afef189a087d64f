"""What we rely on of tqdm that it does not document."""

from __future__ import annotations

from io import StringIO

from tqdm import tqdm


def test_a_bar_is_told_its_total_and_place_while_it_is_shown() -> None:
    """`progress.Bar`: the bar of a generator's items would never show how much is done."""
    out = StringIO()
    with tqdm(unit="item", leave=False, mininterval=0, file=out, ncols=60) as bar:
        bar.total = 4
        bar.update(3 - bar.n)
        assert bar.n == 3
    assert "3/4" in out.getvalue()


def test_a_bar_that_is_not_left_leaves_nothing_on_its_line() -> None:
    """`progress.Bar`: each cell would leave half a bar behind."""
    out = StringIO()
    with tqdm(total=4, leave=False, mininterval=0, file=out, ncols=60) as bar:
        bar.update(4)
    assert out.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""


def test_a_bar_shows_nothing_before_its_delay() -> None:
    """`progress.Bar`: cells that take less than a second would flicker."""
    out = StringIO()
    with tqdm(total=4, delay=1000.0, mininterval=0, file=out, ncols=60) as bar:
        bar.update(3)
        assert out.getvalue() == ""


def test_a_bar_has_a_description_that_is_set_without_being_drawn() -> None:
    """`display.Place.show_bar`: what is measured now would be drawn twice, or not at all."""
    out = StringIO()
    with tqdm(total=100, leave=False, bar_format="{percentage:3.0f}%|{bar:20}| {desc}", file=out, ncols=60) as bar:
        before = out.getvalue()
        bar.set_description_str("threads × 2", refresh=False)
        assert out.getvalue() == before
        bar.refresh()
    assert "threads × 2" in out.getvalue()
