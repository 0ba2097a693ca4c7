"""An endpoint that wants back what it gave with its tool calls."""

import openai
import pytest

from tests.scripted_server import Reply, ToolCall
from tests.unit.scripted_server.talk import USER

pytestmark = pytest.mark.loopback

GIVEN = Reply(
    reasoning="Hm.",
    reasoning_details=[{"type": "reasoning.encrypted", "data": "QQ==", "index": 0}],
    tool_calls=[ToolCall("look", id="c1", extra_content={"google": {"thought_signature": "QQ=="}})],
)


async def loop(client, scripted, change):
    """One turn of a tool loop: the model's message goes back as `change` leaves it."""
    scripted.insist("vendor/a")
    scripted.reply("vendor/a", GIVEN, "Well.")
    first = await client.chat.completions.create(model="vendor/a", messages=USER)
    message = change(first.choices[0].message.model_dump(exclude_none=True))
    message["tool_calls"][0].pop("index", None)
    history = [*USER, message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "x"}]
    return (await client.chat.completions.create(model="vendor/a", messages=history)).choices[0].message.content


async def test_it_answers_where_all_of_it_comes_back(scripted, client):
    assert await loop(client, scripted, lambda message: message) == "Well."


@pytest.mark.parametrize("field", ["reasoning", "reasoning_details", "extra_content"])
async def test_it_turns_down_a_message_that_lacks_a_part_of_it(scripted, client, field):
    def without(message):
        del (message if field in message else message["tool_calls"][0])[field]
        return message

    with pytest.raises(openai.BadRequestError, match=field):
        await loop(client, scripted, without)


async def test_it_turns_down_what_another_gave(scripted, client):
    def anothers(message):
        message["tool_calls"][0]["id"] = "c2"
        return message

    with pytest.raises(openai.BadRequestError, match="extra_content"):
        await loop(client, scripted, anothers)
