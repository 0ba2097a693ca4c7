"""What of a request counts.

From chat messages to a question.
"""

import pytest

from fusion_tool import ConfigError, RecursionRefused
from fusion_tool.servers.openai.errors import ApiError, to_api_error
from fusion_tool.servers.openai.request import check_messages, parse_request, refuse_recursion, to_question
from fusion_tool.servers.overrides import OPERATOR_ONLY, OVERRIDABLE, RunOverrides

BODY = {"model": "fusion", "messages": [{"role": "user", "content": "Why?"}]}
TOOL = {"type": "function", "function": {"name": "read_file", "parameters": {}}}


def test_a_plain_request():
    asked = parse_request(BODY)
    assert (asked.model, asked.stream, asked.include_usage, asked.tools, asked.fusion) == (
        "fusion",
        False,
        False,
        [],
        RunOverrides(),
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
    assert parse_request(BODY | passed_over).fusion == RunOverrides()


def test_the_three_names_of_the_answers_bound_are_one():
    names = {"max_tokens": 50, "max_completion_tokens": 40, "max_output_tokens": 60}
    assert parse_request(BODY | names).sampling["max_tokens"] == 40


def test_the_fusion_field_goes_over_the_plugin():
    plugins = [{"id": "fusion", "analysis_models": ["a"], "model": "b"}]
    asked = parse_request(BODY | {"plugins": plugins, "fusion": {"judge": "c"}})
    assert asked.fusion == RunOverrides(models=["a"], judge="c", synthesizer="b")


def test_a_stream_may_end_with_the_bill():
    assert parse_request(BODY | {"stream": True, "stream_options": {"include_usage": True}}).include_usage


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
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": {"name": "f"}}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools"),
        ({"models": ["a", "b"]}, "models"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(more, param):
    with pytest.raises(ApiError) as refused:
        parse_request(BODY | more)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    "name",
    ["base_url", "documents", "bash", "fetch", "allowed_private_hosts", "api_key_env", "strategy", "limits", "preset"],
)
def test_a_setting_beside_the_protocols_own_fields_is_not_passed_over(name):
    with pytest.raises(ConfigError) as refused:
        parse_request(BODY | {name: "x"})
    assert refused.value.field == name


@pytest.mark.parametrize("name", sorted({*OPERATOR_ONLY, *OVERRIDABLE}))
def test_a_setting_that_is_null_is_left_out(name):
    assert parse_request(BODY | {name: None}) == parse_request(BODY)


@pytest.mark.parametrize("fusion", ["fast", 5, ["fast"]])
def test_a_fusion_field_that_is_no_object_is_refused(fusion):
    with pytest.raises(ConfigError, match="fusion"):
        parse_request(BODY | {"fusion": fusion})


@pytest.mark.parametrize("depth", [{}, {"fusion-depth": "0"}])
def test_a_caller_that_is_no_seat_is_let_in(depth):
    refuse_recursion(depth)


@pytest.mark.parametrize("depth", ["1", "2", "deep"])
def test_a_seat_of_another_fusion_is_not(depth):
    with pytest.raises(RecursionRefused) as refused:
        refuse_recursion({"fusion-depth": depth})
    assert to_api_error(refused.value).status == 400


def said(role, content):
    return {"role": role, "content": content}


def test_the_last_message_asks_the_earlier_ones_are_context_the_systems_instruct():
    messages = [
        said("system", "Answer in French."),
        said("user", "When was the mill built?"),
        said("assistant", [{"type": "text", "text": "In 1861."}]),
        said("developer", "Be brief."),
        said("user", "By whom?"),
    ]
    asked = to_question(check_messages(messages))
    assert asked.question == "By whom?"
    assert asked.context == "user: When was the mill built?\n\nassistant: In 1861."
    assert asked.instructions == "Answer in French.\n\nBe brief."


def test_a_turn_without_text_is_no_context():
    messages = [said("user", "Hi"), {"role": "assistant", "content": None, "tool_calls": []}, said("user", "So?")]
    assert to_question(check_messages(messages)).context == "user: Hi"


def test_half_a_character_is_replaced():
    assert to_question(check_messages([said("user", "a\ud800b")])).question == "a?b"


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("hi", "messages"),
        (["hi"], "messages.0"),
        ([said("robot", "hi")], "messages.0"),
        ([said("user", 5)], "messages.0.content"),
        ([said("user", ["hi"])], "messages.0.content"),
        ([said("user", [{"type": "text", "text": "What?"}, IMAGE])], "messages.0.content"),
        ([said("user", [{"type": "input_audio"}])], "messages.0.content"),
        ([said("user", "Hi"), said("assistant", "Well")], "messages.1"),
        ([said("system", "Be brief.")], "messages.0"),
    ],
)
def test_what_is_no_conversation_of_texts_is_refused(messages, param):
    with pytest.raises(ApiError) as refused:
        to_question(check_messages(messages))
    assert (refused.value.status, refused.value.param) == (400, param)
