"""Data classes whose `__init__` takes more, or less, than their fields."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
from dataclasses import InitVar, dataclass, field
from typing import ClassVar
xs, kept = [3, 1, 4, 1, 5, 9], []
"""
)
CHANGED = cells_of("""
### a default that only the start sees
@dataclass
class D:
    x: int
    to: InitVar[list] = kept
    def __post_init__(self, to): to.append(self.x); self.n = len(to)
r = [D(slow(x)).n for x in xs]
### a value that only the start sees, by its place
@dataclass
class D:
    to: InitVar[list]
    x: int = 0
    def __post_init__(self, to): to.append(self.x); self.n = len(to)
r = [D(kept, slow(x)).n for x in xs]
### a value that only the start sees, by its name
@dataclass
class D:
    x: int
    to: InitVar[list] = field(kw_only=True)
    def __post_init__(self, to): to.append(self.x); self.n = len(to)
r = [D(slow(x), to=kept).n for x in xs]
### beside a variable of the class
@dataclass
class D:
    count: ClassVar[int] = 0
    to: list
    def put(self, v): self.to.append(v); return len(self.to)
r = [D(kept).put(slow(x)) for x in xs]
### beside one without a place
@dataclass
class D:
    k: int = field(default=0, kw_only=True)
    to: list = None
    def put(self, v): self.to.append(v); return len(self.to)
r = [D(kept).put(slow(x)) for x in xs]
""")
STILL = """
@dataclass
class D:
    x: int
    scale: InitVar[dict]
    def __post_init__(self, scale): self.y = slow(self.x) * scale["k"]
scale = {"k": 2}
r = [D(x, scale).y for x in xs]
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGED)
def test_what_their_start_is_given_is_followed(name: str, how: str) -> None:
    for seed in range(3):
        different, ran = programs.compared(CHANGED[name] + "\ndel D", SETUP, how, seed)
        assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_start_that_only_reads_is_for_workers(how: str) -> None:
    ran = programs.alike(STILL + "del D", SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
