"""What every server of the package shares: its socket, its address, and how uvicorn is told to keep quiet."""

import socket
from typing import Any

from fusion_tool.errors import ConfigError

QUIET: dict[str, Any] = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "lifespan": "on",
    "ws": "none",
}
"""Options of `uvicorn.Config`."""


def listen(host: str, port: int, *, backlog: int | None = None) -> socket.socket:
    """A socket that listens; port 0 picks a free one.

    Raises:
        ConfigError: It cannot, as where the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}", field="port") from None


def root_url(host: str, listener: socket.socket) -> str:
    """The address that clients take, without a path."""
    named = f"[{host}]" if ":" in host else host
    return f"http://{named}:{listener.getsockname()[1]}"
