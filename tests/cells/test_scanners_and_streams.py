"""Scanners of patterns, which move on with every call, and streams that encode: no worker gives them back."""

from __future__ import annotations

import pytest

from tests.cells import programs

SCANNING = r"""
import re
scanner = re.compile(r"\d+").scanner("1 22 333 4444")
def slow(x): return sum(range(x + 5))
"""
TEXTS = ["1", "22", "333", "4444"]


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_scanner_goes_on_from_item_to_item(how: str) -> None:
    cell = "r = []\nfor x in range(4):\n    found = scanner.search()\n    r.append((slow(x), found.group()))\nr"
    ran = programs.run(cell, SCANNING, how)
    assert ran.left.error is None
    assert [text for _, text in ran.left.value] == TEXTS


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_scanner_that_each_item_makes_is_the_items_own(how: str) -> None:
    cell = (
        "r = []\nfor text in ['1 2', '30 4', '5 60']:\n    own = re.compile('[0-9]+').scanner(text)\n"
        "    r.append((slow(len(text)), own.search().group(), own.search().group()))\nr"
    )
    value = programs.in_workers(cell, SCANNING, how).left.value
    assert [(first, second) for _, first, second in value] == [("1", "2"), ("30", "4"), ("5", "60")]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("mode", ["'w', 'utf-8'", "'w'", "'wb', 'latin-1'"])
def test_an_encoding_file_that_is_kept_stays_with_the_notebook(mode: str, how: str) -> None:
    setup = (
        "import codecs, pathlib, tempfile\nfolder = tempfile.mkdtemp()\ndef slow(x): return str(sum(range(x + 3)))\n"
    )
    cell = (
        f"files = []\nfor x in range(3):\n    file = codecs.open(f'{{folder}}/{{x}}', {mode})\n"
        "    file.write(slow(x))\n    files.append(file)\n"
        "for file in files:\n    file.close()\n[pathlib.Path(folder, str(x)).read_text() for x in range(3)]"
    )
    ran = programs.run(cell, setup, how)
    assert ran.left.error is None
    assert ran.left.value == ["3", "6", "10"]
