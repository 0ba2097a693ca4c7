"""Replies as endpoints are reported to send them, each through a whole run: no paid answer, call or cause is lost."""

import json
from pathlib import Path

import pytest

from fusion_tool import PanelFailed, afuse, astream
from fusion_tool.graph.agents.answers import assign_letters
from fusion_tool.graph.agents.judge import restore_names
from fusion_tool.graph.result import Analysis
from tests.integration.panel import JUDGE, QUESTION, WRITER, deltas, nonce, panel, text, verdict
from tests.scripted_server import Raw, Reply, faults
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback

SEAT, SPARE = "test/seat", "test/spare"
FILE = Path(__file__).parents[1] / "data" / "wire_cases.jsonl"
CASES = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
ANSWER = "The tide rose."
SAYS = {
    "error: a JSON list": "Please use a valid role",
    "error: HTML": "400 Bad Request",
    "error under 200: object error": "maximum context length",
    "error under 200: detail": "Service overloaded",
}
"""The provider's own sentence, where nothing but the seat's row can tell it."""


def of_kind(*kinds):
    rows = [case for case in CASES if case["id"].split(":")[0] in kinds and case["kind"] != "judge"]
    assert rows
    return pytest.mark.parametrize("case", rows, ids=[case["id"] for case in rows])


@pytest.fixture(autouse=True)
def world(provider, internet, monkeypatch):
    monkeypatch.setattr("fusion_tool.models.faults._jitter", lambda _: 0.0)
    provider.otherwise(ANSWER)
    provider.reply(SPARE, faults.unauthorized())
    provider.reply(JUDGE, verdict())
    internet.page("/", text("The tide rose in Brest."))
    internet.hits(Hit(internet.url("/"), "Brest", "a snippet"))


def script(provider, case, model=SEAT):
    """Have `model` answer with the case's replies, then plainly."""
    replies = [
        Raw(
            reply["body"].encode(),
            status=reply["status"],
            content_type=reply["headers"].get("content-type", "application/json"),
        )
        for reply in case["replies"]
    ]
    provider.reply(model, *replies, ANSWER)


async def alone(provider, internet, case, *, tools):
    """The run of one seat; where there might be an extra call, every call streams."""
    streams = "streamed" in case["kind"] and "streamed and not" not in case["kind"]
    spare = {"hedge": 0.01, "panel": ({"model": f"openrouter:{SEAT}", "fallbacks": [f"openrouter:{SPARE}"]},)}
    config = panel(SEAT, internet=internet if tools else None, **({"strategy": "solo"} | (spare if streams else {})))
    result = await afuse(QUESTION, config)
    assert {request.stream for request in provider.calls(SEAT)} == {streams}
    return result


@of_kind("tool call", "tool call, streamed", "tool call as text")
async def test_a_tool_call_is_made_and_answered(provider, internet, case):
    script(provider, case)
    result = await alone(provider, internet, case, tools=True)
    (response,) = result.responses
    assert (response.content, result.failed_models) == (ANSWER, [])
    assert response.tool_calls >= 1 or "missing" in case["expect"]["then"]
    sent = [message for message in provider.calls(SEAT)[1].messages if message.get("tool_calls")]
    ids = [call["id"] for message in sent for call in message["tool_calls"]]
    assert all(isinstance(call_id, str) and call_id for call_id in ids)
    assert len(set(ids)) == len(ids)
    for message in sent:
        assert all(json.loads(call["function"]["arguments"]) is not None for call in message["tool_calls"])
    answered = [message["tool_call_id"] for message in provider.calls(SEAT)[1].messages if message["role"] == "tool"]
    assert sorted(answered) == sorted(ids)


CALL = '<tool_call>\n{"name": "web_search", "arguments": {"query": "tide brest"}}\n</tool_call>'


@pytest.mark.parametrize(
    "reply",
    [Reply(reasoning=CALL, reasoning_field="reasoning_content"), Reply(f"<think>I look.\n{CALL}\n</think>")],
    ids=["field", "tags"],
)
async def test_a_call_that_was_taken_for_reasoning_is_made(provider, internet, reply):
    provider.reply(SEAT, reply, ANSWER)
    result = await alone(provider, internet, {"kind": "tool loop"}, tools=True)
    (response,) = result.responses
    assert (response.content, response.tool_calls, result.failed_models) == (ANSWER, 1, [])


@of_kind("stream", "no stream", "leaked reasoning", "no leak")
async def test_an_answer_is_kept(provider, internet, case):
    script(provider, case)
    result = await alone(provider, internet, case, tools=False)
    whole = json.loads(case["replies"][0]["body"])["choices"][0]["message"] if case["id"].startswith("no leak") else {}
    assert result.responses[0].content == whole.get("content", case["expect"]["answer"])


@of_kind("leaked reasoning", "no leak")
async def test_no_reasoning_is_in_the_deltas_of_a_live_answer(provider, case):
    content = json.loads(case["replies"][0]["body"])["choices"][0]["message"]["content"]
    provider.reply(SPARE, ANSWER)
    provider.reply(WRITER, Reply(content, chunk_size=7))
    events = [event async for event in astream(QUESTION, panel(SEAT, SPARE))]
    answer = content if case["id"].startswith("no leak") else case["expect"]["answer"]
    assert events[-1]["result"]["answer"] == deltas(events) == answer


@of_kind("stream", "no stream")
@pytest.mark.parametrize("label", ["application/json", "text/event-stream", "text/plain", "application/x-ndjson"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_body_is_read_whatever_its_label_says(provider, internet, case, label, streamed):
    replies = [reply | {"headers": {"content-type": label}} for reply in case["replies"]]
    script(provider, case | {"replies": replies})
    result = await alone(provider, internet, case | {"kind": "answer, streamed" if streamed else "answer"}, tools=False)
    assert (result.responses[0].content, result.failed_models) == (ANSWER, [])


@of_kind("usage")
async def test_usage_is_counted_once_and_believed_where_it_can_be(provider, internet, case):
    script(provider, case)
    result = await alone(provider, internet, case, tools=False)
    (row,) = [row for row in result.usage.calls if SEAT in row.model]
    expected = {name: value for name, value in case["expect"]["usage"].items() if not isinstance(value, str)}
    assert {name: getattr(row, name) for name in expected} == expected
    assert row.cost_usd is None or row.cost_usd >= 0


@of_kind("error", "error under 200")
async def test_an_error_that_passes_is_tried_again_and_any_other_tells_its_cause(provider, internet, case):
    script(provider, case)
    if case["id"] not in SAYS:
        result = await alone(provider, internet, case, tools=False)
        assert (result.responses[0].content, result.failed_models) == (ANSWER, [])
        return
    (reply,) = case["replies"]
    provider.reply(SEAT, *[Raw(reply["body"].encode(), status=reply["status"])] * 4)
    with pytest.raises(PanelFailed) as failure:
        await alone(provider, internet, case, tools=False)
    (row,) = failure.value.failed_models
    assert SAYS[case["id"]] in row["message"]
    assert "<" not in row["message"]
    assert row["reason"] == case["expect"].get("reason", row["reason"])


async def judged(provider, case):
    """The run of two seats whose judge replies as the case says."""
    replies = [Raw(reply["body"].encode(), status=reply["status"]) for reply in case["replies"]]
    for seat, said in (("test/a", "A says 3.4 m."), ("test/b", "B says 4 m.")):
        provider.reply(seat, said)
    provider.reply(JUDGE, *replies, verdict())
    provider.reply(WRITER, ANSWER)
    return await afuse(QUESTION, panel("test/a", "test/b"))


JUDGED = [case for case in CASES if case["id"].startswith("judge:")]


@pytest.mark.parametrize("case", JUDGED, ids=[case["id"] for case in JUDGED])
async def test_the_judges_json_is_read_without_asking_again(provider, case):
    result = await judged(provider, case)
    letters = assign_letters(["a", "b"], nonce=nonce(provider.calls(JUDGE)[0]))
    names = {letter: f"openrouter:test/{seat}" for letter, seat in letters.items()}
    assert result.analysis == restore_names(Analysis.model_validate(case["expect"]["analysis"]), names)
    assert provider.counts[JUDGE] == case["expect"]["judge_calls"]
    assert result.degraded == case["expect"].get("degraded", [])


async def test_a_judge_whose_window_is_too_small_is_asked_again_with_packed_answers(provider):
    (case,) = [case for case in CASES if case["id"] == "error: overflow inside metadata.raw"]
    result = await judged(provider, case)
    first, second = provider.calls(JUDGE)
    assert len(second.prompt) < len(first.prompt)
    assert result.degraded == ["answers_packed"]
    assert result.analysis is not None


@of_kind("ending")
async def test_a_part_is_no_whole_answer(provider, internet, case):
    script(provider, case)
    result = await alone(provider, internet, case, tools=False)
    kept = result.responses[0].content
    if "answer" in case["expect"]:
        assert (kept, provider.counts[SEAT], result.failed_models) == (ANSWER, 2, [])
    else:
        assert (kept, result.degraded) == ("The tide", ["panel_reduced", "answer_truncated"])
        assert [row.reason for row in result.failed_models if SPARE not in row.model] == ["truncated"]


def own_server(provider, **overrides):
    seat = {"model": SEAT, "base_url": provider.url, **overrides}
    return panel(SEAT, panel=(seat,), strategy="solo", limits={"tokens": 50_000})


@of_kind("parameter")
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_refused_max_tokens_is_asked_again_and_remembered(provider, case, streamed):
    spare = {"fallbacks": [f"openrouter:{SPARE}"]} if streamed else {}
    config = own_server(provider, **spare).model_copy(update={"hedge": 0.01 if streamed else None})
    for _ in range(2):
        provider.on(
            lambda request: request.model == SEAT and "max_tokens" in request.body,
            Raw(case["replies"][0]["body"].encode(), status=400),
        )
        provider.reply(SEAT, ANSWER)
        result = await afuse(QUESTION, config)
        assert (result.answer, result.failed_models) == (ANSWER, [])
    named = [[name for name in request.body if name.startswith("max_")] for request in provider.calls(SEAT)]
    assert named == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]
    assert {request.stream for request in provider.calls(SEAT)} == {streamed}


@of_kind("local 404 is not remembered")
async def test_a_404_of_a_server_of_ones_own_is_not_remembered(provider, case):
    provider.reply(SEAT, Raw(case["replies"][0]["body"].encode(), status=404), ANSWER)
    config = own_server(provider)
    with pytest.raises(PanelFailed):
        await afuse(QUESTION, config)
    result = await afuse(QUESTION, config)
    assert (result.answer, result.failed_models) == (ANSWER, [])
