"""Tell the user's own code from Python's and that of installed packages."""

from __future__ import annotations

import functools
import importlib.util
import os
import site
import sys
import sysconfig
from typing import Any

OURS = "concompare"
"""The package whose objects are never the user's own, from wherever it is imported."""


@functools.cache
def installed_folders() -> tuple[str, ...]:
    """Return the folders of the standard library and of installed packages."""
    paths = sysconfig.get_paths()
    found = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    # Those of another environment, which a `.pth` file or PYTHONPATH brings in, have the names of ours.
    texts = [path for path in sys.path if isinstance(path, str)]  # Python passes over what else people put there
    found |= {path for path in texts if os.path.basename(path) in ("site-packages", "dist-packages")}
    return tuple(found | set(site.getsitepackages()) | {site.getusersitepackages()})


def is_installed_file(path: str | None) -> bool:
    """Tell whether a file belongs to Python or to an installed package (not to the user's own code)."""
    return path is None or path.startswith(("<frozen", "<__array_function__")) or path.startswith(installed_folders())


@functools.cache
def is_user_module(name: str) -> bool:
    """Tell whether a module is the user's own: the notebook, or a local file."""
    if name == "__main__":
        return True
    if name.partition(".")[0] in (*sys.stdlib_module_names, OURS):
        return False
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if module is None:
        try:
            spec = importlib.util.find_spec(name.partition(".")[0])
        except (ImportError, ValueError):
            return True
        if spec is None:
            return True
        path = spec.origin
    return path is not None and not is_installed_file(path)


def is_own(thing: Any) -> bool:
    """Tell whether an object is of one of the user's classes, and has attributes."""
    return type(thing).__module__ == "__main__" and hasattr(thing, "__dict__")
