"""Programs that tests start and that end with them, also where the tests are killed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

LAUNCHER = """
import ctypes, subprocess, sys, psutil
try:
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what a child leaves behind becomes a child of this one
except (AttributeError, OSError):
    pass
subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
sys.stdin.read()
for member in psutil.Process().children(recursive=True):
    try:
        member.kill()
    except psutil.Error:
        pass
"""
"""Starts a program, and kills it with all that it started when nobody holds the other end of its input any more."""


def launch(command: list[str], log: Any, **options: Any) -> subprocess.Popen[bytes]:
    """Start a program that ends at `end`, or with this process, however that ends."""
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
        **options,
    )


def end(launched: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    launched.communicate(timeout=500)
