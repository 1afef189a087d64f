"""Results of runs in a file: the same cell, or the same call of `map`, takes them from there and computes the rest."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare.engine.resume import fingerprint
from concompare.engine.resume.journal import Entry, Journal
from concompare.engine.resume.recorder import Recorder
from concompare.errors import BadOption, NotResumed
from concompare.formats import count, one_line
from concompare.run.lost_changes import level_outside

if TYPE_CHECKING:
    from concompare.cells.task import Task

MOST_NAMED = 3
"""Names of what has changed that are said."""


class Resume:
    """The file of the runs of one cell, or of one call of `map`.

    What a run may take from it is told by the fingerprint of its function, with all that this refers to, and of each
    item. Results of other functions stay in the file, for the day that they come back.

    Args:
        path: The file, which need not be there.

    Attributes:
        say: Says a sentence; by default it is kept for `warn`.
        waiting: Those that are kept.
        had: The records in the file, and `before`: what it says of runs, by their keys.
        times: How many runs of each function there were now: their results may differ, as of random numbers.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path = Path(path).expanduser()
        except (TypeError, RuntimeError):
            raise BadOption(f"resume is {one_line(repr(path), 60)}: give the path of a file") from None
        if self.path.is_dir() or not self.path.parent.is_dir():
            wrong = f"there is no folder {self.path.parent}" if not self.path.is_dir() else "that is a folder"
            raise BadOption(f"resume is '{path}': {wrong}: give a file for the results, in a folder that is there")
        self.waiting: list[str] = []
        self.say: Callable[[str], object] = self.waiting.append
        self.journal: Journal | None = None
        self.had: dict[str, list[Entry]] = {}
        self.before: dict[str, dict[str, Any]] = {}
        self.times: dict[str, int] = {}

    def open(self) -> Journal:
        """Return the file, with what was in it sorted by the runs."""
        if self.journal is None:
            self.journal = Journal(self.path)
            for entry in self.journal.entries:
                self.had.setdefault(entry.head["key"], []).append(entry)
                if entry.head["kind"] == "run":
                    self.before[entry.head["key"]] = entry.head
        return self.journal

    def begin(self, task: Task, seed: int | None) -> Recorder:
        """Return what a task takes from the file, and adds to it.

        Raises:
            BadOption: The file, or this function, cannot be used.
        """
        journal = self.open()
        try:
            label = None if task.kind == "function" else "the loop"
            parts = fingerprint.of_function(task.function, label) | {"the seed": str(seed)}
        except Exception as error:
            why = f"{type(error).__name__}: {one_line(str(error), 100)}"
            raise BadOption(f"{self.path}: it cannot be told whether {task.name} changes ({why})") from None
        told, number = key_of(parts), sum(self.times.values())
        key = f"{told}-{self.times.get(told, 0)}"
        self.times[told] = self.times.get(told, 0) + 1
        recorder = Recorder(journal, key, task.function, changing=task.changing, entries=self.had.get(key, ()))
        if key not in self.before:
            self.say_what_changed(task.name, number, parts)
            recorder.append({"kind": "run", "key": key, "number": number, "name": task.name, "parts": parts})
        return recorder

    def say_what_changed(self, name: str, number: int, parts: Mapping[str, str]) -> None:
        """Say why nothing of the file is used, where it has results of this run in another version."""
        others = [head for head in self.before.values() if head["number"] == number]
        kept = [sum(entry.head.get("count", 0) for entry in self.had[head["key"]]) for head in others]
        if not any(kept):
            return
        changed = min((different(head["parts"], parts) for head in others), key=len)
        named = [f"`{part}`" if part.isidentifier() else part for part in changed[:MOST_NAMED]]
        more = [f"{len(changed) - MOST_NAMED} more"] if len(changed) > MOST_NAMED else []
        self.say(
            f"{self.path} keeps {count(sum(kept), 'result')} of another version of {name}, which this run does not use,"
            f" since {' and '.join([', '.join(named), *more])} changed. Delete the file if nobody needs them"
        )

    def end(self, recorder: Recorder) -> None:
        """Say what was not used, or not kept."""
        if recorder.differing:
            others = count(recorder.differing, "result")
            self.say(f"{self.path} keeps {others} of other items, which this run does not use")
        if recorder.problem:
            self.say(f"{self.path}: {recorder.problem}")

    def note(self, recorder: Recorder, total: int) -> str:
        """Return how much came from the file, or nothing."""
        return f"{recorder.used} of {count(total, 'result')} from {self.path}" if recorder.used else ""

    def warn(self) -> None:
        """Warn, in the caller's line, of what is not used or not kept."""
        for words in self.waiting:
            warnings.warn(NotResumed(words), stacklevel=level_outside())
        self.waiting.clear()

    def close(self) -> None:
        """Let others write the file."""
        if self.journal is not None:
            self.journal.close()
            self.journal = None


def different(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names of what differs."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def key_of(parts: Mapping[str, str]) -> str:
    """Return what tells a function from others, in one word."""
    return fingerprint.hashed(f"{name}={parts[name]}".encode() for name in sorted(parts)).hex()
