"""The hygiene of an arm: its answers together."""

import pytest

from fusion_tool.evals.answer_checks import check_answer
from fusion_tool.evals.metrics.hygiene import arm_hygiene


def test_an_arm_is_the_sum_of_its_answers():
    rows = [
        check_answer("Built in 1861 [1].", support=["supported"]),
        check_answer(""),
        check_answer("No [2].", support=["weak"]),
    ]
    arm = arm_hygiene(rows)
    assert (arm.answers, arm.empty, arm.truncated) == (3, 1, 0)
    assert arm.citations_per_1000_words == pytest.approx(2 / 6 * 1000)
    assert arm.supported == 0.5


def test_an_arm_without_answers_claims_nothing():
    arm = arm_hygiene([])
    assert (arm.citations_per_1000_words, arm.supported) == (None, None)
