"""The bounds of what a connection may take before its request is known, and with it its key: bytes, seconds, number.

uvicorn prefers httptools where that is installed, which adds to a header line piece by piece, without a bound and by
copying all of it: 50 MB of one line stall the server. h11 has a bound; the time and the number are watched here.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 500
"""Of a process: its runs need sockets of their own, and systems commonly give a process 1,024."""
MOST_HEADER_BYTES = 16_384
SECONDS_FOR_HEADERS = 10.0
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which closes a connection whose headers do not come, and turns away one too many.

    `limit_concurrency` of uvicorn's configuration is the number of connections; uvicorn's own check of it comes after
    the headers only.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin to wait for the headers of a connection, or turn it away."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            transport.write(_FULL)
            transport.close()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait on where it does not end the headers."""
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


def uvicorn_options(max_runs: int) -> dict[str, Any]:
    """Return the options of `uvicorn.Config` that both servers share.

    Args:
        max_runs: Runs at once; each has a client who is connected, and others come for a refusal.
    """
    return {
        "http": BoundedProtocol,
        "h11_max_incomplete_event_size": MOST_HEADER_BYTES,
        "limit_concurrency": max(MOST_CONNECTIONS, 2 * max_runs),
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
