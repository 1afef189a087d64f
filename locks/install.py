"""Install what the project needs in the versions that are locked for the Python that runs this, then the project.

    python -m locks.install [--without-project] [NAME...]

A NAME is an extra of pyproject.toml or a package of the lock. The part of the lock that they and the project need is
installed with its hashes; the project itself has none, so it is installed afterwards, editable, without looking for
dependencies.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
PARENT = re.compile(r"^    #(?: via|  ) ([a-z0-9-]+)(?: \(.*\))?$", re.MULTILINE)
"""A line of the lock that names what needs an entry, as `uv pip compile` writes it."""
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def lock_of(version: str) -> Path:
    """Return where the lock for a Python such as "3.11" is."""
    return FOLDER / f"python{version}.txt"


def plain(requirement: str) -> str:
    """Return the name in a requirement as it is compared: "Foo_Bar[x]>=1" is foo-bar."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found.group()).lower() if found else ""


def asked(project: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return the packages that the project needs itself, with these extras and these packages, and to be built."""
    extras = project["project"]["optional-dependencies"]
    always = project["project"]["dependencies"] + project["build-system"]["requires"]
    found = {plain(requirement) for requirement in always}
    for name in names:
        for requirement in extras.get(name, [name]):
            own = re.fullmatch(project["project"]["name"] + r"\[(.*)\]", requirement)
            found |= asked(project, own.group(1).split(",")) if own else {plain(requirement)}
    return found


def entries(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Return the lock's text for each package, with the names of the packages that need it."""
    found: dict[str, tuple[str, set[str]]] = {}
    for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]:
        name, parents = plain(entry), PARENT.findall(entry)
        before, those = found.get(name, ("", set()))  # more than once where platforms need other versions
        found[name] = (before + entry, those | set(parents))
    return found


def part(lock: str, names: Iterable[str]) -> str:
    """Return what the lock says about these packages and about all that they need."""
    found, needed = entries(lock), set(names)
    if unknown := needed - set(found):
        raise SystemExit(f"not locked: {', '.join(sorted(unknown))}: run `make lock`")
    while more := {name for name, (_, parents) in found.items() if name not in needed and parents & needed}:
        needed |= more
    return "".join(found[name][0] for name in found if name in needed)


def install(names: list[str], *, project: bool = True) -> None:
    """Install the locked part for these extras and packages and, unless told otherwise, the project."""
    lock = lock_of(f"{sys.version_info[0]}.{sys.version_info[1]}")
    wanted = asked(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")), names)
    if lock.exists():
        text = part(lock.read_text(encoding="utf-8"), wanted)
        how = ["--require-hashes", "--requirement"]
    else:
        print(f"NOT LOCKED: there is no {lock.name}, so the newest versions are installed", file=sys.stderr)
        text, how = "\n".join(sorted(wanted)), ["--upgrade", "--requirement"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text(text, encoding="utf-8")
        subprocess.run([*PIP, *how, os.fspath(file)], check=True)
    if project:
        subprocess.run([*PIP, "--no-deps", "--no-build-isolation", "--editable", os.fspath(ROOT)], check=True)


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--without-project"]
    try:
        install(names, project="--without-project" not in sys.argv)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
