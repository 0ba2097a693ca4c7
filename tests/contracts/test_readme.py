"""What the README says is so; its code and commands are run by `test_docs_code.py`."""

import re
from pathlib import Path
from typing import get_args

from fusion_tool.config.choices import Strategy
from fusion_tool.config.presets import preset_names
from fusion_tool.graph.result import FusionResult
from tests.contracts.pages.markdown import ROOT, links

README = (ROOT / "README.md").read_text("utf-8")


def section(heading):
    return re.split(rf"^## {re.escape(heading)}$", README, flags=re.MULTILINE)[1].split("\n## ")[0]


def rows(heading):
    return tuple(re.findall(r"^\| `(\w+)`", section(heading), re.MULTILINE))


def test_it_is_short():
    assert len(README.splitlines()) <= 200


def test_its_links_are_whole_addresses_since_it_is_read_elsewhere_too():
    """That those of the project's own lead to files that there are is `test_docs.py`'s."""
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    assert [target for target in targets if not target.startswith("https://")] == []
    own = [Path(target.partition("#")[0]) for target in links(ROOT / "README.md")]
    assert {ROOT / "docs" / "run.svg", ROOT / "docs" / "reliability.md"} <= set(own)


def test_its_picture_is_small_and_fetches_nothing():
    picture = (ROOT / "docs" / "run.svg").read_text("utf-8")
    assert len(picture) < 50_000
    assert "local:qwen2.5-coder-1.5b" in picture  # it says itself which model spoke
    assert re.findall(r"https?://(?!www\.w3\.org/|www\.textualize\.io)", picture) == []
    assert "<script" not in picture


def test_its_presets_are_those_there_are():
    assert set(preset_names()) <= set(re.findall(r"`(\w+)`", section("Presets")))


def test_its_strategies_are_those_there_are():
    assert rows("Strategies") == get_args(Strategy)


def test_its_fields_are_those_of_a_result():
    named = set(re.findall(r"`(\w+)`", section("What a result holds"))) - {"null"}
    assert named <= set(FusionResult.model_fields)
