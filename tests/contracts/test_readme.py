"""What the README says is so; its code and commands are run by `test_docs_code.py`."""

import re
from typing import get_args

from fusion_tool.config.choices import Strategy
from fusion_tool.config.presets import preset_names
from fusion_tool.graph.result import FusionResult
from tests.contracts.pages.markdown import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def section(heading):
    return re.split(rf"^## {re.escape(heading)}$", README, flags=re.MULTILINE)[1].split("\n## ")[0]


def rows(heading):
    return tuple(re.findall(r"^\| `(\w+)`", section(heading), re.MULTILINE))


def test_it_is_short():
    assert len(README.splitlines()) <= 200


def test_its_presets_are_those_there_are():
    assert rows("Presets") == preset_names()


def test_its_strategies_are_those_there_are():
    assert rows("Strategies") == get_args(Strategy)


def test_its_fields_are_those_of_a_result():
    named = set(re.findall(r"`(\w+)`", section("What a result holds"))) - {"null"}
    assert named <= set(FusionResult.model_fields)
