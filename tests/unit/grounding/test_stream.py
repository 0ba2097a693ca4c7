import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.grounding.citations import renumber
from fusion_tool.grounding.stream import CitationStream

KNOWN = {"1a2b3c4d": None, "5e6f7a8b": None}
PIECES = st.sampled_from(
    [
        *("1a2b3c4d", "5e6f7a8b", "deadbee0", "20240131", "[1a2b3c4d]", "[5e6f7a8b]", "[deadbee0]", "[3]"),
        *"[]()【】`~\\\n \t,;:^#†-.a0>|",
        *("```", "~~~", "source: ", "see ", "and", "word", "p. 3", "](http://x)", "[^", "[[", "]]"),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text(alphabet="[]() `\n1a2b3c4d,\\~", max_size=40)


BACKTICKS = "`1a2b3c4d```1a2b3c4d`[1a2b3c4d]```"


def streamed(text, cuts):
    stream = CitationStream(KNOWN)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    out = [stream.feed(text[start:end]) for start, end in itertools.pairwise(edges)]
    return "".join(out) + stream.close(), stream.numbers, stream.dropped


@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_every_way_of_cutting_gives_the_text_renumbered_whole(text, cuts):
    whole = renumber(text, KNOWN)
    assert streamed(text, cuts) == (whole.text, whole.numbers, whole.dropped)


@given(text=TEXTS)
@example(text=BACKTICKS)
def test_letter_by_letter_gives_the_text_renumbered_whole(text):
    assert streamed(text, range(len(text)))[0] == renumber(text, KNOWN).text


@pytest.mark.parametrize(
    ("fed", "out"),
    [
        ("plain text", "plain text"),
        ("a sentence. ", "a sentence."),
        ("see [the", "see [the"),
        ("held [1a2b", "held"),
        ("held [source: 1a", "held"),
        ("joined by the next [1a2b3c4d]", "joined by the next"),
        ("done [1a2b3c4d].", "done [1]."),
        ("done [1a2b3c4d] b", "done [1] b"),
        ("gone [deadbee0] b", "gone b"),
        ("an open `span", "an open"),
        ("a `span` x", "a `span` x"),
        ("an `unclosed\nline", "an `unclosed\nline"),
        ("(aside", "(aside"),
        ("```py\nx = a[1a2b", "```py\nx = a[1a2b"),
        ("```py\nx\n``", "```py\nx\n"),
        ("a link [text](http", "a link [text](http"),
    ],
)
def test_only_what_may_still_change_is_held_back(fed, out):
    assert CitationStream(KNOWN).feed(fed) == out


def test_an_unfinished_citation_comes_out_as_written():
    stream = CitationStream(KNOWN)
    assert stream.feed("cut off [1a2b3c") == "cut off"
    assert stream.close() == " [1a2b3c"


def test_numbers_and_dropped_ids_are_known_while_streaming():
    stream = CitationStream(KNOWN)
    stream.feed("one [5e6f7a8b] two [deadbee0] three [1a2b3c4d] four")
    assert stream.numbers == {"5e6f7a8b": 1, "1a2b3c4d": 2}
    assert stream.dropped == ["deadbee0"]
