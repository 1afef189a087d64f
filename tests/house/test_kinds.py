"""Nothing is decided by a backend's name, nor by what a message says: kinds, traits and codes decide."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.house.test_layers import MODULES, name_of, room_of, tree_of

WORDS = re.compile(r"[a-z]{2,}[,:;]? [a-z]")
"""What English text has in it: a blank between two words."""

LOOKING = ("startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "find", "index")
"""Methods of text that look for a part of it."""

PARTS = {"message", "reason", "problem", "summary", "advice", "difference", "words", "note"}
"""Attributes that hold a message."""


@cache
def constants() -> dict[str, str]:
    """Return the texts that constants of the modules hold, by name; not of names that hold something else elsewhere."""
    found: dict[str, str] = {}
    others: set[str] = set()
    for node in (node for path in MODULES for node in tree_of(path).body if isinstance(node, ast.Assign)):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found |= dict.fromkeys(names, node.value.value)
        else:
            others |= set(names)
    return {name: text for name, text in found.items() if name not in others}


def texts_in(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    """Yield the texts that an expression is made of, written there or held by a constant of the module."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and part.id in known:
            yield known[part.id]
        elif isinstance(part, ast.Attribute) and part.attr in known:
            yield known[part.attr]


def sides(node: ast.AST) -> list[ast.expr]:
    """Return what a comparison, a look into a text or a match compares; nothing for other nodes."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in LOOKING:
            return [node.func.value, *node.args]
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
            return list(node.args[:2])
    return []


def is_message(node: ast.expr) -> bool:
    """Tell whether an expression is an error as text, or the text of a message."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "repr"):
        given = ast.unparse(node.args[0]) if node.args else ""
        return given in ("error", "problem", "refusal", "reason", "exc", "differs", "failure")
    return isinstance(node, ast.Attribute) and node.attr in PARTS


def english(source: ast.AST, known: dict[str, str]) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, source and texts of what looks into English text."""
    for node in ast.walk(source):
        compared = sides(node)
        if not compared:
            continue
        texts = [text for side in compared for text in texts_in(side, known) if WORDS.search(text)]
        fixed = [side for side in compared if isinstance(side, (ast.Constant, ast.JoinedStr, ast.Name, ast.Tuple))]
        told = any(map(is_message, compared)) and any(text for side in fixed for text in texts_in(side, known))
        if texts or told:
            yield node.lineno, ast.unparse(node), texts  # type: ignore[attr-defined]


FOREIGN = {
    ("backends.interpreters", "module (\\S+) does not support loading in subinterpreters"),
    ("interrupts", "<frozen importlib"),
    ("ipython.source", "<cell line"),
    ("machine", "\\(GIL\\) has been enabled to load module '([^']+)'"),
    ("machine", "model name"),
    ("worker.state_watch", "<frozen importlib"),
}
"""Texts of Python, IPython and Linux which say something that they say in no other way."""

OWN = {
    ("engine.item_errors", "concompare: raised by item "),
    ("errors", "concompare: raised by item "),
    ("report.report", "concompare report"),
    ("report.view.finding_pages", "## What it means\n"),
}
"""Marks in what we write ourselves and read again: the note on an exception, a saved report, a page of the docs."""

CHECKED = [path for path in MODULES if room_of(path) != "testing"]


@pytest.mark.slow
def test_nothing_is_decided_by_comparing_english_text() -> None:
    found, used = [], set()
    for name, path in ((name_of(path), path) for path in CHECKED):
        for line, source, texts in english(tree_of(path), constants()):
            mine = {(name, text) for text in texts}
            used |= mine
            if not mine <= FOREIGN | OWN or not texts:
                found.append(f"{name}:{line}: {source}")
    assert found == [], "give what is decided a kind or a code"
    assert used == FOREIGN | OWN, "what may compare text still does"


@pytest.mark.parametrize(
    "source",
    [
        "if 'cannot be sent' in str(error): pass",
        "if text.startswith('the result cannot be sent back'): pass",
        "if 'killed' in str(problem): pass",
        "if trial.problem == 'killed': pass",
        "if trial.difference.endswith(f': {ROUNDED}'): pass",
        "if SAID in words: pass",
        "if re.match('raised by item', note): pass",
    ],
)
def test_a_decision_by_english_text_is_seen(source: str) -> None:
    assert [line for line, _, _ in english(ast.parse(source), {"SAID": "not installed", "ROUNDED": "rounding"})] == [1]


@pytest.mark.parametrize(
    "source",
    [
        "if kind == 'need-function': pass",
        "if name.startswith('_'): pass",
        "if refusal.code == Why.NOTHING: pass",
        "said = f'{name} is not installed'",
        "if 'x' in row: pass",
    ],
)
def test_a_decision_by_a_kind_is_none_by_english_text(source: str) -> None:
    assert list(english(ast.parse(source), {})) == []


# ----------------------------------------------------------------------------------------------------- backends' names


def is_name_of_backend(node: ast.expr) -> bool:
    """Tell whether an expression is a backend's name, as the code calls it."""
    if isinstance(node, ast.Attribute):
        holder = ast.unparse(node.value)
        return node.attr == "backend" or (node.attr == "name" and holder.rpartition(".")[2] in ("backend", "arm"))
    return isinstance(node, ast.Name) and node.id == "backend"


def is_fixed(node: ast.expr) -> bool:
    """Tell whether an expression is a text or constant, or several."""
    if isinstance(node, (ast.Tuple, ast.Set, ast.List)):
        return bool(node.elts) and all(is_fixed(part) for part in node.elts)
    if isinstance(node, ast.Attribute):
        return node.attr.isupper()
    return (isinstance(node, ast.Constant) and isinstance(node.value, str)) or (
        isinstance(node, ast.Name) and node.id.isupper()
    )


def by_name(source: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and source of what is decided by a backend's name, or by what a backend happens to have."""
    for node in ast.walk(source):
        found = False
        if isinstance(node, ast.Compare):
            compared = [] if isinstance(node.ops[0], (ast.Is, ast.IsNot)) else [node.left, *node.comparators]
            found = any(map(is_name_of_backend, compared)) and any(map(is_fixed, compared))
        elif isinstance(node, ast.Subscript):
            found = is_fixed(node.value) and is_name_of_backend(node.slice)
        elif isinstance(node, ast.Call) and node.args:
            given = node.args[0]
            if isinstance(node.func, ast.Attribute):
                looks = node.func.attr in (*LOOKING, "get")
                found = looks and is_fixed(node.func.value) and is_name_of_backend(given)
                found |= node.func.attr in LOOKING and is_name_of_backend(node.func.value)
            elif isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
                found = ast.unparse(given).rpartition(".")[2] == "backend"
        if found:
            yield node.lineno, ast.unparse(node)  # type: ignore[attr-defined]


HOLDERS = ("backends", "cells")
"""Rooms that are left out: the backends' own, and one where the word means what joblib calls so."""

NAMING = {
    "analysis.pick": ["self.backend == PLAIN"],
    "executors.opening": ["backend == 'auto'"],
    "records": ["self.backend == AS_WRITTEN"],
    "report.older": ["trial.backend.partition(MARK)"],
    "report.palette": ["LOOKS.get(backend)"],
}
"""What a name decides: the choice of `auto`, which is one, the cell's own code, reports that have no kinds, colours."""


def test_nothing_is_decided_by_a_backends_name() -> None:
    checked = [path for path in MODULES if room_of(path) not in HOLDERS]
    found = {name_of(path): [source for _, source in by_name(tree_of(path))] for path in checked}
    assert {name: sources for name, sources in found.items() if sources} == NAMING, "declare it as a backend's trait"


@pytest.mark.parametrize(
    "source",
    [
        "if backend.name == 'fork': pass",
        "if pool.backend.name in ('mp-pool', 'loky'): pass",
        "if trial.backend in THREADS: pass",
        "if backend not in evidence.PROCESSES: pass",
        "noun = NOUNS.get(trial.backend)",
        "rank = CHEAPER.index(trial.backend)",
        "kind = KINDS[backend]",
        "if trial.backend.startswith('thread'): pass",
        "workers = getattr(backend, 'capacity', usable)()",
        "if hasattr(self.pool.backend, 'executor'): pass",
    ],
)
def test_a_decision_by_a_backends_name_is_seen(source: str) -> None:
    assert [line for line, _ in by_name(ast.parse(source))] == [1]


@pytest.mark.parametrize(
    "source", ["if trial.backend == other.backend: pass", "if trial.plain: pass", "shown = look_of(trial.backend)"]
)
def test_other_uses_of_a_backends_name_are_none(source: str) -> None:
    assert list(by_name(ast.parse(source))) == []
