"""A scripted web: pages at chosen paths, and a search engine that speaks SearXNG's JSON."""

import json
from collections import Counter
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import ASGIApp

from tests.scripted_server.client import Client
from tests.scripted_server.endpoint import Endpoint, read
from tests.scripted_server.pages import Bomb, Endless, Page, Paged, Served, Trickle, redirect, serve
from tests.scripted_server.queue import Queue
from tests.scripted_server.request import Request
from tests.scripted_server.running import Running

__all__ = ["Bomb", "Endless", "Hit", "Page", "Trickle", "WebServer", "redirect"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result."""

    url: str
    title: str
    content: str = ""


class WebServer(Running):
    """Pages and search results on a loopback port.

        with WebServer() as web:
            web.page("/a", "<p>Text</p>")
            web.page("/b", Page(status=503), "<p>The second visit gets this.</p>")
            web.hits(Hit(web.url("/a"), "A"))
            ...
            assert web.counts["/a"] == 1

    `/search` is the search engine unless a page is put there, a 429 say. A page whose path starts with
    `//host` is that host's alone, for tests that resolve names to this server. All other paths are 404.
    `root` is what `SEARXNG_URL` takes.
    """

    def __init__(self) -> None:
        self._pages: dict[str, Queue[Paged]] = {}
        self._hits: dict[str | None, tuple[Hit, ...]] = {}
        super().__init__()

    @property
    def counts(self) -> Counter[str]:
        """Visits of each path."""
        return Counter(request.path for request in self.requests)

    @property
    def queries(self) -> list[str]:
        """What was searched for, in order."""
        return [_asked(request, "q") for request in self.requests if request.path == "/search"]

    def url(self, path: str) -> str:
        """The URL of `path` here."""
        return self.root + path

    def page(self, path: str, *served: Paged) -> None:
        """Serve `path`: visit by visit in order, the last one over and over."""
        self._pages[path] = Queue(served)

    def hits(self, *hits: Hit, query: str | None = None) -> None:
        """Let the search for `query` find `hits`; without a query, every search that has none of its own."""
        self._hits[query] = hits

    def application(self) -> ASGIApp:
        return Endpoint(self._visit, self.errors)

    async def _visit(self, client: Client) -> None:
        request = await read(client)
        with self.answering(request):
            await serve(client, self._choose(request))

    def _choose(self, request: Request) -> Served:
        host = request.headers.get("host", "").partition(":")[0]
        queue = self._pages.get(f"//{host}{request.path}") or self._pages.get(request.path)
        if queue is None:
            return self._search(request) if request.path == "/search" else Page("Not found", status=404)
        chosen = queue.take()
        while callable(chosen):
            chosen = chosen(request)
        return Page(chosen) if isinstance(chosen, str | bytes) else chosen

    def _search(self, request: Request) -> Page:
        """Source: https://docs.searxng.org/dev/search_api.html; other formats than JSON are not enabled."""
        if _asked(request, "format") != "json":
            return Page("Forbidden", status=403)
        query = _asked(request, "q")
        hits = self._hits.get(query, self._hits.get(None, ())) if _asked(request, "pageno") in ("", "1") else ()
        results = [
            {"url": hit.url, "title": hit.title, "content": hit.content, "engine": "scripted", "engines": ["scripted"],
             "score": 1 / position, "positions": [position], "category": "general", "publishedDate": None}
            for position, hit in enumerate(hits, 1)
        ]  # fmt: skip
        empty = dict.fromkeys(("answers", "corrections", "infoboxes", "suggestions", "unresponsive_engines"), ())
        body = {"query": query, "number_of_results": 0, "results": results, **empty}
        return Page(json.dumps(body), content_type="application/json")


def _asked(request: Request, name: str) -> str:
    return parse_qs(request.query).get(name, [""])[0]
