"""Who failed, and who did the work in their place: in the result, in the events, and wherever a result is shown."""

import pytest

from fusion_tool import FusionResult, PanelFailed, afuse, astream
from fusion_tool.api.summary import summarize
from fusion_tool.report import to_html
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Reply, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")
SPARE = "openrouter:test/spare"
CUT_JSON = Reply(verdict()[:60], finish_reason="length")


@pytest.fixture(autouse=True)
def world(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


def backed(model, *fallbacks):
    return {"model": f"openrouter:{model}", "fallbacks": list(fallbacks)}


def rows(result):
    return [
        (row.stage, row.seat, row.model.removeprefix("openrouter:test/"), row.reason) for row in result.failed_models
    ]


ROWS = [
    pytest.param("judge", [faults.unauthorized()], "auth", id="the judge, 401"),
    pytest.param("judge", ["They agree."], "invalid_output", id="the judge, prose twice"),
    pytest.param("judge", [CUT_JSON], "truncated", id="the judge, cut off"),
    pytest.param("judge", [Reply("They", finish_reason="length")], "truncated", id="the judge, cut off in prose"),
    pytest.param("synthesizer", [faults.unauthorized()], "auth", id="the writer, 401"),
    pytest.param("synthesizer", [Reply("")], "empty", id="the writer, empty"),
    pytest.param("synthesizer", [Reply("It was", finish_reason="length")], "truncated", id="the writer, cut off"),
]


@pytest.mark.parametrize(("stage", "replies", "reason"), ROWS)
async def test_a_replaced_judge_or_writer_is_a_row_and_a_mark_beside_ok(provider, stage, replies, reason):
    failing = JUDGE if stage == "judge" else WRITER
    provider.reply(failing, *replies)
    provider.reply("test/spare", verdict() if stage == "judge" else "The spare says 1861.")
    result = await afuse(QUESTION, panel(*SEATS, **{stage: backed(failing, SPARE)}))
    assert rows(result) == [(stage, stage, failing.removeprefix("test/"), reason)]
    assert (result.status, result.degraded) == ("ok", [f"{stage}_replaced"])
    assert result.analysis is not None


async def test_each_model_that_was_asked_and_failed_has_a_row(provider):
    for model in ("test/one", JUDGE, WRITER, "test/spare"):
        provider.reply(model, faults.unauthorized())
    config = panel(
        panel=(backed("test/one", SPARE), "openrouter:test/two", "openrouter:test/three"),
        judge=backed(JUDGE, SPARE),
        synthesizer=backed(WRITER),
    )
    result = await afuse(QUESTION, config)
    assert rows(result) == [
        ("panelist", "one", "one", "auth"),
        ("panelist", "one", "spare", "auth"),
        ("judge", "judge", "judge", "auth"),
        ("judge", "judge", "spare", "auth"),
        ("synthesizer", "synthesizer", "writer", "auth"),
        ("synthesizer", "synthesizer", "judge", "auth"),
    ]
    assert result.status == "partial"
    assert result.degraded == ["panel_reduced", "analysis_unavailable", "synthesis_unavailable"]


async def test_a_judge_that_fails_in_two_waves_has_a_row_for_each(provider):
    provider.reply(JUDGE, faults.unauthorized())
    result = await afuse(QUESTION, panel("test/one", "test/two", "test/three", strategy="cascade"))
    assert rows(result) == [("judge", "judge", "judge", "auth")] * 2


async def test_a_panel_that_fails_in_the_end_tells_of_its_judge_too(provider):
    provider.reply(JUDGE, faults.unauthorized())
    for model in ("test/two", "test/three"):
        provider.reply(model, faults.unauthorized())
    config = panel("test/one", "test/two", "test/three", strategy="chain", limits={"min_answers": 2})
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, config)
    assert [row["stage"] for row in failure.value.failed_models] == ["panelist", "panelist", "judge", "judge"]


async def test_a_judge_that_stands_back_since_it_keeps_failing_is_replaced_too(provider, monkeypatch):
    """It was not asked, so it has no row; the mark alone says that another model compared."""
    monkeypatch.setattr(
        "fusion_tool.graph.agents.attempts.by_availability",
        lambda models, _: sorted(models, key=lambda m: JUDGE in m.model),
    )
    provider.reply("test/spare", verdict())
    result = await afuse(QUESTION, panel(*SEATS, judge=backed(JUDGE, SPARE)))
    assert (result.failed_models, result.degraded) == ([], ["judge_replaced"])


async def run_of(**settings):
    events = [event async for event in astream(QUESTION, panel(**settings))]
    return events, FusionResult.model_validate(events[-1]["result"])


async def test_events_name_who_answered_judged_and_wrote(provider):
    for model in ("test/one", JUDGE, WRITER):
        provider.reply(model, faults.unauthorized())
    provider.reply("test/judge2", verdict())
    provider.reply("test/writer2", "The spare says 1861.")
    events, result = await run_of(
        panel=(backed("test/one", SPARE), "openrouter:test/two"),
        judge=backed(JUDGE, "openrouter:test/judge2"),
        synthesizer=backed(WRITER, "openrouter:test/writer2"),
    )
    models = {(event["type"], event.get("seat")): event["model"] for event in events if "model" in event}
    assert models[("panelist.answered", "one")] == SPARE
    assert models[("judge.completed", None)] == "openrouter:test/judge2"
    assert models[("synthesis.delta", None)] == "openrouter:test/writer2"
    assert (result.status, result.degraded) == ("ok", ["judge_replaced", "synthesizer_replaced"])


async def test_no_analysis_is_nobodys_and_an_answer_of_the_panel_is_its_seats(provider):
    for model in (JUDGE, WRITER, "test/two"):
        provider.reply(model, faults.unauthorized())
    events, _ = await run_of(panel=("openrouter:test/one", "openrouter:test/three"))
    told = {event["type"]: event["model"] for event in events if "model" in event}
    assert told["judge.completed"] is None
    assert told["synthesis.delta"] in ("openrouter:test/one", "openrouter:test/three")


async def test_it_is_seen_wherever_the_result_is_shown(provider):
    provider.reply(JUDGE, faults.unauthorized())
    provider.reply("test/spare", verdict())
    result = await afuse(QUESTION, panel(*SEATS, judge=backed(JUDGE, SPARE)))
    assert "degraded: judge_replaced" in summarize(result, 1000)
    page = to_html(result)
    assert "another model compared the answers" in page
    assert "openrouter:test/judge" in page
    assert result.model_dump(mode="json")["failed_models"][0]["stage"] == "judge"


def test_a_result_of_an_older_version_has_seats_alone():
    from fusion_tool.graph.result import FailedModel

    row = {"seat": "one", "model": "m", "reason": "auth", "message": "no key", "status_code": 401}
    assert FailedModel.model_validate(row).stage == "panelist"
