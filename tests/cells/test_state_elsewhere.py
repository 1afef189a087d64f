"""State that lives where one does not look for it: in functions, shared dictionaries, threads, files, other streams."""

from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import functools, io, itertools, logging, operator, os, pathlib, queue, sqlite3, sys
import tempfile, threading, traceback, types
xs, out, seen = [3, 1, 4, 1, 5, 9], [], []
p = tempfile.mkdtemp()
place = pathlib.Path(p)
class Borg:
    shared = {"n": 0}
    def __init__(self): self.__dict__ = self.shared
    def add(self, v): self.n += slow(v)
class Thing:
    def __init__(self, n): self.n = n
class Told(Thing):
    def __del__(self): out.append(self.n)
def opened(x):
    con = sqlite3.connect(":memory:")
    con.execute("create table t (a)")
    con.execute("insert into t values (?)", (slow(x),))
    return con
def listed(): return sorted(os.listdir(p))
def bad(x): return 1 / (slow(x) - slow(3))
def places(error): return [(part.name, part.lineno) for part in traceback.extract_tb(error.__traceback__)]
"""
)
STREAMS = cells_of("""
### a method that is kept
write = sys.stdout.write
def f(x): write(f"{x} "); return slow(x)
r = [f(x) for x in xs]
del write
### a default
def f(x, to=sys.stdout): print(x, slow(x), file=to)
r = [f(x) for x in xs]; f = None
### an attribute
log = types.SimpleNamespace(to=sys.stdout)
def f(x): print("begun", x, file=log.to); print("done", x); return slow(x)
for x in xs: f(x)
del log
### a name
o = sys.stderr
for x in xs:
    y = slow(x)
    o.write(f"{x} {y}\\n")
del o
""")
IN_PLACE = cells_of("""
### as it is there
def f(x): print(x, file=sys.stdout); sys.stderr.write("!"); return slow(x)
r = [f(x) for x in xs]
""")
HELD = cells_of("""
### a queue
q = queue.Queue()
def f(x): q.queue.append(slow(x)); return q.qsize()
r = [f(x) for x in xs]
left = list(q.queue); del q
### the arguments of a partial function
part = functools.partial(dict, a=1)
def f(x): part.keywords[f"k{x}"] = slow(x); return part()
r = [f(x) for x in xs]
### defaults
def g(a=[]): return a
def f(x): g.__defaults__[0].append(slow(x)); return len(g())
r = [f(x) for x in xs]; n = g()
### defaults by keyword
def g(*, a=[]): return a
def f(x): g.__kwdefaults__["a"].append(slow(x)); return len(g())
r = [f(x) for x in xs]; n = g()
### a variable of a function around
def make():
    log = []
    def g(): return log
    return g
g = make()
def f(x): g.__closure__[0].cell_contents.append(slow(x)); return len(g())
r = [f(x) for x in xs]; n = g()
### attributes of a function
def g(): return g.n
g.n = 0
def f(x): vars(g)["n"] += slow(x); return g()
r = [f(x) for x in xs]; n = g.n
### the object of a method
one = Borg()
add = one.add
def f(x): add.__self__.n += slow(x); return one.n
r = [f(x) for x in xs]; del add
### several parts that are asked for
nest = [out, out, []]
def f(x): operator.itemgetter(0, 1)(nest)[1].append(slow(x)); return len(out)
r = [f(x) for x in xs]
### a part that is asked for
first = operator.itemgetter(0)
nest = [out, []]
def f(x): first(nest).append(slow(x)); return len(out)
r = [f(x) for x in xs]; first = None
### a method that draws, kept in a partial function
import random
rng = random.Random(5)
pick = functools.partial(rng.choice, [1, 2, 3])
def f(x): return pick(), slow(x)
r = [f(x) for x in xs]; pick = None
""")
DICTIONARIES = cells_of("""
### one for all
things = [Thing(x) for x in xs]
both = {"n": 0}
for thing in things: thing.__dict__ = both
for thing, x in zip(things, xs): thing.n += slow(x)
### one of a class
borgs = [Borg() for x in xs]
for borg, x in zip(borgs, xs): borg.add(x)
n = Borg().n
### one of a class, walked alone
borgs = [Borg() for x in xs]
for borg in borgs: borg.n += slow(borg.n % 5)
### two with names
a, b = Borg(), Borg()
for x in xs:
    a.n += slow(x)
    out.append(slow(b.n))
### taken of an item
things = [Thing(x) for x in xs]
d = vars(things[0])
for thing in things:
    thing.n = slow(thing.n) + d["n"]
### written to beside an item
things = [Thing(x) for x in xs]
d = things[-1].__dict__
for thing in things:
    d["n"] += 1
    out.append(slow(thing.n))
""")
APART = cells_of("""
### objects with dictionaries of their own
things = [Thing(x) for x in xs]
for thing in things: thing.n += slow(thing.n)
### beside one that is only read
things, limits = [Thing(x) for x in xs], Thing(3)
for thing in things: thing.n = slow(thing.n) + limits.n
""")
FILES = cells_of("""
### taken away once
(place / "token").write_text("1")
def f(x):
    y = slow(x)
    try: (place / "token").unlink(); return "mine", y
    except FileNotFoundError: return "gone", y
r = [f(x) for x in xs]
### a lock
def f(x):
    lock = place / "lock"
    if lock.exists(): return "busy", slow(x)
    lock.touch(); return "got", slow(x)
r = [f(x) for x in xs]
### the first name that is free
def f(x):
    k = 0
    while os.path.exists(f"{p}/u{k}"): k += 1
    open(f"{p}/u{k}", "w").close(); return k, slow(x)
r = [f(x) for x in xs]
### the first folder that is free
def f(x):
    for k in range(99):
        try: os.mkdir(str(place) + "/run%d" % k); break
        except FileExistsError: pass
    return k, slow(x)
r = [f(x) for x in xs]
### a folder that is made once
made = []
for x in xs:
    if not os.path.exists(p + "/made"):
        os.makedirs(p + "/made")
        made.append(x)
    y = slow(x)
    with open(f"{p}/made/{x}.txt", "w") as file: file.write(str(y))
### a file for each turn of an inner loop
for x in xs:
    for k in range(3):
        (place / f"part{k}.txt").write_text(str(slow(x)))
r = [(place / f"part{k}.txt").read_text() for k in range(3)]
""")
OWN_FILES = cells_of("""
### a folder that may be there
for n, x in enumerate(xs):
    os.makedirs(p + "/made", exist_ok=True)
    with open(f"{p}/made/{n}.txt", "w") as file: file.write(str(slow(x)))
### a file for each item
for n, x in enumerate(xs):
    path = place / f"{n}.txt"
    if not path.exists(): path.write_text(str(slow(x)))
path = None
### a file for each turn of an item
for n, x in enumerate(xs):
    for k in range(3): (place / f"{n}_{k}.txt").write_text(str(slow(x)))
### a folder of each item
for n, x in enumerate(xs):
    os.mkdir(p + f"/{n}")
    with open(f"{p}/{n}/a.txt", "w") as file: file.write(str(slow(x)))
""")
CONNECTIONS = cells_of("""
### kept in a list
cons = [opened(x) for x in xs]
r = cons[0].execute("select a from t").fetchone(), cons[-1].execute("select a from t").fetchone()
for con in cons: con.close()
del cons, con
### kept in an object
class Store:
    def __init__(self, x): self.con = opened(x)
stores = [Store(x) for x in xs]
r = stores[0].con.execute("select a from t").fetchone(), stores[-1].con.execute("select a from t").fetchone()
for store in stores: store.con.close()
del stores, store
### used with what changes
r = []
for x in xs:
    con = opened(x)
    r.append(con.execute("select a + ? from t", (len(r),)).fetchone())
    con.close()
del con
### a cursor
r = []
for x in xs:
    rows = opened(x).execute("select a from t")
    r.append(rows)
r = r[0].fetchall(), r[-1].fetchall()
del rows
### what a thread has for its own
def made(x): own = threading.local(); own.v = slow(x); return own
owns = [made(x) for x in xs]
r = owns[0].v, owns[-1].v
del owns
""")
OF_ONE_ITEM = cells_of("""
### asked and closed
def f(x):
    con = opened(x)
    rows = con.execute("select a from t").fetchall()
    con.close()
    return rows
r = [f(x) for x in xs]
### under a context
r = []
for x in xs:
    with sqlite3.connect(":memory:") as con:
        found = con.execute("select ?", (slow(x),)).fetchall()
    r.append(found)
del con
""")
DROPPED = cells_of("""
### taken out of a list
things = [Told(x) for x in xs]
while things: slow(things.pop().n)
### changed, then dropped
things = [Told(x) for x in xs]
for thing in things: thing.n = slow(thing.n)
thing = None; things.clear(); seen = list(out)
### a finalizer of each
import weakref
things = [Thing(x) for x in xs]
for thing in things: thing.k = slow(thing.n); weakref.finalize(thing, out.append, thing.n)
thing = None; things.clear(); seen = list(out)
""")
COMPARED = cells_of("""
### the least of what cannot be compared
boxes = [[x] for x in xs]
def key(box):
    box.append(slow(box[0]))
    return box[0] if box[0] > 3 else "text"
try: r = min(boxes, key=key)
except TypeError as error: r = str(error)
### the greatest, with a note of each
def key(x):
    out.append(x)
    return slow(x) if x < 4 else None
try: r = max(xs, key=key)
except TypeError as error: r = str(error)
### the largest two
import heapq
def key(x):
    out.append(x)
    return slow(x) if x < 4 else None
try: r = heapq.nlargest(2, xs, key=key)
except TypeError as error: r = str(error)
### the least that can be compared
boxes = [[x] for x in xs]
def key(box):
    box.append(slow(box[0]))
    return box[-1]
r = min(boxes, key=key)
""")
RAISED = cells_of("""
### one that is given back
def f(x):
    try: return bad(x)
    except ZeroDivisionError as error: return error
r = [f(x) for x in xs]
q = [places(error) for error in r if isinstance(error, Exception)]
### one that is kept
errors = {}
for x in xs:
    try: bad(x)
    except Exception as error: errors[x] = error
q = [places(error) for error in errors.values()]
### one with a cause
class Failed(Exception): pass
def f(x):
    try:
        try: return bad(x)
        except ZeroDivisionError as error: raise Failed(x) from error
    except Failed as error: return x, error
r = [f(x) for x in xs]
q = [(places(r[0][1]), places(r[0][1].__cause__), r[0][1].__context__ is r[0][1].__cause__, str(r[0][1]))]
### one with a context
def f(x):
    try:
        try: return bad(x)
        except ZeroDivisionError: raise KeyError(x)
    except KeyError as error: return {"x": error}
r = [f(x) for x in xs]
q = [(places(r[0]["x"]), places(r[0]["x"].__context__), r[0]["x"].__cause__, r[0]["x"].__suppress_context__)]
### one that was never raised
r = [ValueError(slow(x)) for x in xs]
q = [(str(error), error.__traceback__, error.__context__) for error in r]
### items that were raised
caught = []
for x in xs[:3]:
    try: 1 / 0
    except ZeroDivisionError as error: caught.append(error)
def f(error): return slow(len(places(error))), error
r = [f(error) for error in caught]
q = [(many, error is other) for (many, error), other in zip(r, caught)]
""")
LOGGED = """
log = logging.getLogger("concompare.tests.places")
log.propagate = False
log.setLevel(10)
text = io.StringIO()
shown = logging.StreamHandler(text)
shown.setFormatter(logging.Formatter("%(funcName)s %(lineno)d %(message)s"))
log.handlers[:] = [shown]
count = 0
def work(x):
    global count
    count += 1

    log.info("item %d", x)
    return slow(x)
"""
END = "\nleft = listed()\np = place = None"
WRONG = STREAMS | HELD | DICTIONARIES | FILES | CONNECTIONS | DROPPED | COMPARED | RAISED
"""Cells that ended otherwise."""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", WRONG)
def test_it_is_as_in_the_plain_loop(name: str, how: str) -> None:
    plain = plainly.run_plain(WRONG[name] + END, SETUP)
    for seed in range(3):
        ran = programs.run(WRONG[name] + END, SETUP, how, seed)
        assert plainly.difference(plain, ran.left) is None


@pytest.mark.parametrize("name", STREAMS | CONNECTIONS)
def test_it_is_on_real_workers(name: str, pool: engine.Pool) -> None:
    cell = WRONG[name] + END
    left = compiled.run_on_engine(cell, SETUP, pool)
    assert plainly.difference(plainly.run_plain(cell, SETUP), left) is None


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", IN_PLACE | APART | OWN_FILES | OF_ONE_ITEM)
def test_what_each_item_has_for_itself_stays_in_workers(name: str, how: str) -> None:
    ran = programs.alike((IN_PLACE | APART | OWN_FILES | OF_ONE_ITEM)[name] + END, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons


@pytest.mark.parametrize("name", ["a folder that is made once", "a lock", "a name", "used with what changes"])
def test_the_work_beside_it_stays_in_workers(name: str) -> None:
    ran = programs.alike(WRONG[name] + END, SETUP, "threads")
    assert "slow(" in ran.cell.lifted[0].sources[0], ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
def test_records_say_where_the_function_made_them(how: str) -> None:
    programs.alike(
        "r = [work(x) for x in xs]\ns = text.getvalue(); text = log = shown = None" + END, SETUP + LOGGED, how
    )
