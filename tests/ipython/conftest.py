from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import IPython
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


@dataclass
class Ran:
    """What came of running a cell in the shell."""

    value: Any
    stdout: str
    stderr: str
    error: BaseException | None
    displays: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        return "\n".join(display.get("text/plain", "") for display in self.displays)


class Shell:
    """A real IPython shell with the extension loaded."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.names: dict[str, Any] = shell.user_ns
        shell.run_line_magic("load_ext", "concompare")

    def run(self, cell: str, *, check: bool = True) -> Ran:
        """Run a cell; with `check` it must not fail."""
        with capture_output() as captured:
            result = self.shell.run_cell(cell, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if check and error is not None:
            raise error
        displays = [output.data for output in captured.outputs]
        return Ran(result.result, captured.stdout, captured.stderr, error, displays)

    def fails(self, cell: str) -> Ran:
        """Run a cell that must fail."""
        ran = self.run(cell, check=False)
        assert ran.error is not None, "the cell did not fail"
        return ran


@pytest.fixture(scope="session")
def only_shell() -> Iterator[Shell]:
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor" if IPython.version_info >= (9,) else "NoColor"
    path = list(sys.path)
    shell = Shell(InteractiveShell.instance(config=settings))
    sys.path[:] = path  # IPython adds its extensions, where an old IPython has a package named tests
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(only_shell: Shell) -> Shell:
    """A shell with the extension loaded and no names of the user's."""
    only_shell.shell.reset(new_session=True)
    only_shell.names = only_shell.shell.user_ns
    return only_shell
