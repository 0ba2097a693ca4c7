"""The check of who may send requests: bearers of a key; without keys programs on this machine, but no web page."""

import hmac
import ipaddress
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fusion_tool.errors import ConfigError
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.response import send_json

VARIABLE = "FUSION_SERVER_KEYS"
# A load balancer asks whether the server lives, and has no key.
_OPEN_PATHS = ("/healthz",)


def keys_from_environment() -> tuple[str, ...]:
    """Return the keys that `FUSION_SERVER_KEYS` lists, separated by commas."""
    return tuple(key for part in os.environ.get(VARIABLE, "").split(",") if (key := part.strip()))


def check_address(host: str, keys: Sequence[str]) -> None:
    """Refuse to be reachable from other machines without keys.

    Raises:
        ConfigError: There are no keys, and `host` is not this machine alone.
    """
    if not keys and not is_loopback(host):
        raise ConfigError(
            f"'{host}' is reachable from other machines, which needs keys: set {VARIABLE}=key1,key2 "
            "or listen on 127.0.0.1",
            field="host",
        )


def is_loopback(host: str) -> bool:
    """Tell whether `host` names this machine alone."""
    # A name may end in a dot, and means the same.
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class AuthMiddleware:
    """The middleware that lets in whoever may send requests.

    Without keys, `Host` and `Origin` must be this machine: a page of any site can have a browser send requests to
    loopback, under a name of its own too (DNS rebinding).

    Args:
        app: The application behind it.
        keys: The keys; none where only this machine can connect.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str] = ()) -> None:
        # As bytes: `hmac.compare_digest` raises on a text that is not ASCII, and a header may hold one.
        self._app, self._keys = app, [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on to the application."""
        # The only other kind is the server's own start and end: websockets are switched off.
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            headers = Headers(scope=scope)
            try:
                self._check_key(headers) if self._keys else _check_local(headers)
            except ApiError as error:
                await send_json(send, error.body, error.status, error.headers)
                return
        await self._app(scope, receive, send)

    def _check_key(self, headers: Headers) -> None:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        key = credentials.strip().encode() if scheme.lower() == "bearer" else b""
        # Every key is compared, each in constant time: the time of the response tells nothing about the keys.
        if not sum(hmac.compare_digest(key, valid) for valid in self._keys):
            wrong = "wrong key" if key else "no key; send 'Authorization: Bearer KEY'"
            raise ApiError(wrong, status=401, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def _check_local(headers: Headers) -> None:
    # `Origin` gives a page of another site away, `Host` a page whose own name was made to point here.
    hosts = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
    if not all(is_loopback(_host_of(url)) for url in hosts):
        raise ApiError(
            f"without keys only programs on this machine may ask; the operator can set {VARIABLE}",
            status=403,
            code="forbidden",
        )


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
