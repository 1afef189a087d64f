"""The lock files: whole, exact, and without the address of an index; what is installed is taken from them alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from locks import install, newest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
NAMES = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", c)]
LOCKS = sorted((ROOT / "locks").glob("python*.txt"))

MADE = """# made up
alpha==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:aa
    # via concompare (pyproject.toml)
alpha==2.0 ; sys_platform != 'win32' \\
    --hash=sha256:ab
    # via concompare (pyproject.toml)
beta==1.0 \\
    --hash=sha256:ba
    # via
    #   alpha
    #   gamma
delta-e==1.0 \\
    --hash=sha256:da
    # via beta
gamma==1.0 \\
    --hash=sha256:ga
    # via concompare (pyproject.toml)
"""


def pins(text: str) -> dict[str, list[Requirement]]:
    """Return the requirements of a lock's lines, by name."""
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[a-z0-9][^\\\n]*", text, re.MULTILINE):
        requirement = Requirement(line.strip())
        found.setdefault(install.plain(requirement.name), []).append(requirement)
    return found


def test_every_supported_python_has_its_lock() -> None:
    assert NAMES == ["3.11", "3.12", "3.13", "3.14"]
    assert [path.name for path in LOCKS] == [f"python{name}.txt" for name in NAMES]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_exact_versions_with_hashes_and_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--?(i|index|extra-index|find-links|trusted)", text, re.MULTILINE)
    for name, (entry, parents) in install.entries(text).items():
        versions = re.findall(r"^[a-z0-9][^=\s]*==[\w.+!]+", entry, re.MULTILINE)
        assert versions, name
        assert len(re.findall("--hash=sha256:[0-9a-f]{64}", entry)) >= len(versions), name
        assert parents, name


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_all_that_the_project_names_within_its_bounds(path: Path) -> None:
    locked = pins(path.read_text(encoding="utf-8"))
    listed = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    listed += [text for extra in EXTRAS.values() for text in extra if not text.startswith("concompare")]
    for requirement in map(Requirement, listed):
        found = locked[install.plain(requirement.name)]
        for pin in found:
            (exact,) = pin.specifier
            assert requirement.specifier.contains(exact.version, prereleases=True), f"{pin}: run `make lock`"


def test_nothing_has_an_upper_bound_without_a_reason() -> None:
    listed = PROJECT["project"]["dependencies"] + [text for extra in EXTRAS.values() for text in extra]
    assert [text for text in listed if re.search(r"[<~]|==", text)] == []


def test_a_part_of_a_lock_is_what_was_asked_for_and_all_that_it_needs() -> None:
    assert set(pins(install.part(MADE, ["alpha"]))) == {"alpha", "beta", "delta-e"}
    assert set(pins(install.part(MADE, ["gamma"]))) == {"gamma", "beta", "delta-e"}
    assert install.part(MADE, ["alpha"]).count("--hash=") == 4, "the versions for all platforms"
    assert set(pins(install.part(MADE, []))) == set()


def test_what_is_not_locked_is_not_installed() -> None:
    with pytest.raises(SystemExit, match="not locked: epsilon: run `make lock`"):
        install.part(MADE, ["alpha", "epsilon"])


def test_an_extra_stands_for_its_packages_and_a_package_for_itself() -> None:
    project = {
        "project": {
            "name": "us",
            "dependencies": ["A_b>=1"],
            "optional-dependencies": {"test": ["pytest>=8"], "dev": ["us[test]", "ruff[x]"], "all": ["us[dev,test]"]},
        },
        "build-system": {"requires": ["builder"]},
    }
    assert install.asked(project, []) == {"a-b", "builder"}
    assert install.asked(project, ["dev"]) == {"a-b", "builder", "pytest", "ruff"}
    assert install.asked(project, ["all", "other"]) == {"a-b", "builder", "pytest", "ruff", "other"}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_the_tests_are_installed_without_what_other_targets_need(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known, tests = pins(text), pins(install.part(text, install.asked(PROJECT, ["test"])))
    assert {"numpy", "traitlets", "tornado", "hatchling"} <= set(tests)
    assert {"ray", "distributed", "sphinx", "jupyterlab", "ruff", "playwright"} <= set(known) - set(tests)


def test_pre_releases_of_the_direct_dependencies_count_as_newest() -> None:
    for text in newest.wanted(["test"]):
        requirement = Requirement(newest.with_pre_releases(text))
        assert requirement.specifier.prereleases, text
        assert requirement.specifier.contains("99.0rc1"), text


def test_what_is_newer_than_the_lock_is_found_and_the_direct_ones_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").write_text(MADE, encoding="utf-8")
    monkeypatch.setattr(newest, "lock_of", lambda version: tmp_path / "lock")
    installed = {"alpha": "2.0", "beta": "1.1", "gamma": "2.0rc1", "other": "5"}
    assert [str(found) for found in newest.newer_than_locked(installed, {"alpha", "gamma"})] == [
        "gamma 1.0 -> 2.0rc1",
        "beta 1.0 -> 1.1",
    ]


FOUND = [newest.Newer("gamma", "1.0", "2.0", True), newest.Newer("beta", "1.0", "1.1", False)]


def said(monkeypatch: pytest.MonkeyPatch, *answers: list[str] | None) -> tuple[list[str], bool]:
    """Return what is said where runs of tests fail as given: all newest, all locked, gamma alone newer."""
    waiting = iter(answers)
    monkeypatch.setattr(newest, "failing", lambda python, tests: next(waiting))
    monkeypatch.setattr(newest, "install_only", lambda python, newer: None)
    found = newest.outcomes("python", FOUND, [])
    assert next(waiting, "no run left") == "no run left"
    return found


def test_where_all_tests_pass_every_newer_version_is_said_to_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, []) == (["gamma 1.0 -> 2.0: the tests pass", "beta 1.0 -> 1.1: the tests pass"], True)


def test_a_newer_version_that_alone_makes_tests_fail_is_named_with_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, passed = said(monkeypatch, ["a", "b"], [], ["b"])
    assert not passed
    assert lines == [
        "gamma 1.0 -> 2.0: FAILS: with it alone 1 of 2 fail: b",
        "beta 1.0 -> 1.1: not tried alone; 2 tests fail with everything newest: a",
    ]


def test_a_newer_version_is_not_blamed_for_what_fails_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, _ = said(monkeypatch, ["a", "b"], [], [])
    assert lines[0] == "gamma 1.0 -> 2.0: with it alone the tests that fail with everything newest pass"
    lines, _ = said(monkeypatch, ["a", "b"], ["a", "b"])
    assert lines[0] == "gamma 1.0 -> 2.0: the tests that fail do so with the locked versions too"


def test_what_cannot_be_run_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, passed = said(monkeypatch, None)
    assert lines[0] == "gamma 1.0 -> 2.0: unknown, since the tests cannot be run with everything newest"
    assert not passed
    lines, _ = said(monkeypatch, ["a"], [], None)
    assert lines[0] == "gamma 1.0 -> 2.0: with it alone the tests cannot be run"


def test_where_nothing_is_newer_nothing_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "failing", lambda python, tests: ["a"])
    assert newest.outcomes("python", [], []) == ([], False)
