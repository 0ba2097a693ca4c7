"""The guard: what gives a rubric away is excluded beside what was excluded already."""

from fusion_tool.evals.contamination import guarded
from fusion_tool.evals.tasks import TaskSet
from fusion_tool.testing import fake_config
from fusion_tool.web.exclusion import blocked_by
from tests.unit.evals.tasks import RUBRIC, task

TASKS = TaskSet(
    name="mills",
    tasks=(task("a", exclude={"domains": ["mill.example"], "fragments": ["canary-7"]}), task("b")),
    exclude={"domains": ["rubrics.example"], "fragments": ["the/dataset"]},
)


def test_hosts_and_fragments_are_added_to_the_configurations_own():
    config = guarded(fake_config(excluded_domains=["own.example"], blocked_fragments=["own words"]), TASKS)
    assert config.excluded_domains == ("own.example", "rubrics.example", "mill.example")
    assert config.blocked_fragments[:3] == ("own words", "the/dataset", "canary-7")


def test_a_page_with_the_rubrics_own_words_is_kept_out_and_an_innocent_one_is_not():
    config = guarded(fake_config(), TASKS)
    owner = RUBRIC[1].requirement
    assert blocked_by(f"<li>{owner.upper()}</li>", config.blocked_fragments)
    assert not blocked_by("Leads with the answer. The Alder mill was built in 1861.", config.blocked_fragments)


def test_one_task_is_guarded_alone():
    config = guarded(fake_config(), TASKS.only(["b"]))
    assert config.excluded_domains == ("rubrics.example",)
    assert "canary-7" not in config.blocked_fragments
