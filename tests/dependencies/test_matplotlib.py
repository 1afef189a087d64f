"""What we rely on of matplotlib that it does not document."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import matplotlib
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path


def test_text_is_measured_without_a_figure() -> None:
    """`canvas.inches`: labels in reports would be cut, or lie over each other."""
    font = FontProperties(size=10)
    narrow, _, _ = text_to_path.get_text_width_height_descent("iii", font, ismath=False)
    wide, _, _ = text_to_path.get_text_width_height_descent("WWW", font, ismath=False)
    assert 0 < narrow < wide < 10 * 3 * 2
    assert text_to_path.get_text_width_height_descent("$x$", font, ismath=False)[0] > narrow


def test_text_with_dollars_is_no_mathematics_where_that_is_said() -> None:
    """`figure`: the name of a user's function with two dollars or a backslash would fail the report."""
    figure = Figure()
    FigureCanvasAgg(figure)
    text = figure.text(0, 0, r"$\frac{$", parse_math=False)
    figure.draw_without_rendering()
    assert text.get_text() == r"$\frac{$"
    assert "text.parse_math" in matplotlib.rcParams


def test_the_users_style_takes_no_part_and_is_there_afterwards() -> None:
    """`figure.our_settings`: a dark style sheet of the user's would make labels that nobody can read."""
    settings: Any = matplotlib.rcParams
    before = settings["font.size"]
    with matplotlib.rc_context({"font.size": 77}):
        with style.context("default", after_reset=True):
            assert settings["font.size"] != 77
            settings.update({"font.size": 9})
        assert settings["font.size"] == 77
    assert settings["font.size"] == before


def test_an_svg_can_be_written_without_a_date() -> None:
    """`figure.svg_of`: the same report would be another file each time."""

    def drawn() -> bytes:
        out = BytesIO()
        canvas: Any = FigureCanvasSVG(Figure())
        with matplotlib.rc_context({"svg.hashsalt": "same"}):
            canvas.print_svg(out, metadata={"Date": None, "Creator": "tested"})
        return out.getvalue()

    assert b"dc:date" not in drawn()
    assert drawn() == drawn()


def test_a_canvas_gives_its_pixels() -> None:
    """`figure.image_of`: no report could show a picture."""
    figure = Figure(figsize=(2, 1), dpi=50)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    assert canvas.get_width_height() == (100, 50)
    assert len(bytes(canvas.buffer_rgba())) == 100 * 50 * 4
