"""Write the lock files: every version that the make targets install, with its hashes, for each supported Python.

    python -m locks.lock UV

UV is the command that resolves (https://docs.astral.sh/uv). It can do so for a Python that is not installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROJECT = FOLDER.parent / "pyproject.toml"
CLASSIFIER = "Programming Language :: Python :: 3."
ONLY = """
[tool.uv]
environments = ["python_version == '{version}' and sys_platform != 'emscripten'"]

[dependency-groups]
build = {build}
"""


def versions() -> list[str]:
    """Return the Pythons that pyproject.toml says are supported: ["3.11", ...]."""
    classifiers = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["classifiers"]
    return [said.rpartition(" ")[2] for said in classifiers if said.startswith(CLASSIFIER)]


def write(uv: str, version: str) -> None:
    """Resolve the newest versions of everything for one Python, on every platform, and write them down."""
    text = PROJECT.read_text(encoding="utf-8")
    build = tomllib.loads(text)["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        # uv reads which Pythons count, and what builds the project, only from a pyproject.toml.
        Path(folder, "pyproject.toml").write_text(text + ONLY.format(version=version, build=build), encoding="utf-8")
        command = [uv, "pip", "compile", "pyproject.toml", "--all-extras", "--group", "pyproject.toml:build"]
        command += ["--universal", "--python-version", version, "--python", sys.executable, "--no-python-downloads"]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
        command += ["--custom-compile-command", "make lock", "--output-file", f"python{version}.txt"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        lock = Path(folder, f"python{version}.txt").read_text(encoding="utf-8")
    (FOLDER / f"python{version}.txt").write_text(lock, encoding="utf-8")
    print(f"wrote {(FOLDER / f'python{version}.txt').relative_to(FOLDER.parent)}: {lock.count('==')} versions")


if __name__ == "__main__":
    for version in versions():
        write(sys.argv[1], version)
