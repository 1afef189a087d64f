"""What installed functions give is known by its type, so that methods of it are no riddle and it need not be sent."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import bz2, collections, contextlib, hashlib, hmac, os, tempfile, zlib
import numpy as np
texts = ["the cat sat", "a dog ran", "birds", "cats and dogs"]


def made(kind):
    return getattr(collections, kind)()
"""
)
CELLS = cells_of("""
### a hash object
sums = {}
for text in texts:
    h = hashlib.sha256()
    for word in text.split():
        h.update(word.encode())
    sums[text] = h.hexdigest()
### one by the name of its algorithm
sums = []
for text in texts:
    h = hashlib.new("md5", text.encode())
    h.update(b"!")
    sums.append((slow(len(text)), h.copy().digest()))
### one with a key
sums = []
for text in texts:
    h = hmac.new(b"key", digestmod="sha1")
    h.update(text.encode())
    sums.append((slow(len(text)), h.hexdigest()))
### one that a function makes
def hashed(text, kind="sha512"):
    h = hashlib.new(kind)
    h.update(text.encode())
    return h.hexdigest()
sums = {text: hashed(text) for text in texts}
### something with a method that weak dictionaries have too
sums = []
for text in texts:
    h = made("Counter")
    h.update(text.split())
    sums.append((slow(len(text)), h.most_common(1)))
### an array that is sorted
rows = []
for text in texts:
    a = np.full(4, slow(len(text)))
    a[0] = -1
    a.sort()
    rows.append(a.max())
### parts of an array
parts = []
for text in texts:
    halves = np.array_split(np.arange(slow(len(text))), 2)
    halves.reverse()
    parts.append([float(half.sum()) for half in halves])
### compressed piece by piece
sizes = []
for text in texts:
    z = zlib.compressobj()
    data = z.compress(text.encode()) + z.flush()
    sizes.append((slow(len(text)), data))
### unpacked, and packed otherwise
sizes = []
for data in [zlib.compress(text.encode()) for text in texts]:
    z, other = zlib.decompressobj(), bz2.BZ2Compressor()
    text = z.decompress(data) + z.flush()
    sizes.append((slow(len(text)), other.compress(text) + other.flush()))
### a file for the time of an item
sizes = []
for text in texts:
    with tempfile.NamedTemporaryFile("w+") as f:
        f.write(text * slow(1))
        f.seek(0)
        sizes.append(len(f.read()))
del f
### one without a name
sizes = []
for text in texts:
    with tempfile.TemporaryFile("w+") as f:
        f.write(text * slow(1))
        sizes.append(f.tell())
del f
### output that nobody sees
sizes = []
for text in texts:
    with open(os.devnull, "w") as f, contextlib.redirect_stdout(f):
        print("noise")
        size = slow(len(text))
    sizes.append(size)
### a set of two
both = []
for text in texts:
    s = set(text.split()).union(["cat"])
    s.discard("dog")
    both.append((slow(len(s)), sorted(s)))
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_cells_run_in_workers_and_leave_what_the_plain_cell_leaves(name: str, how: str) -> None:
    ran = programs.alike(CELLS[name], SETUP, how)
    assert ran.cell.lifted, ran.reasons
