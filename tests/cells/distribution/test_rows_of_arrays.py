"""Rows and columns of arrays that each item has for its own, as `A[i] = f(A[i])`: views of one memory."""

from __future__ import annotations

import numpy as np
import pytest

from concompare.cells import memory
from tests.cells import programs

SETUP = """
import numpy as np
def work(values):
    total = 0.0
    for value in np.ravel(values): total += float(value)
    return total + 1
def doubled(row):
    for k in range(len(row)): row[k] = row[k] * 2
    return row
def filled(row, by):
    row[0] = work(by)
    for k in range(1, len(row)): row[k] = row[k - 1] * 2
    return by
def drawn(row, by):
    found = work(by)
    row *= found
    return found
xs = [3, 1, 2, 5]
A = np.arange(12.0).reshape(4, 3) + 1; B = np.arange(24.0).reshape(4, 3, 2); r = []; kept = {}; v = None
W = np.lib.stride_tricks.as_strided(np.arange(12.0), shape=(6, 4), strides=(8, 8))
"""

OWN = {
    "a row": "for i in range(4):\n    A[i] = A[i] / work(A[i])",
    "a row written as one of a table": "for i in range(4):\n    A[i, :] = A[i, :] / work(A[i])",
    "a column": "for j in range(3):\n    A[:, j] = (A[:, j] - A[:, j].mean()) / work(A[:, j])",
    "a layer": "for k in range(4):\n    B[k, :, :] = B[k] * work(B[k].ravel())",
    "a layer in the middle": "for k in range(3):\n    B[:, k, :] = B[:, k, :] * work(B[:, k, :])",
    "a row that is added to": "for i in range(4):\n    A[i] += work(A[i])",
    "a row under a condition": "for i in range(4):\n    if work(A[i]) > 9:\n        A[i] = -A[i]",
    "a view that is kept": "for i in range(4):\n    r.append(A[i])\n    A[i] = A[i] / work(A[i])",
    "a view by a name that is kept": "for i in range(4):\n    v = A[i]\n    A[i] = v / work(v)\n    r.append(v)",
    "a view that is left": "for i in range(4):\n    v = A[i]\n    A[i] = v * work(v)\nv[0] = 99.0",
    "a view that is changed": "for i in range(4):\n    v = A[i]\n    v *= 2\n    r.append(work(v))",
    "a view that is looked at again": "for i in range(4):\n    v = A[i]\n    A[i] = v * 2\n    r.append(work(v))",
    "a row that is looked at again": "for i in range(4):\n    A[i] = A[i] * 2\n    r.append(work(A[i]))",
}
WALKED = {
    "each filled by a function": "for row in A:\n    filled(row, 3)",
    "numbered": "for i, row in enumerate(A):\n    r.append(drawn(row, i))",
    "beside parameters": "for x, row in zip(xs, A):\n    filled(row, x)",
    "in the body": "for i, row in enumerate(A):\n    row[0] = work(i)\n    row[1:] = row[0] * 2",
    "with the next one": "for i, row in enumerate(A):\n    row[:] = work(i)\n    A[(i + 1) % 4] += 1",
    "kept, as views": "for i, row in enumerate(A):\n    r.append(row)\n    row[0] = work(i)\nA[1, 1] = 99.0",
    "the last one left": "for i, row in enumerate(A):\n    row[0] = work(i)\nrow[2] = 99.0",
    "layers": "for i, layer in enumerate(B):\n    layer[1, :] = work(i)",
    "of windows over one memory": "for i, row in enumerate(W[:, :2]):\n    row[0] += work(i)",
}
SHARED = {
    "rows walked beside views of them": "N = A[1:]\nfor row, other in zip(A, N):\n    row[0] = work(o)",
    "rows walked beside a list of them": "rows = list(A)[1:]\nfor row, o in zip(A, rows):\n    row[0] = work(other)",
    "rows that are walked and read": "for row in A:\n    v = work(row)\n    A[-1, 0] += v",
    "rows walked while their number changes": (
        "for i, row in enumerate(A):\n    r.append(work(i))\n    if i == 1:\n        A.shape = (3, 4)"
    ),
    "rows walked while all are sorted": "for i, row in enumerate(A):\n    A.sort(axis=0)\n    row[0] = -work(i)",
    "rows of two arrays in one memory": "T = A[::-1]\nfor i, (a, b) in enumerate(zip(A, T)):\n    b[0] = work(a)",
    "rows walked with a view by a name": "N = A[1]\nfor i, row in enumerate(A):\n    row[0] = work(N) + i",
    "the next row": "for i in range(3):\n    A[i] = A[i] * work(A[i + 1])",
    "a row by another name": "C = A\nfor i in range(4):\n    A[i] = A[i] * work(C[0])",
    "a column of the transposed": "T = A.T\nfor i in range(4):\n    A[i] = A[i] * work(T[:, i])",
    "a row of the transposed": "T = A.T\nfor i in range(3):\n    A[i] = A[i] * work(T[i])",
    "a row and a column": "for j in range(3):\n    A[:, j] = A[:, j] / work(A[j])",
    "a row twice": "for i in (0, 1, 0):\n    A[i] = A[i] * work(A[i])",
    "a column from the end": "for j in (0, 2, -1):\n    A[:, j] = A[:, j] * work(A[:, j])",
    "windows over one memory": "for i in range(6):\n    W[i] = W[i] * work(W[i])",
    "a function that changes its row": "for i in range(4):\n    A[i] = doubled(A[i])",
    "rows that are walked": "for i, row in enumerate(A):\n    A[i] = row / work(row)",
    "columns stored while rows are walked": "A = A[:3]\nfor j, row in enumerate(A):\n    A[:, j] = row / work(row)",
    "a part of a row": "for i in range(4):\n    A[i, :2] = A[i, :2] * work(A[i])",
    "all of it by an attribute": "for i in range(4):\n    r.append(work(A[0]))\n    A.flat = i",
    "its shape": "for n in (6, 4, 3):\n    r.append(work(A[1]))\n    A.shape = (n, 12 // n)",
    "a list of its rows": "rows = list(A)\nfor i in range(4):\n    A[i] = A[i] * work(rows[0])",
    "a cell of a row": "for i in range(4):\n    A[i][0] = work(A[i])",
    "true is no place": "A = A[:2]\nfor i in (True, 0):\n    A[i] = A[i] * work(A[i])",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_rows_of_their_own_go_to_workers(name: str, how: str) -> None:
    different, ran = programs.compared(OWN[name], SETUP, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", WALKED)
def test_rows_that_are_walked_may_be_written(name: str, how: str) -> None:
    different, ran = programs.compared(WALKED[name], SETUP, how)

    assert different is None
    assert ran.cell.lifted or "windows" in name, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", SHARED)
def test_rows_that_share_their_memory_are_read_in_their_turn(name: str, how: str) -> None:
    different, _ = programs.compared(SHARED[name], SETUP, how)

    assert different is None


@pytest.mark.parametrize("how", programs.WAYS)
def test_what_shares_memory_is_asked_where_the_arrays_are(how: str) -> None:
    cell = "kept = [A[k] for k in range(4)]\nr = [np.shares_memory(kept[k], A) for k in range(4)]"
    different, _ = programs.compared(cell, SETUP, how)

    assert different is None


@pytest.mark.parametrize(
    ("array", "overlaps"),
    [
        (np.zeros((3, 4)), False),
        (np.zeros((3, 4)).T, False),
        (np.zeros((6, 8))[::2, 1:5], False),
        (np.zeros((3, 1, 4))[:, 0], False),
        (np.zeros(5)[::-1], False),
        (np.zeros((0, 4)), False),
        (np.broadcast_to(np.zeros(4), (3, 4)), True),
        (np.lib.stride_tricks.sliding_window_view(np.zeros(6), 3), True),
        ([1, 2], False),
    ],
)
def test_arrays_whose_elements_overlap_are_told(array: object, overlaps: bool) -> None:
    assert memory.overlaps_itself(array) is overlaps
