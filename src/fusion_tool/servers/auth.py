"""The check of who may send requests: bearers of a key; without keys programs on this machine, but no web page."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fusion_tool.config.addresses import host_of, is_loopback
from fusion_tool.errors import ConfigError
from fusion_tool.servers.keys import ANONYMOUS, VARIABLE, Caller, attach_caller, find_caller
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.response import send_json

# A load balancer asks whether the server lives, and has no key.
_OPEN_PATHS = ("/healthz",)


def check_address(host: str, callers: Sequence[Caller]) -> None:
    """Refuse to be reachable from other machines without keys.

    Raises:
        ConfigError: There are no callers with keys, and `host` is not this machine alone.
    """
    if not callers and not is_loopback(host):
        raise ConfigError(
            f"'{host}' is reachable from other machines, which needs keys: set {VARIABLE}=key1,key2, name a "
            "file of keys, or listen on 127.0.0.1",
            field="host",
        )


class AuthMiddleware:
    """The middleware that lets in whoever may send requests, and attaches the caller to each.

    Without keys, `Host` and `Origin` must be this machine: a page of any site can have a browser send requests to
    loopback, under a name of its own too (DNS rebinding).

    Args:
        app: The application behind it.
        callers: Who holds a key; none where only this machine can connect.
        origins: Origins of pages that may ask like programs on this machine.
    """

    def __init__(self, app: ASGIApp, callers: Sequence[Caller] = (), origins: Sequence[str] = ()) -> None:
        self._app, self._callers, self._origins = app, callers, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on to the application."""
        # The only other kind is the server's own start and end: websockets are switched off.
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            headers = Headers(scope=scope)
            try:
                attach_caller(scope, self._find_caller(headers) if self._callers else self._check_local(headers))
            except ApiError as error:
                await send_json(send, error.body, error.status, error.headers)
                return
        await self._app(scope, receive, send)

    def _find_caller(self, headers: Headers) -> Caller:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        key = credentials.strip() if scheme.lower() == "bearer" else ""
        # No key is nobody's, not even that of an entry with the hash of an empty text.
        if not key or (caller := find_caller(key, self._callers)) is None:
            wrong = "wrong key" if key else "no key; send 'Authorization: Bearer KEY'"
            raise ApiError(wrong, status=401, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
        return caller

    def _check_local(self, headers: Headers) -> Caller:
        # `Origin` gives a page of another site away, `Host` a page whose own name was made to point here.
        pages = [origin for origin in headers.getlist("origin") if origin not in self._origins]
        if not all(is_loopback(host_of(url)) for url in (f"//{headers.get('host', '')}", *pages)):
            raise ApiError(
                f"without keys only programs on this machine may ask; the operator can set {VARIABLE}",
                status=403,
                code="forbidden",
            )
        return ANONYMOUS
