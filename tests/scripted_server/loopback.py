"""An ASGI application on a loopback port, served by a thread of this process."""

import asyncio
import socket
import threading
from functools import partial
from typing import Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_BACKLOG = 2048


class _Uvicorn(uvicorn.Server):
    """uvicorn that stops when told, not at the next tick of its clock, and lets no connection linger."""

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self.ready.set()
        await self.stopping.wait()

    ready: threading.Event

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's signature
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        while self.server_state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def drop(self, client: tuple[str, int]) -> None:
        """Reset the connection that comes from `client`."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == client:
                connection.transport.abort()


class Loopback:
    """Serves `app` on 127.0.0.1 from `start` to `stop`.

    Connections are accepted by the kernel from the moment it is made, so nobody waits for the thread.
    Adds the ASGI extension `drop`, which resets the connection that a request came through.
    """

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self.root = f"http://127.0.0.1:{self.port}"
        self._app = app
        config = uvicorn.Config(
            self._with_drop,
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
            backlog=_BACKLOG,
        )
        self._uvicorn = _Uvicorn(config)
        self._uvicorn.ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"loopback:{self.port}", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Drop all connections and end the thread; a second call does nothing."""
        if self._thread.is_alive() and self._uvicorn.ready.wait(timeout=10):
            self._uvicorn.loop.call_soon_threadsafe(self._uvicorn.stopping.set)
            self._thread.join(timeout=10)
        self._socket.close()

    async def _with_drop(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {"drop": partial(self._uvicorn.drop, scope["client"])}
        await self._app(scope, receive, send)

    def _serve(self) -> None:
        self._uvicorn.run(sockets=[self._socket])
