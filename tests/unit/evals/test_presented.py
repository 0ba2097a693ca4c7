"""What a judge reads of a run."""

from fusion_tool.evals.presented import presented
from tests.unit.results import citation, result


def test_a_judge_reads_answer_and_sources_and_nothing_of_the_arm():
    read = presented(
        result(citations=[citation(1, support="mismatch"), citation(2, title="B", url="https://b.example")])
    )
    assert read == (
        "The mill was built in 1861 [1].\n\nSources\n[1] The mill - https://example.org/mill\n[2] B - https://b.example"
    )


def test_an_answer_without_sources_stands_alone():
    assert presented(result(citations=[])) == "The mill was built in 1861 [1]."
