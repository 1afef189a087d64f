"""Run notebooks headless on a real kernel, as `make demo`, `make notebooks` and `make refresh-notebooks` do.

python demo_notebooks/run.py NOTEBOOK… [--show] [--html PATH] [--folder PATH] [--in-place]
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

SECONDS_PER_CELL = 300


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks; return 1 if a cell failed that is not marked as failing."""
    parser = argparse.ArgumentParser(description="Run notebooks headless on a real kernel.")
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--show", action="store_true", help="print what the cells print and show")
    parser.add_argument("--html", type=Path, help="write the executed notebook as a page")
    parser.add_argument("--folder", type=Path, help="write the executed notebooks into this folder")
    parser.add_argument("--in-place", action="store_true", help="keep the outputs in the notebooks themselves")
    args = parser.parse_args(arguments)
    failed = 0
    for path in args.notebooks:
        began = time.perf_counter()
        notebook: Any = nbformat.read(path, as_version=4)
        if missing := missing_for(notebook):
            what = f"{', '.join(missing)} is not installed: pip install 'concompare[clusters]'"
            print(f"{path}: NOTEBOOK NOT RUN, {what}", file=sys.stderr)
            continue
        try:
            execute(notebook, path.parent, show=args.show)
        except CellExecutionError as error:
            print(f"{path}: a cell failed\n{error}", file=sys.stderr)
            failed = 1
        print(f"{path}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        if args.html:
            write_page(notebook, args.html)
            print(f"wrote {args.html}")
        if args.folder:
            nbformat.write(notebook, args.folder / path.name)
        if args.in_place and not failed:
            nbformat.write(notebook, path)
    return failed


def missing_for(notebook: Any) -> list[str]:
    """Return the packages that a notebook says it needs and that are not installed."""
    needs = notebook.metadata.get("concompare", {}).get("needs", [])
    return [package for package in needs if importlib.util.find_spec(package) is None]


def execute(notebook: Any, folder: Path, *, show: bool) -> None:
    """Run a notebook's cells in order, each shown as it ends."""

    def shown(cell: Any, cell_index: int, execute_reply: Any) -> None:
        cell.outputs = [output for output in cell.outputs if not is_gone(output)]
        if show and cell.cell_type == "code":
            print(text_of(cell), flush=True)

    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=shown,
    )
    client.execute()
    kept = {name: notebook.metadata[name] for name in ("kernelspec", "concompare") if name in notebook.metadata}
    notebook.metadata = {**kept, "language_info": {"name": "python"}}


def is_gone(output: Any) -> bool:
    """Say whether all that an output shows is where a bar or a live table stood."""
    return bool(output.get("data", {}).get("text/plain") == "")


def text_of(cell: Any) -> str:
    """Return a cell and its outputs as a terminal shows them."""
    lines = ["", *(f"  > {line}" for line in cell.source.splitlines()), ""]
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            lines.append(output.text.rstrip())
        elif output.output_type in ("display_data", "execute_result"):
            lines.append(output.data.get("text/plain", "").rstrip())
        elif output.output_type == "error":
            lines.append(f"{output.ename}: {output.evalue}")
    return "\n".join(lines)


RGB = 'pre span[style*="color: rgb("]'
"""What IPython colours in tracebacks by itself."""

COLOURS = {
    "light": {
        ".jp-InputPrompt,.jp-OutputPrompt": "#5b6472",
        ".ow": "#7a1fd1",
        ".mi,.mf": "#006b0a",
        ".c1": "#2f6b6b",
        ".ansi-red-fg": "#a3160f",
        ".ansi-green-fg": "#0f5c26",
        ".ansi-blue-fg": "#0b4f7a",
        ".ansi-cyan-fg": "#00565c",
        ".ansi-yellow-fg": "#5c4300",
        RGB: "inherit",
    },
    "dark": {
        ".jp-InputPrompt,.jp-OutputPrompt": "#b9c0ca",
        ".ow": "#cda4ff",
        ".c1": "#8fc7c7",
        ".ansi-red-fg": "#ff9b8f",
        ".ansi-green-fg": "#7fd694",
        ".ansi-blue-fg": "#9cd0ff",
        RGB: "inherit",
    },
}
"""What has too little contrast on nbconvert's pages, and the colours that can be read there."""


def write_page(notebook: Any, path: Path, theme: str = "light") -> None:
    """Write an executed notebook as one page without external files."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter(embed_images=True, theme=theme).from_notebook_node(notebook)
    rules = [f"{what}{{color:{colour}!important;opacity:1!important}}" for what, colour in COLOURS[theme].items()]
    rules.append(".jp-RenderedHTMLCommon a{text-decoration:underline!important}")
    page = page.replace("</head>", f"<style>{''.join(rules)}</style>\n</head>", 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
