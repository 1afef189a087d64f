"""Filters of warnings set under a context that puts them back: workers have their own, if they are processes.

That such items do not run in several threads is tested with `engine.process_state`.
"""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import warnings
r = []
def quietly(f):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        return f()
def hush():
    warnings.simplefilter("ignore")
"""
)
PUT_BACK = cells_of("""
### ignored for a moment
for k in range(3):
    warnings.warn("outer")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("inner")
        r.append(slow(k))
### in a function, and one afterwards
def fit(k):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        v = slow(k)
    if k:
        warnings.warn("after")
    return v
r = [fit(k) for k in range(3)]
### as errors
for k in range(3):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            if slow(k) > 6:
                warnings.warn("bad")
            r.append(k)
        except UserWarning as error:
            r.append(str(error))
### recorded
for k in range(3):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.warn(f"number {k}", RuntimeWarning)
        r.append(slow(k))
    r.append([str(one.message) for one in seen])
del seen
### around a function that is given
r = [quietly(lambda: slow(k)) for k in range(3)]
### by another name, and with another context inside
import contextlib
catching = warnings.catch_warnings
for k in range(3):
    with catching(), contextlib.nullcontext():
        warnings.resetwarnings()
        r.append(slow(k))
""")
STAYING = cells_of("""
### in a function that is called under it
for k in range(3):
    with warnings.catch_warnings():
        hush()
        r.append(slow(k))
### in a function that is made under it
for k in range(3):
    with warnings.catch_warnings():
        def later():
            warnings.simplefilter("ignore")
        r.append(slow(k))
    later()
### when the context has ended
for k in range(3):
    with warnings.catch_warnings():
        later = (warnings.simplefilter("ignore") for _ in range(1))
        r.append(slow(k))
    list(later)
del later
### around the whole loop
with warnings.catch_warnings():
    for k in range(3):
        warnings.simplefilter("ignore")
        r.append(slow(k))
### under a context that may be another
class Nothing:
    def __enter__(self): pass
    def __exit__(self, *_): pass
for k in range(3):
    with warnings.catch_warnings() if k else Nothing():
        warnings.simplefilter("ignore")
        r.append(slow(k))
""")


@pytest.mark.parametrize("name", PUT_BACK)
def test_items_that_put_their_filters_back_run_in_processes(name: str) -> None:
    ran = programs.alike(PUT_BACK[name], SETUP, "processes")
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("name", STAYING)
def test_others_stay_in_the_notebook(name: str) -> None:
    ran = programs.alike(STAYING[name], SETUP, "processes")
    assert "changes the interpreter" in ran.reasons
    assert "warnings.catch_warnings" in ran.reasons
