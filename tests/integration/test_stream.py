"""Events, and the one promise about deltas: those of the last attempt, joined, are the answer."""

from contextlib import aclosing

import pytest

from fusion_tool import PanelFailed, afuse, astream, build_graph
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, deltas, kinds, panel, reads, text, verdict
from tests.scripted_server import Cut, Gate, Hang, Interrupted, Reply, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


@pytest.fixture
def mill(provider, internet):
    """A page that the first seat reads, so that its id may be cited."""
    internet.page("/mill", text("The Alder mill was built in 1861."))
    provider.reply("test/one", reads(internet.url("/mill")), f"Built in 1861 {cite(internet.url('/mill'))}.")
    return internet.url("/mill")


@pytest.fixture
def researched(provider, internet, mill):
    """The provider, a panel whose first seat reads the page, and the page's citation."""
    return provider, panel(*SEATS, internet=internet), cite(mill)


async def events_of(config, question=QUESTION):
    return [event async for event in astream(question, config)]


async def test_a_run_is_told_from_its_start_to_its_result():
    events = await events_of(panel(*SEATS))
    seats = ["panelist.started", "panelist.started", "panelist.answered", "panelist.answered"]
    told = [kind for kind in kinds(events) if kind != "synthesis.delta"]
    assert told[:3] == ["run.started", "plan.chosen", "wave.started"]
    assert sorted(told[3:7]) == sorted(seats)
    assert told[7:] == ["panel.closed", "judge.completed", "run.completed"]
    assert "synthesis.delta" in kinds(events)


async def test_every_event_names_its_run_and_its_moment():
    events = await events_of(panel(*SEATS))
    assert len({event["run_id"] for event in events}) == 1
    times = [event["t"] for event in events]
    assert times == sorted(times)
    assert times[0] >= 0


async def test_the_last_event_carries_what_afuse_returns():
    events = await events_of(panel(*SEATS))
    assert events[-1]["result"]["answer"] == "It was built in 1861."
    assert events[-1]["status"] == "ok"
    assert events[-1]["result"]["run_id"] == events[-1]["run_id"]


async def test_what_became_of_each_seat_is_told(provider):
    provider.reply("test/two", faults.unauthorized())
    provider.reply("test/one", Reply("1861.", cost=0.25))
    told = {event["type"]: event for event in await events_of(panel(*SEATS))}
    assert (told["panelist.answered"]["seat"], told["panelist.answered"]["cost_usd"]) == ("one", 0.25)
    failed = told["panelist.failed"]
    assert (failed["seat"], failed["reason"], failed["model"]) == ("two", "auth", "openrouter:test/two")
    assert (told["panel.closed"]["answered"], told["panel.closed"]["failed"]) == (1, 1)


async def test_a_judge_without_an_analysis_counts_nothing(provider):
    provider.reply(JUDGE, faults.unauthorized())
    told = {event["type"]: event for event in await events_of(panel(*SEATS))}["judge.completed"]
    assert (told["consensus"], told["contradictions"], told["analysis"]) == (None, None, None)


async def test_what_each_seat_and_the_judge_wrote_is_told_as_the_result_has_it(provider, mill, internet):
    provider.reply("test/two", long := "It was built in 1871. " * 500)
    events = await events_of(panel(*SEATS, internet=internet))
    told = {event["seat"]: event["text"] for event in events if event["type"] == "panelist.answered"}
    assert told["one"] == f"Built in 1861 {cite(mill)}."
    assert (len(told["two"]), told["two"]) == (4000, f"{long[:3999]}…")
    (judged,) = (event for event in events if event["type"] == "judge.completed")
    assert judged["analysis"] == events[-1]["result"]["analysis"]
    named = {stance["model"] for stance in judged["analysis"]["contradictions"][0]["stances"]}
    assert named == {"openrouter:test/one", "openrouter:test/two"}


async def test_it_is_not_where_content_is_not_shown():
    told = {event["type"]: event for event in await events_of(panel(*SEATS, trace_content=False))}
    assert told["panelist.answered"]["text"] is None
    assert told["judge.completed"]["analysis"] is None
    assert (told["judge.completed"]["consensus"], told["judge.completed"]["contradictions"]) == (1, 1)


async def test_a_tools_use_is_told(mill, internet):
    events = await events_of(panel(*SEATS, internet=internet))
    used = [(event["seat"], event["tool"], event["query"], event["found"]) for event in events if "tool" in event]
    gathered = [(seat.removeprefix("test/"), "web_search", QUESTION, 0) for seat in SEATS[1:]]  # they do not look
    assert sorted(used) == sorted([("one", "fetch_page", mill, 1), *gathered])


ANSWERS = [
    pytest.param("Built in 1861 {id}.", "Built in 1861 [1].", id="a citation"),
    pytest.param("Built in 1861 {id} [deadbeef].", "Built in 1861 [1].", id="an unknown id behind it"),
    pytest.param("Built [deadbeef] in 1861 {id}.", "Built in 1861 [1].", id="an unknown id before it"),
    pytest.param("Invented [deadbeef].", "Invented.", id="an unknown id alone"),
    pytest.param("{id}{id} and [3]", "[1] and (3)", id="a number of its own"),
    pytest.param("<think>Where {id}?</think>\n\nBuilt in 1861 {id}.", "Built in 1861 [1].", id="reasoning first"),
    pytest.param("Built in 1861 {id}.\n\n  ", "Built in 1861 [1].", id="blanks at the end"),
    pytest.param("`{id}` is code, {id} is not", None, id="inline code"),
    pytest.param("```\n{id}\n```\nBuilt in 1861 {id}.", None, id="a code block"),
    pytest.param("Built in 1861 [1a2b", "Built in 1861 [1a2b", id="a bracket that never closes"),
    pytest.param("Gegründet 1861, « oui » 🏭 {id}", "Gegründet 1861, « oui » 🏭 [1]", id="beyond ASCII"),
]


@pytest.mark.parametrize("size", [1])
@pytest.mark.parametrize(("said", "expected"), ANSWERS)
async def test_the_joined_deltas_are_the_answer(researched, said, expected, size):
    provider, config, id_ = researched
    provider.reply(WRITER, Reply(said.replace("{id}", id_), chunk_size=size))
    events = await events_of(config)
    answer = events[-1]["result"]["answer"]
    assert deltas(events) == answer
    assert expected is None or answer == expected


async def test_streamed_or_not_the_answer_is_the_same(provider, internet, mill):
    provider.reply(WRITER, f"Built in 1861 {cite(mill)} [deadbeef].")
    config = panel(*SEATS, internet=internet)
    streamed = (await events_of(config))[-1]["result"]
    provider.reply("test/one", reads(mill), f"Built in 1861 {cite(mill)}.")
    whole = await afuse(QUESTION, config)
    assert (whole.answer, len(whole.citations)) == (streamed["answer"], len(streamed["citations"]))


BROKEN = [
    pytest.param(Cut(Reply("The first words of an answer.", chunk_size=5), after=4), id="the connection breaks"),
    pytest.param(Interrupted(Reply("The first words of it.", chunk_size=5), after=4), id="the provider gives up"),
    pytest.param(Reply("The first words", finish_reason="length", chunk_size=5), id="the token limit"),
    pytest.param(Reply("The first words", finish_reason="content_filter", chunk_size=5), id="the content filter"),
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_after_text_was_shown_the_next_writer_starts_a_new_attempt(provider, broken):
    provider.reply(WRITER, broken)
    provider.reply("test/second", "It was 1861.")
    writer = {"model": f"openrouter:{WRITER}", "fallbacks": ["openrouter:test/second"]}
    events = await events_of(panel(*SEATS, synthesizer=writer))
    assert deltas(events, attempt=1).startswith("The first")
    assert deltas(events) == deltas(events, attempt=2) == events[-1]["result"]["answer"] == "It was 1861."
    attempts = [event["attempt"] for event in events if event["type"] == "synthesis.delta"]
    assert attempts == sorted(attempts)
    assert provider.counts[WRITER] == 1


async def test_the_panel_answer_that_stands_in_is_the_last_attempt(provider):
    provider.reply(WRITER, Cut(Reply("The first words of an answer.", chunk_size=5), after=4))
    provider.reply(JUDGE, verdict(), faults.unauthorized())
    events = await events_of(panel(*SEATS))
    result = events[-1]["result"]
    assert result["degraded"] == ["synthesis_unavailable"]
    assert deltas(events) == result["answer"]
    assert result["answer"].startswith("The scripted answer of")


async def test_a_solo_answer_comes_as_a_delta_too():
    events = await events_of(panel("test/one", strategy="solo"))
    assert deltas(events) == events[-1]["result"]["answer"] == "The scripted answer of test/one."


async def test_a_streamed_answers_cost_is_known_too(provider):
    provider.reply(WRITER, Reply("It was 1861.", cost=0.25))
    events = await events_of(panel(*SEATS))
    (row,) = [row for row in events[-1]["result"]["usage"]["calls"] if row["stage"] == "synthesizer"]
    assert (row["cost_usd"], row["cost_source"], row["input_tokens"]) == (0.25, "provider", 100)


async def test_a_server_that_cannot_count_while_it_streams_is_asked_again_without(provider):
    provider.refuse(WRITER, "stream_options")
    events = await events_of(panel(*SEATS))
    assert deltas(events) == "It was built in 1861."
    assert [bool(request.body.get("stream_options")) for request in provider.calls(WRITER)] == [True, False]


async def test_a_failed_run_raises_from_the_iteration(provider):
    for model in SEATS:
        provider.reply(model, faults.unauthorized())
    stream = astream(QUESTION, panel(*SEATS))
    seen = [await anext(stream) for _ in range(8)]
    assert kinds(seen)[-1] == "panel.closed"
    with pytest.raises(PanelFailed):
        await anext(stream)


async def test_leaving_the_stream_cancels_what_is_in_flight(provider):
    provider.otherwise(Hang())
    async with aclosing(astream(QUESTION, panel(*SEATS))) as events:
        async for event in events:
            if event["type"] == "panelist.started":
                await provider.until(lambda: provider.in_flight > 0)
                break
    # A request may still have been on its way in, so that which ones arrived is not counted.
    await provider.until(lambda: provider.disconnects and provider.in_flight == 0)


async def test_deltas_come_while_the_answer_is_written(provider):
    gate = Gate()
    provider.reply(WRITER, Hang(Reply("One two three four five six.", chunk_size=4), after=4))
    provider.reply(JUDGE, verdict(), Reply("It was 1861.", gate=gate))
    async with aclosing(astream(QUESTION, panel(*SEATS, limits={"seconds": 30}))) as events:
        async for event in events:
            if event["type"] == "synthesis.delta":
                break
    assert event["text"].startswith("One")
    await provider.until(lambda: [left.model for left in provider.disconnects] == [WRITER])


async def test_the_graphs_own_custom_stream_is_the_same_events():
    stream = build_graph(panel(*SEATS)).astream({"question": QUESTION}, stream_mode="custom")
    events = [event async for event in stream]
    assert kinds(events)[0] == "run.started"
    assert deltas(events) == events[-1]["result"]["answer"]
