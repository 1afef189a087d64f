"""What is written for readers agrees with what the program has."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

import concompare
from concompare import backends
from concompare.analysis import findings
from concompare.cells.ir import Why
from concompare.errors import CellRefused
from concompare.report.view import finding_pages

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FINDINGS = ROOT / "docs" / "findings"
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN += sorted(FINDINGS.glob("*.md"))
CODES = sorted(path.stem for path in FINDINGS.glob("*.md") if path.stem != "index")


def test_every_test_behind_a_claim_is_there() -> None:
    named = re.findall(r"`(test_\w+)`", CONTRIBUTING)
    files = [*(ROOT / "tests").rglob("test_*.py"), ROOT / "src" / "concompare" / "testing.py"]
    there = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in there] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).is_file()] == []


def test_the_findings_that_can_be_made_are_those_that_have_pages() -> None:
    made = "\n".join(path.read_text(encoding="utf-8") for path in Path(findings.__file__).parent.glob("*.py"))
    assert set(re.findall(r'Finding\(\s*"([a-z-]+)"', made)) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_finding_s_page_says_what_how_and_what_to_do_and_shows_it(code: str) -> None:
    page = (FINDINGS / f"{code}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.S), re.M)
    assert headings == [code, "What it means", "How we know", "What to do", "A cell that shows it"]
    for cell in re.findall(r"```python\n(.*?)```", page, re.S):
        compile(re.sub(r"^%%.*$", "", cell, flags=re.M), code, "exec")
    assert f"[{code}]({code}.md)" in (FINDINGS / "index.md").read_text(encoding="utf-8")
    assert f"`{code}`" in (ROOT / "demo_notebooks" / "04_why_not_faster.ipynb").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", CODES)
def test_a_report_says_what_its_findings_mean(code: str) -> None:
    meaning = finding_pages.meaning_of(code)
    assert 80 < len(meaning) < 500
    assert meaning.endswith(".")
    assert "#" not in meaning
    assert finding_pages.address_of(code) == f"../docs/findings/{code}.md"


def test_an_installed_package_has_the_meanings_and_no_links_to_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(finding_pages, "FOLDERS", (FINDINGS, tmp_path))
    assert finding_pages.page_of("waits") == FINDINGS / "waits.md"
    assert finding_pages.address_of("waits") == ""
    wheel = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.hatch.build.targets.wheel]")[2]
    assert '"docs/findings" = "concompare/findings"' in wheel.partition("\n[")[0]


@pytest.mark.parametrize("code", ["index", "../security", "Waits", "no-such", "", "a/b"])
def test_what_is_no_code_has_no_page(code: str) -> None:
    assert finding_pages.address_of(code) == finding_pages.meaning_of(code) == ""


def test_every_backend_is_on_its_page() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    rows = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("|"))
    assert [name for name in (*backends.FAMILIES, *backends.CLUSTERS) if f"`{name}`" not in rows] == []


def test_every_kind_of_reason_is_on_the_page_of_the_command_line() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.M)) == {*Why, CellRefused("").code}


@pytest.fixture(scope="module")
def tables() -> Any:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_is_documented_by_what_it_says_itself(tables: Any) -> None:
    made = tables.api_pages()
    for name in concompare.__all__:
        assert re.search(rf"\.\. auto(function|class|exception|data):: concompare\.{name}\n", made), name
        assert (getattr(concompare, name).__doc__ or "").strip(), name
    assert "{include} made/api.md" in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_page_of_options_has_every_option_with_what_it_does(tables: Any) -> None:
    made = tables.option_tables()
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    for name, table in made.items():
        assert f"{{include}} made/{name}.md" in page
        for line in table.splitlines()[2:]:
            option, does = line.strip("| ").split(" | ", 1)
            assert re.fullmatch(r"`(-\w, )?--[a-z-]+( \S+)?`", option), line
            assert len(does) > 5, line
    assert "`--budget S`" in made["concompare"]
    assert "`-b, --backend" in made["both"]
