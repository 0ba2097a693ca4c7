"""From chat messages to a question."""

import pytest

from fusion_tool.servers.conversation import checked, conversation
from fusion_tool.servers.refusals import ApiError


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
    asked = conversation(checked(messages))
    assert asked.question == "By whom?"
    assert asked.context == "user: When was the mill built?\n\nassistant: In 1861."
    assert asked.instructions == "Answer in French.\n\nBe brief."


def test_a_turn_without_text_is_no_context():
    messages = [said("user", "Hi"), {"role": "assistant", "content": None, "tool_calls": []}, said("user", "So?")]
    assert conversation(checked(messages)).context == "user: Hi"


def test_half_a_character_is_replaced():
    assert conversation(checked([said("user", "a\ud800b")])).question == "a?b"


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
        conversation(checked(messages))
    assert (refused.value.status, refused.value.param) == (400, param)
