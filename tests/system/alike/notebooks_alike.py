"""Run notebooks with `%%parallel` on every cell that loops, and without, and compare what each cell leaves.

    python -m tests.system.alike.notebooks_alike FOLDER [--magics "-b threads -w 2,-b processes -w 2"] [--limit 60]
        [--whole 600] [--only PART] [--every] [--light] [--save FILE]

Each run is a process of its own, in a copy of the folder. What is expected is what a plain run gives; what a second
plain run gives otherwise (times, addresses, random numbers from the system) is set aside. After every cell its output,
its displays, its error, the files that it wrote, the states of the random numbers and the names of the notebook are
compared, with types and bits. What the magic shows itself is not.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.system.alike.one_notebook import Asked, asdict
from tests.system.alike.processes import Child

LONGER = 6
"""So many times as long as plainly a notebook may take with workers."""
METHODS = frozenset({"apply", "map", "applymap", "agg", "aggregate", "transform", "filter", "pipe", "assign"})
BUILTINS = frozenset({"map", "filter", "sorted", "min", "max", "reduce"})
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FIELDS = ("error", "stdout", "stderr", "shown", "files")
SHOWN = 12
"""Differences and reasons that are printed; all are saved."""
TIMES = re.compile(r"^(CPU times|Wall time): .*$", re.MULTILINE)


def cells_of(path: Path) -> list[str]:
    """Return the sources of a notebook's code cells."""
    document = json.loads(path.read_text(encoding="utf-8"))
    sheets = document.get("worksheets") or [document]
    cells = [cell for sheet in sheets for cell in sheet.get("cells", ()) if cell.get("cell_type") == "code"]
    found = [cell.get("source", cell.get("input", "")) for cell in cells]
    return ["".join(source) if isinstance(source, list) else source for source in found]


def may_be_marked(source: str) -> bool:
    """Tell whether a cell can get a magic: it is Python and has none of its own."""
    return bool(source.strip()) and not source.lstrip().startswith("%%")


def loops_in(source: str) -> int:
    """Return the number of loops, comprehensions and calls that may map in a cell."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):
        return 0
    return sum(isinstance(node, LOOPS) or maps(node) for node in ast.walk(tree))


def maps(node: ast.AST) -> bool:
    """Tell whether a node is a call that may call a function with items."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Attribute) and called.attr in METHODS) or (
        isinstance(called, ast.Name) and called.id in BUILTINS
    )


# ------------------------------------------------------------------------------------------------------------- one run


@dataclass
class Run:
    """What one run of a notebook gave.

    Attributes:
        left: What each cell left, as far as the run came; `notes`: of its loops.
        late: The cell at which the run had to be ended.
    """

    left: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    late: int | None = None
    errors: str = ""
    seconds: float = 0.0


def run(asked: Asked, folder: Path, limit: float, whole: float) -> Run:
    """Run a notebook in a process; a cell may compute for so many seconds, and all of them."""
    made, began = Run(), time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        home, request, errors = Path(place, "home"), Path(place, "request.json"), Path(place, "stderr")
        shutil.copytree(folder, home / "work", symlinks=True, ignore=shutil.ignore_patterns(".git"))
        request.write_text(json.dumps(asdict(asked)), encoding="utf-8")
        child = started(request, errors, home)
        try:
            collect(child, made, limit, whole)
        finally:
            child.end()
        made.errors = errors.read_text(errors="replace")[-1500:]
    made.seconds = time.monotonic() - began
    return made


def started(request: Path, errors: Path, home: Path) -> Child:
    """Start the process that does what is asked in a file."""
    command = [sys.executable, "-m", "tests.system.alike.one_notebook", str(request)]
    reading, writing = os.pipe()
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env=surroundings(home),
            cwd=home / "work",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=stream,
        )
    os.close(writing)
    return Child(process.pid, reading, process.wait)


def collect(child: Child, made: Run, limit: float, whole: float) -> None:
    """Take the reports of a process; notes the cell at which it was ended."""
    made.late = -1
    for found in child.read(limit, whole):
        made.late = found.get("begins", made.late)
        if "left" in found:
            made.left.append(found["left"])
            made.notes.append({**found["notes"], "seconds": found["seconds"]})
        if "done" in found:
            made.late = None
            break


def surroundings(home: Path) -> dict[str, str]:
    """Return the environment of a notebook: a home of its own, no display, no network."""
    here = Path(__file__).parents[3]
    paths = os.pathsep.join(filter(None, [str(here), str(here / "src"), os.environ.get("PYTHONPATH", "")]))
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    settings = os.environ.get("MPLCONFIGDIR") or str(Path(tempfile.gettempdir(), "concompare-alike-matplotlib"))
    own = {"PYTHONPATH": paths, "PYTHONHASHSEED": "1", "MPLBACKEND": "agg", "MPLCONFIGDIR": settings}
    return {**os.environ, **own, **nowhere, "HOME": str(home), "IPYTHONDIR": str(home / ".ipython"), "no_proxy": ""}


# ------------------------------------------------------------------------------------------------------------ compared


@dataclass(frozen=True)
class Difference:
    """What a cell left otherwise than plainly."""

    notebook: str
    magic: str
    cell: int
    what: str
    plain: str
    other: str
    source: str = ""
    first: bool = True


def without_times(left: Any) -> Any:
    """Return what a cell printed without the figures of `%time`, which two runs may have alike by chance."""
    return TIMES.sub("", left) if isinstance(left, str) else left


def facts_of(run: Run) -> list[dict[str, str]]:
    """Return what each cell left, and the names as they were after it, as texts by what they are."""
    held: dict[str, str] = {}
    found = []
    for left in run.left:
        held = {name: text for name, text in held.items() if name not in left["gone"]} | left["names"]
        facts = {name: json.dumps(without_times(left[name])) for name in FIELDS if left[name]}
        states = {f"state of {name}": text for name, text in left["states"].items()}
        found.append(facts | states | {f"name {name}": text for name, text in held.items()})
    return found


def differences(plain: Run, again: Run, other: Run, notebook: str, asked: Asked) -> Iterator[Difference]:
    """Yield what differs, each name and kind of output once; what two plain runs give differently is set aside."""
    told: set[str] = set()
    runs = zip(facts_of(plain), facts_of(again), facts_of(other), strict=False)
    for cell, (mine, repeated, theirs) in enumerate(runs):
        found = [
            what
            for what in sorted(mine.keys() | theirs.keys())
            if mine.get(what) != theirs.get(what) and mine.get(what) == repeated.get(what) and what not in told
        ]
        first = not told
        for what in found:
            pair = around(mine.get(what, "nothing"), theirs.get(what, "nothing"))
            yield Difference(notebook, asked.magic, cell, what, *pair, asked.cells[cell], first)
        told |= {what for what in found if what.startswith(("name", "state"))}
    if other.late is not None and (plain.late is None or other.late < plain.late):
        how = f"ended, or was ended after {LONGER} times the limit. {other.errors}"
        source = asked.cells[other.late] if other.late >= 0 else ""
        yield Difference(notebook, asked.magic, other.late, "end", "came to its end", how, source, not told)


def around(plain: str, other: str) -> tuple[str, str]:
    """Return the parts of two texts where they begin to differ."""
    length = min(len(plain), len(other))
    place = next((n for n in range(length) if plain[n] != other[n]), length)
    start = max(0, place - 60)
    return plain[start : place + 200], other[start : place + 200]


@dataclass
class Tally:
    """What all notebooks came to under one magic."""

    magic: str
    notebooks: int = 0
    cells: int = 0
    looping: int = 0
    reached: int = 0
    lifted: int = 0
    cells_lifted: int = 0
    fallen: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Counter[str]] = field(default_factory=dict)
    aside: int = 0
    slowest: list[tuple[float, str, int]] = field(default_factory=list)
    different: list[Difference] = field(default_factory=list)

    def add(self, notebook: str, asked: Asked, found: Run, different: list[Difference]) -> None:
        """Add one notebook."""
        self.notebooks += 1
        self.cells += len(found.left)
        self.looping += sum(loops_in(source) > 0 for source in asked.cells[: len(found.left)])
        for cell, notes in enumerate(found.notes):
            done = [note for _, note in notes["lifted"] if not note]
            self.lifted += len(done)
            self.cells_lifted += bool(done)
            self.fallen.update(without_names(note) for _, note in notes["lifted"] if note)
            for _, code, text in notes["refused"]:
                self.refused[code] += 1
                self.examples.setdefault(code, Counter())[without_names(text)] += 1
            self.slowest.append((notes["slowest"], notebook, cell))
        self.different += different

    def lines(self) -> Iterator[str]:
        """Yield what is printed."""
        yield f"{self.magic}"
        yield f"  {self.notebooks} notebooks, {self.cells} cells, {self.looping} of them with loops"
        yield f"  ran in workers     {self.lifted:5}  loops, in {self.cells_lifted} cells"
        yield f"  given back         {sum(self.fallen.values()):5}  tried with workers, then run as the plain loop"
        yield from (f"    {count:5}  {text}" for text, count in self.fallen.most_common(SHOWN))
        yield f"  ran as plain loops {sum(self.refused.values()):5}"
        for code, count in self.refused.most_common():
            yield f"    {count:5}  {code}"
            yield from (f"      {times:5}  {text}" for text, times in self.examples[code].most_common(3))
        slow = sorted(self.slowest, reverse=True)[:3]
        yield "  slowest analyses: " + ", ".join(f"{seconds:.2f} s ({name}, cell {n})" for seconds, name, n in slow)
        yield f"  different          {len({(part.notebook, part.cell) for part in self.different}):5}  cells"
        for part in self.different[:SHOWN]:
            yield from told(part)


def told(part: Difference) -> Iterator[str]:
    """Yield the lines on one difference."""
    yield f"    {part.notebook}, cell {part.cell}: {part.what}{'' if part.first else ' (after another difference)'}"
    yield f"      plainly {part.plain.strip()}"
    yield f"      with {part.magic}: {part.other.strip()}"


def without_names(text: str) -> str:
    """Return a reason without the names, numbers and lines of one loop."""
    return re.sub(r"`[^`]*`|'[^']*'|\d+", "…", text)[:150]


def compare(path: Path, folder: Path, options: argparse.Namespace) -> Iterator[tuple[Asked, Run, list[Difference]]]:
    """Run one notebook plainly and with each magic; yields what each run gave."""
    cells, name = cells_of(path), str(path.relative_to(folder))
    marked = [n for n, source in enumerate(cells) if may_be_marked(source) and (options.every or loops_in(source))]
    place = os.path.relpath(path.parent, folder)
    asked = Asked(cells, marked, "", place, options.light, options.loader)
    if not marked:
        return
    plain, again = run(asked, folder, options.limit, options.whole), None
    for magic in options.magics.split(","):
        wanted = replace(asked, magic=f"%%parallel {magic.strip()}", cells=cells[: len(plain.left)])
        found = run(wanted, folder, LONGER * options.limit, LONGER * options.whole)
        different = list(differences(plain, plain, found, name, wanted))
        if different:
            again = again or run(replace(wanted, magic=""), folder, LONGER * options.limit, LONGER * options.whole)
            different = list(differences(plain, again, found, name, wanted))
        yield wanted, found, different


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(arguments)
    folder = options.folder.resolve()
    tallies: dict[str, Tally] = {}
    paths = [path for path in sorted(folder.rglob("*.ipynb")) if options.only in str(path.relative_to(folder))]
    for path in paths:
        if ".ipynb_checkpoints" in path.parts:
            continue
        name = str(path.relative_to(folder))
        try:
            for asked, found, different in compare(path, folder, options):
                tallies.setdefault(asked.magic, Tally(asked.magic)).add(name, asked, found, different)
                if options.verbose:
                    print(f"{name}: {asked.magic}, {len(found.left)} cells, {found.seconds:.0f} s", flush=True)
                    print("\n".join(line for part in different for line in told(part)), flush=True)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            print(f"{name} is no notebook: {error}")
    print("\n".join(line for tally in tallies.values() for line in tally.lines()))
    if options.save is not None:
        saved = [asdict(part) for tally in tallies.values() for part in tally.different]
        options.save.write_text(json.dumps(saved, indent=1), encoding="utf-8")
    return int(any(tally.different for tally in tallies.values()))


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of notebooks and what they read")
    parser.add_argument("--magics", default="-b threads -w 2,-b processes -w 2", help="options of the magic, by commas")
    parser.add_argument("--limit", type=float, default=60.0, help="CPU seconds of a cell, plainly")
    parser.add_argument("--whole", type=float, default=600.0, help="CPU seconds of a notebook, plainly")
    parser.add_argument("--only", default="", help="only notebooks with this in their path")
    parser.add_argument("--every", action="store_true", help="put the magic on cells without a loop, too")
    parser.add_argument("--light", action="store_true", help="take loops without a call that may take long, too")
    parser.add_argument("--loader", default="concompare:load_ipython_extension", help="module:name that gets the shell")
    parser.add_argument("--verbose", action="store_true", help="say what each notebook gave when it is done")
    parser.add_argument("--save", type=Path, help="a JSON file for all differences")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
