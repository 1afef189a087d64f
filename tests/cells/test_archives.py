"""Loops over what is in archives: reading a member changes nothing that another item, or the user, could see."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

ZIPPED = (
    programs.SLOW
    + """
import csv, io, json, os, tempfile, zipfile
def packed(mode="r"):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for k in range(4):
            made.writestr(f"part{k}.txt", f"line {k}\\\\nand {k * k}\\\\n")
        made.mkdir("empty") if hasattr(made, "mkdir") else made.writestr("empty/", "")
    return zipfile.ZipFile(held, mode)
def count(text): return slow(len(text))
out, found, z = [], {}, packed()
"""
)
READ = cells_of("""
### a member by its name
for name in z.namelist():
    out.append((name, count(z.read(name))))
### a member as a file
for name in z.namelist():
    with z.open(name) as f:
        data = f.read()
    out.append(count(data))
del f
### line by line
for name in z.namelist():
    with z.open(name) as f:
        for line in f:
            found[name] = found.get(name, 0) + count(line)
del f
### as text, without the folders
for info in z.infolist():
    if info.is_dir():
        continue
    with z.open(info) as f:
        text = io.TextIOWrapper(f, "utf-8").read()
    found[info.filename] = (count(text), text)
del f, info
### as a table
for name in z.namelist():
    with z.open(name) as f:
        rows = list(csv.reader(io.TextIOWrapper(f), delimiter=" "))
    out.append(count(rows))
del f
### in a comprehension
found = {name: count(z.read(name)) for name in z.namelist() if name.endswith(".txt")}
### by a function of the cell
def text_of(name):
    with z.open(name) as f:
        return f.read().decode()
for name in sorted(z.namelist(), reverse=True):
    found[name] = count(text_of(name))
### opened by the loop's own with
with packed() as z:
    for name in z.namelist():
        out.append(count(z.read(name)))
### a name that is missing
for name in [*z.namelist(), "missing", "part1.txt"]:
    with z.open(name) as f:
        out.append(count(f.read()))
""")
WRITTEN = cells_of("""
### a copy in another archive
other = zipfile.ZipFile(io.BytesIO(), "w")
for name in z.namelist():
    data = z.read(name)
    other.writestr(name, str(count(data)))
found = {name: info.file_size for name, info in other.NameToInfo.items()}
del other
### an archive that grows
z = packed("a")
for name in z.namelist():
    with z.open(name) as f:
        data = f.read()
    z.writestr("more " + name, str(count(data)))
found = {name: z.read(name) for name in z.namelist()}
del f, z
### members that are written in place
z = packed("a")
for k in range(3):
    with z.open(f"new{k}", "w") as f:
        f.write(str(count("ab" * k)).encode())
found = {name: z.read(name) for name in z.namelist()}
del f, z
""")


@pytest.mark.parametrize("cell", READ.values(), ids=READ)
def test_members_of_an_archive_are_read_in_workers(cell: str) -> None:
    ran = programs.in_workers(cell, ZIPPED, "threads")
    assert (ran.left.error is not None) == ("missing" in cell)


@pytest.mark.parametrize("cell", WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_into_an_archive_is_written_in_order(cell: str) -> None:
    programs.alike(cell, ZIPPED, "threads")
