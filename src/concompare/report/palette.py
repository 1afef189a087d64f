"""One colour per backend and per part of the ledger, for light and dark pages, readable by the colour-blind.

Backends of one family share a hue and differ in lightness, marker and dash. Every colour that text is written in has a
contrast of at least 4.5 on every background in `PAGES`; a test checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zlib import crc32

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

PAGES: dict[Theme, tuple[str, ...]] = {
    "light": ("#ffffff", "#f8f8f8"),
    "dark": ("#111111", "#111827", "#1f1f1f", "#1e1e1e", "#383838"),
}
"""Backgrounds of the pages we are shown on: JupyterLab, nbconvert, VS Code, Colab, our own saved page."""


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of one theme that carry no meaning."""

    text: str
    muted: str
    grid: str
    tint: str
    paper: str


INKS: dict[Theme, Ink] = {
    "light": Ink(text="#1f2937", muted="#5b6472", grid="#e3e6ea", tint="#dcecf6", paper="#ffffff"),
    "dark": Ink(text="#f0f2f5", muted="#b9c0ca", grid="#4a515c", tint="#12344a", paper="#111827"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """Style of one backend: its colour in both themes, its marker and its dashes."""

    light: str
    dark: str
    marker: str = "o"
    dashes: tuple[float, ...] = ()

    def colour(self, theme: Theme) -> str:
        """Return the colour for a theme."""
        return self.light if theme == "light" else self.dark


LOOKS = {
    "serial": Look("#5b6472", "#b9c0ca", "D"),
    "threads": Look("#a85a00", "#f2a93b", "o"),
    "mp-threads": Look("#8a6d00", "#e3c567", "v", (4, 1.5)),
    "thread-per-item": Look("#7d4b2a", "#d9a982", "^", (2, 1)),
    "processes": Look("#0067a8", "#5cb3f0", "s"),
    "fork": Look("#00739a", "#74cfe8", "P", (4, 1.5)),
    "forkserver": Look("#3c5fc4", "#9fb8ff", "X", (4, 1.5)),
    "spawn": Look("#27408b", "#b9c9f5", "d", (2, 1)),
    "mp-pool": Look("#1d6f8f", "#8fd3f4", "<", (1, 1)),
    "process-per-item": Look("#44546a", "#a9c1dd", ">", (2, 1)),
    "loky": Look("#00785a", "#3dcb9f", "h"),
    "interpreters": Look("#a3407f", "#ee9acb", "p"),
    "asyncio": Look("#b3261e", "#ff9b8f", "*", (4, 1.5)),
    "dask": Look("#b0421a", "#ffab7a", "8"),
    "ray": Look("#4d7c0f", "#a9d65c", "H"),
    "ipyparallel": Look("#7a4fb5", "#c9aef2", "P"),
}
OTHERS = (
    Look("#6b3fa0", "#cdb2f5", "D", (4, 1.5)),
    Look("#0f766e", "#5fd6c9", "v", (4, 1.5)),
    Look("#9d174d", "#f7a8c4", "^", (4, 1.5)),
    Look("#5f6b1a", "#cfd86b", "X", (2, 1)),
)

PART_COLOURS = {
    "computing": "#2f6fb7",
    "waiting": "#e8c44a",
    "lock": "#d2414f",
    "io": "#6fb3d2",
    "sending": "#885abf",
    "idle": "#c6cbd3",
    "unexplained": "#8b919b",
    "blocked": "#b4637a",
}
"""One colour for each part of the ledger and of the strips, the same in both themes."""

PART_HATCHES = {"waiting": "////", "lock": "\\\\\\\\", "unexplained": "....", "blocked": "xxxx"}
"""Patterns that tell the parts apart without colours."""
HATCHING = "#00000055"


def look_of(backend: str) -> Look:
    """Return how a backend is drawn; one that is not ours always gets the same of a few further looks."""
    return LOOKS.get(backend) or OTHERS[crc32(backend.encode("utf-8", "replace")) % len(OTHERS)]


def luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb" (WCAG 2, relative luminance)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2)."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def ink_on(colour: str) -> str:
    """Return black or white, whichever reads better on a colour."""
    return max(("#ffffff", "#111111"), key=lambda ink: contrast(ink, colour))
