"""Views of the hand-built comparisons; pick and take-away code are by hand too, so that only rendering is tested."""

from __future__ import annotations

from functools import cache
from unittest import mock

from concompare.analysis import pick, stats
from concompare.records import Comparison
from concompare.report.html.html import html_of
from concompare.report.view.model import View
from concompare.report.view.view import view_of
from tests.report import worlds

CODE = """\
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    with ProcessPoolExecutor(4) as pool:
        results = list(pool.map(score, papers, chunksize=8))
"""
PICKS = {
    "mocked": ("processes", 4),
    "one_row": ("serial", 1),
    "all_failed": ("serial", 1),
    "tie": ("serial", 1),
    "twelve_backends": ("threads", 4),
    "many_workers": ("threads", 64),
    "huge": ("processes", 64),
    "tiny": ("serial", 1),
    "sampled": ("processes", 4),
    "weak": ("processes", 4),
    "no_plain_loop": ("threads", 1),
    "hostile": (worlds.NASTY, 2),
}


def pick_of(comparison: Comparison, backend: str, workers: int) -> pick.Pick:
    serial = stats.serial_of(comparison)
    trial = next(t for t in comparison.trials if (t.backend, t.workers) == (backend, workers))
    plain = backend == "serial"
    return pick.Pick(
        backend,
        workers,
        None if plain or serial is None else stats.speed_up(trial, serial),
        stats.whole(trial, comparison),
        "Nothing else is worth starting workers for." if plain else f"{backend} × {workers} is the fastest.",
        (("threads × 4", "no faster than the plain loop: 0.93× [0.90–0.94]"),),
        None if plain or serial is None else 1.0,
        "" if plain else f"%%parallel -b {backend} -w {workers}",
    )


@cache
def view(name: str) -> View:
    """The view of a world, made once for all tests of a process."""
    comparison = worlds.WORLDS[name]()
    findings = worlds.NASTY_FINDINGS if name == "hostile" else worlds.FINDINGS
    with mock.patch.object(pick, "takeaway", create=True, return_value=CODE):
        return view_of(comparison, findings, pick_of(comparison, *PICKS[name]))


@cache
def html(name: str) -> str:
    """The view as a fragment, drawn once for all tests of a process."""
    return html_of(view(name))
