"""`strategy = "auto"` through the graph: what the router chose is what is asked, and the plan says why."""

import pytest

from fusion_tool import ConfigError, Limits, afuse, build_graph
from fusion_tool.testing import fake_config
from tests.integration.panel import JUDGE, WRITER, panel, verdict
from tests.scripted_server import faults

CODING = "Fix this Python function: it raises IndexError on an empty list.\n\ndef first(xs):\n    return xs[0]\n"
VAGUE = "Thoughts?"
PRIVATE = "Which bank is DE89 3704 0044 0532 0130 00 with, and is it safe?"
OPUS, GLM = "anthropic/claude-opus-4.6", "z-ai/glm-5"
SEATS = ("test/one", "test/two")


@pytest.fixture
def open_router(provider):
    provider.reply(JUDGE, verdict())
    provider.otherwise("An answer.")
    return provider


def routed(**overrides):
    return panel(*SEATS, strategy="auto", **overrides)


@pytest.mark.loopback
@pytest.mark.parametrize(("quality", "model"), [(0.95, GLM), (0.97, OPUS)])
async def test_a_question_that_it_is_sure_of_goes_to_the_cheapest_that_is_good_enough(open_router, quality, model):
    result = await afuse(CODING, routed(quality=quality))
    assert (result.plan.strategy, [one.model for one in result.responses]) == ("solo", [f"openrouter:{model}"])
    assert "coding" in result.plan.reason
    assert open_router.counts == {model: 1}


@pytest.mark.loopback
async def test_where_it_is_not_sure_the_whole_panel_is_asked(open_router):
    result = await afuse(VAGUE, routed())
    assert result.plan.strategy == "panel"
    assert "not sure" in result.plan.reason
    assert set(open_router.counts) == {*SEATS, JUDGE, WRITER}


@pytest.mark.loopback
async def test_the_chosen_models_fallbacks_stand_behind_it(open_router):
    open_router.reply(GLM, faults.withdrawn(GLM))
    result = await afuse(CODING, routed())
    assert result.status == "ok"
    assert [one.model for one in result.failed_models] == [f"openrouter:{GLM}"]


@pytest.mark.loopback
async def test_a_ban_binds_the_router(open_router):
    result = await afuse(CODING, routed(quality=0.97, deny=("anthropic/*",)))
    assert result.status == "ok"
    assert not any(name.startswith("anthropic/") for name in open_router.counts)


@pytest.mark.loopback
async def test_what_no_model_meets_is_refused_by_name_before_any_call(open_router):
    with pytest.raises(ConfigError) as caught:
        await afuse(CODING, routed(limits=Limits(usd=1e-6)))
    assert caught.value.field == "limits.usd"
    assert not open_router.requests


@pytest.mark.loopback
async def test_the_callers_classifier_is_believed(open_router):
    async def classify(question):
        assert question == VAGUE
        return {"domain": "coding"}

    state = await build_graph(routed(), classifier=classify).ainvoke({"question": VAGUE})
    assert state["result"]["plan"]["strategy"] == "solo"
    assert open_router.counts == {GLM: 1}


@pytest.mark.parametrize("place", ["question", "context", "instructions", "configured"])
async def test_a_private_question_stays_here_and_is_not_shown_to_the_classifier(place):
    async def classify(question):
        raise AssertionError(question)

    standing = PRIVATE if place == "configured" else ""
    config = fake_config("ONE", "TWO", strategy="auto", search={"providers": ["duckduckgo"]}, instructions=standing)
    asked = {"question": VAGUE} | ({} if standing else {place: PRIVATE})
    state = await build_graph(config, classifier=classify).ainvoke(asked)
    assert "holds what is private" in state["result"]["plan"]["reason"]
    assert "no web tools" in state["result"]["plan"]["reason"]


@pytest.mark.loopback
async def test_a_private_question_without_a_local_model_is_refused(open_router):
    with pytest.raises(ConfigError, match="preset 'local'"):
        await afuse(PRIVATE, routed())
    assert not open_router.requests


@pytest.mark.loopback
@pytest.mark.usefixtures("open_router")
async def test_a_kept_run_resumes_with_what_was_decided(tmp_path):
    first = await afuse(CODING, routed(), keep=tmp_path / "runs.sqlite")
    again = await afuse(keep=tmp_path / "runs.sqlite", resume=first.run_id)
    assert again == first
