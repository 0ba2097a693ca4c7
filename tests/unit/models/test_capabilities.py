"""What a model can do, from its profile, its class and its settings.

The methods of asking for a structured reply, and what is made of it.
"""

import asyncio

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError, ModelReply
from fusion_tool.models.capabilities import (
    Capabilities,
    InvalidReplyError,
    StructuredModel,
    ask_structured,
    capabilities_of,
    structured_output_methods,
)
from fusion_tool.models.faults import Fault
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


@pytest.mark.parametrize(
    ("traits", "path"),
    [
        (Capabilities(tools=True, json_schema=None, max_input_tokens=None), "tools"),
        (Capabilities(tools=False, json_schema=None, max_input_tokens=None), "evidence"),
        (Capabilities(tools=True, json_schema=True, max_input_tokens=8192, cites=True), "tools"),
        (Capabilities(tools=False, json_schema=True, max_input_tokens=8192, cites=True), "evidence"),
        (Capabilities(tools=True, json_schema=True, max_input_tokens=8192, cites=False), "claims"),
        (Capabilities(tools=False, json_schema=None, max_input_tokens=8192, cites=False), "claims"),
        (Capabilities(tools=False, json_schema=False, max_input_tokens=8192, cites=False), "evidence"),
        (Capabilities(tools=True, json_schema=None, max_input_tokens=2048, cites=True), "claims"),
    ],
)
def test_the_path_follows_from_what_it_does(traits, path):
    assert traits.path == path


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


def test_an_object_of_any_shape_is_asked_for_as_such():
    ways = structured_output_methods(Binds(responses=["x"]), "x", {"type": "object"}, takes_schema=None, tools=False)
    assert ways[0].kwargs["response_format"] == {"type": "json_object"}


class Endpoint:
    """Answers the calls in turn; records each call's method and messages."""

    def __init__(self, *outcomes):
        self.outcomes, self.calls = list(outcomes), []

    async def __call__(self, method, messages):
        self.calls.append((method, [message.content for message in messages]))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return ModelReply(outcome, AIMessage(outcome), truncated=False, panelist=Panelist(model="x:m"))


def ask(endpoint, model):
    def parse(reply):
        if not reply.text.isdigit():
            raise InvalidReplyError(f"{reply.text} is no number")
        return int(reply.text)

    prompt = [HumanMessage("how many?")]
    return asyncio.run(
        ask_structured(model, prompt, ask=endpoint, parse=parse, correction=lambda error: f"again: {error}")
    )


NO_SCHEMA = ModelCallError(Fault("upstream_error", "response_format is not supported", 400))


def test_a_method_that_was_refused_is_not_tried_again():
    endpoint, model = Endpoint(NO_SCHEMA, "1", "2"), StructuredModel(["schema", "tool", "prose"])
    assert [ask(endpoint, model), ask(endpoint, model)] == [1, 2]
    assert [method for method, _ in endpoint.calls] == ["schema", "tool", "tool"]


def test_an_invalid_reply_is_corrected_once():
    endpoint = Endpoint("many", "7")
    assert ask(endpoint, StructuredModel(["prose"])) == 7
    assert endpoint.calls[1] == ("prose", ["how many?", "many", "again: many is no number"])


def test_two_invalid_replies_are_an_error():
    endpoint = Endpoint("many", "more", "3")
    with pytest.raises(InvalidReplyError, match="more is no number"):
        ask(endpoint, StructuredModel(["prose"]))
    assert len(endpoint.calls) == 2


def test_another_fault_is_not_taken_for_a_refused_method():
    endpoint = Endpoint(ModelCallError(Fault("rate_limited", "slow down", 429)), "1")
    with pytest.raises(ModelCallError, match="slow down"):
        ask(endpoint, StructuredModel(["schema", "prose"]))
