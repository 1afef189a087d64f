"""Loops that use up what they walk: it ends where the plain loop leaves it, however far workers have looked ahead."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import collections, functools, heapq, io, itertools, pathlib, queue, tarfile, tempfile, threading, time
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "text.txt").write_text("".join(f"line {k}\\n" for k in range(40)))
(folder / "data.bin").write_bytes(bytes(range(256)))
with tarfile.open(folder / "some.tar", "w") as made:
    for k in range(6):
        info = tarfile.TarInfo(f"part{k}")
        info.size = k * 3
        made.addfile(info, io.BytesIO(b"abc" * k))
del made, info, k
def queued(kind, *values):
    made = kind()
    for value in values: made.put(value)
    return made
def count(value):
    if value in (13, "line 13\\n"): raise ValueError("thirteen")
    return slow(len(str(value)))
def state(tf): return [m.name for m in tf.members], tf.offset, tf._loaded, tf.firstmember is None, tf.fileobj.tell()
out, xs = [], list(range(20))
"""
)
GONE = "\nfolder = q = tf = f = None"
"""What two runs do not have in common."""
TWICE = cells_of("""
### lines of a file, all of them
with open(folder / "text.txt") as f:
    for line in f:
        out.append(count(line[:-1]))
### lines of a file, until one fails
f = open(folder / "text.txt")
try:
    for line in f:
        out.append(count(line))
except ValueError:
    end = f.readline()
f.close()
### numbered lines, until the loop is left
f = open(folder / "text.txt", "rb")
for k, line in enumerate(f):
    n = count(line)
    if n > slow(len(str(b"line 9n"))): break
    out.append((k, n))
end = f.tell()
f.close()
### pieces of a file by a function
f = open(folder / "data.bin", "rb")
for piece in iter(lambda: f.read(32), b""):
    n = count(piece)
    out.append(n)
    if len(out) == 3: break
end = f.tell()
f.close()
### pieces of a file by a partial function
f = open(folder / "data.bin", "rb")
for piece in iter(functools.partial(f.read, 100), b""):
    out.append(count(piece))
end = f.tell()
f.close()
### lines up to an empty one, in the memory
f = io.StringIO("a\\nbb\\n\\nccc\\n")
for line in iter(f.readline, "\\n"):
    out.append(count(line))
else:
    out.append("end")
end = f.read()
### an iterator, until one fails
it = iter(xs)
try:
    for x in it:
        out.append(count(x))
except ValueError:
    end = next(it)
### an iterator, until the loop is left
it = iter(xs)
for x in it:
    n = count(x)
    if n > slow(1): break
    out.append(n)
end = list(it)
### two iterators side by side
it, other = iter(xs), itertools.count(5)
for x, y in zip(it, other):
    n = count(x * y)
    if n > slow(2): break
    out.append(n)
end = next(it), next(other)
### a queue up to its mark
q = queued(queue.Queue, 4, 5, 6, None, 7)
for x in iter(q.get, None):
    out.append(count(x))
end = list(q.queue), q.unfinished_tasks
### a queue, until one fails
q = queued(queue.Queue, 4, 5, 13, 6, 7)
try:
    for x in iter(q.get_nowait, None):
        out.append(count(x))
except ValueError:
    end = list(q.queue)
### a queue that comes to its end
q = queued(queue.Queue, 4, 5, 6)
try:
    for x in iter(q.get_nowait, None):
        out.append(count(x))
except queue.Empty:
    end = x, list(q.queue)
### a stack
q = queued(queue.LifoQueue, 0, "stop", 100, 2, 3)
for x in iter(q.get, "stop"):
    out.append(count(x))
    if out[-1] == count(100): break
end = list(q.queue)
### what comes first by its rank
q = queued(queue.PriorityQueue, 5, 3, 9, 4, 1, 13, 7)
for x in iter(q.get, 7):
    out.append(count(x))
    if len(out) == 3: break
end = list(q.queue)
### objects of a queue
boxes = [[1], [2, 3], [4]]
q = queued(queue.Queue, *boxes, None)
for box in iter(q.get, None):
    out.append((box, count(box)))
end = [one is box for (one, _), box in zip(out, boxes)]
### a deque
waiting = collections.deque([1, 2, 3, -1, 4])
for x in iter(waiting.popleft, -1):
    out.append(count(x))
### a list from its end
stack = [0, 1, None, 3, 4, 5]
for x in iter(stack.pop, None):
    out.append(count(x))
### items of a dict
d = {k: k * k for k in range(6)}
for k, v in iter(d.popitem, (2, 4)):
    out.append((k, count(v)))
### an iterator that a function asks
it = iter(xs)
for x in iter(lambda: next(it), 9):
    out.append(count(x))
end = next(it)
### pieces of a file that a function has opened
def pieces(path):
    got = []
    with open(path, "rb") as g:
        for piece in iter(lambda: g.read(50), b""):
            got.append(count(piece))
            if len(got) == 3: break
        return got, g.tell()
end = pieces(folder / "data.bin")
### a queue that a function is given
def drain(q, mark):
    got = []
    for x in iter(q.get, mark):
        got.append(count(x))
    return got, list(q.queue)
end = drain(queued(queue.Queue, 1, 2, 3, None, 5), None)
### pairs from one iterator
it = iter(xs)
pairs = zip(it, it)
for a, b in pairs:
    n = count(a * b)
    if a > 8: break
    out.append(n)
end = next(it), next(pairs)
### two loops over one file
f = open(folder / "text.txt")
for line in f:
    n = count(line[:-1])
    if len(out) == 4: break
    out.append(n)
for line in f:
    out.append(count(line[:-1]))
f.close()
### in a comprehension
f = open(folder / "text.txt")
out = [count(line[:-1]) for line in f]
end = f.tell()
f.close()
### in a comprehension, until one fails
it = iter(xs)
try:
    out = [count(x) for x in it]
except ValueError:
    end = next(it)
### members of an archive
with tarfile.open(folder / "some.tar") as tf:
    for member in tf:
        data = tf.extractfile(member).read()
        out.append((member.name, count(data)))
    end = state(tf), member is tf.members[-1]
### members of an archive, until the loop is left
tf = tarfile.open(folder / "some.tar")
for member in tf:
    n = count(member.name * member.size)
    if n > slow(15): break
    out.append(n)
end = state(tf), member is tf.members[-1]
tf.close()
### members of an archive, until one fails
tf = tarfile.open(folder / "some.tar")
try:
    for k, member in enumerate(tf):
        data = tf.extractfile(member).read()
        out.append(count(data if k < 3 else 13))
except ValueError:
    end = state(tf), member is tf.members[-1]
tf.close()
""")
ONCE = cells_of("""
### the body takes from the queue as well
q = queued(queue.Queue, *range(1, 8), None)
for x in iter(q.get, None):
    y = q.get()
    out.append((count(x), y))
    if y is None: break
### the body looks into the queue
q = queued(queue.Queue, 1, 2, 3, None)
for x in iter(q.get, None):
    out.append((count(x), q.qsize()))
### the work looks into the list
stack = [0, 1, None, 3, 4, 5]
def beside(x): return count(x) + len(stack)
for x in iter(stack.pop, None):
    out.append(beside(x))
### the body reads on in the file
f = open(folder / "text.txt", "rb")
for line in iter(f.readline, b""):
    more = f.read(2)
    out.append((count(line), more))
f.close()
### a file that grows
f = open(folder / "text.txt")
for line in f:
    out.append(count(line[:-1]))
    if len(out) < 45:
        with open(folder / "text.txt", "a") as more:
            n = more.write(line)
f.close()
del more
### somebody fills the queue meanwhile
q = queued(queue.Queue, 1, 2)
def fill():
    time.sleep(0.05)
    for x in (3, 4, None): q.put(x)
thread = threading.Thread(target=fill)
thread.start()
for x in iter(q.get, None):
    out.append(count(x))
thread.join()
thread = None
### what a scanner finds
import re
scanner = re.compile("[0-9]+").scanner("1 22 13 4444")
try:
    for m in iter(scanner.search, None):
        out.append(count(int(m.group())))
except ValueError:
    end = scanner.search().group()
m = scanner = None
### items that are changed
it = iter([[1], [2], [3]])
for box in it:
    box.append(count(box))
    if len(box) > 5: break
    out.append(box)
end = list(it)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", TWICE.values(), ids=TWICE)
def test_what_is_used_up_ends_where_the_plain_loop_leaves_it(cell: str, how: str) -> None:
    ran = programs.alike(cell + GONE, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", ONCE.values(), ids=ONCE)
def test_what_others_use_up_too_is_walked_in_order(cell: str, how: str) -> None:
    programs.alike(cell + GONE, SETUP, how)
