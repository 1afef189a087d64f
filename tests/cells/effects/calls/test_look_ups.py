"""What installed code looks up by key in a `defaultdict` grows it, wherever that is done."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import collections
import functools
import operator
import string

import pandas as pd

dd = collections.defaultdict(int, {"a": 1})
nn = collections.defaultdict(int)
cc = collections.Counter("ab")
words = ["ab", "bc", "cd", "de"]
out = []
ss = [pd.Series([k, k + 1, 2]) for k in range(4)]
"""
)
GROWN = cells_of("""
### series map
for s in ss: out.append((slow(1), s.map(nn).tolist()))
### index map
for s in ss: out.append((slow(1), pd.Index(s).map(nn).tolist()))
### translate
for w in words: out.append((slow(1), w.translate(nn)))
### format map
for w in words: out.append((slow(1), ("{" + w + "}").format_map(dd)))
### percent
for w in words: out.append((slow(1), ("%(" + w + ")s") % dd))
### template
for w in words: out.append((slow(1), string.Template("$" + w).substitute(dd)))
### itemgetter
for w in words: out.append((slow(1), operator.itemgetter(w)(dd)))
### getitem
for w in words: out.append((slow(1), operator.getitem(dd, w)))
### map getitem
for w in words: out.append((slow(1), list(map(dd.__getitem__, w))))
### chain
for w in words: out.append((slow(1), collections.ChainMap(dd)[w]))
### filter
t = [(slow(1), list(filter(dd.__getitem__, w))) for w in words]
### get passed
def go(w, get): return slow(1), [get(c) for c in w]
t = [go(w, dd.__getitem__) for w in words]
### reduce
import functools
t = [(slow(1), functools.reduce(operator.getitem, [w], dd)) for w in words]
### partial
import functools
t = [(slow(1), functools.partial(operator.getitem, dd)(w)) for w in words]
### deep itemgetter
tree = collections.defaultdict(list)
t = [(slow(1), operator.itemgetter(w, "z")(tree)) for w in words]
tree = dict(tree)
### in object
class H:
    def __init__(self): self.dd = collections.defaultdict(int)
    def of(self, w): return slow(1), operator.itemgetter(w)(self.dd)
    def __eq__(self, o): return list(self.dd.items()) == list(o.dd.items())
h = H()
t = [h.of(w) for w in words]
list(h.dd.items())
""")
AS_IT_WAS = cells_of("""
### counter
for w in words: out.append((slow(1), cc[w]))
### get
for w in words: out.append((slow(1), dd.get(w)))
### in
for w in words: out.append((slow(1), w in dd))
### own
t = []
for w in words:
    own = collections.defaultdict(int)
    for c in w: own[c] += slow(1)
    t.append((operator.itemgetter("z", *w)(own), own, "%(q)s" % own, w.translate(own)))
"{a}".format_map(own), len(own)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", GROWN)
def test_what_is_missing_is_there_afterwards_in_its_order(name: str, how: str) -> None:
    different, ran = programs.compared(GROWN[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", AS_IT_WAS)
def test_other_look_ups_stay_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(AS_IT_WAS[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
