"""What writes to a file or buffer of the notebook, that it was made with or is given, does so in order."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import configparser, csv, io, json, plistlib, pprint, zipfile

xs = [3, 1, 4, 1, 5, 9]
out = []
buf, bb = io.StringIO(), io.BytesIO()
class W:
    def __init__(self): self.log = []
    def write(self, s): self.log.append(s)
w = W()
"""
)
SHARED = cells_of("""
### csv
for x in xs: csv.writer(buf).writerow([x, slow(x)])
text = buf.getvalue()
### csv function
def put(x): csv.DictWriter(buf, ["a"]).writerow({"a": slow(x)})
for x in xs: put(x)
text = buf.getvalue()
### own write
def put(x): csv.writer(w).writerow([slow(x)])
for x in xs: put(x)
### wrapper
def put(x):
    t = io.TextIOWrapper(bb); t.write(str(slow(x))); t.detach()
for x in xs: put(x)
text = bb.getvalue()
### zip
def put(n, x):
    with zipfile.ZipFile(bb, "a") as z: z.writestr(zipfile.ZipInfo("f%d" % n), str(slow(x)))
    return len(bb.getvalue())
r = [put(n, x) for n, x in enumerate(xs)]
### printer
pr = pprint.PrettyPrinter(stream=buf)
def put(x): pr.pprint([slow(x)])
for x in xs: put(x)
text = buf.getvalue()
### config
def put(x):
    c = configparser.ConfigParser(); c["a"] = {"x": str(slow(x))}; c.write(buf)
for x in xs: put(x)
text = buf.getvalue()
### plist
def put(x): plistlib.dump({"a": slow(x)}, bb)
for x in xs: put(x)
text = bb.getvalue()
### json
for x in xs: json.dump(slow(x), w)
""")
OWN = cells_of("""
### own buffers stay
def put(x):
    own = io.StringIO()
    csv.writer(own).writerow([x, slow(x)])
    return own.getvalue()
r = [put(x) for x in xs]
### own config stays
def put(x):
    own = io.StringIO()
    c = configparser.ConfigParser(); c["a"] = {"x": str(slow(x))}; c.write(own)
    return own.getvalue()
r = [put(x) for x in xs]
### shared parser reads
text = "a,b"
r = [(slow(x), list(csv.reader(io.StringIO(text)))) for x in xs]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", SHARED)
def test_what_several_items_write_to_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(SHARED[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_what_each_item_writes_to_its_own_stays_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
