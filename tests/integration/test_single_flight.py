"""Seats side by side: what several of them look up is looked up once."""

import pytest

from fusion_tool import afuse
from tests.integration.panel import JUDGE, QUESTION, panel, reads, searches, text, verdict
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def world(provider, internet):
    provider.reply(JUDGE, verdict())
    internet.page("/0", text("Page 0."))
    internet.hits(Hit(internet.url("/0"), "Page 0", "a snippet"))


async def test_three_seats_that_overlap_by_half_fetch_every_page_once(provider, internet):
    """Ten pages a seat, 30 fetches, 20 different ones."""
    wanted = [[*range(5 * n, 5 * n + 10)] for n in range(3)]
    assert len({n for pages in wanted for n in pages}) == 20
    for n in range(20):
        internet.page(f"/{n}", text(f"Page {n}."))
    for model, pages in zip(("test/one", "test/two", "test/three"), wanted, strict=True):
        provider.reply(model, reads(*(internet.url(f"/{n}") for n in pages)), "Read.")
    config = panel("test/one", "test/two", "test/three", internet=internet, max_tool_calls=10)
    result = await afuse(QUESTION, config)
    visits = {path: count for path, count in internet.counts.items() if path != "/search"}
    assert sum(visits.values()) == len(visits) == 20
    assert [one.tool_calls for one in result.responses] == [10, 10, 10]
    assert [len(one.sources) for one in result.responses] == [10, 10, 10]


async def test_three_seats_that_search_for_the_same_ask_once(provider, internet):
    for model in ("test/one", "test/two", "test/three"):
        provider.reply(model, searches(), "Found.")
    await afuse(QUESTION, panel("test/one", "test/two", "test/three", internet=internet))
    assert internet.queries == [QUESTION]


async def test_spellings_of_one_address_are_one_page(provider, internet):
    url = internet.url("/0")
    for model, spelling in zip(("test/one", "test/two"), (f"{url}#top", f"{url}?utm_source=x"), strict=True):
        provider.reply(model, reads(spelling), "Read.")
    result = await afuse(QUESTION, panel("test/one", "test/two", internet=internet))
    assert sum(count for path, count in internet.counts.items() if path == "/0") == 1
    assert [source.retrieved_by for source in result.sources] == [["one", "two"]]


async def test_another_run_looks_again(provider, internet):
    provider.reply("test/one", reads(internet.url("/0")), "1861.", reads(internet.url("/0")), "1861.")
    for _ in range(2):
        await afuse(QUESTION, panel("test/one", internet=internet, strategy="solo"))
    assert internet.counts["/0"] == 2
