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
            made.writestr(f"part{k}.txt", f"line {k}\\nand {k * k}\\n")
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
other.close()
del other
### an archive that grows
z = packed("a")
for name in z.namelist():
    with z.open(name) as f:
        data = f.read()
    z.writestr("more " + name, str(count(data)))
found = {name: z.read(name) for name in z.namelist()}
z.close()
del f, z
### members that are written in place
z = packed("a")
for k in range(3):
    with z.open(f"new{k}", "w") as f:
        f.write(str(count("ab" * k)).encode())
found = {name: z.read(name) for name in z.namelist()}
z.close()
del f, z
""")


@pytest.mark.parametrize("cell", READ.values(), ids=READ)
def test_members_of_an_archive_are_read_in_workers(cell: str) -> None:
    ran = programs.in_workers(cell, ZIPPED, "threads")
    assert (ran.left.error is not None) == ("missing" in cell)


@pytest.mark.parametrize("cell", WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_into_an_archive_is_written_in_order(cell: str) -> None:
    programs.alike(cell, ZIPPED, "threads")


TARRED = (
    programs.SLOW
    + """
import gzip, io, json, os, pathlib, tarfile, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "text.txt").write_text("".join(f"line {k} of {k * k}\\n" for k in range(12)))
(folder / "data.bin").write_bytes(bytes(range(256)) * 4)
with gzip.open(folder / "text.gz", "wt") as made: made.write((folder / "text.txt").read_text())
for name, mode in [("plain.tar", "w"), ("packed.tar.gz", "w:gz"), ("packed.tar.bz2", "w:bz2")]:
    with tarfile.open(folder / name, mode) as made:
        for k in range(5):
            info = tarfile.TarInfo(f"part{k}.txt")
            info.size = 7 * k
            made.addfile(info, io.BytesIO(b"content" * k))
        info = tarfile.TarInfo("folder")
        info.type = tarfile.DIRTYPE
        made.addfile(info)
held = io.BytesIO((folder / "plain.tar").read_bytes())
del made, name, mode, info, k
def count(data):
    if len(data) == 21 and strict: raise ValueError("three of them")
    return slow(len(data))
strict, limit = False, slow(7)
out, found = [], {}
def state(tf): return len(tf.members), tf.offset, tf._loaded, tf.firstmember is None, tf.fileobj.tell()
"""
)
GONE = "\ntf = folder = held = None"
"""What two runs do not have in common."""
IN_FRONT = cells_of("""
### members that are all known
tf = tarfile.open(folder / "packed.tar.gz")
for member in tf.getmembers():
    if not member.isfile(): continue
    data = tf.extractfile(member).read()
    out.append((member.name, count(data)))
end = state(tf), member is tf.members[-1]
tf.close()
### by their names, until one fails
strict = True
tf = tarfile.open(folder / "plain.tar")
try:
    for name in tf.getnames():
        data = tf.extractfile(name).read()
        out.append(count(data))
except ValueError:
    end = state(tf)
    tf.close()
### until the loop is left
tf = tarfile.open(folder / "plain.tar")
for member in tf.getmembers():
    data = tf.extractfile(member).read(10)
    n = count(data)
    if n > limit: break
    found[member.name] = n
end = state(tf), member is tf.members[3]
tf.close()
### in the memory, in a comprehension
tf = tarfile.open(fileobj=io.BytesIO(held.getvalue()))
found = {member.name: count(tf.extractfile(member).read()) for member in tf.getmembers()[:-1]}
end = state(tf)
### opened by with, as they are found
with tarfile.open(folder / "plain.tar") as tf:
    for member in tf:
        if not member.isfile(): continue
        with tf.extractfile(member) as f:
            found[member.name] = count(f.read())
    end = state(tf), f.closed
del f
### read in two steps, until one fails
strict = True
tf = tarfile.open(folder / "packed.tar.gz")
try:
    for member in tf:
        with tf.extractfile(member) as f:
            first = f.read(2)
            rest = f.read()
            found[member.name] = first, count(first + rest)
except ValueError:
    end = state(tf), f.closed, member.name
tf.close()
del f
### only if there is something in them
tf = tarfile.open(folder / "plain.tar")
for member in tf:
    if (f := tf.extractfile(member)) is not None:
        out.append(count(f.read()))
end = state(tf), f
tf.close()
### a file that is kept
tf = tarfile.open(folder / "packed.tar.bz2")
for member in tf.getmembers()[:-1]:
    f = tf.extractfile(member)
    data = f.read(3)
    out.append(count(data))
end = state(tf), f.tell(), f.read()
f.close(); tf.close()
del f
### pieces of a file of bytes
with open(folder / "data.bin", "rb") as f:
    while data := f.read(100):
        out.append(count(data))
    end = f.tell()
del f
### lines in steps, until one fails
strict = True
f = open(folder / "text.txt")
f.readline()
try:
    while True:
        text = f.readline() + f.readline()
        if not text: break
        out.append(count(text[:21]))
except ValueError:
    end = f.tell()
f.close()
del f
### a header and what belongs to it
f = open(folder / "data.bin", "rb")
for k in range(6):
    size = f.read(1)[0] + 3
    data = f.read(size)
    out.append((size, count(data)))
end = f.tell()
f.close()
del f
### text that is compressed
f = gzip.open(folder / "text.gz", "rb")
while data := f.readline():
    out.append(count(data))
end = f.tell()
f.close()
del f
### text in the memory
f = io.StringIO((folder / "text.txt").read_text())
while (text := f.readline()) and len(out) < 9:
    out.append(count(text))
end = f.tell()
""")
IN_TAIL = cells_of("""
### a file that the loop writes to
f = open(folder / "text.txt")
while text := f.readline():
    n = count(text)
    if len(out) < 15:
        with open(folder / "text.txt", "a") as more: more.write(f"line {n}\\n")
    out.append(n)
f.close()
del f, more
### a file that is written to before it is read
f = open(folder / "text.txt")
f.seek(0, 2)
for k in range(4):
    with open(folder / "text.txt", "a") as more: more.write(f"line {k}\\n")
    text = f.read()
    out.append(count(text))
f.close()
del f, more
### a file that a function writes to
def note(n):
    with open(folder / "text.txt", "a") as more: more.write(f"line {n}\\n")
f = open(folder / "text.txt")
while len(out) < 20 and (text := f.readline()):
    n = count(text)
    note(n)
    out.append(n)
f.close()
del f
### members whose names are changed
tf = tarfile.open(folder / "plain.tar")
for member in tf.getmembers()[:-1]:
    data = tf.extractfile(member).read()
    member.name = f"{count(data)} {member.name}"
found = tf.getnames()
tf.close()
### a file in the memory with a name of its own
tf = tarfile.open(fileobj=held)
for member in tf.getmembers()[:-1]:
    data = tf.extractfile(member).read()
    out.append((held.tell(), count(data), held.tell()))
tf.close()
### the file of an archive that is walked
f = open(folder / "plain.tar", "rb")
tf = tarfile.open(fileobj=f)
for member in tf:
    out.append((count(member.name), f.tell()))
tf.close(); f.close()
del f
### an archive that is walked again and again
tf = tarfile.open(folder / "plain.tar")
for k in range(3):
    for member in tf:
        out.append((k, count(member.name), len(tf.members)))
        if len(out) == k * 2: break
end = state(tf)
tf.close()
### lines that end in their own ways
(folder / "text.txt").write_bytes(b"one\\r\\ntwo\\nthree\\rfour")
f = open(folder / "text.txt", newline="")
while data := f.readline():
    out.append((data, count(data)))
f.seek(0)
g = open(folder / "text.txt", newline="\\r")
while data := g.readline():
    out.append((data, count(data)))
f.close(); g.close()
del f, g
### a stream that cannot go back
tf = tarfile.open(folder / "packed.tar.gz", "r|gz")
for member in tf:
    if member.isfile():
        data = tf.extractfile(member).read()
        out.append(count(data))
tf.close()
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", IN_FRONT.values(), ids=IN_FRONT)
def test_what_reads_on_is_read_ahead_and_ends_where_the_plain_loop_ends(cell: str, how: str) -> None:
    programs.in_workers(cell + GONE, TARRED, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", IN_TAIL.values(), ids=IN_TAIL)
def test_what_may_change_while_it_is_read_is_read_in_order(cell: str, how: str) -> None:
    programs.alike(cell + GONE, TARRED, how)
