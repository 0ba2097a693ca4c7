import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.quantities import find_quantities, quantities_agree


def only(text):
    (found,) = find_quantities(text)
    return found


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("1.2 million people", 1.2e6, ""),
        ("1,200,000 people", 1.2e6, ""),
        ("1.200.000 people", 1.2e6, ""),
        ("1 200 000 people", 1.2e6, ""),
        ("$1.2bn", 1.2e9, "usd"),
        ("$3m", 3e6, "usd"),
        ("10M users", 1e7, ""),
        ("10k tokens", 1e4, ""),
        ("30 m tall", 30, "length"),
        ("€3,000", 3000, "eur"),
        ("3 000 €", 3000, "eur"),
        ("20 dollars", 20, "usd"),
        ("£5", 5, "gbp"),
        ("12 %", 12, "percent"),
        ("12 per cent", 12, "percent"),
        ("3,5 kg", 3.5, "mass"),
        ("500 g", 0.5, "mass"),
        ("-5 °C", -5, "celsius"),
        ("32 °F", 0, "celsius"),
        ("twenty-five users", 25, ""),
        ("two hundred users", 200, ""),
        ("a dozen eggs", 12, ""),
        ("36 hours", 129600, "time"),
        ("60 mph", 96.56064, "speed"),
        ("11 hours 20 minutes", 40800, "time"),
        ("11 hours\n20 minutes", 40800, "time"),
        ("11 hours and 20 minutes", 40800, "time"),
        ("11 h 20 min", 40800, "time"),
        ("11 h 20", 40800, "time"),
        ("11h20", 40800, "time"),
        ("11h20m", 40800, "time"),
        ("9:10 h", 33000, "time"),
        ("9:10 hours", 33000, "time"),
        ("nine hours and ten minutes", 33000, "time"),
        ("680 minutes", 40800, "time"),
        ("1 day, 2 hours and 3 minutes", 93780, "time"),
        ("2 h 3 min 4 s", 7384, "time"),
        ("5 ft 11 inch", 1.8034, "length"),
        ("6 lb 4 oz", 2.83495207, "mass"),
    ],
)
def test_a_number_is_read_with_its_unit(text, value, dimension):
    found = only(text)
    assert (found.value, found.dimension) == (pytest.approx(value), dimension)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5-10 km", [5000, 10000]),
        ("between 5 and 10 km", [5000, 10000]),
        ("from 5 to 10 km", [5000, 10000]),
        ("5 km to 10 km", [5000, 10000]),
        ("61 by 94 centimetres", [0.61, 0.94]),
        ("$5 million to $10 million", [5e6, 1e7]),
        ("100-200 million users", [1e8, 2e8]),
        ("5 and 10 people", [5, 10]),
        ("10 to 12 hours", [36000, 43200]),
        ("between 9:10 h and 11:20 h", [33000, 40800]),
    ],
)
def test_a_range_is_its_two_ends(text, values):
    assert [found.value for found in find_quantities(text)] == pytest.approx(values)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2 hours, 30 minutes and 40 minutes", [9000, 2400]),
        ("11 hours 20 minutes; 10 hours 45 minutes", [40800, 38700]),
        ("1.5 hours 20 minutes", [5400, 1200]),
        ("20 minutes 11 hours", [1200, 39600]),
        ("2 hours or 30 minutes", [7200, 1800]),
        ("2 hours and about 30 minutes", [7200, 1800]),
        ("2 hours and 30 metres", [7200, 30]),
        ("20 m and 50 cm", [20, 0.5]),
        ("11 h 75 units", [39600, 75]),
    ],
)
def test_two_figures_are_no_figure_in_two_units(text, values):
    assert [found.value for found in find_quantities(text)] == pytest.approx(values)


@pytest.mark.parametrize(
    "text", ["", "GPT-4", "a 5G network", "version v2.1", "no number", "the 21st time", "one of them"]
)
def test_a_name_with_a_digit_is_no_quantity(text):
    assert find_quantities(text) == []


@pytest.mark.parametrize(
    ("claim", "source", "expected"),
    [
        ("1.2 million people", "1,200,000 people", True),
        ("1.2 million people", "1,214,500 people", True),
        ("1.2 million people", "1,280,000 people", False),
        ("87 %", "86.7 percent", True),
        ("40 people", "42 people", False),
        ("about 40 people", "42 people", True),
        ("about 40 people", "60 people", False),
        ("5 km", "5,000 metres", True),
        ("5 km", "5 miles", False),
        ("5 kg", "5 km", False),
        ("$5 million", "€5 million", False),
        ("more than 300 people", "312 people", True),
        ("more than 300 people", "290 people", False),
        ("less than 300 people", "290 people", True),
        ("at least 20 people", "at most 20 people", False),
        ("more than 300 people", "about 310 people", True),
        ("two days", "48 hours", True),
        ("11 hours 20 minutes", "680 minutes", True),
        ("11 hours 20 minutes", "11:20 h", True),
        ("11 h 20", "11 h 25", False),
        ("about 11 hours", "11 hours 20 minutes", True),
        ("nine hours", "nine hours and ten minutes", True),
        ("nine hours", "nine hours and fifty minutes", False),
    ],
)
def test_agreement_is_as_precise_as_the_numbers_are_written(claim, source, expected):
    assert quantities_agree(only(claim), only(source)) is expected


@given(st.integers(0, 10**12))
def test_every_spelling_of_an_integer_agrees_with_it(number):
    assert quantities_agree(only(f"{number} people"), only(f"{number:,} people"))
    assert only(f"{number} people").value == number


@given(st.integers(0, 99), st.integers(0, 59))
def test_every_spelling_of_a_duration_agrees_with_it(hours, minutes):
    spellings = [
        f"{hours} hours {minutes} minutes",
        f"{hours} h and {minutes} min",
        f"{hours}:{minutes:02} h",
        f"{hours}h{minutes:02}",
        f"{hours} h {minutes:02}",
        f"{60 * hours + minutes} minutes",
    ]
    assert {only(spelling).value for spelling in spellings} == {3600 * hours + 60 * minutes}


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    assert all(0 <= q.start < q.end <= len(text) for q in find_quantities(text))
