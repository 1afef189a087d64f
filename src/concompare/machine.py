"""This machine and this Python, as far as they bear on running in parallel.

Not named `environment`: that is the public function, and an imported module of that name would hide it.
"""

from __future__ import annotations

import functools
import io
import math
import os
import re
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import ModuleType

from concompare.records import Environment, NativePool

ROOT = Path("/")
CPU_LIMITS = ("PYTHON_CPU_COUNT", "LOKY_MAX_CPU_COUNT")
"""Variables that limit the CPUs a Python program may count with (Python 3.13's own, and loky's)."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Variables that native thread pools read once, when their library is loaded."""
LEFT_BEHIND = "KMP_DUPLICATE_LIB_OK"
"""The variable that threadpoolctl sets when it is imported, which the cells that come after would see."""
OURS = ("concompare", "cloudpickle", "loky", "ipython", "ipykernel")
IMPORTED = ("numpy", "scipy", "pandas", "polars", "numba", "torch", "jax", "tensorflow", "scikit-learn", "dask", "ray")
MODULES = {"scikit-learn": "sklearn"}
GIL_WARNING = re.compile(r"\(GIL\) has been enabled to load module '([^']+)'")
"""What CPython warns of when an extension that needs the GIL is imported without it (Python/import.c)."""
KEPT = 1.0
"""Seconds for which a container's quota of CPUs is taken to stay as it was read."""
NO_LIMIT = 1 << 60
"""cgroup v1 writes "no memory limit" as a number about this large."""


def environment(root: Path = ROOT, variables: Mapping[str, str] = os.environ) -> Environment:
    """Describe this machine, this Python and this process as they are now.

    Args:
        root: Where the system's `/proc` and `/sys` are found.
        variables: The environment variables to go by.
    """
    import platform

    import psutil

    memory = psutil.virtual_memory()
    affinity, quota, limit, used = affinity_cpus(), cpu_quota(root), memory_limit(root), memory_used(root)
    facts = Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=system_name(),
        machine=platform.machine(),
        cpus=os.cpu_count() or 1,
        usable=least_cpus(os.cpu_count() or 1, affinity, quota, limit_set(variables)),
        affinity=affinity,
        quota=quota,
        physical=psutil.cpu_count(logical=False),
        processor=processor(root),
        memory=memory.total,
        memory_available=memory.available if limit is None else max(0, min(memory.available, limit - used)),
        memory_limit=limit,
        load=load_average(),
        gil=gil_state(),
        free_threaded_build=free_threaded(),
        start_methods=start_methods(),
        start_method=safe_start_method(),
        threads=threads_here(root),
        native_pools=native_pools(),
        variables=tuple((name, variables[name]) for name in (*THREAD_VARIABLES, *CPU_LIMITS) if name in variables),
        packages=packages(),
        untold=untold(root),
    )
    return with_hazards(facts)


def outline(usable: int) -> Environment:
    """Describe what the summary of a run goes by, its CPUs among it: the rest takes longer than many a run."""
    cpus = os.cpu_count() or 1
    return Environment("", "", platform="", machine="", cpus=cpus, usable=usable, gil=gil_state())


def usable_cpus(root: Path = ROOT, variables: Mapping[str, str] = os.environ) -> int:
    """Return how many CPUs this process may keep busy, at least 1: by affinity, container quota and variables."""
    quota = cpu_quota(root) if root != ROOT else recent_quota(int(time.monotonic() / KEPT))
    return least_cpus(os.cpu_count() or 1, affinity_cpus(), quota, limit_set(variables))


@functools.lru_cache(maxsize=1)
def recent_quota(moment: int) -> float | None:
    """Return the quota of this process, read anew at each moment: a run of short items asks a dozen times."""
    return cpu_quota(ROOT)


def least_cpus(cpus: int, affinity: int | None, quota: float | None, limit: int | None) -> int:
    """Return the least of these counts, a fraction of a CPU counted as one, and at least 1."""
    known = [cpus, affinity, None if quota is None else math.ceil(quota), limit]
    return max(1, min(count for count in known if count is not None))


def affinity_cpus() -> int | None:
    """Return how many CPUs this process may be scheduled on, or None where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    import psutil

    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None


def limit_set(variables: Mapping[str, str]) -> int | None:
    """Return the least CPU count that a variable asks for, or None. What is not a positive number is ignored."""
    counts = [int(variables[name]) for name in CPU_LIMITS if variables.get(name, "").isdecimal()]
    return min((count for count in counts if count > 0), default=None)


@dataclass(frozen=True)
class Mount:
    """One mounted cgroup hierarchy: where it is, and which of its groups is seen there."""

    point: Path
    top: str
    controllers: frozenset[str]
    unified: bool


def cgroup_mounts(root: Path, lines: Sequence[str]) -> list[Mount]:
    """Return the mounted cgroup hierarchies of a process, of the lines of its `mountinfo`."""
    mounts = []
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and len(kind) > 2 and kind[0] in ("cgroup", "cgroup2"):
            point = root / fields[4].lstrip("/")
            mounts.append(Mount(point, fields[3], frozenset(kind[2].split(",")), kind[0] == "cgroup2"))
    return mounts


def cgroup_folders(root: Path, controller: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folders whose limits hold for this process, its own group first, and whether each is of version 2.

    A limit may be set on the process's own group or on any group above it, so all of them are yielded.
    """
    yield from folders_in(root, controller, text_of(root, "proc/self/cgroup"))


@functools.lru_cache(maxsize=8)
def folders_in(root: Path, controller: str, memberships: str) -> tuple[tuple[Path, bool], ...]:
    """Return the same for the groups that the process is in now; where those are mounted does not change."""
    found: list[tuple[Path, bool]] = []
    groups: dict[str, str] = {}
    for line in memberships.splitlines():
        number, names, path = line.split(":", 2)
        groups |= dict.fromkeys(names.split(",") if number != "0" else [""], path)
    for mount in cgroup_mounts(root, lines_of(root, "proc/self/mountinfo")):
        held = "" if mount.unified else controller
        if held not in groups or not (mount.unified or controller in mount.controllers):
            continue
        inside = PurePosixPath(groups[held])
        # Seen from a container without its own cgroup namespace the path is the host's, the mount only the container's.
        below = inside.relative_to(mount.top) if inside.is_relative_to(mount.top) else PurePosixPath(*inside.parts[1:])
        parts = [] if ".." in below.parts else list(below.parts)
        depths = range(len(parts), -1, -1)
        found += [(mount.point.joinpath(*parts[:depth]), mount.unified) for depth in depths]
    return tuple(found)


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return the CPUs' worth of time that the container may use (cgroup v1 or v2), or None for no limit."""
    return min(limits_of(root, "cpu", quota_v1, quota_v2), default=None)


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the bytes of memory that the container may use (cgroup v1 or v2), or None for no limit."""
    least = min(limits_of(root, "memory", memory_v1, memory_v2), default=None)
    return None if least is None or least >= NO_LIMIT else int(least)


def memory_used(root: Path = ROOT) -> int:
    """Return the bytes that the container uses of its limit, but for files that the system would give up; 0 if unknown.

    The most of all groups above this process counts, since a limit may be set on any of them.
    """
    return int(max(limits_of(root, "memory", used_v1, used_v2), default=0))


def memory_room(root: Path = ROOT) -> tuple[int, int]:
    """Return the bytes of memory that there are for this process, by its container or the machine, and are left."""
    import psutil

    memory, limit = psutil.virtual_memory(), memory_limit(root)
    if limit is None or limit >= memory.total:
        return memory.total, memory.available
    return limit, max(0, min(memory.available, limit - memory_used(root)))


Reader = Callable[[Path], float | None]


def limits_of(root: Path, controller: str, version_1: Reader, version_2: Reader) -> Iterator[float]:
    """Yield every limit that holds for this process."""
    for folder, unified in cgroup_folders(root, controller):
        try:
            found = version_2(folder) if unified else version_1(folder)
        except (OSError, ValueError, IndexError, ZeroDivisionError):
            continue
        if found is not None and found > 0:
            yield found


def taken_away(root: Path = ROOT) -> float | None:
    """Return the CPU seconds so far that this process's machine could not give: to a hypervisor, or beyond its limit.

    The first is the steal of all CPUs, the second for how long groups of a container were throttled. None where the
    system tells neither.
    """
    fields = text_of(root, "proc/stat").split(maxsplit=9)
    found = [] if len(fields) < 9 or fields[0] != "cpu" else [int(fields[8]) / os.sysconf("SC_CLK_TCK")]
    found += limits_of(root, "cpu", throttled_v1, throttled_v2)
    return sum(found) if found else None


def throttled_v1(folder: Path) -> float | None:
    """Return the seconds for which a version 1 group was throttled."""
    return throttled(folder, "throttled_time", 1e9)


def throttled_v2(folder: Path) -> float | None:
    """Return the seconds for which a version 2 group was throttled."""
    return throttled(folder, "throttled_usec", 1e6)


def throttled(folder: Path, name: str, unit: float) -> float | None:
    """Return the seconds that a group's file says, of so many units each."""
    known = (line.split() for line in lines_of(folder, "cpu.stat"))
    return next((int(fields[1]) / unit for fields in known if fields[:1] == [name]), None)


def quota_v1(folder: Path) -> float | None:
    """Return the CPU quota of a version 1 group."""
    quota = int(text_of(folder, "cpu.cfs_quota_us"))
    return None if quota <= 0 else quota / int(text_of(folder, "cpu.cfs_period_us"))


def quota_v2(folder: Path) -> float | None:
    """Return the CPU quota of a version 2 group."""
    quota, period = text_of(folder, "cpu.max").split()
    return None if quota == "max" else int(quota) / int(period)


def memory_v1(folder: Path) -> float | None:
    """Return the memory limit of a version 1 group."""
    return int(text_of(folder, "memory.limit_in_bytes"))


def memory_v2(folder: Path) -> float | None:
    """Return the memory limit of a version 2 group."""
    limit = text_of(folder, "memory.max").strip()
    return None if limit == "max" else int(limit)


def used_v1(folder: Path) -> float | None:
    """Return the memory in use of a version 1 group."""
    return int(text_of(folder, "memory.usage_in_bytes")) - idle_files(folder, "total_inactive_file")


def used_v2(folder: Path) -> float | None:
    """Return the memory in use of a version 2 group."""
    return int(text_of(folder, "memory.current")) - idle_files(folder, "inactive_file")


def idle_files(folder: Path, name: str) -> int:
    """Return the bytes of files kept in memory that nobody uses: counted as in use, but given up when needed."""
    words = dict(line.split(" ", 1) for line in lines_of(folder, "memory.stat") if " " in line)
    return int(words.get(name, 0))


def text_of(folder: Path, name: str) -> str:
    """Return what a file of the system says, nothing where it is not there; every run asks some, so without buffers."""
    try:
        with io.FileIO(os.path.join(folder, name)) as file:
            return file.readall().decode("utf-8", "replace")
    except OSError:
        return ""


def lines_of(folder: Path, name: str) -> list[str]:
    """Return the lines of a file of the system, none where it is not there."""
    return text_of(folder, name).splitlines()


def processor(root: Path = ROOT) -> str:
    """Return the processor's name, as far as the system tells."""
    for line in lines_of(root, "proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    import platform

    return platform.processor()


def system_name() -> str:
    """Return the operating system and its version, without what a distributor added to it."""
    import platform

    return f"{platform.system()} {platform.release().partition('-')[0]}".strip()


def load_average() -> float | None:
    """Return how many processes wanted a CPU over the last minute, or None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


TOLD_BY = {"waiting": "proc/self/schedstat", "limits": "proc/self/cgroup", "sharing": "proc/self/smaps"}
"""The files that tell, by what they tell."""


def untold(root: Path = ROOT) -> tuple[str, ...]:
    """Return what this system does not tell, as `Environment.untold` names it."""
    missing = [what for what, file in TOLD_BY.items() if not os.path.exists(os.path.join(root, file))]
    return (*missing, *(() if hasattr(os, "getloadavg") else ("load",)))


def free_threaded() -> bool:
    """Tell whether this Python was built to run without the GIL."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_state() -> str:
    """Return "on", "off", or "re-enabled" where an import of a free-threaded Python switched it back on."""
    enabled: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    if not enabled:
        return "off"
    return "re-enabled" if free_threaded() else "on"


def gil_enabled_by(modules: Mapping[str, object] | None = None) -> str | None:
    """Return the module whose import switched the GIL of a free-threaded Python back on, or None if it left no trace.

    CPython warns of it, once, and notes the warning where the import came from: in some module's `__warningregistry__`.

    Args:
        modules: The modules to look through; those that are imported now by default.
    """
    for module in list((sys.modules if modules is None else modules).values()):
        for key in list(getattr(module, "__warningregistry__", None) or ()):
            found = GIL_WARNING.search(str(key[0])) if isinstance(key, tuple) and key else None
            if found is not None:
                return found[1]
    return None


def start_methods() -> tuple[str, ...]:
    """Return the ways in which processes can be started here."""
    import multiprocessing

    return tuple(multiprocessing.get_all_start_methods())


def safe_start_method() -> str:
    """Return the start method to use where threads run, as in every notebook kernel: never a copy of this process."""
    return "forkserver" if "forkserver" in start_methods() else "spawn"


def threads_here(root: Path = ROOT) -> int:
    """Return how many threads run in this process, those of native libraries included."""
    try:
        return len(list((root / "proc/self/task").iterdir()))
    except OSError:
        import psutil

        return int(psutil.Process().num_threads())


def native_limits() -> ModuleType:
    """Return threadpoolctl; the variable that it leaves in the environment when it is imported is taken out again."""
    known = "threadpoolctl" in sys.modules or LEFT_BEHIND in os.environ
    module = import_module("threadpoolctl")
    if not known:
        os.environ.pop(LEFT_BEHIND, None)
    return module


def native_pools() -> tuple[NativePool, ...]:
    """Return the BLAS and OpenMP thread pools that are loaded in this process."""
    found = native_limits().threadpool_info()
    return tuple(NativePool(pool["user_api"], pool["internal_api"], pool["num_threads"]) for pool in found)


def packages() -> tuple[tuple[str, str], ...]:
    """Return name and version of our own packages and of the large ones that are imported now."""
    from importlib.metadata import PackageNotFoundError

    names = [*OURS, *(name for name in IMPORTED if MODULES.get(name, name) in sys.modules)]
    found = []
    for name in names:
        try:
            found.append((name, version_of(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


@functools.cache
def version_of(package: str) -> str:
    """Return a package's version; reading it takes a millisecond."""
    from importlib.metadata import version

    return version(package)


def with_hazards(facts: Environment) -> Environment:
    """Return the same environment with its hazards, one sentence each."""
    return replace(facts, hazards=tuple(sentence for check in HAZARDS if (sentence := check(facts)) is not None))


def hazard_fork(facts: Environment) -> str | None:
    """Say why `fork` is not safe here."""
    if facts.threads < 2 or "fork" not in facts.start_methods:
        return None
    return (
        f"This process runs {facts.threads} threads: a forked worker gets one of them and every lock the others hold, "
        f"so `fork` can hang. `{facts.start_method}` is used unless you name `fork`."
    )


def hazard_quota(facts: Environment) -> str | None:
    """Say that the container is limited to less than its CPUs."""
    if facts.quota is None or facts.quota >= (facts.affinity or facts.cpus):
        return None
    return (
        f"The container may use {facts.quota:g} CPUs' worth of time of the {facts.affinity or facts.cpus} it sees: "
        f"more than {facts.usable} busy workers are throttled."
    )


def hazard_native(facts: Environment) -> str | None:
    """Say that native libraries bring threads of their own to every worker."""
    pools = [pool for pool in facts.native_pools if pool.threads > 1]
    if not pools or facts.usable < 2:
        return None
    most = max(pools, key=lambda pool: pool.threads)
    return (
        f"{most.library} runs {most.threads} threads of its own: a loop that uses it may keep {most.threads} CPUs busy "
        "already. Worker processes are started with their share of the CPUs for it; threads share what it has here."
    )


def hazard_gil(facts: Environment) -> str | None:
    """Say that an import switched the GIL back on."""
    if facts.gil != "re-enabled":
        return None
    return "An imported extension switched the GIL back on: threads of this free-threaded Python take turns."


def hazard_load(facts: Environment) -> str | None:
    """Say that the machine is busy with something else."""
    if facts.load is None or facts.load <= facts.cpus:
        return None
    return f"The machine is busy: {facts.load:.1f} processes want its {facts.cpus} CPUs. Expect noisy times."


def hazard_tracer(facts: Environment) -> str | None:
    """Say that a debugger or a coverage tool slows this process down, and not the workers."""
    if sys.gettrace() is None and sys.getprofile() is None:
        return None
    return "A debugger, profiler or coverage tool is active: it slows the plain loop and threads, but not processes."


HAZARDS: tuple[Callable[[Environment], str | None], ...] = (
    hazard_fork,
    hazard_quota,
    hazard_native,
    hazard_gil,
    hazard_load,
    hazard_tracer,
)
