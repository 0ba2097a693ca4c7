import asyncio
from contextlib import asynccontextmanager

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.tools.search.base import Receipt, SearchError, SearchProviderError, SearchResult
from fusion_tool.tools.search.search import PROVIDERS, search_web


@pytest.fixture
def script(monkeypatch):
    """Replace providers' search functions: a list is found, an exception is raised; `asked` is the log."""
    asked = []

    def install(**outcomes):
        for name, outcome in outcomes.items():

            async def search(query, *, outcome=outcome, name=name, **options):
                asked.append((name, query, options))
                if isinstance(outcome, Exception):
                    raise outcome
                if outcome is None:
                    await asyncio.Event().wait()
                return outcome

            monkeypatch.setattr(f"fusion_tool.tools.search.{name}.search", search)
        return asked

    return install


def hit(url, title="t", snippet="s"):
    return SearchResult(title, url, snippet)


async def test_the_first_provider_with_results_answers(script):
    asked = script(tavily=[hit("https://a.test/")], exa=[hit("https://b.test/")])
    outcome = await search_web("q", providers=["tavily", "exa"])
    assert [result.url for result in outcome.results] == ["https://a.test/"]
    assert (outcome.provider, outcome.dropped, outcome.attempts) == ("tavily", 0, [])
    assert [name for name, *_ in asked] == ["tavily"]


async def test_failures_fall_back_and_are_told(script):
    script(
        duckduckgo=SearchProviderError("no results (maybe rate limited)"), tavily=None, exa=[], brave=[hit("http://b/")]
    )
    outcome = await search_web("q", providers=["duckduckgo", "tavily", "exa", "brave"], timeout=0.05)
    assert outcome.provider == "brave"
    assert outcome.attempts == [
        "duckduckgo: no results (maybe rate limited)",
        "tavily: timed out after 0.05 s",
        "exa: no results",
    ]


async def test_when_all_fail_every_reason_stands_in_one_line(script):
    script(tavily=SearchProviderError("no key: set TAVILY_API_KEY"), exa=SearchProviderError("rate limited (429)"))
    with pytest.raises(SearchError) as failure:
        await search_web("q", providers=["tavily", "exa"])
    assert str(failure.value) == ("search failed: tavily: no key: set TAVILY_API_KEY; exa: rate limited (429)")


async def test_exclusions_bind_every_result_and_are_counted(script):
    found = [
        hit("https://WWW.Example.org.:443/x"),
        hit("https://good.test/", snippet="the CANARY\nstring"),
        *(hit(f"https://good.test/{number}") for number in range(9)),
    ]
    asked = script(tavily=found)
    outcome = await search_web(
        "q",
        providers=["tavily"],
        excluded_domains=["https://EXAMPLE.org/"],
        blocked_fragments=["canary string"],
        limit=4,
    )
    assert [result.url for result in outcome.results] == [f"https://good.test/{number}" for number in range(4)]
    assert outcome.dropped == 2
    assert asked[0][2]["excluded_domains"] == ("example.org",)
    assert asked[0][2]["limit"] == 8


@pytest.mark.parametrize(("provider", "count"), [("tavily", 20), ("brave", 20), ("exa", 60)])
async def test_no_more_is_requested_and_paid_than_a_provider_gives(script, provider, count):
    paid = []

    @asynccontextmanager
    async def pay(name, results):
        paid.append((name, results))
        yield Receipt()

    asked = script(**{provider: [hit("https://a.test/")]})
    await search_web("q", providers=[provider], limit=60, pay=pay)
    assert paid == [(provider, count)]
    assert asked[0][2]["limit"] == count


async def test_a_provider_whose_results_are_all_excluded_is_passed_over_and_counted(script):
    script(tavily=[hit("https://example.org/")], exa=[hit("https://a.test/")])
    outcome = await search_web("q", providers=["tavily", "exa"], excluded_domains=["example.org"])
    assert (outcome.provider, outcome.dropped) == ("exa", 1)
    assert outcome.attempts == ["tavily: all 1 results are excluded"]
    with pytest.raises(SearchError) as failure:
        await search_web("q", providers=["tavily"], excluded_domains=["example.org"])
    assert failure.value.dropped == 1


async def test_the_operators_searxng_is_passed_on(script):
    asked = script(searxng=[hit("https://a.test/")])
    await search_web("q", providers=["searxng"], searxng_url="http://10.0.0.5:8080")
    assert asked[0][2]["base_url"] == "http://10.0.0.5:8080"


@pytest.mark.parametrize("providers", [[], ["google"], ["tavily", "os"]])
async def test_an_unknown_provider_is_a_configuration_error_that_lists_them(providers):
    with pytest.raises(ConfigError, match=", ".join(PROVIDERS)) as error:
        await search_web("q", providers=providers)
    assert error.value.field == "search.providers"


@pytest.mark.parametrize("query", ["", " \n"])
async def test_an_empty_query_is_not_sent(script, query):
    asked = script(tavily=[hit("https://a.test/")])
    with pytest.raises(SearchError, match="the query is empty"):
        await search_web(query, providers=["tavily"])
    assert asked == []
