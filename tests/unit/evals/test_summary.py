"""What a folder's rows come to: scores, the bill, what is kept of the seats, and what a reader must know."""

import pytest

from fusion_tool.evals.costs import eval_bill
from fusion_tool.evals.report.charts import Dot, frontier
from fusion_tool.evals.report.tables import to_markdown
from fusion_tool.evals.rows import AnswerRow, PanelRow
from fusion_tool.evals.summary import summarize
from fusion_tool.graph.result import FusionResult
from tests.unit.evals.folders import CALL, JUDGE, answer, folder, panel, references, result, solo, verdicts
from tests.unit.evals.tasks import task


def test_references_are_scored_without_a_judge(tmp_path):
    results = folder(tmp_path, references(3), solo())
    for n, said in enumerate(("0", "5", "2")):
        answer(results, "solo", f"t{n}", f"The answer: {said}.", cost_usd=0.5, seconds=2.0)
    (arm,) = summarize(results).arms
    assert {name: score.score for name, score in arm.scores.items()} == {"t0": 1.0, "t1": 0.0, "t2": 1.0}
    assert (arm.cost_usd, arm.seconds, arm.coverage) == (0.5, 2.0, None)


def test_one_answer_of_unknown_cost_makes_the_mean_unknown(tmp_path):
    results = folder(tmp_path, references(2), solo())
    answer(results, "solo", "t0", "0", cost_usd=0.5)
    answer(results, "solo", "t1", "1", cost_usd=0.5, unpriced_calls=1)
    assert summarize(results).arms[0].cost_usd is None


def test_only_the_present_judges_verdicts_on_the_present_answer_count(tmp_path):
    results = folder(tmp_path, (task(),), solo())
    results.update_manifest(judge=JUDGE)
    verdicts(results, "mill", "An old answer.", year=True, owner=True, clear=True, myth=False)
    answer(results, "solo", "mill", "A new answer.")
    assert summarize(results).arms[0].score.score is None
    verdicts(results, "mill", "A new answer.", year=True, owner=False, clear=True, myth=False)
    assert summarize(results).arms[0].score.score.value == 0.75
    results.update_manifest(judge={"model": "openrouter:other/judge"})
    assert summarize(results).arms[0].score.score is None


def test_failures_and_refusals_are_told_apart(tmp_path):
    results = folder(tmp_path, references(4), solo())
    answer(results, "solo", "t0", "0")
    results.add_answer(AnswerRow.of_failure("solo", "t1", "timeout", "late"))
    results.add_answer(AnswerRow.of_failure("solo", "t2", "refused", "no"))
    answer(results, "solo", "t3", "I'm sorry, but I can't help with that.")
    summary = summarize(results)
    score = summary.arms[0].score
    assert (score.tasks, score.scored, score.refused) == (4, 1, 2)
    assert score.score_refusals_zero.value == pytest.approx(1 / 3)
    assert "solo: no answer from 1 of 4 runs (1 timeout)" in summary.warnings
    assert "solo: refused 2 of 4 tasks, which its score leaves out" in summary.warnings


def test_a_panel_that_arms_share_is_paid_once_and_counts_in_each_ones_cost(tmp_path):
    results = folder(tmp_path, references(1), panel("one"), panel("two", synthesizer="openrouter:v/c"))
    assert results.add_panel(PanelRow(panel="key", run_id="r", calls=(CALL,)))
    assert not results.add_panel(PanelRow(panel="key", run_id="r", calls=(CALL,)))
    own = CALL.model_copy(update={"stage": "synthesizer"})
    for arm in ("one", "two"):
        answer(results, arm, "t0", "0", calls=(CALL, own), panel="key", cost_usd=0.02)
    bill = eval_bill(results)
    assert (bill.panels.cost_usd, bill.answers.cost_usd) == (0.01, 0.02)
    assert bill.total.cost_usd == pytest.approx(0.03)
    assert [arm.cost_usd for arm in summarize(results).arms] == [0.02, 0.02]


def test_a_failed_try_stays_on_the_bill(tmp_path):
    results = folder(tmp_path, references(1), panel())
    results.add_answer(AnswerRow.of_failure("panel", "t0", "upstream_error", "broken", (CALL,)))
    answer(results, "panel", "t0", "0", calls=(CALL,), cost_usd=0.01)
    assert eval_bill(results).total.cost_usd == 0.02
    assert summarize(results).arms[0].failed == {}


def test_retention_counts_merits_by_how_many_seats_met_them(tmp_path):
    results = folder(tmp_path, (task(),), panel())
    results.update_manifest(judge=JUDGE)
    row = AnswerRow.of_result("panel", "mill", result("Fused.", "One.", "Two."), None)
    results.add_answer(row)
    verdicts(results, "mill", "Fused.", year=True, owner=False, clear=True, myth=False)
    assert summarize(results).arms[0].metrics["retention"] is None
    verdicts(results, "mill", "One.", year=True, owner=True, clear=False, myth=True)
    verdicts(results, "mill", "Two.", year=True, owner=False, clear=False, myth=False)
    retention = summarize(results).arms[0].metrics["retention"]
    assert [(kept.seats, kept.criteria, kept.met) for kept in retention.rows] == [(0, 1, 1), (1, 1, 0), (2, 1, 1)]


def test_what_is_graded_lists_the_sources():
    source = {"id": "1a2b3c4d", "url": "https://a.example/x", "title": "X", "kind": "page", "retrieved_by": ["s0"]}
    cited = {"number": 1, "source_id": "1a2b3c4d", "url": "https://a.example/x", "title": "X", "support": "supported"}
    made = result("So it is [1].", "So it is [1a2b3c4d].", "No source.", citations=[cited], sources=[source])
    row = AnswerRow.of_result("panel", "t", made, None)
    assert row.text == "So it is [1].\n\nSources\n[1] X - https://a.example/x"
    assert row.seat_texts() == {"s0": row.text, "s1": "No source."}


def test_the_guards_hits_are_told(tmp_path):
    results = folder(tmp_path, references(1), panel())
    results.add_answer(AnswerRow.of_result("panel", "t0", result("0", "0", "0", dropped=3), None))
    assert "panel: the contamination guard kept out 3 pages or results" in summarize(results).warnings


def test_a_row_of_another_version_is_as_if_it_were_not_there(tmp_path):
    results = folder(tmp_path, references(1), solo())
    answer(results, "solo", "t0", "0")
    with (tmp_path / "answers.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"arm": "solo", "task": "t0", "of_a_later_version": 1}\n')
    assert len(folder(tmp_path, references(1), solo()).paid) == 1


def test_nothing_of_an_arm_or_a_task_is_read_as_markdown(tmp_path):
    hostile = "<img src=x onerror=alert(1)> | *a* [b](javascript:c)"
    results = folder(tmp_path, references(2, domain=hostile), solo(hostile))
    answer(results, hostile, "t0", "0")
    text = to_markdown(summarize(results))
    assert "<img" not in text.replace("\\<", "")
    assert "](java" not in text.replace("\\]", "")


def test_the_frontier_is_what_no_other_arm_beats():
    dots = [Dot("cheap", 1, 50), Dot("dear", 5, 70), Dot("beaten", 5, 60), Dot("worse", 6, 70), Dot("twin", 1, 50)]
    assert frontier(dots) == {"cheap", "dear", "twin"}


def test_nothing_of_an_arm_or_a_task_is_html_on_the_page(tmp_path):
    pytest.importorskip("leather", reason="the page's pictures need the extra")
    from fusion_tool.evals.report.html import to_html

    hostile = "<img src=x onerror=alert(1)>"
    results = folder(tmp_path, references(8, domain=hostile), solo(hostile), solo("plain"))
    results.update_manifest(tasks=hostile)
    for n in range(8):
        answer(results, hostile, f"t{n}", str(n), cost_usd=0.1, seconds=1.0)
        answer(results, "plain", f"t{n}", str(n + n % 2), cost_usd=0.2, seconds=2.0)
    page = to_html(summarize(results))
    assert "<img" not in page
    assert page.count("&lt;img") > 5


def _with(made, fields):
    return FusionResult.model_validate({**made.model_dump(), **fields})


def test_tools_that_failed_are_told(tmp_path):
    def fails(tool, reason, count):
        return {"tool": tool, "reason": reason, "count": count, "seats": ["s0"]}

    results = folder(tmp_path, references(2), panel())
    broken = [
        fails("search:tavily", "refused", 3),
        fails("web_search", "refused", 3),
        fails("fetch_page", "blocked", 1),
    ]
    lost = {"tool_failures": broken, "degraded": ["search_unavailable"], "status": "partial"}
    made = _with(result("0", "0", "0"), lost)
    results.add_answer(AnswerRow.of_result("panel", "t0", made, None))
    quiet = _with(result("0", "0", "0"), {"tool_failures": [fails("search:tavily", "timeout", 1)]})
    results.add_answer(AnswerRow.of_result("panel", "t1", quiet, None))
    summary = summarize(results)
    assert (summary.arms[0].unsearched, dict(summary.arms[0].tool_failures)) == (1, {"web_search": 3, "fetch_page": 1})
    assert "panel: in 1 of 2 runs no search could be made" in summary.warnings
    assert "panel: tools that failed, by calls: web_search 3, fetch_page 1" in summary.warnings
