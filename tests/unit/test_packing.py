"""Packing keeps every text and the room, and takes from the longest first."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.packing import pack

MARK = " [cut]"
texts = st.lists(st.text(st.sampled_from("abc \nд語"), max_size=200), max_size=8)
room = st.integers(0, 900)


@given(texts, room)
def test_all_are_kept_and_fit(given_texts, given_room):
    packed = pack(given_texts, given_room)
    assert len(packed) == len(given_texts)
    assert sum(map(len, packed)) <= max(given_room, len(given_texts))  # a character at least is left of each
    for before, after in zip(given_texts, packed, strict=True):
        assert bool(after) == bool(before)


@given(texts, room)
def test_a_text_is_as_it_was_or_its_beginning_with_a_mark(given_texts, given_room):
    for before, after in zip(given_texts, pack(given_texts, given_room), strict=True):
        if after != before:
            kept = after.removesuffix(MARK)
            assert before.startswith(kept) or MARK.startswith(after)


@given(texts, room)
def test_only_the_longest_give_way(given_texts, given_room):
    packed = pack(given_texts, given_room)
    whole = [len(before) for before, after in zip(given_texts, packed, strict=True) if after == before]
    cut = [len(before) for before, after in zip(given_texts, packed, strict=True) if after != before]
    assert not cut or not whole or max(whole) <= min(cut)
    if sum(map(len, given_texts)) <= given_room:
        assert packed == given_texts


@given(st.lists(st.integers(100, 4000), min_size=2, max_size=8), st.integers(800, 9000))
def test_what_the_short_leave_over_goes_to_the_long(lengths, given_room):
    """No white space, so that a cut falls where the room ends: the whole room is used, but for rounding."""
    packed = pack(["x" * length for length in lengths], given_room)
    if sum(lengths) > given_room:
        assert given_room - len(lengths) < sum(map(len, packed)) <= given_room
        cut = [len(text) for text in packed if text.endswith(MARK)]
        assert len(set(cut)) == 1


@given(texts, room, st.randoms())
def test_the_order_of_the_texts_does_not_matter(given_texts, given_room, random):
    places = list(range(len(given_texts)))
    random.shuffle(places)
    packed = pack([given_texts[place] for place in places], given_room)
    assert [packed[places.index(place)] for place in range(len(places))] == pack(given_texts, given_room)


@given(st.integers(1, 60), st.integers(200, 900))
@example(3, 500)
def test_a_text_with_few_spaces_keeps_most_of_its_room(at, given_room):
    """Chinese has hardly any: one early space must not cost what comes after it."""
    text = "語" * at + " " + "語" * 5000
    (packed,) = pack([text], given_room)
    assert len(packed) >= given_room / 2


@pytest.mark.parametrize(
    ("given_room", "expected"), [(13, "one two three"), (12, "one [cut]"), (9, "one [cut]"), (3, " [c"), (0, " ")]
)
def test_a_cut_falls_between_words(given_room, expected):
    assert pack(["one two three"], given_room) == [expected]
