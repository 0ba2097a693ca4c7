"""The caller's exclusions: domains, and fragments of text.

Pure functions. The same two functions filter search results, fetches, every redirect hop and what the caller's own
tools return, so a spelling that hides a domain from one hides it from none.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import unquote

# Browsers read a host behind any number of slashes after http and https, none among them.
_SCHEME = re.compile(r"https?:[/\\]*|[a-z][a-z0-9+.-]*:[/\\]+|[/\\]+", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#]")
_EDGES = re.compile(r"^[\s\[\]]+|[\s\[\]]+$")
_DOTS = re.compile(r"[.\u3002\uff0e\uff61]+")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_UNSEEN = _INVISIBLE | dict.fromkeys(c for c in range(0x3001) if chr(c).isspace())
_DECODINGS = 3


def is_excluded(url: str, excluded_domains: Sequence[str]) -> bool:
    r"""Return whether `url` belongs to one of `excluded_domains` or to a subdomain of one.

    Upper case, ports, userinfo, trailing dots, international names in either form (UTS 46), percent-encoded
    hosts and missing schemes make no difference. Where a backslash lets two parsers read two hosts
    (`http://a\@b/` is `a` to a browser and `b` to RFC 3986), either one excludes.

    Args:
        url: An address, with or without a scheme.
        excluded_domains: Domains such as `"example.org"`; `"*.example.org"`, an address or a port are
            accepted and mean the domain.
    """
    if not excluded_domains:
        return False
    excluded = canonical_domains(tuple(excluded_domains))
    return any(f".{host}".endswith(f".{domain}") for host in hosts(url) for domain in excluded)


def blocked_by(text: str, fragments: Sequence[str]) -> bool:
    """Return whether `text` contains one of `fragments`, whatever the case, width and white space of either."""
    needles = [needle for needle in map(_fold, fragments) if needle]
    if not needles:
        return False
    haystack = _fold(text)
    return any(needle in haystack for needle in needles)


@lru_cache(maxsize=32)
def canonical_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """Return `domains` in the canonical form that providers are sent; an entry without a host is left out."""
    return tuple(sorted({host for domain in domains for host in hosts(domain.strip().removeprefix("*."))}))


def hosts(url: str) -> set[str]:
    """Return every host that some parser reads in `url`, in canonical form; empty where there is none."""
    rest = _strip_controls(url)
    if scheme := _SCHEME.match(rest):
        rest = rest[scheme.end() :]
    readings = {rest, rest.replace("\\", "/")}
    return {host for reading in readings if (host := canonical_host(_authority(reading)))}


def canonical_host(host: str) -> str:
    """Return the one spelling of `host`: decoded, lower case, A-labels, no brackets, no trailing dot."""
    # A host may be encoded more than once: `%252e` is a dot encoded twice.
    for _ in range(_DECODINGS):
        host = unquote(host)
    host = _EDGES.sub("", unicodedata.normalize("NFKC", host.translate(_INVISIBLE)))
    try:
        return str(ip_address(host.rstrip(".")))
    except ValueError:
        labels = [label for label in _DOTS.split(host) if label]
        return ".".join(map(_to_label, labels))


def _authority(rest: str) -> str:
    """Return the host alone of an address without its scheme."""
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority.partition("]")[0]
    # Two colons and no brackets is an IPv6 address, not a port.
    return authority if authority.count(":") > 1 else authority.partition(":")[0]


def _to_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    import idna

    try:
        return idna.encode(label, uts46=True).decode()
    except idna.IDNAError:  # not a name that can be looked up; compared as it is written
        return label.lower()


def _strip_controls(url: str) -> str:
    """Return `url` without the tabs, newlines and spaces around it that parsers drop in silence."""
    return "".join(c for c in url if c not in "\t\r\n").strip()


def _fold(text: str) -> str:
    # Not split and join: the pieces of a long page would cost several times its size.
    return unicodedata.normalize("NFKC", text).casefold().translate(_UNSEEN)
