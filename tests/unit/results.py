"""Any result that a run may return."""

from hypothesis import strategies as st

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.graph.degradation import PARTIAL
from fusion_tool.graph.result import Analysis, Citation, Contradiction, FusionResult, PlanResult, Timing


def result(**fields) -> FusionResult:
    """A result with little in it but `fields`."""
    usual = {
        "status": "ok",
        "answer": "The mill was built in 1861 [1].",
        "citations": [citation(1)],
        "sources": [],
        "analysis": None,
        "responses": [],
        "failed_models": [],
        "degraded": [],
        "plan": PlanResult(strategy="panel", seats=["a", "b"], reason="r", bash="off"),
        "usage": Usage.of([]),
        "timing": Timing(total_seconds=1.25, panel_seconds=None, judge_seconds=None, synthesis_seconds=None),
        "run_id": "run-1",
        "question": "When?",
        "created_at": "2026-01-01T00:00:00+00:00",
        "version": "0",
    }
    return FusionResult.model_validate(usual | fields)


def citation(number, *, url="https://example.org/mill", title="The mill", support="supported") -> Citation:
    return Citation(number=number, source_id="deadbeef", url=url, title=title, support=support)


def analysis(*, agreed=0, topics=()) -> Analysis:
    return Analysis(
        consensus=["x"] * agreed,
        contradictions=[Contradiction(topic=topic, stances=[]) for topic in topics],
        partial_coverage=[],
        unique_insights=[],
        blind_spots=[],
    )


def bill(*costs) -> Usage:
    return Usage.of(Call(stage="judge", seat=None, model="x:m", cost_usd=cost) for cost in costs)


marks = st.sampled_from(
    ["panel_reduced", "straggler_cut", *sorted(PARTIAL), "answers_packed"],
)
texts = st.text(max_size=40) | st.integers(0, 4000).map(lambda length: "word " * length)
results = st.builds(
    result,
    answer=texts,
    citations=st.lists(
        st.builds(
            citation,
            st.integers(1, 99),
            url=st.integers(0, 2000).map(lambda n: f"https://example.org/{'a' * n}"),
            title=st.text(max_size=300),
            support=st.sampled_from(["supported", "weak", "mismatch"]),
        ),
        max_size=12,
    ),
    analysis=st.none() | st.builds(analysis, agreed=st.integers(0, 40), topics=st.lists(texts, max_size=9)),
    degraded=st.lists(marks, unique=True),
    usage=st.lists(st.none() | st.floats(0, 1000), max_size=12).map(lambda costs: bill(*costs)),
)
