"""Objects whose attributes come into being when they are asked for: nobody but the cell asks."""

from __future__ import annotations

import pytest

from tests.ipython.conftest import Shell

LAZY = """
import time
class Lazy:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = work(len(name))
        setattr(self, name, made)
        return made
def work(n):
    time.sleep(0)
    return sum(range(n * 1000))
objects = [Lazy() for _ in range(4)]
"""


@pytest.mark.parametrize("backend", ["threads", "processes", "auto"])
@pytest.mark.parametrize(
    "cell",
    [
        "found = [(one.alpha, work(3)) for one in objects]",
        "for one in objects:\n    one.beta = one.alpha + work(2)",
        "found = [Lazy() for _ in range(4) if work(2)]",
        "for one in objects:\n    found = {'it': one, 'alpha': one.alpha, 'work': work(2)}",
    ],
)
def test_an_object_has_the_attributes_that_the_cell_asked_for(cell: str, backend: str, shell: Shell) -> None:
    shell.run(LAZY)
    shell.run(f"%%parallel -b {backend} -w 2\n{cell}")
    expected = {"alpha", "beta"} if "beta" in cell else {"alpha"} if "alpha" in cell else set()
    assert [set(vars(one)) for one in shell.names["objects"]] == [expected] * 4
    made = shell.names.get("found", [])
    assert all(not vars(one) for one in made if type(one).__name__ == "Lazy")
