"""Which errors say that an endpoint does not take a parameter, and which only speak of it."""

import pytest

from fusion_tool.models.faults import Fault
from fusion_tool.models.refusals import has_refused, remember_refusal

REFUSED = [
    ("tools", "No endpoints found that support tool use. To learn more about provider routing, visit: https://x.y"),
    ("tools", "No endpoints found that can handle the requested parameters."),
    ("tools", "registry.ollama.ai/library/gemma3:4b does not support tools"),
    ("tools", '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    ("tools", "tools param requires --jinja flag"),
    ("tools", "Function calling is not enabled for models/gemma-3-27b-it"),
    ("tools", "`tool calling` is not supported with this model"),
    ("tools", "deepseek-reasoner does not support Function Calling"),
    ("tools", "body.tools: Extra inputs are not permitted"),
    ("tools", 'Invalid JSON payload received. Unknown name "tools": Cannot find field.'),
    ("tools", "Unrecognized request argument supplied: tools"),
    ("tools", "Invalid schema for function 'web_search': None is not of type 'object'"),
    ("tool_choice", "Unsupported parameter: 'tool_choice' is not supported with this model."),
    ("tool_choice", "tool_choice 'none' is incompatible with thinking enabled"),
    ("tool_choice", 'Value error, `tool_choice` must either be a named tool, "auto", or "required".'),
    ("tool_choice", "The tool_choice parameter does not support being set to none in thinking mode"),
    ("tool_choice", "Invalid value for 'tool_choice': 'none'"),
    ("response_format", "Unsupported parameter: 'response_format' is not supported with this model."),
    ("response_format", "This response_format type is unavailable now"),
    ("response_format", "Structured outputs are not supported for this model"),
    (
        "max_tokens",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
    ),
    ("max_tokens", "max_tokens: Extra inputs are not permitted"),
    ("cache_control", "messages.1.content.0.cache_control: Extra inputs are not permitted"),
    ("cache_control", "Unknown parameter: 'messages[1].content[0].cache_control'."),
]
NOT_REFUSED = [
    ("tools", "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"),
    ("tools", "Unexpected role 'user' after role 'tool'"),
    ("tools", "An assistant message with 'tool_calls' must be followed by tool messages responding to each call id."),
    ("tools", "Function call is missing a thought_signature in functionCall parts."),
    ("tools", "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."),
    ("tools", "reasoning_content is missing in assistant tool call message at index 2"),
    ("tools", "Failed to parse tool call arguments as JSON"),
    ("tools", "tool_use ids were found without tool_result blocks immediately after: toolu_1"),
    ("tools", "Tool call validation failed: a call of 'google' which was not in the request"),
    ("tools", "The model's tool call could not be parsed"),
    ("tool_choice", "Unexpected role 'user' after role 'tool'"),
    ("max_tokens", "max_tokens is too large: 65536. This model supports at most 16384 completion tokens."),
    ("response_format", "Please use a valid role: user, model."),
]


@pytest.mark.parametrize(("parameter", "message"), REFUSED)
def test_a_refused_parameter_is_read_from_the_sentence(parameter, message):
    assert Fault("upstream_error", message, 400).rejects(parameter)


@pytest.mark.parametrize(("parameter", "message"), NOT_REFUSED)
def test_an_error_about_a_message_refuses_no_parameter(parameter, message):
    assert not Fault("upstream_error", message, 400).rejects(parameter)


@pytest.mark.parametrize("status", [None, 401, 429, 500, 503])
def test_only_some_statuses_refuse_a_parameter(status):
    assert not Fault("upstream_error", "tools are not supported", status).rejects("tools")


def test_an_overflow_refuses_no_parameter():
    assert not Fault("context_overflow", "tools are not supported by so small a context", 400).rejects("tools")


def test_what_is_remembered_holds_for_one_endpoint_and_one_parameter():
    remember_refusal("here", "max_tokens")
    assert has_refused("here", "max_tokens")
    assert not has_refused("there", "max_tokens")
    assert not has_refused("here", "tool_choice")
