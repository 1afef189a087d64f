"""Make the page `threads-or-processes.md` from the numbers that notebook 02 was committed with.

python docs/answer.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
NOTEBOOK = HERE.parent / "demo_notebooks" / "02_threads_or_processes.ipynb"
TEMPLATE = HERE / "threads-or-processes.md.jinja"
PAGE = HERE / "threads-or-processes.md"
WORDS = ("Python", "load")
"""What the page says of the machine, on which none of its sentences rests."""
CELL = "measured"
"""The tag of the cell that prints the numbers, one a line: what it is, two or more blanks, the number."""


def numbers_of(notebook: Path = NOTEBOOK) -> dict[str, str]:
    """Return the numbers that the notebook printed, by what they are.

    Raises:
        LookupError: It was not run, or has no such cell.
    """
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if CELL in cell["metadata"].get("tags", ()):
            printed = "".join("".join(output.get("text", ())) for output in cell["outputs"])
            found = dict(re.findall(r"^(\S.*?) {2,}(\S.*)$", printed, re.M))
            if found:
                return found
    raise LookupError(f"{notebook.name} prints no numbers: make refresh-notebooks")


def first(number: str) -> float:
    """Return the number that a text begins with ("1.71× with 2")."""
    match = re.match(r"[\d.]+", number.replace(",", ""))
    if match is None:
        raise LookupError(f"{number!r} does not begin with a number")
    return float(match[0])


def untrue(numbers: dict[str, str]) -> list[str]:
    """Return the sentences of the page that these numbers do not bear out: the machine was busy, or is another kind."""

    def workers(what: str) -> int:
        return int(numbers[what].rpartition(" ")[2])

    value = {what: first(number) for what, number in numbers.items() if what not in WORDS}
    claims = {
        "processes are best for computing": value["computing in processes"] > 1.2 * value["computing in threads"],
        "threads are no worse than processes for waiting": value["waiting in threads"]
        > 0.9 * value["waiting in processes"],
        "more threads than CPUs help to wait": value["waiting in threads"] > value["CPUs"],
        "threads are best for hashing": value["hashing in threads"] > 1.2
        and workers("hashing in threads") > 1
        and value["hashing in threads"] > value["hashing in processes"],
        "threads take turns": value["a job in two threads"] > 1.3 * value["a job in two processes"],
        "a message of its own is dear": value["an item, 1 in a message"] > 10 * value["an item, 1000 in a message"],
        "threads share": value["counter after 8 calls in threads"] == 8,
        "processes have copies": value["counter after 8 calls in processes"] == 0,
        "a lock works in threads only": value["calls with a lock in threads"] > value["calls with a lock in processes"],
        "starting a process takes longer": value["starting a process"] > value["starting a thread"],
        "a pool of four runs four": value["most of 12 jobs at a time in 4 workers"] <= 4,
    }
    return [claim for claim, holds in claims.items() if not holds]


def page_of(numbers: dict[str, str]) -> str:
    """Return the page with these numbers."""
    from jinja2 import StrictUndefined, Template

    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    page: str = template.render(n=numbers)
    return page


def main() -> None:
    """Write the page, unless the numbers contradict it.

    Raises:
        SystemExit: They do.
    """
    numbers = numbers_of()
    if wrong := untrue(numbers):
        said = "; ".join(wrong)
        raise SystemExit(f"{NOTEBOOK.name} did not measure that {said}: run it again when nothing else runs")
    PAGE.write_text(page_of(numbers), encoding="utf-8")


if __name__ == "__main__":
    main()
