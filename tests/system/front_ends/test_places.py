"""Colab, Kaggle and VS Code: a kernel of what they ship loads the extension, runs both magics, and gets HTML and text.

`.ci/pythons Colab` and so on make an environment for each by the versions in `.ci/places`, and say which one it is in.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLACES = Path(__file__).parents[3] / ".ci" / "places"
PLACE = os.environ.get("CONCOMPARE_PLACE", "")
WITHOUT = ("ipywidgets", "notebook", "jupyterlab", "nbconvert")
"""What VS Code does not install."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of old packages in a newer Python
    pytest.mark.skipif(not PLACE, reason='an environment of its own: .ci/pythons Colab Kaggle "VS Code"'),
]


class Kernel:
    """A kernel as front ends start it."""

    def __init__(self, folder: Path) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    def run(self, code: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Run a cell; return its reply, and its displays and value as MIME bundles."""
        shown: list[dict[str, Any]] = []

        def note(message: dict[str, Any]) -> None:
            if message["msg_type"] in ("display_data", "update_display_data", "execute_result"):
                shown.append(message["content"]["data"])

        reply = self.client.execute_interactive(code, output_hook=note, timeout=300)
        return reply["content"], shown


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    started = Kernel(tmp_path_factory.mktemp("place"))
    yield started
    started.client.stop_channels()
    started.manager.shutdown_kernel()


def test_it_is_what_the_place_ships() -> None:
    pins = re.findall(r"^([\w-]+)==(\S+)$", (PLACES / f"{PLACE}.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: importlib.metadata.version(name) for name, _ in pins} == dict(pins)
    if PLACE == "vscode":
        found = {distribution.metadata["Name"].lower() for distribution in importlib.metadata.distributions()}
        assert not found & {*WITHOUT}


def test_the_extension_loads_and_runs_a_cell_in_workers(kernel: Kernel) -> None:
    reply, _ = kernel.run("%load_ext concompare")
    assert reply["status"] == "ok", reply
    kernel.run("def work(n):\n    return sum(i * i for i in range(20_000 + n))")
    reply, shown = kernel.run("%%parallel -b processes -w 2\nout = [work(n) for n in range(40)]\nlen(out)")
    assert reply["status"] == "ok", reply
    *summaries, value = (bundle for bundle in shown if bundle.get("text/plain"))
    assert value["text/plain"] == "40"
    assert all({"text/html", "text/plain"} <= bundle.keys() for bundle in summaries)
    assert "processes" in "".join(bundle["text/plain"] for bundle in summaries)
    _, shown = kernel.run("sum(out)")
    assert shown[-1]["text/plain"] == str(sum(sum(i * i for i in range(20_000 + n)) for n in range(40)))


def test_a_report_is_html_and_text(kernel: Kernel) -> None:
    kernel.run("%load_ext concompare\ndef work(n):\n    return sum(i * i for i in range(20_000 + n))")
    cell = "%%concompare -b serial,threads,processes -w 2 --budget 4\nout = [work(n) for n in range(60)]"
    reply, shown = kernel.run(cell)
    assert reply["status"] == "ok", reply
    report = shown[-1]
    assert {"text/html", "text/plain"} <= report.keys()
    assert "plain loop" in report["text/plain"]
    assert report["text/html"].count("<img") >= 3
    assert "<script" not in report["text/html"]
    _, shown = kernel.run("len(out), out[-1]")
    assert shown[-1]["text/plain"] == f"(60, {sum(i * i for i in range(20_059))})"


def test_a_mistake_is_one_line(kernel: Kernel) -> None:
    kernel.run("%load_ext concompare")
    reply, _ = kernel.run("%%parallel -b treads\nout = [n for n in range(3)]")
    assert reply["status"] == "error"
    assert "treads" in reply["evalue"]
