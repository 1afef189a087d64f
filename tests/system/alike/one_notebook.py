"""Run the cells of one notebook in a shell of this process, and report what each leaves.

    python -m tests.system.alike.one_notebook REQUEST.json

A report is one line of JSON on the standard output: one before each cell and one after.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.system.alike.forms import Forms, digest, states, without_addresses

OURS = ("In", "Out", "exit", "quit", "get_ipython", "open")
"""Names of the shell."""
LONGEST = 6000
"""Characters of a text that are reported beside its digest."""
PLACE = re.compile(r"(<ipython-input-\d+-[0-9a-f]+>|/\S*ipykernel_\d+/\d+\.py):\d+")


@dataclass(frozen=True)
class Asked:
    """What one process has to do.

    Attributes:
        cells: The cells' sources; `marked`: the numbers of those that get the magic.
        magic: Its line, or "" to run all cells plainly.
        folder: Where the notebook is.
        light: Whether loops that do little are lifted too, as in a cell of their own.
        loader: "module:name" of what gets the shell before the first cell.
    """

    cells: list[str]
    marked: list[int]
    magic: str
    folder: str
    light: bool = False
    loader: str = "concompare:load_ipython_extension"


class Noting:
    """What is noted of loops: those that ran in workers, with the note of the run, and those that did not."""

    def __init__(self) -> None:
        self.lifted: list[tuple[int, str]] = []
        self.refused: list[tuple[int, str, str]] = []
        self.said: list[str] = []
        self.slowest = 0.0

    def take(self) -> dict[str, Any]:
        """Return what was noted as JSON, and forget it."""
        found = dict(vars(self))
        self.__init__()  # type: ignore[misc]
        return found


NOTES = Noting()


def note_runs(*, light: bool) -> None:
    """Note what becomes of the loops under the magic from now on, and show nothing of it."""
    from concompare.cells import program
    from concompare.cells.replay import binding
    from concompare.ipython import magics
    from concompare.run import cell_runners

    hook, runner = program.Hook, cell_runners.Running
    lift, run, plainly, request_of = hook.lift, runner.run, runner.plainly, magics.ConcompareMagics.request_of

    def lifting(self: Any, *args: Any) -> Any:
        began = time.thread_time()
        try:
            return lift(self, *args)
        finally:
            NOTES.slowest = max(NOTES.slowest, time.thread_time() - began)

    def running(self: Any, task: Any, lifted: Any) -> None:
        run(self, task, lifted)
        NOTES.lifted.append((task.line, self.ran[-1].note))

    def refusing(self: Any, loop: Any, refusal: Any, play: Callable[[], Any]) -> Any:
        NOTES.refused.append((loop.line, "idle" if refusal.idle else str(refusal.code), str(refusal)))
        return plainly(self, loop, refusal, play)

    def asking(self: Any, *args: Any, **more: Any) -> Any:
        return replace(request_of(self, *args, **more), progress=None)

    replaced: list[tuple[Any, str, Any]] = [
        (hook, "lift", lifting),
        (runner, "run", running),
        (runner, "plainly", refusing),
        (magics.ConcompareMagics, "request_of", asking),
        (magics, "display", lambda shown, **how: NOTES.said.append(repr(shown))),
        (magics, "telling", lambda args: cell_runners.Telling(NOTES.said.append)),
    ]
    if light:
        replaced.append((binding, "is_light", lambda staged: False))
    for owner, name, new in replaced:
        setattr(owner, name, new)


def files_in(root: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of the files in a folder."""
    found = {}
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if name not in ("__pycache__", ".cache")]
        for name in files:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                facts = os.stat(path)
                found[os.path.relpath(path, root)] = facts.st_size, facts.st_mtime_ns
    return found


class Shell:
    """A shell, and what was seen of it so far."""

    def __init__(self, root: Path) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        class Quiet(InteractiveShell):
            def system(self, cmd: str) -> None:
                """Do nothing: what a notebook wants of the machine is not its business here."""

            def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> list[str]:
                """Return nothing."""
                return []

            def enable_gui(self, gui: str | None = None) -> None:
                """Let `%matplotlib inline` be."""

            def _showtraceback(self, *args: Any) -> None:
                """Show nothing: it would tell of the way that a cell ran."""

        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        self.shell: Any = Quiet.instance(config=config)
        for name in ("pip", "conda", "mamba", "uv", "system", "sx", "bash", "sh"):
            for kind in ("line", "cell"):
                self.shell.magics_manager.magics[kind][name] = lambda *args, **how: None
        self.root, self.files, self.names = root, files_in(root), dict[str, str]()

    def run(self, source: str) -> dict[str, Any]:
        """Run a cell and return what it left."""
        from IPython.utils.capture import capture_output

        with capture_output() as kept:
            result = self.shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        shown = []
        for output in kept.outputs:
            data = {kind: part for kind, part in output.data.items() if not kind.startswith("application/")}
            shown.append({kind: text_of(kind, part) for kind, part in sorted(data.items())})
        return {
            "stdout": brief(kept.stdout),
            "stderr": brief(PLACE.sub("<cell>", kept.stderr)),
            "shown": [{kind: brief(part) for kind, part in output.items()} for output in shown],
            "error": [] if error is None else error_form(error),
            "files": self.changed_files(),
            "states": states(),
            **self.changed_names(),
        }

    def changed_files(self) -> dict[str, str]:
        """Return digests of the files that were written."""
        now = files_in(self.root)
        changed = [name for name, facts in now.items() if self.files.get(name) != facts]
        gone = {name: "gone" for name in self.files if name not in now}
        self.files = now
        return {name: digest((self.root / name).read_bytes()) for name in changed} | gone

    def changed_names(self) -> dict[str, Any]:
        """Return the texts of the names that are new or others than before, and which are gone."""
        forms, found = Forms(), {}
        for name, value in sorted(self.shell.user_ns.items()):
            if name not in OURS and not re.fullmatch(r"_+|_(i|ii|iii|oh|dh|ih|\d+|i\d+)|__\w+__", name):
                found[name] = forms.of(value, name)
        before, self.names = self.names, {name: digest(text.encode("utf-8", "replace")) for name, text in found.items()}
        changed = {name: brief(text) for name, text in found.items() if before.get(name) != self.names[name]}
        return {"names": changed, "gone": [name for name in before if name not in found]}


def text_of(kind: str, part: Any) -> str:
    """Return what is shown as text; pictures as digests."""
    if isinstance(part, str) and not kind.startswith("image/"):
        return without_addresses(part)
    return digest(part if isinstance(part, bytes) else str(part).encode())


def brief(text: str) -> str:
    """Return a text, of a long one the beginning and a digest."""
    text = without_addresses(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… {digest(text.encode('utf-8', 'replace'))}"


def error_form(error: BaseException) -> list[Any]:
    """Return what an error is compared by.

    Where recursion ends depends on the frames above the cell, which are others with a magic, and so does what the
    function was doing then.
    """
    if isinstance(error, RecursionError):
        return [type(error).__name__]
    return [type(error).__name__, without_addresses(str(error)), lines_of(error)]


def lines_of(error: BaseException) -> list[str]:
    """Return the lines of the notebook's cells that an error went through, without the call of the magic.

    A comprehension has no frame of its own in some versions of Python, and none where its items went to workers.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipython-input" in frame.filename]
    lines = [frame.line or "" for frame in frames]
    lines = [line for line in lines if "get_ipython().run_cell_magic('parallel'" not in line]
    return [line for line, _ in itertools.groupby(lines)]


def prepare(asked: Asked) -> Shell:
    """Return a shell for a notebook, with the same random numbers every time."""
    os.environ.pop("PYTHONHASHSEED", None)  # the workers hash text in another way than this process, as anybody's do
    sys.path.insert(0, asked.folder)
    shell = Shell(Path.cwd())
    os.chdir(asked.folder)
    random.seed(1)
    if asked.magic:
        import importlib

        module, _, name = asked.loader.partition(":")
        getattr(importlib.import_module(module), name)(shell.shell)
        note_runs(light=asked.light)
    import numpy as np

    np.random.seed(1)
    return shell


def main() -> None:
    asked = Asked(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="surrogateescape")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    shell = prepare(asked)

    def report(**found: Any) -> None:
        print(json.dumps(found), file=out, flush=True)

    report(begins=-1)
    for number, source in enumerate(asked.cells):
        report(begins=number)
        magic = asked.magic if number in asked.marked else ""
        began = time.monotonic()
        left = shell.run(f"{magic}\n{source}" if magic else source)
        report(cell=number, left=left, seconds=time.monotonic() - began, notes=NOTES.take())
    report(done=True)
    out.close()
    if "concompare.engine" in sys.modules:
        sys.modules["concompare.engine"].close_pools()
    os._exit(0)  # what a notebook has left running is not waited for


__all__ = ["Asked", "asdict"]

if __name__ == "__main__":
    main()
