"""Methods of the notebook's classes that no line of a cell names: installed code calls them, or Python does."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import argparse, collections, collections.abc, contextlib, ctypes, dataclasses, datetime, enum, functools, inspect
import io, json, logging, statistics, types, typing, xml.etree.ElementTree as ET, xml.parsers.expat, xml.sax

xs = [3, 1, 4, 1, 5, 9]
out = []
"""
)
CALLED = cells_of("""
### a target of a parser
class Target:
    def start(self, tag, given): out.append(tag)
    def end(self, tag): pass
def f(x): ET.fromstring("<a%d/>" % x, ET.XMLParser(target=Target())); return slow(x)
res = [f(x) for x in xs]
### a handler of a parser
class Handler(xml.sax.ContentHandler):
    def startElement(self, name, given): out.append(name)
def f(x): xml.sax.parseString(b"<a%d/>" % x, Handler()); return slow(x)
res = [f(x) for x in xs]
### a function that a parser holds
def f(x):
    p = xml.parsers.expat.ParserCreate()
    p.StartElementHandler = lambda n, a: out.append(n)
    p.Parse("<a%d/>" % x, True)
    return slow(x)
res = [f(x) for x in xs]
### an action of a parser that is there
class Act(argparse.Action):
    def __call__(self, p, ns, val, opt=None): out.append(val); setattr(ns, self.dest, val)
par = argparse.ArgumentParser(); par.add_argument("--x", action=Act)
def f(x): par.parse_args(["--x", str(x)]); return slow(x)
res = [f(x) for x in xs]
del par
### an action of a parser made for it
class Act(argparse.Action):
    def __call__(self, p, ns, val, opt=None): out.append(val); setattr(ns, self.dest, val)
def f(x):
    p = argparse.ArgumentParser(); p.add_argument("--x", action=Act); p.parse_args(["--x", str(x)])
    return slow(x)
res = [f(x) for x in xs]
### what is closed
class Closed:
    def close(self): out.append(1)
def f(x):
    with contextlib.closing(Closed()): return slow(x)
res = [f(x) for x in xs]
### what a stack of contexts enters
class Context:
    def __enter__(self): out.append("in")
    def __exit__(self, *e): out.append("out")
def f(x):
    with contextlib.ExitStack() as s: s.enter_context(Context()); return slow(x)
res = [f(x) for x in xs]
### a context manager as decorator
class Context(contextlib.ContextDecorator):
    def __enter__(self): out.append("in")
    def __exit__(self, *e): out.append("out")
@Context()
def f(x): return slow(x)
res = [f(x) for x in xs]
### a generator as decorator
@contextlib.contextmanager
def around(): out.append("in"); yield; out.append("out")
@around()
def f(x): return slow(x)
res = [f(x) for x in xs]
### a formatter of a handler
class Line(logging.Formatter):
    def format(self, r): out.append(1); return "m"
h = logging.StreamHandler(io.StringIO()); h.setFormatter(Line())
def f(x): h.handle(logging.LogRecord("n", 20, "p", 1, "m", (), None)); return slow(x)
res = [f(x) for x in xs]
del h
### an encoder
class Enc(json.JSONEncoder):
    def default(self, o): out.append(1); return len(out)
def f(x): return json.dumps({1}, cls=Enc), slow(x)
res = [f(x) for x in xs]
### a decoder
class Dec(json.JSONDecoder):
    def decode(self, s): out.append(s); return super().decode(s)
def f(x): return json.loads("[%d]" % x, cls=Dec), slow(x)
res = [f(x) for x in xs]
### a time zone
class Zone(datetime.tzinfo):
    def utcoffset(self, dt): out.append(1); return datetime.timedelta(minutes=len(out))
    def dst(self, dt): return None
zone = Zone()
def f(x): return datetime.datetime(2020, 1, 1, tzinfo=zone).isoformat(), slow(x)
res = [f(x) for x in xs]
### a mean of what is walked
class Numbers:
    def __iter__(self): out.append(1); yield 1
res = [(statistics.mean(Numbers()), slow(x)) for x in xs]
### a list of what is walked
class Numbers:
    def __iter__(self): out.append(1); yield len(out)
res = [(list(Numbers()), slow(x)) for x in xs]
### a sum of what walks itself
class Two:
    def __init__(self): self.left = 2
    def __iter__(self): return self
    def __next__(self):
        if not self.left: raise StopIteration
        self.left -= 1; out.append(1)
        return len(out)
res = [(sum(Two()), slow(x)) for x in xs]
### operators of an abstract mapping
class M(collections.abc.Mapping):
    def __getitem__(self, k): out.append(k); return 1
    def __iter__(self): return iter([1, 2])
    def __len__(self): return 2
m = M()
def f(x): return m == {x: 1}, slow(x)
res = [f(x) for x in xs]
### operators of an abstract set
class St(collections.abc.Set):
    def __init__(self, it=()): self.d = list(it)
    def __contains__(self, x): out.append(x); return x in self.d
    def __iter__(self): return iter(self.d)
    def __len__(self): return len(self.d)
def f(x): return len(St([1, 2]) & {x, 1}), slow(x)
res = [f(x) for x in xs]
### total ordering
@functools.total_ordering
class O:
    def __init__(self, x): self.x = x
    def __lt__(self, o): out.append(self.x); return self.x < o.x
    def __eq__(self, o): return self.x == o.x
def f(x): return O(x) >= O(2), slow(x)
res = [f(x) for x in xs]
### what is compared in a namespace
class Eq:
    def __eq__(self, o): out.append("e"); return True
def f(x): return types.SimpleNamespace(a=Eq()) == types.SimpleNamespace(a=1), slow(x)
res = [f(x) for x in xs]
### what is compared in a deque
class Eq:
    def __eq__(self, o): out.append("e"); return True
def f(x): return collections.deque([Eq()]) == collections.deque([1]), slow(x)
res = [f(x) for x in xs]
### what is pickled its way
import pickle
class Cp:
    def __reduce__(self): out.append(1); return (int, (1,))
def f(x): return len(pickle.dumps(Cp())), slow(x)
res = [f(x) for x in xs]
### what a chain looks up
dd = collections.defaultdict(list)
chain = collections.ChainMap(dd, {})
def f(x): slow(x); return chain[x % 3]
res = [f(x) for x in xs]
### a text that is timed
import timeit
def f(x): timeit.timeit("o.append(1)", globals={"o": out}, number=1); return slow(x)
res = [f(x) for x in xs]
### a function that is timed
import timeit
def f(x): timeit.timeit(lambda: out.append(x), number=1); return slow(x)
res = [f(x) for x in xs]
### a function of ctypes
back = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: out.append(x) or 1)
def f(x): return back(x), slow(x)
res = [f(x) for x in xs]
del back
### a mock in a module
import unittest.mock
mods = types.ModuleType("mods"); mods.mm = unittest.mock.MagicMock()
def f(x): mods.mm.go(x); return slow(x), mods.mm.go.call_count
res = [f(x) for x in xs]
mods = None
### a function of one class or another
@functools.singledispatch
def kind(a): return 0
@kind.register
def _(a: int): out.append(a); return 1
res = [(kind(x), slow(x)) for x in xs]
del kind, _
""")
DATA_CLASSES = cells_of("""
### order
class Lt:
    def __init__(self, x): self.x = x
    def __lt__(self, o): out.append("lt"); return self.x < o.x
@dataclasses.dataclass(order=True)
class DC: a: object
def f(x): return DC(Lt(x)) < DC(Lt(3)), slow(x)
res = [f(x) for x in xs]
### hash
class Ha:
    def __hash__(self): out.append("h"); return 1
@dataclasses.dataclass(frozen=True)
class DC: a: object
def f(x): return hash(DC(Ha())), slow(x)
res = [f(x) for x in xs]
### hash in a set
class Ha:
    def __hash__(self): out.append("h"); return 1
@dataclasses.dataclass(frozen=True)
class DC: a: object
def f(x): return len({DC(Ha())}), slow(x)
res = [f(x) for x in xs]
### repr
class Rp:
    def __repr__(self): out.append("r"); return "R"
@dataclasses.dataclass
class DC: a: object
def f(x): return repr(DC(Rp())), slow(x)
res = [f(x) for x in xs]
### repr inside
class Rp:
    def __repr__(self): out.append("r"); return "R"
@dataclasses.dataclass
class DC:
    a: object
    more: list
def f(x): return f"{DC(1, [DC(Rp(), [])])}", slow(x)
res = [f(x) for x in xs]
### eq
class Eq:
    def __eq__(self, o): out.append("e"); return True
@dataclasses.dataclass
class DC: a: object
def f(x): return DC(Eq()) == DC(1), slow(x)
res = [f(x) for x in xs]
### replaced
@dataclasses.dataclass
class PI:
    x: int
    def __post_init__(self): out.append(self.x)
pi = PI(1)
def f(x): return dataclasses.replace(pi, x=x).x, slow(x)
res = [f(x) for x in xs]
### a field that is set
@dataclasses.dataclass
class DC:
    x: int
    def __setattr__(self, name, value): out.append(name); object.__setattr__(self, name, value)
def f(x): return DC(x).x, slow(x)
res = [f(x) for x in xs]
""")
ENUMERATIONS = cells_of("""
### a missing member
class Color(enum.Enum):
    A = 1
    @classmethod
    def _missing_(cls, v): out.append(v); return cls.A
def f(x): return Color(x).name, slow(x)
res = [f(x) for x in xs]
### an operator
class Fl(enum.IntFlag):
    A = 1; B = 2
    def __or__(self, o): out.append(int(o)); return super().__or__(o)
def f(x): return int(Fl.A | Fl.B), slow(x)
res = [f(x) for x in xs]
### a property
class Color(enum.Enum):
    A = 1; B = 2
    @property
    def shade(self): out.append(self.value); return self.value
res = [(c.shade, slow(c.value)) for c in (Color.A, Color.B, Color.A, Color.B)]
### a text
class Color(enum.Enum):
    A = 1; B = 2
    def __str__(self): out.append(self.value); return "c"
res = [(f"{c}", slow(c.value)) for c in (Color.A, Color.B, Color.A, Color.B)]
""")
OWN = cells_of("""
### own target
class Target:
    def __init__(self): self.found = []
    def start(self, tag, given): self.found.append(tag)
    def end(self, tag): pass
def f(x):
    t = Target(); ET.fromstring("<a%d/>" % slow(x), ET.XMLParser(target=t)); return t.found
res = [f(x) for x in xs]
### own data class
@dataclasses.dataclass(order=True)
class DC:
    a: int
    more: list = dataclasses.field(default_factory=list)
def f(x): d = DC(slow(x)); d.more.append(x); return repr(d), d < DC(3), d
res = [f(x) for x in xs]
### own encoder
class Enc(json.JSONEncoder):
    def default(self, o): return sorted(o)
def f(x): return json.dumps({slow(x)}, cls=Enc)
res = [f(x) for x in xs]
### own mapping that is only read
class M(collections.abc.MutableMapping):
    def __init__(self): self.d = {1: 2, 3: 4}
    def __getitem__(self, k): return self.d[k]
    def __setitem__(self, k, v): self.d[k] = v
    def __delitem__(self, k): del self.d[k]
    def __iter__(self): return iter(self.d)
    def __len__(self): return len(self.d)
m = M()
def f(x): return x in m, m.get(x), slow(x)
res = [f(x) for x in xs]
### own copies of an object that keeps something
class Model:
    def __init__(self): self.seen = []
    def update(self, x): self.seen.append(slow(x)); return self
import copy
base = Model()
res = [copy.deepcopy(base).update(x).seen for x in xs]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", [*CALLED, *DATA_CLASSES, *ENUMERATIONS])
def test_what_is_called_without_being_named_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared({**CALLED, **DATA_CLASSES, **ENUMERATIONS}[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_what_only_touches_the_item_s_own_stays_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert ({lifted.staying for lifted in ran.cell.lifted}, ran.reasons) == ({""}, "")
