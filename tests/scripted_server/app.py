"""The endpoints: chat completions and lists of models, as OpenRouter and Ollama have them."""

import json
from itertools import count
from typing import Any

from starlette.routing import Route, Router

from tests.scripted_server import catalog, wire
from tests.scripted_server.answer import answer, raw
from tests.scripted_server.client import Client
from tests.scripted_server.endpoint import Endpoint, read
from tests.scripted_server.faults import unauthorized
from tests.scripted_server.journal import Journal
from tests.scripted_server.protocol import objection
from tests.scripted_server.reply import Answer, Raw, Reply
from tests.scripted_server.request import Request
from tests.scripted_server.script import Script


class App:
    """Records a request, asks the script, and has the answer sent.

    `api_key`, where given, is the only bearer token that chat completions accept.
    """

    def __init__(self, script: Script, journal: Journal, api_key: str | None = None) -> None:
        self._script, self._journal, self._api_key = script, journal, api_key
        self._generations = count(1)
        routes = [
            ("/v1/chat/completions", self.chat),
            ("/api/v1/chat/completions", self.chat),
            ("/v1/models", self.models),
            ("/api/v1/models", self.models),
            ("/api/tags", self.tags),
            ("/api/show", self.show),
            ("/api/version", self.version),
        ]
        # A router without an application's middleware: benchmarks count what a request costs here.
        self.router = Router([Route(path, Endpoint(handle, journal.errors)) for path, handle in routes])

    async def chat(self, client: Client) -> None:
        request = await read(client)
        generation = f"gen-{next(self._generations)}"
        with self._journal.answering(request):
            chosen = self._choose(request)
            if isinstance(chosen, Reply) and request.model in self._script.insistence.models:
                self._script.insistence.note(request, wire.message(chosen, generation))
            await answer(client, chosen, request, generation)

    async def models(self, client: Client) -> None:
        self._journal.arrived(await read(client))
        await _json(client, catalog.listed(self._script.models))

    async def tags(self, client: Client) -> None:
        self._journal.arrived(await read(client))
        await _json(client, catalog.tags(self._script.installed))

    async def show(self, client: Client) -> None:
        request = await read(client)
        self._journal.arrived(request)
        name = request.body.get("model") or request.body.get("name")
        shown = catalog.shown(name, self._script.installed)
        await _json(client, shown or {"error": f"model '{name}' not found"}, 200 if shown else 404)

    async def version(self, client: Client) -> None:
        self._journal.arrived(await read(client))
        await _json(client, {"version": "0.12.0"})

    def _choose(self, request: Request) -> Answer:
        if self._api_key is not None and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return unauthorized()
        refused = objection(request.body) or self._script.insistence.objection(request)
        return self._script.choose(request) if refused is None else refused


async def _json(client: Client, body: dict[str, Any], status: int = 200) -> None:
    await raw(client, Raw(json.dumps(body).encode(), status=status))
