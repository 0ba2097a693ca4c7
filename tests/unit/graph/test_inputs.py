"""What messages ask: one reading for the graph, the chat model and the chat completions."""

import pytest
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from fusion_tool.errors import ConfigError
from fusion_tool.graph.inputs import RunInput, parse_input, parse_messages

HELLO, WHY = HumanMessage("Hello."), HumanMessage("Why?")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], RunInput("")),
        ([AIMessage("Hi.")], RunInput("")),
        ([WHY], RunInput("Why?", from_messages=True)),
        ([HELLO, AIMessage("Hi."), WHY], RunInput("Why?", "human: Hello.\n\nai: Hi.", from_messages=True)),
        ([HELLO, AIMessage(""), WHY], RunInput("Why?", "human: Hello.", from_messages=True)),
        ([ToolMessage("7", tool_call_id="1"), WHY], RunInput("Why?", "tool: 7", from_messages=True)),
        ([ChatMessage(role="critic", content="No."), WHY], RunInput("Why?", "critic: No.", from_messages=True)),
        ([SystemMessage("Brief."), WHY, SystemMessage("In French.")],
         RunInput("Why?", "", "Brief.\n\nIn French.", from_messages=True)),
        ([WHY, AIMessage("Well, ")], RunInput("Why?", from_messages=True)),
    ],
)  # fmt: skip
def test_the_last_human_message_asks_earlier_ones_are_context_the_systems_instruct(messages, expected):
    assert parse_messages(messages) == expected


def test_a_question_goes_before_messages():
    state = {"question": " When? ", "context": "Known.", "messages": [HELLO, WHY]}
    assert parse_input(state) == RunInput("When?", "Known.")


def test_what_is_known_stands_before_the_conversation():
    state = {"context": "Known.", "instructions": "Brief.", "messages": [HELLO, SystemMessage("In French."), WHY]}
    assert parse_input(state) == RunInput("Why?", "Known.\n\nhuman: Hello.", "Brief.\n\nIn French.", from_messages=True)


def test_the_configurations_instructions_stand_before_the_calls():
    assert (
        parse_input({"question": "Why?", "instructions": "In French."}, "Brief.").instructions == "Brief.\n\nIn French."
    )


NO_QUESTION = [{}, {"question": " "}, {"messages": [AIMessage("Hi.")]}, {"question": "x" * 100_001}]


@pytest.mark.parametrize("state", NO_QUESTION)
def test_without_a_question_or_with_too_long_a_one_nothing_is_run(state):
    with pytest.raises(ConfigError) as refused:
        parse_input(state)
    assert refused.value.field == "question"


def test_what_goes_into_the_graph_comes_out_as_it_was():
    request = RunInput("Why?", "Known.", "Brief.", {"type": "object"})
    assert parse_input(request.graph_input) == request


@pytest.mark.parametrize("field", ["question", "context", "instructions"])
@pytest.mark.parametrize("value", [3, b"Why?", ["Why?"], {"text": "Why?"}])
def test_what_is_no_text_is_refused_by_its_name(field, value):
    with pytest.raises(ConfigError, match="expected a text") as caught:
        parse_input({"question": "Why?", field: value})
    assert caught.value.field == field
