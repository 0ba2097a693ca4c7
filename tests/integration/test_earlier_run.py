"""A run that goes on from an earlier one: it knows its answer, cites its sources, and pays for no settled point."""

import pytest

from fusion_tool import ConfigError, FusionResult, afuse, build_graph
from fusion_tool.grounding.sources import source_id
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, fenced, panel, reads, searches, text, verdict
from tests.scripted_server import Reply
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")
NEXT = "Who owned the Alder mill in 1871?"
BUILT = "The Alder mill was built in 1861"
OWNED = "Ida Brandt owned the Alder mill in 1871"


@pytest.fixture
def mill(internet):
    internet.page("/mill", text(f"{BUILT}. It stands in Wexmoor."))
    internet.page("/owner", text(f"{OWNED}, says the register."))
    return internet


@pytest.fixture
async def first(provider, mill):
    """A result that cites a page."""
    url = mill.url("/mill")
    provider.reply("test/one", reads(url), f"{BUILT} {cite(url)}.")
    provider.reply("test/two", reads(url), f"{BUILT} {cite(url)}.")
    provider.reply(JUDGE, verdict(consensus=["It was built in 1861."]))
    provider.reply(WRITER, f"{BUILT} {cite(url)}.")
    return await afuse(QUESTION, panel(*SEATS, internet=mill))


def script_next(provider, mill):
    """The seats of the second run look up the owner; both cite what the first one read."""
    old, new = mill.url("/mill"), mill.url("/owner")
    said = f"{OWNED} {cite(new)}. {BUILT} {cite(old)}."
    for seat in SEATS:
        provider.reply(seat, reads(new), said)
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, said)
    return old, new


async def test_it_cites_what_the_earlier_run_read_and_says_so(provider, mill, first):
    old, new = script_next(provider, mill)
    before = len(mill.requests)
    result = await afuse(NEXT, panel(*SEATS, internet=mill), earlier=first)
    assert result.answer == f"{OWNED} [1]. {BUILT} [2]."
    assert [(row.url, row.support) for row in result.citations] == [(new, "supported"), (old, "supported")]
    assert {row.id: (row.retrieved_by, row.from_run) for row in result.sources} == {
        source_id(new): (["one", "two"], None),
        source_id(old): ([], first.run_id),
    }
    assert (result.continues, result.invented, result.status) == (first.run_id, 0, "ok")
    assert [one.audit.supported for one in result.responses] == [2, 2]
    # The page of the first run is not asked for again.
    assert [request.path for request in mill.requests[before:]] == ["/owner"]


async def test_every_seat_and_the_writer_see_it_once_as_data(provider, mill, first):
    script_next(provider, mill)
    await afuse(NEXT, panel(*SEATS, internet=mill), earlier=first)
    for model in (*SEATS, WRITER):
        request = provider.calls(model)[-1]
        (shown,) = [part for part in fenced(request) if part.startswith(f"Question:\n{QUESTION}")]
        assert f"Answer:\n{BUILT} [{source_id(mill.url('/mill'))}]." in shown
        assert "Settled:\n- It was built in 1861." in shown
        assert "disputed: year: 1861 / 1871" in shown
        assert "missing: Who built it." in shown
        assert f"(supported)\n{BUILT}" in shown
        assert "do not look it up again" in request.prompt
    assert "earlier question" not in provider.calls(JUDGE)[-1].prompt


async def test_a_seat_may_answer_from_what_is_settled_and_is_asked_once(provider, mill, first):
    asked = provider.counts
    known = f"{BUILT} {cite(mill.url('/mill'))}."
    for model in (*SEATS, WRITER):
        provider.reply(model, known)
    provider.reply(JUDGE, verdict())
    result = await afuse(NEXT, panel(*SEATS, internet=mill), earlier=first)
    assert provider.counts - asked == dict.fromkeys((*SEATS, JUDGE, WRITER), 1)
    assert [one.tool_calls for one in result.responses] == [0, 0]
    assert (result.status, result.degraded) == ("ok", [])


async def test_a_source_that_a_seat_reads_again_is_its_own(provider, mill, first):
    url = mill.url("/mill")
    provider.reply("test/one", reads(url), f"It stands in Wexmoor {cite(url)}.")
    provider.reply("test/two", f"It stands in Wexmoor {cite(url)}.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, f"It stands in Wexmoor {cite(url)}.")
    result = await afuse("Where?", panel(*SEATS, internet=mill), earlier=first)
    assert [(row.retrieved_by, row.from_run) for row in result.sources] == [(["one"], None)]
    assert result.citations[0].support == "supported"


async def test_what_neither_run_retrieved_is_invented(provider, mill, first):
    script_next(provider, mill)
    provider.reply(WRITER, f"{OWNED} [0badc0de].")
    result = await afuse(NEXT, panel(*SEATS, internet=mill), earlier=first)
    assert (result.answer, result.invented) == (f"{OWNED}.", 1)


async def test_pages_and_searches_come_from_the_cache_where_there_is_one(provider, mill):
    url = mill.url("/mill")
    config = panel("test/one", internet=mill, strategy="solo")
    config = config.model_copy(
        update={
            "fetch": config.fetch.model_copy(update={"cache_seconds": 600}),
            "search": config.search.model_copy(update={"cache_seconds": 600}),
        }
    )
    mill.hits(Hit(url, "The mill", "a snippet"))
    looks = [searches(), reads(url), f"{BUILT} {cite(url)}."]
    provider.reply("test/one", *looks, *looks)
    first = await afuse(QUESTION, config)
    seen = len(mill.requests)
    result = await afuse(NEXT, config, earlier=first)
    assert (len(mill.requests), result.responses[0].tool_calls) == (seen, 2)


async def test_a_chain_carries_the_first_runs_source_as_its_own(provider, mill, first):
    script_next(provider, mill)
    second = await afuse(NEXT, panel(*SEATS, internet=mill), earlier=first)
    script_next(provider, mill)
    third = await afuse("And now?", panel(*SEATS, internet=mill), earlier=second)
    runs = {row.url: row.from_run for row in third.sources}
    assert runs == {mill.url("/owner"): None, mill.url("/mill"): first.run_id}
    assert third.continues == second.run_id


async def test_exclusions_of_the_later_run_hold_for_what_the_earlier_one_read(provider, mill, first):
    script_next(provider, mill)
    config = panel(*SEATS, internet=mill, blocked_fragments=["wexmoor"])
    result = await afuse(NEXT, config, earlier=first.model_copy(update={"answer": f"{BUILT} in Wexmoor [1]."}))
    assert "Wexmoor" not in str([request.prompt for request in provider.requests[-6:] if request.model])
    assert result.dropped >= 1


async def test_the_same_question_without_it_is_another_run_to_the_cache(provider, mill, first):
    config = panel(*SEATS, internet=mill, cache=True)
    asked = []
    for earlier in (first, None, first, None):
        script_next(provider, mill)
        before = provider.counts
        result = await afuse(NEXT, config, earlier=earlier)
        asked.append(((provider.counts - before).total() > 0, result.continues))
    assert asked == [(True, first.run_id), (True, None), (False, first.run_id), (False, None)]


async def test_a_kept_run_goes_on_with_what_it_went_on_from(provider, mill, first, tmp_path):
    old, _ = script_next(provider, mill)
    file = tmp_path / "runs.sqlite"
    whole = await afuse(NEXT, panel(*SEATS, internet=mill), earlier=first, keep=file)
    again = await afuse(resume=whole.run_id, keep=file)
    assert again == whole
    assert again.continues == first.run_id
    assert old in {row.url for row in again.sources}
    with pytest.raises(ConfigError, match="a resumed run has its question"):
        await afuse(resume=whole.run_id, keep=file, earlier=first)


async def test_the_graph_takes_the_result_as_json_and_forgets_it(provider, mill, first):
    from langgraph.checkpoint.memory import InMemorySaver

    config = panel(*SEATS, internet=mill)
    graph, thread = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "t"}}
    script_next(provider, mill)
    earlier = first.model_dump(mode="json")
    state = await graph.ainvoke({"question": NEXT, "earlier": earlier}, thread, context=config)
    assert FusionResult.model_validate(state["result"]).continues == first.run_id
    provider.otherwise(Reply("Nobody knows."))
    state = await graph.ainvoke({"question": NEXT}, thread, context=config)
    assert FusionResult.model_validate(state["result"]).continues is None


@pytest.mark.parametrize("wrong", [{"answer": "1861"}, "an id", [], {"status": "failed", "error": "x"}])
async def test_what_is_no_result_is_refused_before_any_call(provider, wrong):
    with pytest.raises(ConfigError, match=r"^earlier: is no run's result \(.+\); hand over a FusionResult"):
        await build_graph().ainvoke({"question": NEXT, "earlier": wrong}, context=panel(*SEATS))
    assert not provider.counts


async def test_a_small_model_makes_claims_from_what_was_carried_over(provider, mill, first):
    provider.reply("test/one", f'{{"claims": [{{"text": "{BUILT}.", "source": 1}}]}}')
    small = {"model": "openrouter:test/one", "max_input_tokens": 2048}
    result = await afuse(NEXT, panel("x", panel=(small,), strategy="solo"), earlier=first)
    assert result.answer == f"- {BUILT}. [1]"
    assert [(row.url, row.support, row.from_run) for row in result.citations] == [
        (mill.url("/mill"), "supported", first.run_id)
    ]
