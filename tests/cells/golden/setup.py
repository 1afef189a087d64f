"""The notebook in which every golden cell runs; each cell gets a fresh one."""

import collections
import functools
import itertools
import json
import math
import os
import pathlib
import random
import re
import statistics
import string
from collections import Counter, defaultdict, deque, namedtuple
from functools import partial
from itertools import starmap

import numpy as np


def f(x):
    return x * x + 1


def half(x):
    return x / 2


def add(a, b):
    return a + b


def picky(x):
    if x == 4:
        raise ValueError(f"no {x}")
    return x * 10


def pair(x):
    return x, x * 2


def words_of(text):
    return text.lower().split()


def say(x):
    print("said", x)
    return x + 1


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def scale(x):
    return x * FACTOR


def deep(x):
    def inner(y):
        return y + FACTOR

    parts = [inner(x)]
    parts.append(x)
    return parts


def apply_to(function, x):
    return function(x)


def tidy(row):
    row = dict(row)
    row["tidy"] = True
    return row


def collect_default(x, seen=[]):
    seen.append(x)
    return len(seen)


def read_default(x, table={1: 2}):
    return table.get(x, 0)


def counted(x):
    counted.calls = getattr(counted, "calls", 0) + 1
    return x + counted.calls


def set_global(x):
    global state
    state = x
    return x


def read_state(x):
    return x + state


def read_x(y):
    return y + x


def append_log(x):
    log.append(x)
    return x


def read_log(x):
    return len(log) + x


def remembered(x):
    if x not in cache:
        cache[x] = x * x
    return cache[x]


def spoil(row):
    row["a"] = -1
    return 5


def draw(x):
    return x + random.random()


def draw_np(x):
    return x + np.random.rand()


def with_input(x):
    return input(x)


def make_counter():
    count = 0

    def step(x):
        nonlocal count
        count += x
        return count

    return step


def make_adder(n):
    def adder(x):
        return x + n

    return adder


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + 100

    return wrapper


def tallied(function):
    calls = []

    @functools.wraps(function)
    def wrapper(*args):
        calls.append(args)
        return function(*args) + len(calls)

    return wrapper


@logged
def decorated(x):
    return x * 3


@tallied
def tallying(x):
    return x * 3


@functools.lru_cache(maxsize=None)
def cached(x):
    return x * 7


def lines_in(path):
    with open(path) as handle:
        return [line for line in handle]


def numbers(n):
    for number in range(n):
        yield number * 2


def noisy_numbers(n):
    for number in range(n):
        print("making", number)
        yield number


def draining(n):
    while queue:
        yield queue.pop()


class Point:
    def __init__(self, x, y=0):
        self.x, self.y = x, y

    def norm(self):
        return math.sqrt(self.x**2 + self.y**2)

    def shift(self, by):
        self.x += by
        return self.x

    @property
    def double(self):
        return self.x * 2


class Counting:
    made = 0

    def __init__(self, x):
        Counting.made += 1
        self.x = x + Counting.made


class Shared:
    log = []

    def note(self, x):
        self.log.append(x)
        return len(self.log)


class Peeking:
    def __init__(self):
        self.reads = 0

    @property
    def value(self):
        self.reads += 1
        return self.reads

    def __getitem__(self, key):
        return key * 2

    def __call__(self, x):
        return x + 5


class Tick:
    def __init__(self):
        self.n = 0

    def __call__(self, x):
        self.n += 1
        return x + self.n


class Model:
    def __init__(self):
        self.weight = 3

    def predict(self, x):
        return x * self.weight

    def fit(self, x):
        self.weight += x
        return self.weight


Row = namedtuple("Row", "a b")
FACTOR = 3
state = 0
xs = [1, 2, 3, 4, 5, 6]
ys = [10, 20, 30, 40, 50, 60]
small = [3, 1, 2]
texts = ["the quick brown fox", "jumps over the lazy dog", "the end"]
rows = [{"a": i, "b": [i, i]} for i in range(5)]
same_row = [rows[0]] * 4
points = [Point(i, i + 1) for i in range(4)]
table = {"p": 1, "q": 2, "r": 3}
nested = {"u": [1, 2], "v": [3]}
pairs = [(1, 2), (3, 4), (5, 6)]
grid = [[0, 0, 0] for _ in range(3)]
arr = np.arange(6, dtype=float)
view = arr[1:]
mat = np.arange(12.0).reshape(3, 4)
out = []
out2 = out
other = []
log = []
queue = [1, 2, 3]
cache = {}
found = {}
seen = set()
total = 0.0
count = 0
best = -1
arg = None
message = ""
counts = Counter()
groups = defaultdict(list)
window = deque(maxlen=3)
step = make_counter()
plus2 = make_adder(2)
shared = Shared()
peeking = Peeking()
tick = Tick()
model = Model()
rng = random.Random(5)
nrng = np.random.default_rng(5)
iterator = iter([1, 2, 3, 4, 5, 6, 7, 8])
handle_path = os.__file__
paths = [os.__file__, json.__file__]
point = Point(1, 2)
compiled = re.compile("t.e")
prev = 0
