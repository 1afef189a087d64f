"""Whose a function, class or module is: the user's, or Python's and installed."""

from __future__ import annotations

import os
import sys
from types import FunctionType, ModuleType
from typing import Any


def is_own(thing: Any) -> bool:
    """Return whether a function, class or module is the user's own, not Python's and not installed."""
    if isinstance(thing, FunctionType):
        file: Any = thing.__code__.co_filename
    elif isinstance(thing, (type, ModuleType)):
        name = thing.__module__ if isinstance(thing, type) else thing.__name__
        if name == "__main__":  # whatever runs the script or the notebook
            return True
        if name.partition(".")[0] in sys.stdlib_module_names:
            return False
        file = getattr(sys.modules.get(name), "__file__", None) or ""
    else:
        return thing is not None
    parts = str(file).replace("\\", "/").split("/")
    installed = "site-packages" in parts or "dist-packages" in parts
    return not installed and not str(file).startswith(NOT_THEIRS)


OURS = os.path.dirname(os.path.dirname(is_own.__code__.co_filename))  # a worker may have this as source only
NOT_THEIRS = (os.path.dirname(os.__file__), OURS, "<frozen")
"""Where the standard library and concompare lie."""
