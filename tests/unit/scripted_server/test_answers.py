"""What a client reads of a reply."""

import json

import openai
import pytest

from tests.scripted_server import Reply, ToolCall, Usage, cited
from tests.unit.scripted_server.talk import USER, ask, said, streamed

pytestmark = pytest.mark.loopback


async def test_openai_reads_every_field(scripted, client):
    scripted.reply(
        "vendor/a",
        Reply(
            "Most of the votes.",
            reasoning="They asked for a word.",
            usage=Usage(prompt=50, completion=7, cached=40, reasoning=3),
            cost=0.0012,
            provider="Vendor",
            annotations=[cited("https://example.org/q", "Quorum")],
            model="vendor/a-2026",
        ),
    )
    answer = await client.chat.completions.create(model="vendor/a", messages=USER)
    message = answer.choices[0].message
    assert (message.content, message.reasoning) == ("Most of the votes.", "They asked for a word.")
    assert message.annotations[0].url_citation.url == "https://example.org/q"
    assert (answer.model, answer.provider, answer.choices[0].finish_reason) == ("vendor/a-2026", "Vendor", "stop")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.cost) == (50, 7, 57, 0.0012)
    assert usage.prompt_tokens_details.cached_tokens == 40
    assert usage.completion_tokens_details.reasoning_tokens == 3


async def test_a_stream_carries_the_same_answer(scripted, client):
    text, reasoning = "Most of the votes; never fewer than half of them. ü", "They asked for a word, they get one."
    annotations = [cited("https://example.org/q", "Quorum")]
    scripted.reply("vendor/a", Reply(text, reasoning=reasoning, cost=0.5, provider="Vendor", annotations=annotations))
    chunks = [
        chunk
        async for chunk in await client.chat.completions.create(
            model="vendor/a", messages=USER, stream=True, stream_options={"include_usage": True}
        )
    ]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == text
    assert "".join(getattr(delta, "reasoning", "") for delta in deltas) == reasoning
    assert [a["url_citation"]["title"] for d in deltas for a in getattr(d, "annotations", [])] == ["Quorum"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.cost, chunks[-1].provider) == (100, 0.5, "Vendor")


@pytest.mark.parametrize("arguments", [{"query": "quorum size"}, '{"query": "quo', ""])
def test_tool_calls_are_whole_or_in_pieces(scripted, arguments):
    scripted.reply("vendor/a", Reply(tool_calls=[ToolCall("web_search", arguments), ToolCall("fetch_page", id="c2")]))
    choice = ask(scripted).json()["choices"][0]
    whole = choice["message"]["tool_calls"]
    sent = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"
    assert [call["function"] for call in whole] == [
        {"name": "web_search", "arguments": sent},
        {"name": "fetch_page", "arguments": "{}"},
    ]
    assert whole[1]["id"] == "c2"
    pieces = [
        call for event in streamed(scripted)[0] for c in event["choices"] for call in c["delta"].get("tool_calls", ())
    ]
    assert "".join(p["function"]["arguments"] for p in pieces if p["index"] == 0) == sent
    assert [p["function"]["name"] for p in pieces if "id" in p] == ["web_search", "fetch_page"]


def test_call_ids_differ_from_turn_to_turn(scripted):
    scripted.reply("vendor/a", Reply(tool_calls=[ToolCall("web_search"), ToolCall("web_search")]))
    ids = [c["id"] for _ in range(2) for c in ask(scripted).json()["choices"][0]["message"]["tool_calls"]]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(""), {"content": "", "refusal": None}),
        (Reply(refusal="I can't help with that."), {"content": None, "refusal": "I can't help with that."}),
    ],
)
def test_nothing_said_and_refusal(scripted, reply, expected):
    scripted.otherwise(reply)
    message = ask(scripted).json()["choices"][0]["message"]
    assert {key: message[key] for key in expected} == expected
    events, _, done = streamed(scripted)
    assert done
    refusal = "".join(choice["delta"].get("refusal", "") for event in events for choice in event["choices"])
    assert refusal == (expected["refusal"] or "")


@pytest.mark.parametrize("reason", ["length", "content_filter", "error"])
def test_the_finish_reason_is_the_scripts(scripted, reason):
    scripted.otherwise(Reply("half", finish_reason=reason))
    assert ask(scripted).json()["choices"][0]["finish_reason"] == reason
    assert streamed(scripted)[0][-1]["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize(
    ("asked", "seen"),
    [({}, False), ({"stream_options": {"include_usage": True}}, True), ({"usage": {"include": True}}, True)],
)
def test_a_stream_reports_usage_to_those_who_ask(scripted, asked, seen):
    assert any("usage" in event for event in streamed(scripted, **asked)[0]) is seen


def test_what_a_provider_does_not_say_is_absent(scripted):
    scripted.reply("vendor/a", Reply("x"), Reply("x", usage=None))
    first, second = ask(scripted).json(), ask(scripted).json()
    assert "cost" not in first["usage"]
    assert not {"usage", "provider"} & set(second)
    assert "reasoning" not in second["choices"][0]["message"]


@pytest.mark.parametrize("comments", [0, 1, 3])
def test_comment_lines_come_first(scripted, comments):
    scripted.otherwise(Reply("x", comments=comments))
    assert streamed(scripted)[1] == [": OPENROUTER PROCESSING"] * comments


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunk_size_is_in_characters(scripted, size):
    scripted.otherwise(Reply("abcdefghij" * 3, chunk_size=size))
    pieces = [c["delta"].get("content") for event in streamed(scripted)[0] for c in event["choices"]]
    assert [len(piece) for piece in pieces if piece][:-1] == [size] * (-(-30 // size) - 1)


@pytest.mark.parametrize("stream", [False, True])
def test_delays_change_nothing_of_what_is_said(scripted, stream):
    scripted.reply("vendor/a", Reply("slow words", delay=0.001, chunk_delay=0.001, chunk_size=3), "slow words")
    if stream:
        assert [e["choices"][0]["delta"] for e in streamed(scripted)[0] if e["choices"]][1]["content"] == "slo"
    else:
        assert said(scripted) == "slow words"


def test_the_sync_client_reads_it_too(scripted):
    scripted.otherwise("plain")
    with openai.OpenAI(base_url=f"{scripted.root}/api/v1", api_key="sk-test", max_retries=0) as client:
        assert client.chat.completions.create(model="m", messages=USER).choices[0].message.content == "plain"
