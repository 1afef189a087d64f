"""Loops over the elements of an XML tree, which processes cannot change for the notebook."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = (
    programs.SLOW
    + """
import xml.etree.ElementTree as ET

root = ET.fromstring("<g>" + "".join(f"<t a='{k}'><n>{k}</n></t>" for k in range(6)) + "</g>")

def length(element):
    return slow(len(element.findtext("n"))) + int(element.get("a"))

def report():
    found = {element.get("a"): length(element) for element in root.findall("t")}
    for element in root.findall("t"):
        ET.SubElement(element, "d").text = str(found[element.get("a")])
    return ET.tostring(root)
"""
)
READING = {
    "loop": "r = []\nfor element in root:\n    r.append(length(element))",
    "found": 'r = {element.get("a"): length(element) for element in root.findall("t")}',
    "built": 'out = ET.Element("o")\nfor element in root:\n    made = ET.SubElement(out, "e", n=element.get("a"))\n'
    "    made.text = str(length(element))\nr = ET.tostring(out)\ndel out, made",
    "function": "r = report()\ndel root",
}
CHANGING = {
    "set": 'for element in root.findall("t"):\n    element.set("v", str(length(element)))\nr = ET.tostring(root)',
    "below": "for element in list(root):\n    made = ET.SubElement(element, 'd')\n"
    "    made.text = str(length(element))\nr = ET.tostring(root)\ndel made",
    "indented": "for element in list(root):\n    slow(1)\n    ET.indent(element)\nr = ET.tostring(root)",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", READING)
def test_what_reads_elements_runs_in_workers(name: str, how: str) -> None:
    ran = programs.alike(READING[name] + "\nelement = None", SETUP, how)
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGING)
def test_what_changes_elements_is_lost_nowhere(name: str, how: str) -> None:
    assert not programs.alike(CHANGING[name] + "\nelement = None", SETUP, how).cell.lifted
