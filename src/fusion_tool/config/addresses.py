"""Addresses: the host of a URL, and whether a host is this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def host_of(url: str | None) -> str:
    """Return the host of a URL in lower case, without the dot that may end a name; empty where there is none."""
    try:
        return (urlsplit(url or "").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Tell whether `host` means this machine alone: `localhost`, or a loopback address. No other name is looked up."""
    # Not `*.localhost`: some resolvers ask the network for it, and what is private would follow.
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
