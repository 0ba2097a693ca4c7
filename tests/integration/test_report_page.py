"""The page in a real browser: silent, alone, readable on a phone, light and dark. Needs a Chromium on this machine."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdfium2 import PdfDocument

from fusion_tool.evals.report.html import to_html as summary_to_html
from fusion_tool.evals.summary import summarize
from fusion_tool.report.run import to_html
from tests import chromium
from tests.unit.evals.folders import answer, panel, references, solo
from tests.unit.evals.folders import folder as evaluation_folder
from tests.unit.report.samples import HEBREW, LAST, LONG_URL, SEATS, eight_seats, response, seen, three_seats

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the browser is spoken to over Unix pipes"),
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on this machine"),
]

_LONG = "w" * 3_000
_RUNS = {
    "three seats": three_seats(),
    "long words": three_seats(
        question=_LONG,
        answer=f"{_LONG} [1]\n\n```\n{_LONG}\n```\n\n| {' | '.join(SEATS * 5)} |\n|{'---|' * 15}\n",
        responses=[response(f"seat-with-a-long-name-{number}", _LONG) for number in range(8)],
        failed_models=[{"seat": _LONG, "model": _LONG, "reason": "empty", "message": _LONG, "status_code": None}],
        plan={"strategy": "panel", "seats": [_LONG], "reason": _LONG, "bash": "off"},
    ),
    "hostile": three_seats(
        answer="<script>alert(1)</script><img src='https://example.org/x'>![x](https://example.org/y)"
    ),
    "a megabyte": three_seats(answer="<b>word</b> " * 90_000),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _written(folder: Path, name: str = "three seats") -> Path:
    run, path = _RUNS[name], folder / "run.html"
    path.write_text(to_html(run, seen(run)), "utf-8")
    return path


@pytest.mark.parametrize("name", _RUNS)
@pytest.mark.parametrize("width", [390, 1000])
def test_a_page_is_silent_alone_and_no_wider_than_its_window(
    browser: chromium.Browser, tmp_path: Path, name: str, width: int
) -> None:
    path = _written(tmp_path, name)
    browser.open(path, width)
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()]


@pytest.mark.parametrize(("width", "shown"), [(390, "narrow"), (1000, "wide")])
def test_the_pictures_fit_the_window_in_letters_that_can_be_read(
    browser: chromium.Browser, tmp_path: Path, width: int, shown: str
) -> None:
    browser.open(_written(tmp_path), width)
    drawn = "[...document.querySelectorAll('.picture svg')].filter(one => one.getBoundingClientRect().width)"
    assert browser.value(f"{drawn}.map(one => one.getAttribute('class'))") == [shown, shown]
    heights = browser.value(
        f"{drawn}.flatMap(o => [...o.querySelectorAll('.label')]).map(t => t.getBoundingClientRect().height)"
    )
    assert min(heights) > 10


@pytest.mark.parametrize("width", [390, 1000])
def test_a_focused_citation_shows_its_source_inside_the_window(
    browser: chromium.Browser, tmp_path: Path, width: int
) -> None:
    browser.open(_written(tmp_path), width, 600)
    tips = "[...document.querySelectorAll('.tip')].filter(one => one.getBoundingClientRect().width)"
    assert browser.value(f"{tips}.length") == 0
    for place in range(3):
        browser.value(f"document.querySelectorAll('.cite > a')[{place}].focus()")
        assert browser.value(f"{tips}.map(one => one.querySelector('strong').textContent)") == [f"Source {place + 1}"]
        left, right = browser.value(f"{tips}.map(o => o.getBoundingClientRect()).map(r => [r.left, r.right])[0]")
        assert 0 <= left < right <= width


_UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
_CUT = Path(__file__).with_name("cut.js").read_text("utf-8")
_AXE = Path(__file__).parents[1] / "clients" / "node_modules" / "axe-core" / "axe.min.js"
_NAMES = ("eight seats", "failed", "evaluation")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of each kind, with what is hard to set."""
    folder, run = tmp_path_factory.mktemp("pages"), eight_seats()
    failed = [row.model_dump() for row in run.failed_models]
    made = {
        "eight seats": to_html(run, seen(run)),
        "failed": to_html({"status": "failed", "error": LONG_URL, "question": HEBREW, "failed_models": failed}),
        "evaluation": evaluation_page(folder / "results"),
    }
    assert set(made) == set(_NAMES)
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, "utf-8")
    return {name: folder / f"{name}.html" for name in made}


def evaluation_page(folder: Path) -> str:
    arms = [solo("one " * 12), panel(HEBREW), panel("p" * 60, *(f"openrouter:v/{'m' * 30}{n}" for n in range(4)))]
    results = evaluation_folder(folder, references(8, domain="d" * 60), *arms)
    for place, arm in enumerate(arms):
        for n in range(8):
            answer(results, arm.name, f"t{n}", str(n + n % (place + 1)), cost_usd=0.1 * (place + 1), seconds=1.0)
    return summary_to_html(summarize(results))


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_cut_in_a_window(browser: chromium.Browser, pages: dict[str, Path], name: str, width: int) -> None:
    browser.open(pages[name], width)
    browser.value(_UNFOLD)
    assert browser.value("document.documentElement.scrollWidth") == width
    # On a phone a table may scroll by itself; nothing else may, and on a desk nothing at all.
    assert browser.run(_CUT.replace("PHONE", "true" if width < 500 else "false")) == []


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.skipif(not _AXE.exists(), reason="no axe-core: npm ci in tests/clients")
def test_axe_finds_nothing(
    browser: chromium.Browser, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    browser.open(pages[name], width, scheme=scheme)
    browser.value(_UNFOLD)
    browser.do("Runtime.evaluate", expression=_AXE.read_text("utf-8"))
    found = browser.run(
        "axe.run().then(all => [all.passes.length, all.violations.map(v => [v.impact, v.id, v.nodes[0].html])])"
    )
    assert found[0] > 10
    assert found[1] == []


@pytest.mark.parametrize("inches", [(8.27, 11.69), (8.5, 11)], ids=["A4", "Letter"])
@pytest.mark.parametrize("name", _NAMES)
def test_everything_is_on_paper_and_inside_it(
    browser: chromium.Browser, pages: dict[str, Path], name: str, inches: tuple[float, float]
) -> None:
    browser.open(pages[name], 1280)
    everything = browser.value("document.body.textContent")
    printed = PdfDocument(browser.print(inches))
    words, outside = "", 0
    for page in printed:
        text, (width, height) = page.get_textpage(), page.get_size()
        words += text.get_text_range()
        boxes = [text.get_charbox(place) for place in range(text.count_chars())]
        outside += sum(left < 0 or bottom < 0 or right > width or top > height for left, bottom, right, top in boxes)
    assert outside == 0
    dense = "".join(words.split())
    ends = [*LAST, "LASTOFTHEANALYSIS", "LASTOFTHECODE", "LASTOFTHEADDRESS", "R2C13"]
    assert {end: dense.count(end) for end in ends} == {end: everything.count(end) for end in ends}
    assert name != "eight seats" or all(end in dense for end in ends)


def test_each_paragraph_has_the_direction_of_its_own_words(browser: chromium.Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["eight seats"], 1280)
    browser.value(_UNFOLD)
    direction = "one => [one.tagName, getComputedStyle(one).direction]"
    blocks = (
        "[...document.querySelectorAll('details.seat')[1].querySelectorAll('.prose > :not(.scroll), .prose table')]"
    )
    assert browser.value(f"{blocks}.map({direction})") == [
        ["P", "rtl"], ["P", "ltr"], ["UL", "rtl"], ["BLOCKQUOTE", "rtl"], ["TABLE", "rtl"], ["P", "ltr"],
    ]  # fmt: skip
    # The second item is English in a Hebrew list: it begins at its own side, its mark stays at the list's.
    sides = """[...document.querySelectorAll('details.seat')[1].querySelectorAll('li')].map(one => {
        const range = document.createRange();
        range.selectNodeContents(one);
        const words = range.getBoundingClientRect(), all = one.getBoundingClientRect();
        return words.left - all.left < all.right - words.right ? 'left' : 'right';
    })"""
    assert browser.value(sides) == ["right", "left"]


_CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_from_its_ground(browser: chromium.Browser, tmp_path: Path, scheme: str) -> None:
    browser.open(_written(tmp_path), scheme=scheme)
    ground = browser.value("getComputedStyle(document.documentElement).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")
    assert browser.value(_CONTRAST) == []


def test_the_page_of_three_seats_is_small_and_quickly_made() -> None:
    run = three_seats()
    events = seen(run)
    to_html(run, events)
    started = time.perf_counter()
    html = to_html(run, events)
    assert time.perf_counter() - started < 1
    assert len(html.encode()) < 300_000
