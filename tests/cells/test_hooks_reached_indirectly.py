"""Methods of the user's objects that run though no line calls them, and count: their order is the plain loop's."""

from __future__ import annotations

import pytest

from concompare.cells.telling_classes import telling_when_pickled
from tests.cells import plainly, programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import codecs, collections, copy, dataclasses, functools, io
import pandas as pd
log = []; out = []
def count():
    log.append(len(log))
    return len(log)
class Shown:
    def __str__(self): return f"s{count()}"
    def __repr__(self): return f"r{count()}"
class Copied:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return self.x == other.x
    __hash__ = None
    def __deepcopy__(self, memo): return Copied((self.x, count()))
@dataclasses.dataclass
class Holding:
    v: object
class Slots:
    __slots__ = ("x", "y")
    def __init__(self, y): self.y = y
    def __getattr__(self, name):
        if name[:2] == "__": raise AttributeError(name)
        log.append(name)
        return len(log)
class Absent:
    def __init__(self, x): self.x = x
    @property
    def p(self): return self.no_such
    def __getattr__(self, name):
        if name[:2] == "__": raise AttributeError(name)
        return count()
class Ordered(collections.OrderedDict):
    def __setitem__(self, key, value):
        log.append(key)
        super().__setitem__(key, (value, len(log)))
class Keyed(dict):
    def __setitem__(self, key, value):
        log.append(key)
        super().__setitem__(key, (value, len(log)))
class Pair(collections.namedtuple("Pair", "x n")):
    def __new__(cls, x, n=0):
        log.append(x)
        return super().__new__(cls, x, len(log))
class Meta(type):
    def __instancecheck__(cls, thing):
        log.append(thing)
        return True
class Any(metaclass=Meta): pass
class Equal:
    def __eq__(self, other):
        log.append(other)
        return other == 20
    __hash__ = None
class Known: A = Equal()
class Sized(list):
    def __len__(self):
        log.append("len")
        return super().__len__()
def given(x, *, k=0): return slow(x) + k
base = Ordered(a=1)
column = pd.Series([Shown()])
frame = pd.DataFrame({"v": [Shown()]})
"""
)
CELLS = cells_of("""
### asdict
for i in range(4): out.append(dataclasses.asdict(Holding(Copied(slow(i)))))
### astuple of containers
for i in range(4): out.append(dataclasses.astuple(Holding(Holding([{"a": Copied(slow(i))}]))))
### empty slot
for i in range(4):
    made = Slots(slow(i))
    out.append((made.y, made.x))
del made
### empty slot by name
for i in range(4):
    made = Slots(slow(i))
    out.append((made.y, hasattr(made, "x"), getattr(made, "x", 0)))
del made
### property without a value
for i in range(4):
    made = Absent(slow(i))
    out.append((made.x, made.p))
del made
### default of a dictionary
for i in range(4):
    made = collections.defaultdict(count)
    out.append((slow(i), made["a"]))
del made
### default by a lambda
for i in range(4):
    made = collections.defaultdict(lambda: count())
    out.append((slow(i), made["a"]))
del made
### ordered from the start
for i in range(4): out.append(list(Ordered(a=slow(i)).values()))
### ordered by or
for i in range(4):
    y = slow(i)
    out.append(list((base | {"q": y}).values()))
### ordered by or in place
for i in range(4):
    made = Ordered()
    made |= {"z": slow(i)}
    out.append(list(made.values()))
del made
### ordered from keys
for i in range(4):
    y = slow(i)
    out.append(list(Ordered.fromkeys("ab", y).values()))
### dictionary from keys
for i in range(4):
    y = slow(i)
    out.append(list(Keyed.fromkeys("ab", y).values()))
### named tuple made
for i in range(4):
    y = slow(i)
    out.append(Pair._make([y, 1]))
### named tuple replaced
for i in range(4):
    y = slow(i)
    out.append(Pair._make([y, 1])._replace(x=4))
### keywords of a partial function
for i in range(4):
    part = functools.partial(given, k=i)
    part.keywords["k"] += 100
    out.append(part(slow(i)))
del part
### defaults of keywords
for i in range(4):
    out.append(given(slow(i)))
    given.__kwdefaults__["k"] += 1
### encoding streams
made = []
for i in range(4):
    made.append(codecs.getwriter("utf-8")(io.BytesIO()))
    made[-1].write(str(slow(i)))
out = made[0].getvalue(), made[3].getvalue()
del made
### pattern of a class
for i in range(4):
    x = slow(i)
    match x:
        case Any(): out.append((x, len(log)))
### pattern of a value
for i in range(4):
    x = slow(i)
    match x:
        case Known.A: out.append("A")
        case _: out.append(x)
### pattern of a list
for i in range(4):
    x = Sized([slow(i)])
    match x:
        case [a]: out.append((a, len(log)))
del x
### text of a frame
for i in range(4): out.append((slow(i), str(frame)))
### f-string of a column
for i in range(4): out.append((slow(i), f"{column}"))
### format of a frame
for i in range(4): out.append((slow(i), "{}".format(frame), format(frame)))
### columns in a list
for i in range(4): out.append((slow(i), str([column])))
### joined text of columns
for i in range(4): out.append((slow(i), " ".join(map(str, [column]))))
""")
TELLING = cells_of("""
### state set
class A:
    def __setstate__(self, state):
        self.__dict__.update(state)
        log.append(1)
### asked for what it lacks
class A:
    def __getattr__(self, name):
        log.append(name)
        raise AttributeError(name)
### slots filled when asked
class A:
    __slots__ = ("x",)
    def __getattr__(self, name):
        self.x = 1
        return 1
""")
QUIET = cells_of("""
### state set
class A:
    def __setstate__(self, state):
        self.__dict__.update(state)
        for name, value in state.items(): setattr(self, name, value)
        self.lock = object()
        self.start()
    def start(self): pass
### kept when asked
class A:
    def __getattr__(self, name):
        self.__dict__[name] = value = 1
        return value
### handed on
class A:
    def __getattr__(self, name): return getattr(self.inner, name)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_what_a_method_counts_that_no_line_calls_is_counted_in_order(name: str, how: str) -> None:
    plain, ran = plainly.run_plain(CELLS[name], SETUP), programs.run(CELLS[name], SETUP, how)
    assert (plain.error, ran.left.error) == (None, None)
    assert [ran.left.names[word] for word in ("out", "log")] == [plain.names[word] for word in ("out", "log")]


@pytest.mark.parametrize("name", TELLING)
def test_a_class_that_does_something_where_its_objects_arrive_is_known(name: str) -> None:
    assert telling_when_pickled([plainly.fresh(SETUP + TELLING[name])["A"]]) is not None


@pytest.mark.parametrize("name", QUIET)
def test_a_class_that_fills_its_objects_where_they_arrive_does_nothing_else(name: str) -> None:
    assert telling_when_pickled([plainly.fresh(SETUP + QUIET[name])["A"]]) is None
