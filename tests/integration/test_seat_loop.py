"""A seat at work: its tools, their budget, and everything that a model can do wrong with them."""

import asyncio
from itertools import pairwise

import pytest
from langchain_core.tools import tool

from fusion_tool import PanelFailed, Panelist, afuse
from fusion_tool.grounding.sources import source_id
from fusion_tool.testing import ScriptedChat, calls
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, fenced, panel, reads, searches, text, verdict
from tests.scripted_server import Reply, ToolCall, faults
from tests.scripted_server.faults import http_error
from tests.scripted_server.web import Hit, Page

pytestmark = pytest.mark.loopback

SEAT = "test/seat"
MILL = "The Alder mill was built in 1861. It burned down in 1904."


@pytest.fixture(autouse=True)
def world(provider, internet):
    provider.reply(JUDGE, verdict())
    for n in range(8):
        internet.page(f"/{n}", text(f"Page {n}. {MILL}"))
    internet.hits(*(Hit(internet.url(f"/{n}"), f"Page {n}", "a snippet") for n in range(3)))


@pytest.fixture
def ask(internet):
    """One seat alone over the scripted web."""

    async def asked(model=SEAT, **overrides):
        return await afuse(QUESTION, panel(model, internet=internet, strategy="solo", **overrides))

    return asked


async def test_citations_are_pages_that_were_really_read_and_each_is_supported(provider, internet):
    """Search, read, cite; then the same ids through judge and writer."""
    internet.page("/0", Page(f"<html><body><article><h1>Mill</h1><p>{MILL}</p></article></body></html>"))
    first, second = internet.url("/0"), internet.url("/1")
    said = f"The Alder mill was built in 1861 {cite(first)}. It burned down in 1904 {cite(second)}."
    for model in ("test/one", "test/two"):
        provider.reply(model, searches(), reads(first, second), said)
    provider.reply(WRITER, said)
    result = await afuse(QUESTION, panel("test/one", "test/two", internet=internet))
    assert result.answer == "The Alder mill was built in 1861 [1]. It burned down in 1904 [2]."
    assert [(c.number, c.url, c.source_id, c.support) for c in result.citations] == [
        (1, first, source_id(first), "supported"),
        (2, second, source_id(second), "supported"),
    ]
    by_id = {source.id: source for source in result.sources}
    assert {by_id[c.source_id].kind for c in result.citations} == {"page"}
    assert by_id[source_id(first)].retrieved_by == ["one", "two"]
    assert by_id[source_id(internet.url("/2"))].kind == "result"
    assert [one.tool_calls for one in result.responses] == [3, 3]
    assert [one.audit.supported for one in result.responses] == [2, 2]
    assert internet.counts["/0"] == internet.counts["/1"] == 1


async def test_results_and_pages_come_back_fenced_and_with_their_ids(provider, internet, ask):
    provider.reply(SEAT, searches(), reads(internet.url("/0")), "1861.")
    await ask()
    found, page = provider.calls(SEAT)[-1].tool_results
    for n in range(3):
        assert f"[{source_id(internet.url(f'/{n}'))}]" in found
    assert f"[{source_id(internet.url('/0'))}]" in page
    assert f"Page 0. {MILL}" in fenced(provider.calls(SEAT)[-1])


def strict(*refused):
    """What an endpoint objects to: tool messages without tools, a user's turn after a tool's, and some parameters."""

    def objection(request):
        roles = [message["role"] for message in request.messages]
        if "tool" in roles and not request.tools:
            return http_error(400, "Requests which contain tool calls must define tools")
        if ("tool", "user") in pairwise(roles):
            return http_error(400, "Unexpected role 'user' after role 'tool'")
        if request.body.get("tool_choice") in refused:
            return http_error(400, "tool_choice 'none' is not supported with this model")
        return None

    return objection


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("refused", "choices"),
    [
        pytest.param((), [None, None, "none"], id="takes tool_choice"),
        pytest.param(("none",), [None, None, "none", None], id="refuses tool_choice"),
    ],
)
async def test_when_the_budget_is_spent_the_answer_is_asked_for(  # noqa: PLR0913, PLR0917 - a table
    provider, internet, ask, streamed, refused, choices
):
    objection = strict(*refused)
    provider.on(lambda request: request.model == SEAT and objection(request) is not None, objection)
    more = [reads(internet.url(f"/{n}")) for n in range(2)]
    provider.reply(SEAT, *more, "1861.")
    spare = {"model": f"openrouter:{SEAT}", "fallbacks": ["openrouter:test/spare"]}
    result = await ask(max_tool_calls=2, **({"hedge": 0.01, "panel": panel_with(spare)} if streamed else {}))
    assert (result.answer, result.failed_models) == ("1861.", [])
    assert {request.stream for request in provider.calls(SEAT)} == {streamed}
    assert [request.body.get("tool_choice") for request in provider.calls(SEAT)] == choices
    first, *_, last = provider.calls(SEAT)
    assert last.tools == first.tools != []
    assert [f"Page {n}." in said for n, said in enumerate(last.tool_results)] == [True, True]
    assert "tool calls are spent" in last.tool_results[-1]
    assert result.responses[0].tool_calls == 2


async def test_an_endpoint_that_refuses_tool_choice_is_asked_without_from_then_on(provider, internet, ask):
    objection = strict("none")
    provider.on(lambda request: request.model == SEAT and objection(request) is not None, objection)
    for _ in range(2):
        provider.reply(SEAT, reads(internet.url("/0")), "1861.")
        await ask(max_tool_calls=1)
    assert [request.body.get("tool_choice") for request in provider.calls(SEAT)] == [None, "none", None, None, None]


async def test_a_model_that_calls_a_tool_all_the_same_is_told_that_none_is_left(provider, internet, ask):
    provider.reply(SEAT, reads(internet.url("/0")), reads(internet.url("/1")), "1861.")
    result = await ask(max_tool_calls=1)
    assert result.answer == "1861."
    assert "no tool calls are left" in provider.calls(SEAT)[-1].tool_results[-1]
    assert internet.counts["/1"] == 0


async def test_the_seat_is_told_its_budget(provider, ask):
    await ask(max_tool_calls=3)
    assert "at most 3 tool calls" in provider.calls(SEAT)[0].prompt


@pytest.mark.parametrize(("asked", "allowed"), [(5, 2), (3, 3), (6, 1)])
async def test_parallel_calls_beyond_the_budget_are_not_made(provider, internet, ask, asked, allowed):
    provider.reply(SEAT, reads(*(internet.url(f"/{n}") for n in range(asked))), "1861.")
    result = await ask(max_tool_calls=allowed)
    assert result.responses[0].tool_calls == allowed
    assert sum(internet.counts[f"/{n}"] for n in range(asked)) == allowed
    refused = [said for said in provider.calls(SEAT)[-1].tool_results if "no tool calls are left" in said]
    assert len(refused) == asked - allowed


async def test_a_repeated_call_is_answered_from_what_is_known(provider, internet, ask):
    page = internet.url("/0")
    provider.reply(SEAT, reads(page), reads(page), searches(), searches(), "1861.")
    result = await ask(max_tool_calls=3)
    results = provider.calls(SEAT)[-1].tool_results
    assert results[0] == results[1]
    assert results[2] == results[3]
    assert (internet.counts["/0"], len(internet.queries)) == (1, 1)
    assert result.responses[0].tool_calls == 2


async def test_a_model_that_repeats_itself_for_ever_is_stopped(provider, internet, ask):
    provider.reply(SEAT, reads(internet.url("/0")))
    with pytest.raises(PanelFailed) as failure:
        await ask(max_tool_calls=2)
    assert [row["reason"] for row in failure.value.failed_models] == ["tool_loop"]
    assert internet.counts["/0"] == 1
    assert provider.counts[SEAT] <= 8


BROKEN = [
    pytest.param(ToolCall("web_search", '{"query": "mi'), "JSON", id="half an object"),
    pytest.param(ToolCall("web_search", "query=mill"), "JSON", id="no JSON at all"),
    pytest.param(ToolCall("web_search", {"q": "mill"}), "query", id="another argument"),
    pytest.param(ToolCall("web_search", {"query": ["mill"]}), "query", id="another type"),
    pytest.param(ToolCall("fetch_page", {}), "url", id="no argument"),
    pytest.param(ToolCall("google", {"query": "mill"}), "google", id="a tool that there is not"),
    pytest.param(ToolCall("fetch_page", {"url": "http://10.0.0.1/"}), "fetch failed", id="a private address"),
    pytest.param(ToolCall("fetch_page", {"url": "file:///etc/passwd"}), "fetch failed", id="a file"),
    pytest.param(ToolCall("fetch_page", {"url": "not an address"}), "fetch failed", id="no address"),
]


@pytest.mark.parametrize(("call", "complaint"), BROKEN)
async def test_a_broken_call_goes_back_as_an_error_and_the_seat_goes_on(provider, ask, call, complaint):
    provider.reply(SEAT, Reply(tool_calls=[call]), "1861.")
    result = await ask()
    assert result.answer == "1861."
    (told,) = provider.calls(SEAT)[1].tool_results
    assert complaint in told
    assert "Traceback" not in told


@pytest.mark.parametrize("call", [ToolCall("web_search", '{"query": "mi'), ToolCall("google", {"query": "mill"})])
async def test_a_model_that_cannot_do_better_is_stopped(provider, ask, call):
    provider.reply(SEAT, Reply(tool_calls=[call]))
    with pytest.raises(PanelFailed) as failure:
        await ask(max_tool_calls=2)
    assert [row["reason"] for row in failure.value.failed_models] == ["tool_loop"]
    assert provider.counts[SEAT] <= 8


async def test_a_good_call_beside_a_broken_one_is_made_and_the_broken_one_answered(provider, internet, ask):
    """Every call of a message must be answered, else the next request is refused."""
    good = ToolCall("fetch_page", {"url": internet.url("/0")}, id="good")
    broken = ToolCall("fetch_page", '{"url": ', id="broken")
    provider.reply(SEAT, Reply(tool_calls=[good, broken]), "1861.")
    result = await ask()
    assert result.answer == "1861."
    assert len(provider.calls(SEAT)[-1].tool_results) == 2


FAILED_SEARCH = [
    pytest.param(Page(status=429), "rate limited", id="rate limited"),
    pytest.param(Page("<html>Blocked</html>"), "HTML instead of JSON", id="HTML"),
    pytest.param(Page('{"results": []}', content_type="application/json"), "no results", id="nothing found"),
    pytest.param(Page(status=500), "500", id="500"),
]


@pytest.mark.parametrize(("page", "complaint"), FAILED_SEARCH)
async def test_a_failed_search_is_an_error_to_the_model_and_not_a_source(provider, internet, ask, page, complaint):
    internet.page("/search", page)
    provider.reply(SEAT, searches(), "I found nothing.")
    result = await ask()
    (told,) = provider.calls(SEAT)[-1].tool_results
    assert told.startswith("search failed: ")
    assert complaint in told
    assert (result.sources, result.responses[0].sources) == ([], [])


async def test_a_page_that_is_not_there_is_an_error_to_the_model(provider, internet, ask):
    provider.reply(SEAT, reads(internet.url("/missing")), "I found nothing.")
    result = await ask()
    assert "404" in provider.calls(SEAT)[-1].tool_results[0]
    assert result.sources == []


async def test_a_long_page_is_read_on_from_where_it_was_cut(provider, internet, ask):
    internet.page("/long", text("\n".join(f"Line {n} of the long page." for n in range(4000))))
    url = internet.url("/long")
    again = Reply(tool_calls=[ToolCall("fetch_page", {"url": url, "offset": 16000})])
    provider.reply(SEAT, reads(url), again, f"Both parts {cite(url)}.")
    result = await ask()
    first, second = provider.calls(SEAT)[-1].tool_results
    assert "call again with offset=" in first
    assert first.splitlines()[1] != second.splitlines()[1]
    assert [source.url for source in result.sources] == [url]


async def test_an_empty_answer_after_tools_is_no_answer(provider, internet, ask):
    provider.reply(SEAT, reads(internet.url("/0")), Reply(""))
    with pytest.raises(PanelFailed) as failure:
        await ask()
    assert [row["reason"] for row in failure.value.failed_models] == ["empty"]
    assert failure.value.usage["calls"]


async def test_each_model_call_of_the_loop_is_a_row_of_the_bill(provider, ask):
    provider.reply(SEAT, searches(cost=0.125), Reply("1861.", cost=0.25))
    result = await ask()
    assert [row.cost_usd for row in result.usage.calls] == [0.125, 0.25]


async def test_what_a_seat_found_before_its_fallback_is_kept(provider, internet):
    provider.reply(SEAT, reads(internet.url("/0")), faults.unauthorized())
    provider.reply("test/second", f"Built in 1861 {cite(internet.url('/0'))}.")
    seat = {"model": f"openrouter:{SEAT}", "fallbacks": ["openrouter:test/second"]}
    config = panel(SEAT, internet=internet, strategy="solo")
    result = await afuse(QUESTION, config.model_copy(update={"panel": panel_with(seat)}))
    assert result.answer == "Built in 1861 [1]."
    assert [one.model for one in result.responses] == ["openrouter:test/second"]


# A model without tools ------------------------------------------------------------------------------------------


async def test_a_model_that_cannot_call_tools_gets_the_evidence_first(internet):
    model = ScriptedChat(
        replies=[f"Built in 1861 {cite(internet.url('/0'))}."], model_name="plain", profile={"tool_calling": False}
    )
    config = panel(SEAT, internet=internet, strategy="solo")
    result = await afuse(QUESTION, config.model_copy(update={"panel": panel_with(model)}))
    (prompt,) = model.prompts
    assert [internet.counts[f"/{n}"] for n in range(3)] == [1, 1, 1]
    assert MILL in prompt[-1].text
    assert cite(internet.url("/0")) in prompt[-1].text
    assert [(one.url, one.support) for one in result.citations] == [(internet.url("/0"), "supported")]
    assert internet.queries == [QUESTION]


@pytest.mark.parametrize("search", [Page(status=429), Page('{"results": []}', content_type="application/json")])
async def test_without_evidence_it_answers_from_what_it_knows(internet, search):
    internet.page("/search", search)
    model = ScriptedChat(replies=["I believe 1861."], profile={"tool_calling": False})
    config = panel(SEAT, internet=internet, strategy="solo")
    result = await afuse(QUESTION, config.model_copy(update={"panel": panel_with(model)}))
    assert (result.answer, result.sources) == ("I believe 1861.", [])


async def test_a_model_whose_provider_refuses_tools_gets_the_evidence_first(provider, internet, ask):
    provider.refuse(SEAT, "tools")
    provider.reply(SEAT, f"Built in 1861 {cite(internet.url('/0'))}.")
    result = await ask()
    assert result.answer == "Built in 1861 [1]."
    assert [bool(request.tools) for request in provider.calls(SEAT)] == [True, False]
    assert MILL in provider.calls(SEAT)[-1].prompt


async def test_no_tools_at_all_is_a_panel_from_memory(provider):
    result = await afuse(QUESTION, panel("test/one", "test/two"))
    assert not [request for request in provider.requests if request.tools]
    assert (result.sources, result.citations) == ([], [])


async def test_no_tool_calls_allowed_offers_no_tools(provider, ask):
    await ask(max_tool_calls=0)
    assert [request.tools for request in provider.calls(SEAT)] == [[]]


def panel_with(*seats):
    return tuple(Panelist.model_validate(seat) for seat in seats)


async def test_tool_rounds_change_threads_no_more_than_an_answer_without_them(monkeypatch):
    """Each change of thread is a wait that whoever asks can feel."""
    changes = []
    loop = asyncio.get_running_loop()
    run = loop.run_in_executor
    monkeypatch.setattr(loop, "run_in_executor", lambda *task: (changes.append(task), run(*task))[1])

    @tool
    async def lookup(word: str) -> str:
        """What is known of a word."""
        return f"Much is known of {word}."

    counts = []
    for rounds in (1, 1, 4):  # the first one has imports to make
        changes.clear()
        seat = ScriptedChat(replies=[*(calls("lookup", word=f"mill {n}") for n in range(rounds)), "It is old."])
        result = await afuse("How old?", panel(panel=(Panelist(model=seat),), strategy="solo"), panel_tools=[lookup])
        assert result.responses[0].tool_calls == rounds
        counts.append(len(changes))
    assert counts[1] == counts[2]
