"""The card of `--info`: the machine, this Python, hazards and open pools, as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from concompare import formats
from concompare.report.view.details import gil_words, quota_words, untold_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from concompare.engine import Pool
    from concompare.records import Environment, NativePool


@dataclass(frozen=True, slots=True)
class Card:
    """Names with what there is to say of each; shown as two columns.

    Attributes:
        rows: Name and value; the name is empty where it goes on from the row before.
    """

    rows: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        width = max((len(name) for name, _ in self.rows), default=0)
        return "\n".join(f"{name:{width}}  {value}".rstrip() for name, value in self.rows)

    def _repr_html_(self) -> str:
        rows = []
        for place, (name, value) in enumerate(self.rows):
            more = [more for more, _ in self.rows[place + 1 :]]
            span = next((count for count, other in enumerate(more, start=1) if other), len(more) + 1)
            spanned = f' rowspan="{span}"' if span > 1 else ""
            look = 'style="text-align:left;vertical-align:top"'
            head = f'<th scope="row"{spanned} {look}>{escape(name)}</th>' if name else ""
            rows.append(f'<tr>{head}<td style="text-align:left">{escape(value)}</td></tr>')
        return f"<table><caption>Running in parallel, here</caption><tbody>{''.join(rows)}</tbody></table>"


def card_of(environment: Environment, pools: Iterable[Pool] = (), clusters: tuple[str, ...] = ()) -> Card:
    """Return the card of a machine, of the pools that are open on it, and of the clusters that are connected."""
    rows = [
        ("Python", f"{environment.implementation} {environment.python}, {gil_words(environment)}"),
        ("system", ", ".join(filter(None, (environment.platform, environment.machine, environment.processor)))),
        ("CPUs", cpu_words(environment)),
        ("memory", memory_words(environment)),
        ("processes", f"start by {environment.start_method}; here: {', '.join(environment.start_methods)}"),
        ("threads", f"{formats.count(environment.threads, 'thread')} in this process"),
        *several("native pools", map(native_words, environment.native_pools)),
        *several("variables", (f"{name}={value}" for name, value in environment.variables)),
        ("packages", ", ".join(f"{name} {version}" for name, version in environment.packages)),
        *several("open pools", pool_words(pools)),
        *([*several("clusters", clusters)] if clusters else []),
        *several("hazards", environment.hazards),
        *(several("needs Linux", untold) if (untold := untold_lines(environment)) else ()),
    ]
    return Card(tuple((name, formats.one_line(value, 300)) for name, value in rows))


def several(name: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield a row for each value, the name on the first only; "none" where there are no values."""
    found = tuple(values) or ("none",)
    yield from zip((name, *[""] * (len(found) - 1)), found, strict=True)


def cpu_words(environment: Environment) -> str:
    """Return how many CPUs there are, how many may be used, and why not all."""
    limits = [f"{environment.cpus} in the machine"]
    if environment.physical is not None and environment.physical != environment.cpus:
        limits.append(f"{formats.count(environment.physical, 'core')}")
    if environment.affinity is not None:
        limits.append(f"affinity {environment.affinity}")
    limits.append(quota_words(environment))
    if environment.load is not None:
        limits.append(f"load {formats.significant(environment.load)}")
    return f"{environment.usable} usable ({', '.join(limits)})"


def memory_words(environment: Environment) -> str:
    """Return how much memory there is and how much may be used."""
    sizes = (environment.memory, environment.memory_available, environment.memory_limit)
    parts = zip(("total", "available", "limit"), sizes, strict=True)
    return ", ".join(f"{formats.size(value)} {name}" for name, value in parts if value is not None)


def native_words(pool: NativePool) -> str:
    """Return what there is to say of a thread pool of a native library."""
    return f"{pool.library} ({pool.api}): {formats.count(pool.threads, 'thread')}"


def pool_words(pools: Iterable[Pool]) -> Iterator[str]:
    """Yield what there is to say of each open pool."""
    for pool in pools:
        held = f", {formats.size(memory)}" if (memory := pool.memory()) else ""
        yield f"{pool.backend.name} × {pool.workers}{held}, idle for {formats.round_seconds(pool.idle_seconds())}"
