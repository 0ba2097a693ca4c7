import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.tools.documents.refresh import split_chunks

WORDS = st.text("abcdé日. \n", max_size=4000)


def sentence(words):
    return " ".join(["word"] * (words - 1)) + " end."


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", []),
        (" \n\0\n ", []),
        (sentence(80), [80]),
        (sentence(80) + "\n\n" + sentence(80), [80, 80]),
        ("\n".join([sentence(30)] * 6), [120, 60]),
        (sentence(110) + "\n" + sentence(20), [130]),
        (" ".join([sentence(20)] * 12), [120, 120]),
        (sentence(300), [120, 120, 60]),
    ],
)
def test_sizes_in_words(text, sizes):
    assert [len(chunk.split()) for chunk in split_chunks(text)] == sizes


@given(WORDS)
def test_nothing_is_lost_and_no_chunk_is_long(text):
    chunks = split_chunks(text)
    assert "".join("".join(chunks).split()) == "".join(text.split())
    assert all(0 < len(chunk) <= 1700 and len(chunk.split()) <= 160 for chunk in chunks)


def test_a_script_without_spaces_is_cut_too():
    chunks = split_chunks("日本語" * 2000)
    assert "".join(chunks).replace("\n", "") == "日本語" * 2000
    assert max(map(len, chunks)) <= 1700
