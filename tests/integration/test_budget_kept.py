"""Whatever models cost and however long they answer, the bill of a whole run stays within its limits."""

import asyncio
import random
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.tools import tool
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from fusion_tool import BudgetExceeded, FusionConfig, PanelFailed, afuse
from fusion_tool.budget.pricing import cost_of
from fusion_tool.budget.usage import is_search
from fusion_tool.models.prompt import prompt_bytes
from fusion_tool.testing import ScriptedChat, calls
from fusion_tool.tools.search.base import SearchProviderError, SearchResult
from fusion_tool.tools.search.search import search_fee

QUESTION = "What is it?"
MODELS = ("openrouter:openai/gpt-5.4-mini", "openrouter:anthropic/claude-opus-4.8", "openrouter:z-ai/glm-5")
ANALYSIS = '{"consensus": ["It is."]}'


class Spender(ScriptedChat):
    """Calls tools, answers well or badly, and spends what it may: its prompt, and up to `max_tokens`."""

    seed: int
    writes: str

    def _generate(self, messages, stop=None, run_manager=None, **kwargs: Any):
        rng = random.Random(f"{self.seed}/{self.model_name}/{len(self.prompts)}")  # noqa: S311 - no secret
        asked = min(prompt_bytes(messages) // 2, rng.randrange(1, 100_000))
        answered = rng.choice([1, kwargs["max_tokens"] // 2, kwargs["max_tokens"]])
        cost, _ = cost_of(self.model_name, input_tokens=asked, output_tokens=answered)
        told = rng.random() < 0.8  # the others leave it to the list, or to the reservation
        replies = [self.writes, self.writes, "Not JSON.", "", "word " * rng.randrange(2000)]
        said = AIMessage(rng.choice(replies))
        if kwargs.get("tools") and rng.random() < 0.6:
            word = str(len(self.prompts))
            said = rng.choice([calls("lookup", word=word), calls("web_search", query=word)])
        result = super()._generate(messages, stop, run_manager, **kwargs)
        (generation,) = result.generations
        usage = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)
        finish = {"finish_reason": "tool_calls" if said.tool_calls else rng.choice(["stop", "stop", "length"])}
        generation.message = said.model_copy(
            update={"usage_metadata": usage, "response_metadata": finish | ({"cost_usd": cost} if told else {})}
        )
        return result

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs: Any):
        (generation,) = self._generate(messages, stop, run_manager, **kwargs).generations
        said = generation.message  # the writer's, which calls no tools
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content=said.content, usage_metadata=said.usage_metadata, response_metadata=said.response_metadata
            )
        )


@tool
async def lookup(word: str) -> str:
    """Look a word up."""
    return f"{word}: " + "meaning " * 200


async def search(query, **_options):
    if query == "3":
        raise SearchProviderError("rate limited (429)")
    return [SearchResult(query, f"https://example.org/{query}", "a snippet")]


@pytest.fixture(scope="module", autouse=True)
def tavily():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAVILY_API_KEY", "k")
        patch.setattr("fusion_tool.tools.search.tavily.search", search)
        yield


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    models=st.lists(st.sampled_from(MODELS), min_size=3, max_size=5),
    usd=st.floats(0.002, 0.3),
    tokens=st.none() | st.integers(10_000, 200_000),
    max_tokens=st.none() | st.integers(100, 3000),
)
def test_the_bill_never_passes_the_limit(seed, models, usd, tokens, max_tokens):
    seats = count()

    def one(model, writes):
        chat = Spender(replies=["-"], model_name=model, seed=seed + next(seats), writes=writes)
        return {"model": chat, "max_tokens": max_tokens}

    *panel, judge, writer = models
    config = FusionConfig(
        panel=tuple(one(model, "It is so.") for model in panel),
        judge=one(judge, ANALYSIS),
        synthesizer=one(writer, "It is so."),
        limits={"usd": usd, "tokens": tokens},
        search={"providers": ["tavily"]},
        bash="off",
    )
    bill = asyncio.run(billed(config))
    if bill is not None:
        assert (bill["cost_usd"] or 0.0) <= usd * (1 + 1e-9)
        assert tokens is None or (bill["input_tokens"] or 0) + (bill["output_tokens"] or 0) <= tokens
        assert bill["unpriced_calls"] == 0
        assert (bill["cost_usd"] or 0.0) == pytest.approx(sum(row["cost_usd"] for row in bill["calls"]))
        fees = [row for row in bill["calls"] if is_search(row["model"])]
        assert all(row["cost_usd"] == search_fee("tavily", 6) for row in fees)


async def billed(config):
    try:
        result = await afuse(QUESTION, config, panel_tools=[lookup])
    except BudgetExceeded:
        return None
    except PanelFailed as failed:
        return failed.usage
    return result.usage.model_dump()


class Talker(Spender):
    """Answers as long as it may, and well."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs: Any):
        result = ScriptedChat._generate(self, messages, stop, run_manager, **kwargs)
        asked, answered = prompt_bytes(messages) // 4, kwargs["max_tokens"]
        result.generations[0].message.usage_metadata = UsageMetadata(
            input_tokens=asked, output_tokens=answered, total_tokens=asked + answered
        )
        return result


@pytest.mark.parametrize("usd", [0.1, 0.2, 0.5])
async def test_a_limit_is_kept_by_counting_and_not_by_abstaining(usd):
    """With everybody as talkative as allowed, the panel uses most of its share."""

    def talker(writes="It is so."):
        chat = Talker(replies=[writes], model_name=MODELS[1], seed=0, writes=writes)
        return {"model": chat, "max_tokens": 100_000}

    config = FusionConfig(
        panel=(talker(), talker()),
        judge=talker(ANALYSIS),
        synthesizer=talker(),
        limits={"usd": usd},
        search=None,
        bash="off",
    )
    usage = (await afuse(QUESTION, config)).usage
    panel = sum(row.cost_usd for row in usage.calls if row.stage == "panelist")
    assert 0.5 * 0.6 * usd < panel <= 0.6 * usd
    assert usage.cost_usd <= usd
    assert {row.stage for row in usage.calls} == {"panelist", "judge", "synthesizer"}
