import socket
import threading

import anyio
import pytest

from fusion_tool.errors import BlockedAddress
from fusion_tool.tools.fetch.body import FetchError
from fusion_tool.tools.fetch.fetch import fetch_text
from fusion_tool.tools.fetch.guard import check_address
from fusion_tool.tools.fetch.page import ExcludedDomainError, FetchPolicy
from tests.unit.tools.conftest import install_resolver, redirect, response
from tests.unit.tools.fetch.hostile import ANSWERS, URLS

# Sockets are disabled: an address that got past the guard would fail with another error than BlockedAddress.


# What a platform's resolver makes of them.
HEXADECIMAL_AND_NAMES = {name: [["127.0.0.1"]] for name in ("localhost", "localhost.", "0x7f000001", "0x7f.0.0.1")}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
async def test_a_hostile_address_is_refused(dns, url):
    dns.answers = HEXADECIMAL_AND_NAMES
    with pytest.raises(BlockedAddress) as refusal:
        await fetch_text(url, policy=FetchPolicy())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
async def test_a_name_with_any_address_that_is_not_public_is_refused(dns, answers):
    dns.answers["name.test"] = [answers]
    with pytest.raises(BlockedAddress):
        await fetch_text("http://name.test/", policy=FetchPolicy())
    assert dns.lookups == ["name.test"]


@pytest.mark.parametrize("url", ["https://example.com/", "http://example.com:443/a?b=c@d", "http://8.8.8.8/"])
def test_a_public_address_passes(url):
    check_address(url, FetchPolicy())


async def test_a_name_that_changes_its_answer_is_looked_up_once_and_pinned(dns, monkeypatch):
    reached = []

    async def connect(remote_host, remote_port, **_):
        reached.append((str(remote_host), remote_port))
        raise OSError("refused")

    monkeypatch.setattr(anyio, "connect_tcp", connect)
    dns.answers["rebind.test"] = [["93.184.215.14"], ["127.0.0.1"]]
    with pytest.raises(FetchError, match="cannot connect"):
        await fetch_text("http://rebind.test/", policy=FetchPolicy())
    assert reached == [("93.184.215.14", 80)]
    assert dns.lookups == ["rebind.test"]


async def test_nat64_of_a_public_address_is_how_ipv4_is_reached_behind_dns64(dns, monkeypatch):
    reached = []

    async def connect(remote_host, **_):
        reached.append(str(remote_host))
        raise OSError("refused")

    monkeypatch.setattr(anyio, "connect_tcp", connect)
    dns.answers["name.test"] = [["64:ff9b::5db8:d70e"]]
    with pytest.raises(FetchError, match="cannot connect"):
        await fetch_text("http://name.test/", policy=FetchPolicy())
    assert reached == ["64:ff9b::5db8:d70e"]


async def test_a_resolver_that_never_answers_is_left_behind(monkeypatch):
    answered = threading.Event()

    def stalled(*_args, **_kwargs):
        answered.wait(30)
        raise socket.gaierror("too late")

    install_resolver(monkeypatch, stalled)
    try:
        with pytest.raises(FetchError, match=r"timed out after 0\.05 s"):
            await fetch_text("http://slow.test/", policy=FetchPolicy(timeout=0.05))
    finally:
        answered.set()


# A header is ASCII; without a scheme it is a path of the same site; an empty user name is lost on the way.
REDIRECTS = {
    name: url for name, url in URLS.items() if url.isascii() and name not in {"no scheme", "no host", "userinfo, empty"}
}


@pytest.mark.loopback
@pytest.mark.parametrize("target", REDIRECTS.values(), ids=REDIRECTS)
async def test_a_redirect_to_a_hostile_address_is_refused(site, dns, target):
    dns.answers = HEXADECIMAL_AND_NAMES
    site.pages["/"] = redirect(target)
    with pytest.raises((BlockedAddress, FetchError), match=r"not a public web address|broken response"):
        await fetch_text(site.url(), policy=FetchPolicy(allowed_private_hosts=site.opened))
    assert len(site.requests) == 1


@pytest.mark.loopback
async def test_a_redirect_to_a_name_that_turned_private_is_refused(site, dns):
    dns.answers["site.test"] = [["127.0.0.1"]]
    dns.answers["turn.test"] = [["10.0.0.1"]]
    site.pages["/"] = redirect("http://turn.test/")
    with pytest.raises(BlockedAddress):
        await fetch_text(site.url(host="site.test"), policy=FetchPolicy(allowed_private_hosts=("site.test",)))


@pytest.mark.loopback
@pytest.mark.usefixtures("plain_extraction")
@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.1:{port}"])
async def test_an_opened_host_is_fetched_on_its_port(site, entry):
    site.pages["/"] = response(b"intranet")
    policy = FetchPolicy(allowed_private_hosts=(entry.format(port=site.port),))
    assert (await fetch_text(site.url(), policy=policy)).text == "intranet"


@pytest.mark.parametrize("opened", [("127.0.0.1:1",), ("other.test",), ("127.0.0.1.evil.test",), ("",), ("0.0.1",)])
def test_another_host_or_port_stays_closed(opened):
    with pytest.raises(BlockedAddress):
        check_address("http://127.0.0.1:8080/", FetchPolicy(allowed_private_hosts=opened))


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254"])
def test_an_opened_host_may_not_be_cloud_metadata(host):
    url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
    with pytest.raises(BlockedAddress, match="metadata"):
        check_address(url, FetchPolicy(allowed_private_hosts=(host,)))


@pytest.mark.parametrize("host", ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[::1]"])
def test_an_opened_host_may_be_anywhere_on_an_intranet(host):
    check_address(f"http://{host}:8080/", FetchPolicy(allowed_private_hosts=(f"{host}:8080",)))


@pytest.mark.parametrize("host", ["169.254.1.1", "0.1.2.3", "224.0.0.1", "[fe80::1]", "[2002:7f00:1::]"])
def test_an_opened_host_may_be_nowhere_else(host):
    with pytest.raises(BlockedAddress):
        check_address(f"http://{host}/", FetchPolicy(allowed_private_hosts=(host,)))


@pytest.mark.parametrize("opened", [("[::1]:8080",), ("::1",)])
def test_an_ipv6_host_can_be_opened(opened):
    check_address("http://[::1]:8080/", FetchPolicy(allowed_private_hosts=opened))


async def test_an_excluded_domain_is_refused_before_any_lookup(dns):
    dns.answers["www.example.org"] = [["93.184.215.14"]]
    with pytest.raises(ExcludedDomainError):
        await fetch_text("http://WWW.Example.org.:80/", policy=FetchPolicy(excluded_domains=("example.org",)))
    assert dns.lookups == []


@pytest.mark.loopback
async def test_an_excluded_domain_behind_a_redirect_is_refused(site):
    site.pages["/"] = redirect("http://sub.EXAMPLE.org/secret")
    policy = FetchPolicy(allowed_private_hosts=site.opened, excluded_domains=("example.org",))
    with pytest.raises(ExcludedDomainError):
        await fetch_text(site.url(), policy=policy)
