"""A task set's identity and its parts.

The guard: what gives a rubric away is excluded beside what was excluded already.
"""

import pytest

from fusion_tool.evals.tasks import Criterion, TaskSet, with_contamination_guard
from fusion_tool.testing import fake_config
from fusion_tool.tools.exclusions import blocked_by
from tests.unit.evals.tasks import RUBRIC, task


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


TASKS = TaskSet(
    name="mills",
    tasks=(task("a", exclude={"domains": ["mill.example"], "fragments": ["canary-7"]}), task("b")),
    exclude={"domains": ["rubrics.example"], "fragments": ["the/dataset"]},
)


def test_hosts_and_fragments_are_added_to_the_configurations_own():
    config = with_contamination_guard(
        fake_config(excluded_domains=["own.example"], blocked_fragments=["own words"]), TASKS
    )
    assert config.excluded_domains == ("own.example", "rubrics.example", "mill.example")
    assert config.blocked_fragments[:3] == ("own words", "the/dataset", "canary-7")


def test_a_page_with_the_rubrics_own_words_is_kept_out_and_an_innocent_one_is_not():
    config = with_contamination_guard(fake_config(), TASKS)
    owner = RUBRIC[1].requirement
    assert blocked_by(f"<li>{owner.upper()}</li>", config.blocked_fragments)
    assert not blocked_by("Leads with the answer. The Alder mill was built in 1861.", config.blocked_fragments)


def test_one_task_is_guarded_alone():
    config = with_contamination_guard(fake_config(), TASKS.only(["b"]))
    assert config.excluded_domains == ("rubrics.example",)
    assert "canary-7" not in config.blocked_fragments
