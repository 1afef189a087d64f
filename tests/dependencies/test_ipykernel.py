"""What we rely on of ipykernel that it does not document; a kernel of its own runs where that takes one."""

from __future__ import annotations

import pytest

pytest.importorskip("ipykernel")

from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import HasTraits

from tests.system.kernel.notebook import Notebook


def test_a_shell_in_a_kernel_knows_its_kernel() -> None:
    """`magics`: a notebook would get the progress bar of a terminal instead of the table in place."""
    assert issubclass(ZMQInteractiveShell, HasTraits)
    assert "kernel" in ZMQInteractiveShell.class_trait_names()


@pytest.mark.slow
def test_cells_have_file_names_whose_lines_are_known_and_names_are_main(notebook: Notebook) -> None:
    """`magics.source_of` and tracebacks of items: they would show no line of the cell."""
    notebook.run("def f(): pass\n\n\ndef g(): pass")
    notebook.run("import linecache, sys")
    assert notebook.value("linecache.getline(g.__code__.co_filename, g.__code__.co_firstlineno)") == "def g(): pass\n"
    assert notebook.value("f.__code__.co_filename == g.__code__.co_filename") is True
    assert notebook.value("f.__module__, sys.modules['__main__'].__dict__ is globals()") == ("__main__", True)
