"""A real kernel behind the few things a front end does: run a cell, watch it, interrupt it."""

from __future__ import annotations

import os
import queue
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client.manager import KernelManager

LONG = 500.0
"""Seconds after which a cell is taken to hang: far more than any takes, on however busy a machine."""


@dataclass
class Cell:
    """What came of running a cell."""

    status: str = "running"
    stdout: str = ""
    stderr: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """Return the text of the cell's value."""
        return "\n".join(result["text/plain"] for result in self.results)

    @property
    def shown(self) -> str:
        """Return the text of everything that was displayed beside the value."""
        return "\n".join(display.get("text/plain", "") for display in self.displays)


class Notebook:
    """A kernel of our own, shut down at the end; it may start in another folder, with variables set besides."""

    def __init__(self, folder: Path | None = None, **variables: str) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=None if folder is None else str(folder), env={**os.environ, **variables})
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LONG)

    def __enter__(self) -> Notebook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str, timeout: float = LONG, *, check: bool = True) -> Cell:
        """Run a cell to its end; with `check` it must not fail."""
        cell = self.finish(self.start(code), timeout)
        if check:
            assert cell.status == "ok", f"{cell.error}\n{cell.traceback}\n{cell.stderr}"
        return cell

    def start(self, code: str) -> str:
        """Send a cell and return the name of its request."""
        return str(self.client.execute(code, stop_on_error=True, allow_stdin=False))

    def finish(self, request: str, timeout: float = LONG, until: str | None = None) -> Cell:
        """Collect what a cell gives, to its end or until it has printed `until`."""
        cell, began, deadline = Cell(), time.monotonic(), time.monotonic() + timeout
        while until is None or until not in cell.stdout:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the cell did not end within {timeout} s; so far: {cell}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                content = self.reply(request, deadline)["content"]
                cell.status = content["status"]
                cell.error = cell.error or (f"{content['ename']}: {content['evalue']}" if "ename" in content else "")
                break
            note(cell, message["msg_type"], message["content"])
        cell.seconds = time.monotonic() - began
        return cell

    def wait_for_start(self, request: str, timeout: float = LONG) -> None:
        """Return when the kernel has begun a cell; what it gave until then is dropped."""
        deadline = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == request and message["msg_type"] == "execute_input":
                return

    def reply(self, request: str, deadline: float | None = None) -> dict[str, Any]:
        """Return the kernel's answer to a request."""
        deadline = time.monotonic() + LONG if deadline is None else deadline
        while True:
            message: dict[str, Any] = self.client.get_shell_msg(timeout=max(0.01, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == request:
                return message

    def interrupt(self) -> None:
        """Press the interrupt button."""
        self.manager.interrupt_kernel()

    def value(self, expression: str) -> Any:
        """Return the value of an expression that has a literal for its repr."""
        import ast

        return ast.literal_eval(self.run(expression).text)


def note(cell: Cell, kind: str, content: dict[str, Any]) -> None:
    """Add one message of the kernel to what came of a cell."""
    if kind == "stream":
        setattr(cell, content["name"], getattr(cell, content["name"]) + content["text"])
    elif kind == "execute_result":
        cell.results.append(content["data"])
    elif kind == "display_data":
        cell.displays.append(content["data"])
    elif kind == "update_display_data":
        cell.updates.append(content["data"])
    elif kind == "error":
        cell.error = f"{content['ename']}: {content['evalue']}"
        cell.traceback = "\n".join(content["traceback"])
