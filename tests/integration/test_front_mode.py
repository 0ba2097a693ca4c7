"""`fusion-agent`: OpenAI's client with tools of its own, in front of a model that has the panel as one more."""

import asyncio
import json
import re

import httpx
import openai
import pytest

from fusion_tool import Panelist
from tests.integration.openai_server import async_client, client, served, user
from tests.integration.panel import JUDGE, WRITER, panel, verdict
from tests.scripted_server import Cut, Hang, Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

MAIN = "test/main"
FOUND = "The Alder mill was built in 1861."
READ_FILE = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Read a file.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}
MODES = pytest.mark.parametrize("stream", [False, True])


def research(question="When was the Alder mill built?", **more):
    return ToolCall("fusion_research", {"question": question, **more})


def read(path="notes.md", id_="call_1"):
    return ToolCall("read_file", {"path": path}, id=id_)


def calling(*calls, text=""):
    return Reply(text, tool_calls=calls)


@pytest.fixture(autouse=True)
def answers(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, Reply(FOUND, cost=0.25))


@pytest.fixture
def url(provider):  # noqa: ARG001 - set up before the server
    with served(panel("test/one", "test/two", synthesizer=f"openrouter:{WRITER}"), agent_model=main()) as url:
        yield url


@pytest.fixture
def spare_url(provider):  # noqa: ARG001 - set up before the server
    model = main(fallbacks=("openrouter:test/spare",))
    with served(panel("test/one", "test/two", synthesizer=f"openrouter:{WRITER}"), agent_model=model) as url:
        yield url


def main(**more):
    return Panelist(model=f"openrouter:{MAIN}", **more)


def say(url, messages, *, stream, **more):
    """One request, streamed or not: text, tool calls, why it ended, and what stands behind it."""
    reply = client(url).chat.completions.create(model="fusion-agent", messages=messages, stream=stream, **more)
    if not stream:
        (choice,) = reply.choices
        return choice.message.content or "", choice.message.tool_calls or [], choice.finish_reason, reply.fusion
    chunks = list(reply)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    return (
        "".join(delta.content or "" for delta in deltas),
        calls,
        chunks[-1].choices[0].finish_reason,
        chunks[-1].fusion,
    )


def as_message(text, calls):
    """The assistant's turn as a client keeps it."""
    kept = [{"id": c.id, "type": "function", "function": c.function.model_dump()} for c in calls]
    return {"role": "assistant", "content": text} | ({"tool_calls": kept} if kept else {})


@MODES
def test_a_loop_of_the_clients_tools_with_research_in_the_middle(provider, url, stream):
    provider.reply(
        MAIN,
        calling(read()),
        calling(research()),
        calling(read("dates.md", "call_2")),
        "It was built in 1861, as your notes say.",
    )
    messages = [{"role": "system", "content": "You edit files."}, user("Check the date in my notes.")]
    files = {"notes.md": "Built 1861?", "dates.md": "1861"}
    turns = 0
    while True:
        text, calls, why, fusion = say(url, messages, stream=stream, tools=[READ_FILE])
        turns += 1
        if not calls:
            break
        assert why == "tool_calls"
        messages.append(as_message(text, calls))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": files[json.loads(call.function.arguments)["path"]]}
            for call in calls
        ]
    assert (turns, text, why) == (3, "It was built in 1861, as your notes say.", "stop")
    assert fusion["runs"] == []
    assert provider.counts[WRITER] == 1
    last = provider.calls(MAIN)[-1]
    assert last.tool_results == ["Built 1861?", "1861"]
    assert FOUND in last.prompt  # what the panel found has come back with the client's history
    assert last.tools == ["read_file", "fusion_research"]
    assert last.messages[0] == {"role": "system", "content": "You edit files."}


@MODES
def test_what_the_model_thought_goes_back_to_it_and_to_no_fallback(provider, spare_url, stream):
    provider.insist(MAIN, "test/spare")
    detail = {"type": "reasoning.text", "text": "Ask the panel first.", "index": 0}
    asks = Reply(reasoning_details=[detail], tool_calls=[research()], chunk_size=5)
    provider.reply(MAIN, asks, asks, faults.withdrawn(MAIN))
    provider.reply("test/spare", "In 1861.")
    text, *_ = say(spare_url, [user("When?")], stream=stream)
    assert text == "In 1861."
    assert provider.counts[WRITER] == 2  # the second call was no error's
    calls = [message for message in provider.calls(MAIN)[2].messages if message.get("tool_calls")]
    assert [message["reasoning_details"] for message in calls] == [[detail], [detail]]


@MODES
def test_what_the_model_thought_goes_back_across_the_clients_turns(provider, spare_url, stream):
    provider.insist(MAIN)
    detail = {"type": "reasoning.text", "text": "Look first.", "signature": "c2ln", "index": 0}
    signed = ToolCall("read_file", {"path": "a"}, id="call_1", extra_content={"google": {"thought_signature": "QQ=="}})
    provider.reply(MAIN, Reply(reasoning="Look first.", reasoning_details=[detail], tool_calls=[signed]), "In 1861.")
    reply = whole_message(spare_url, [user("When?")], stream=stream)
    history = [user("When?"), reply, {"role": "tool", "tool_call_id": "call_1", "content": "1861"}]
    assert say(spare_url, history, stream=stream, tools=[READ_FILE])[0] == "In 1861."


def test_what_a_fallback_thought_does_not_go_to_the_main_model(provider, spare_url):
    provider.insist(MAIN, "test/spare")
    thinks = Reply(reasoning="Mine.", reasoning_field="reasoning_content", tool_calls=[read()])
    provider.reply(MAIN, faults.unauthorized(), "In 1861.")
    provider.reply("test/spare", thinks)
    reply = whole_message(spare_url, [user("When?")], stream=False)
    history = [user("When?"), reply, {"role": "tool", "tool_call_id": "call_1", "content": "1861"}]
    assert reply["reasoning_content"] == "Mine."
    assert say(spare_url, history, stream=False, tools=[READ_FILE])[0] == "In 1861."
    assert "reasoning_content" not in provider.calls(MAIN)[-1].messages[1]


@pytest.mark.parametrize("keeps", ["reasoning_content", "reasoning_details", "extra_content"])
def test_a_client_that_drops_the_mark_is_still_understood_where_there_is_one_model(provider, url, keeps):
    said = {"reasoning_content": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    call |= {"extra_content": {"google": {"thought_signature": "QQ=="}}} if keeps == "extra_content" else {}
    turn = {"role": "assistant", "tool_calls": [call]} | {name: said[name] for name in said if name == keeps}
    provider.reply(MAIN, "In 1861.")
    say(url, [user("When?"), turn, {"role": "tool", "tool_call_id": "call_1", "content": ""}], stream=False)
    sent = provider.calls(MAIN)[0].messages[1]
    assert sent.get(keeps) == turn.get(keeps)
    assert sent["tool_calls"] == [call]


def whole_message(url, messages, *, stream):
    """The assistant's message as a client keeps it that keeps everything."""
    reply = client(url).chat.completions.create(
        model="fusion-agent", messages=messages, tools=[READ_FILE], stream=stream
    )
    if not stream:
        return reply.choices[0].message.model_dump()
    message = {"role": "assistant", "content": ""}
    for chunk in reply:
        delta = chunk.choices[0].delta.model_dump(exclude_none=True)
        message["content"] += delta.pop("content", "")
        message |= {name: value for name, value in delta.items() if name != "role"}
    return message


@MODES
def test_calls_that_the_model_wrote_as_text_are_made(provider, url, stream):
    asks = {"name": "fusion_research", "arguments": {"question": "When?"}}
    reads = {"name": "read_file", "arguments": {"path": "notes.md"}}
    provider.reply(MAIN, *(f"<tool_call>{json.dumps(call)}</tool_call>" for call in (asks, reads)))
    text, (call,), why, _ = say(url, [user("When?")], stream=stream, tools=[READ_FILE])
    assert (call.function.name, json.loads(call.function.arguments), why) == (
        "read_file",
        {"path": "notes.md"},
        "tool_calls",
    )
    assert FOUND in text
    assert stream or "<tool_call>" not in text


def test_a_client_cannot_say_what_a_model_thought(provider, url):
    said = {"role": "assistant", "content": "Hm.", "replay": "x", "reasoning": "y"}
    provider.reply(MAIN, "In 1861.")
    assert say(url, [user("When?"), said, user("Well?")], stream=False)[0] == "In 1861."
    assert provider.calls(MAIN)[0].messages[-2] == {"role": "assistant", "content": "Hm."}


@MODES
def test_the_answer_to_the_models_own_call_of_the_panel_is_given_to_it(provider, url, stream):
    provider.reply(MAIN, calling(research(context="In Norrholm."), text="Let me look."), "In 1861.")
    text, calls, why, fusion = say(url, [user("When?")], stream=stream)
    assert (text, calls, why) == ("Let me look.\n\nIn 1861.", [], "stop")
    (result,) = provider.calls(MAIN)[1].tool_results
    assert FOUND in result
    assert "Panel: 2 of 2 answered" in result
    assert fusion["runs"][0]["question"] == "When was the Alder mill built?"
    assert fusion["runs"][0]["answer"] == FOUND
    assert "In Norrholm." in provider.calls("test/one")[0].prompt


@MODES
def test_calls_of_both_in_one_turn(provider, url, stream):
    provider.reply(MAIN, calling(read(), research()))
    text, (call,), why, _ = say(url, [user("When?")], stream=stream, tools=[READ_FILE])
    assert (call.function.name, json.loads(call.function.arguments), why) == (
        "read_file",
        {"path": "notes.md"},
        "tool_calls",
    )
    assert text.startswith("**Research: When was the Alder mill built?**")
    assert FOUND in text
    assert provider.counts[MAIN] == 1


@MODES
def test_required_with_no_tools_but_the_panel_forces_a_run(provider, url, stream):
    provider.reply(MAIN, calling(research()), "In 1861.")
    text, *_ = say(url, [user("When?")], stream=stream, tool_choice="required")
    first, second = provider.calls(MAIN)
    assert (first.body["tool_choice"], first.tools) == ("required", ["fusion_research"])
    assert "tool_choice" not in second.body
    assert (text, provider.counts[WRITER]) == ("In 1861.", 1)


def test_required_with_the_clients_tools_stays_so_after_research(provider, url):
    provider.reply(MAIN, calling(research()), calling(read()))
    _, calls, *_ = say(url, [user("When?")], stream=False, tools=[READ_FILE], tool_choice="required")
    assert [call.function.name for call in calls] == ["read_file"]
    assert [request.body["tool_choice"] for request in provider.calls(MAIN)] == ["required", "required"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        (
            {"type": "function", "function": {"name": "read_file"}},
            {"type": "function", "function": {"name": "read_file"}},
        ),
        (
            {"type": "function", "function": {"name": "fusion_research"}},
            {"type": "function", "function": {"name": "fusion_research"}},
        ),
    ],
)
def test_a_choice_reaches_the_model(provider, url, choice, sent):
    provider.reply(MAIN, "Hello.")
    say(url, [user("When?")], stream=False, tools=[READ_FILE], tool_choice=choice)
    assert provider.calls(MAIN)[0].body.get("tool_choice") == sent


def test_none_offers_nothing(provider, url):
    provider.reply(MAIN, "Hello.")
    say(url, [user("When?")], stream=False, tools=[READ_FILE], tool_choice="none")
    assert provider.calls(MAIN)[0].tools == []


def test_what_one_model_is_asked_with_is_passed_on(provider, url):
    provider.reply(MAIN, "Hello.")
    say(url, [user("Hi")], stream=False, temperature=0.5, max_tokens=50, stop=["\n"])
    body = provider.calls(MAIN)[0].body
    assert (body["temperature"], body["max_tokens"], body["stop"]) == (0.5, 50, ["\n"])


def test_the_bill_holds_the_main_models_calls_and_the_panels(provider, url):
    provider.reply(MAIN, Reply(tool_calls=[research()], cost=0.01), Reply("In 1861.", cost=0.02))
    reply = client(url).chat.completions.create(model="fusion-agent", messages=[user("When?")])
    assert reply.usage.prompt_tokens == 600
    assert reply.usage.cost == pytest.approx(0.28)


@MODES
def test_a_failed_run_is_told_to_the_model(provider, url, stream):
    for model in ("test/one", "test/two"):
        provider.reply(model, faults.unauthorized())
    provider.reply(MAIN, calling(research()), "I could not find out.")
    text, *_ = say(url, [user("When?")], stream=stream)
    assert text == "I could not find out."
    assert "no usable answer from the panel" in provider.calls(MAIN)[1].tool_results[0]


@MODES
def test_the_panel_is_asked_on_and_told_how_to_write(provider, url, stream):
    def last_id(request):
        return re.findall(r"\(id (\w+); Panel:", request.prompt)[-1]

    provider.reply(
        MAIN,
        calling(research(instructions="In French.", context="It is a water mill.")),
        calling(research("Who built it?", continues="1861")),
        lambda request: calling(research("Who built it?", continues=last_id(request), instructions=None)),
        "By Ida.",
    )
    text, _, _, fusion = say(url, [user("When, and by whom?")], stream=stream)
    first, second = fusion["runs"]
    assert (text, second["continues"], first["continues"]) == ("By Ida.", first["run_id"], None)
    assert ["In French." in request.prompt for request in provider.calls(WRITER)] == [True, False]
    assert "It is a water mill." in provider.calls("test/one")[0].prompt
    assert FOUND in provider.calls("test/one")[1].prompt
    assert f"no earlier answer has the id '1861'; take one of {first['run_id']}" in provider.calls(MAIN)[2].prompt


def test_a_call_that_makes_no_sense_is_told_to_the_model(provider, url):
    provider.reply(MAIN, calling(ToolCall("fusion_research", "{")), calling(ToolCall("fusion_research", {})), "Well.")
    text, *_ = say(url, [user("When?")], stream=False)
    assert text == "Well."
    assert "must be JSON with a 'question'" in provider.calls(MAIN)[2].tool_results[1]
    assert not provider.calls("test/one")


def test_broken_arguments_of_the_clients_own_tool_are_the_clients(provider, url):
    provider.reply(MAIN, calling(ToolCall("read_file", '{"path": ')))
    _, (call,), why, _ = say(url, [user("Read.")], stream=False, tools=[READ_FILE])
    assert (call.function.arguments, why) == ('{"path": ', "tool_calls")


def test_research_in_one_request_has_an_end(provider, url):
    provider.reply(MAIN, calling(research("one?"), research("two?")), calling(research("three?"), research("four?")))
    with pytest.raises(openai.BadRequestError, match="went on asking"):
        say(url, [user("When?")], stream=False)
    assert provider.counts[WRITER] == 3
    assert "no research is left" in provider.calls(MAIN)[2].prompt


@MODES
def test_a_main_model_that_fails_is_replaced_by_its_fallback(provider, stream):
    provider.reply(MAIN, faults.unauthorized())
    provider.reply("test/spare", "The spare answers.")
    config = panel("test/one", "test/two")
    with served(config, agent_model=main(fallbacks=("openrouter:test/spare",))) as url:
        assert say(url, [user("Hi")], stream=stream)[0] == "The spare answers."


def test_after_its_first_word_its_failure_ends_the_stream(provider):
    provider.reply(MAIN, Cut(Reply("The first words of an answer.", chunk_size=5), after=4))
    provider.reply("test/spare", "The spare answers.")
    agent = main(fallbacks=("openrouter:test/spare",))
    with served(panel("test/one"), agent_model=agent) as url, pytest.raises(openai.APIError) as failed:
        say(url, [user("Hi")], stream=True)
    assert (failed.value.code, failed.value.body["reason"]) == ("model_failed", "upstream_error")
    assert not provider.calls("test/spare")


def test_a_main_model_without_a_key(provider, url):
    provider.reply(MAIN, faults.unauthorized())
    with pytest.raises(openai.BadRequestError) as failed:
        say(url, [user("Hi")], stream=False)
    assert (failed.value.code, failed.value.body["reason"]) == ("model_failed", "auth")


def test_a_model_that_thinks_long_gives_signs_of_life(provider, url, monkeypatch):
    monkeypatch.setattr("fusion_tool.servers.openai.sse.SILENCE", 0.05)
    provider.reply(MAIN, Reply("At last.", delay=0.4))
    body = {"model": "fusion-agent", "stream": True, "messages": [user("Hi")]}
    text = httpx.post(f"{url}/chat/completions", json=body).text
    assert text.index(": still working") < text.index("At last.")


def test_by_default_the_synthesizer_is_the_main_model(provider):
    provider.reply(WRITER, "Hello.")
    with served(panel("test/one", "test/two")) as url:
        assert say(url, [user("Hi")], stream=False)[0] == "Hello."
    assert dict(provider.counts) == {WRITER: 1}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "fusion_research"}}]}, "tools"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "unknown"}}}, "tool_choice"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        ({"extra_body": {"fusion": {"models": ["gpt-9"]}}}, "models.0"),
    ],
)
def test_what_makes_no_sense(provider, url, more, param):
    with pytest.raises(openai.BadRequestError) as refused:
        say(url, stream=False, **{"messages": [user("Hi")]} | more)
    assert refused.value.param == param
    assert not provider.requests


@pytest.mark.parametrize("silent", [MAIN, "test/one", WRITER])
async def test_a_client_that_leaves_cancels_model_and_panel(provider, url, silent):
    provider.reply(MAIN, calling(research()), "In 1861.")
    provider.reply(silent, Hang())
    async with async_client(url) as asking:
        create = asking.chat.completions.create(model="fusion-agent", messages=[user("When?")])
        asked = asyncio.create_task(create)
        await provider.until(lambda: bool(provider.calls(silent)))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    await provider.until(lambda: silent in {left.model for left in provider.disconnects})
    await provider.until(lambda: provider.in_flight == 0)
