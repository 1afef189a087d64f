"""The demo notebooks as they are committed: whole, run, and free of where they were run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "demo_notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    import nbformat  # takes a second to import, so not while tests are collected

    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call, unused-ignore]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_was_run_from_top_to_bottom(path: Path) -> None:
    import nbformat

    notebook = read(path)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run `make refresh-notebooks`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_cells_that_are_meant_to_fail_have_failed(path: Path) -> None:
    for cell in read(path).cells:
        failed = any(output.output_type == "error" for output in cell.get("outputs", ()))
        assert failed == ("raises-exception" in cell.metadata.get("tags", ())), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_do_not_tell_where_they_were_made(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    assert not re.search(r"/tmp/ipykernel_\d+", text)


def test_the_readme_names_every_notebook() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        assert f"demo_notebooks/{path.name}" in readme


def test_every_link_of_the_table_of_differences_leads_somewhere() -> None:
    text = "\n".join(cell.source for cell in read(ROOT / "demo_notebooks/02_threads_or_processes.ipynb").cells)
    anchors = set(re.findall(r'<a id="(\w+)">', text))
    assert anchors == {"guess", *(str(number) for number in range(1, 11))}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) == anchors
