# ruff: noqa: E501
"""What installed code runs of the user's objects without a call: it may change something, so it has an order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cells import compiled

IMPLICIT = {
    "an index": ("__index__", "return 1", "[5, 6, 7][c]"),
    "a slice": ("__index__", "return 1", "[5, 6, 7][c:]"),
    "repeating text": ("__index__", "return 2", "'ab' * c"),
    "a set": ("__hash__", "return 4", "len({c})"),
    "a dict": ("__hash__", "return 4", "len({c: 1})"),
    "a look-up": ("__hash__", "return 4", "{1: 2}.get(c)"),
    "a member": ("__hash__", "return 4", "c in {1, 2}"),
    "text": ("__str__", "return 's'", "'%s-%d' % (c, 1)"),
    "an argument of map": ("__str__", "return 's'", "','.join(map(str, [c]))"),
    "a list": ("__iter__", "return iter([1])", "list(c)"),
    "joined text": ("__iter__", "return iter('ab')", "'-'.join(c)"),
    "an extended list": ("__iter__", "return iter([1])", "[].extend(c)"),
    "counting": ("__eq__", "return True", "[c, c].count(1)"),
    "a tuple compared": ("__eq__", "return True", "(c, 1) == (1, 1)"),
    "a tuple in order": ("__lt__", "return False", "(c, 1) < (1, 2)"),
}
SETUP = """
log = []; out = []
def work(x):
    total = 0
    for k in range(2): total += k * x
    return total
class C:
    def __init__(self, k): self.k = k
    def METHOD(self, *others):
        log.append(self.k)
        BODY
    MORE
"""


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", IMPLICIT)
def test_what_an_object_does_when_it_is_looked_at_happens_in_order(name: str, how: str) -> None:
    method, body, use = IMPLICIT[name]
    more = "__hash__ = None" if method == "__eq__" else "pass"
    setup = SETUP.replace("METHOD", method).replace("BODY", body).replace("MORE", more)

    different, _ = compiled.differs(f"for k in range(4):\n    c = C(work(k))\n    out.append(str({use}))", setup, how)

    assert different is None


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize(
    "cell",
    [
        "for k in range(4):\n    module.n += work(k)\n    v = module.n\n    out.append(work(v))",
        "for k in range(4):\n    out.append(work(k))\n    work.__defaults__ = (k,)",
        "for k in range(4):\n    made = type(f'K{k}', (Kind,), {'v': work(k)})\n    out.append(made.v)",
        "for k in range(4):\n    thing = Kind()\n    thing.v = work(k)\n    thing.every.append(thing)\nout = Kind.every",
        "for k in range(4):\n    with open(path) as file:\n        n = len(file.read())\n    out.append(work(n))\n    with open(path, 'a') as file:\n        file.write(str(n))\nfile = None",
        "v = 2\nfor k in range(4):\n    out.append(work(v))\n    v: int = k",
        "out = [(last := [work(k)]) for k in range(4)]\nlog = last is out[-1]",
    ],
)
def test_what_all_see_is_changed_in_order(cell: str, how: str, tmp_path: Path) -> None:
    setup = (
        f"path = {str(tmp_path / 'file')!r}\n"
        + SETUP.replace("METHOD", "go").replace("BODY", "return 1").replace("MORE", "")
        + (
            "import pathlib, types\npathlib.Path(path).write_text('')\nmodule = types.ModuleType('module'); module.n = 0\n"
            "class Kind:\n    names = []; every = []\n    def __init_subclass__(cls): Kind.names.append(cls.__name__)\n"
        )
    )

    different, _ = compiled.differs(cell, setup, how)

    assert different is None
