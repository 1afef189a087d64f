"""Cells that start threads or processes one by one and join them, by name."""

from __future__ import annotations

from tests.cells.pool_cells import cells_of

LIFTED = cells_of("""
### work under the lock
def work(i):
    with lock:
        d[i] = f(i)
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### append
def work(i):
    out.append(f(i))
ts = []
for x in xs:
    t = threading.Thread(target=work, args=(x,))
    t.start()
    ts.append(t)
for t in ts:
    t.join()
del ts, t
### comprehension
def work(i, found):
    found[i - 1] = f(i)
ts = [Thread(target=work, args=(x, res)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### comprehension statements
def work(i, found):
    found[i] = f(i)
ts = [Thread(target=work, args=(x, d)) for x in xs]
[t.start() for t in ts]
[t.join() for t in ts]
del ts, t
### lock
def work(i):
    global total
    v = f(i)
    with lock:
        total += v
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### queue
q = queue.Queue()
def work(i):
    q.put((i, f(i)))
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
got = sorted(q.get() for _ in xs)
del ts, t, q
### queue given
q = queue.Queue()
def work(i, q):
    q.put((i, f(i)))
ts = [Thread(target=work, args=(x, q)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
got = []
while not q.empty(): got.append(q.get())
del ts, t, q
### class
class W(Thread):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def run(self):
        self.result = f(self.n)
ws = [W(x) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
got = [w.result for w in ws]
alive = [w.is_alive() for w in ws]
del ws, w
### many lambdas
ts = [Thread(target=lambda x=x: d.__setitem__(x, f(x))) for x in range(12)]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### functions made one by one
def made_for(i):
    def work():
        out.append(f(i))
    return work
ts = [Thread(target=made_for(x)) for x in range(12)]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### class with a name
class W(Thread):
    def __init__(self, n):
        super().__init__(name=f"worker {n}")
        self.n = n
    def run(self):
        v = f(self.n)
        d[self.name] = v
ws = [W(x) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
names = [w.name for w in ws]
del ws, w
### class with a name, with results of its own
class W(Thread):
    def __init__(self, n):
        super().__init__(name=f"worker {n}")
        self.n = n
    def run(self):
        self.result = self.name, f(self.n)
ws = [W(x) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
got = [w.result for w in ws]
del ws, w
### lists of their own
def work(i, found):
    for k in range(i):
        found.append(f(k))
lists = [[] for x in xs]
ts = [Thread(target=work, args=given) for given in zip(xs, lists)]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### in a method
class Runner:
    def __init__(self):
        self.found = []
    def one(self, i):
        self.found.append(f(i))
    def all(self):
        ts = [Thread(target=self.one, args=(x,)) for x in xs]
        for t in ts: t.start()
        for t in ts: t.join()
        return self.found
got = Runner().all()
### keywords
def work(i, *, into, plus=1):
    into[i] = f(i) + plus
ts = [Thread(target=work, kwargs={"i": x, "into": d}) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### a call of print in the code
def work(i):
    d[i] = f(i)
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
print("started", len(ts))
for t in ts: t.join()
print("joined")
del ts, t
### class with method
class W(Thread):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.found = []
    def work(self, v):
        return f(v)
    def run(self):
        for k in range(3):
            self.found.append(self.work(self.n + k))
ws = [W(x) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
got = [w.found for w in ws]
del ws, w
### class appends
class W(Thread):
    def __init__(self, n, out):
        Thread.__init__(self)
        self.n = n
        self.out = out
    def run(self):
        v = f(self.n)
        self.out.append(v)
ws = [W(x, out) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
del ws, w
### return
def work(i):
    if i == 3:
        return None
    out.append(f(i))
    return i
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### in a function
def work(i, found):
    found[i] = f(i)
def run_all(n):
    found = {}
    ts = []
    began = time.time()
    for i in range(n):
        t = Thread(target=work, args=(i, found))
        ts.append(t)
        t.start()
    for t in ts:
        t.join()
    took = time.time() - began
    return found
got = run_all(6)
### nested function
def run_all(n):
    found = [None] * n
    def work(i):
        found[i] = f(i)
    ts = [Thread(target=work, args=(i,)) for i in range(n)]
    for t in ts: t.start()
    for t in ts: t.join()
    return found
got = run_all(6)
### process queue
def work(i, q):
    q.put((i, f(i)))
q = mp.Queue()
ps = [Process(target=work, args=(x, q)) for x in xs]
for p in ps: p.start()
got = sorted(q.get() for _ in ps)
for p in ps: p.join()
codes = [p.exitcode for p in ps], [p.is_alive() for p in ps]
del ps, p, q
### process global queue
q = mp.Queue()
def work(i):
    q.put((i, f(i)))
ps = []
for x in xs:
    p = mp.Process(target=work, args=(x,))
    ps.append(p)
    p.start()
for p in ps: p.join()
got = sorted([q.get() for _ in ps])
del ps, p, q
### process value
v = mp.Value('i', 0)
def work(i):
    r = f(i)
    with v.get_lock():
        v.value += r
ps = [Process(target=work, args=(x,)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
got = v.value
del ps, p, v
### process array
a = mp.Array('d', 5)
def work(i, a):
    a[i - 1] = f(i)
ps = [Process(target=work, args=(x, a)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
got = list(a)
del ps, p, a
### process class
class W(Process):
    def __init__(self, n, q):
        super().__init__()
        self.n, self.q = n, q
    def run(self):
        self.q.put((self.n, f(self.n)))
q = mp.Queue()
ws = [W(x, q) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
got = sorted(q.get() for w in ws)
del ws, w, q
### process files
folder = tempfile.mkdtemp()
def work(i):
    path = os.path.join(folder, f"{i}.txt")
    with open(path, "w") as h: h.write(str(f(i)))
ps = [Process(target=work, args=(x,)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
got = [pathlib.Path(folder, f"{x}.txt").read_text() for x in xs]
del ps, p, folder
### printing
def work(i):
    v = f(i)
    print(i, v)
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### not joined
def work(i):
    out.append(f(i))
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
ts[0].join()
for t in ts[:3]: t.join()
for t in ts: t.join()
del ts, t
### two functions
def one(): out.append(f(1))
def two(): d["two"] = f(2)
a, b = Thread(target=one), Thread(target=two)
a.start()
b.start()
a.join()
b.join()
del a, b
### lambda
ts = []
for x in xs:
    t = Thread(target=lambda x=x: res.__setitem__(x - 1, f(x)))
    t.start()
    ts.append(t)
for t in ts: t.join()
del ts, t
### batches
for k in (0, 2):
    ts = [Thread(target=lambda n: out.append(f(n)), args=(x,)) for x in xs[k:k+2]]
    for t in ts: t.start()
    for t in ts: t.join()
del ts, t
### with try and if
def work(i):
    try:
        if i % 2:
            v = f(i)
        else:
            v = bad(i)
    except ValueError as e:
        v = str(e)
    d[i] = v
if True:
    ts = [Thread(target=work, args=(x,)) for x in xs]
    for t in ts: t.start()
    for t in ts: t.join()
    del ts, t
### counter
counter = [0]
def work(i):
    v = f(i)
    counter[0] += v
    out.append(counter[0])
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
### local import
def work(i):
    import math
    v: float = math.sqrt(f(i))
    res[i - 1] = v
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
del ts, t
""")
AS_WRITTEN = cells_of("""
### process manager
with mp.Manager() as m:
    dd = m.dict()
    def work(i, dd):
        dd[i] = f(i)
    ps = [Process(target=work, args=(x, dd)) for x in xs]
    for p in ps: p.start()
    for p in ps: p.join()
    got = dict(sorted(dd.items()))
del ps, p, dd, m
### process lost
def work(i):
    out.append(f(i))
ps = [Process(target=work, args=(x,)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
del ps, p
### process lost global
def work(i):
    global total
    total += f(i)
ps = [Process(target=work, args=(x,)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
del ps, p
### process class lost
class W(Process):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.result = 0
    def run(self):
        self.result = f(self.n)
ws = [W(x) for x in xs]
for w in ws: w.start()
for w in ws: w.join()
got = [w.result for w in ws]
del ws, w
### event
go = threading.Event()
def work(i):
    go.wait()
    out.append(f(i))
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
go.set()
for t in ts: t.join()
out.sort()
del ts, t, go
### consumer
q = queue.Queue()
def make():
    for x in xs: q.put(x)
    q.put(None)
def take():
    while (x := q.get()) is not None: out.append(f(x))
a, b = Thread(target=take), Thread(target=make)
a.start(); b.start(); a.join(); b.join()
del a, b, q
### late binding
ts = []
for x in xs:
    t = Thread(target=lambda: res.__setitem__(x - 1, f(x)))
    t.start()
    ts.append(t)
for t in ts: t.join()
del ts, t
### join that returns
class R(Thread):
    def run(self):
        self._return = self._target(*self._args, **self._kwargs)
    def join(self):
        super().join()
        return self._return
ts = [R(target=f, args=(x,)) for x in xs]
for t in ts: t.start()
got = [t.join() for t in ts]
del ts, t
### process manager list
m = mp.Manager()
dd = m.list()
def work(i, dd):
    dd.append(f(i))
ps = [Process(target=work, args=(x, dd)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
got = sorted(dd)
m.shutdown()
del ps, p, dd, m
### only one
def work(i):
    out.append(f(i))
t = Thread(target=work, args=(1,))
t.start()
t.join()
del t
### not joined in time
def work(i):
    out.append(f(i))
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join(timeout=5)
del ts, t
### something else before the join
def work(i):
    d[i] = f(i)
def seen():
    return [t.join() for t in ts], sorted(d)
ts = [Thread(target=work, args=(x,)) for x in xs[:3]]
for t in ts: t.start()
got = seen()
for t in ts: t.join()
del ts, t
### some not joined
def work(i):
    out.append(f(i))
ts = [Thread(target=work, args=(x,)) for x in xs[:3]]
for t in ts: t.start()
for t in ts[:0]: t.join()
import time as clock
for t in ts:
    while t.is_alive(): pass
out.sort()
del ts, t, clock
### arguments that change
row = {"k": 0}
ts = []
for x in xs:
    row["k"] = x
    t = Thread(target=out.append, args=(row["k"],))
    t.start()
    ts.append(t)
for t in ts: t.join()
del ts, t
### queue of threads in processes
q = queue.Queue()
def work(i):
    q.put(f(i))
ps = [Process(target=work, args=(x,)) for x in xs]
for p in ps: p.start()
for p in ps: p.join()
got = q.qsize()
del ps, p, q
### arguments that processes change
rows = [[1], [2]]
def work(row):
    row.append(f(1))
ps = [Process(target=work, args=(row,)) for row in rows]
for p in ps: p.start()
for p in ps: p.join()
del ps, p
### barrier
gate = threading.Barrier(5)
def work(i):
    gate.wait()
    d[i] = f(i)
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
d = dict(sorted(d.items()))
del ts, t, gate
### semaphore
gate = threading.Semaphore(2)
def work(i):
    with gate:
        d[i] = f(i)
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
d = dict(sorted(d.items()))
del ts, t, gate
### bounded queue
q = queue.Queue(10)
def work(i):
    q.put(f(i))
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
got = sorted(q.get() for _ in xs)
del ts, t, q
### what belongs to a thread
class W(Thread):
    def run(self):
        d[self.name[:6]] = self.is_alive()
ws = [W() for x in xs]
for w in ws: w.start()
for w in ws: w.join()
del ws, w
### a thread that hands itself on
class W(Thread):
    def run(self):
        out.append(self)
        self.value = f(2)
ws = [W() for x in xs]
for w in ws: w.start()
for w in ws: w.join()
got = [w.value for w in out], len({id(w) for w in out} & {id(w) for w in ws})
out = []
del ws, w
### prints of both
def work(i):
    print(f(i))
t = None
ts = [Thread(target=work, args=(1,)) for x in xs]
for t in ts:
    t.start()
    while False: pass
for t in ts: t.join()
print("joined")
del ts, t
### random numbers
import random
def work(i):
    d[i] = random.random() < 2
ts = [Thread(target=work, args=(x,)) for x in xs]
for t in ts: t.start()
for t in ts: t.join()
d = dict(sorted(d.items()))
del ts, t, random
""")
