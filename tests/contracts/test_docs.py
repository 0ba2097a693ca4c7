"""What the pages say of the source is so: their generated parts are current, their links lead somewhere."""

import json
import re
from itertools import chain
from pathlib import Path

import pytest

from tests.contracts.pages.layers import PROJECT, layers_table
from tests.contracts.pages.markdown import PAGES, ROOT, anchors, inline, is_current, links
from tests.contracts.pages.occasions import events_table
from tests.contracts.pages.presets import presets_table
from tests.contracts.pages.settings import TABLES, settings_table
from tests.contracts.pages.surroundings import files_table, providers_table, search_table

CONFIGURATION, ARCHITECTURE = ROOT / "docs" / "configuration.md", ROOT / "docs" / "architecture.md"
VARIABLE = re.compile(r"(?:environ(?:\.get)?[(\[]|read_address\()\"(\w+)\"")


def test_the_configurations_page_is_that_of_the_source():
    parts = {part: settings_table(part) for part in TABLES}
    around = {"providers": providers_table(), "search providers": search_table(), "files": files_table()}
    assert is_current("configuration.md", **parts, **around)


def test_the_page_of_presets_is_that_of_their_file():
    assert is_current("presets.md", presets=presets_table())


def test_the_page_of_events_is_that_of_the_source():
    assert is_current("events.md", events=events_table())


def test_every_variable_that_is_read_is_documented():
    """Besides those of the generated tables, which come from the same constants."""
    read = chain.from_iterable(VARIABLE.findall(file.read_text("utf-8")) for file in (ROOT / "src").rglob("*.py"))
    page = CONFIGURATION.read_text("utf-8")
    assert {name for name in read if f"`{name}`" not in page} == set()


def test_env_example_names_what_is_documented():
    named = re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    page = CONFIGURATION.read_text("utf-8")
    assert named
    assert [name for name in named if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in links(page):
        file, _, anchor = target.partition("#")
        other = page.parent / file if file else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_pages_and_scripts_exist(page):
    named = [text for text in inline(page) if re.fullmatch(r"(docs|examples|benchmarks|graphs|tests)/[\w./-]+", text)]
    assert [text for text in named if not (ROOT / text).exists()] == []


def test_every_page_is_reached_from_the_readme_and_has_one_place_on_the_site():
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    readme = ROOT / "README.md"
    reached = {Path(target.partition("#")[0]).name for target in links(readme)}
    assert pages - reached == {
        "index.md",
        "reference.md",
    }  # of the site alone: the README's twin, and what it generates
    assert sorted(re.findall(r'= "(\w+\.md)"', (ROOT / "zensical.toml").read_text("utf-8"))) == sorted(pages)


def test_the_page_of_providers_names_cases_that_there_are_and_every_kind_of_them():
    lines = (ROOT / "tests" / "data" / "wire_cases.jsonl").read_text("utf-8").splitlines()
    cases = [json.loads(line)["id"] for line in lines]
    page = (ROOT / "docs" / "providers.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.endswith("| cases |")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[-1])]
    assert [name for name in named if not any(case.startswith(name) for case in cases)] == []
    assert [case for case in cases if not any(case.startswith(name) for name in named)] == []


def test_the_layers_are_those_that_are_kept():
    assert is_current("architecture.md", layers=layers_table())


def test_every_dependency_has_its_reason():
    named = [name for row in first_column(ARCHITECTURE, "Dependencies") for name in row.split(", ")]
    assert sorted(named) == sorted(map(package, PROJECT["project"]["dependencies"]))


def test_every_extra_has_its_reason():
    names, packages = columns(ARCHITECTURE, "Extras")
    drawn = dict(zip(names, packages, strict=True))
    extras = {
        f"`{name}`": {package(one) for one in needed if not one.startswith("fusion-tool[")}
        for name, needed in PROJECT["project"]["optional-dependencies"].items()
        if name != "all"
    }
    assert {name: set(row.split(", ")) for name, row in drawn.items()} == extras


def package(requirement: str) -> str:
    return re.split(r"[<>=;\[ ]", requirement)[0]


def first_column(page: Path, heading: str) -> list[str]:
    return columns(page, heading)[0]


def columns(page: Path, heading: str) -> tuple[list[str], list[str]]:
    """The first two columns of the first table below a heading."""
    below = re.split(rf"^#+ {heading}$", page.read_text("utf-8"), flags=re.MULTILINE)[1]
    rows = re.search(r"^\|.*?\n\n", below, re.MULTILINE | re.DOTALL)
    assert rows, heading
    cells = [re.split(r" *\| *", row.strip("| \n")) for row in rows[0].strip().splitlines()[2:]]
    return [row[0] for row in cells], [row[1] for row in cells]
