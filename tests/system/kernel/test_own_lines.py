"""An error in an item ends on the user's own line and leaves the names of the plain loop, whatever the workers."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from concompare.machine import safe_start_method
from tests.dependencies import forgetful
from tests.system.kernel.notebook import Notebook
from tests.system.kernel.shapes import differences

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OTHERS = [name for name in multiprocessing.get_all_start_methods() if name != safe_start_method()]
KINDS = ("threads", "processes", "loky", *OTHERS)
"""Those of `processes` start by the method that is safe here."""


@pytest.mark.parametrize("backend", KINDS)
def test_errors_of_functions_of_every_shape_end_where_they_do_in_the_plain_loop(
    backend: str, notebook: Notebook
) -> None:
    assert differences(notebook, backend) == {}


def test_they_do_with_a_cloudpickle_that_forgets_where_code_is_from(own_notebook: Notebook) -> None:
    own_notebook.run(Path(forgetful.__file__).read_text("utf-8") + "\ncloudpickle.Pickler = Forgetful")
    assert differences(own_notebook, "processes") == {}
