import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.dates import blank_spans, conflicts, find_dates, is_borne_out


def only(text):
    (found,) = find_dates(text)
    return found


@pytest.mark.parametrize(
    ("text", "year", "month", "day"),
    [
        ("on 12 March 2021", 2021, 3, 12),
        ("on the 12th of March 2021", 2021, 3, 12),
        ("on March 12, 2021", 2021, 3, 12),
        ("on Mar. 12th, 2021", 2021, 3, 12),
        ("on 2021-03-12", 2021, 3, 12),
        ("on 12.03.2021", 2021, 3, 12),
        ("on 12 March", None, 3, 12),
        ("in March 2021", 2021, 3, None),
        ("in May", None, 5, None),
        ("in 2021", 2021, None, None),
        ("mid-2021", 2021, None, None),
    ],
)
def test_a_date_is_as_precise_as_it_is_written(text, year, month, day):
    found = only(text)
    assert (found.year, found.month, found.day) == (year, month, day)


@pytest.mark.parametrize(
    "text",
    [
        *("it may rain", "1500 km", "2,021 people", "$2000", "2000 people", "the march on"),
        *(f"it took 1080 {unit}" for unit in ("minutes", "seconds", "hours", "days", "years", "ms", "min", "h")),
        *(f"it holds 2048 {unit}" for unit in ("MB", "GiB", "bytes", "litres", "kWh", "feet", "mm", "rows", "tokens")),
    ],
)
def test_what_is_no_date(text):
    assert find_dates(text) == []


@pytest.mark.parametrize("text", ["the 2021 second place", "2021 US sales", "in 2021 SEC filings", "2021 HP laptops"])
def test_a_year_before_what_only_looks_like_a_unit(text):
    assert only(text).year == 2021


def test_quarters_and_decades():
    assert [only(text).quarter for text in ("Q3 2024", "the third quarter of 2024")] == [3, 3]
    assert (only("the 1990s").year, only("the 1990s").decade) == (1990, True)


@pytest.mark.parametrize(
    ("claim", "source", "is_carried", "is_conflict"),
    [
        ("March 2021", "12 March 2021", True, False),
        ("12 March 2021", "March 2021", False, False),
        ("12 March 2021", "14 March 2021", False, True),
        ("2021-03-12", "March 12, 2021", True, False),
        ("in 2021", "12 March 2021", True, False),
        ("in 2022", "12 March 2021", False, True),
        ("Q1 2021", "12 March 2021", True, False),
        ("Q2 2021", "12 March 2021", False, True),
        ("the 1990s", "in 1994", True, False),
        ("in 1994", "the 1990s", False, False),
        ("in 2004", "the 1990s", False, True),
        ("12 March 2021", "on 12 March", True, False),
    ],
)
def test_comparison_respects_granularity(claim, source, is_carried, is_conflict):
    assert is_borne_out(only(claim), only(source)) is is_carried
    assert conflicts(only(claim), only(source)) is is_conflict


@given(st.text(alphabet="0123456789-/. MarchJune,in", max_size=40))
def test_blanking_keeps_every_other_character_in_place(text):
    found = find_dates(text)
    out = blank_spans(text, found)
    assert len(out) == len(text)
    spared = set(range(len(text))) - {at for date in found for at in range(date.start, date.end)}
    assert all(out[at] == text[at] for at in spared)
