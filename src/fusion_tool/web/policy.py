"""What a fetch may reach and what it may cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FetchPolicy:
    """The limits of one fetch.

    Args:
        excluded_domains: Domains that are never fetched, subdomains and redirect hops included.
        blocked_fragments: A page whose text contains one of these is withheld.
        allowed_private_hosts: Hosts (`"host"`, any port, or `"host:port"`) that may be loopback or private.
        max_bytes: Most bytes of a body, as sent and as decompressed.
        timeout: Seconds for everything: lookup, redirects, body, extraction.
        max_redirects: Most hops after the first address.
        page_tokens: Length of one window of text, at about four characters a token.
        trust_proxy: Whether pages go through the proxies of the environment (`HTTPS_PROXY`, ...). A proxy
            looks names up itself, so that pinning the checked address is then the proxy's job: off unless
            the operator says so.
    """

    excluded_domains: tuple[str, ...] = ()
    blocked_fragments: tuple[str, ...] = ()
    allowed_private_hosts: tuple[str, ...] = ()
    max_bytes: int = 5_000_000
    timeout: float = 20.0
    max_redirects: int = 5
    page_tokens: int = 4000
    trust_proxy: bool = False
