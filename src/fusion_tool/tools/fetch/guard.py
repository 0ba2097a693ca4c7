"""The address guard: which addresses a page may be fetched from.

ssrfguard resolves a name once, checks every answer against the IANA special-purpose registries and connects
to the address it checked, so that a second DNS answer changes nothing. It came out best of the libraries
tried on the table in `tests/unit/tools/fetch/hostile.py`. Added here are the rules it does not have: IPv6 is an allow
list, addresses that carry an IPv4 address inside are refused (NAT64's well-known prefix aside), and hosts
that the operator opened may be private.
"""

from collections.abc import Sequence
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from fusion_tool.config.network import environment_proxy, tls_context
from fusion_tool.errors import BlockedAddress
from fusion_tool.events import plain_line
from fusion_tool.tools.exclusions import is_excluded
from fusion_tool.tools.fetch.page import ExcludedDomainError, FetchPolicy
from fusion_tool.tools.url_hosts import canonical_host

if TYPE_CHECKING:
    from ssrfguard import AddressTable, Policy
    from ssrfguard.httpx import AsyncClient

# Where an opened host may be. The table's rows for cloud metadata lie inside some of these, and stay denied.
_INTRANET = {
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
}
_NAT64 = "64:ff9b::/96"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_address(url: str, policy: FetchPolicy) -> None:
    """Refuse `url` if its spelling alone shows that it must not be fetched; names are checked on connecting.

    Args:
        url: The address as its author wrote it.
        policy: The fetch's exclusions and opened hosts.

    Raises:
        ExcludedDomainError: It belongs to one of `policy.excluded_domains`.
        BlockedAddress: Not http(s), userinfo, another port than 80 or 443, no host, an address that is not
            public, or a spelling that parsers disagree on.
    """
    from ssrfguard import SSRFGuardError

    if is_excluded(url, policy.excluded_domains):
        raise ExcludedDomainError(f"{plain_line(url)} belongs to an excluded domain")
    try:
        _rules(url, policy).check_url(url)
    except SSRFGuardError as error:
        raise to_blocked_address(error) from error


def guarded_client(url: str, policy: FetchPolicy, **options: Any) -> "AsyncClient":
    """Return an httpx client for one hop to `url`, which connects only to addresses that it has checked.

    Each hop has a short-lived client: none outlives its event loop, and each hop is held to its own host's rules.
    With `policy.trust_proxy` the environment's proxies are used, and they look the name up themselves.

    Args:
        url: The hop's address, already passed by `check_address`.
        policy: The fetch's limits.
        options: Further arguments of `httpx.AsyncClient`.
    """
    from ssrfguard.httpx import AsyncClient

    # A proxy makes the connection, so that there is no address to check or to pin here.
    proxy = environment_proxy(url) if policy.trust_proxy else None
    # Not httpx's own reading of the environment: where NO_PROXY sends it past the proxy, the pin must hold.
    return AsyncClient(
        policy=_rules(url, policy),
        verify=tls_context(),
        trust_env=False,
        proxy=proxy,
        timeout=policy.timeout,
        **options,
    )


def to_blocked_address(error: Exception) -> BlockedAddress:
    """Convert a refusal by ssrfguard to the package's own error."""
    return BlockedAddress(plain_line(f"not a public web address: {getattr(error, 'reason', error)}"))


def _rules(url: str, policy: FetchPolicy) -> "Policy":
    """Return the ssrfguard policy for the host of `url`."""
    from ssrfguard import Policy

    # An opened host has the one port of its address, since an intranet's services stand on any; all others have 80 and
    # 443, so that no page can make a seat connect to a database or a mail server.
    port = _private_port(url, policy.allowed_private_hosts)
    return Policy(
        denied_networks=_table(private=port is not None),
        allowed_ports=frozenset({port} if port else _DEFAULT_PORTS.values()),
        allow_proxy=policy.trust_proxy,
    )


def _private_port(url: str, allowed_hosts: Sequence[str]) -> int | None:
    """Return the port of `url` if the operator opened its host there, else `None`."""
    if not allowed_hosts:
        return None
    from httpx import URL, InvalidURL

    # Read by the library that connects: a second parser might see another host, and open the wrong one.
    try:
        address = URL(url)
    except InvalidURL:
        return None
    port = address.port or _DEFAULT_PORTS.get(address.scheme)
    host = canonical_host(address.host)
    return port if port and any(_opens(entry, host, port) for entry in allowed_hosts) else None


def _opens(entry: str, host: str, port: int) -> bool:
    """Tell whether `entry`, a host or host:port, opens `port` of `host`."""
    name, colon, number = entry.rpartition(":")
    if canonical_host(entry) == host:  # without a port it opens all of them; an IPv6 address has colons of its own
        return True
    return bool(colon) and number == str(port) and canonical_host(name) == host


@cache
def _table(*, private: bool) -> "AddressTable":
    """Return ssrfguard's table with IPv6 turned into an allow list and, if `private`, the intranet permitted.

    Addresses with NAT64's well-known prefix (RFC 6052) are still decoded: behind DNS64 every IPv4 site has one, and the
    IPv4 address inside is checked. The other ways to carry an IPv4 address inside an IPv6 one have no such use.
    """
    from dataclasses import replace

    from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Reach

    def adapt(block: Block) -> Block:
        network = str(block.network)
        if private and network in _INTRANET:
            return replace(block, reach=Reach.PERMITTED)
        if block.reach is Reach.TRANSLATED and network != _NAT64:
            return replace(block, reach=Reach.DENIED)
        return block

    # Only 2000::/3 is assigned to the public internet (RFC 4291); whatever else IPv6 may come to hold is denied.
    rest = Block(ip_network("::/0"), "outside global unicast", "RFC4291", Reach.DENIED)
    unicast = Block(ip_network("2000::/3"), "global unicast", "RFC4291", Reach.PERMITTED)
    return AddressTable((*map(adapt, DEFAULT_DENIED.blocks), rest, unicast))
