"""What went wrong with a fetch, in words of our own.

The words of servers, of their status lines and of the libraries that quote them are text from outside.
"""

from http import HTTPStatus

_WALLS = {
    401: "the page is behind a login",
    402: "the page is behind a paywall",
    403: "a wall: the site lets no such reader in",
    407: "the network asks for a login",
    429: "a wall: the site takes no more requests for now",
    451: "a wall: the page is withheld for legal reasons",
}


def status_fault(status: int) -> str:
    """Return the line for a response that is no success: its status, and what it means where it is a wall."""
    is_standard = status in set(HTTPStatus)
    phrase = f" {HTTPStatus(status).phrase}" if is_standard else ""
    return f"{status}{phrase}" + (f" ({_WALLS[status]})" if status in _WALLS else "")


def connection_fault(error: Exception) -> str:
    """Return why no connection was made, with a colon in front; empty where the reason is of no known kind."""
    text = str(error).lower()
    for sign, fault in (
        ("certificate", "its certificate cannot be verified"),
        ("ssl", "TLS fails"),
        ("name or service not known", "its name is not known"),
        ("nodename nor servname", "its name is not known"),
        ("name resolution", "its name cannot be looked up"),
        ("getaddrinfo", "its name cannot be looked up"),
        ("refused", "refused"),
        ("unreachable", "unreachable"),
    ):
        if sign in text:
            return f": {fault}"
    return ""


def response_fault(error: Exception) -> str:
    """Return what is wrong with a response, by the kind of httpx's error."""
    import httpx

    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.RemoteProtocolError, "the server breaks the protocol, or breaks off"),
        (httpx.NetworkError, "the connection broke"),
        (httpx.InvalidURL, "the address cannot be read"),
        (httpx.ProxyError, "the proxy fails"),
    )
    return next((fault for kind, fault in kinds if isinstance(error, kind)), type(error).__name__)
