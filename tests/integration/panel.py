"""The words these tests are written in: a panel, its judge's reply, what a seat says and does."""

import json
import re
from collections.abc import Mapping
from typing import Any

from fusion_tool import FusionConfig
from fusion_tool.grounding.sources import source_id
from tests.scripted_server import Reply, Request, ToolCall
from tests.scripted_server.web import Page, WebServer

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
QUESTION = "When was the Alder mill built?"
JUDGE, WRITER = "test/judge", "test/writer"

ANALYSIS: dict[str, Any] = {
    "consensus": ["The mill is old."],
    "contradictions": [
        {"topic": "year", "stances": [{"model": "A", "stance": "1861"}, {"model": "B", "stance": "1871"}]}
    ],
    "partial_coverage": [{"models": ["A"], "point": "It burned down."}],
    "unique_insights": [{"model": "B", "insight": "Answer B alone names the owner."}],
    "blind_spots": ["Who built it."],
}


def panel(*models: str, internet: WebServer | None = None, **overrides: Any) -> FusionConfig:
    """`models` of the scripted OpenRouter with a judge and a writer of their own; no tools but the web's, if any."""
    settings: dict[str, Any] = {
        "panel": tuple(f"openrouter:{model}" for model in models),
        "judge": f"openrouter:{JUDGE}",
        "synthesizer": f"openrouter:{WRITER}",
        "search": None,
        "bash": "off",
    }
    if internet is not None:
        settings |= {"search": {"providers": ["searxng"]}, "fetch": reach(internet)}
    return FusionConfig(**(settings | overrides))


def reach(internet: WebServer) -> dict[str, Any]:
    """The setting that opens the scripted web, and nothing else on this machine."""
    return {"allowed_private_hosts": [f"127.0.0.1:{internet.port}"]}


def verdict(**fields: Any) -> str:
    """A judge's reply."""
    return json.dumps(ANALYSIS | fields)


def searches(query: str = QUESTION, **options: Any) -> Reply:
    return Reply(tool_calls=[ToolCall("web_search", {"query": query})], **options)


def reads(*urls: str) -> Reply:
    return Reply(tool_calls=[ToolCall("fetch_page", {"url": url}) for url in urls])


def cite(url: str) -> str:
    """The citation of the page at `url`."""
    return f"[{source_id(url)}]"


def text(body: str, **headers: str) -> Page:
    """A page of plain text, which needs no extraction."""
    return Page(body, content_type="text/plain; charset=utf-8", headers=headers)


def fenced(request: Request) -> list[str]:
    """What stands inside the fences of a prompt, by the nonce that its system message names."""
    token = nonce(request)
    return re.findall(rf"<<<{token} begin [^\n]*\n(.*?)\n{token} end>>>", request.prompt, flags=re.DOTALL)


def nonce(request: Request) -> str:
    """The token that the system message says marks outside text."""
    found = re.search(r"carry the token (\w+)\.", request.prompt)
    assert found, "the prompt names no token"
    return found[1]


def kinds(events: list[Mapping[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def deltas(events: list[Any], attempt: int | None = None) -> str:
    """The joined deltas of one attempt; of the last one where none is named."""
    pieces = [event for event in events if event["type"] == "synthesis.delta"]
    wanted = attempt or max((piece["attempt"] for piece in pieces), default=0)
    return "".join(piece["text"] for piece in pieces if piece["attempt"] == wanted)
