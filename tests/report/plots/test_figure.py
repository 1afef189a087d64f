from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from io import BytesIO
from itertools import combinations, pairwise
from typing import Any

import matplotlib
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.text import Text
from PIL import Image

from concompare.records import Probe
from concompare.report.palette import PART_COLOURS, PART_HATCHES, THEMES, Theme, look_of
from concompare.report.plots import figure as figures
from concompare.report.plots.timeline import add_spans
from concompare.report.view.parts import Curve, Point, Span, Strip
from concompare.report.view.view import view_of
from tests.report.views import view
from tests.report.worlds import WORLDS, mocked, trial

SLACK = 1.0
"""Pixels by which boxes may touch."""


def drawn_texts(figure: Any) -> list[tuple[str, Any]]:
    """All visible texts of a figure with their boxes."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts]
    shown = figure.bbox
    return [(words, box) for words, box in boxes if box.overlaps(shown)]


@pytest.mark.parametrize("name", WORLDS)
def test_no_label_lies_on_another_and_none_is_cut_off(name: str) -> None:
    panels = figures.panels_of(view(name).pictures)
    assert panels or name == "all_failed"  # which has nothing to draw
    for panel in panels:
        figure = figures.draw_one(view(name).pictures, panel)
        texts = drawn_texts(figure)
        assert texts
        for (one, first), (other, second) in combinations(texts, 2):
            across = min(first.x1, second.x1) - max(first.x0, second.x0)
            down = min(first.y1, second.y1) - max(first.y0, second.y0)
            assert min(across, down) <= SLACK, f"{panel}: {one!r} lies on {other!r}"
        for words, box in texts:
            assert box.x0 >= -SLACK, (panel, words)
            assert box.y0 >= -SLACK, (panel, words)
            assert box.x1 <= figure.bbox.x1 + SLACK, (panel, words)
            assert box.y1 <= figure.bbox.y1 + SLACK, (panel, words)


@pytest.mark.parametrize("theme", THEMES)
def test_a_backend_has_its_colour_in_every_panel(theme: Theme) -> None:
    pictures = view("mocked").pictures
    for panel in ("time", "speed-up", "ledger", "timeline"):
        figure = figures.draw_one(pictures, panel, theme)
        named = [t for t in figure.findobj(Text) if t.get_text().strip().startswith("processes")]
        assert named, panel
        assert {to_hex(t.get_color()) for t in named} == {look_of("processes").colour(theme)}


def test_the_pick_is_ringed_and_named() -> None:
    figure: Any = figures.draw_one(view("mocked").pictures, "time")
    rings = [line for line in figure.findobj(matplotlib.lines.Line2D) if line.get_markersize() == 12]
    assert [(list(r.get_xdata()), list(r.get_ydata())) for r in rings] == [
        ([2.0], [pytest.approx(8.21 / 3.619, rel=1e-3)])
    ]
    assert any("pick: processes × 4" in words for words, _ in drawn_texts(figure))


@pytest.mark.parametrize(
    ("name", "guides"), [("mocked", {"ideal", "CPU ceiling", "plain loop"}), ("weak", {"ideal", "plain loop"})]
)
def test_the_time_is_drawn_with_the_ideal_and_the_ceiling(name: str, guides: set[str]) -> None:
    figure = figures.draw_one(view(name).pictures, "time")
    assert guides <= {words for words, _ in drawn_texts(figure)}


def test_the_ideal_time_is_the_plain_loop_divided_by_the_workers() -> None:
    figure: Any = figures.draw_one(view("mocked").pictures, "time")
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[0].lines]
    lines = [dict(zip(xs, ys, strict=True)) for xs, ys in drawn if len(xs) == len(ys)]
    assert any(line.get(3.0) == pytest.approx(8.21 / 8) and line.get(1.0) == pytest.approx(8.21 / 2) for line in lines)


def test_shares_of_the_ledger_are_written_in_the_bars() -> None:
    words = [words for words, _ in drawn_texts(figures.draw_one(view("mocked").pictures, "ledger"))]
    assert {"88 %", "73 %", "GIL or lock", "computing", "waiting for a CPU"} <= set(words)


@pytest.mark.parametrize("theme", THEMES)
def test_panels_are_transparent_and_of_their_size(theme: Theme) -> None:
    png = figures.draw_panel(view("mocked"), "time", theme)
    image = Image.open(BytesIO(png)).convert("RGBA")
    assert image.getpixel((1, 1))[3] == 0  # type: ignore[index]
    assert figures.size_of("time", view("mocked").pictures) == (456, 288)
    assert image.size == (684, 432)


def test_a_crowded_panel_has_fewer_dots_and_the_same_size() -> None:
    pictures = view("mocked").pictures
    curves = tuple(
        Curve(f"pool {i}", f"pool {i}", tuple(Point(n, 1 + (7 * i + n) % 11) for n in range(1, 20))) for i in range(12)
    )
    crowded = replace(view("mocked"), pictures=replace(pictures, curves=curves))
    image = Image.open(BytesIO(figures.draw_panel(crowded, "time")))
    assert image.width == figures.size_of("time", crowded.pictures)[0] == 456


def test_the_whole_figure_holds_every_panel() -> None:
    figure = figures.draw(view("mocked"))
    words = {words for words, _ in drawn_texts(figure)}
    assert {
        "4 processes: 3.62× faster",
        "Time of one pass",
        "Speed-up over the plain loop",
        "Where the workers' time went",
    } <= words
    assert any(title.startswith("Who did what when") for title in words)


def test_a_page_holds_what_is_written_under_the_panels() -> None:
    bare, full = (Image.open(BytesIO(figures.page_of(view("tie"), words))) for words in ("", "one\ntwo\nthree"))
    assert full.height - bare.height == pytest.approx(3 * figures.LINE * figures.DPI, abs=2)


@pytest.mark.parametrize("name", ["hostile", "mocked"])
def test_svg_is_well_formed_without_script_and_the_same_each_time(name: str) -> None:
    one, other = (figures.svg_of(figures.draw(view(name))) for _ in range(2))
    assert one == other
    root = ElementTree.fromstring(one)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a", "iframe"}
    assert b"<script" not in one


def test_no_text_is_read_as_mathematics() -> None:
    figure = figures.draw_one(view("hostile").pictures, "times")
    assert not any(t.get_parse_math() for t in figure.findobj(Text) if "script" in t.get_text())


def test_the_users_settings_neither_take_part_nor_change() -> None:
    pictures = view("mocked").pictures
    plain = figures.kept_panel.__wrapped__(pictures, "time", "light")
    theirs: Any = {"text.usetex": True, "font.size": 30, "axes.linewidth": 9, "xtick.direction": "in", "figure.dpi": 30}
    with matplotlib.rc_context(theirs):
        before = dict(matplotlib.rcParams)
        assert figures.kept_panel.__wrapped__(pictures, "time", "light") == plain
        assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
def test_drawing_imports_no_pyplot_and_text_no_matplotlib() -> None:
    code = (
        "import json, sys\n"
        "from tests.report.views import view\n"
        "from concompare.report.text.text import text_of\n"
        "import concompare.report.report\n"
        "text_of(view('mocked'))\n"
        "early = 'matplotlib' in sys.modules\n"
        "from concompare.report.plots import figure as figures\n"
        "figures.png_of(figures.draw(view('tie')))\n"
        "print(json.dumps([early, 'matplotlib.pyplot' in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, False]


def test_without_the_plain_loop_there_is_no_speed_up_to_draw() -> None:
    assert figures.panels_of(view("no_plain_loop").pictures) == ("time",)


def test_the_timeline_shows_like_worker_counts_and_how_many_more() -> None:
    timeline = view("many_workers").pictures.timeline
    assert timeline is not None
    (group,) = timeline.groups
    assert (group.label, len(group.strips), group.hidden) == ("threads × 64", 8, 56)


def test_the_strips_divide_time_as_the_cpu_time_says() -> None:
    timeline = view("mocked").pictures.timeline
    assert timeline is not None
    threads, processes = timeline.groups
    shares = dict(threads.strips[0].spans[0].shares)
    assert shares["computing"] == pytest.approx(0.24, abs=0.01)
    assert shares["lock"] == pytest.approx(0.76 * 0.73 / 0.75, abs=0.02)
    assert dict(processes.strips[0].spans[0].shares)["computing"] == pytest.approx(0.98, abs=0.02)


def test_crowded_ledgers_keep_the_best_of_every_backend() -> None:
    pictures = view("many_workers").pictures
    assert len(pictures.bars) == 9
    assert pictures.bars[0].picked
    assert {bar.backend for bar in pictures.bars} == {"threads", "processes"}
    assert pictures.more_bars == 26 - 9


def whiskers_of(figure: Any) -> list[tuple[float, float]]:
    """The ends of the error bars that are drawn across bars."""
    return [
        (float(segment[0][0]), float(segment[1][0]))
        for lines in figure.axes[0].collections
        for segment in lines.get_segments()
    ]


def test_with_one_worker_count_times_and_speed_ups_are_bars_with_their_bounds() -> None:
    pictures = view("tie").pictures
    assert figures.panels_of(pictures)[:2] == ("times", "speed-ups")
    speeds: Any = figures.draw_one(pictures, "speed-ups")
    ends = [patch.get_width() for patch in speeds.axes[0].patches]
    known = [curve.points[0].speed for curve in pictures.curves]
    assert ends == [1.0, *(speed[1] for speed in known if speed)]
    assert whiskers_of(speeds) == [pytest.approx((speed[0], speed[2])) for speed in known if speed]
    times: Any = figures.draw_one(pictures, "times")
    points = [curve.points[0] for curve in pictures.curves]
    assert whiskers_of(times) == [pytest.approx((p.seconds - p.spread, p.seconds + p.spread)) for p in points]


def test_a_number_that_was_timed_once_has_no_bounds_to_draw() -> None:
    once = Curve("threads", "threads", (Point(2, 0.5, 0.0, (2.0, 2.0, 2.0)),))
    figure: Any = figures.draw_one(replace(view("tie").pictures, curves=(once,)), "speed-ups")
    assert whiskers_of(figure) == []


def test_among_very_many_points_the_line_with_the_pick_shows_its_bounds() -> None:
    def curve(name: str, *, picked: bool) -> Curve:
        points = tuple(Point(n, 1.0 / n, 0.1, (n - 0.5, n, n + 0.5), picked and n == 30) for n in range(1, 31))
        return Curve(name, name, points)

    pictures = replace(view("mocked").pictures, curves=(curve("threads", picked=True), curve("loky", picked=False)))
    figure: Any = figures.draw_one(pictures, "speed-up")
    bars = list(figure.findobj(matplotlib.collections.LineCollection))
    assert {to_hex(found.get_color()[0]) for found in bars} == {look_of("threads").colour("light")}


def test_bounds_are_drawn_where_they_reach_beyond_the_marker() -> None:
    wide, narrow = Point(1, 1.0, 0.0, (0.5, 1.0, 1.5)), Point(2, 0.5, 0.0, (1.99, 2.0, 2.01))
    pictures = replace(view("mocked").pictures, curves=(Curve("threads", "threads", (wide, narrow)),), capacity=())
    figure: Any = figures.draw_one(pictures, "speed-up")
    (bars,) = figure.findobj(matplotlib.collections.LineCollection)
    assert [[tuple(end) for end in segment] for segment in bars.get_segments()] == [[(0.0, 0.5), (0.0, 1.5)]]


def test_the_parts_of_a_bar_stand_end_to_end() -> None:
    figure: Any = figures.draw_one(view("mocked").pictures, "ledger")
    parts = [p for p in figure.axes[0].patches if round(p.get_y() + p.get_height() / 2) == 0]
    ends = [(p.get_x(), p.get_x() + p.get_width()) for p in parts]
    assert len(parts) == 5
    assert all(before[1] == pytest.approx(after[0]) for before, after in pairwise(ends))
    assert (ends[0][0], ends[-1][1]) == (0.0, pytest.approx(1.0))


def test_the_shares_of_a_span_lie_on_each_other() -> None:
    found: dict[str, list[list[tuple[float, float]]]] = {}
    strip = Strip("1", (Span(0.0, 1.0, (("computing", 0.25), ("lock", 0.75))),))
    add_spans(found, strip, 0.0, 1.0)
    assert [y for _, y in found["computing"][0]] == [1.0, 1.0, 0.75, 0.75]
    assert [y for _, y in found["lock"][0]] == [0.75, 0.75, 0.0, 0.0]


@pytest.mark.parametrize("panel", ["ledger", "timeline"])
def test_the_gil_and_waiting_are_hatched_so_that_no_colour_is_needed(panel: str) -> None:
    figure: Any = figures.draw_one(view("mocked").pictures, panel)
    shapes = [*figure.axes[0].patches, *figure.axes[0].collections]
    hatches = {to_hex(to_rgba_array(shape.get_facecolor())[0]): shape.get_hatch() for shape in shapes}
    for part, colour in PART_COLOURS.items():
        if to_hex(colour) in hatches:
            assert hatches[to_hex(colour)] == PART_HATCHES.get(part)
    assert hatches[to_hex(PART_COLOURS["lock"])]


def fits_of(figure: Any) -> list[Any]:
    return [line for line in figure.findobj(matplotlib.lines.Line2D) if line.get_label() == "fit"]


@pytest.mark.parametrize("theme", THEMES)
def test_a_fitted_curve_is_dashed_beyond_what_was_measured_and_has_its_band(theme: Theme) -> None:
    figure: Any = figures.draw_one(view("mocked").pictures, "speed-up", theme)
    lines = fits_of(figure)
    assert {line.get_color() for line in lines} == {look_of(name).colour(theme) for name in ("threads", "processes")}
    for line in lines:
        assert line.is_dashed()
        assert (min(line.get_xdata()), max(line.get_xdata())) == (3.0, 4.0), "8 ran, 16 is twice as many"
        assert max(line.get_ydata()) <= 3.9, "what 4 spinning processes got"
    bands = figure.findobj(PolyCollection)
    assert len(bands) == len(lines)
    assert all(0 < band.get_alpha() <= 0.2 for band in bands)
    assert any("dashed: fitted, not measured" in words for words, _ in drawn_texts(figure))
    assert not fits_of(figures.draw_one(view("mocked").pictures, "time", theme))


def test_without_three_worker_counts_nothing_is_fitted() -> None:
    pictures = view("tie").pictures
    assert not any(curve.fit for curve in pictures.curves)
    figure: Any = figures.draw_one(view("sampled").pictures, "speed-up")
    assert not fits_of(figure)


def test_a_picture_of_many_backends_has_the_fits_of_the_fastest_few() -> None:
    pictures = view("twelve_backends").pictures
    fitted = [curve for curve in pictures.curves if curve.fit]
    assert len(fitted) == 3
    least = min(curve.points[-1].speed[1] for curve in fitted if curve.points[-1].speed)
    assert all(c.points[-1].speed[1] <= least for c in pictures.curves if c.points[-1].speed and not c.fit)


def test_threads_with_fewer_native_threads_have_a_curve_of_their_own_and_its_pick_is_ringed() -> None:
    limited = [replace(trial("threads", n, 4.0 / n), native_threads=4 // n) for n in (2, 4)]
    trials = (trial("serial", 1, 4.0), trial("threads", 2, 4.5), trial("threads", 4, 5.0), *limited)
    pictures = view_of(replace(mocked(), trials=trials, probe=Probe())).pictures
    assert [(c.label, [p.workers for p in c.points]) for c in pictures.curves] == [
        ("threads", [2, 4]),
        ("threads (1–2 BLAS)", [2, 4]),
    ]
    assert [(c.label, p.workers) for c in pictures.curves for p in c.points if p.picked] == [("threads (1–2 BLAS)", 4)]
    one = view_of(replace(mocked(), trials=(*trials[:3], limited[1]))).pictures.curves[1]
    assert one.label == "threads (1 BLAS)"
