"""The page of a run: what stands on it, what is said of every loss, and that nothing outside gets in."""

import json
import re
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings

from fusion_tool.budget.usage import CostSource, StageName, Usage
from fusion_tool.errors import REASONS, ConfigError
from fusion_tool.graph.degradation import Degradation
from fusion_tool.graph.result import Occurrence, UncitedSentence
from fusion_tool.grounding.sources import Kind
from fusion_tool.grounding.support import Support
from fusion_tool.report.labels import KINDS, LOSSES, PRICES, STAGES, VERDICTS
from fusion_tool.report.labels import REASONS as TOLD
from fusion_tool.report.page import render_page as filled
from fusion_tool.report.run import FailedRun, to_html
from tests.unit import results
from tests.unit.report.samples import IDS, SEATS, response, seen, source, texts, three_seats, tree

EVIL = '"><script>alert(1)</script><img src=https://example.org/x onerror=alert(1)>\x1b[2J\ud800\u202e'


@pytest.mark.parametrize(
    ("told", "closed"),
    [
        (LOSSES, get_args(Degradation)),
        (TOLD, REASONS),
        (VERDICTS, get_args(Support)),
        (KINDS, get_args(Kind)),
        (STAGES, get_args(StageName)),
        (PRICES, get_args(CostSource)),
    ],
)
def test_everything_of_a_closed_set_has_its_words(told: dict[str, str], closed: tuple[str, ...]) -> None:
    assert set(told) == set(closed)


def test_a_run_of_three_seats_is_on_the_page() -> None:
    run = three_seats()
    page = tree(run, seen(run))
    assert texts(page, "h2") == ["Answer", "Who said what", "Sources", "Timeline", "Bill", "Plan", "Seats' answers"]
    assert texts(page, ".facts li") == [
        "complete",
        "3 of 3 seats answered",
        "2 agreed, 1 disputed",
        "$0.1004 + 1 call of unknown cost",
        "38.9 s",
    ]
    assert len(page.css(".picture")) == 2
    assert texts(page, ".matrix td > .sign") == ["a", "b", "a", "●", "●", "", "", "", "★"]
    assert [summary.split(" ")[0] for summary in texts(page, ".seat summary")] == list(SEATS)


def _lost(count: int) -> list[dict[str, Any]]:
    row = {"stage": "panelist", "model": "m", "reason": "timeout", "message": "", "status_code": None}
    return [row | {"seat": f"lost-{number}"} for number in range(count)]


@pytest.mark.parametrize(
    ("fields", "whole", "share"),
    [
        ({}, ("good", "complete"), ("good", "3 of 3 seats answered")),
        ({"degraded": ["judge_replaced"]}, ("doubt", "complete, with losses"), ("good", "3 of 3 seats answered")),
        (
            {"degraded": ["panel_reduced"], "failed_models": _lost(2)},
            ("doubt", "complete, with losses"),
            ("doubt", "3 of 5 seats answered"),
        ),
        (
            {"degraded": ["panel_reduced"], "failed_models": _lost(5)},
            ("doubt", "complete, with losses"),
            ("bad", "3 of 8 seats answered"),
        ),
        ({"status": "partial", "degraded": ["uncited"]}, ("bad", "partial"), ("good", "3 of 3 seats answered")),
        (  # a seat whose fallback answered is not lost
            {"failed_models": [_lost(1)[0] | {"seat": SEATS[0]}]},
            ("good", "complete"),
            ("good", "3 of 3 seats answered"),
        ),
        (
            {"plan": {"strategy": "cascade", "seats": [*SEATS, "spare"], "reason": "", "bash": "off"}},
            ("good", "complete"),
            ("good", "3 of 3 seats answered, 1 not asked"),
        ),
        ({"responses": []}, ("good", "complete"), ("bad", "0 of 0 seats answered, 3 not asked")),
    ],
)
def test_only_what_is_whole_is_green(fields: dict[str, Any], whole: tuple[str, str], share: tuple[str, str]) -> None:
    status, panel = tree(three_seats(**fields)).css(".facts li")[:2]
    assert [status.attributes["class"], status.text()] == [f"status {whole[0]}", whole[1]]
    assert (panel.attributes["class"], panel.text()) == share


def test_cited_sources_come_first_with_verdict_and_seats() -> None:
    cited, unused = texts(tree(three_seats()), "ul.sources")
    assert cited.index("[1] The land register ✓ supported") < cited.index("[3] notes.md ✗ check this")
    assert f"page, read; by {SEATS[0]}, {SEATS[1]}" in cited
    assert "Something else" in unused


def test_every_link_inside_the_page_leads_somewhere() -> None:
    page = tree(three_seats(degraded=["panel_reduced"]))
    targets = {node.attributes["id"] for node in page.css("[id]")}
    inside = {link.attributes["href"][1:] for link in page.css('a[href^="#"]')}
    assert inside <= targets
    assert len(page.css("[id]")) == len(targets)
    assert f"source-{IDS[0]}" in inside


def test_a_seats_own_citations_name_their_sources() -> None:
    assert texts(tree(three_seats()), ".seat .cite .tip")[0] == "The land register https://example.org/aaaa1111"


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [int(node.tag[1]) for node in tree(three_seats()).css("h1, h2, h3, h4, h5, h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))


def test_the_policy_lets_neither_script_nor_network_in() -> None:
    page = tree(three_seats())
    policy = page.css_first('meta[http-equiv="Content-Security-Policy"]').attributes["content"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; img-src data:; base-uri 'none'; form-action 'none'",
        policy,
    )
    assert page.css("script, iframe, object, embed, form, img, [style], link:not([rel=icon])") == []


@pytest.mark.parametrize("mark", get_args(Degradation))
def test_each_loss_is_said_in_plain_words(mark: Degradation) -> None:
    assert f"{LOSSES[mark]} ({mark})" in texts(tree(three_seats(degraded=[mark])), "#lost ~ ul li")


def test_a_failed_model_is_shown_with_its_reason() -> None:
    failed = {"seat": "kimi", "model": "m", "reason": "auth", "message": "No <key>", "status_code": 401}
    (row,) = texts(tree(three_seats(failed_models=[failed])), ".failures li")
    assert row == "kimi m : the key was not accepted (auth, 401) No <key>"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"answer": "", "citations": []}, "The answer cites no source."),
        ({"sources": [], "citations": []}, "No source was retrieved."),
        ({"analysis": None}, "Nothing was compared"),
        ({"analysis": None, "degraded": ["analysis_unavailable"]}, "disagreements are not listed"),
        ({"responses": []}, "No seat's answer is kept."),
        ({"usage": Usage.of([])}, "cost unknown"),
        ({"cached": True}, "From the cache: $0.0000."),
        ({"dropped": 3}, "Kept out by exclusions: 3."),
        ({"question": "why " * 25_000}, "The whole question"),
        ({"responses": [response("a"), response("a", wave=2)]}, ", wave 2"),
    ],
)
def test_what_is_missing_is_said(fields: dict[str, Any], said: str) -> None:
    assert said in tree(three_seats(**fields)).body.text()


def test_a_result_from_the_cache_shows_no_bill_and_no_time_of_its_own() -> None:
    page = tree(three_seats(cached=True, usage=Usage.of([])))
    assert "from the cache: $0.0000" in texts(page, ".facts li")
    assert page.css(".picture, #timeline") == []


def test_the_dict_of_a_result_gives_the_same_page() -> None:
    run = three_seats()
    assert to_html(json.loads(run.model_dump_json())) == to_html(run)


def _evil(**fields: Any) -> Any:
    contradiction = {"topic": EVIL, "stances": [{"model": EVIL, "stance": EVIL}]}
    analysis = {
        "consensus": [EVIL],
        "contradictions": [contradiction],
        "partial_coverage": [{"models": [EVIL], "point": EVIL}],
        "unique_insights": [{"model": EVIL, "insight": EVIL}],
        "blind_spots": [EVIL],
    }
    failed = {"seat": EVIL, "model": EVIL, "reason": "empty", "message": EVIL, "status_code": None}
    return three_seats(
        question=EVIL,
        answer=EVIL,
        sources=[source(IDS[0], f"javascript:{EVIL}", EVIL, by=(EVIL,))],
        analysis=analysis,
        responses=[response(EVIL, EVIL)],
        failed_models=[failed],
        plan={"strategy": "panel", "seats": [EVIL], "reason": EVIL, "bash": EVIL},
        **fields,
    )


@pytest.mark.parametrize("watched", [True, False])
def test_words_from_outside_stay_words(watched: bool) -> None:
    run = _evil()
    events = [{**one, "seat": EVIL} if "seat" in one else one for one in seen(run)] if watched else []
    html = to_html(run, events)
    html.encode()
    page = tree(run, events)
    assert page.css("script, img, [onerror], [href^=javascript]") == []
    assert not re.search("[\x00-\x08\x1b\u202a-\u202e\ud800-\udfff]", html)
    assert page.body.text().count("<script>alert(1)</script>") > 10


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(results.results)
def test_any_result_has_a_page(run: Any) -> None:
    page = tree(run)
    assert page.css("script, img") == []
    assert len(page.css("h1")) == 1


def test_a_megabyte_of_text_is_kept() -> None:
    page = tree(three_seats(answer="<b>word</b> " * 100_000))
    assert len(page.css_first("#answer ~ article .plain").text()) == 1_200_000


@pytest.mark.parametrize("usage", [None, three_seats().usage.model_dump()])
def test_a_failed_run_shows_its_reasons_and_its_bill(usage: Any) -> None:
    failed = {"seat": "a", "model": "m", "reason": "timeout", "message": EVIL, "status_code": None}
    run = {"status": "failed", "error": EVIL, "failed_models": [failed], **({"usage": usage} if usage else {})}
    events = seen(three_seats())[:-5]
    page = tree(run, events)
    assert texts(page, "h2") == ["Why", "Timeline", *(["Bill"] if usage else [])]
    assert page.css("script, img") == []
    assert "Alder mill" in page.css_first("h1").text()
    assert to_html(FailedRun.model_validate(run), events) == to_html(run, events)


def test_another_package_may_extend_the_page(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "elsewhere_with_pages"
    (home / "templates").mkdir(parents=True)
    (home / "__init__.py").touch()
    (home / "templates" / "own.html").write_text('{% extends "base.html" %}{% block main %}{{ told }}{% endblock %}')
    monkeypatch.syspath_prepend(tmp_path)
    html = filled("own.html", package="elsewhere_with_pages", told="<i>")
    assert "&lt;i&gt;" in html
    assert "Content-Security-Policy" in html


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fusion_tool.config.installation.find_spec", lambda name: None if name == "leather" else object()
    )
    with pytest.raises(ConfigError, match=r"leather not installed: pip install 'fusion-tool\[report\]'"):
        to_html(three_seats())


def test_sentence_verdict_and_passage_stand_together_for_each_place() -> None:
    places = [
        Occurrence(start=5, end=8, sentence="True [1].", support="supported", passage="It is true."),
        Occurrence(start=16, end=19, sentence="False [1].", support="mismatch", passage="It is true."),
    ]
    cited = results.citation(1).model_copy(update={"occurrences": places, "source_id": IDS[0], "support": "mismatch"})
    lost = UncitedSentence(sentence="Lost.", start=21, end=26, source_id=IDS[1], support="weak", invented=True)
    page = tree(three_seats(answer="True [1]. False [1]. Lost.", citations=[cited], uncited=[lost], invented=1))
    assert texts(page, "#source-aaaa1111 .places li") == [
        "✓ supported True [1]. the source: It is true.",
        "✗ check this False [1]. the source: It is true.",
    ]
    assert texts(page, "article.prose p")[0].startswith("True [1]")
    assert [link.attributes["class"] for link in page.css("article.prose .cite > a")[:3]] == [
        "supported",
        "mismatch",
        "mismatch",
    ]
    assert "Lost. [no source]" in texts(page, "article.prose p")[0]
    assert "1 citation of sources that were never retrieved was removed" in page.body.text()
    assert texts(page, "details .places li")[0].startswith("Lost. nearest: ")


def test_a_mark_that_the_page_takes_for_code_stays_as_it_was() -> None:
    place = Occurrence(start=9, end=12, sentence="so [1]", support="weak", passage="")
    cited = results.citation(1).model_copy(update={"occurrences": [place]})
    page = tree(three_seats(answer="    so   [1] more", citations=[cited]))
    assert "[1]" in page.css_first("article.prose").text()
    assert "\ue000" not in page.html
