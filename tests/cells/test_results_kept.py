# ruff: noqa: E501
"""What results hold goes by its identity afterwards, as the plain loop's does."""

from __future__ import annotations

from unittest import mock

import pytest

from concompare.cells import worth
from tests.cells import programs

RETURNED = {
    "a number that is none": "import math\nNAN = float('nan')\ndef f(x): return NAN if x % 2 else math.nan\nout = [f(x) for x in range(6)]\nprint(out.count(NAN), out.count(math.nan), len({*out}))",
    "one in what is walked": "NAN = float('nan')\nrows = [[1, NAN], [NAN], [2.5]]\ndef f(row): return row.count(NAN)\nout = [f(row) for row in rows]",
    "one beside items": "NAN = float('nan')\nd = {}\ndef f(x): return [x, NAN][x % 2]\nfor x in range(5):\n    d.setdefault(f(x), []).append(x)",
    "a function that sees what is changed afterwards": "k = 1\ndef f(x): return lambda y: x + y + k\nout = [f(x) for x in range(3)]\nk = 100\nprint([g(1) for g in out], [g.__globals__ is globals() for g in out])",
    "a function that keeps what it is given": "log = []\ndef f(x): return lambda: log.append(x)\nout = [f(x) for x in range(3)]\nfor g in out: g()\nprint(log)",
    "a function of the notebook": "def g(x): return x\ndef f(x): return [g, (x, g)]\nout = [f(x) for x in range(3)]\nprint([a is g and b is g for a, (_, b) in out])\ng.seen = True\nprint([a.seen for a, _ in out])",
    "a function of the notebook inside others": "import functools\ndef g(x): return x\ndef f(x): return functools.partial(g, x)\nout = [f(x) for x in range(3)]\nprint([p.func is g for p in out])",
    "parts of an array": "import numpy as np\na = np.arange(24.0)\ndef f(i): return a[i : i + 3]\nout = [f(i) for i in range(0, 24, 3)]\nfor part in out: part -= part.mean()\nprint(a.tolist())",
    "parts of an array inside others": "import numpy as np\na = np.arange(24).reshape(4, 6)\ndef f(i): return {'row': a[i], 'back': a[i, ::-2]}\nout = [f(i) for i in range(4)]\nfor part in out: part['back'][0] = -1\nprint(a.tolist(), [part['row'][5] for part in out])",
    "parts of rows": "import numpy as np\na = np.arange(24).reshape(4, 6)\ndef f(row): return row[2:]\nout = [f(row) for row in a]\nfor part in out: part[:] = 0\nprint(a.tolist())",
    "parts of an array in Fortran's order": "import numpy as np\na = np.asfortranarray(np.arange(24).reshape(4, 6))\ndef f(i): return a[:, i]\nout = [f(i) for i in range(6)]\nfor part in out: part[0] = 9\nprint(a.tolist())",
    "parts of an array that cannot be written to": "import numpy as np\na = np.arange(24)\na.flags.writeable = False\ndef f(i): return a[i : i + 2]\nout = [f(i) for i in range(6)]\nprint(out[0].base is a, out[5].base is a, out[5].flags.writeable)",
}
"""Cells whose results hold what goes by its identity."""


@pytest.mark.parametrize("how", programs.WAYS)
def test_what_numpy_calls_at_a_division_by_zero_is_called_in_the_order_of_the_items(how: str) -> None:
    cell = (
        "import numpy as np\nseen = []\ndef f(x): return float(np.float64(x) / np.float64(x % 2))\n"
        "called, before = np.seterrcall(lambda kind, flag: seen.append(kind)), np.seterr(all='call')\n"
        "out = [f(x) for x in range(6)]\nnp.seterr(**before)\nnp.seterrcall(called)\ndel called\nout = [f(x) for x in range(1, 9, 2)]"
    )
    with mock.patch.object(worth, "WORTH", 0.0):
        different, ran = programs.compared(cell, "", how)

    assert different is None
    assert "line 5: numpy calls what `np.seterrcall` was given" in ran.reasons
    assert len(ran.cell.lifted) == 1


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", RETURNED)
def test_what_results_hold_is_what_the_plain_loop_s_hold(name: str, how: str) -> None:
    with mock.patch.object(worth, "WORTH", 0.0):
        different, ran = programs.compared(RETURNED[name], "", how)

    assert different is None
    assert ran.cell.lifted, ran.reasons
