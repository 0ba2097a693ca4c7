"""Each fault at each stage: what the run comes to, who answers instead, and that what was paid for is kept."""

import socket
from types import SimpleNamespace

import pytest

from fusion_tool import astream
from fusion_tool.models import faults, health
from tests.integration.fault_matrix import PACKED, PASSES, REFUSED, Case, cases
from tests.integration.panel import ANALYSIS, JUDGE, QUESTION, WRITER, deltas, panel, verdict
from tests.scripted_server import Reply

pytestmark = pytest.mark.loopback

FAULTY = {"seat": "test/one", "judge": JUDGE, "synthesizer": WRITER}
STAGE = {"seat": "panelist", "judge": "judge", "synthesizer": "synthesizer"}
SEATS = ("test/one", "test/two", "test/three")
SPARE = "test/spare"
GOOD = {"seat": "It was built in 1861.", "judge": verdict(), "synthesizer": "Written: it was built in 1861."}
COST = 0.001


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The waits before retries, written down instead of made; and no test knows what another found withdrawn."""
    made = []

    async def at_once(seconds):
        made.append(seconds)

    monkeypatch.setattr(faults, "asyncio", SimpleNamespace(sleep=at_once))
    monkeypatch.setattr(health, "_withdrawn", {})
    return made


def good(stage):
    return Reply(GOOD[stage], cost=COST)


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def script(provider, case):
    for seat in SEATS:
        provider.reply(seat, good("seat"))
    for stage in ("judge", "synthesizer"):
        # The judge's model may have to write as well.
        judged = [good("judge"), good("synthesizer")] if stage == "judge" else [good(stage)]
        provider.reply(FAULTY[stage], *judged)
    provider.reply(SPARE, good(case.stage))
    if case.fault.name != REFUSED:
        said = [Reply(one, cost=COST) if isinstance(one, str) else one for one in case.fault.replies(GOOD[case.stage])]
        provider.reply(FAULTY[case.stage], *said)


def configured(case):
    faulty = {"model": f"openrouter:{FAULTY[case.stage]}", "fallbacks": [f"openrouter:{SPARE}"] if case.backed else []}
    if case.fault.name == REFUSED:
        faulty["base_url"] = f"http://127.0.0.1:{closed_port()}/v1"
    limits = {"seconds": case.fault.seconds} if case.fault.seconds else {}
    if case.stage == "seat":
        return panel(panel=(faulty, *(f"openrouter:{seat}" for seat in SEATS[1:])), limits=limits)
    return panel(*SEATS, **{case.stage: faulty}, limits=limits)


async def run(provider, case):
    script(provider, case)
    events = [event async for event in astream(QUESTION, configured(case))]
    return events, events[-1]["result"]


@pytest.mark.parametrize("case", list(cases()), ids=str)
async def test_what_a_fault_comes_to(provider, case):
    events, result = await run(provider, case)
    expected = case.fault.outcome(case.stage, backed=case.backed)
    assert (result["status"], tuple(result["degraded"])) == (expected.status, expected.degraded)
    assert answered_by(case, result) == expected.by
    kept_what_was_paid_for(case, result)
    told_why(case, result)
    billed(case, result)
    assert deltas(events) == result["answer"]


def answered_by(case: Case, result) -> str:
    """Who did the stage's work."""
    if case.stage == "seat":
        model = next((one["model"] for one in result["responses"] if one["seat"] == "one"), None)
    elif case.stage == "judge":
        model = result["analysis"] and [row["model"] for row in calls(result, "judge")][-1]
        assert (result["analysis"] is None) or result["analysis"]["consensus"] == ANALYSIS["consensus"]
    else:
        if result["answer"] != GOOD["synthesizer"]:
            return "panel" if result["answer"] == GOOD["seat"] else "?"
        model = calls(result, "synthesizer")[-1]["model"]
    names = {f"openrouter:{FAULTY[case.stage]}": "itself", f"openrouter:{SPARE}": "fallback"}
    return names.get(model, "judge's model" if model else "nobody")


def kept_what_was_paid_for(case: Case, result) -> None:
    """The other seats' answers stand in the result, and all that others were paid in the bill."""
    others = SEATS[1:] if case.stage == "seat" else SEATS
    answers = {one["seat"]: one["content"] for one in result["responses"]}
    assert {seat.rpartition("/")[2]: GOOD["seat"] for seat in others}.items() <= answers.items()
    for seat in others:
        assert [row["cost_usd"] for row in calls(result, "panelist") if row["model"].endswith(seat)] == [COST]
    for stage in {"judge", "synthesizer"} - {case.stage}:
        assert [row["cost_usd"] for row in calls(result, stage)] == [COST]
    known = [row["cost_usd"] for row in result["usage"]["calls"] if row["cost_usd"] is not None]
    assert result["usage"]["cost_usd"] == pytest.approx(sum(known))
    assert result["usage"]["unpriced_calls"] == len(result["usage"]["calls"]) - len(known)


def told_why(case: Case, result) -> None:
    """A failure is a row with its stage, model and reason; what the same model made good at once is none."""
    rows = [(row["stage"], row["model"], row["reason"]) for row in result["failed_models"]]
    failed = (STAGE[case.stage], f"openrouter:{FAULTY[case.stage]}", case.fault.reason)
    outcome = case.fault.outcome(case.stage, backed=case.backed)
    if outcome.by == "panel":  # no time was left for the judge's model
        assert rows.pop() == ("synthesizer", f"openrouter:{JUDGE}", case.fault.reason)
    assert rows == ([] if outcome in (PASSES[case.stage], PACKED.get(case.stage)) else [failed])


def billed(case: Case, result) -> None:
    """A call that failed is billed as its provider reports, as unknown, or not at all where nothing was charged."""
    mine = [row for row in result["usage"]["calls"] if row["model"].endswith(FAULTY[case.stage])]
    mine = [row for row in mine if row["stage"] == STAGE[case.stage]]
    answered = case.fault.outcome(case.stage, backed=case.backed).by == "itself"
    costs = {"as reported": {COST}, "as unknown": {None}, "not at all": {COST} if answered else set()}
    assert {row["cost_usd"] for row in mine} == costs[case.fault.billed]


def calls(result, stage):
    return [row for row in result["usage"]["calls"] if row["stage"] == stage]


async def test_a_retry_waits_as_long_as_the_provider_asks(provider, pauses):
    case = next(case for case in cases() if case.fault.name.startswith("503 with Retry-After"))
    await run(provider, case)
    assert pauses == [7.0]


@pytest.mark.parametrize("stage", ["seat", "judge", "synthesizer"])
async def test_what_was_withdrawn_is_not_asked_again(provider, stage):
    case = next(case for case in cases() if case.fault.reason == "model_unavailable" and case[1:] == (stage, True))
    for _ in range(2):
        _, result = await run(provider, case)
        assert answered_by(case, result) == "fallback"
    assert provider.counts[FAULTY[stage]] == 1
