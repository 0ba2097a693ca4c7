"""Between ASGI and a handler: a request read, an error kept for the test."""

import json
from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.types import Receive, Scope, Send

from tests.scripted_server.client import Client
from tests.scripted_server.request import Request


class Endpoint:
    """A handler as an ASGI application; Starlette's own wrapper builds a request object for each call."""

    def __init__(self, handle: Callable[[Client], Awaitable[None]], errors: list[Exception]) -> None:
        self._handle, self._errors = handle, errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = Client(scope, receive, send)
        try:
            await self._handle(client)
        except Exception as error:  # the test's own function, as a rule; the client gets uvicorn's 500
            self._errors.append(error)
            raise
        finally:
            client.dismiss()


async def read(client: Client) -> Request:
    """The request that `client` sent; a body that is no JSON object is an empty one."""
    body = await client.body()
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        parsed = {}
    return Request(
        method=client.scope["method"],
        path=client.scope["path"],
        headers=client.headers,
        body=parsed if isinstance(parsed, dict) else {},
        time=monotonic(),
        query=client.scope["query_string"].decode("latin-1"),
    )
