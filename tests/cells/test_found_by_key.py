"""What `min` and `max` give: one of their arguments or an element, and nothing of what their `key` refers to."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
class Cart:
    def __init__(self, pos, stops):
        self.pos, self.stops, self.way = pos, list(stops), [pos]
    def nearest(self):
        slow(self.pos[0])
        return min(self.stops, key=lambda stop: (abs(stop[0] - self.pos[0]), stop))
    def go(self, stop):
        self.pos = stop
        self.stops.remove(stop)
        self.way.append(stop)

class Shelf:
    def __init__(self, wish, boxes):
        self.wish, self.boxes, self.best = wish, boxes, None
    def far(self, box):
        return slow(box.size) - self.wish
    def last(self, *found):
        return found[-1]

class Box:
    def __init__(self, size):
        self.size, self.marks = size, 0
    def __gt__(self, other):
        return self.size > other.size

def marked(box):
    box.marks += slow(box.marks + 1)
    return box.size

def second(*both):
    return both[1]

def either(one, other=None, *more):
    return other

carts = [Cart((n, 0), [(n * 3 + k, k * 2 % 3) for k in range(4)]) for n in range(5)]
boxes = [Box(n * 5 % 7) for n in range(7)]
shelves = [Shelf(n, list(boxes[n : n + 3])) for n in range(5)]
queues = {n: [(n * k % 7, "abc"[k % 3]) for k in range(1, 6)] for n in range(4)}
weights = {"a": 2, "b": 0, "c": 1}
spare = Box(9)
out = []
"""
)

IN_WORKERS = cells_of("""
### carts that take what is next
for cart in carts:
    stop = cart.nearest()
    cart.go(stop)
    out.append(stop)
### queues that are worked off
for queue in queues.values():
    while len(queue) > 2:
        first = max(queue, key=lambda job: (weights[job[1]], slow(job[0])))
        queue.remove(first)
    out.append(queue[0])
### the last of two
for cart in carts:
    cart.stops.remove(max(cart.stops[0], cart.stops[1], key=lambda stop: slow(stop[0] + cart.pos[0])))
""")

ALIKE = cells_of("""
### several turns
for turn in range(3):
    seen = set()
    for cart in carts:
        stop = cart.nearest()
        if stop in seen:
            continue
        seen.add(stop)
        cart.go(stop)
    out.append(len(seen))
### boxes that are found by what they are
for shelf in shelves:
    box = min(shelf.boxes, key=shelf.far)
    shelf.boxes.remove(box)
    out.append(box)
[a is b for a in out for b in boxes]
### a box of several that is changed
for shelf in shelves:
    box = max(shelf.boxes, key=lambda box: slow(box.size))
    box.marks += slow(box.marks + 1)
[box.marks for box in boxes]
### one of two that is changed
for shelf in shelves:
    box = min(shelf.boxes[0], boxes[3], key=lambda box: slow(box.size))
    box.marks += slow(shelf.wish)
[box.marks for box in boxes]
### one of all that is changed
for shelf in shelves:
    box = max(*shelf.boxes, key=lambda box: slow(box.size))
    box.marks += slow(shelf.wish)
[box.marks for box in boxes]
### a key that changes both
for shelf in shelves:
    box = max(Box(shelf.wish), boxes[3], key=marked)
boxes[3].marks
### the greater ones of two rows
for shelf in shelves:
    for box in map(max, [Box(shelf.wish + k) for k in range(3)], boxes):
        marked(box)
[box.marks for box in boxes]
### what a function of any number takes
for shelf in shelves:
    for box in map(second, shelf.boxes, boxes[:3]):
        marked(box)
[box.marks for box in boxes]
### what a lambda of any number takes
for shelf in shelves:
    for box in map(lambda *both: both[-1], [Box(shelf.wish)] * 3, boxes):
        marked(box)
[box.marks for box in boxes]
### what a method of any number takes
for shelf in shelves:
    for box in map(shelf.last, [Box(shelf.wish)] * 3, boxes):
        marked(box)
[box.marks for box in boxes]
### what a function of some and any number takes
for shelf in shelves:
    for box in map(either, [Box(shelf.wish)] * 3, boxes, shelf.boxes):
        marked(box)
[box.marks for box in boxes]
### the one where there is none
for shelf in shelves:
    box = max([b for b in shelf.boxes if b.size > 5], key=shelf.far, default=spare)
    box.marks += slow(shelf.wish)
spare.marks, [box.marks for box in boxes]
### kept in the item
for shelf in shelves:
    shelf.best = max(shelf.boxes, key=shelf.far)
    slow(shelf.wish)
[shelf.best is box for shelf in shelves for box in boxes]
### one of the carts themselves
for cart in carts:
    first = min(carts, key=lambda other: (len(other.stops), slow(other.pos[0])))
    first.go(first.nearest())
    out.append(first.pos)
### a stop that is not there
for cart in carts:
    stop = cart.nearest()
    cart.go(stop if cart.pos[0] < 3 else (99, 99))
    out.append(stop)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", IN_WORKERS.values(), ids=IN_WORKERS)
def test_what_takes_the_found_away_runs_in_workers(cell: str, how: str) -> None:
    ran = programs.alike(cell, SETUP, how)
    assert any("remove(" in head or ".go(" in head for head in map(programs.head_of, ran.cell.lifted))


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", ALIKE.values(), ids=ALIKE)
def test_what_is_found_is_the_notebooks_own(cell: str, how: str) -> None:
    programs.alike(cell, SETUP, how)
