"""What a model can do, from its profile, its class and its settings."""

import pytest
from langchain_core.language_models import FakeListChatModel

from fusion_tool.config import Panelist
from fusion_tool.models.compatible import CompatibleChat
from fusion_tool.models.traits import Traits, traits_of


def compatible(**profile):
    return CompatibleChat(model="m", base_url="http://h/v1", api_key="k", profile=profile)


@pytest.mark.parametrize(
    ("model", "traits"),
    [
        (compatible(), Traits(tools=True, json_schema=None, max_input_tokens=None)),
        (compatible(tool_calling=False), Traits(tools=False, json_schema=None, max_input_tokens=None)),
        (compatible(structured_output=True), Traits(tools=True, json_schema=True, max_input_tokens=None)),
        (compatible(structured_output=False), Traits(tools=True, json_schema=False, max_input_tokens=None)),
        (compatible(max_input_tokens=9000), Traits(tools=True, json_schema=None, max_input_tokens=9000)),
        (FakeListChatModel(responses=["x"]), Traits(tools=False, json_schema=False, max_input_tokens=None)),
    ],
)
def test_traits(model, traits):
    assert traits_of(Panelist(model="x:m"), model) == traits


def test_the_panelists_own_window_wins():
    assert traits_of(Panelist(model="x:m", max_input_tokens=500), compatible(max_input_tokens=9000)).small


@pytest.mark.parametrize(("window", "small"), [(None, False), (64, True), (2048, True), (2049, False)])
def test_a_small_window_makes_a_small_model(window, small):
    assert Traits(tools=True, json_schema=None, max_input_tokens=window).small is small
