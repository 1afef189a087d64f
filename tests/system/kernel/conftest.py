from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.system.kernel.notebook import Notebook

os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")


@pytest.fixture(scope="session")
def shared_notebook() -> Iterator[Notebook]:
    with Notebook() as notebook:
        notebook.run("%load_ext concompare\nimport os, time, concompare")
        notebook.run("import gc; gc.collect(); gc.freeze()")  # each `%reset` has the collector look at everything twice
        yield notebook


@pytest.fixture
def notebook(shared_notebook: Notebook) -> Notebook:
    """A running kernel with the extension loaded; names of earlier tests are gone."""
    shared_notebook.run("%reset -f\nimport os, time, concompare")
    return shared_notebook


@pytest.fixture
def own_notebook() -> Iterator[Notebook]:
    """A kernel that no other test uses."""
    with Notebook() as notebook:
        notebook.run("%load_ext concompare\nimport os, time, concompare")
        yield notebook
