"""Addresses: whether a text is one, the host of a URL, and whether a host is this machine."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

from fusion_tool.config.keys import remember_key
from fusion_tool.errors import ConfigError


def host_of(url: str | None) -> str:
    """Return the host of a URL in lower case, without the dot that may end a name; empty where there is none."""
    try:
        return (urlsplit(url or "").hostname or "").rstrip(".")
    except ValueError:
        return ""


# Cached, as are the next two: each call of a model asks some twenty times about the same few addresses.
@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Tell whether `host` means this machine alone: `localhost`, or a loopback address. No other name is looked up."""
    # Not `*.localhost`: some resolvers ask the network for it, and what is private would follow.
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def is_private(host: str) -> bool:
    """Tell whether `host` is in the user's own network: this machine, a private address, or a name that no DNS has."""
    if is_loopback(host) or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return bool(host) and "." not in host  # a name without a domain, such as a container's
    return address.is_private or address.is_link_local


@lru_cache(maxsize=256)
def is_web_address(text: str) -> bool:
    """Tell whether `text` is an http(s) address with a host and, where it names one, a port that can be."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not any(map(str.isspace, text))


def is_database_address(text: object) -> bool:
    """Tell whether something is meant as an address of PostgreSQL, and as no path."""
    return str(text).startswith(("postgresql:", "postgres:"))


def check_database_address(value: str) -> str:
    """Return an address of PostgreSQL; its password is kept out of everything that is shown from now on.

    Raises:
        ConfigError: It is none. What it is instead is not repeated: it may be a password.
    """
    try:
        parts = urlsplit(value)
        passwords = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        parts, passwords = urlsplit(""), []
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigError("expected an address such as postgresql://user:password@host:5432/name")
    for secret in (*passwords, *map(unquote, passwords), value if any(passwords) else ""):
        remember_key(secret)
    return value
