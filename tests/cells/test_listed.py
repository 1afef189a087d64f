# ruff: noqa: E501
"""Loops over groups, folders and rows of a file: items that the walk itself holds on to."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
import csv, io, itertools, os, tempfile
from collections import Counter
from itertools import groupby
words = ["apple", "ant", "bee", "bear", "cat", "dog", "deer", "eel"]
out, table, calls = [], {}, []
def f(key, part):
    return key, len(part), part[0]
def strict(key, part):
    if key == "c":
        raise ValueError(key)
    return f(key, part)
def first(word):
    return word[0]
def noted(word):
    calls.append(word)
    return word[0]
def picky(word):
    if word == "deer":
        raise KeyError(word)
    return word[0]
def size(path):
    with open(path) as lines:
        return len(lines.read())
def tree():
    root = tempfile.mkdtemp()
    for folder in "ba":
        os.makedirs(os.path.join(root, folder, "x"))
        for name in ("n.txt", "m.txt", "k.log"):
            with open(os.path.join(root, folder, name), "w") as made:
                made.write(name * (2 if folder == "b" else 3))
    return root
text = "id,age\\n" + "\\n".join(f"{k},{20 + k}" for k in range(6)) + "\\n7,8,9,10\\n11\\n"
"""


def ran(cell: str, how: str) -> programs.Ran:
    return programs.alike(cell, SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for key, part in groupby(words, key=first):\n    table[key] = f(key, list(part))\nkey, type(part).__name__, list(part)",
        "for key, part in itertools.groupby(words, lambda w: w[0]):\n    names = sorted(part, key=len)\n    out.append(f(key, names))",
        "made = [f(key, [w.upper() for w in part]) for key, part in groupby(words, first)]",
        "made = {key: f(key, ''.join(part)) for key, part in groupby('aaabbc')}",
        "for key, part in groupby(words, first):\n    rows = []\n    for word in part:\n        rows.append(word)\n    out.append(f(key, rows))\nnext(part, None), word",
        "for n, (key, part) in enumerate([(k, list(g)) for k, g in groupby(words, first)]):\n    out.append((n, f(key, part)))",
        "try:\n    for key, part in groupby(words, first):\n        out.append(strict(key, list(part)))\nexcept ValueError:\n    pass\nkey, list(part)",
        "for key, part in groupby([1.0, 1, 2, 2.0, float('nan')]):\n    out.append((key, f(key, [*map(repr, list(part))])))",
    ],
)
def test_groups_are_shared_out(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert found.cell.lifted, found.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for key, part in groupby(words, first):\n    whole = list(part)\n    out.append((f(key, whole), list(part)))",
        "for key, part in groupby(words, first):\n    out.append(part)\n    table[key] = f(key, key)\n[list(part) for part in out]",
        "for key, part in groupby(words, first):\n    whole = list(part)\n    out.append(f(key, whole))\n    if key == 'b':\n        break\nlist(part)",
        "for key, part in groupby(words, noted):\n    out.append(f(key, list(part)))\n    calls.append(key)\ncalls",
        "try:\n    for key, part in groupby(words, picky):\n        print(key)\n        out.append(f(key, list(part)))\nexcept KeyError as e:\n    out.append(e.args)\nkey, list(part)",
        "def list(part):\n    return sum(1 for _ in part), next(part, None)\nfor key, part in groupby(words, first):\n    out.append((key, list(part)))",
        "for key, part in groupby(words, first):\n    for turn in range(2):\n        out.append((key, [*part], f(key, key)))",
        "it = iter(words)\nfor key, part in groupby(it, first):\n    out.append(f(key, list(part)))\n    out.append(next(it, None))",
    ],
)
def test_groups_that_are_used_otherwise_stay_as_they_are(cell: str, how: str) -> None:
    assert all(part.again is None for part in ran(cell, how).cell.lifted)


WALKED = [
    "for folder, dirs, files in os.walk(root):\n    dirs.sort()\n    for name in sorted(files):\n        if name.endswith('.txt'):\n            table[os.path.relpath(folder, root), name] = size(os.path.join(folder, name))",
    "for folder, dirs, files in os.walk(root):\n    dirs[:] = sorted(d for d in dirs if d != 'x')\n    n = len(dirs)\n    for name in sorted(files):\n        out.append((n, size(os.path.join(folder, name))))\nlen(files), dirs",
    "made = sorted(size(os.path.join(folder, name)) for folder, _, files in os.walk(root) for name in files)",
]
OTHERWISE = [
    "for folder, dirs, files in os.walk(root):\n    dirs.sort()\n    for name in sorted(files):\n        out.append(size(os.path.join(folder, name)))\n        os.remove(os.path.join(folder, name))",
    "for folder, dirs, files in os.walk(root):\n    for name in sorted(files):\n        out.append(size(os.path.join(folder, name)))\n    del dirs[:]",
    "for folder, dirs, files in os.walk(root):\n    dirs.sort()\n    with open(os.path.join(folder, 'new'), 'w') as made:\n        made.write(str(len(files)))\n    out.append(len(os.listdir(folder)))",
]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", [*WALKED, *OTHERWISE])
def test_folders(cell: str, how: str) -> None:
    found = ran(f"root = tree()\n{cell}\ndel root\nfolder = path = made_ = None\ntable, out", how)
    assert found.cell.lifted or cell in OTHERWISE, found.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for row in csv.DictReader(io.StringIO(text)):\n    row['n'] = f(row['id'], [row['age']])\n    row.pop('age')\n    out.append(row)",
        "for row in csv.DictReader(io.StringIO(text), restkey='more', restval='none'):\n    row['n'] = f(row['id'], [row['age']])\n    table.setdefault(row['age'], []).append(row)",
        "for row in csv.DictReader(io.StringIO(text), restval=out):\n    row['n'] = f(row['id'], [row['age']])\n    row['age'] = [row['age']]\n    calls.append(row)\ncalls[-1]['age'][0] is out",
        "for row in csv.reader(io.StringIO(text)):\n    row.append(f(row[0], row))\n    out.append(row)",
        "out = [f(row['id'], list(row)) for row in csv.DictReader(io.StringIO(text))]",
    ],
)
def test_rows_that_a_file_gives_may_be_changed(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert found.cell.lifted or "restval=out" in cell, found.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for key, part in groupby(words, lambda w: len(w) + len(out)):\n    out.append(f(key, list(part)))",
        "for key, part in groupby(words, lambda w: len(w) + len(out)):\n    grow(list(part))",
        "for key, part in groupby(words, lambda w: len(w) % table.get('n', 2)):\n    table['n'] = 2 + f(key, list(part))[1]",
        "n = 2\nfor key, part in groupby(words, lambda w: len(w) % n):\n    n = 2 + f(key, list(part))[1]",
        "for key, part in groupby(words, len):\n    out.append(f(key, list(part)))\n    if len(words) < 12: words.append('a')",
    ],
)
def test_groups_that_go_by_what_the_loop_changes_are_found_in_turn(cell: str, how: str) -> None:
    found = programs.alike(cell, SETUP + "\ndef grow(part):\n    out.append(f(0, part))", how)
    assert not found.cell.lifted
    assert found.reasons
