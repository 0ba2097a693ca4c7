"""The summary for a calling agent: within its bound, and honest about what it leaves out."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.api.summary import summarize
from fusion_tool.graph.degradation import PARTIAL
from tests.unit.results import analysis, bill, citation, result, results

WORST = result(
    answer="word " * 5000,
    analysis=analysis(agreed=10, topics=["a disputed topic with a long name"] * 9),
    degraded=["panel_reduced", "straggler_cut", "answers_packed", *sorted(PARTIAL)],
    usage=bill(0.5, None),
)


@given(results, st.integers(100, 3000))
@example(WORST, 100)
def test_it_stays_within_its_bound(any_result, tokens):
    assert len(summarize(any_result, tokens)) <= 4 * tokens


def test_a_short_answer_is_whole():
    told = summarize(result(analysis=analysis(agreed=2, topics=["price", "date"]), usage=bill(0.01, 0.02)), 1500)
    assert told == (
        "The mill was built in 1861 [1].\n\nSources\n[1] The mill - https://example.org/mill\n\n"
        "(id run-1; Panel: 0 of 2 answered, agreement on 2 points, disputed: price; date, $0.0300, 1.2 s)"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "cost unknown"),
        ({"usage": bill(None, None)}, "cost unknown"),
        ({"usage": bill(0.5, None, None)}, "$0.5000 and 2 unpriced calls"),
        ({"usage": bill(0.0)}, "$0.0000"),
        ({"analysis": analysis(agreed=3)}, "agreement on 3 points, nothing disputed"),
        ({"invented": 2}, "citations of sources never retrieved, removed: 2"),
        ({"degraded": ["panel_reduced", "straggler_cut"]}, "degraded: panel_reduced, straggler_cut"),
    ],
)
def test_the_closing_line_says_how_it_came_about(fields, said):
    assert said in summarize(result(**fields), 1500).splitlines()[-1]


@given(results, st.integers(100, 3000))
def test_the_id_to_ask_on_from_is_never_cut(any_result, tokens):
    whole = any_result.model_copy(update={"run_id": "0123456789abcdef0123456789abcdef"})
    assert f"(id {whole.run_id}; " in summarize(whole, tokens)


def test_where_nothing_was_compared_no_agreement_is_claimed():
    closing = summarize(result(), 1500).splitlines()[-1]
    assert "agreement" not in closing
    assert "disputed" not in closing


@pytest.mark.parametrize(("support", "label"), [("weak", "weak"), ("mismatch", "check this")])
def test_doubt_stands_beside_its_source(support, label):
    told = summarize(result(citations=[citation(1), citation(2, support=support)]), 1500)
    assert f"[2] The mill - https://example.org/mill ({label})" in told
    assert "[1] The mill - https://example.org/mill\n" in told


def test_a_source_of_an_earlier_run_is_told_as_one():
    told = summarize(result(citations=[citation(1).model_copy(update={"from_run": "run-0"})]), 1500)
    assert "[1] The mill - https://example.org/mill (read in an earlier run)" in told


def test_a_long_answer_is_cut_and_says_so():
    told = summarize(result(answer="word " * 5000), 500)
    assert "[cut to fit; the whole answer is in the artifact]\n\nSources\n[1]" in told
    assert told.startswith("word word")
    assert len(told) > 1900


def test_sources_give_way_from_the_end():
    many = [citation(n, title=f"Title {n}") for n in range(1, 60)]
    told = summarize(result(citations=many), 200)
    assert "[1] Title 1 -" in told
    assert "[59]" not in told
    assert told.startswith("The mill was built in 1861 [1].\n")
