"""The page in a real browser: silent, alone, readable on a phone, light and dark. Needs a Chromium on this machine."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_tool.report.run import to_html
from tests import chromium
from tests.unit.report.samples import SEATS, response, seen, three_seats

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
