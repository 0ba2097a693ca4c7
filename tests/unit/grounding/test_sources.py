"""Sources: one id for one address, however it is spelled, and nothing that was seen is lost."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.sources import canonical_url, make_source, merge_sources, source_id

PAGE = "https://example.org/a?b=1"

words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
urls = st.builds(
    "{}://{}{}/{}?{}={}#{}".format,
    st.sampled_from(["http", "https"]),
    st.lists(words, min_size=1, max_size=3).map(".".join),
    st.sampled_from(["", ":80", ":443", ":8080"]),
    words,
    words,
    st.text(max_size=8),
    words,
)
kinds = st.sampled_from(["page", "document", "command", "result"])
finds = st.lists(
    st.builds(lambda url, kind, text: make_source(url, title="t", kind=kind, text=text), urls, kinds, st.text())
)


@pytest.mark.parametrize(
    "spelling",
    [
        PAGE,
        "HTTPS://EXAMPLE.ORG/a?b=1",
        "https://example.org:443/a?b=1",
        "https://example.org./a?b=1",
        "https://example.org/a/?b=1",
        "https://example.org/a?b=1#part",
        "https://example.org/a?b=1&utm_source=news&utm_medium=mail",
        "https://example.org/a?fbclid=x&b=1&gclid=y&mc_cid=z&mc_eid=w",
        "  https://example.org/a?b=1\n",
    ],
)
def test_spellings_of_one_address_are_one_source(spelling):
    assert canonical_url(spelling) == PAGE
    assert source_id(spelling) == source_id(PAGE)


@pytest.mark.parametrize(
    "other",
    [
        "http://example.org/a?b=1",
        "https://example.org:8443/a?b=1",
        "https://www.example.org/a?b=1",
        "https://example.org/A?b=1",
        "https://example.org/a?b=2",
        "https://example.org/a?b=1&c=",
        "https://example.org/a?c=0&b=1",
    ],
)
def test_other_addresses_are_other_sources(other):
    assert source_id(other) != source_id(PAGE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("command:ls # of the one folder", "command:ls # of the other"),
        ("command:ls /", "command:ls"),
        ("command:echo a\necho b", "command:echo aecho b"),
        ("command:test ?a=%31", "command:test ?a=1"),
        ("http://shop.example/?q=%B0%A1", "http://shop.example/?q=%B0%A2"),
        ("http://[::1]:8080/", "http://[::1:8080]/"),
    ],
)
def test_what_differs_has_ids_that_differ(one, other):
    assert source_id(one) != source_id(other)


def test_the_order_of_parameters_is_kept():
    assert canonical_url("https://example.org/?z=1&a=2") == "https://example.org?z=1&a=2"


@given(urls)
def test_canonical_is_a_fixed_point(url):
    assert canonical_url(canonical_url(url)) == canonical_url(url)


@given(st.one_of(st.text(), st.text().map("http://[{}".format), st.text().map("https://example.org:{}/".format)))
def test_every_text_has_an_id_of_eight_hex_digits(url):
    assert len(source_id(url)) == 8
    assert set(source_id(url)) <= set(string.hexdigits)


@given(finds)
def test_merging_keeps_every_source_in_order_of_first_sight(found_):
    assert list(merge_sources(found_)) == list(dict.fromkeys(one["id"] for one in found_))


@given(finds)
def test_merging_keeps_every_text_and_the_best_kind(found_):
    best = ["result", "command", "document", "page"]
    by_id = merge_sources(found_)
    for one in found_:
        assert one["text"] in by_id[one["id"]]["text"]
        assert best.index(by_id[one["id"]]["kind"]) >= best.index(one["kind"])


@given(finds)
def test_merging_twice_changes_nothing(found_):
    once = merge_sources(found_)
    assert merge_sources(once.values()) == once


def test_a_page_gives_its_title_to_its_snippet():
    snippet = make_source(f"{PAGE}#x", title="snippet", kind="result", text="short")
    page = make_source(PAGE, title="The page", kind="page", text="long")
    (one,) = merge_sources([snippet, page]).values()
    assert one == {**page, "text": "short\n\nlong"}
