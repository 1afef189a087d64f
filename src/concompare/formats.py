"""Numbers as short text (at most three significant digits, with their unit) and foreign text made safe to show."""

from __future__ import annotations

import math
import unicodedata
from itertools import pairwise

NOTHING = "–"
"""Text in the place of a number that is missing."""

SECONDS = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "d"))
CEILINGS = {"s": 120.0, "min": 7200.0, "h": 172800.0}
BYTES = ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))


def significant(value: float, digits: int = 3) -> str:
    """Write a number with at most so many significant digits and without an exponent ("2.28", "12.3", "1230")."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    if places > 12:
        return "0"
    text = f"{rounded:.{places}f}"
    return text.replace("-", "−")


def places_of(text: str) -> int:
    """Return how many decimal places a written number has."""
    return len(text.partition(".")[2])


def unit_of(value: float) -> tuple[float, str]:
    """Return the unit of time in which a number of seconds reads best: its length in seconds and its name."""
    size = abs(float(f"{value:.2e}")) if math.isfinite(value) else 1.0
    if size == 0:
        return 1.0, "s"
    chosen = SECONDS[0]
    for unit, following in pairwise(SECONDS):
        if size < CEILINGS.get(unit[1], following[0]):
            return unit
        chosen = following
    return chosen


def seconds(value: float | None, digits: int = 3) -> str:
    """Write a time ("2.28 s", "49.0 ms", "3.1 h")."""
    if value is None or math.isnan(value):
        return NOTHING
    unit, name = unit_of(value)
    return f"{significant(value / unit, digits)} {name}"


def round_seconds(value: float | None) -> str:
    """Write a time where only its size matters ("0.13 s", "25 s")."""
    return seconds(value, 2)


def spread(value: float, around: float) -> str:
    """Write a spread in the unit and to the places of the time that it belongs to ("± 0.05" beside "2.28 s")."""
    if math.isnan(value) or math.isnan(around):
        return NOTHING
    unit, _ = unit_of(around)
    places = places_of(significant(around / unit))
    text = f"{value / unit:.{places}f}"
    if value > 0 and float(text) == 0:
        text = significant(value / unit, 1)
    elif value / unit >= 1000:
        text = significant(value / unit)
    return f"± {text}"


def size(value: float | None) -> str:
    """Write a number of bytes ("312 MB", "490 B")."""
    if value is None:
        return NOTHING
    amount = abs(float(f"{value:.2e}"))
    unit, name = next((b for b in BYTES if amount < b[0] * 1000), BYTES[-1])
    return f"{value:.0f} B" if unit == 1 else f"{significant(value / unit)} {name}"


def number_of_times(value: float) -> str:
    """Write a ratio's number: three significant digits, two below one ("3.60", "0.95", "0.042")."""
    return f"{value:.2f}" if 0.1 <= value < 9.995 else significant(value, 3 if value >= 1 else 2)


def times(value: float | None) -> str:
    """Write a ratio ("3.60×")."""
    return NOTHING if value is None or math.isnan(value) else f"{number_of_times(value)}×"


def between(low: float, high: float) -> str:
    """Write an interval of ratios, to the same number of places at both ends ("[3.41–3.79]")."""
    ends = [number_of_times(low), number_of_times(high)]
    places = min(places_of(end) for end in ends)
    if all(math.isfinite(end) for end in (low, high)) and low >= 0.1:
        ends = [f"{end:.{places}f}" for end in (low, high)]
    return f"[{ends[0]}–{ends[1]}]"


def percent(share: float | None) -> str:
    """Write a share ("88 %", "0.4 %")."""
    if share is None or math.isnan(share):
        return NOTHING
    if share <= 0:
        return "0 %"
    if share < 0.0005:
        return "< 0.1 %"
    if share < 0.0095:
        return f"{share * 100:.1f} %"
    return f"{share * 100:.0f} %"


def count(number: int, noun: str = "", plural: str = "") -> str:
    """Write a number of things ("1 item", "10,000 items")."""
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def clean(text: str) -> str:
    r"""Make a foreign text harmless where it is shown.

    Every character that steers a terminal or turns the direction of writing is shown as its escape ("\x1b"); line
    ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(visible(character) for character in text.replace("\r\n", "\n"))


def visible(character: str) -> str:
    """Return the character, or its escape where it has no shape of its own."""
    if character in "\n\t" or character.isprintable():
        return character
    kind = unicodedata.category(character)
    if kind == "Zs" or (kind == "Cf" and character == "\u200d"):
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def one_line(text: str, limit: int = 200) -> str:
    """Return a foreign text as one harmless line of at most so many characters."""
    line = " ".join(clean(text[: 20 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def one_name(name: str, limit: int = 40) -> str:
    """Return a foreign name as one harmless line, cut in its middle: names of one family differ at their ends."""
    kept = name if len(name) <= 20 * limit else name[: 10 * limit] + name[-10 * limit :]
    return cut(one_line(kept, len(clean(kept))), limit)


def cut(name: str, limit: int) -> str:
    """Return a name of at most so many characters, its beginning and its end kept."""
    if len(name) <= limit:
        return name
    end = (limit - 1) // 2
    return f"{name[: limit - 1 - end]}…{name[len(name) - end :]}"
