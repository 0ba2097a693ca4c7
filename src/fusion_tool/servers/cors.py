"""Which pages of other sites may ask from a browser: CORS, off unless the operator names their origins.

Protocol: https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

import re
from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from fusion_tool.errors import ConfigError

_ORIGIN = re.compile(r"https?://[^/?#@*\s]+")
# What clients in browsers read of a response, besides its body.
_EXPOSED = ("mcp-session-id", "retry-after", "x-should-retry")


def check_origins(origins: Sequence[str]) -> None:
    """Check the origins that an operator names.

    Raises:
        ConfigError: One is no origin, or stands for all.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(
                f"'{origin}' is no origin; name each page's as its browser sends it, such as https://app.example, "
                "without a path: '*' would let the pages of every site ask",
                field="cors_origin",
            )


def cors_middleware(origins: Sequence[str]) -> list[Middleware]:
    """Return the middleware that lets pages of these origins ask, to stand before the check of keys; none without any.

    A browser asks by a preflight first, which carries no key. Cookies are not allowed: the page sends its key.
    """
    check_origins(origins)
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=_EXPOSED,
            allow_private_network=True,  # browsers want it by name where a page of the web asks this machine
        )
    ]
