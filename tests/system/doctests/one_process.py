"""Run the doctests of some files in this process, with or without decorated functions, and report each as JSON.

    python -m tests.system.doctests.one_process REQUEST.json

The reports go to the standard output of the process, one a line, a line before each doctest and one after; what the
doctests print by themselves does not.
"""

from __future__ import annotations

import contextlib
import doctest
import functools
import importlib
import inspect
import io
import json
import os
import re
import sys
import threading
import time
import types
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.system.doctests import decorating

FRAMES = re.compile(r"(?m)^(Traceback \(most recent call last\):\n)(?:[ \t].*\n)*")
"""The frames of a traceback: they name the lines of a decorator, which is not what is compared."""


@dataclass(frozen=True)
class Asked:
    """What one process has to do.

    Attributes:
        root: The folder that the modules are imported from; `folder`: of the functions that are decorated.
        files: Their paths below the root.
        skipped: Doctests that are left out: file and name.
        decorator: "" for none, "bare" for one that does nothing, else "module:name" of one that takes options.
        backend: Its option.
        light: Whether loops that do little are looked at too.
    """

    root: str
    folder: str
    files: list[str]
    skipped: list[list[str]]
    decorator: str = ""
    backend: str = "threads"
    light: bool = False


class Keeping(doctest.DocTestRunner):
    """Runs doctests and keeps what each example gave."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.given: list[str] = []

    def report_start(self, out: Any, test: doctest.DocTest, example: doctest.Example) -> None:
        pass

    def report_success(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self.given.append(FRAMES.sub(r"\1", got))

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self.given.append(FRAMES.sub(r"\1", got))

    def report_unexpected_exception(
        self, out: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
    ) -> None:
        self.given.append(f"raised {exc_info[0].__name__}: {exc_info[1]}")


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function with one that does nothing."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return looking_like(called, function)


def looking_like(called: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Let what is around a function look the same to decorators that make code from its parameters."""
    if called is not function and isinstance(called, types.FunctionType) and isinstance(function, types.FunctionType):
        called.__defaults__, called.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        called.__dict__["__signature__"] = inspect.signature(function)
    return called


def decorator_of(asked: Asked) -> decorating.Decorator:
    """Return the decorator that is asked for; what it cannot take stays as it is."""
    if asked.decorator == "bare":
        return bare
    module, _, name = asked.decorator.partition(":")
    made = getattr(importlib.import_module(module), name)(backend=asked.backend, workers=2)

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        from concompare.errors import BadOption

        try:
            return looking_like(made(function), function)
        except BadOption:
            return function

    return decorated


def name_of(file: str) -> str:
    """Return the name of the module of a file below the root."""
    return ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")


def tests_of(file: str) -> list[doctest.DocTest] | str:
    """Return the doctests of a file, or why it cannot be imported."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            module = importlib.import_module(name_of(file))
            found = doctest.DocTestFinder().find(module)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return [test for test in found if test.examples]


def run(test: doctest.DocTest) -> dict[str, Any]:
    """Run a doctest; returns what its examples gave."""
    runner, began = Keeping(), time.perf_counter()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            failed = runner.run(test, out=lambda text: None).failed
    except BaseException as error:  # `SystemExit` of an example, or what the finding did not see
        failed = 1
        runner.given.append(f"ended by {type(error).__name__}: {error}")
    return {"failed": failed, "given": runner.given, "seconds": time.perf_counter() - began}


def left_behind() -> dict[str, Any]:
    """Return threads and open files, after the pools were closed."""
    if "concompare.engine" in sys.modules:
        sys.modules["concompare.engine"].close_pools()
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join(5.0)
    threads = [thread.name for thread in threading.enumerate() if not thread.daemon][1:]
    files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    return {"threads": threads, "files": files}


def prepare(asked: Asked) -> Callable[[], dict[str, Any]]:
    """Make modules importable and functions decorated; returns what tells what became of the loops."""
    sys.path.insert(0, asked.root)
    # The workers hash text in another way than this process, as anybody's do.
    os.environ.pop("PYTHONHASHSEED", None)
    if asked.decorator:
        decorating.decorate(Path(asked.folder), decorator_of(asked))
    if asked.decorator in ("", "bare"):
        return dict
    from tests.system.doctests import noting

    noting.begin(light=asked.light)
    return noting.NOTES.take


def main() -> None:
    asked = Asked(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    notes = prepare(asked)

    def report(**found: Any) -> None:
        print(json.dumps(found), file=out, flush=True)

    for file in asked.files:
        report(file=file, begins="")
        tests = tests_of(file)
        if isinstance(tests, str):
            report(file=file, unimported=tests)
            continue
        for test in tests:
            if [file, test.name] not in asked.skipped:
                report(file=file, begins=test.name)
                report(file=file, name=test.name, sources=[part.source for part in test.examples], **run(test))
        report(file=file, done=True, **notes())
    report(left=left_behind())
    out.close()
    os._exit(0)  # what a doctest has left running is not waited for


__all__ = ["Asked", "asdict"]

if __name__ == "__main__":
    main()
