# ruff: noqa: E501
"""Loops over the axes of a figure: what draws stays in the notebook, and what is drawn is computed in workers."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("matplotlib")

SETUP = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
xs, out = [3, 1, 2, 5], []
def work(x):
    return [x * k for k in range(3)]
def told(figure):
    return [list(line.get_ydata()) for line in figure.axes[0].lines]
fig, axes = plt.subplots(2, 2)
row = axes.ravel()
"""
END = "\nout += [(ax.get_title(), [list(line.get_ydata()) for line in ax.lines]) for ax in axes.flat]\n"
END += "plt.close('all')\ndel fig, axes, row, ax"
CELLS = [
    "for ax, x in zip(axes.flat, xs):\n    y = work(x)\n    ax.plot(y)\n    ax.set_title(f'{x}')",
    "for i, ax in enumerate(row):\n    ax.plot(work(i), lw=1)\n    ax.axhline(i)\n    out.append(work(i)[-1])",
    "for i in range(4):\n    ax = axes[i // 2, i % 2]\n    ax.plot(work(i))\n    ax.set(title=str(i))",
    "for i, x in enumerate(xs):\n    ax = row[i]\n    ax.plot(work(x))",
]
OTHERWISE = [
    "for line, x in zip(axes[0, 0].plot(*[[1, 2]] * 4), xs):\n    out.append(told(fig))\n    line.set_ydata(work(x)[:2])",
    "for ax, x in zip(axes.flat, xs):\n    out.append(told(fig))\n    ax.plot(work(x))",
    "for ax, x in zip(axes.flat, xs):\n    ax.plot(work(x))\n    out.append(told(ax.figure))",
    "for ax, x in zip([axes[0, 0]] * 4, xs):\n    out.append(len(ax.lines) + work(x)[1])\n    ax.plot(work(x))",
]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", [*CELLS, *OTHERWISE])
def test_axes_are_drawn_into_in_the_notebook(cell: str, how: str) -> None:
    different, found = programs.compared(cell + END, SETUP, how)
    assert different is None
    first = [part for part in found.cell.lifted if part.line == 1]
    assert first or cell in OTHERWISE, found.reasons
