"""Errors in functions of every shape, in a cell of a real kernel: where they end and which names they leave."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.system.kernel.notebook import Notebook

DEFINITIONS = """
import contextlib, dataclasses, functools

def divide(n):
    left = 10
    return left // (5 - n)

def nested(n):
    def inner(k):
        return divide(k)
    return inner(n)

def comprehension(n):
    return [10 // (5 - k)
            for k in (n,)]

def generator(n):
    return sum(10 // (5 - k)
               for k in (n,))

function_of_one_line = lambda n: 10 // (5 - n)

def with_lambda(n):
    return (lambda k:
            10 // (5 - k))(n)

class Methods:
    start = 10
    def __init__(self, n): self.n = n
    def plain(self):
        return self.start // (5 - self.n)
    @staticmethod
    def static(n):
        return 10 // (5 - n)
    @classmethod
    def of_class(cls, n):
        return cls.start // (5 - n)
    @property
    def value(self):
        return self.start // (5 - self.n)
    @functools.cached_property
    def kept(self):
        return self.start // (5 - self.n)
    def __call__(self, n):
        return self.start // (5 - n)

def method(n): return Methods(n).plain()
def static_method(n): return Methods.static(n)
def class_method(n): return Methods.of_class(n)
def property_of_class(n): return Methods(n).value
def cached_property(n): return Methods(n).kept
instance = Methods(0)

@dataclasses.dataclass
class Data:
    n: int
    def __post_init__(self):
        self.value = 10 // (5 - self.n)
def dataclass(n): return Data(n).value

@dataclasses.dataclass(slots=True)
class Slots:
    n: int
    def value(self):
        return 10 // (5 - self.n)
def with_slots(n): return Slots(n).value()

def make_class(n):
    class Inner:
        def value(self):
            return 10 // (5 - n)
    return Inner()
makers = [make_class]
def class_in_a_function(n): return makers[0](n).value()

def made_by(start):
    def made(n):
        return start // (5 - n)
    return made
closure = made_by(10)

def default(n, function=divide):
    return function(n)

def of_two(start, n):
    return start // (5 - n)
partial = functools.partial(of_two, 10)

def doubled(function):
    @functools.wraps(function)
    def wrapper(n):
        return 2 * function(n)
    return wrapper
@doubled
def decorated(n):
    return 10 // (5 - n)
def wrapped(n): return decorated.__wrapped__(n)

@functools.lru_cache
def cached(n):
    return 10 // (5 - n)

@contextlib.contextmanager
def context(n):
    yield 10 // (5 - n)
def in_context(n):
    with context(n) as value:
        return value

async def wait(n):
    return 10 // (5 - n)
def coroutine(n):
    with contextlib.suppress(StopIteration):
        wait(n).send(None)

def attribute(n): return attribute.other(n)
attribute.other = lambda n: 10 // (5 - n)
"""

CALLS = [
    "divide",
    "nested",
    "comprehension",
    "generator",
    "function_of_one_line",
    "with_lambda",
    "method",
    "static_method",
    "class_method",
    "property_of_class",
    "cached_property",
    "instance",
    "dataclass",
    "with_slots",
    "class_in_a_function",
    "closure",
    "default",
    "partial",
    "decorated",
    "wrapped",
    "cached",
    "in_context",
    "coroutine",
    "attribute",
]

ITEMS = """
made = [made_by(10 + n) for n in range(8)]
parts = [{"n": n, "call": [lambda k: 10 // (5 - k), closure][n % 2]} for n in range(8)]
"""

LOOPS = {name: f"for n in range(8):\n    twice = 2 * n\n    results.append({name}(n))" for name in CALLS}
LOOPS["items that are functions"] = """
for n, function in enumerate(made):
    twice = 2 * n
    results.append(function(n))
"""
LOOPS["parts of items"] = """
for part in parts:
    n, twice = part['n'], 2 * part['n']
    results.append(part['call'](n))
"""

LEFT = "results, n, twice"


class Ending(NamedTuple):
    """What a failed cell shows and leaves: its error, the user's lines from the outermost to the innermost, names."""

    error: str
    lines: list[tuple[int, str]]
    names: tuple[list[object], int, int]


def ending(notebook: Notebook, loop: str, magic: str) -> Ending:
    """Run a loop that fails."""
    notebook.run("results, n, twice = [], None, None")
    head = f"%%parallel {magic}" if magic else "# the plain loop"
    cell = notebook.run(f"{head}\n{loop}", check=False)
    text = re.sub(r"\x1b\[[0-9;]*m", "", cell.traceback)
    assert "concompare/" not in text, text
    arrows = [(int(number), line.strip()) for number, line in re.findall(r"^-+> (\d+) (.*)$", text, re.MULTILINE)]
    return Ending(cell.error, arrows, notebook.value(LEFT))


def differences(notebook: Notebook, backend: str) -> dict[str, tuple[Ending, Ending]]:
    """Return the shapes whose errors end elsewhere, or leave other names, than in the plain loop; and how both do."""
    notebook.run(DEFINITIONS)
    notebook.run(ITEMS)
    found = {}
    for shape, loop in LOOPS.items():
        plainly = ending(notebook, loop, "")
        assert plainly.error.startswith("ZeroDivisionError"), (shape, plainly)
        assert plainly.names[1:] == (5, 10), (shape, plainly)
        here = ending(notebook, loop, f"-b {backend} -w 2 --quiet --assume-pure")
        if here != plainly:
            found[shape] = plainly, here
    return found
