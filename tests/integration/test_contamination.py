"""What the caller does not want to be seen is not seen, by whatever way it comes; and every drop is counted."""

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import StructuredTool, ToolException, tool

from fusion_tool import ConfigError, afuse
from fusion_tool.testing import ScriptedChat
from tests.integration.panel import QUESTION, panel, reads, searches, text
from tests.scripted_server import Reply, ToolCall
from tests.scripted_server.web import Hit, Page, redirect

pytestmark = pytest.mark.loopback

SEAT = "test/seat"
CANARY = "canary GUID 26b5c67b-86dd"
EXCLUDED = "excluded.example"


@pytest.fixture
def ask(internet):
    async def asked(*own, **overrides):
        settings = {"excluded_domains": [EXCLUDED], "blocked_fragments": [CANARY], "strategy": "solo"} | overrides
        return await afuse(QUESTION, panel(SEAT, internet=internet, **settings), panel_tools=own)

    return asked


def seen(provider) -> str:
    """Everything that tools told the seat."""
    return "\n".join(provider.calls(SEAT)[-1].tool_results)


HITS = [
    "https://excluded.example/a",
    "http://excluded.example:8080/a",
    "https://www.excluded.example/a",
    "https://EXCLUDED.Example/a",
    "https://excluded.example./a",
    "https://user@excluded.example/a",
    "https://exclude%64.example/a",
    "https://\uff45xcluded.example/a",
]


@pytest.mark.parametrize("url", HITS)
async def test_results_of_an_excluded_site_are_dropped_and_counted(provider, internet, ask, url):
    internet.hits(Hit(url, "SECRET"), Hit("https://open.example/b", "OPEN"))
    provider.reply(SEAT, searches(), "Done.")
    result = await ask()
    assert "OPEN" in seen(provider)
    assert "SECRET" not in seen(provider)
    assert (result.dropped, [source.title for source in result.sources]) == (1, ["OPEN"])


@pytest.mark.parametrize(
    "spelling", [CANARY, CANARY.upper(), CANARY.replace(" ", "\n "), "canary\u200b GUID 26b5c67b-86dd"]
)
@pytest.mark.parametrize("field", ["title", "content"])
async def test_results_with_a_blocked_text_are_dropped_and_counted(provider, internet, ask, field, spelling):
    hit = {"url": "https://one.example/a", "title": "SECRET", "content": "SECRET"} | {field: f"SECRET {spelling}"}
    internet.hits(Hit(**hit), Hit("https://open.example/b", "OPEN"))
    provider.reply(SEAT, searches(), "Done.")
    result = await ask()
    assert "SECRET" not in seen(provider)
    assert result.dropped == 1


async def test_a_search_whose_every_result_is_dropped_is_an_error_and_they_are_counted(provider, internet, ask):
    internet.hits(Hit("https://excluded.example/a", "SECRET"), Hit("https://excluded.example/b", "SECRET"))
    provider.reply(SEAT, searches(), "Done.")
    result = await ask()
    assert "all 2 results are excluded" in seen(provider)
    assert (result.dropped, result.sources) == (2, [])


async def test_a_page_of_an_excluded_site_is_not_fetched(provider, internet, ask):
    internet.page("/page", text("SECRET"))
    provider.reply(SEAT, reads(internet.url("/page")), "Done.")
    result = await ask(excluded_domains=["127.0.0.1"])
    assert internet.counts["/page"] == 0
    assert (result.dropped, result.sources) == (1, [])
    assert "SECRET" not in seen(provider)


async def test_a_redirect_to_an_excluded_site_is_not_followed(provider, internet, ask):
    internet.page("/hop", redirect("https://excluded.example/page"))
    internet.page("/start", redirect("/hop"))
    provider.reply(SEAT, reads(internet.url("/start")), "Done.")
    result = await ask()
    assert (internet.counts["/start"], internet.counts["/hop"]) == (1, 1)
    assert (result.dropped, result.sources) == (1, [])


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("html", [True, False])
async def test_a_page_with_a_blocked_text_is_withheld(provider, internet, ask, place, html):
    filler = "SECRET words that fill the page. " * 200
    body = f"{CANARY} {filler}" if place == "start" else f"{filler} {CANARY}"
    internet.page("/page", Page(f"<html><body><p>{body}</p></body></html>") if html else text(body))
    provider.reply(SEAT, reads(internet.url("/page")), "Done.")
    result = await ask()
    assert "SECRET" not in seen(provider)
    assert (result.dropped, result.sources) == (1, [])


async def test_the_window_that_is_shown_is_not_all_that_is_checked(provider, internet, ask):
    """A rubric at the end of a long page taints its beginning."""
    internet.page("/page", text("SECRET\n" + "Filler of a long page.\n" * 3000 + CANARY))
    provider.reply(SEAT, reads(internet.url("/page")), "Done.")
    result = await ask()
    assert "SECRET" not in seen(provider)
    assert result.dropped == 1


async def test_nothing_dropped_is_nothing_counted(provider, internet, ask):
    internet.hits(Hit(internet.url("/page"), "OPEN"))
    internet.page("/page", text("OPEN"))
    provider.reply(SEAT, searches(), reads(internet.url("/page")), "Done.")
    assert (await ask()).dropped == 0


# The caller's own tools -----------------------------------------------------------------------------------------

LEAKS = [
    pytest.param("SECRET, see https://excluded.example/a.", id="an address"),
    pytest.param("SECRET, see HTTPS://Sub.Excluded.Example:443/a.", id="another spelling"),
    pytest.param("SECRET [it](https://excluded.example/a)", id="a link"),
    pytest.param('SECRET {"url": "https://excluded.example/a"}', id="JSON"),
    pytest.param('SECRET {"url": "https:\\/\\/excluded.example\\/a"}', id="JSON with escaped slashes"),
    pytest.param("SECRET, see www.excluded.example/a", id="an address without a scheme"),
    pytest.param("SECRET, see //excluded.example/a", id="an address without its protocol"),
    pytest.param(f"SECRET {CANARY}", id="a blocked text"),
    pytest.param(f"SECRET {CANARY.upper()}", id="a blocked text in capitals"),
]


def says(content):
    def leak() -> str:
        return content

    return StructuredTool.from_function(leak, name="leak", description="Say it.")


LEAK = Reply(tool_calls=[ToolCall("leak", {})])


@pytest.mark.parametrize("content", LEAKS)
async def test_an_own_tools_output_is_withheld_and_counted(provider, ask, content):
    provider.reply(SEAT, LEAK, "Done.")
    result = await ask(says(content))
    assert "SECRET" not in seen(provider)
    assert "withheld" in seen(provider)
    assert result.dropped == 1


@pytest.mark.parametrize("error", [ToolException, ValueError])
@pytest.mark.parametrize("content", ["SECRET, see https://excluded.example/a.", f"SECRET {CANARY}"])
async def test_an_own_tools_error_is_output_too(provider, ask, error, content):
    def leak() -> str:
        raise error(content)

    provider.reply(SEAT, LEAK, "Done.")
    result = await ask(StructuredTool.from_function(leak, name="leak", description="Fail."))
    assert "SECRET" not in seen(provider)
    assert result.dropped == 1


BLOCKS = [
    pytest.param([{"type": "text", "text": "SECRET https://excluded.example/a"}], id="a text block"),
    pytest.param([{"type": "text", "text": "OPEN"}, {"type": "text", "text": f"SECRET {CANARY}"}], id="a second block"),
    pytest.param([{"type": "json", "json": {"SECRET": "https://excluded.example/a"}}], id="a JSON block"),
    pytest.param([{"type": "file", "data": f"SECRET {CANARY}"}], id="a file block"),
]


@pytest.mark.parametrize("blocks", BLOCKS)
async def test_an_own_tools_blocks_are_withheld_one_by_one(provider, ask, blocks):
    @tool
    def leak() -> list:
        """Say it."""
        return blocks

    provider.reply(SEAT, LEAK, "Done.")
    result = await ask(leak)
    assert "SECRET" not in str(provider.calls(SEAT)[-1].body)
    assert result.dropped == 1


async def test_a_tool_that_answers_with_a_message_is_screened_too(provider, ask):
    @tool
    def leak() -> ToolMessage:
        """Say it."""
        return ToolMessage(f"SECRET {CANARY}", tool_call_id="x")

    provider.reply(SEAT, Reply(tool_calls=[ToolCall("leak", {}, id="x")]), "Done.")
    result = await ask(leak)
    assert "SECRET" not in seen(provider)
    assert result.dropped == 1


async def test_a_tool_that_answers_with_a_command_is_screened_too(provider, ask):
    from langgraph.types import Command

    @tool
    def leak() -> Command:
        """Say it."""
        return Command(update={"messages": [ToolMessage(f"SECRET {CANARY}", tool_call_id="x")]})

    provider.reply(SEAT, Reply(tool_calls=[ToolCall("leak", {}, id="x")]), "Done.")
    result = await ask(leak)
    assert "SECRET" not in seen(provider)
    assert result.dropped == 1


async def test_what_is_clean_passes(provider, ask):
    provider.reply(SEAT, LEAK, "Done.")
    result = await ask(says("OPEN, see https://open.example/excluded.example"))
    assert "OPEN" in seen(provider)
    assert result.dropped == 0


# A model without tools ------------------------------------------------------------------------------------------


async def test_evidence_gathered_first_is_screened_and_counted_too(internet):
    """Of five: a result of an excluded site, a page with a canary, a redirect to an excluded site, two clean ones."""
    internet.page("/canary", text(f"SECRET {CANARY}"))
    internet.page("/hop", redirect("https://excluded.example/page"))
    internet.page("/open", text("OPEN"))
    internet.hits(
        Hit("https://excluded.example/a", "SECRET"),
        *(Hit(internet.url(path), "A title") for path in ("/canary", "/hop", "/open")),
    )
    model = ScriptedChat(replies=["Done."], profile={"tool_calling": False})
    config = panel(SEAT, internet=internet, strategy="solo", excluded_domains=[EXCLUDED], blocked_fragments=[CANARY])
    result = await afuse(QUESTION, config, panel=[{"model": model}])
    shown = model.prompts[0][-1].text
    assert "OPEN" in shown
    assert "SECRET" not in shown
    assert result.dropped == 3


# A provider's own search ----------------------------------------------------------------------------------------

NATIVE = [
    {"type": "web_search_preview"},
    {"type": "web_search"},
    {"type": "openrouter:web_search"},
    {"type": "file_search"},
    {"type": "web_fetch_20250910"},
    {"google_search": {}},
    {"googleSearch": {}},
    {"google_search_retrieval": {}},
    {"url_context": {}},
    {"type": "mcp", "server_url": "https://mcp.example", "server_label": "web"},
]


@pytest.mark.parametrize("native", NATIVE, ids=str)
@pytest.mark.parametrize("limit", [{"excluded_domains": [EXCLUDED]}, {"blocked_fragments": [CANARY]}])
async def test_a_search_that_cannot_honour_the_exclusions_is_refused_before_any_call(provider, native, limit):
    with pytest.raises(ConfigError, match="cannot honour") as refused:
        await afuse(QUESTION, panel(SEAT, **limit), panel_tools=[native])
    assert refused.value.field == "panel_tools"
    assert not provider.requests


@pytest.mark.parametrize("native", [{"type": "code_interpreter", "container": {"type": "auto"}}], ids=str)
async def test_what_reaches_no_web_is_let_through(provider, native):
    await afuse(QUESTION, panel(SEAT, strategy="solo", excluded_domains=[EXCLUDED]), panel_tools=[native])
    assert provider.calls(SEAT)[0].body["tools"] == [native]


async def test_a_search_that_can_is_told_the_excluded_domains():
    offered = []

    class Anthropic(ScriptedChat):
        def bind_tools(self, tools, **kwargs):
            offered.extend(tools)
            return super().bind_tools(tools, **kwargs)

    native = {"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["mine.example"]}
    config = panel(SEAT, strategy="solo", excluded_domains=[EXCLUDED], panel=[{"model": Anthropic(replies=["Done."])}])
    await afuse(QUESTION, config, panel_tools=[native])
    assert offered == [native | {"blocked_domains": ["mine.example", EXCLUDED]}]
    assert native["blocked_domains"] == ["mine.example"]
