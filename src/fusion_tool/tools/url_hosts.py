"""The hosts in an address: the one that it is asked of, and those that it names further in.

An archive, a cache, a reader or a translator shows one site under another's name, with the first site's address
somewhere in its own. Spellings follow what browsers accept: the WHATWG URL standard (https://url.spec.whatwg.org),
its IPv4 parser included, and UTS 46 for international names.
"""

import re
import socket
import unicodedata
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
"""Characters that change nothing about what a reader sees."""

# Browsers read a host behind any number of slashes after http and https, none among them.
_SCHEME = re.compile(r"https?:[/\\]*|[a-z][a-z0-9+.-]*:[/\\]+|[/\\]+", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#]")
_EDGES = re.compile(r"^[\s\[\]]+|[\s\[\]]+$")
_DOTS = re.compile(r"[.\u3002\uff0e\uff61]+")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", re.IGNORECASE)
_DECODINGS = 3

_NAMED = re.compile(r"(?:https?:[/\\]*|[/\\]{2,})(?P<host>[^/\\?#&;\s\"'<>|]+)", re.IGNORECASE)
# A parameter's value, in a query, a path or a fragment; search engines put `cache:` or `site:` in front of a host.
_VALUE = re.compile(r"[?&;#=]!?/?(?:[\w-]+:)*(?P<host>[^/\\?#&;=+\s\"'<>|@]+)(?=[/\\?#&;]|$)", re.IGNORECASE)
_HOST_NAME = re.compile(
    r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_][\w-]*(?::\d*)?|\d{1,3}(?:\.\d{1,3}){3}(?::\d*)?|\[[\da-f:.]+\]"
)

# Segments of a path behind which an archive, a cache, a reader or a translator names the site that it shows:
# words, and the times of a snapshot with the Wayback Machine's flags (`20260102030405id_`).
_PREFIX = re.compile(
    r"web|save|cached?|archived?|archives|wayback|memento|timemap|link|snapshots?|proxy|proxies|read|reader|view|viewer"
    r"|translate|translator|amp|fetch|mirror|screenshot|oldest|newest|latest|live|http|https|\*|[0-9]{8,14}(?:[a-z]{2}_)?",
    re.IGNORECASE,
)
# Segments that are prefixes only where another one, or such a service, stands before them.
_INNER = re.compile(r"[a-z]|[0-9]{1,14}\*?(?:[a-z]{2}_)?|[a-z]{2}(?:-[a-z]{2})?", re.IGNORECASE)
# Services that show other sites, by a word in their name or by the name.
_SERVICE = re.compile(
    r"(?:.*[.-])?(?:\w*(?:archiv|cache|reader|translat|proxy|mirror|wayback|memento|snapshot)\w*[.-].*"
    r"|r\.jina\.ai|1[23]?ft\.io|outline\.com|freedium\.cfd|removepaywalls?\.com|smry\.ai|perma\.cc|arquivo\.pt"
    r"|webcitation\.org|cdn\.ampproject\.org|pure\.md|markdown\.new|txtify\.it|printfriendly\.com)"
)
# Services that write a host's dots as hyphens and its hyphens twice, in front of their own name.
_HYPHENATED = (".translate.goog", ".cdn.ampproject.org")


def hosts(url: str) -> set[str]:
    """Return every host that some parser reads in `url`, in canonical form; empty where there is none."""
    return {host for reading in _readings(url) if (host := canonical_host(_authority(reading)))}


def named_hosts(url: str) -> set[str]:
    """Return the hosts that `url` names, its own and those further in, in canonical form.

    One further in counts after `scheme://` or `//`, as the value of a parameter, as the first dotted segment of a path
    after an archive's, a cache's, a reader's or a translator's prefix, and within the name of a translator's host;
    plain or percent-encoded up to three times. A word in a path is no host.
    """
    own = hosts(url)
    fronts = {host.removesuffix(suffix) for host in own for suffix in _HYPHENATED if host.endswith(suffix)}
    # A hyphen of the name itself is written as two, a dot as one.
    names = {"-".join(part.replace("-", ".") for part in name.split("--")) for name in fronts}
    is_service = any(map(_SERVICE.fullmatch, own))
    for reading in _readings(url):
        rest = reading[len(_AUTHORITY_END.split(reading, maxsplit=1)[0]) :]
        for _ in range(_DECODINGS + 1):
            names.update(_names_in(rest))
            names.update(_shown_in(rest, of_service=is_service))
            rest = unquote(rest)
    return own | ({canonical_host(name) for name in names} - {""})


def canonical_host(host: str) -> str:
    """Return the one spelling of `host`: decoded, lower case, A-labels, no brackets, no trailing dot.

    An address becomes dotted decimals, whether it was written in decimal, octal or hexadecimal, in fewer parts or
    inside an IPv6 address.
    """
    # A host may be encoded more than once: `%252e` is a dot encoded twice.
    for _ in range(_DECODINGS):
        host = unquote(host)
    # NFKC makes full-width letters, digits and dots ASCII, as UTS 46 does; done before addresses are recognized.
    host = _EDGES.sub("", unicodedata.normalize("NFKC", host.translate(INVISIBLE)))
    try:
        address = ip_address(host.rstrip("."))
    except ValueError:
        # Behind a dot, too: what is left must read the same when it is read again.
        labels = [label for part in _DOTS.split(host) if (label := _EDGES.sub("", part))]
        return _dotted(".".join(map(_to_label, labels)))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _readings(url: str) -> set[str]:
    """Return `url` without its scheme, as browsers and as RFC 3986 read it: a backslash is a slash to the former."""
    # Tabs and newlines inside an address are dropped by parsers in silence.
    rest = "".join(c for c in url if c not in "\t\r\n").strip()
    if scheme := _SCHEME.match(rest):
        rest = rest[scheme.end() :]
    return {rest, rest.replace("\\", "/")}


def _authority(rest: str) -> str:
    """Return the host alone of an address without its scheme."""
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority.partition("]")[0]
    # Two colons and no brackets is an IPv6 address, not a port.
    return authority if authority.count(":") > 1 else authority.partition(":")[0]


def _names_in(rest: str) -> Iterator[str]:
    """Yield the hosts after a scheme or two slashes, and those that are a parameter's value."""
    for match in _NAMED.finditer(rest):
        yield _authority(match["host"])
    for match in _VALUE.finditer(rest):
        if _HOST_NAME.fullmatch(match["host"]):
            yield _authority(match["host"])


def _shown_in(rest: str, *, of_service: bool) -> Iterator[str]:
    """Yield the first dotted segment of a path that stands after a prefix of a service which shows other sites."""
    is_behind_prefix = of_service
    for segment in _AUTHORITY_END.split(rest.partition("?")[0].partition("#")[0]):
        if not segment:
            continue
        if is_behind_prefix and _HOST_NAME.fullmatch(name := segment.rpartition("@")[2]):
            yield _authority(name)
            return
        if _PREFIX.fullmatch(segment):
            is_behind_prefix = True
        elif not (is_behind_prefix and _INNER.fullmatch(segment)) and not of_service:
            is_behind_prefix = False


def _dotted(host: str) -> str:
    """Return an address that is written as numbers in its dotted form, any other name as it is."""
    if not _NUMERIC.fullmatch(host):
        return host
    try:
        return str(ip_address(socket.inet_aton(host)))
    except OSError:  # numbers that make no address
        return host


def _to_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    import idna

    try:
        return idna.encode(label, uts46=True).decode()
    except idna.IDNAError:  # not a name that can be looked up; compared as it is written
        return label.lower()
