import asyncio
import threading

import ddgs
import pytest
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from fusion_tool.errors import ConfigError
from fusion_tool.tools.search.base import SearchProviderError, SearchResult
from fusion_tool.tools.search.duckduckgo import search

HIT = {"title": "A", "href": "https://a.test/", "body": "text"}


@pytest.fixture
def engine(monkeypatch):
    """ddgs with a scripted `text`; `calls` holds what it was asked."""

    class Engine:
        def __init__(self, **options):
            self.options = options

        def text(self, query, **options):
            self.calls.append((query, options))
            if isinstance(Engine.outcome, Exception):
                raise Engine.outcome
            return Engine.outcome

    Engine.calls, Engine.outcome = [], [HIT]
    monkeypatch.setattr(ddgs, "DDGS", Engine)
    return Engine


async def test_hits_become_results(engine):
    assert await search("q", limit=3) == [SearchResult("A", "https://a.test/", "text")]
    assert engine.calls == [("q", {"max_results": 3, "backend": "duckduckgo"})]


async def test_excluded_domains_are_passed_on_while_the_query_stays_short(engine):
    await search("q", limit=3, excluded_domains=("a.test", "b" * 500, "c.test"))
    assert engine.calls[0][0] == "q -site:a.test"


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ([], r"no results \(maybe rate limited\)"),
        (DDGSException("No results found."), r"no results \(maybe rate limited\)"),
        (DDGSException("RuntimeError: error sending request"), "cannot be reached"),
        (RatelimitException("202"), "rate limited"),
        (TimeoutException("timed out"), "timed out after 15 s"),
        (KeyError("changed page"), r"ddgs failed \(KeyError\)"),
        ([{"title": "no address"}], r"no results \(maybe rate limited\)"),
    ],
)
async def test_every_failure_is_one_reason(engine, outcome, reason):
    engine.outcome = outcome
    with pytest.raises(SearchProviderError, match=reason):
        await search("q", limit=3)


@pytest.mark.parametrize("backends", [("duckduckgo", "gooogle"), ("auto",), ()])
async def test_unknown_engines_are_refused_instead_of_widened(engine, backends):
    with pytest.raises(ConfigError, match="duckduckgo"):
        await search("q", limit=3, backends=backends)
    assert engine.calls == []


def test_a_stuck_search_holds_neither_the_caller_nor_the_process(engine, monkeypatch):
    release, left = threading.Event(), threading.Event()

    def stuck(_self, _query, **_options):
        release.wait(30)
        left.set()
        return [HIT]

    monkeypatch.setattr(engine, "text", stuck)
    with pytest.raises(SearchProviderError, match=r"timed out after 0\.05 s"):
        asyncio.run(search("q", limit=3, timeout=0.05))
    [thread] = [thread for thread in threading.enumerate() if thread.name == "ddgs"]
    assert thread.daemon
    release.set()
    assert left.wait(10)
    thread.join(10)
