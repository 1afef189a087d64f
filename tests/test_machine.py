"""What is found out about the machine, from made-up systems and from this one."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from concompare import machine
from concompare.records import Environment, NativePool

V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = """\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"""


def system(root: Path, mounts: str, groups: str, files: dict[str, str]) -> Path:
    """Write a made-up /proc and /sys."""
    written = {"proc/self/mountinfo": mounts, "proc/self/cgroup": groups} | files
    for name, text in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_quota_of_version_2_is_read_from_the_root_of_the_container(tmp_path: Path) -> None:
    root = system(tmp_path, V2, "0::/", {"sys/fs/cgroup/cpu.max": "150000 100000"})
    assert machine.cpu_quota(root) == 1.5


def test_quota_of_version_2_without_a_limit(tmp_path: Path) -> None:
    root = system(tmp_path, V2, "0::/", {"sys/fs/cgroup/cpu.max": "max 100000", "sys/fs/cgroup/memory.max": "max"})
    assert machine.cpu_quota(root) is None
    assert machine.memory_limit(root) is None


def test_quota_of_a_nested_group_is_found(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/user.slice/job-7.scope/cpu.max": "200000 100000",
        "sys/fs/cgroup/user.slice/cpu.max": "max 100000",
    }
    root = system(tmp_path, V2, "0::/user.slice/job-7.scope", files)
    assert machine.cpu_quota(root) == 2.0


def test_the_tightest_group_above_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/batch/job/cpu.max": "800000 100000",
        "sys/fs/cgroup/batch/cpu.max": "300000 100000",
        "sys/fs/cgroup/batch/memory.max": "1073741824",
    }
    root = system(tmp_path, V2, "0::/batch/job", files)
    assert machine.cpu_quota(root) == 3.0
    assert machine.memory_limit(root) == 1 << 30


def test_quota_of_version_1(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct/docker/abc"
    files = {
        f"{folder}/cpu.cfs_quota_us": "250000",
        f"{folder}/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "536870912",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    }
    root = system(tmp_path, V1, "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/", files)
    assert machine.cpu_quota(root) == 2.5
    assert machine.memory_limit(root) == 1 << 29


def test_version_1_writes_no_limit_as_a_huge_number(tmp_path: Path) -> None:
    root = system(tmp_path, V1, "4:memory:/", {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"})
    assert machine.memory_limit(root) is None


def test_a_container_that_sees_the_path_of_its_host(tmp_path: Path) -> None:
    mounts = "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"
    files = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}
    root = system(tmp_path, mounts, "5:cpu:/docker/abc", files)
    assert machine.cpu_quota(root) == 0.5


def test_a_path_outside_the_namespace_falls_back_to_the_mounted_root(tmp_path: Path) -> None:
    root = system(tmp_path, V2, "0::/../../other", {"sys/fs/cgroup/cpu.max": "400000 100000"})
    assert machine.cpu_quota(root) == 4.0


def test_damaged_files_are_no_limit(tmp_path: Path) -> None:
    root = system(tmp_path, V2, "0::/", {"sys/fs/cgroup/cpu.max": "nonsense"})
    assert machine.cpu_quota(root) is None


def test_a_system_without_cgroups(tmp_path: Path) -> None:
    assert machine.cpu_quota(tmp_path) is None
    assert machine.memory_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("cpus", "affinity", "quota", "limit", "usable"),
    [
        (8, None, None, None, 8),
        (8, 4, None, None, 4),
        (8, 4, 2.5, None, 3),
        (8, 8, 0.2, None, 1),
        (8, 8, 6.0, 2, 2),
        (4, 4, 16.0, 32, 4),
    ],
)
def test_usable_is_the_least_and_at_least_one(
    cpus: int, affinity: int | None, quota: float | None, limit: int | None, usable: int
) -> None:
    assert machine.least_cpus(cpus, affinity, quota, limit) == usable


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({}, None),
        ({"LOKY_MAX_CPU_COUNT": "3"}, 3),
        ({"LOKY_MAX_CPU_COUNT": "3", "PYTHON_CPU_COUNT": "2"}, 2),
        ({"PYTHON_CPU_COUNT": "default"}, None),
        ({"PYTHON_CPU_COUNT": "0"}, None),
    ],
)
def test_variables_limit_the_cpus(variables: dict[str, str], limit: int | None) -> None:
    assert machine.limit_set(variables) == limit


def test_usable_cpus_respects_quota_and_variables(tmp_path: Path) -> None:
    root = system(tmp_path, V2, "0::/", {"sys/fs/cgroup/cpu.max": "50000 100000"})
    assert machine.usable_cpus(root) == 1
    assert machine.usable_cpus(tmp_path / "nothing", {"LOKY_MAX_CPU_COUNT": "1"}) == 1


def test_without_the_systems_own_call_the_affinity_is_psutils(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        def cpu_affinity(self) -> list[int]:
            return [0, 3, 5]

    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(psutil, "Process", Process)
    assert machine.affinity_cpus() == 3
    monkeypatch.delattr(Process, "cpu_affinity")  # as on macOS
    assert machine.affinity_cpus() is None


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="this system tells no load")
def test_what_a_system_does_not_tell_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.0, 1.0, 1.0), raising=False)
    assert machine.untold(tmp_path) == ("waiting", "limits", "sharing")
    for name in machine.TOLD_BY.values():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert machine.untold(tmp_path) == ()
    monkeypatch.delattr(os, "getloadavg")
    assert machine.untold(tmp_path) == ("load",)
    assert machine.environment(tmp_path).untold == ("load",)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_affinity_is_this_process_s() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine.affinity_cpus() == 1
        assert machine.usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_threads_of_native_libraries_are_counted(tmp_path: Path) -> None:
    for name in ("100", "101", "102"):
        (tmp_path / "proc/self/task" / name).mkdir(parents=True)
    assert machine.threads_here(tmp_path) == 3
    assert machine.threads_here(tmp_path / "elsewhere") >= 1


def test_this_machine() -> None:
    here = machine.environment()
    assert 1 <= here.usable <= here.cpus
    assert here.start_method in here.start_methods
    assert here.start_method != "fork"
    assert here.python == ".".join(map(str, sys.version_info[:3]))
    assert here.memory is not None
    assert here.memory > 1 << 28
    assert dict(here.packages)["concompare"]
    assert here.gil in ("on", "off", "re-enabled")


def test_variables_that_set_threads_are_listed(tmp_path: Path) -> None:
    found = machine.environment(tmp_path, {"OMP_NUM_THREADS": "1", "HOME": "/root"})
    assert found.variables == (("OMP_NUM_THREADS", "1"),)


CALM = Environment(
    python="3.13.0",
    implementation="CPython",
    platform="Linux",
    machine="x86_64",
    cpus=8,
    usable=8,
    affinity=8,
    load=0.5,
    start_methods=("fork", "spawn", "forkserver"),
    start_method="forkserver",
)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (replace(CALM, threads=13), "This process runs 13 threads"),
        (replace(CALM, quota=1.5, usable=2), "The container may use 1.5 CPUs' worth of time of the 8 it sees"),
        (replace(CALM, native_pools=(NativePool("blas", "openblas", 8),)), "openblas runs 8 threads of its own"),
        (replace(CALM, gil="re-enabled"), "switched the GIL back on"),
        (replace(CALM, load=11.25), "The machine is busy: 11.2 processes want its 8 CPUs"),
    ],
)
def test_a_hazard_is_named(facts: Environment, sentence: str) -> None:
    assert any(sentence in hazard for hazard in machine.with_hazards(facts).hazards)
    assert not any(sentence in hazard for hazard in machine.with_hazards(CALM).hazards)


def test_a_tracer_is_a_hazard() -> None:
    assert sys.gettrace() is None, "run the tests without a tracer"
    sys.settrace(lambda *_: None)
    try:
        assert any("coverage tool is active" in hazard for hazard in machine.with_hazards(CALM).hazards)
    finally:
        sys.settrace(None)


def test_the_module_that_switched_the_gil_on_is_read_from_the_warning_python_left() -> None:
    importer, other = ModuleType("importer"), ModuleType("other")
    text = "The global interpreter lock (GIL) has been enabled to load module 'a.b', which has not declared that it can"
    importer.__warningregistry__ = {"version": 3, (text, RuntimeWarning, 488): True}  # type: ignore[attr-defined]
    other.__warningregistry__ = {("old is deprecated", DeprecationWarning, 1): True}  # type: ignore[attr-defined]
    assert machine.gil_enabled_by({"other": other, "importer": importer}) == "a.b"
    assert machine.gil_enabled_by({"other": other}) is None
    assert machine.gil_enabled_by({"json": None}) is None


def test_what_the_container_uses_already_is_not_available(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/memory.max": str(4 << 30),
        "sys/fs/cgroup/memory.current": str(3 << 30),
        "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {1 << 30}\nactive_file 5\n",
    }
    root = system(tmp_path, V2, "0::/", files)
    assert machine.memory_used(root) == 2 << 30
    assert machine.environment(root, {}).memory_available == 2 << 30
    (root / "sys/fs/cgroup/memory.max").write_text("max")
    assert machine.environment(root, {}).memory_available is not None


def test_what_an_old_container_uses_is_read_too(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": str(4 << 30),
        "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": str(3 << 30),
        "sys/fs/cgroup/memory/docker/abc/memory.stat": f"inactive_file 7\ntotal_inactive_file {2 << 30}\n",
    }
    assert machine.memory_used(system(tmp_path, V1, "4:memory:/docker/abc", files)) == 1 << 30
    assert machine.memory_used(system(tmp_path / "bare", V1, "1:name=systemd:/", {})) == 0


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="a system without /proc")
def test_what_a_hypervisor_and_the_container_s_limit_took_is_told_in_cpu_seconds(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    stat = f"cpu  100 0 50 900 0 0 0 {3 * tick} 0 0\ncpu0 1 2 3\n"
    files = {"proc/stat": stat, "sys/fs/cgroup/cpu.stat": "usage_usec 5\nnr_throttled 2\nthrottled_usec 1500000\n"}
    assert machine.taken_away(system(tmp_path / "both", V2, "0::/", files)) == pytest.approx(3.0 + 1.5)
    assert machine.taken_away(system(tmp_path / "steal", V2, "0::/", {"proc/stat": stat})) == pytest.approx(3.0)
    assert machine.taken_away(tmp_path / "elsewhere") is None
