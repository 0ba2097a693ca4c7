"""What is tried again, what is tried elsewhere, and in which order."""

import pytest

from fusion_tool import PanelFailed, afuse
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Interrupted, Reply, faults

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


def seat(*models, **fields):
    first, *rest = (f"openrouter:{model}" for model in models)
    return {"model": first, "fallbacks": rest, **fields}


async def ask(*seats, **overrides):
    return await afuse(QUESTION, panel("test/x", **({"panel": seats} | overrides)))


FAULTS = [
    pytest.param(faults.unauthorized(), "auth", id="401"),
    pytest.param(faults.withdrawn("x"), "model_unavailable", id="withdrawn"),
    pytest.param(faults.context_overflow("openrouter"), "context_overflow", id="too long"),
    pytest.param(faults.rate_limited(0), "rate_limited", id="429 to the end"),
    pytest.param(Reply(""), "empty", id="empty"),
    pytest.param(Reply("", refusal="No."), "refused", id="refused"),
    pytest.param(Reply("Cut", finish_reason="length"), "truncated", id="truncated"),
    pytest.param(Reply("Cut", finish_reason="model_length"), "truncated", id="at the end of its window"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
async def test_a_seats_fallback_answers_in_its_place(provider, fault, reason):
    provider.reply("test/one", fault)
    result = await ask(seat("test/one", "test/second"), seat("test/two"))
    assert [(one.seat, one.model) for one in result.responses] == [
        ("one", "openrouter:test/second"),
        ("two", "openrouter:test/two"),
    ]
    assert [(row.model, row.reason) for row in result.failed_models] == [("openrouter:test/one", reason)]
    assert (result.status, result.degraded) == ("ok", [])


async def test_fallbacks_are_tried_in_order_and_no_further_than_needed(provider):
    provider.reply("test/one", faults.unauthorized())
    provider.reply("test/second", faults.withdrawn("x"))
    result = await ask(seat("test/one", "test/second", "test/third", "test/fourth"), seat("test/two"))
    assert result.responses[0].content == "The scripted answer of test/third."
    assert "test/fourth" not in provider.counts
    assert [row.reason for row in result.failed_models] == ["auth", "model_unavailable"]


async def test_a_seat_whose_every_model_fails_lists_each(provider):
    for model in ("test/one", "test/second"):
        provider.reply(model, faults.unauthorized())
    result = await ask(seat("test/one", "test/second"), seat("test/two"))
    assert [(row.seat, row.model) for row in result.failed_models] == [
        ("one", "openrouter:test/one"),
        ("one", "openrouter:test/second"),
    ]
    assert result.degraded == ["panel_reduced"]


async def test_a_failed_panel_lists_each_too(provider):
    provider.otherwise(faults.unauthorized())
    with pytest.raises(PanelFailed) as failure:
        await ask(seat("test/one", "test/second"), seat("test/two"))
    assert [row["model"].rpartition("/")[2] for row in failure.value.failed_models] == ["one", "second", "two"]


async def test_a_seats_settings_go_with_it_to_its_fallback(provider):
    provider.reply("test/one", faults.unauthorized())
    await ask(seat("test/one", "test/second", temperature=0.25, max_tokens=99, seed=7))
    for model in ("test/one", "test/second"):
        body = provider.calls(model)[0].body
        assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.25, 99, 7)


TRANSIENT = [
    pytest.param(faults.rate_limited(0), id="429"),
    pytest.param(faults.overloaded(0), id="503"),
    pytest.param(faults.http_error(502, "Provider returned error", headers={"Retry-After": "0"}), id="502"),
    pytest.param(faults.http_error(500, "Oops", headers={"Retry-After": "0"}), id="500"),
    pytest.param(Interrupted(code=502), id="502 under status 200"),
    pytest.param(Interrupted(code=429), id="429 under status 200"),
]


@pytest.mark.parametrize("fault", TRANSIENT)
async def test_what_passes_is_tried_again_and_leaves_no_trace_but_on_the_bill(provider, fault):
    provider.reply("test/one", fault, "1861.")
    result = await ask(seat("test/one"), seat("test/two"))
    assert (provider.counts["test/one"], result.responses[0].content) == (2, "1861.")
    assert (result.failed_models, result.degraded) == ([], [])
    may_be_charged = isinstance(fault, Interrupted)
    rows = [row.seat for row in result.usage.calls if row.stage == "panelist"]
    assert rows == ["one"] * may_be_charged + ["one", "two"]


PERMANENT = [faults.unauthorized(), faults.no_credit(), faults.flagged(), faults.withdrawn("x")]


@pytest.mark.parametrize("fault", PERMANENT)
async def test_what_does_not_pass_is_not_tried_again(provider, fault):
    provider.reply("test/one", fault)
    await ask(seat("test/one"), seat("test/two"))
    assert provider.counts["test/one"] == 1


async def test_the_message_of_an_error_under_status_200_is_the_providers(provider):
    provider.reply("test/one", Interrupted(code=400, message="The provider is on holiday"))
    result = await ask(seat("test/one"), seat("test/two"))
    assert result.failed_models[0].message == "openrouter:test/one: The provider is on holiday"
