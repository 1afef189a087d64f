"""JupyterLab as its user meets it: a server of our own, and a notebook in a tab of a real browser."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import nbformat
import psutil

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[3]
PICTURES = ROOT / "build" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
"""No question about news, and every cell on the page at once."""
SLOW = 300_000
"""Milliseconds for what a busy machine may take long for."""


def browser_path() -> str | None:
    """Return the path of a browser, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name)) is not None), None)


class Lab:
    """A JupyterLab on a free loopback port, with a token, and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        self.token = secrets.token_hex(16)
        self.runtime = folder / "runtime"
        self.log = folder / "lab.log"
        for kind in (self.folder, self.runtime):
            kind.mkdir()
        for name, content in SETTINGS.items():
            path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"]
        command += [f"--ServerApp.root_dir={self.folder}", f"--IdentityProvider.token={self.token}"]
        command += ["--LabApp.extension_manager=readonly"]
        places = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
        variables = {f"JUPYTER_{name}": str(folder / place) for name, place in places.items()}
        variables |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
        variables |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "JUPYTER_PLATFORM_DIRS": "1"}
        with self.log.open("wb") as log:
            self.server = subprocess.Popen(
                command, env=os.environ | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.url = self.wait(50)

    def wait(self, seconds: float) -> str:
        """Return the server's address once it has said it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.server.poll() is None:
            for path in self.runtime.glob("jpserver-*.json"):
                try:
                    return str(json.loads(path.read_text())["url"])
                except ValueError:
                    continue  # it is being written
            time.sleep(0.1)
        raise TimeoutError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_kernels()
        family = self.family()
        self.server.terminate()
        self.server.wait(20)
        _, left = psutil.wait_procs(family, timeout=10)
        for process in left:
            process.kill()
        assert not left, f"left over after the server: {left}"

    def close_kernels(self) -> None:
        """Shut all kernels down, as closing a notebook for good does."""
        for kernel in json.loads(self.ask("GET", "api/kernels")):
            self.ask("DELETE", f"api/kernels/{kernel['id']}")

    def ask(self, method: str, path: str) -> bytes:
        """Return the server's answer."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def family(self) -> list[psutil.Process]:
        """Return all processes below the server: kernels and workers."""
        return list(psutil.Process(self.server.pid).children(recursive=True))

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """Write a notebook."""
        make: Any = nbformat.v4
        notebook = make.new_notebook(cells=[make.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def address(self, path: Path) -> str:
        """Return the address of a notebook in a workspace of its own."""
        return f"{self.url}lab/workspaces/{path.stem}/tree/{path.name}?token={self.token}"


class Sheet:
    """A notebook that is open in a tab."""

    def __init__(self, page: Page, lab: Lab, name: str, cells: Sequence[str]) -> None:
        from playwright.sync_api import expect

        self.page, self.lab, self.expect = page, lab, expect
        self.path = lab.write(name, cells)
        page.goto(lab.address(self.path), timeout=SLOW)
        expect(self.cell(0)).to_be_visible(timeout=SLOW)
        self.wait_idle()
        page.keyboard.press("Control+b")  # no side bar

    def cell(self, number: int) -> Locator:
        """Return a cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def outputs(self, number: int) -> Locator:
        """Return the outputs of a cell."""
        return self.cell(number).locator(".jp-OutputArea-child")

    def report(self, number: int) -> Locator:
        """Return the reports, summaries and live tables in the outputs of a cell."""
        return self.cell(number).locator(".concompare")

    def start(self, number: int) -> None:
        """Run a cell from the keyboard."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def run(self, number: int, timeout: float = SLOW) -> None:
        """Run a cell to its end."""
        self.start(number)
        self.wait_end(number, timeout)

    def wait_end(self, number: int, timeout: float = SLOW) -> None:
        """Wait until a cell has its number."""
        prompt = self.cell(number).locator(".jp-InputArea-prompt")
        self.expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=timeout)

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        words = self.page.locator("#jp-main-statusbar").get_by_text("| Idle")
        self.expect(words).to_be_visible(timeout=SLOW)

    def press(self, command: str) -> None:
        """Press a button of the notebook's toolbar."""
        self.page.locator(f'.jp-NotebookPanel-toolbar [data-command="{command}"]').first.click()

    def choose(self, *path: str) -> None:
        """Choose an entry of the menus, by the words on the way to it."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=path[0]).first.click()
        for words in path[1:]:
            entry = self.page.locator(".lm-Menu-itemLabel").get_by_text(words, exact=True).last
            entry.hover()
            self.page.wait_for_timeout(150)
        entry.click()

    def text(self, number: int) -> str:
        """Return what the outputs of a cell show as text."""
        return "\n".join(self.outputs(number).all_inner_texts())

    def take(self, name: str, number: int | None = None) -> Path:
        """Take a picture of a cell, or of the whole tab."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size({"width": size["width"], "height": 2000})
        (self.page if number is None else self.cell(number)).screenshot(path=path)
        self.page.set_viewport_size(size)
        return path
