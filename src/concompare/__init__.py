"""Threads or processes, how many workers, and why not faster: answered for one notebook cell.

`%load_ext concompare` adds the magics `%%parallel` and `%%concompare`. For scripts: `map`, `parallel`, `compare`.
Importing this package imports nothing heavy, since every worker pays for it: the public names are loaded on use.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # `typing` takes longer to load than all else here
if TYPE_CHECKING:
    from typing import Any

    from concompare.api import compare, imap, last, load, map, parallel
    from concompare.engine import Failure
    from concompare.errors import (
        BackendNotInstalled,
        BackendUnavailable,
        BadOption,
        BadSyntax,
        CannotShip,
        CellRefused,
        ConcompareError,
        HiddenModule,
        Interrupted,
        ItemTimeout,
        LostChanges,
        LowMemory,
        NotResumed,
        ReportDamaged,
        UnknownBackend,
        WorkerDied,
    )
    from concompare.executors.async_pool import Pool
    from concompare.executors.futures_executor import Executor
    from concompare.executors.joblib_backend import register_joblib
    from concompare.machine import environment
    from concompare.report.report import Report
    from concompare.run.background.background_run import background
    from concompare.run.pandas_engine import pandas_engine

__version__ = "1.0.0rc1"

__all__ = [
    "BackendNotInstalled",
    "BackendUnavailable",
    "BadOption",
    "BadSyntax",
    "CannotShip",
    "CellRefused",
    "ConcompareError",
    "Executor",
    "Failure",
    "HiddenModule",
    "Interrupted",
    "ItemTimeout",
    "LostChanges",
    "LowMemory",
    "NotResumed",
    "Pool",
    "Report",
    "ReportDamaged",
    "UnknownBackend",
    "WorkerDied",
    "background",
    "compare",
    "environment",
    "imap",
    "last",
    "load",
    "map",
    "pandas_engine",
    "parallel",
    "register_joblib",
]

HOMES = {
    "Executor": "executors.futures_executor",
    "Failure": "engine",
    "Pool": "executors.async_pool",
    "Report": "report.report",
    "background": "run.background.background_run",
    "environment": "machine",
    "pandas_engine": "run.pandas_engine",
    "register_joblib": "executors.joblib_backend",
} | dict.fromkeys(("compare", "imap", "last", "load", "map", "parallel"), "api")
"""Where a public name lives; the exceptions live in `errors`."""


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'concompare' has no attribute {name!r}")
    from importlib import import_module

    if name in HOMES:
        from concompare.libraries import load_from_libraries

        load_from_libraries()
    value = globals()[name] = getattr(import_module(f"concompare.{HOMES.get(name, 'errors')}"), name)
    return value


def joblib_backend(**options: Any) -> Any:
    """Return joblib's backend "concompare", which is loaded when joblib first asks for it."""
    from concompare.executors.joblib_backend import JoblibBackend

    return JoblibBackend(**options)


def tell_joblib() -> None:
    """Let joblib know its backend "concompare" where joblib has been imported."""
    joblib = sys.modules.get("joblib")
    if joblib is not None and hasattr(joblib, "register_parallel_backend"):
        joblib.register_parallel_backend("concompare", joblib_backend)


tell_joblib()


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to a shell: `%load_ext concompare`."""
    from concompare.libraries import load_from_libraries

    load_from_libraries()
    from concompare.ipython.loading_ahead import load_when_idle
    from concompare.ipython.magics import ConcompareMagics

    tell_joblib()
    shell.register_magics(ConcompareMagics)
    load_when_idle(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics away and close the pools: `%unload_ext concompare`."""
    for kind, name in (("line", "parallel"), ("cell", "parallel"), ("line", "concompare"), ("cell", "concompare")):
        shell.magics_manager.magics[kind].pop(name, None)
    engine = sys.modules.get("concompare.engine")
    if engine is not None:
        engine.close_pools()
