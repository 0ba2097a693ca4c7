"""A task set's identity and its parts."""

import pytest

from fusion_tool.evals.tasks import Criterion, TaskSet
from tests.unit.evals.tasks import task


def test_a_fingerprint_tells_what_decides_scores_and_nothing_else():
    two = TaskSet(name="n", tasks=(task("a"), task("b")))
    assert two.fingerprint == TaskSet(name="other", tasks=(task("b"), task("a"))).fingerprint
    assert two.fingerprint == TaskSet(name="n", tasks=(task("a", exclude={"domains": ["x"]}), task("b"))).fingerprint
    heavier = (Criterion(id="year", requirement="States that the mill was built in 1861.", weight=11),)
    assert two.fingerprint != TaskSet(name="n", tasks=(task("a"), task("b", rubric=heavier))).fingerprint
    assert two.fingerprint != two.only(["a"]).fingerprint


def test_a_part_keeps_the_sets_order_and_exclusions():
    three = TaskSet(name="n", tasks=(task("a"), task("b"), task("c")), exclude={"domains": ["x.example"]})
    part = three.only(["c", "a"])
    assert [one.id for one in part.tasks] == ["a", "c"]
    assert part.exclude.domains == ("x.example",)
    with pytest.raises(KeyError, match="d"):
        three.only(["a", "d"])
