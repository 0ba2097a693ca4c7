# ruff: noqa: E501, ISC004, RUF001 - rows of a table, with the signs that pages have
"""What the text of a page says: the page's own figures and words, as a reader sees them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.tools.extraction.html import read_html

FRAME = "<!doctype html><html><head>{head}</head><body><article><h1>Report</h1><p>{body}</p></article></body></html>"
AROUND = (
    "As the log of the laboratory says, {}, and every reader of the report knows it by now; two observers confirmed it."
)


def text_of(body, head=""):
    return " ".join(read_html(FRAME.format(body=AROUND.format(body), head=head).encode(), "utf-8", None).text.split())


@pytest.mark.parametrize(
    ("markup", "plain"),
    [
        # Marks of notes.
        ("1,234,567<sup>3</sup> in 2021<sup>4</sup> x", "1,234,567 in 2021 x"),
        ("2021<sup>[4]</sup> x", "2021 x"),
        ("2021<sup><a href='#fn4'>4</a></sup> x", "2021 x"),
        ("10<sup><a href='#fn4'>4</a></sup> x", "10 x"),
        ("10<a href='#fn6'><sup>6</sup></a> x", "10 x"),
        ("10<sup class='reference'>6</sup> x", "10 x"),
        ("census<sup>4</sup> x", "census x"),
        ("census<sup>1,2</sup> x", "census x"),
        ("census<sup>1</sup><sup>,</sup><sup>2</sup> x", "census x"),
        ("census<sup>a</sup> x", "census x"),
        ("census<sup>*</sup> and<sup>†</sup> x", "census and x"),
        ("$80<sup>2</sup> x", "$80 x"),
        ("45%<sup>7</sup> x", "45% x"),
        ("the end.<sup>12</sup> x", "the end. x"),
        ("the end <sup>12</sup> x", "the end x"),
        ("on May 10<sup>6</sup> x", "on May 10 x"),
        ("page 110<sup>6</sup> x", "page 110 x"),
        ("(see there)<sup>6</sup> x", "(see there) x"),
        # Exponents.
        ("3.2 × 10<sup>6</sup> x", "3.2 × 10^6 x"),
        ("10<sup>−3</sup> x", "10^-3 x"),
        ("about 10<sup>12</sup> x", "about 10^12 x"),
        ("<a href='#top'>10<sup>6</sup></a> x", "10^6 x"),
        ("2<sup>32</sup> x", "2^32 x"),
        ("3 × 10 <sup>6</sup> x", "3 × 10 ^6 x"),
        ("<b>10</b><sup>6</sup> x", "10^6 x"),
        ("<em>x</em><sub><em>i</em></sub> x", "x_i x"),
        ("2<sup>n+1</sup> x", "2^(n+1) x"),
        ("5 m<sup>2</sup> x", "5 m^2 x"),
        ("5 km<sup>2</sup> x", "5 km^2 x"),
        ("kg/m<sup>3</sup> x", "kg/m^3 x"),
        ("kg m<sup>−3</sup> x", "kg m^-3 x"),
        ("m s<sup>-1</sup> x", "m s^-1 x"),
        ("E = mc<sup>2</sup> x", "E = mc^2 x"),
        ("E = <i>mc</i><sup>2</sup> x", "E = mc^2 x"),
        ("<i>R</i><sup>2</sup> x", "R^2 x"),
        ("3<sup>2</sup> + 4<sup>2</sup> = 5<sup>2</sup> x", "3^2 + 4^2 = 5^2 x"),
        ("(a + b)<sup>2</sup> x", "(a + b)^2 x"),
        ("sin<sup>2</sup> x", "sin^2 x"),
        ("e<sup>x<sup>2</sup></sup> x", "e^(x^2) x"),
        ("Ca<sup>2+</sup> x", "Ca^2+ x"),
        ("SO<sub>4</sub><sup>2−</sup> x", "SO4^2- x"),
        ("aged <sup>14</sup>C x", "aged ^14C x"),
        # Indices and suffixes.
        ("H<sub>2</sub>O x", "H2O x"),
        ("Ca(OH)<sub>2</sub> x", "Ca(OH)2 x"),
        ("V<sub>max</sub> x", "V_max x"),
        ("101<sub>2</sub> x", "101_2 x"),
        ("the 19<sup>th</sup> x", "the 19th x"),
        ("le XIX<sup>e</sup> x", "le XIXe x"),
        ("20<sup>o</sup>C x", "20°C x"),
        ("3<sup>1</sup>/<sub>2</sub> x", "3 1/2 x"),
        ("Acme<sup>TM</sup> x", "AcmeTM x"),
        # What is struck out, and what is not shown.
        ("<del>$100</del> <ins>$80</ins> x", "$80 x"),
        ("<s>$100</s> $80 x", "$80 x"),
        ("<strike>$100</strike> $80 x", "$80 x"),
        ("<span style='text-decoration: line-through red'>$100</span> $80 x", "$80 x"),
        ("<span style='color:red;text-decoration-line:line-through'>$100</span> $80 x", "$80 x"),
        ("<span style='display:none'>9.9</span> 3.4 x", "3.4 x"),
        ("<span style='DISPLAY : NONE !important'>9.9<b style='color:red'>9.9</b></span> 3.4 x", "3.4 x"),
        ("<span style='visibility:hidden'>9.9</span> 3.4 x", "3.4 x"),
        ("<span hidden>9.9</span> 3.4 x", "3.4 x"),
        ("<b aria-hidden='true'>9.9</b> 3.4 x", "3.4 x"),
        ("infor\u00admation x", "information x"),
        # Mathematics.
        ("<math><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></math> x", "E = mc^2 x"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac></math> x", "(a + b)/2 x"),
        ("<math><msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt></math> x", "√(x + 1) x"),
        ("<math><mroot><mi>x</mi><mn>3</mn></mroot></math> x", "3√(x) x"),
        ("<math><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup></math> x", "x_i^2 x"),
        (
            "<math><munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><msub><mi>x</mi><mi>i</mi></msub></math> x",
            "∑_i^n x_i x",
        ),
        ("<math><mi>sin</mi><mi>x</mi></math> x", "sin x x"),
        ("<math><msup><mn>10</mn><mrow><mo>−</mo><mn>3</mn></mrow></msup></math> x", "10^-3 x"),
        (
            "<math><semantics><mrow><mi>y</mi><mo>=</mo><mi>x</mi></mrow><annotation encoding='TeX'>y=x</annotation>"
            "</semantics></math> x",
            "y = x x",
        ),
        (
            "<span class='mwe-math-element'><span class='mwe-math-mathml-inline' style='display: none;'><math><mi>y</mi>"
            "</math></span><img class='mwe-math-fallback-image-inline' aria-hidden='true' alt='y'></span> x",
            "y x",
        ),
        (
            "<span class='katex'><span class='katex-mathml'><math><mi>y</mi></math></span>"
            "<span class='katex-html' aria-hidden='true'><span>y</span></span></span> x",
            "y x",
        ),
    ],
)
def test_text_says_what_the_page_shows(markup, plain):
    assert f"says, {plain}, and every" in text_of(markup)


def test_classes_that_the_page_hides_are_not_read_but_those_of_some_screens_are():
    head = "<style>.a, #b{color:red;display:none} @media print{.c{display:none}} .js .d{display:none}</style>"
    body = "<i class=a>first</i><i id=b>second</i><i class=c>third</i><i class=d>fourth</i>"
    text = text_of(body, head)
    assert "third" in text
    assert "fourth" in text
    assert "first" not in text
    assert "second" not in text


def test_formatted_words_stay_on_their_line():
    page = FRAME.format(head="", body="The <u>ticket</u> was <b>10</b><sup>2</sup> now $80 <ins>only</ins>.")
    assert "The ticket was 10^2 now $80 only." in read_html(page.encode(), None, None).text


def test_a_page_behind_an_open_dialog_is_read():
    page = FRAME.format(head="", body="The tide was 3.4 metres.").replace("<article>", "<article aria-hidden=true>")
    assert "3.4 metres" in read_html(page.encode(), None, None).text


UNITS = st.sampled_from(["m", "cm", "km", "s", "ft", "kg", "x", "n"])


@settings(deadline=None, max_examples=60)
@given(UNITS | st.just("× 10"), st.integers(-30, 30).filter(lambda n: n not in {0, 1}))
def test_every_exponent_in_a_page_survives(base, exponent):
    if abs(exponent) > 9 and base != "× 10":
        exponent = -abs(exponent)
    sign = "\u2212" if exponent < 0 else ""
    text = text_of(f"4 {base}<sup>{sign}{abs(exponent)}</sup> x")
    assert f"{base}^{exponent} x" in text


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["<sup>", "</sup>", "<sub>", "2", "a", "<math>", "<msup>", "<mi>", "</math>", "<del>",
                                 "<b style='display:none'>", "</b>", "<s hidden>", "</s>", "<p>", "[", " "]), max_size=30))  # fmt: skip
def test_any_nesting_is_read(parts):
    assert isinstance(read_html(FRAME.format(head="", body="".join(parts)).encode(), None, None).text, str)
