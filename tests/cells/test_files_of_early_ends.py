"""Files that items write, in loops that end before their last item: those of items behind the end are not there."""

from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import itertools, os, tempfile
p = tempfile.mkdtemp()
def save(k):
    with open(os.path.join(p, f"{k}.txt"), "w") as f: f.write("x")
    return slow(k + 1)
def names(): return sorted(os.listdir(p))
out, todo = [], [3]
"""
)
ENDING = cells_of("""
### break
for k in range(8):
    if save(k) > 25: break
n = names(); p = None
### return
def go():
    for k in range(8):
        if save(k) > 25: return k
r = go()
n = names(); p = None
### generator
def gen():
    for k in range(8): yield save(k)
for v in gen():
    if v > 25: break
n = names(); p = None
### while
k = 0
while save(k) < 35: k += 1
n = names(); p = None
### next
r = next(k for k in range(8) if save(k) > 25)
n = names(); p = None
### any
r = any(save(k) > 25 for k in range(8))
n = names(); p = None
### takewhile
r = list(itertools.takewhile(lambda k: save(k) < 25, range(8)))
n = names(); p = None
### folders
for k in range(8):
    os.makedirs(os.path.join(p, f"{k}"))
    if slow(k) > 25: break
n = names(); p = None
### known before
for k in range(8):
    if k == 4: break
    out.append(save(k))
n = names(); p = None
""")
DECIDED = cells_of("""
### all
for k in range(8): out.append(save(k))
n = names(); p = None
### inner break
for k in range(8):
    out.append(save(k))
    for j in range(3):
        if j > 1: break
n = names(); p = None
### while
k = 0
while k < 5:
    out.append(save(k))
    k += 1
n = names(); p = None
### queue
while todo:
    k = todo.pop()
    if k: todo.append(k - 1)
    out.append(save(k))
n = names(); p = None
""")


@pytest.mark.parametrize("name", ENDING)
def test_no_file_is_written_behind_the_end(name: str, pool: engine.Pool) -> None:
    plain = plainly.run_plain(ENDING[name], SETUP)
    left = compiled.run_on_engine(ENDING[name], SETUP, pool)
    assert plainly.difference(plain, left) is None
    assert left.names["n"] == plain.names["n"] != []


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", DECIDED)
def test_files_are_written_by_workers_where_it_is_known_which(name: str, how: str) -> None:
    ran = programs.alike(DECIDED[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons
