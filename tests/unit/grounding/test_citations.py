"""Citations in an answer that is JSON."""

import itertools
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.grounding.citations import CitationStream, cited_ids, number_citations, number_citations_in_json

A, B, UNKNOWN = "1a2b3c4d", "5e6f7a8b", "deadbee0"
KNOWN = {A: None, B: None}
SAFE = st.text(alphabet="abcXYZ .,\n-é漢'\"!*_#|(", max_size=20)
CITATIONS = st.sampled_from([f"[{A}]", f"[{B}]", f"[{UNKNOWN}]", f"[{A}, {UNKNOWN}]", f"([{B}])", f"[{A}][{B}]"])
TEXTS = st.lists(st.tuples(SAFE, CITATIONS | st.just("")), max_size=8).map(
    lambda parts: "".join(text + citation for text, citation in parts)
)


@pytest.mark.parametrize(
    "written",
    [
        f"[{A}]",
        f"[{A.upper()}]",
        f"[^{A}]",
        f"[#{A}]",
        f"[@{A}]",
        f"[`{A}`]",
        f"[ {A} ]",
        f"[source: {A}]",
        f"[Source {A}]",
        f"[id:{A}]",
        f"[see {A}]",
        f"[ref. {A}]",
        f"[{A}, p. 3]",
        f"[{A}†L10-L20]",
        f"【{A}】",
        f"【{A}†source】",
        f"\uff3b{A}\uff3d",
        f"[[{A}]]",
        f"[Sources: [{A}]]",
        f"[{A}](https://example.org/page)",
        f"[[{A}]](https://example.org/page)",
        f"[{A}, {A}]",
        f"[{A}][{A}]",
    ],
)
def test_every_form_of_a_citation_becomes_a_number(written):
    result = number_citations(f"Claim {written}.", KNOWN)
    assert (result.text, result.numbers, result.dropped) == ("Claim [1].", {A: 1}, [])


@pytest.mark.parametrize(
    "written",
    [
        f"[{A}, {B}]",
        f"[{A}; {B}]",
        f"[{A} {B}]",
        f"[{A} and {B}]",
        f"[{A}|{B}]",
        f"[^{A}, ^{B}]",
        f"[sources: {A}, {B}]",
        f"[source: {A}, source: {B}]",
        f"[{A}][{B}]",
        f"[{A}] [{B}]",
        f"[{A}], [{B}]",
        f"[[{A}], [{B}]]",
        f"[{A}, {UNKNOWN}, {B}]",
    ],
)
def test_several_ids_become_several_numbers(written):
    assert number_citations(f"Claim {written}.", KNOWN).text == "Claim [1] [2]."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Glued[{A}].", "Glued [1]."),
        (f"Stop.[{A}] Next", "Stop.[1] Next"),
        (f"As shown ([{A}]).", "As shown ([1])."),
        (f"As shown (source: [{A}]; [{B}]).", "As shown ([1] [2])."),
        (f"A list:\n- one [{B}]\n- two [{A}]", "A list:\n- one [1]\n- two [2]"),
        (f"| cell [{A}] | next |", "| cell [1] | next |"),
        (f"First [{B}], then [{A}], then [{B}].", "First [1], then [2], then [1]."),
        (f"(an aside [{A}] in parentheses)", "(an aside [1] in parentheses)"),
    ],
)
def test_numbers_stand_where_the_ids_stood(text, expected):
    assert number_citations(text, KNOWN).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Claim [{UNKNOWN}].", "Claim."),
        (f"Claim [{UNKNOWN}] goes on", "Claim goes on"),
        (f"Claim  [{UNKNOWN}], and", "Claim, and"),
        (f"Claim ([{UNKNOWN}]).", "Claim."),
        (f"Claim (see [{UNKNOWN}]) goes on.", "Claim goes on."),
        (f"Claim [{UNKNOWN}][{A}].", "Claim [1]."),
        (f"Claim [{A}, {UNKNOWN}].", "Claim [1]."),
        (f"[{UNKNOWN}] Claim", "Claim"),
        (f"- [{UNKNOWN}] Claim", "- Claim"),
        (f"  [{UNKNOWN}] Claim", "  Claim"),
        (f"one [{UNKNOWN}]two", "one two"),
        (f"Claim [{UNKNOWN}]", "Claim"),
        (f"Claim [{UNKNOWN}]\nNext", "Claim\nNext"),
        (f"| cell [{UNKNOWN}] | next |", "| cell | next |"),
    ],
)
def test_an_id_never_retrieved_goes_with_the_blank_before_it(text, expected):
    result = number_citations(text, KNOWN)
    assert result.text == expected
    assert result.dropped == [UNKNOWN]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No citation at all.",
        f"`[{A}]` stays",
        f"``a ` [{A}]`` stays",
        f"```\n[{A}]\n```",
        f"~~~py\nx[{A}]\n~~~",
        f"- item\n    ```\n    [{A}]\n    ```",
        f"```\nnever closed [{UNKNOWN}]",
        f"````\n```\n[{A}]\n````",
        f"\\[{A}]",
        "a[0] and matrix[12]",
        "x[1][2]",
        "[a link](https://example.org/?q=1)",
        "![image](x.png)",
        "- [ ] open\n- [x] done",
        "the range [0, 1] and [2024]",
        "[20240131]",
        "[cafe] [the 1a2b3c4d] [2024567] [facade] [1a2b3c4](https://example.org/commit/1a2b3c4)",
        "[^3] and [^note]",
        f"{A} without brackets",
        f"[{A}\n]",
    ],
)
def test_what_is_no_citation_is_left_alone(text):
    result = number_citations(text, KNOWN)
    assert (result.text, result.numbers, result.dropped) == (text, {}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("As in [3].", "As in (3)."),
        (f"Mine [3] and ours [{A}].", "Mine (3) and ours [1]."),
        ("[3]: https://example.org", "(3): https://example.org"),
        ("a [3](https://example.org) link", "a [(3)](https://example.org) link"),
    ],
)
def test_a_number_of_the_models_own_cannot_pass_for_ours(text, expected):
    assert number_citations(text, KNOWN).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The mill was built in 1861 [1].", "The mill was built in 1861 (1)."),
        ("[1] Smith, 2020", "(1) Smith, 2020"),
        ("[3]", "[3]"),
        ("The list is\n[3]\nand no more.", "The list is\n[3]\nand no more."),
        ("x = [3]", "x = [3]"),
        ("a[0] and `[1]`", "a[0] and `[1]`"),
        ("- [ ] open", "- [ ] open"),
    ],
)
def test_where_nothing_was_retrieved_no_number_passes_for_a_citation(text, expected):
    assert number_citations(text, {}).text == expected


@pytest.mark.parametrize("written", ["1a2b3c4", "1a2b3c4d5", "1A2B3C4", "1a2b3c4x", "^1a2b3c4"])
def test_what_only_looks_like_an_id_is_an_invented_citation(written):
    result = number_citations(f"So it is [{written}]. And so [{A}].", KNOWN)
    assert (result.text, result.invented) == ("So it is. And so [1].", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"5` tall [{A}]", "5` tall [1]"),
        (f"`open\n[{A}]` b", "`open\n[1]` b"),
        (f"```\ncode\n```\n[{A}]", "```\ncode\n```\n[1]"),
        (f"text ``` inline ``` [{A}]", "text ``` inline ``` [1]"),
    ],
)
def test_text_beside_code_is_still_text(text, expected):
    assert number_citations(text, KNOWN).text == expected


def test_a_known_id_that_looks_like_a_date_is_cited():
    assert number_citations("On [20240131].", {"20240131": None}).text == "On [1]."


def test_ids_are_found_known_or_not():
    assert cited_ids(f"a [{B}] b [{A}, {UNKNOWN}] c [{B}]") == [B, A, UNKNOWN]


@given(text=TEXTS)
def test_numbers_run_from_one_in_order_of_first_appearance(text):
    result = number_citations(text, KNOWN)
    written = [int(number) for number in re.findall(r"\[(\d+)\]", result.text)]
    assert list(dict.fromkeys(written)) == list(range(1, len(result.numbers) + 1))
    assert [name for name in cited_ids(text) if name in KNOWN] == list(result.numbers)
    assert [name for name in cited_ids(text) if name not in KNOWN] == result.dropped


@given(text=TEXTS)
def test_numbers_put_back_as_ids_renumber_to_the_same(text):
    once = number_citations(text, KNOWN)
    by_number = {number: name for name, number in once.numbers.items()}
    restored = re.sub(r"\[(\d+)\]", lambda match: f"[{by_number[int(match[1])]}]", once.text)
    again = number_citations(restored, KNOWN)
    assert (again.text, again.numbers) == (once.text, once.numbers)


@given(text=st.text(alphabet="abc .\n(){}<>*_#|\\`~!?-é漢0123456789", max_size=80))
def test_text_without_brackets_is_unchanged(text):
    assert number_citations(text, KNOWN).text == text


@given(text=TEXTS)
def test_nothing_but_citations_and_blanks_is_lost(text):
    def bare(written):
        return re.sub(r"\[[^\]]*\]|[\s(),;]", "", written)

    assert bare(number_citations(text, KNOWN).text) == bare(text)


KNOWN_STREAM = {"1a2b3c4d": None, "5e6f7a8b": None}
PIECES = st.sampled_from(
    [
        *("1a2b3c4d", "5e6f7a8b", "deadbee0", "20240131", "[1a2b3c4d]", "[5e6f7a8b]", "[deadbee0]", "[3]"),
        *"[]()【】`~\\\n \t,;:^#†-.a0>|",
        *("```", "~~~", "source: ", "see ", "and", "word", "p. 3", "](http://x)", "[^", "[[", "]]"),
    ]
)
TEXTS_STREAM = st.lists(PIECES, max_size=30).map("".join) | st.text(alphabet="[]() `\n1a2b3c4d,\\~", max_size=40)


BACKTICKS = "`1a2b3c4d```1a2b3c4d`[1a2b3c4d]```"


def streamed(text, cuts):
    stream = CitationStream(KNOWN_STREAM)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    out = [stream.feed(text[start:end]) for start, end in itertools.pairwise(edges)]
    return "".join(out) + stream.close(), stream.numbers, stream.dropped


@given(text=TEXTS_STREAM, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_every_way_of_cutting_gives_the_text_renumbered_whole(text, cuts):
    whole = number_citations(text, KNOWN_STREAM)
    assert streamed(text, cuts) == (whole.text, whole.numbers, whole.dropped)


@given(text=TEXTS_STREAM)
@example(text=BACKTICKS)
def test_letter_by_letter_gives_the_text_renumbered_whole(text):
    assert streamed(text, range(len(text)))[0] == number_citations(text, KNOWN_STREAM).text


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
    assert CitationStream(KNOWN_STREAM).feed(fed) == out


def test_an_unfinished_citation_comes_out_as_written():
    stream = CitationStream(KNOWN_STREAM)
    assert stream.feed("cut off [1a2b3c") == "cut off"
    assert stream.close() == " [1a2b3c"


def test_numbers_and_dropped_ids_are_known_while_streaming():
    stream = CitationStream(KNOWN_STREAM)
    stream.feed("one [5e6f7a8b] two [deadbee0] three [1a2b3c4d] four")
    assert stream.numbers == {"5e6f7a8b": 1, "1a2b3c4d": 2}
    assert stream.dropped == ["deadbee0"]


ONE, TWO = "1a2b3c4d", "5e6f7a8b"
KNOWN_STRUCTURED = {ONE: None, TWO: None}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"year": f"1861 [{ONE}]."}, {"year": "1861 [1]."}),
        ({"a": f"x [{TWO}]", "b": [f"y [{ONE}] [{TWO}]"]}, {"a": "x [1]", "b": ["y [2] [1]"]}),
        ({"sources": [ONE, TWO]}, {"sources": [ONE, TWO]}),
        ({"sources": ["deadbeef", "1"], "n": [1]}, {"sources": ["deadbeef", "1"], "n": [1]}),
        ({"a": "invented [deadbeef]."}, {"a": "invented."}),
        ({"ü": None, "t": True, "f": 1.5}, {"ü": None, "t": True, "f": 1.5}),
    ],
)
def test_numbers_stand_in_its_strings_and_the_rest_is_as_it_was(value, written):
    assert json.loads(number_citations_in_json(json.dumps(value), KNOWN_STRUCTURED).text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('```json\n{"a": "x [ID]"}\n```', '{"a": "x [1]"}'),
        ('```\n{"a": "x [ID]"}\n```\n', '{"a": "x [1]"}'),
        ('{"a": "x [ID]"}\n```', '{"a": "x [1]"}'),
        ('Here [it is]:\n\n```json\n{"a": "x [ID]"}\n```', '{"a": "x [1]"}'),
        ('{"a": "```python\\nf()\\n```", "b": "x [ID]"}', '{"a": "```python\\nf()\\n```", "b": "x [1]"}'),
        ('{ "a" :12.50, "b": 3.14159265358979323846 }', '{ "a" :12.50, "b": 3.14159265358979323846 }'),
        ('{"a": 1, "a": 1e400}', '{"a": 1, "a": 1e400}'),
        ('{"a": 1' + "0" * 5000 + ', "b": "x [ID]"}', '{"a": 1' + "0" * 5000 + ', "b": "x [1]"}'),
        ('{"a": "\\ud83d x [ID]", "b": "\\ud83d\\ude00"}', '{"a": "? x [1]", "b": "😀"}'),
        ('{"a [ID]" : "x \\"[ID]\\""}', '{"a [ID]" : "x \\"[1]\\""}'),
        ('{"a": ' + "[" * 90_000, '{"a": ' + "[" * 90_000),
        ('{"a": ' + "[" * 900 + "]" * 900 + "}", '{"a": ' + "[" * 900 + "]" * 900 + "}"),
        ('"x [ID]"', '"x [1]"'),
    ],
    ids=lambda text: text[:30],
)
def test_json_is_read_as_models_write_it_and_stays_as_it_was_written(text, written):
    numbered = number_citations_in_json(text.replace("ID", ONE), KNOWN_STRUCTURED)
    assert numbered.text == written.replace("ID", ONE)
    for piece in numbered.prose:
        for mark in piece.marks:
            assert numbered.text[piece.locate(mark.start) : piece.locate(mark.end)] == "[1]"


def test_one_numbering_runs_through_it():
    numbered = number_citations_in_json(json.dumps([f"[{TWO}]", {"x": f"[{ONE}] [deadbeef]"}]), KNOWN_STRUCTURED)
    assert (numbered.numbers, numbered.dropped) == ({TWO: 1, ONE: 2}, ["deadbeef"])


def test_what_is_no_json_is_markdown():
    assert number_citations_in_json(f"Built in 1861 [{ONE}].", KNOWN_STRUCTURED).text == "Built in 1861 [1]."
