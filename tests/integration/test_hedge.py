"""A seat whose model is silent for too long: its fallback is asked beside it, and whoever begins answers."""

import asyncio
from dataclasses import replace

import pytest

import fusion_tool.models.openai_compatible  # noqa: F401 - its import would take the seconds that a seat has here
from fusion_tool import PanelFailed, Panelist, afuse
from fusion_tool.models import streaming
from fusion_tool.models.hedging import allowance_for
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, reads, searches, text, verdict
from tests.scripted_server import Cut, Gate, Hang, Reply, ToolCall, Usage, faults
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback

SLOW, SPARE, OTHER = "test/slow", "test/spare", "test/other"
SEAT = Panelist(model=f"openrouter:{SLOW}", fallbacks=(f"openrouter:{SPARE}",))
MILL = "The Alder mill was built in 1861."


@pytest.fixture(autouse=True)
def world(provider, monkeypatch):
    """Models, of which the slow one is known to begin at once."""
    monkeypatch.setattr(streaming, "_observations", {})
    allowance_for.cache_clear()
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, MILL)
    usually(0.0)


def usually(seconds):
    """Let the slow model be known to begin within `seconds`, from its next call on."""
    for _ in range(50):
        streaming.record_first_token(SEAT, seconds)


def config(seat=SEAT, *, hedge=1.0, **options):
    """The slow seat beside another one; each call earns an extra one."""
    return panel(OTHER, hedge=hedge, **options).model_copy(
        update={"panel": (seat, Panelist(model=f"openrouter:{OTHER}"))}
    )


def rows(result, seat="slow"):
    """A seat's rows of the bill by model: model, tokens, dollars."""
    calls = [row for row in result.usage.calls if row.seat == seat]
    return sorted(((row.model, row.input_tokens, row.cost_usd) for row in calls), key=lambda row: row[0])


async def test_a_silent_models_fallback_answers_and_the_request_is_cut_on_the_wire(provider):
    provider.reply(SLOW, Hang())
    provider.reply(SPARE, Reply(MILL, usage=Usage(70, 9), cost=0.003))
    result = await afuse(QUESTION, config())
    answer = result.responses[0]
    assert (answer.seat, answer.model, answer.content) == ("slow", f"openrouter:{SPARE}", MILL)
    assert (result.status, result.degraded, result.failed_models) == ("ok", [], [])
    assert rows(result) == [(f"openrouter:{SLOW}", None, None), (f"openrouter:{SPARE}", 70, 0.003)]
    assert provider.counts[SPARE] == 1
    await provider.until(lambda: [left.model for left in provider.disconnects] == [SLOW])


async def test_a_model_that_begins_after_all_answers_and_the_extra_request_is_cut(provider):
    gate = Gate()
    provider.reply(SLOW, Reply(MILL, gate=gate, cost=0.002))
    provider.reply(SPARE, Hang())
    run = asyncio.create_task(afuse(QUESTION, config()))
    await provider.until(lambda: provider.counts[SPARE] == 1)
    gate.open()
    result = await run
    assert (result.responses[0].model, result.degraded) == (f"openrouter:{SLOW}", [])
    assert rows(result) == [(f"openrouter:{SLOW}", 100, 0.002), (f"openrouter:{SPARE}", None, None)]
    await provider.until(lambda: [left.model for left in provider.disconnects] == [SPARE])


async def test_a_model_that_begins_in_time_is_asked_alone(provider):
    usually(60.0)
    result = await afuse(QUESTION, config())
    assert result.responses[0].model == f"openrouter:{SLOW}"
    assert provider.counts[SPARE] == 0
    assert [request.stream for request in provider.calls(SLOW)] == [True]


async def test_how_long_a_model_takes_to_begin_is_learned_from_its_calls(provider):
    streaming._observations.clear()
    for _ in range(10):
        assert streaming.first_token_p90(SEAT) is None
        await afuse(QUESTION, config(hedge=0.1))
    assert 0 < streaming.first_token_p90(SEAT) < 5
    assert provider.counts[SPARE] == 0


async def test_a_model_that_fails_while_its_fallback_is_asked(provider):
    gate, spares = Gate(), Gate()
    provider.reply(SLOW, replace(faults.unauthorized(), gate=gate))
    provider.reply(SPARE, Reply(MILL, gate=spares))
    run = asyncio.create_task(afuse(QUESTION, config()))
    await provider.until(lambda: provider.counts[SPARE] == 1)
    gate.open()
    await provider.until(lambda: provider.in_flight == 1)
    spares.open()
    result = await run
    assert (result.responses[0].model, result.failed_models) == (f"openrouter:{SPARE}", [])
    assert (provider.counts[SLOW], provider.counts[SPARE]) == (1, 1)


async def test_an_extra_call_that_fails_does_no_harm(provider):
    gate = Gate()
    provider.reply(SLOW, Reply(MILL, gate=gate))
    provider.reply(SPARE, faults.unauthorized())
    run = asyncio.create_task(afuse(QUESTION, config()))
    await provider.until(lambda: provider.counts[SPARE] == 1 and provider.in_flight == 1)
    for _ in range(100):  # what the server has sent is read in a turn of the loop, or the next
        await asyncio.sleep(0)
    gate.open()
    result = await run
    assert (result.responses[0].model, result.failed_models) == (f"openrouter:{SLOW}", [])
    assert [model for model, *_ in rows(result)] == [f"openrouter:{SLOW}"]


async def test_whoever_began_and_broke_off_is_named(provider):
    provider.reply(SLOW, Hang())
    provider.reply(SPARE, Cut(Reply(MILL), after=2), faults.unauthorized())
    result = await afuse(QUESTION, config())
    assert [(row.seat, row.model, row.reason) for row in result.failed_models] == [
        ("slow", f"openrouter:{SPARE}", "upstream_error"),
        ("slow", f"openrouter:{SPARE}", "auth"),
    ]


async def test_and_the_ladder_goes_on(provider):
    provider.reply(SLOW, Hang())
    provider.reply(SPARE, Cut(Reply(MILL), after=2), MILL)
    result = await afuse(QUESTION, config())
    assert (result.responses[0].model, result.status) == (f"openrouter:{SPARE}", "ok")
    assert provider.counts[SLOW] == 1
    assert [(model, cost) for model, _, cost in rows(result)] == [
        (f"openrouter:{SLOW}", None),
        (f"openrouter:{SPARE}", None),
        (f"openrouter:{SPARE}", None),
    ]


async def test_the_run_is_cancelled_with_both(provider):
    provider.reply(SLOW, Hang())
    provider.reply(SPARE, Hang())
    provider.reply(OTHER, Hang())
    run = asyncio.create_task(afuse(QUESTION, config()))
    await provider.until(lambda: provider.in_flight == 3)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await provider.until(lambda: sorted(left.model for left in provider.disconnects) == [OTHER, SLOW, SPARE])


async def test_a_quorum_cuts_both(provider):
    provider.reply(SLOW, Hang())
    provider.reply(SPARE, Hang())
    gate = Gate()
    provider.reply(OTHER, Reply(MILL, gate=gate))
    run = asyncio.create_task(afuse(QUESTION, config(limits={"quorum": 1, "grace_seconds": 0})))
    await provider.until(lambda: provider.counts[SPARE] == 1)
    gate.open()
    result = await run
    assert [(row.seat, row.reason) for row in result.failed_models] == [("slow", "straggler")]
    assert [cost for _, _, cost in rows(result)] == [None, None]
    await provider.until(lambda: sorted(left.model for left in provider.disconnects) == [SLOW, SPARE])


ALONE = [
    pytest.param(SEAT, {"hedge": None}, 1, id="hedging is off"),
    pytest.param(Panelist(model=SEAT.model), {}, 0, id="there is no fallback"),
    pytest.param(SEAT, {"hedge": 0.5}, 1, id="the share is used up"),
]


@pytest.mark.parametrize(("seat", "options", "ladder"), ALONE)
async def test_where_no_extra_call_is_made_the_silence_lasts_until_the_deadline(provider, seat, options, ladder):
    """Then the ladder's next step is taken, where there is one; at once, a second call would be on the bill."""
    provider.reply(SLOW, Hang())
    await afuse(QUESTION, config(seat, limits={"seat_seconds": 1.2}, **options))
    assert provider.counts[SPARE] == ladder
    slow = provider.calls(SLOW)[0]
    assert all(spare.time - slow.time > 0.6 for spare in provider.calls(SPARE))
    assert slow.stream is (options.get("hedge", 1.0) is not None and bool(seat.fallbacks))
    assert provider.calls(OTHER)[0].stream is False


async def test_a_call_that_the_limits_do_not_allow_is_not_made(provider):
    """The silent one has all that there is; what it spent is unknown, and counts in full."""
    provider.reply(SLOW, Hang())
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, config(strategy="solo", limits={"tokens": 4000, "seat_seconds": 0.4}))
    assert [row["reason"] for row in failure.value.failed_models] == ["timeout", "budget"]
    assert provider.counts[SPARE] == 0


async def test_one_that_they_allow_is_made_within_them(provider):
    provider.reply(SLOW, Hang())
    provider.reply(SPARE, Reply(MILL, cost=0.003))
    result = await afuse(QUESTION, config(strategy="solo", limits={"tokens": 40_000}))
    assert (result.responses[0].model, result.status) == (f"openrouter:{SPARE}", "ok")


TOOLS = [pytest.param(0, id="first"), pytest.param(1, id="second"), pytest.param(2, id="third")]


@pytest.mark.parametrize("turn", TOOLS)
async def test_in_the_tools_loop_whoever_answered_last_goes_on(provider, internet, turn):
    """Whatever the first model has found is in the messages that the second one gets."""
    internet.page("/mill", text(MILL))
    internet.hits(Hit(internet.url("/mill"), "The mill", "a snippet"))
    script = [searches(), reads(internet.url("/mill")), f"In 1861 {cite(internet.url('/mill'))}."]
    usually(60.0 if turn else 0.0)

    def last_quick_one(_):
        usually(0.0)
        return script[turn - 1]

    quick = [*script[: turn - 1], last_quick_one] if turn else []
    provider.reply(SLOW, *quick, Hang())
    provider.reply(SPARE, *script[turn:])
    result = await afuse(QUESTION, config(internet=internet))
    assert (result.responses[0].model, result.responses[0].tool_calls) == (f"openrouter:{SPARE}", 2)
    assert result.responses[0].audit.supported == 1
    assert provider.counts[SLOW] == turn + 1
    assert [len(request.tool_results) for request in provider.calls(SPARE)] == list(range(turn, 3))
    assert provider.calls(SLOW)[turn].messages == provider.calls(SPARE)[0].messages
    assert provider.calls(SLOW)[turn].tools == provider.calls(SPARE)[0].tools
    assert len(rows(result)) == 4  # three turns, and the cut call
    await provider.until(lambda: [left.model for left in provider.disconnects] == [SLOW])


async def test_a_cut_off_tool_call_is_not_made_up_from_its_beginning(provider, internet):
    broken = Reply(tool_calls=[ToolCall("web_search", '{"query": "mi')])
    provider.reply(SLOW, broken, MILL)
    usually(60.0)
    await afuse(QUESTION, config(internet=internet))
    (told,) = provider.calls(SLOW)[1].tool_results
    assert "JSON" in told
    assert "mi" not in internet.queries
