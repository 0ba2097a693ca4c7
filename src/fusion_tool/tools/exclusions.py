"""The caller's exclusions: domains, and fragments of text.

Pure functions. `is_excluded` and `blocked_by` filter search results, fetches, every redirect hop and the output of the
caller's own tools alike, so that a spelling recognized in one place is recognized in all.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from fusion_tool.tools.url_hosts import INVISIBLE, hosts, named_hosts

# U+3000 is the last white space in Unicode.
_UNSEEN = INVISIBLE | dict.fromkeys(c for c in range(0x3001) if chr(c).isspace())


def is_excluded(url: str, excluded_domains: Sequence[str]) -> bool:
    r"""Return whether `url` belongs to one of `excluded_domains` or to a subdomain of one, or shows a page of one.

    Upper case, ports, userinfo, trailing dots, international names in either form (UTS 46), percent-encoded
    hosts and missing schemes make no difference. Where a backslash lets two parsers read two hosts
    (`http://a\@b/` is `a` to a browser and `b` to RFC 3986), either one excludes. So does a domain that the address
    names further in, as those of archives, caches, readers, translators and redirects do.

    Args:
        url: An address, with or without a scheme.
        excluded_domains: Domains such as `"example.org"`; `"*.example.org"`, an address or a port are
            accepted and mean the domain.
    """
    if not excluded_domains:
        return False
    excluded = canonical_domains(tuple(excluded_domains))
    return any(f".{host}".endswith(f".{domain}") for host in named_hosts(url) for domain in excluded)


def blocked_by(text: str, fragments: Sequence[str]) -> bool:
    """Return whether `text` contains one of `fragments`, whatever the case, width and white space of either."""
    needles = [needle for needle in map(_fold, fragments) if needle]
    if not needles:
        return False
    haystack = _fold(text)
    return any(needle in haystack for needle in needles)


# A page's text is searched address by address, each against the same few exclusions.
@lru_cache(maxsize=32)
def canonical_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """Return `domains` in the canonical form that providers are sent; an entry without a host is left out."""
    return tuple(sorted({host for domain in domains for host in hosts(domain.strip().removeprefix("*."))}))


def _fold(text: str) -> str:
    # Not split and join: the pieces of a long page would cost several times its size.
    return unicodedata.normalize("NFKC", text).casefold().translate(_UNSEEN)
