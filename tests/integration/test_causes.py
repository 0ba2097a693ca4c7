"""What a failed run tells: the provider's own sentence, who was asked and the cure; and whom it blames."""

import json

import pytest

from fusion_tool import PanelFailed, afuse
from fusion_tool.models.health import TRACKER
from tests.integration.panel import JUDGE, QUESTION, panel, verdict
from tests.scripted_server import Hang, Raw, Reply, ToolCall
from tests.scripted_server.faults import context_overflow, http_error, openai_error, unsupported

pytestmark = pytest.mark.loopback

SEAT = "test/seat"
HIDDEN = {"raw": '{"error": {"message": "The key was revoked"}}', "provider_name": "DeepThought"}


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())


@pytest.fixture
def recorded(monkeypatch):
    """How calls ended, as far as it counts for the models' health."""
    outcomes = []
    monkeypatch.setattr(TRACKER, "record", outcomes.append)
    return outcomes


async def failure(**overrides):
    """The one seat's row of a run that fails."""
    with pytest.raises(PanelFailed) as failed:
        await afuse(QUESTION, panel(SEAT, strategy="solo", **overrides))
    (row,) = failed.value.failed_models
    return row


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_names_model_provider_sentence_and_variable(provider, status):
    provider.reply(SEAT, http_error(status, "Provider returned error", metadata=HIDDEN))
    row = await failure()
    assert row["reason"] == "auth"
    assert row["message"] == (f"openrouter:{SEAT}: DeepThought: The key was revoked (its key is in OPENROUTER_API_KEY)")


async def test_a_server_that_wants_a_key_is_sent_none_unless_its_variable_is_named(provider):
    provider.reply(SEAT, http_error(401, "No key"))
    row = await failure(panel=({"model": SEAT, "base_url": provider.url},))
    host = provider.url.split("/")[2]
    cure = "no key was sent: name the variable that holds one in api_key_env"
    assert row["message"] == f"{SEAT} at {host}: No key ({cure})"


async def test_a_refused_connection_tells_the_address_and_the_cure(monkeypatch):
    monkeypatch.setattr("fusion_tool.models.faults._jitter", lambda _: 0.0)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-0123456789abcdef")
    cures = {
        "ollama:qwen3:8b": "start it (ollama serve), or set OLLAMA_HOST",
        "openrouter:a/b": "the address is that in OPENROUTER_BASE_URL",
        "m": "start the server there, or correct base_url",
    }
    for model, cure in cures.items():
        own = {"base_url": "http://127.0.0.1:9/v1"} if model == "m" else {}
        row = await failure(panel=({"model": model, **own},))
        assert row["reason"] == "upstream_error"
        assert row["message"].startswith(model)
        assert "no connection to http://127.0.0.1:9/v1 (" in row["message"]
        assert row["message"].endswith(cure)


async def test_an_address_that_serves_something_else_is_told_with_what_sets_it(provider):
    host = provider.url.removesuffix("/v1")
    provider.reply(SEAT, Raw(b"404 page not found", 404, "text/plain"))
    row = await failure(panel=({"model": SEAT, "base_url": provider.url},))
    assert f"nothing is served at {provider.url}: start the server there, or correct base_url" in row["message"]
    row = await failure()
    assert "the address is that in OPENROUTER_BASE_URL" in row["message"]
    assert host in row["message"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(context_overflow("vllm"), "context_overflow", id="an over-long question"),
        pytest.param(
            openai_error(
                429, "Request too large for m on tokens per minute: Limit 6000, Requested 9000", kind="t", code="x"
            ),
            "context_overflow",
            id="a question longer than a minute's limit",
        ),
        pytest.param(http_error(400, "invalid unicode code point in messages"), "upstream_error", id="unreadable"),
        pytest.param(unsupported("response_format"), "upstream_error", id="a refused parameter"),
    ],
)
async def test_what_the_request_is_to_blame_for_does_not_count_against_the_model(provider, recorded, reply, reason):
    provider.reply(SEAT, reply)
    assert (await failure())["reason"] == reason
    assert {outcome.reason for outcome in recorded} <= {"cancelled", "context_overflow"}
    assert provider.counts[SEAT] == 1


async def test_a_short_deadline_does_not_count_against_the_model(provider, recorded):
    provider.reply(SEAT, Hang())
    row = await failure(limits={"seconds": 1})
    assert row["reason"] == "timeout"
    assert [outcome.reason for outcome in recorded] == ["cancelled"]


async def test_a_model_that_is_silent_for_long_is_to_blame(provider, recorded, monkeypatch):
    monkeypatch.setattr("fusion_tool.models.call._FAIR_SECONDS", 0.1)
    provider.reply(SEAT, Hang())
    await failure(limits={"seconds": 1})
    assert [outcome.reason for outcome in recorded] == ["timeout"]


@pytest.mark.parametrize("where", ["question", "context"])
async def test_a_lone_surrogate_is_replaced_and_costs_nothing(provider, recorded, where):
    provider.otherwise("The tide rose.")
    text = {"question": QUESTION, "context": "It is known."} | {where: "When \ud800 was \udc80 it?"}
    result = await afuse(text["question"], panel("test/one", "test/two"), context=text["context"])
    assert (result.answer, result.failed_models) == ("The tide rose.", [])
    assert "When \ufffd was \ufffd it?" in provider.calls("test/one")[0].prompt
    assert {outcome.reason for outcome in recorded} == {None}
    assert json.loads(result.model_dump_json())


@pytest.mark.parametrize("says", ["", "I will search for this first."])
@pytest.mark.parametrize("arguments", [{"query": "mill"}, '{"query": "mi'])
async def test_a_tool_call_that_was_not_offered_is_no_answer(provider, says, arguments):
    provider.reply(SEAT, Reply(says, tool_calls=[ToolCall("web_search", arguments)]))
    row = await failure()
    assert row["reason"] == "invalid_output"
    assert "called a tool" in row["message"]


@pytest.mark.parametrize(
    ("answer", "finish_reason"), [("The mill was built in 1861. " * 12, None), ("1861.", "stop"), ("1861.", "END_TURN")]
)
async def test_an_answer_beside_a_tool_call_that_was_not_offered_is_kept(provider, answer, finish_reason):
    call = ToolCall("web_search", {"query": "mill"})
    provider.reply(SEAT, Reply(answer, tool_calls=[call], finish_reason=finish_reason))
    assert (await afuse(QUESTION, panel(SEAT, strategy="solo"))).answer == answer.strip()


async def test_a_body_that_is_no_json_tells_what_it_is(provider):
    provider.reply(SEAT, Raw(b"<html><title>Bad gateway</title></html>", status=400, content_type="text/html"))
    assert (await failure())["message"] == f"openrouter:{SEAT}: Bad gateway"
