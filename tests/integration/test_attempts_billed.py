"""Every attempt that a provider may charge for is reserved and billed by itself, however a call is made again."""

import asyncio
import math
import re
from collections import Counter
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool import BudgetExceeded, PanelFailed, afuse, astream
from fusion_tool.config.schema import Panelist
from fusion_tool.models import faults, streaming
from fusion_tool.models.hedging import allowance_for
from tests.integration.charging import FATES, FREE, Till
from tests.integration.panel import KEY, QUESTION, panel
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.loopback

ONE, TWO, SPARE, JUDGE = (
    "openai/gpt-5.4-mini",
    "anthropic/claude-opus-4.8",
    "z-ai/glm-5",
    "google/gemini-3.1-pro-preview",
)
MODELS = (ONE, TWO, SPARE, JUDGE)


@pytest.fixture(scope="module")
def endpoint():
    """An endpoint that serves all examples; the waits before retries are not made."""

    async def at_once(_):
        """Wait for nothing."""

    with ScriptedServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENROUTER_BASE_URL", server.url)
        patch.setenv("OPENROUTER_API_KEY", KEY)
        patch.setattr(faults, "asyncio", SimpleNamespace(sleep=at_once))
        patch.setattr(streaming, "_observations", {})
        yield server


def config(*seats, **options):
    """Seats without tools, and a judge and a writer that stand behind each other."""
    return panel(
        panel=tuple(seats),
        judge={"model": f"openrouter:{JUDGE}", "fallbacks": [f"openrouter:{SPARE}"]},
        synthesizer={"model": f"openrouter:{SPARE}", "fallbacks": [f"openrouter:{JUDGE}"]},
        health=False,
        **options,
    )


def seat(model, *fallbacks, **options):
    return {"model": f"openrouter:{model}", "fallbacks": [f"openrouter:{one}" for one in fallbacks], **options}


async def bill(asked, *, is_watched):
    """The bill of one run, whatever becomes of it; `None` where it did not begin."""
    try:
        if is_watched:
            return [event async for event in astream(QUESTION, asked)][-1]["result"]["usage"]
        return (await afuse(QUESTION, asked)).usage.model_dump()
    except BudgetExceeded:
        return None
    except PanelFailed as failed:
        return failed.usage


FATE = st.sampled_from([*FATES, *FREE])


@settings(max_examples=40, deadline=None)
@given(
    fates=st.fixed_dictionaries({model: st.lists(FATE, min_size=1, max_size=6) for model in MODELS}),
    limits=st.one_of(
        st.fixed_dictionaries({"usd": st.floats(0.005, 0.4)}),
        st.fixed_dictionaries({"tokens": st.integers(2_000, 60_000)}),
    ),
    way=st.tuples(st.sampled_from([None, 300, 2000]), st.sampled_from([None, 1.0]), st.booleans()),
)
def test_what_is_charged_stays_within_the_limit_and_on_the_bill(endpoint, fates, limits, way):
    till, (max_tokens, hedge, is_watched) = Till(), way
    for model, sequence in fates.items():
        endpoint.reply(model, *map(till.reply, sequence))
    seats = seat(ONE, SPARE, max_tokens=max_tokens), seat(TWO, SPARE, max_tokens=max_tokens)
    allowance_for.cache_clear()
    for one in seats:
        for _ in range(10):
            streaming.record_first_token(Panelist(**one), 0.0)
    asked = config(*seats, hedge=hedge, limits={**limits, "seconds": 20})
    usage = asyncio.run(bill(asked, is_watched=is_watched))
    assert till.usd <= limits.get("usd", math.inf) * (1 + 1e-9)
    assert till.tokens <= limits.get("tokens", math.inf)
    if usage is None:
        assert till.charges == []
        return
    charged, rows = Counter(till.models()), Counter(row["model"] for row in usage["calls"])
    assert charged <= rows
    if hedge is None:  # a hedged call may be cut before its request has left
        assert charged == rows
    unknown = sum(row["cost_usd"] is None for row in usage["calls"])
    assert usage["unpriced_calls"] == unknown
    # What is told is what was charged: no more, and less only by calls that are told as unknown.
    assert (usage["cost_usd"] or 0.0) <= till.usd * (1 + 1e-9)
    assert unknown or (usage["cost_usd"] or 0.0) == pytest.approx(till.usd)


class Case(NamedTuple):
    """What a lone seat's model does in order, which of its attempts are rows with a cost told (or not), the reason."""

    fates: tuple[str, ...]
    told: tuple[bool, ...]
    reason: str | None = None


CASES = [
    Case(("an answer",), (True,)),
    Case(("429", "an answer"), (True,)),
    Case(("500", "503", "an answer"), (True,)),
    Case(("half a body", "an answer"), (False, True)),
    Case(("a dropped connection", "429", "an answer"), (False, True)),
    Case(("502 under 200", "an answer"), (False, True)),
    Case(("502 under 200", "429 under 200, at once", "half a body", "an answer"), (False, False, False, True)),
    Case(("502 under 200",), (False,) * 4, "upstream_error"),
    Case(("429 under 200, at once",), (False,) * 4, "rate_limited"),
    Case(("half a body", "500"), (False,), "upstream_error"),
    Case(("429",), (), "rate_limited"),
    Case(("no JSON",), (False,), "upstream_error"),
    Case(("half a body", "nothing"), (False, True), "empty"),
]


@pytest.mark.parametrize("usd", [None, 1.0])
@pytest.mark.parametrize("case", CASES, ids=lambda case: ", ".join(case.fates))
async def test_each_attempt_that_may_be_charged_is_a_row(endpoint, case, usd):
    till = Till()
    endpoint.reply(TWO, *map(till.reply, case.fates))
    usage, reason = await alone(limits={"usd": usd})
    assert [row["cost_usd"] is not None for row in usage["calls"]] == list(case.told)
    assert till.models() == [row["model"] for row in usage["calls"]]
    assert (usage["unpriced_calls"], reason) == (case.told.count(False), case.reason)


async def alone(**options):
    """The bill of a lone seat's run, and why it failed, if it did."""
    try:
        result = await afuse(QUESTION, config(seat(TWO, max_tokens=1000), strategy="solo", **options))
    except PanelFailed as failed:
        return failed.usage, failed.failed_models[0]["reason"]
    return result.usage.model_dump(), None


FITS_ONCE = 0.03
"""US dollars that a call of `TWO` with 1,000 tokens fits into, and no second one."""


@pytest.mark.parametrize("fate", ["half a body", "502 under 200", "a dropped connection"])
async def test_an_attempt_that_does_not_fit_is_not_made_and_the_limit_is_named(endpoint, fate):
    till = Till()
    endpoint.reply(TWO, till.reply(fate), till.reply("an answer"))
    with pytest.raises(PanelFailed) as caught:
        await afuse(QUESTION, config(seat(TWO, max_tokens=1000), strategy="solo", limits={"usd": FITS_ONCE}))
    (failed,) = caught.value.failed_models
    assert failed["reason"] == "upstream_error"
    assert re.search(r"; not tried again, limits\.usd: the call needs 0\.\d+, 0\.\d+ is left", failed["message"])
    assert len(till.charges) == len(caught.value.usage["calls"]) == 1


@pytest.mark.parametrize("fate", ["429", "500", "503"])
async def test_an_attempt_that_was_turned_away_leaves_its_dollars_to_the_next(endpoint, fate):
    till = Till()
    endpoint.reply(TWO, till.reply(fate), till.reply(fate), till.reply("an answer"))
    usage, reason = await alone(limits={"usd": FITS_ONCE})
    assert (len(usage["calls"]), reason) == (1, None)
    assert till.usd == usage["cost_usd"] <= FITS_ONCE


@pytest.mark.parametrize("fate", ["half a body", "502 under 200"])
async def test_judge_and_writer_are_billed_likewise(endpoint, fate):
    till = Till()
    for model in MODELS:
        endpoint.reply(model, till.reply("an answer"))
    endpoint.reply(JUDGE, till.reply(fate), till.reply("an answer"))
    endpoint.reply(SPARE, till.reply(fate), till.reply("an answer"))
    result = await afuse(QUESTION, config(seat(ONE), seat(TWO), limits={"usd": 1.0}))
    rows = [(row.stage, row.cost_usd is not None) for row in result.usage.calls if row.stage != "panelist"]
    assert rows == [("judge", False), ("judge", True), ("synthesizer", False), ("synthesizer", True)]
    assert Counter(till.models()) == Counter(row.model for row in result.usage.calls)
    assert (result.status, result.usage.unpriced_calls) == ("ok", 2)


@pytest.mark.parametrize(("fate", "rows"), [("no stream_options, under 200", 2), ("no stream_options", 1)])
async def test_a_stream_asked_for_without_counting_is_an_attempt_of_its_own(endpoint, fate, rows):
    till = Till()
    endpoint.reply(SPARE, till.reply(fate), till.reply("an answer"))
    for model in (ONE, TWO, JUDGE):
        endpoint.reply(model, till.reply("an answer"))
    watched = astream(QUESTION, config(seat(ONE), seat(TWO), limits={"usd": 1.0}))
    result = [event async for event in watched][-1]["result"]
    assert result["status"] == "ok"
    assert [row["model"] for row in result["usage"]["calls"] if row["stage"] == "synthesizer"] == [
        f"openrouter:{SPARE}"
    ] * rows
    assert "stream_options" not in endpoint.requests[-1].body
