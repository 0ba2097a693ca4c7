"""Searches at a provider that charges: rows of the bill, inside the limits, paid for once."""

import asyncio

import pytest
from langchain.tools import tool

from fusion_tool import afuse
from fusion_tool.testing import ScriptedChat, calls, fake_config
from fusion_tool.tools.search import brave, exa, tavily
from fusion_tool.tools.search.base import SearchProviderError, SearchResult

QUESTION = "When was the Alder mill built?"
HIT = SearchResult("The mill", "https://example.org/mill", "Built in 1861.")
TAVILY = 0.008


@pytest.fixture
def provider(monkeypatch):
    """What each provider does when it is asked; `asked` is the log."""
    asked = []

    def scripted(**outcomes):
        for module in (tavily, exa, brave):
            name = module.__name__.rpartition(".")[2]
            monkeypatch.setenv(f"{name.upper()}_API_KEY", "k")
            outcome = outcomes.get(name, [HIT])

            async def search(query, *, outcome=outcome, name=name, **options):
                asked.append((name, query))
                if isinstance(outcome, Exception):
                    raise outcome
                return await outcome(**options) if callable(outcome) else outcome

            monkeypatch.setattr(module, "search", search)
        return asked

    return scripted


def seat(*queries, name="seat"):
    asks = [calls("web_search", call_id=str(n), query=query) for n, query in enumerate(queries)]
    return {"model": ScriptedChat(replies=[*asks, lambda seen: f"Read: {seen[-1].text[-40:]}"], model_name=name)}


def config(*seats, providers=("tavily",), **fields):
    return fake_config(panel=seats, search={"providers": providers}, allow_unpriced=True, **fields)


def fees(usage):
    return [(row.model, row.seat, row.cost_usd, row.cost_source) for row in usage.calls if ":" in row.model]


async def test_every_search_is_a_row_of_its_seat_at_the_list_price(provider):
    provider()
    result = await afuse(QUESTION, config(seat("mill", "fire"), strategy="solo"))
    assert fees(result.usage) == [("search:tavily", "seat", TAVILY, "list_price")] * 2
    row = next(row for row in result.usage.calls if row.model == "search:tavily")
    assert (row.stage, row.input_tokens, row.output_tokens) == ("panelist", None, None)
    assert row.seconds is not None
    assert result.usage.cost_usd == pytest.approx(2 * TAVILY)


async def test_the_providers_own_figure_counts(provider):
    async def told(receipt, **_options):
        receipt.cost_usd = 0.0071
        return [HIT]

    provider(exa=told)
    result = await afuse(QUESTION, config(seat("mill"), providers=["exa"], strategy="solo"))
    assert fees(result.usage) == [("search:exa", "seat", 0.0071, "provider")]


async def test_what_two_seats_look_up_is_paid_for_once(provider):
    asked = provider()
    result = await afuse(QUESTION, config(seat("mill", name="a"), seat("Mill ", name="b")))
    assert len(asked) == len(fees(result.usage)) == 1
    assert [len(one.sources) for one in result.responses] == [1, 1]


async def test_what_the_cache_keeps_costs_nothing_again(provider, tmp_path, monkeypatch):
    from fusion_tool.tools import caching

    monkeypatch.setattr(caching, "cache_path", tmp_path.joinpath)
    caching._cache.cache_clear()
    provider()
    runs = [
        await afuse(
            QUESTION,
            fake_config(panel=[seat("mill")], search={"providers": ["tavily"], "cache_seconds": 60}, strategy="solo"),
        )
        for _ in range(2)
    ]
    caching._cache.cache_clear()
    assert [len(fees(run.usage)) for run in runs] == [1, 0]


@pytest.mark.parametrize("name", ["duckduckgo", "searxng"])
async def test_a_search_that_costs_nothing_is_no_row(monkeypatch, name):
    async def search(*_, **__):
        return [HIT]

    monkeypatch.setenv("SEARXNG_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(f"fusion_tool.tools.search.{name}.search", search)
    result = await afuse(QUESTION, config(seat("mill"), providers=[name], strategy="solo"))
    assert fees(result.usage) == []
    assert len(result.sources) == 1


@pytest.mark.parametrize(
    ("failed", "row"),
    [
        (SearchProviderError("rate limited (429)"), []),
        (
            SearchProviderError("answered no valid JSON", may_be_charged=True),
            [("search:tavily", "seat", None, "unpriced")],
        ),
        (TimeoutError(), [("search:tavily", "seat", None, "unpriced")]),
    ],
    ids=["refused", "unreadable", "late"],
)
async def test_a_failed_search_is_billed_where_it_may_be_charged(provider, failed, row):
    provider(tavily=failed)
    result = await afuse(QUESTION, config(seat("mill"), providers=["tavily", "brave"], strategy="solo"))
    assert fees(result.usage) == [*row, ("search:brave", "seat", 0.005, "list_price")]


async def test_fees_count_against_the_limit_and_a_search_that_does_not_fit_is_told_to_the_seat(provider):
    asked = provider()
    model = seat("mill", "fire", "flood")
    result = await afuse(QUESTION, config(model, strategy="solo", limits={"usd": 2.5 * TAVILY}))
    assert [query for _, query in asked] == ["mill", "fire"]
    assert result.usage.cost_usd == pytest.approx(2 * TAVILY)
    told = model["model"].prompts[-1][-1].text
    assert told == "search failed: tavily: limits.usd: the call needs 0.008, 0.004 is left for this stage"
    assert result.degraded == ["uncited"]


async def test_where_a_fee_does_not_fit_the_next_provider_is_asked(provider):
    asked = provider()
    limits = {"usd": 0.006}
    result = await afuse(QUESTION, config(seat("mill"), providers=["tavily", "brave"], strategy="solo", limits=limits))
    assert [name for name, _ in asked] == ["brave"]
    assert result.usage.cost_usd == pytest.approx(0.005)


async def test_a_search_that_its_seat_did_not_live_to_see_stands_as_unknown(provider):
    begun = asyncio.Event()

    async def never(**_options):
        begun.set()
        await asyncio.Event().wait()

    @tool
    async def wait() -> str:
        """Wait for the other seat's search to begin."""
        await begun.wait()
        return "begun"

    provider(tavily=never)
    quick = {"model": ScriptedChat(replies=[calls("wait"), "1861."], model_name="quick")}
    limits = {"quorum": 1, "grace_seconds": 0}
    result = await afuse(QUESTION, config(seat("mill", name="late"), quick, limits=limits), panel_tools=[wait])
    assert fees(result.usage) == [("search:tavily", "late", None, "unpriced")]
    assert result.degraded == ["panel_reduced", "straggler_cut", "uncited"]
