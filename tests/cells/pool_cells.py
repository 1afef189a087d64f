"""Cells with executors and pools of their own, by name."""

from __future__ import annotations


def cells_of(text: str) -> dict[str, str]:
    """Return the cells of a text by their names, which stand above them."""
    parts = [part.partition("\n") for part in text.split("### ")[1:]]
    return {name: cell.strip("\n") for name, _, cell in parts}


LIFTED = cells_of("""
### changed items
ms = [Model(x) for x in xs]
with ThreadPoolExecutor() as ex:
    res = list(ex.map(Model.fit, ms))
[vars(m) for m in ms]
### methods of several objects
ms = [Model(x) for x in xs]
with ThreadPoolExecutor(1) as ex:
    fs = [ex.submit(m.fit) for m in ms]
    res = [fu.result() for fu in fs]
[vars(m) for m in ms]
### changed items of which one raises
boxes = [[x] for x in xs]
def fill(box):
    box.append(f(box[0]))
    if box[0] == xs[2]:
        raise ValueError(box[0])
    return len(box)
with ThreadPoolExecutor(1) as ex:
    fs = [ex.submit(fill, box) for box in boxes]
    res = [repr(fu.exception()) if fu.exception() else fu.result() for fu in fs]
boxes
### arguments made before each call
fs = []
with ThreadPoolExecutor(1) as ex:
    for x in xs:
        params = {"k": 0}
        params["k"] = x
        fs.append(ex.submit(lambda given: given["k"] + 1, params))
res = [fu.result() for fu in fs]
### what it is
with ThreadPoolExecutor(2) as ex:
    res = list(ex.map(f, xs)), isinstance(ex, cf.Executor), type(ex).__name__, ex._max_workers
### map
with ThreadPoolExecutor(max_workers=2) as pool:
    models = list(pool.map(train, xs))
models[0].parts
### map of several
with cf.ThreadPoolExecutor(2) as ex:
    res = list(ex.map(add, xs, xs[1:], chunksize=2))
### map of a lambda
with ThreadPoolExecutor() as ex:
    res = list(ex.map(lambda v: f(v) + 1, xs))
### map of a partial
with ThreadPoolExecutor() as ex:
    res = [*ex.map(functools.partial(add, c=3), xs)]
### map of nothing before
ex = ThreadPoolExecutor(2)
res = list(ex.map(f, xs))
more = list(ex.map(add, res))
ex.shutdown()
### map that raises
with ThreadPoolExecutor() as ex:
    for v in ex.map(bad, xs):
        out.append(v)
### printing
with ThreadPoolExecutor(1) as ex:
    res = list(ex.map(tell, xs))
### submit
with ThreadPoolExecutor() as ex:
    fs = [ex.submit(add, x, 2, c=x) for x in xs]
    res = [fu.result() for fu in fs]
### submit without with
ex = ThreadPoolExecutor(2)
fs = []
for x in xs:
    fs.append(ex.submit(f, x))
total = sum(fu.result() for fu in fs)
ex.shutdown()
### submit of several functions
ex = ThreadPoolExecutor(2)
a, b = ex.submit(f, 1), ex.submit(add, 2, 3)
c = a.result() + b.result()
ex.shutdown()
### submit of several shapes
with ThreadPoolExecutor() as ex:
    fs = [ex.submit(add, 1), ex.submit(add, 1, c=2)]
res = [fu.result() for fu in fs]
### errors by future
with ThreadPoolExecutor() as ex:
    fs = [ex.submit(bad, x) for x in xs]
got = []
for fu in fs:
    try:
        got.append(fu.result())
    except ValueError as e:
        got.append(str(e))
### as completed
res = {}
with ThreadPoolExecutor(3) as ex:
    fs = {ex.submit(f, s): s for s in xs}
    for fu in as_completed(fs):
        res[fs[fu]] = fu.result()
res = dict(sorted(res.items()))
del fs
### wait
with ThreadPoolExecutor() as ex:
    done, left = wait([ex.submit(f, x) for x in xs])
total = sum(fu.result() for fu in done)
del done
### callbacks
ex = ThreadPoolExecutor(1)
for x in xs:
    ex.submit(f, x).add_done_callback(lambda fu: out.append(fu.result()))
ex.shutdown()
### nobody asks
with ThreadPoolExecutor(1) as ex:
    for x in xs:
        ex.submit(f, x)
out.append('after')
### processes
with ProcessPoolExecutor(2) as ex:
    res = list(ex.map(pair, xs))
### processes that raise
with ProcessPoolExecutor(2) as ex:
    res = list(ex.map(picky, xs))
### pool
with mp.Pool(2) as p:
    res = p.map(pair, xs)
### pool of a context
with mp.get_context("fork").Pool(2) as p:
    res = p.starmap(max, [(1, 2), (4, 3)])
### pool, one by one
with mp.Pool(2) as p:
    rs = [p.apply_async(pair, (x,)) for x in xs]
    res = [r.get() for r in rs]
del rs
### pool that is closed
p = mp.Pool(2)
r = p.map_async(pair, xs)
p.close()
p.join()
res = r.get()
### pool, callbacks
p = ThreadPool(1)
rs = [p.apply_async(f, (x,), callback=out.append) for x in xs]
p.close()
p.join()
del rs
### pool of threads
with ThreadPool(3) as p:
    a = list(p.imap(f, xs))
    b = sorted(p.imap_unordered(f, xs))
    c = p.apply(add, (1,), {'c': 3})
    d = p.starmap_async(add, [(1, 2)]).get()
### pool that raises
with mp.Pool(2) as p:
    try:
        res = p.map(picky, xs)
    except ValueError as e:
        res = str(e)
### tqdm
from tqdm.contrib.concurrent import thread_map
res = thread_map(f, xs, max_workers=2, disable=True)
### tqdm of processes
from tqdm.contrib.concurrent import process_map
res = process_map(pair, xs, max_workers=2, disable=True)
### under if
if __name__ == '__main__':
    with ThreadPoolExecutor() as ex:
        res = list(ex.map(f, xs))
### by another name
from concurrent.futures import ThreadPoolExecutor as Workers
with Workers(2) as ex:
    res = list(ex.map(f, xs))
### inside a loop
res = []
for n in (1, 2):
    with ThreadPoolExecutor(n) as ex:
        res += ex.map(f, xs)
""")
AS_WRITTEN = cells_of("""
### arguments that change
params = {"k": 0}
res = []
with ThreadPoolExecutor(1) as ex:
    for x in xs:
        params["k"] = x
        fu = ex.submit(dict, params)
        res.append(fu.result())
del fu
### name that changes
ex = ThreadPoolExecutor(1)
fu = ex.submit(scaled, 3)
fu.exception()
factor = 5
res = [fu.result(), ex.submit(scaled, 3).result()]
ex.shutdown()
### object that changes
def seen(x):
    return x + len(out)
ex = ThreadPool(1)
fu = ex.apply_async(seen, (3,))
fu.wait()
out.append(1)
res = [fu.get(), ex.apply(seen, (3,))]
ex.close()
ex.join()
### functions of a loop
with ThreadPoolExecutor() as ex:
    for x in xs:
        out.append(ex.submit(lambda: f(x)).result())
### functions of a comprehension
with ThreadPoolExecutor() as ex:
    res = [ex.submit(lambda: f(x)).result() for x in xs]
### effects
with ThreadPoolExecutor(1) as ex:
    res = list(ex.map(note, xs))
### one changed item twice
m = Model(1)
with ThreadPoolExecutor(1) as ex:
    res = [fu.result() for fu in [ex.submit(m.fit), ex.submit(m.fit)]]
### time-out
with ThreadPoolExecutor() as ex:
    res = ex.submit(f, 1).result(timeout=5)
### prepared
with ThreadPoolExecutor(1, initializer=out.append, initargs=(7,)) as ex:
    res = list(ex.map(f, xs))
### polled
ex = ThreadPoolExecutor(1)
fu = ex.submit(f, 1)
while not fu.done():
    pass
res = fu.result()
ex.shutdown()
### tied
go = threading.Event()
def late(x):
    go.wait()
    return x
with ThreadPoolExecutor() as ex:
    fu = ex.submit(late, 1)
    go.set()
    res = fu.result()
del go
### given a queue
import queue
q = queue.Queue()
with ThreadPoolExecutor(1) as ex:
    fs = [ex.submit(q.get), ex.submit(f, 2)]
    q.put(5)
res = [fu.result() for fu in fs]
del q
### changed arguments
rows = [{'k': 1}, {'k': 2}]
with mp.Pool(2) as p:
    res = p.map(marked, rows)
### copies
rows = [[1], [2]]
with mp.Pool(2) as p:
    res = p.map(same, rows)
res[0] is rows[0]
### seen as it was
p = mp.Pool(1)
factor = 7
try:
    res = p.apply_async(pair, (1,)).get()
finally:
    p.terminate()
### printing elsewhere
with mp.Pool(1) as p:
    res = p.map(told, xs)
### threads
def work(i):
    out.append(f(i))
ts = [threading.Thread(target=work, args=(1,))]
for t in ts:
    t.start()
for t in ts:
    t.join()
del ts, t
### wrong use
with ThreadPoolExecutor(0) as ex:
    res = list(ex.map(f, xs))
""")
