"""Iterators that somebody else walks too, that give themselves or one object again, and loops inside that take none."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
i, k, prev, out = 0, 1, 0, []
it = iter([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3])
xs = [1, 2, 3, 4, 5, 6]
class Itself:
    def __init__(self): self.i = 0
    def __iter__(self): return self
    def __next__(self):
        self.i += 1
        if self.i > 5: raise StopIteration
        return self
class Row: v = 0
class Reuse:
    def __init__(self): self.i = 0; self.row = Row()
    def __iter__(self): return self
    def __next__(self):
        self.i += 1
        if self.i > 5: raise StopIteration
        self.row.v = self.i
        return self.row
class Fresh(Reuse):
    def __next__(self):
        self.i += 1
        if self.i > 5: raise StopIteration
        row = Row()
        row.v = self.i
        return row
class Lists(Reuse):
    def __init__(self): self.i, self.row = 0, []
    def __next__(self):
        self.i += 1
        if self.i > 5: raise StopIteration
        self.row.append(self.i)
        return self.row
class Count:
    def __init__(self, n): self.n, self.at = n, 0
    def __iter__(self): return self
    def __next__(self):
        if self.at >= self.n: raise StopIteration
        self.at += 1
        return self.at
    def left(self): return self.n - self.at
class Apart:
    def __init__(self): self.count = Count(6)
    def __iter__(self): return self.count
def beside(n): return slow(n) + count.at
reuse, count, apart = Reuse(), Count(6), Apart()
same = count

import csv, fileinput, io, os
from itertools import islice

table = "\\n".join(["a,b", *["1,2", "3,4"] * 3])
def line_of():
    return reader.line_num
"""
)
WALKED = cells_of("""
### pairs of a shared iterator
for x, y in zip(it, xs):
    for j in it:
        out.append((j, slow(x)))
### one of a shared iterator
for x in zip(it):
    for j in it:
        out.append((j, slow(j)))
### numbered
for n, x in enumerate(it):
    for j in it:
        out.append((j, slow(n)))
### none inside
for x in range(5):
    for k in range(i):
        slow(x)
        i += 1
    prev = k
### none inside, in a list
for x in range(5):
    for k in range(i):
        slow(x)
        i += 1
    prev = [k]
### itself
r = [slow(n.i) for n in Itself()]
### itself in a loop
for n in Itself(): out.append(slow(n.i))
n = None
### one object
for row in Reuse(): out.append(slow(row.v))
### one object there already
for row in reuse: out.append(slow(row.v))
### one object in a list
r = [slow(row.v) for row in Reuse()]
### one list
for row in Lists(): out.append(slow(len(row)))
### one object in a map
r = list(map(lambda row: slow(row.v), Reuse()))
### how far the iterator is, printed
for n in count:
    out.append(slow(n))
    print(same.at)
### how far it is, by a method
for n in count:
    out.append((slow(n), count.left()))
### how far it is, in the function of an item
for n in count:
    out.append(beside(n))
### how far it is, in a comprehension
r = [(slow(n), count.at) for n in count]
### how far it is, in a map
r = list(map(lambda n: slow(n) + count.at, count))
### how far it is, beside a number
for k, n in enumerate(count):
    out.append(slow(n) + k)
    print(vars(count))
### how far an iterator apart is
for n in apart:
    out.append(slow(n))
    print(apart.count.at)
### lines of a reader
reader = csv.reader(io.StringIO(table))
for row in reader:
    out.append((reader.line_num, slow(len(row))))
reader = None
### lines of a reader, asked in a function
reader = csv.reader(io.StringIO(table))
for row in reader:
    out.append((line_of(), slow(len(row))))
reader = None
### lines of a reader by names
named = csv.DictReader(io.StringIO(table))
r = [(named.line_num, slow(len(row))) for row in named]
named = None
### where a text is
text = io.StringIO(table)
for line in text:
    out.append((text.tell(), slow(len(line))))
text = None
### where a file is
with open(os.__file__, "rb") as file:
    for line in islice(file, 5):
        out.append((file.tell(), slow(len(line))))
file = None
### how many there are yet
for x in it:
    out.append((it.__length_hint__(), slow(x)))
### lines of a file, by their numbers
for line in fileinput.input(os.__file__):
    if fileinput.lineno() > 4:
        break
    out.append((fileinput.lineno(), slow(len(line))))
fileinput.close()
""")
FRESH = cells_of("""
### loop
for row in Fresh(): out.append(slow(row.v))
### comprehension
r = [slow(row.v) for row in Fresh()]
### how far it is, when all are done
for n in count:
    out.append(slow(n))
print(count.at)
### fields of a reader
named = csv.DictReader(io.StringIO(table))
for row in named:
    out.append((named.fieldnames, slow(len(row))))
named = None
### pairs of lists
for a, b in zip(xs, xs[1:]):
    for j in xs[:2]:
        out.append((j, slow(a + b)))
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", WALKED)
def test_what_is_walked_by_others_too_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(WALKED[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", FRESH)
def test_an_iterator_that_gives_another_object_each_time_is_walked_by_workers(name: str, how: str) -> None:
    ran = programs.alike(FRESH[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
