"""Run the tests with the newest versions of everything, and say for each that is newer than the lock how it went.

    python -m locks.newest ENVIRONMENT [PYTEST ARGUMENT...]

ENVIRONMENT is a new virtual environment. It gets the newest versions, of what pyproject.toml names itself pre-releases
too. Where tests fail in it, they run again with the locked versions, then with one direct dependency at a time newer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locks.install import ROOT, asked, entries, lock_of, plain

MOST_TRIED = 50
"""Failing tests that run again: with more of them, the first ones tell as much."""


@dataclass(frozen=True, slots=True)
class Newer:
    """A package whose newest version is not the locked one."""

    name: str
    locked: str
    newest: str
    direct: bool

    def __str__(self) -> str:
        return f"{self.name} {self.locked} -> {self.newest}"


def pip(python: str, *arguments: str) -> str:
    """Run pip of an environment and return what it printed."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def versions(python: str) -> dict[str, str]:
    """Return what is installed in an environment."""
    return {plain(found["name"]): found["version"] for found in json.loads(pip(python, "list", "--format=json"))}


def with_pre_releases(requirement: str) -> str:
    """Return a requirement that a pre-release meets too: one whose bound is itself a pre-release."""
    return re.sub(r">=([\d.]+)", r">=\1.dev0", requirement) if ">=" in requirement else f"{requirement}>=0.dev0"


def wanted(names: Sequence[str]) -> list[str]:
    """Return the direct requirements, as pyproject.toml has them, for these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    listed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    return listed + [requirement for name in names for requirement in extras[name]]


def install_newest(python: str) -> None:
    """Install the newest versions of what the tests need, and the project."""
    requirements = [with_pre_releases(requirement) for requirement in wanted(["test"])]
    pip(python, "install", "--quiet", "--upgrade", "--upgrade-strategy", "eager", *requirements)
    pip(python, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", os.fspath(ROOT))


def newer_than_locked(installed: dict[str, str], direct: set[str]) -> list[Newer]:
    """Return what differs from the lock of this Python, the direct dependencies first."""
    found = []
    lock = lock_of(f"{sys.version_info[0]}.{sys.version_info[1]}")
    for name, (text, _) in entries(lock.read_text(encoding="utf-8") if lock.exists() else "").items():
        locked = re.findall(r"^[^\s=]+==([^\s;]+)", text, re.MULTILINE)
        if name in installed and installed[name] not in locked:
            found.append(Newer(name, " or ".join(locked), installed[name], name in direct))
    return sorted(found, key=lambda newer: (not newer.direct, newer.name))


def failing(python: str, arguments: Sequence[str]) -> list[str] | None:
    """Run tests and return the names of those that fail; None where they could not be run at all."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
        ended = subprocess.run([*command, f"--junitxml={report}", *arguments], cwd=ROOT, check=False).returncode
        if not report.exists():
            return None if ended else []
        cases = ElementTree.parse(report).getroot().iter("testcase")
        failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
        found = [f"{case.get('file')}::{case.get('name')}" for case in failed if case.get("file")]
        return found if found or not ended else None


def install_only(python: str, newer: Newer) -> None:
    """Install the locked versions, and this one newer."""
    subprocess.run([python, "-m", "locks.install", "test"], cwd=ROOT, check=True)
    pip(python, "install", "--quiet", f"{newer.name}=={newer.newest}")


def tried_alone(python: str, newer: Newer, tests: Sequence[str]) -> str:
    """Say how the failing tests go with the locked versions and this one newer."""
    install_only(python, newer)
    failed = failing(python, tests)
    if failed is None:
        return "with it alone the tests cannot be run"
    if not failed:
        return "with it alone the tests that fail with everything newest pass"
    return f"FAILS: with it alone {len(failed)} of {len(tests)} fail: {failed[0]}"


def outcomes(python: str, found: Sequence[Newer], arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Run the tests with everything newest; return one line for each newer version, and whether all tests pass."""
    failed = failing(python, arguments)
    if failed == [] or not found:
        return [f"{newer}: the tests pass" for newer in found], failed == []
    if failed is None:
        return [f"{newer}: unknown, since the tests cannot be run with everything newest" for newer in found], False
    tests = failed[:MOST_TRIED]
    also = failing(sys.executable, tests)
    if also is None or len(also) == len(tests):
        return [f"{newer}: the tests that fail do so with the locked versions too" for newer in found], False
    tests = [test for test in tests if test not in also]
    indirect = f"not tried alone; {len(failed)} tests fail with everything newest: {tests[0]}"
    return [f"{newer}: {tried_alone(python, newer, tests) if newer.direct else indirect}" for newer in found], False


def main() -> int:
    python = os.fspath(Path(sys.argv[1], "bin", "python"))
    install_newest(python)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = newer_than_locked(versions(python), asked(project, ["test"]))
    lines, passed = outcomes(python, found, sys.argv[2:])
    print(f"== with the newest versions of everything the tests {'pass' if passed else 'FAIL'}")
    print("\n".join(lines) if lines else "nothing is newer than the lock")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
