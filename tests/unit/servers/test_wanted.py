"""What of a request counts."""

import pytest

from fusion_tool import ConfigError, RecursionRefused
from fusion_tool.servers.refusals import ApiError, refusal
from fusion_tool.servers.wanted import refuse_recursion, wanted

BODY = {"model": "fusion", "messages": [{"role": "user", "content": "Why?"}]}
TOOL = {"type": "function", "function": {"name": "read_file", "parameters": {}}}


def test_a_plain_request():
    asked = wanted(BODY)
    assert (asked.model, asked.stream, asked.include_usage, asked.tools, asked.fusion) == (
        "fusion",
        False,
        False,
        [],
        {},
    )


def test_what_steers_sampling_and_keeps_accounts_is_passed_over():
    passed_over = {
        "temperature": 0.2,
        "top_p": 1,
        "seed": 7,
        "max_tokens": 50,
        "presence_penalty": 0,
        "user": "u",
        "metadata": {},
        "store": False,
        "reasoning_effort": "low",
        "n": 1,
        "logprobs": False,
        "tools": [],
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "stream_options": None,
    }
    assert wanted(BODY | passed_over).fusion == {}


def test_the_fusion_field_goes_over_the_plugin():
    plugins = [{"id": "fusion", "analysis_models": ["a"], "model": "b"}]
    asked = wanted(BODY | {"plugins": plugins, "fusion": {"judge": "c"}})
    assert asked.fusion == {"models": ["a"], "judge": "c", "synthesizer": "b"}


def test_a_stream_may_end_with_the_bill():
    assert wanted(BODY | {"stream": True, "stream_options": {"include_usage": True}}).include_usage


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"messages": []}, "messages"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
        ({"response_format": "json"}, "response_format"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": {"name": "f"}}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools"),
        ({"models": ["a", "b"]}, "models"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(more, param):
    with pytest.raises(ApiError) as refused:
        wanted(BODY | more)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    "name",
    ["base_url", "documents", "bash", "fetch", "allowed_private_hosts", "api_key_env", "strategy", "limits", "preset"],
)
def test_a_setting_beside_the_protocols_own_fields_is_not_passed_over(name):
    with pytest.raises(ConfigError) as refused:
        wanted(BODY | {name: "x"})
    assert refused.value.field == name


@pytest.mark.parametrize("fusion", ["fast", 5, ["fast"]])
def test_a_fusion_field_that_is_no_object_is_refused(fusion):
    with pytest.raises(ConfigError, match="fusion"):
        wanted(BODY | {"fusion": fusion})


@pytest.mark.parametrize("depth", [{}, {"fusion-depth": "0"}])
def test_a_caller_that_is_no_seat_is_let_in(depth):
    refuse_recursion(depth)


@pytest.mark.parametrize("depth", ["1", "2", "deep"])
def test_a_seat_of_another_fusion_is_not(depth):
    with pytest.raises(RecursionRefused) as refused:
        refuse_recursion({"fusion-depth": depth})
    assert refusal(refused.value).status == 400
