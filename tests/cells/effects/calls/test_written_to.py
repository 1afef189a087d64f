"""What writes to a file or buffer of the notebook, that it was made with or is given, does so in order."""

from __future__ import annotations

import ast

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import configparser, contextlib, csv, gzip, io, json, logging, os
import plistlib, pprint, tarfile, wave, xml.sax.saxutils, zipfile

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


WRITERS = {
    "csv": ("io.StringIO()", "w = csv.writer(b, delimiter='|')\n    w.writerow([x])", "w.writerow(row)", ""),
    "archive": (
        "io.BytesIO()",
        "w = tarfile.open(fileobj=b, mode='w')",
        "w.addfile(tarfile.TarInfo(str(row)))",
        "w.close()",
    ),
    "sound": (
        "io.BytesIO()",
        "w = wave.open(b, 'wb'); w.setnchannels(1); w.setsampwidth(2); w.setframerate(8000)",
        "w.writeframes(bytes(2 * row[1]))",
        "w.close()",
    ),
    "printer": ("io.StringIO()", "w = pprint.PrettyPrinter(stream=b)", "w.pprint(row)", ""),
    "xml": ("io.StringIO()", "w = xml.sax.saxutils.XMLGenerator(b)", "w.characters(str(row))", ""),
    "config": ("io.StringIO()", "w = configparser.ConfigParser()", "w['a'] = {'b': str(row)}; w.write(b)", ""),
    "handler": (
        "io.StringIO()",
        "w = logging.StreamHandler(b)",
        "w.emit(logging.LogRecord('x', 20, 'p', 1, str(row), (), None))",
        "",
    ),
}
"""What is made around a buffer of the item's own, how, one step, and the end."""
CHANGERS = {
    **{name: parts for name, parts in WRITERS.items() if name != "sound"},  # which complains that it was never closed
    "packed": ("io.BytesIO()", "w = gzip.GzipFile(fileobj=b, mode='wb', mtime=0)", "w.write(bytes(row))", "w.close()"),
    "redirected": ("io.StringIO()", "w = contextlib.redirect_stdout(b)", "with w: print(row)", ""),
    "plain": ("io.StringIO()", "w = b", "w.write(str(row)); os.path.exists('/')", ""),
}
BREAKS = """
total, r = 0, {{}}
try:
    for x in xs:
        b = {0}
        {1}
        for row in steps(x):
            {2}
            total += row[1] if row[1] < 4 else None
        {3}
        r[x] = b.getvalue()
finally:
    left = b.getvalue()
"""
STEPS = """
def steps(x):
    yield slow(x), 1
    yield slow(x), x
    yield slow(x), 2
"""
READ_LATER = """
total, r = 0, {{}}
for x in xs:
    b = {0}
    {1}
    for row in [(slow(x), 1), (slow(x + 1), 2)]:
        {2}
        total += row[1]
    {3}
    r[x] = b.getvalue()
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", WRITERS)
def test_what_the_notebook_writes_to_an_item_s_own_buffer_is_read_after_that(name: str, how: str) -> None:
    different, ran = programs.compared(READ_LATER.format(*WRITERS[name]), SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGERS)
def test_an_error_leaves_what_the_item_has_written_until_then(name: str, how: str) -> None:
    cell = BREAKS.format(*(part.replace("\n    w", "; w") for part in CHANGERS[name]))
    different, ran = programs.compared(cell, SETUP + STEPS, how)
    assert different is None
    assert isinstance(ran.left.error, TypeError)


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_generator_that_is_walked_under_a_count_runs_in_workers(how: str) -> None:
    cell = READ_LATER.format(*WRITERS["csv"]).replace("[(slow(x), 1), (slow(x + 1), 2)]", "steps(x)")
    ran = programs.alike(cell, SETUP + STEPS, how)
    assert not [call for part in ran.cell.lifted for call in part.staged.stays if "steps" in ast.unparse(call)]


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
