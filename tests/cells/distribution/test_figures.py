"""Loops that draw by pyplot leave the pictures of the plain loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ipython.conftest import Shell, only_shell, shell

__all__ = ["only_shell", "shell"]
SETUP = """
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
def height(k):
    return sum(range(k * 10))
def picture(k):
    fig, ax = plt.subplots()
    ax.plot([height(k), 1])
    fig.savefig(f"{k}.png")
    plt.close(fig)
    return k
def early(k):
    fig = plt.figure()
    if height(k) > 10**9:
        return None
    plt.plot([height(k), 1])
    plt.close()
def onto(k):
    return plt.plot([height(k)])
"""
TOGETHER = [
    "for k in range(4):\n    plt.plot([height(k), k], label=str(k))",
    "for i in range(2):\n    for j in range(2):\n        plt.plot([height(i + 2 * j), i + 2 * j])",
    "for k in range(4):\n    plt.plot([height(k), k])\n    plt.gca().lines[-1].set_label(str(k))",
    "for k in range(4):\n    onto(k)",
    "lines = [onto(k) for k in range(4)]",
]
ALONE = {
    "statements": "for k in range(4):\n    plt.figure()\n    plt.plot([height(k), 1])\n    plt.savefig(f'{k}.png')\n"
    "    plt.close()",
    "a function": "for k in range(4):\n    picture(k)",
    "its values": "made = [picture(k) for k in range(4)]",
}
NOT_ALONE = {
    "one figure again": "for k in range(4):\n    plt.figure(1)\n    plt.plot([height(k)])\n    plt.close()",
    "left open": "for k in range(4):\n    plt.figure()\n    plt.plot([height(k)])",
    "cleared": "for k in range(4):\n    plt.clf()\n    plt.plot([height(k)])\n    plt.savefig(f'{k}.png')",
    "left early": "for k in range(4):\n    early(k)",
}


def drawn(shell: Shell, cell: str, magic: str) -> tuple[list[list[float]], list[bytes]]:
    """Return the lines of the current figure and the written pictures after a cell."""
    shell.run(f"{SETUP}\nplt.close('all')")
    shell.run(f"{magic}\n{cell}")
    plt = shell.names["plt"]
    lines = [list(line.get_ydata()) for line in plt.gca().lines]
    plt.close("all")
    return lines, [path.read_bytes() for path in sorted(Path.cwd().glob("*.png"))]


def told(shell: Shell, cell: str) -> str:
    """Run a cell and return what the magic says of it."""
    ran = shell.run(cell)
    return " ".join([ran.stdout, *(str(shown.get("text/plain", "")) for shown in ran.displays)]).replace("\n", " ")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("backend", ["threads", "processes"])
@pytest.mark.parametrize("cell", [*TOGETHER, *ALONE.values(), *NOT_ALONE.values()])
def test_the_pictures_are_those_of_the_plain_loop(cell: str, backend: str, shell: Shell) -> None:
    assert drawn(shell, cell, f"%%parallel -b {backend} -w 2") == drawn(shell, cell, "#")


@pytest.mark.parametrize("name", ALONE)
def test_items_with_a_figure_of_their_own_run_in_processes_and_not_in_threads(name: str, shell: Shell) -> None:
    shell.run(SETUP)
    assert "plain loop" not in told(shell, f"%%parallel -b processes -w 2\n{ALONE[name]}")
    assert "current figure all threads share" in told(shell, f"%%parallel -b threads -w 2\n{ALONE[name]}")


def test_figures_that_are_not_an_item_s_own_stay_in_the_notebook(shell: Shell) -> None:
    shell.run(SETUP)
    shown = told(shell, f"%%parallel -b processes -w 2\n{NOT_ALONE['cleared']}")
    assert "draws into the current figure, which the items share" in shown
