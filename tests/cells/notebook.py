"""The notebook in which every generated cell runs: helpers with hidden state, shared objects, classes of its own.

What stands for work (`pure`, `halve`, `fails`) has a loop, as work has: what has none is not worth a worker.
"""

from __future__ import annotations

SETUP = """
import functools
import io
import itertools
import random
from collections import Counter, OrderedDict, defaultdict, deque
from types import SimpleNamespace

import numpy as np

def pure(v):
    for _ in range(2): pass
    return v * 3 + 1

def halve(v):
    for _ in range(2): pass
    return v / 2

def fails(v):
    for _ in range(2): pass
    if v % 5 == 4:
        raise ValueError(f"bad {v}")
    return v + 1

def tell(v):
    print("tell", v)
    return v + 2

def remember(v, store=[]):
    store.append(v)
    return len(store)

def note(v):
    log.append(v)
    return v

def peek(v):
    return v + len(log)

def bump(v):
    global state
    state += v
    return state

def see(v):
    return v + state

def look(v):
    return v + t

def touch(box):
    box["k"] = box.get("k", 0) + 1
    return box["k"]

def first(seq):
    return seq[0]

def fresh_list(v):
    made = [v, v + 1]
    made.append(v + 2)
    return made

def same(seq):
    return seq

def counter():
    n = 0
    def up(v):
        nonlocal n
        n += v
        return n
    return up

def gen(n):
    for k in range(int(n) % 4):
        yield k + 1

def gen_fails(n):
    yield 1
    yield fails(n)
    yield 2

def loud(n):
    for k in range(2):
        print("making", k)
        yield k

def drain(n):
    while queue:
        yield queue.pop()

def rest(first, *others, key=None, **named):
    return first + len(others) + len(named)

def grow(*boxes):
    boxes[0].append(len(boxes))
    return len(boxes[0])

def with_default(v, into={}):
    return into.get(v, 0)

def keep_last(v):
    keep_last.seen = getattr(keep_last, "seen", 0) + v
    return keep_last.seen

def run(function, v):
    return function(v)

def late(v):
    def inner():
        return v + u
    return inner()

def lazy(v):
    return (pure(k) for k in range(int(v) % 3))

def swap(pair):
    pair[0], pair[1] = pair[1], pair[0]
    return pair[0]

def deeper(v):
    return bump(v) if v > 100 else pure(v)

@functools.lru_cache(maxsize=None)
def cached(v):
    return v * 7

def counted(function):
    calls = []
    @functools.wraps(function)
    def wrapper(v):
        calls.append(v)
        return function(v) + len(calls)
    return wrapper

@counted
def wrapped(v):
    return v + 1

class Quiet:
    entered = 0
    def __enter__(self):
        Quiet.entered += 1
        return self
    def __exit__(self, *error):
        return error[0] is ValueError

class Calm:
    def __init__(self, v):
        self.v = v
    def __enter__(self):
        return self.v
    def __exit__(self, *error):
        return False

class Box:
    made = 0
    def __init__(self, v):
        self.v = v
    def get(self):
        return self.v + 1
    def put(self, v):
        self.v = v
        return v
    def count(self):
        Box.made += 1
        return Box.made

xs = [1, 2, 3, 4, 5, 6]
ys = [3, 1, 4, 1, 5, 9]
zs = ys
dup = [[1], [2], [3]]
row = dup[0]
dup2 = [row, row, dup[1]]
boxes = [{"k": 1}, {"k": 2}, {"k": 3}]
objects = [Box(1), Box(2), Box(3)]
out = []
out2 = out
log = []
d = {}
dd = defaultdict(list)
table = {1: 10, 2: 20, 3: 30, 4: 40, 5: 50, 6: 60}
s = set()
total = 0.5
best = -1
t = 0
u = 1
state = 0
up = counter()
box = Box(7)
rng = random.Random(3)
it = iter([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3])
queue = [1, 2, 3]
tick = itertools.count()
made = gen(3)
counts = Counter([1, 1, 2])
window = deque([1], maxlen=3)
ordered = OrderedDict(a=1, b=2)
arr = np.arange(6.0)
view = arr[1:]
grid = np.zeros((6, 2))
flat = grid.reshape(-1)
nrng = np.random.default_rng(1)
sink = io.StringIO()
source = io.StringIO("a\\nb\\nc\\nd\\ne\\nf\\ng\\n")
push = out.append
half_of = functools.partial(halve)
grow_out = functools.partial(grow, out)
holding = (1, out)
link = [out]
settings = SimpleNamespace(k=2, seen=[])
matrix = [[0, 0], [0, 0], [0, 0]]
rows = [[0] * 2] * 3
pairs = [(1, [2]), (3, [4]), (5, [6])]
words = ["ab", "c", "abc"]
"""

STACK = """
class Stack:
    def __init__(self, *parts):
        self.parts = list(parts)
        self.asked = 0
    def __iter__(self):
        return iter(self.parts)
    def __len__(self):
        self.asked += 1
        return len(self.parts)
    def __contains__(self, v):
        self.asked += 1
        return v in self.parts
    def __getattr__(self, name):
        if name != "missing":
            raise AttributeError(name)
        self.__dict__["asked"] += 1
        return self.asked
    def __call__(self, v):
        self.parts.append(v)
        return len(self.parts)
    @property
    def top(self):
        return self.parts[-1]
    @staticmethod
    def plain(v):
        return v + 1
    @classmethod
    def make(cls, v):
        return cls(v)

stack = Stack(1, 2)
"""

VECTOR = """
class Vector:
    def __init__(self, v):
        self.v = v
    def __add__(self, other):
        return Vector(self.v + other)
    def __iadd__(self, other):
        self.v += other
        return self
    def __lt__(self, other):
        return self.v < other
    def __bool__(self):
        return self.v > 2
    def __eq__(self, other):
        return isinstance(other, Vector) and self.v == other.v
    __hash__ = None

vector = Vector(3)
"""

TANK = """
import copy
import re

class Tank:
    def __init__(self, level=0, parts=None):
        self.level, self.parts = level, parts
        self.notes = []
        self.inner = []
    @classmethod
    def make(cls, level):
        return cls(level, [level])
    def fill(self, by):
        self.level += by
        self.notes.append(by)
        return self.level
    def attach(self, parts):
        self.parts = parts
    def push(self, part):
        if self.parts is not None:
            self.parts.append(part)
        self.inner.append(part)
    def burst(self, at):
        self.level += 1
        if at == 4:
            raise ValueError(at)
        self.level += 1
    def tell(self, v):
        print("tank", v, self.level)
    @property
    def full(self):
        return self.level > 5
    def __bool__(self):
        return self.level > 3
    def __enter__(self):
        self.notes.append("in")
        return self
    def __exit__(self, *error):
        self.notes.append("out")
        return False

class SubTank(Tank):
    def fill(self, by):
        self.friend = dup[1]
        return super().fill(by) + 1

def attach(tank, parts):
    tank.parts = parts

def pour(tank, by):
    other = Tank(by)
    other.attach(tank.notes)
    other.push(by)
    return tank.fill(other.level)

tanks = [Tank(1), Tank(2, dup[0]), Tank(3)]
"""

FRAME = """
import pandas as pd
df = pd.DataFrame({"a": [1, 2, 3], "b": [4.0, 5.0, 6.0]})
part = df["a"]
"""


def setup_of(cell: str) -> str:
    """Return the notebook that a cell runs in; a class with operators of its own, and pandas, only where it is used."""
    frame = FRAME if "df" in cell or "part[" in cell else ""
    frame += TANK if "ank" in cell else ""
    return SETUP + ("" if "tack" not in cell else STACK) + ("" if "ector" not in cell else VECTOR) + frame
