"""The other end of one HTTP exchange: what it is sent, and whether it is still there."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import NoReturn

from starlette.types import Receive, Scope, Send

from tests.scripted_server.journal import Gone


class Client:
    """A thin hold of ASGI's `receive` and `send`.

    The watch for a disconnect costs a task, so it starts with the first wait: an answer that is sent
    at once has no client to lose.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive, self._send = receive, send
        self._departure: asyncio.Task[None] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, their names in lower case."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}

    async def body(self) -> bytes:
        """The whole body of the request."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await self._receive()
            body += message.get("body", b"")
        return body

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers."""
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the rest of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def pause(self, seconds: float) -> None:
        """Wait. Raises Gone where the client does not."""
        if seconds > 0 and (await asyncio.wait({self._watch()}, timeout=seconds))[0]:
            raise Gone

    async def wait_for(self, event: Future[None]) -> None:
        """Wait for a future of another thread. Raises Gone where the client does not."""
        if not event.done():
            watch = self._watch()
            # `asyncio.wait` leaves the future alone when the wait ends early: others wait for it too.
            await asyncio.wait({watch, asyncio.wrap_future(event)}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                raise Gone

    async def turn(self) -> None:
        """Let the loop turn once. Raises Gone where the client has left: a write alone never says so."""
        watch = self._watch()
        await asyncio.sleep(0)
        if watch.done():
            raise Gone

    async def leave(self) -> NoReturn:
        """Wait for the client to go away, however long it takes. Raises Gone then."""
        await self._watch()
        raise Gone

    async def drop(self) -> None:
        """Reset the connection; bytes not yet on their way are lost."""
        self.scope["extensions"]["drop"]()
        await self._watch()

    def dismiss(self) -> None:
        """End the watch."""
        if self._departure is not None:
            self._departure.cancel()

    def _watch(self) -> asyncio.Task[None]:
        if self._departure is None:
            self._departure = asyncio.create_task(self._disconnected())
        return self._departure

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
