import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.tools.extraction.extract import extract
from fusion_tool.tools.extraction.hyphens import join_divided_words
from tests.unit.tools.extraction.samples import pdf


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("the infor\x02\nmation was", "the information\nwas"),
        ("the infor\ufffe\nmation was", "the information\nwas"),
        ("the infor\u00ad\nmation was", "the information\nwas"),
        ("the infor-\nmation was", "the information\nwas"),
        ("the in\u00adfor\u00admation was", "the information was"),
        ("the in-\nfor-\nmation was", "the information\nwas"),
        ("a well-\nknown fact", "a well-known\nfact"),
        ("a well\x02\nknown fact", "a well-known\nfact"),
        ("a well\x02known fact", "a well-known fact"),
        ("the tide-table; a tide-\ntable", "the tide-table; a tide-table\n"),
        ("a database; data-\nbase systems", "a database; database\nsystems"),
        ("the Franco-\nGerman border", "the Franco-German\nborder"),
        ("COVID-\n19 cases", "COVID-19\ncases"),
        ("a state-\nof-the-art tool", "a state-of-the-art\ntool"),
        ("1998-\n2004", "1998-2004\n"),
        ("a dash -\nand more", "a dash -\nand more"),
        ("- one\n- two", "- one\n- two"),
        ("straße", "straße"),
    ],
)
def test_divided_words_are_put_together(text, joined):
    assert join_divided_words(text).strip() == joined.strip()


@given(st.text(st.sampled_from("ab-\n \u00ad\x02"), max_size=40))
def test_nothing_but_hyphens_and_white_space_is_lost(text):
    joined = join_divided_words(text)
    assert [char for char in joined if char in "ab"] == [char for char in text if char in "ab"]
    assert "\x02" not in joined


@given(st.lists(st.sampled_from(["tide", "log", "brest"]), min_size=2, max_size=4), st.integers(0, 2))
def test_a_compound_that_the_text_has_elsewhere_keeps_its_hyphen(parts, cut):
    word, cut = "-".join(parts), cut % (len(parts) - 1)
    divided = "-".join(parts[: cut + 1]) + "\x02\n" + "-".join(parts[cut + 1 :])
    assert join_divided_words(f"{word} and {divided} x").split()[2] == word


async def test_a_pdf_is_read_without_its_lines_hyphens():
    text = (await extract(pdf("two observers gave the infor-", "mation that is well-", "known"), content_type="")).text
    assert text.split() == ["two", "observers", "gave", "the", "information", "that", "is", "well-known"]
