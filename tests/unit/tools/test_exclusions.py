import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.tools.exclusions import blocked_by, canonical_domains, is_excluded
from fusion_tool.tools.url_hosts import canonical_host

SPELLINGS = {
    "plain": "http://example.org/page",
    "subdomain": "https://www.example.org/page",
    "deep subdomain": "https://a.b.c.example.org",
    "upper case": "HTTPS://WWW.EXAMPLE.ORG/",
    "trailing dot": "https://example.org./",
    "several trailing dots": "https://example.org../",
    "port": "https://example.org:8443/",
    "userinfo": "https://user:pass@example.org/",
    "another host as userinfo": "https://good.test@example.org/",
    "at sign in the userinfo": "https://a@b@example.org/",
    "percent-encoded": "https://ex%61mple.org/",
    "percent-encoded dot": "https://example%2eorg/",
    "doubly percent-encoded": "https://ex%2561mple.org/",
    "full width": "https://\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.org/",
    "ideographic dot": "https://example\u3002org/",
    "soft hyphen": "https://exam\u00adple.org/",
    "zero-width space": "https://exam\u200bple.org/",
    "tab inside": "https://exam\tple.org/",
    "newline inside": "https://exam\nple.org/",
    "spaces around": "  https://example.org/  ",
    "backslash before the at sign": "https://example.org\\@good.test/",
    "backslash for a slash": "https:\\\\example.org\\page",
    "backslash in the userinfo": "https://good.test\\@example.org/",
    "no slashes": "https:example.org/page",
    "one slash": "https:/example.org/page",
    "four slashes": "https:////example.org/page",
    "no scheme": "example.org/page",
    "no scheme, port": "example.org:443/page",
    "scheme-relative": "//example.org/page",
    "query straight after the host": "https://example.org?q=1",
    "fragment straight after the host": "https://example.org#top",
    "another scheme": "ftp://example.org/file",
}

OTHERS = {
    "suffix without a dot": "https://notexample.org/",
    "prefix": "https://example.org.good.test/",
    "in the path": "https://good.test/example.org",
    "in the fragment": "https://good.test/#@example.org",
    "as userinfo": "https://example.org@good.test/",
    "another ending": "https://example.organic/",
    "parent": "https://org/",
    "empty": "",
    "no host": "https:///",
    "not an address": "see the notes",
    "broken brackets": "http://[::1/",
}

FILE = Path(__file__).parents[2] / "data" / "exclusion_cases.jsonl"
CASES = [json.loads(line) for line in FILE.read_text().splitlines()]


@pytest.mark.parametrize("url", SPELLINGS.values(), ids=SPELLINGS)
def test_a_domain_is_excluded_however_it_is_spelled(url):
    assert is_excluded(url, ["example.org"])


@pytest.mark.parametrize("url", OTHERS.values(), ids=OTHERS)
def test_another_domain_is_not(url):
    assert not is_excluded(url, ["example.org"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['excluded_domain']} in {case['url']}")
def test_a_domain_counts_wherever_an_address_names_it_as_a_host(case):
    assert is_excluded(case["url"], [case["excluded_domain"]]) is case["excluded"]


@pytest.mark.parametrize(
    "entry",
    ["EXAMPLE.org", "example.org.", ".example.org", "*.example.org", "https://example.org/a", "example.org:80"],
)
def test_the_list_may_be_spelled_freely_too(entry):
    assert is_excluded("https://www.example.org/", [entry])
    assert not is_excluded("https://other.test/", [entry])


@pytest.mark.parametrize("entry", ["m\u00fcnchen.example", "M\u00dcNCHEN.example", "xn--mnchen-3ya.example"])
@pytest.mark.parametrize(
    "url",
    [
        "https://m\u00fcnchen.example/",
        "https://www.xn--mnchen-3ya.example/",
        "https://XN--MNCHEN-3YA.example./",
        "https://mu\u0308nchen.example/",
        "https://m%C3%BCnchen.example/",
    ],
)
def test_international_names_match_in_either_form(url, entry):
    assert is_excluded(url, [entry])


@pytest.mark.parametrize(("url", "entry"), [("http://[::1]:8080/", "::1"), ("http://[0:0::1]/", "[::1]:80")])
def test_an_ipv6_address_is_a_host(url, entry):
    assert is_excluded(url, [entry])


@pytest.mark.parametrize("excluded", [[], [""], ["  "], ["https://"]])
def test_nothing_named_excludes_nothing(excluded):
    assert not is_excluded("https://example.org/", excluded)


def test_providers_are_told_the_canonical_domain():
    assert canonical_domains(("https://B.example:80/x", "*.a.example", "")) == ("a.example", "b.example")


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
# A name whose last label is a number is an address.
ends = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
domains = st.tuples(st.lists(labels, min_size=1, max_size=3), ends).map(lambda parts: ".".join([*parts[0], parts[1]]))
named = st.from_regex(r"([a-z0-9]{1,8}\.){1,2}[a-z]{2,6}", fullmatch=True)


@given(domain=domains, sub=domains, port=st.integers(1, 65535), upper=st.booleans(), dot=st.booleans())
def test_every_subdomain_port_and_case_is_excluded(domain, sub, port, upper, dot):
    host = f"{sub}.{domain}{'.' if dot else ''}"
    assert is_excluded(f"https://{host.upper() if upper else host}:{port}/x", [domain])


@given(domain=domains)
def test_percent_encoding_any_character_of_a_host_hides_nothing(domain):
    encoded = "".join(f"%{ord(c):02x}" for c in domain)
    assert is_excluded(f"http://{encoded}/", [domain])


@given(
    front=st.sampled_from(["https://cache.example/", "https://good.test/?u=", "https://good.test/a?b=c&to=https://"]),
    domain=named,
)
def test_encoding_a_named_host_up_to_three_times_hides_nothing(front, domain):
    name = domain
    for _ in range(3):
        name = "".join(f"%{ord(c):02x}" if c in ".%" else c for c in name)
        assert is_excluded(front + name, [domain])


@given(domain=domains, prefix=labels)
def test_a_longer_label_is_another_domain(domain, prefix):
    assert not is_excluded(f"https://{prefix}{domain}/", [domain])


@given(st.text())
@example(".\r0")
@example(".[0")
def test_any_text_has_an_answer_and_a_stable_host(text):
    assert is_excluded(text, ["example.org"]) in {True, False}
    assert canonical_host(canonical_host(text)) == canonical_host(text)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("The CANARY guid 1234 is here", "canary GUID"),
        ("benchmark\n   data should\tnever", "benchmark data should never"),
        ("bench\u00admark da\u200bta", "benchmark data"),
        ("line bro\nken", "broken"),
        ("\uff23anary", "canary"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_a_fragment_is_found_in_any_case_and_spacing(text, fragment):
    assert blocked_by(text, ["unrelated", fragment])


@pytest.mark.parametrize("fragments", [[], [""], ["  \n"], ["absent"]])
def test_no_fragment_blocks_nothing(fragments):
    assert not blocked_by("some text", fragments)


@given(before=st.text(), fragment=st.text(min_size=1), after=st.text())
def test_a_fragment_that_shows_is_found_wherever_it_stands(before, fragment, after):
    shows = any(c.isalnum() and c.isascii() for c in fragment) and fragment.isascii()
    if shows and before.isascii() and after.isascii():
        assert blocked_by(f"{before}{fragment}{after}", [fragment])
