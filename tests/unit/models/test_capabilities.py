"""What a model can do, from its profile, its class and its settings.

The ways of asking for a structured reply.
"""

import pytest
from langchain_core.language_models import FakeListChatModel

from fusion_tool.config.schema import Panelist
from fusion_tool.models.capabilities import Capabilities, capabilities_of, structured_output_methods
from fusion_tool.models.openai_compatible import OpenAICompatibleChat


def compatible(**profile):
    return OpenAICompatibleChat(model="m", base_url="http://h/v1", api_key="k", profile=profile)


@pytest.mark.parametrize(
    ("model", "traits"),
    [
        (compatible(), Capabilities(tools=True, json_schema=None, max_input_tokens=None)),
        (compatible(tool_calling=False), Capabilities(tools=False, json_schema=None, max_input_tokens=None)),
        (compatible(structured_output=True), Capabilities(tools=True, json_schema=True, max_input_tokens=None)),
        (compatible(structured_output=False), Capabilities(tools=True, json_schema=False, max_input_tokens=None)),
        (compatible(max_input_tokens=9000), Capabilities(tools=True, json_schema=None, max_input_tokens=9000)),
        (FakeListChatModel(responses=["x"]), Capabilities(tools=False, json_schema=False, max_input_tokens=None)),
    ],
)
def test_traits(model, traits):
    assert capabilities_of(Panelist(model="x:m"), model) == traits


def test_the_panelists_own_window_wins():
    assert capabilities_of(Panelist(model="x:m", max_input_tokens=500), compatible(max_input_tokens=9000)).small


@pytest.mark.parametrize(("window", "small"), [(None, False), (64, True), (2048, True), (2049, False)])
def test_a_small_window_makes_a_small_model(window, small):
    assert Capabilities(tools=True, json_schema=None, max_input_tokens=window).small is small


WANTED = {"type": "object", "properties": {}}


class Binds(FakeListChatModel):
    def bind_tools(self, tools, **kwargs):
        return self.bind(tools=tools, **kwargs)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"takes_schema": True, "tools": True}, 3),
        ({"takes_schema": None, "tools": True}, 3),
        ({"takes_schema": False, "tools": True}, 2),
        ({"takes_schema": None, "tools": False}, 2),
        ({"takes_schema": False, "tools": False}, 1),
    ],
)
def test_the_ways_of_asking_end_with_prose(options, count):
    model = Binds(responses=["x"])
    ways = structured_output_methods(model, "report", WANTED, **options)
    assert len(ways) == count
    assert ways[-1] is model
    if options["takes_schema"] is not False:
        asked = ways[0].kwargs["response_format"]["json_schema"]
        assert asked == {"name": "report", "strict": True, "schema": WANTED}
