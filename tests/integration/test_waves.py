"""Cascade, chain and follow-up: who is asked when, what they see, and where a run ends."""

import pytest

from fusion_tool import FusionConfig, PanelFailed, afuse, astream
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.panel import ANALYSIS, verdict

OPEN = "Which library suits a small team best, and why?"
CLOSED = "How many floors has the Alder mill?"
ESSAY = "Django suits a small team, since it brings an admin, forms and migrations along and is documented well."
OTHER = "Flask suits a small team, since it is small, and since everything else can be chosen as the need arises."
AGREED = verdict(contradictions=[], settled=True)


def asked(config):
    """How often each seat's model was asked, then the judge, then the synthesizer."""
    roles = (*config.panel, config.judge, config.synthesizer)
    return [len(one.model.prompts) for one in roles]


def sees(panelist, call=0):
    return "\n".join(str(message.content) for message in panelist.model.prompts[call])


def failing(name="broken"):
    return ScriptedChat(replies=[RuntimeError("no")], model_name=name)


@pytest.mark.parametrize(
    ("strategy", "question", "seats", "analysis", "ends"),
    [
        ("cascade", CLOSED, ["**5**", "Answer: 5", "9"], verdict(), ([1, 1, 0, 0, 0], "Answer: 5")),
        (
            "cascade",
            CLOSED,
            ["Answer: 4", "Answer: 5", "The answer is 5."],
            verdict(),
            ([1, 1, 1, 0, 0], "The answer is 5."),
        ),
        ("cascade", CLOSED, ["Answer: 4", "Answer: 5", "Answer: 6"], verdict(), ([1, 1, 1, 0, 0], "Answer: 6")),
        ("cascade", CLOSED, ["Answer: 4", "5", "Answer: 6", "7"], verdict(), ([1, 1, 1, 1, 1, 1], "Written.")),
        ("cascade", OPEN, [ESSAY, ESSAY, OTHER], AGREED, ([1, 1, 0, 1, 1], "Written.")),
        ("cascade", OPEN, [ESSAY, OTHER, ESSAY], verdict(settled=True), ([1, 1, 1, 2, 1], "Written.")),
        ("cascade", OPEN, [ESSAY, OTHER], verdict(), ([1, 1, 1, 1], "Written.")),
        ("chain", CLOSED, ["Answer: 4", "Answer: 4", "Answer: 5"], verdict(), ([1, 1, 0, 0, 0], "Answer: 4")),
        ("chain", CLOSED, ["Answer: 4", "Answer: 5", "Answer: 4"], verdict(), ([1, 1, 1, 0, 0], "Answer: 4")),
        ("chain", OPEN, [ESSAY, OTHER, OTHER], AGREED, ([1, 0, 0, 1, 0], ESSAY)),
        ("chain", OPEN, [ESSAY, OTHER, OTHER], verdict(), ([1, 1, 1, 3, 1], "Written.")),
    ],
)
async def test_a_run_ends_where_more_answers_would_change_nothing(strategy, question, seats, analysis, ends):
    calls, answer = ends
    config = fake_config(*seats, answer="Written.", analysis=analysis, strategy=strategy)
    result = await afuse(question, config)
    assert (result.answer, asked(config)) == (answer, calls)
    assert (result.status, result.degraded, result.plan.strategy) == ("ok", [], strategy)
    assert len(result.usage.calls) == sum(calls)
    disputed = len({seat.split()[-1].strip("*.") for seat in seats[: sum(calls[: len(seats)])]}) > 1
    assert (result.analysis is None) == (answer != "Written." and (question == OPEN or not disputed))


async def test_scouts_that_state_the_same_figure_in_sentences_need_neither_judge_nor_reserve():
    said = ["The final cost was 497 million.", "- The bridge's final cost was 497 million", "512 million"]
    config = fake_config(*said, answer="Written.", analysis=verdict(), strategy="cascade")
    result = await afuse("What was the final cost of the Halden bridge?", config)
    assert (asked(config), result.answer, result.analysis) == ([1, 1, 0, 0, 0], said[1], None)


async def test_who_dissents_from_closed_answers_that_agree_is_told():
    result = await afuse(CLOSED, fake_config("Answer: 4", "Answer: 5", "It is 5.\n\n**5**", strategy="cascade"))
    (dispute,) = result.analysis.contradictions
    assert {(stance.model, stance.stance) for stance in dispute.stances} == {
        ("scripted-1", "4"),
        ("scripted-2", "5"),
        ("scripted-3", "5"),
    }


async def test_the_plan_says_who_is_asked_when():
    config = fake_config("Answer: 5", "5", "9", strategy="cascade")
    plan = (await afuse(CLOSED, config)).plan
    assert plan.seats == ["scripted-1", "scripted-2", "scripted-3"]
    assert plan.reason == "strategy cascade: scripted-1 and scripted-2 first, scripted-3 only where they disagree"


async def test_the_events_tell_of_each_wave():
    config = fake_config("Answer: 4", "Answer: 5", "Answer: 6", strategy="cascade")
    events = [event async for event in astream(CLOSED, config)]
    waves = [(event["wave"], event["seats"]) for event in events if event["type"] == "wave.started"]
    assert waves == [(1, ["scripted-1", "scripted-2"]), (2, ["scripted-3"])]
    responses = events[-1]["result"]["responses"]
    assert [one["wave"] for one in responses] == [1, 1, 2]


async def test_a_chains_next_model_sees_the_answers_so_far_as_data():
    config = fake_config(ESSAY, OTHER, strategy="chain", analysis=verdict())
    await afuse(OPEN, config)
    assert ESSAY not in sees(config.panel[0])
    fence = sees(config.panel[1]).split("begin context\n")[1].split("end>>>")[0]
    assert ESSAY in fence


def test_a_chain_begins_with_the_cheapest():
    dear, cheap = "openai:gpt-5.5", "openai:gpt-5-mini"
    config = FusionConfig(panel=[dear, "x:unpriced", cheap, "local:smollm2-135m"], strategy="chain")
    assert strategy_named("chain").waves(config) == [[3], [2], [0], [1]]


async def test_scouts_that_fail_are_made_up_for_by_the_others():
    config = fake_config("-", "-", "Answer: 6", strategy="cascade")
    broken = tuple({"model": failing(name)} for name in ("a", "b"))
    config = config.model_copy(update={"panel": (*fake_config(panel=broken).panel, config.panel[2])})
    result = await afuse(CLOSED, config)
    assert [one.seat for one in result.responses] == ["scripted-3"]
    assert result.degraded == ["panel_reduced"]


async def test_only_the_last_wave_can_fail_the_run():
    panel = tuple({"model": failing(name)} for name in ("a", "b", "c"))
    with pytest.raises(PanelFailed) as caught:
        await afuse(CLOSED, fake_config(panel=panel, strategy="cascade"))
    assert [row["seat"] for row in caught.value.failed_models] == ["a", "b", "c"]


async def test_a_follow_up_asks_once_about_what_is_disputed_or_missing():
    replies = [verdict(), verdict(blind_spots=["Still open."])]
    config = fake_config(ESSAY, OTHER, follow_up=True)
    config.judge.model.replies = replies
    result = await afuse(OPEN, config)
    assert asked(config) == [2, 2, 2, 1]
    assert [(one.seat, one.wave) for one in result.responses] == [
        ("scripted-1", 1),
        ("scripted-2", 1),
        ("scripted-1", 2),
        ("scripted-2", 2),
    ]
    assert result.analysis.blind_spots == ["Still open."]
    points = [sees(seat, 1) for seat in config.panel]
    assert sum("1861" in point and "1871" in point for point in points) == 1, "both stances, to one seat"
    assert sum(ANALYSIS["blind_spots"][0] in point for point in points) == 1
    assert all(OPEN in point for point in points)
    assert "Answer D" in sees(config.judge, 1)


async def test_nothing_open_means_no_follow_up():
    config = fake_config(ESSAY, OTHER, follow_up=True)
    await afuse(OPEN, config)
    assert asked(config) == [1, 1, 1, 1]


async def test_a_follow_up_asks_three_seats_at_most():
    gaps = verdict(contradictions=[], blind_spots=[f"Gap {n}." for n in range(9)])
    config = fake_config(*[ESSAY] * 5, follow_up=True, analysis=gaps)
    assert len((await afuse(OPEN, config)).responses) == 8


async def test_a_follow_up_that_fails_costs_no_answer():
    config = fake_config(ESSAY, OTHER, follow_up=True, analysis=verdict())
    for seat in config.panel:
        seat.model.replies = [ESSAY, RuntimeError("gone")]
    result = await afuse(OPEN, config)
    assert [one.wave for one in result.responses] == [1, 1]
    assert (result.status, result.degraded) == ("ok", ["panel_reduced"])
    assert result.analysis is not None


async def test_a_wave_for_which_no_time_is_left_is_not_begun(monkeypatch):
    config = fake_config("Answer: 4", "Answer: 5", "6", strategy="cascade")
    monkeypatch.setattr("fusion_tool.graph.nodes.judge.elapsed_work", lambda *_: 120.0)
    result = await afuse(CLOSED, config)
    assert asked(config)[:3] == [1, 1, 0]
    assert (result.status, result.degraded) == ("partial", ["deadline_reached"])
