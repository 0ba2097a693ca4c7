"""A cited answer's sources, in the form that each face's clients read."""

import pytest

from tests.integration.openai_server import served
from tests.integration.panel import JUDGE, WRITER, cite, panel, reads, text, verdict
from tests.integration.real_clients import needs_node_clients, needs_python_clients, run_node_client, run_python_client

pytestmark = pytest.mark.loopback

ANSWER = "The Alder mill was built in 1861 [1]. It burned down in 1902 [2]. It was built in 1861 [1]."


@pytest.fixture
def pages(internet):
    """Two pages, by the number under which the answer cites them; one has a title."""
    body = "<p>The Alder mill was built in 1861.</p>" * 9
    internet.page("/mill", f"<html><head><title>The mill</title></head><body><main>{body}</main></body></html>")
    internet.page("/fire", text("The Alder mill burned down in 1902."))
    return {1: internet.url("/mill"), 2: internet.url("/fire")}


@pytest.fixture
def config(provider, internet, pages):
    """A panel whose answer cites two pages, one of them twice."""
    mill, fire = map(cite, pages.values())
    provider.otherwise(f"It was built in 1861 {mill}.")
    provider.reply("test/one", reads(*pages.values()), f"It was built in 1861 {mill}.")
    provider.reply(JUDGE, verdict())
    raw = f"The Alder mill was built in 1861 {mill}. It burned down in 1902 {fire}. It was built in 1861 {mill}."
    provider.reply(WRITER, raw)
    return panel("test/one", "test/two", internet=internet)


def spans(answer):
    """Where the marks stand, with their numbers."""
    return [(at, at + 3, int(answer[at + 1])) for at in range(len(answer)) if answer[at] == "["]


# Over HTTP: `url_citation`s ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [[], ["stream"]], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda *options: run_python_client("openai_sources.py", *options), marks=needs_python_clients),
        pytest.param(lambda *options: run_node_client("openai_sources.mjs", *options), marks=needs_node_clients),
    ],
    ids=["python", "node"],
)
def test_openais_clients_read_where_the_answer_cites_what(config, pages, ask, mode):
    with served(config) as url:
        reply = ask(url, *mode)
    assert reply["text"] == ANSWER
    assert {note["type"] for note in reply["annotations"]} == {"url_citation"}
    citations = [note["url_citation"] for note in reply["annotations"]]
    assert [(note["start_index"], note["end_index"], note["url"]) for note in citations] == [
        (start, end, pages[number]) for start, end, number in spans(ANSWER)
    ]
    assert [note["title"] for note in citations] == ["The mill", "", "The mill"]


@needs_node_clients
@pytest.mark.parametrize("mode", [[], ["stream"]], ids=["whole", "streamed"])
def test_the_ai_sdk_reads_them_as_its_sources(config, pages, mode):
    with served(config) as url:
        reply = run_node_client("ai_sources.mjs", url, *mode)
    assert reply["text"] == ANSWER
    assert [source["url"] for source in reply["sources"]] == [pages[1], pages[2], pages[1]]
