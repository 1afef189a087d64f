# ruff: noqa: E501
"""Cells of kinds that once ended otherwise than the plain cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cells import compiled

SETUP = """
import os, re, threading, time
from collections import Counter
xs = [1, 2, 3, 4]; out = []; log = []; total = 0; it = iter([5, 6, 7]); prev = 1
groups = {"a": [], "b": []}; found = {1: 0, 2: 0}; counts = Counter(); path = "lines"
for name in ["", *os.listdir()]: name and os.remove(name)
name = ""
def f(x):
    return x * x + 1
def works(x):
    time.sleep(0)
    return x * x + 1
def fails(x):
    if x == 3:
        raise ValueError(x)
    return x
def note(x):
    log.append(x)
    return x
def seen():
    return prev
def given(x):
    global prev
    prev = x
    return x
class Tank:
    def __init__(self, level, parts=None):
        self.level, self.parts = level, parts
    def fill(self, by):
        self.level += by
        return self.level
"""

PARALLEL = {
    "a function takes a name that a worker gives a value later": "for x in xs:\n    y = (lambda: prev)()\n    prev = f(x)\n    out.append(y)",
    "a function of its own name takes it": "for x in xs:\n    def g(v): return v + prev\n    out.append(g(1))\n    prev = f(x)",
    "a function is made before what it takes": "for x in xs:\n    g = lambda: prev\n    prev = f(x)\n    out.append(g())",
    "a function takes what some items give": "for x in xs:\n    g = lambda: prev\n    if x > 2: prev = f(x)\n    out.append(g())",
    "a name that a condition of the tail gives and its branch reads": (
        "for x in xs:\n    t = Tank(x)\n    groups['a'] += [t]\n    y = name.level if (name := t).fill(f(2)) else 0"
    ),
    "a name that a sum gives too": "for x in xs:\n    total += (total := f(x))",
    "a name that a sum gives too, under a condition": "for x in xs:\n    total += 1 if (total := f(x)) > 5 else total",
    "a name that a sum gives and cannot add": "for x in xs:\n    name += total if (name := f(x)) else name",
    "a function under another name": "for x in xs:\n    g = given\n    out.append(f(x))\n    g(x)",
    "one of several functions": "for x in xs:\n    g = [given, note][x % 2]\n    out.append(f(x))\n    g(x)",
    "several functions under other names": "for x in xs:\n    g, h = given, note\n    out.append(f(x))\n    g(h(x))",
    "a part of a function": (
        "import functools\nfor x in xs:\n    g = functools.partial(given)\n    out.append(f(x))\n    g(x)"
    ),
    "a look-up fails before what is stored is made": "for x in xs:\n    t = Tank(x)\n    groups['abc'[x - 1]] += [t.fill(f(x))]",
    "a look-up fails before a method's argument": "for x in xs:\n    groups['ab?'[x - 1]].append(fails(x))",
    "what += changes is not there": "for x in xs:\n    found[x] += fails(x)",
    "a name that += changes is not there": "for x in [3, 4]:\n    unknown += fails(x)",
    "an attribute that += changes is not there": "t = Tank(1)\nfor x in [3]:\n    t.other += fails(x)",
    "a lock that the loop leaves": "for x in xs:\n    lock = threading.Lock()\n    out.append(f(x))\nlock.acquire()",
    "a lock that some items leave": "for x in xs:\n    y = f(x)\n    if x < 3:\n        lock = threading.Lock()\nlock.acquire()",
    "a match left by an item before an error": "for x in xs:\n    m = re.search('[13]', str(x))\n    out.append(fails(x))",
    "a match decides with what the tail knows": (
        "for x in xs:\n    m = re.search('[13]', str(f(x)))\n    if m and len(out) < 1:\n        out.append(x)"
    ),
    "a file that is appended to is not opened again": (
        "for x in xs:\n    h = open(path + str(x), 'a')\n    h.write(str(f(x)))\n    h.close()\n"
        "out.extend(open(path + str(x)).read() for x in xs)"
    ),
    "lines of a file": (
        "open(path, 'w').write('ab\\ncd\\n')\nfor p in [path, path]:\n    for line in open(p):\n        counts[line[:1]] += f(1)"
    ),
    "what is left holds the notebook's list beside a file": (
        "for x in xs:\n    with open(os.devnull) as handle:\n        t = Tank(f(x), log)\n    total += x\nlog.append(1)"
    ),
    "a loop left inside a try": (
        "for x in xs:\n    try:\n        if f(x) == 10:\n            break\n    finally:\n        out.append(x)\nelse:\n    out.append(0)"
    ),
    "a loop left inside a try by what the notebook knows": (
        "for x in xs:\n    try:\n        y = f(x)\n        if len(out) == 4:\n            break\n        out.append(y)\n"
        "    finally:\n        out.append(x)\n    out.append(0)"
    ),
    "an item left inside a try by what the notebook knows": (
        "for x in xs:\n    try:\n        y = f(x)\n        if len(out) == 3:\n            continue\n        out.append(y)\n"
        "    finally:\n        out.append(x)\n    out.append(0)"
    ),
    "an item left inside a try": (
        "for x in xs:\n    try:\n        y = f(x)\n        if x == 2:\n            continue\n        out.append(y)\n"
        "    finally:\n        out.append(y if x == 2 else x)\n    out.append(0)"
    ),
    "a condition in workers ends a while": "n = 0\nwhile works(n) < 6:\n    n += 1\nelse:\n    done = n\nout.append(done)",
    "a break ends a while with an else": (
        "n = 0\nwhile works(n) < 60:\n    n += 1\n    if works(n) == 5:\n        break\nelse:\n    done = n\nout.append(n)"
    ),
    "a while that ran ahead ends by its condition": (
        "import random\nran = random.Random(5)\ntodo = [6, 5, 4, 3, 2, 1]\nwhile ran.random() < 0.8:\n    x = todo.pop()\n"
        "    out.append(works(x))\n    if len(out) > 9: break\nelse:\n    out.append(0)"
    ),
    "a bar that the loop writes to": (
        "import io, tqdm\nbar = tqdm.tqdm(xs, file=io.StringIO())\nfor x in bar:\n    y = works(x)\n    bar.set_postfix(y=y)\n"
        "    out.append(y)\nlog += [bar.n, bar.postfix]\ndel bar, tqdm, io"
    ),
    "a bar around the loop": (
        "import io, tqdm\nwith tqdm.tqdm(total=4, file=io.StringIO()) as bar:\n    for x in xs:\n        out.append(works(x))\n"
        "        bar.update(1)\nlog.append(bar.n)\ndel bar, tqdm, io"
    ),
    "what a star takes is one object": "for x in xs:\n    first, *rest = x, 2, 3\n    y = f(first)\n    out.append((y, rest))\nrest.append(1)",
    "an object of the class of another": (
        "for x in xs:\n    t = Tank(x)\n    u = type(t)(f(x))\n    v = u.__class__(2)\n    out.append((u.level, v.fill(1)))"
    ),
    "files named by numbers that begin with one": (
        "for i, x in enumerate(xs):\n    with open(f'page{i + 1}', 'w') as h:\n        h.write(str(f(x)))\nout += sorted(os.listdir())"
    ),
    "an item that ends with no Exception": (
        "class Stop(BaseException): pass\ndef stops(x):\n    if x == 3: raise Stop\n    return x\n"
        "try:\n    for x in xs:\n        y = works(x)\n        out.append(stops(x))\nexcept Stop:\n    out.append((x, y))"
    ),
    "a list of text is one object": "for x in xs:\n    words = str(f(x)).split()\n    out.append(words)\nwords.append('more')",
}
PLAIN = {
    "a class that counts what is made, by its type": (
        "class Made:\n    count = 0\n    def __init__(self):\n        type(self).count += 1\n        self.number = Made.count\n"
        "for x in xs:\n    f(x)\n    out.append(Made())\nr = [made.number for made in out]"
    ),
    "a class that counts what is made, by its own name for it": (
        "class Made:\n    seen = []\n    def __init__(self):\n        self.__class__.seen.append(f(2))\n"
        "        self.number = len(self.seen)\nr = [Made().number for x in xs]"
    ),
    "a file that gets the next one's name": (
        "open('a1', 'w').close()\nfor x in xs:\n    p = f'a{x}'\n    f(x)\n    os.rename(p, f'a{x + 1}')\nout += os.listdir()"
    ),
    "a file that the item before wrote": (
        "open('s1', 'w').write('7')\nfor x in xs:\n    n = int(open(f's{x}').read())\n    with open(f's{x + 1}', 'w') as h:\n"
        "        h.write(str(n + f(x)))\nout.append(open('s5').read())"
    ),
    "folders that several items make": (
        "def made(x):\n    try:\n        os.mkdir(f'd{x % 2}')\n    except FileExistsError:\n        return -f(x)\n    return f(x)\n"
        "r = [made(x) for x in xs]\nfor name in os.listdir(): os.rmdir(name)"
    ),
    "files that items delete and count": (
        "def left(x):\n    open(str(x), 'w').close()\n    return len(os.listdir()) + f(x)\nr = [left(x) for x in xs]"
    ),
    "folders that are sorted while they are walked": (
        "for name in 'bca': os.makedirs(f'w/{name}')\nfor folder, inner, files in os.walk('w'):\n    inner.sort()\n"
        "    out.append((folder, f(len(inner))))\nfor name in 'bca': os.rmdir(f'w/{name}')\nos.rmdir('w')"
    ),
    "an iterator that looks at what it gave": (
        "class Growing:\n    last = ()\n    def __iter__(self): return self\n    def __next__(self):\n"
        "        if len(self.last) > 5: raise StopIteration\n        self.last = [*self.last, 0]\n        return self.last\n"
        "for x in Growing():\n    x.append(f(1))\n    out.append(len(x))"
    ),
    "a generator that a refused loop leaves": (
        "def given():\n    try:\n        for x in xs:\n            log.append(x)\n            yield x\n    finally:\n        log.append(0)\n"
        "for x in given():\n    if f(x) == 5:\n        break\nout.append(log[-1])"
    ),
    "what is dropped leaves a weak dict": (
        "import weakref\nalive = weakref.WeakValueDictionary()\nfor x in xs:\n    t = Tank(f(x))\n    alive[x] = t\nalive = list(alive)"
    ),
    "what is dropped leaves a weak set": (
        "import weakref\nalive = weakref.WeakSet()\ndef made(x):\n    t = Tank(f(x))\n    alive.add(t)\n    return t\n"
        "for x in xs:\n    t = made(x)\nalive = len(alive)"
    ),
    "a weak reference": "import weakref\nfor x in xs:\n    t = Tank(f(x))\n    log.append(weakref.ref(t)() is t)",
    "a name that one function gives and another reads": "for x in xs:\n    out.append(seen() + given(x))",
    "a name that a function gives, inside a comprehension": "r = [f(prev) + given(x) for x in xs]",
    "a name that a function gives and the body reads before": "for x in xs:\n    out.append((prev, given(x), f(x)))",
    "a sum with a name that what is added gives": "for x in xs:\n    prev += given(x) + f(x)",
    "a name that the body and a function give": "for x in xs:\n    prev = f(x)\n    given(x)\n    out.append(f(prev))",
    "a container that a function gives a name": (
        "def change(x):\n    global log\n    log = out if x % 2 else [x]\n"
        "for x in xs:\n    change(x)\n    log.append(f(x))\n    note(f(len(out)))"
    ),
    "an operator that gives a name": (
        "class Odd:\n    def __add__(self, other):\n        return given(other)\nodd = Odd()\n"
        "for x in xs:\n    out.append((f(prev), odd + x))"
    ),
    "items made with a name that the body's function gives": "for x in (y + prev for y in xs):\n    out.append(f(given(x)))",
    "a function of the items that the body gives another value": "for x in map(f, xs):\n    f = note\n    out.append(x)",
    "a filter that the body gives another value": "for x in filter(f, xs):\n    f = note\n    out.append(x)",
    "what the target is called": "for f in map(f, xs):\n    out.append(f)",
    "a method of the items whose object gets another value": (
        "t = Tank(1)\nfor x in map(t.fill, xs):\n    t = Tank(f(x))\n    out.append(x)"
    ),
    "a function of the items that another function gives": (
        "def swapped(x):\n    global f\n    f = note\n    return x\n"
        "r = list(map(swapped, map(f, xs)))\nf = fails\nfor x in map(f, [1, 2]):\n    out.append(swapped(x) + f(x))"
    ),
    "a default of a lambda over the items": "for x in map(lambda y, z=prev: f(y + z), xs):\n    prev = x",
    "no name of ours in locals": "for x in xs:\n    prev = f(prev) + len(locals())",
    "no name of ours in globals of a comprehension": "r = [len(globals()) + (prev := f(prev)) for x in xs]",
    "a map that is walked by a plain loop": "for x in map(note, xs):\n    prev = f(prev) + x",
    "several iterables of a map": "for x in map(max, xs, map(note, xs)):\n    prev = f(prev) + x",
    "an iterator that is walked inside": (
        "for x in xs:\n    y = f(x)\n    for j in it:\n        for k in xs:\n            prev = f(prev + k)\n        out.append((j, k))"
    ),
    "a name that is deleted in every item": "w = 2\nfor x in xs:\n    y = f(x)\n    del w\n    out.append(f(w))",
    "an attribute of a class above, that changes": (
        "class Base:\n    made = 1\nclass Derived(Base): pass\nheld = Derived()\nfor x in xs:\n    c = Derived()\n"
        "    out.append((f(c.made), f(held.made), f(Derived.made)))\n    Base.made += 1"
    ),
    "a name of what is made or of the notebook, read before it changes": (
        "tanks = [Tank(5), Tank(6)]\nfor x in xs:\n    t = Tank(x)\n    out.append(t.level)\n    out.append(f(t.fill(2)))\n"
        "    t = tanks[x % 2]\n    out.append(t.level)"
    ),
    "no iterable": "for x in 5:\n    out.append(f(x))",
    "a coroutine that counts": (
        "async def later(x):\n    log.append(x)\n    return len(log)\nr = [await later(x) for x in xs]"
    ),
    "coroutines that count": (
        "import asyncio\nasync def later(x):\n    log.append(x)\n    return len(log)\n"
        "r = await asyncio.gather(*[later(x) for x in xs])"
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", PARALLEL)
def test_in_parallel(name: str, how: str) -> None:
    different, ran = compiled.differs(PARALLEL[name], SETUP, how)
    assert different is None
    assert ran.lifted, [str(part.refusal) for part in ran.refused]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", PLAIN)
def test_as_the_plain_loop(name: str, how: str) -> None:
    different, _ = compiled.differs(PLAIN[name], SETUP, how)
    assert different is None
