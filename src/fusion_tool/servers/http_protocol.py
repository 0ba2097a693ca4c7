"""The bounds of what a connection may take before its request is known, and with it its key: bytes, seconds, number.

uvicorn prefers httptools where that is installed, which adds to a header line piece by piece, without a bound and by
copying all of it: 50 MB of one line stall the server. h11 has a bound; the time and the number are watched here.
"""

import asyncio
import gc
import logging
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fusion_tool.config.tasks import finish

if TYPE_CHECKING:
    from fusion_tool.servers.open_files import Room

_log = logging.getLogger(__name__)

MOST_HEADER_BYTES = 16_384
SECONDS_FOR_HEADERS = 10.0
_SECONDS_FOR_REFUSAL = 1.0
"""In which a client that is turned away sends its request, reads the refusal and leaves."""
_SECONDS_TO_LOOK_AGAIN = 0.02
_SECONDS_AFTER_FAILURE = 1.0
_ALLOCATIONS = 100_000
"""New objects after which Python looks for garbage among them: a run makes some ten thousand, hardly any in circles."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which closes a connection whose headers do not come, and turns away one too many.

    `limit_concurrency` of uvicorn's configuration is the number of connections.
    """

    _waiting: asyncio.TimerHandle | None = None
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin to wait for the headers of a connection, or turn it away."""
        super().connection_made(transport)
        # Taken away from uvicorn, which would check it after the headers, and refuse without `Retry-After`.
        most, self.limit_concurrency = self.limit_concurrency, None
        if most is None or len(self.connections) < most:
            self._watch()
        else:
            self._is_refused = True
            transport.write(_FULL)
            # Closed before the request is read, the connection would be reset, and the refusal lost with it.
            transport.write_eof()
            self._waiting = self.loop.call_later(_SECONDS_FOR_REFUSAL, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait on where it does not end the headers."""
        if not self._is_refused:
            super().data_received(data)
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _watch(self) -> None:
        # Not begun anew by a byte that comes: the time is that of the headers as a whole.
        if not self._is_idle:
            self._stop_waiting()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(SECONDS_FOR_HEADERS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        # Aborted: to close waits until what was written is read, which such a client need not do.
        if self._is_idle:
            self.transport.abort()

    @property
    def _is_idle(self) -> bool:
        """Whether no request is worked on."""
        cycle: Any = self.cycle  # uvicorn's type leaves out that there may be none
        return cycle is None or bool(cycle.response_complete)


class BoundedServer(uvicorn.Server):
    """uvicorn's server, which leaves a connection to the system's queue while it has no room even to turn it away.

    The loops accept whatever has come, and where no file is left uvloop closes it: a client sees a reset.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; uvicorn itself listens on nothing."""
        await super().startup(sockets=[])
        # What is loaded by now lives as long as the process: looking through it for garbage takes a part of each run.
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS)
        self._acceptors = [asyncio.create_task(self._accept(listener)) for listener in sockets or []]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, and let what runs come to its end."""
        for acceptor in self._acceptors:
            acceptor.cancel()
        await asyncio.gather(*self._acceptors, return_exceptions=True)
        await super().shutdown(sockets=sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.settimeout(0)
        most = with_refused(self.config.limit_concurrency or 0)
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
                connecting = loop.connect_accepted_socket(self._create_protocol, connection)
                # Broken off, it would be closed without a word to its protocol, and the end would wait for it.
                await finish(asyncio.ensure_future(connecting))
            except OSError as error:
                _log.warning("no connection could be accepted: %s", error)
                await asyncio.sleep(_SECONDS_AFTER_FAILURE)
            while len(self.server_state.connections) >= most:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(_SECONDS_TO_LOOK_AGAIN)

    def _create_protocol(self) -> BoundedProtocol:
        return BoundedProtocol(self.config, self.server_state, self.lifespan.state)


def with_refused(connections: int) -> int:
    """Return how many connections are open at most, where so many are let in: others hear that they are too many."""
    return connections + max(1, connections // 8)


def uvicorn_options(room: "Room") -> dict[str, Any]:
    """Return the options of `uvicorn.Config` that both servers share.

    Args:
        room: What the process takes at once.
    """
    return {
        "http": BoundedProtocol,
        "h11_max_incomplete_event_size": MOST_HEADER_BYTES,
        "limit_concurrency": room.connections,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        # Any client can send `X-Forwarded-For`, and no proxy is known whose word it would be.
        "proxy_headers": False,
        # Not `auto`, which takes a failure at the start for an application that has no start.
        "lifespan": "on",
        # Five seconds by default, in which a busy machine does not even import a worker's modules: it would be killed
        # and begun again for ever.
        "timeout_worker_healthcheck": 60,
        "ws": "none",
    }
