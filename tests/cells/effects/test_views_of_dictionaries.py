"""Views, proxies and chains of dictionaries that the notebook has under names of their own."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import collections, types
xs, d = [3, 1, 4, 1, 5, 9], {}
keys, values, items = d.keys(), d.values(), d.items()
proxy, chain = types.MappingProxyType(d), collections.ChainMap({}, d)
behind = types.MappingProxyType(chain)
update = d.update
"""
)
CHANGED = cells_of("""
### whether a key is there
def f(x): d[x] = slow(x); return x in keys, 3 in keys
r = [f(x) for x in xs]
### the first key
def f(x): d[x] = slow(x); return next(iter(keys)), len(keys)
r = [f(x) for x in xs]
### the sum of the values
def f(x): update({x: slow(x)}); return sum(values)
r = [f(x) for x in xs]
### whether a pair is there
def f(x): d[x] = slow(x); return (1, 10) in items
r = [f(x) for x in xs]
### a value of a proxy
def f(x): d[x] = slow(x); return proxy.get(x), x in proxy
r = [f(x) for x in xs]
### a copy of a proxy
def f(x): d.update({x: slow(x)}); return {**proxy}
r = [f(x) for x in xs]
### a value of a chain
def f(x): d[x] = slow(x); return chain.get(x), 3 in chain
r = [f(x) for x in xs]
### a value of a proxy of a chain
def f(x): d[x] = slow(x); return behind.get(x), 3 in behind
r = [f(x) for x in xs]
### in the loop
r = []
for x in xs:
    d[x] = slow(x)
    r.append((1 in keys, 4 in proxy))
""")
END = "\nkeys = values = items = proxy = chain = behind = update = None"


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGED)
def test_what_they_show_is_what_the_dictionary_has_then(name: str, how: str) -> None:
    different, ran = programs.compared(CHANGED[name] + END, SETUP, how, seed=1)
    assert (different, ran.left.error) == (None, None)


def test_one_that_only_shows_is_for_workers() -> None:
    ran = programs.alike("d[3] = 1\nr = [(x in proxy, slow(x)) for x in xs]" + END, SETUP, "threads")
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons


CHAINS = cells_of("""
### asked for several keys
def f(c): slow(c["a"]); return c["a"] * c["b"]
r = [f(collections.ChainMap({"a": x}, base)) for x in xs]
### under a name
r = []
for x in xs:
    c = collections.ChainMap({"b": x}, base)
    r.append((slow(c["a"]), c["b"], dict(c)))
### in another
def f(c): return slow(c["a"]), c["b"]
r = [f(collections.ChainMap({}, collections.ChainMap({"a": x}, base))) for x in xs]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHAINS)
def test_chains_of_dictionaries_that_items_make_are_for_workers(name: str, how: str) -> None:
    different, ran = programs.compared(CHAINS[name] + END, SETUP + "\nbase = {'a': 7, 'b': 8}\n", how, seed=1)
    assert (different, ran.left.error) == (None, None)
    assert ran.cell.lifted, ran.reasons
