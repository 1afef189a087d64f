"""marimo as its user meets it: a server of our own on loopback, with one notebook open in a tab of a real browser."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

from tests.system.browser.lab import PICTURES, SLOW

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SETTINGS = """
[display]
theme = "system"

[runtime]
auto_instantiate = false
"""
"""The theme is the browser's, and nothing runs before it is asked for."""

HEAD = "import marimo\n\napp = marimo.App()\n"
CELL = "\n\n@app.cell\ndef _({takes}):\n{body}\n    return {gives}\n"


def source_of(cells: list[tuple[str, str, str]]) -> str:
    """Return a notebook of cells: the names that each takes, its code, and the names that it gives."""
    parts = []
    for takes, code, gives in cells:
        body = "\n".join(f"    {line}".rstrip() for line in code.splitlines())
        parts.append(CELL.format(takes=takes, body=body, gives=f"({gives},)" if gives else ""))
    return HEAD + "".join(parts)


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Marimo:
    """A server with one notebook, without a token: it listens on loopback."""

    def __init__(self, folder: Path, cells: list[tuple[str, str, str]]) -> None:
        (folder / "config" / "marimo").mkdir(parents=True)
        (folder / "config" / "marimo" / "marimo.toml").write_text(SETTINGS)
        (folder / "cells.py").write_text(source_of(cells), encoding="utf-8")
        self.log = folder / "marimo.log"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "marimo", "--quiet", "edit", "cells.py", "--headless", "--host=127.0.0.1"]
        command += [f"--port={port}", "--no-token", "--skip-update-check"]
        places = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "CACHE", "STATE", "DATA")}
        with self.log.open("wb") as log:
            self.server = subprocess.Popen(
                command, cwd=folder, env=os.environ | places, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wait(60)

    def wait(self, seconds: float) -> None:
        """Wait until the server answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(f"marimo did not start:\n{self.log.read_text()[-3000:]}")

    def __enter__(self) -> Marimo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        family = psutil.Process(self.server.pid).children(recursive=True)
        self.server.terminate()
        self.server.wait(30)
        _, left = psutil.wait_procs(family, timeout=20)
        for process in left:
            process.kill()
        assert not left, f"left over after the server: {left}"


class Sheet:
    """The notebook in a tab."""

    def __init__(self, page: Page, server: Marimo) -> None:
        from playwright.sync_api import expect

        self.page, self.expect = page, expect
        page.goto(server.url, timeout=SLOW)
        expect(self.cell(0)).to_be_visible(timeout=SLOW)

    def cell(self, number: int) -> Locator:
        """Return a cell, counted from 0."""
        return self.page.locator(".marimo-cell").nth(number)

    def output(self, number: int) -> Locator:
        """Return the output of a cell."""
        return self.cell(number).locator(".output-area")

    def start(self, number: int) -> None:
        """Run a cell from the keyboard."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def interrupt(self) -> None:
        """Press the button that interrupts, once it is there for that: it is yellow then."""
        button = self.page.locator('[data-testid="interrupt-button"]').first
        self.expect(button).to_have_class(re.compile("yellow"), timeout=SLOW)
        button.click()

    def take(self, name: str, number: int) -> Path:
        """Take a picture of a cell."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        self.cell(number).screenshot(path=path)
        return path
