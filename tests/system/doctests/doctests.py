"""Run the doctests of a folder with the loops of its functions on workers, and without, and compare what they give.

    python -m tests.system.doctests.doctests FOLDER [--backends threads,processes] [--limit 10] [--light]
        [--only PART] [--save FILE]

Every function and method of the folder's modules gets `@concompare.parallel`, by an import hook. What is expected is
what a plain run gives; doctests that fail there are set aside, and so are those that give something else in a second
run, whose functions have a decorator that does nothing. Each run is a process of its own, which is ended and started
again where a doctest takes longer than it may. Nothing is written into the folder by this; the doctests run in a
temporary one.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from concompare.cells.syntax import names
from tests.system.doctests.one_process import Asked, asdict

Key = tuple[str, str]
"""A doctest: file and name."""
LONGER = 6
"""So many times as long as plainly a doctest may take with workers."""
TO_BEGIN = 60.0
"""Seconds of computing that a process may take to begin."""
HANGING = 20
"""So many times as long as it may compute a process may take, however busy the machine is."""
NOTED = ("lifted", "plain", "refused", "slowest")
"""What is noted of loops."""
SHOWN = 10
"""Differences and slow loops that are printed; all are saved."""


@dataclass
class Run:
    """What one run over all files gave.

    Attributes:
        given: By doctest, what each example gave; `failed`: doctests with an example that did not give what it says.
        late: Doctests that were ended; `unimported`: files, with the reason.
        loops: For "lifted", "plain", "refused" and "slowest", what was noted of each loop.
        left: Threads that were left at the end of a process, and the most open files.
    """

    given: dict[Key, list[str]] = field(default_factory=dict)
    sources: dict[Key, list[str]] = field(default_factory=dict)
    failed: set[Key] = field(default_factory=set)
    late: set[Key] = field(default_factory=set)
    unimported: dict[str, str] = field(default_factory=dict)
    loops: dict[str, dict[tuple[Any, ...], Any]] = field(default_factory=lambda: {word: {} for word in NOTED})
    threads: Counter[str] = field(default_factory=Counter)
    files: int = 0
    seconds: float = 0.0

    def note(self, found: dict[str, Any]) -> None:
        """Take one report of a process."""
        if "name" in found:
            key = found["file"], found["name"]
            self.given[key], self.sources[key] = found["given"], found["sources"]
            if found["failed"]:
                self.failed.add(key)
        elif "unimported" in found:
            self.unimported[found["file"]] = found["unimported"]
        elif "left" in found:
            self.threads.update(found["left"]["threads"])
            self.files = max(self.files, found["left"]["files"])
        for word, kept in self.loops.items():
            for place, what in found.get(word, ()):
                kept[tuple(place)] = max(what, kept[tuple(place)]) if tuple(place) in kept else what


def run(asked: Asked, limit: float) -> Run:
    """Run doctests in processes of their own; each may compute for so many seconds."""
    made, began, waiting = Run(), time.monotonic(), list(asked.files)
    skipped = [list(key) for key in asked.skipped]
    while waiting:
        place = one_process(replace(asked, files=waiting, skipped=skipped), limit, made)
        if place is None:
            break
        file, name = place
        if name:
            made.late.add((file, name))
            skipped += [[file, name], *([file, done] for where, done in made.given if where == file)]
        else:
            made.unimported[file] = "takes too long or ends the process"
        waiting = waiting[waiting.index(file) + (not name) :]
    made.seconds = time.monotonic() - began
    return made


def one_process(asked: Asked, limit: float, made: Run) -> Key | None:
    """Run doctests in one process; returns the place where it had to be ended, or None."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        request = Path(folder, "request.json")
        request.write_text(json.dumps(asdict(asked)), encoding="utf-8")
        command = [sys.executable, "-m", "tests.system.doctests.one_process", str(request)]
        paths = os.pathsep.join([str(Path.cwd()), str(Path.cwd() / "src"), os.environ.get("PYTHONPATH", "")])
        surroundings = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "1", "MPLBACKEND": "agg"}
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, "cwd": folder}
        process = subprocess.Popen(command, env=surroundings, start_new_session=True, **options)
        place: Key = ("", "")
        try:
            for found in reports(process, limit):
                made.note(found)
                if "begins" in found:
                    place = found["file"], found["begins"]
                if "left" in found:
                    return None
        finally:
            end(process)
    if not place[0]:
        raise RuntimeError("the process that runs the doctests did not begin")
    return place


def reports(process: subprocess.Popen[bytes], limit: float) -> Iterator[dict[str, Any]]:
    """Yield the reports of a process until it ends or takes too long for one of them."""
    assert process.stdout is not None
    rest, patience = b"", max(limit, TO_BEGIN)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        since, computed = time.monotonic(), 0.0
        while True:
            if not selector.select(0.5):
                waited = time.monotonic() - since
                if waited > patience and (computing(process.pid) - computed > patience or waited > HANGING * patience):
                    return
                continue
            got = os.read(process.stdout.fileno(), 1 << 16)
            if not got:
                return
            patience, since, computed = limit, time.monotonic(), computing(process.pid)
            *lines, rest = (rest + got).split(b"\n")
            yield from map(json.loads, lines)


def computing(number: int) -> float:
    """Return the seconds of computing of a process and of those that it has started: the machine may be busy."""
    seconds = 0.0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(number)
        for part in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = part.cpu_times()
                seconds += times.user + times.system
    return seconds


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


# ----------------------------------------------------------------------------------------------------- what it all says


@dataclass
class Found:
    """What a run with workers gave, beside the plain ones."""

    backend: str
    plain: Run
    lifted: Run
    compared: list[Key]

    @property
    def different(self) -> list[Key]:
        """Doctests that gave something else."""
        return [key for key in self.compared if key not in self.late and self.given(key) != self.plain.given[key]]

    @property
    def late(self) -> list[Key]:
        """Doctests that were ended."""
        return [key for key in self.compared if key in self.lifted.late]

    def given(self, key: Key) -> list[str]:
        """Return what a doctest gave with workers."""
        file = key[0]
        return self.lifted.given.get(key, [f"not found: {self.lifted.unimported.get(file, 'no such doctest')}"])

    def difference(self, key: Key) -> dict[str, str]:
        """Return the first example that differs."""
        expected, given = self.plain.given[key], self.given(key)
        pairs = zip(expected, given, strict=False)
        place = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(expected), len(given)))
        parts = [part[place] if place < len(part) else "nothing" for part in (self.plain.sources[key], expected, given)]
        return dict(zip(("example", "expected", "given"), parts, strict=True), file=key[0], name=key[1])

    def lines(self, loops: int) -> Iterator[str]:
        """Yield what is printed."""
        noted = self.lifted.loops
        refused = {place: why for place, why in noted["refused"].items() if place not in noted["lifted"]}
        plain = {place: why for place, why in noted["plain"].items() if place not in noted["lifted"]}
        refused = {place: why for place, why in refused.items() if place not in plain}
        reached = len(noted["lifted"]) + len(plain) + len(refused)
        yield f"{self.backend}: {len(self.compared)} doctests, {loops} loops, {reached} of them with work and reached"
        share = 100 * len(noted["lifted"]) / reached if reached else 0
        runs = sum(noted["lifted"].values())
        yield f"  lifted     {len(noted['lifted']):5}  {share:.0f} % of those reached, {runs} runs"
        yield f"  given back {len(plain):5}  tried with workers, then run as the plain loop"
        for text, count in Counter(without_names(why) for why in plain.values()).most_common(SHOWN):
            yield f"    {count:5}  {text}"
        yield f"  refused    {len(refused):5}"
        for code, count in Counter(code for code, _ in refused.values()).most_common():
            text = Counter(without_names(why) for kind, why in refused.values() if kind == code).most_common(1)[0][0]
            yield f"    {count:5}  {code}: {text}"
        yield f"  too slow   {len(self.late):5}"
        yield from (f"    {file}: {name}" for file, name in self.late[:SHOWN])
        yield f"  different  {len(self.different):5}"
        for found in map(self.difference, self.different[:SHOWN]):
            yield f"    {found['file']}: {found['name']}"
            yield from (f"      {word:8} {found[word].strip()[:500]}" for word in ("example", "expected", "given"))
        slowest = sorted(noted["slowest"].items(), key=lambda pair: -pair[1])[:3]
        yield "  slowest analyses: " + ", ".join(f"{s:.2f} s ({Path(f).name}:{line})" for (f, line, _), s in slowest)
        threads = self.lifted.threads - self.plain.threads
        files = f"{self.lifted.files}, plainly {self.plain.files}"
        yield f"  left at the end: threads {dict(threads) or 'none'}, open files {files}"


def without_names(text: str) -> str:
    """Return a reason without the names, numbers and lines of one loop."""
    return re.sub(r"`[^`]*`|'[^']*'|\d+", "…", text)[:110]


def root_of(folder: Path) -> Path:
    """Return the folder that modules of a folder are imported from."""
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def loops_in(path: Path) -> int:
    """Return the number of loops and comprehensions in the functions of a file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return 0
    inside = {id(part): part for node in ast.walk(tree) if isinstance(node, names.FUNCTIONS) for part in ast.walk(node)}
    kinds = (ast.For, ast.While, *names.COMPREHENSIONS)
    return sum(isinstance(part, kinds) for part in inside.values())


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(arguments)
    folder = options.folder.resolve()
    root = root_of(folder)
    found = (path for path in sorted(folder.rglob("*.py")) if options.only in str(path.relative_to(folder)))
    paths = [path for path in found if ">>> " in path.read_text(encoding="utf-8", errors="replace")]
    files = [path.relative_to(root).as_posix() for path in paths]
    asked = Asked(str(root), str(folder), files, [], light=options.light)
    plain = run(asked, options.limit)
    asked = replace(asked, skipped=[list(key) for key in plain.late])
    again = run(replace(asked, decorator="bare"), options.limit)
    steady = [key for key, given in plain.given.items() if again.given.get(key) == given]
    compared = [key for key in steady if key not in plain.failed]
    print(f"{len(paths)} files, {len(plain.unimported)} that cannot be imported")
    for text, count in Counter(map(without_names, plain.unimported.values())).most_common(SHOWN):
        print(f"  {count:5}  {text}")
    print(f"{len(plain.given) + len(plain.late)} doctests, of which set aside: {len(plain.failed)} that fail plainly,")
    print(f"  {len(plain.late)} that take longer than {options.limit:g} s, {len(plain.given) - len(steady)} unsteady")
    loops, results = sum(map(loops_in, paths)), []
    for backend in options.backends.split(","):
        # Those that fail run too: they leave something to the others.
        wanted = replace(asked, decorator=options.decorator, backend=backend)
        results.append(Found(backend, plain, run(wanted, LONGER * options.limit), compared))
        print("\n".join(results[-1].lines(loops)))
        print(f"  took {results[-1].lifted.seconds:.0f} s, plainly {plain.seconds:.0f} s", flush=True)
    if options.save is not None:
        options.save.write_text(json.dumps([saved(part) for part in results], indent=1), encoding="utf-8")
    return int(any(part.different for part in results))


def saved(found: Found) -> dict[str, Any]:
    """Return everything that a run with workers gave, as JSON."""
    loops = {word: [[*place, what] for place, what in kept.items()] for word, kept in found.lifted.loops.items()}
    different = [found.difference(key) for key in found.different]
    return {"backend": found.backend, "different": different, "late": found.late, "loops": loops}


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of Python files")
    parser.add_argument("--backends", default="threads,processes", help="where the loops run")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds that a doctest may compute plainly")
    parser.add_argument("--only", default="", help="only files with this in their path")
    parser.add_argument("--light", action="store_true", help="take loops without a call that may take long, too")
    parser.add_argument("--decorator", default="concompare:parallel", help="module:name of what takes the options")
    parser.add_argument("--save", type=Path, help="a JSON file for all differences and loops")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
