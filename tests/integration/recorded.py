"""Recorded answers, replayed through the real graph: who was asked, what it cost, and whether the end was right.

The recordings are no part of this project: `FUSION_RECORDED_ANSWERS` names the file, by default the one in
`../shared/data` beside the project's folder.
"""

import asyncio
import gzip
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata

from fusion_tool import FusionConfig, FusionResult, Limits, Panelist, afuse
from fusion_tool.grounding.closed_answers.compare import compare_closed
from fusion_tool.models import factory, health
from fusion_tool.testing import ScriptedChat

FILE = Path(
    os.environ.get("FUSION_RECORDED_ANSWERS")
    or Path(__file__).resolve().parents[3] / "shared" / "data" / "zeroeval-dev.jsonl.gz"
)
ABSENT = f"no recorded answers at {FILE}; FUSION_RECORDED_ANSWERS names another place"

MINI, DEEPSEEK, SONNET = "gpt-4o-mini-2024-07-18", "deepseek-v2.5-0908", "claude-3-5-sonnet-20241022"
SCOUTS, PANEL = (MINI, DEEPSEEK), (MINI, DEEPSEEK, SONNET)
JUDGE, WRITER = "judge", "synthesizer"
SPARE = {MINI: "gemini-1.5-flash", DEEPSEEK: "Meta-Llama-3.1-70B-Instruct", SONNET: "gpt-4o-2024-08-06"}
"""The recorded model that stands in for each."""

PRICES = {
    MINI: (0.15, 0.60),
    DEEPSEEK: (0.14, 0.28),
    SONNET: (3.00, 15.00),
    "gemini-1.5-flash": (0.075, 0.30),
    "Meta-Llama-3.1-70B-Instruct": (0.40, 0.40),
    "gpt-4o-2024-08-06": (2.50, 10.00),
}
"""US dollars a million tokens, in and out: the vendors' list prices at the time of the recordings, autumn 2024.

Those of OpenAI and Anthropic are the same in genai-prices today; DeepSeek's is that of V2.5 (2024-09-05), Google's that
of 2024-10-01; Llama's is a host's.
"""
_AS_IF = {JUDGE: MINI, WRITER: SONNET}
"""At whose price judge and synthesizer work; the latter's text is that model's recorded one."""

_BYTES_A_TOKEN = 4
_AT_ONCE = 16
_DISPUTE = json.dumps(
    {"contradictions": [{"topic": "the final answer", "stances": [{"model": "A", "stance": "it differs from B's"}]}]}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and whether that was right."""

    output: str
    correct: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with its recorded answers."""

    id: str
    task: str
    question: str
    answers: dict[str, Answer]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: its result, whether its answer was right, and what one seat of each model would have cost."""

    problem: Problem
    result: FusionResult
    correct: bool
    alone: dict[str, float]

    def usd(self, writer: str = SONNET) -> float:
        """What it cost, had the synthesizer worked at the price of `writer`."""
        calls = self.result.usage.calls
        return sum(
            price(writer, call.input_tokens or 0, call.output_tokens or 0)
            if call.stage == "synthesizer"
            else call.cost_usd or 0.0
            for call in calls
        )

    @property
    def stages(self) -> list[str]:
        return [call.stage for call in self.result.usage.calls]

    @property
    def agreed(self) -> bool:
        """Whether the two scouts alone decided it."""
        return self.stages == ["panelist"] * len(SCOUTS)


_problem: ContextVar[Problem] = ContextVar("problem")


def problems(count: int | None = None) -> list[Problem]:
    """The recorded problems, all or `count` of them evenly spread."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Problem(
            row["id"],
            row["task"],
            row["question"],
            {name: Answer(said["output"], said["correct"]) for name, said in row["models"].items()},
        )
        for row in rows[:: max(1, len(rows) // count) if count else 1][:count]
    ]


def price(model: str, prompt: int, said: int) -> float:
    """US dollars for a prompt and an answer of so many tokens."""
    paid, earned = PRICES[_AS_IF.get(model, model)]
    return (prompt * paid + said * earned) / 1e6


def replaying(model: str) -> ScriptedChat:
    """A chat model that says what `model` is recorded to have said to the run's problem."""
    return ScriptedChat(model_name=model, replies=[partial(_said, model)], chunk_size=4000)


def _said(model: str, messages: list[BaseMessage]) -> AIMessage:
    text = _DISPUTE if model == JUDGE else _problem.get().answers[_AS_IF.get(model, model)].output
    prompt, said = _tokens("".join(str(message.content) for message in messages)), _tokens(text)
    return AIMessage(
        text,
        usage_metadata=UsageMetadata(input_tokens=prompt, output_tokens=said, total_tokens=prompt + said),
        response_metadata={"cost_usd": price(model, prompt, said)},
    )


def _tokens(text: str) -> int:
    return max(1, len(text.encode(errors="replace")) // _BYTES_A_TOKEN)


def cascade(panel: Sequence[Panelist] | None = None, **overrides: object) -> FusionConfig:
    """The cascade of the recorded models."""
    seats = panel or [Panelist(model=replaying(name)) for name in PANEL]
    settings = {
        "panel": tuple(seats),
        "judge": Panelist(model=replaying(JUDGE)),
        "synthesizer": Panelist(model=replaying(WRITER)),
        "strategy": "cascade",
        "search": None,
        "bash": "off",
        "health": False,
        "limits": Limits(seconds=600),
    }
    return FusionConfig(**settings | overrides)


async def replay(problem: Problem, config: FusionConfig) -> Outcome:
    """One run over a problem's recorded answers."""
    _problem.set(problem)
    result = await afuse(problem.question, config)
    prompt = next(call.input_tokens for call in result.usage.calls if call.stage == "panelist" and call.input_tokens)
    alone = {name: price(name, prompt, _tokens(problem.answers[name].output)) for name in PANEL}
    return Outcome(problem, result, _is_right(problem, result), alone)


async def replayed(
    asked: Sequence[Problem], config: FusionConfig, tell: Callable[[int, int], None] = lambda _done, _of: None
) -> list[Outcome]:
    """The runs over many problems, some at once."""
    done: list[Outcome] = []
    for start in range(0, len(asked), _AT_ONCE):
        batch = asked[start : start + _AT_ONCE]
        done += await asyncio.gather(*(asyncio.create_task(replay(one, config)) for one in batch))
        tell(len(done), len(asked))
    return done


def _is_right(problem: Problem, result: FusionResult) -> bool:
    """Whether the recording that the answer hands on was right; a text that the audit changed must still say the same.

    The grades are those of the recordings: nothing here looks at the right answers.
    """
    wrote = any(call.stage == "synthesizer" for call in result.usage.calls)
    passed_on = [SONNET] if wrote else [one.model.removeprefix("ollama:") for one in result.responses]
    for name in passed_on:
        said = problem.answers[name]
        if result.answer.split() == said.output.split():
            return said.correct
    for name in passed_on:
        said = problem.answers[name]
        if len(compare_closed(problem.question, [result.answer, said.output]).groups) == 1:
            return said.correct
    return False


class GoneError(Exception):
    """What a provider's client raises for a model that is no longer served."""

    status_code = 404


@contextmanager
def without(gone: str) -> Iterator[FusionConfig]:
    """The cascade with a fallback behind every role, and one of the models withdrawn."""

    async def built(panelist: Panelist) -> ScriptedChat:
        name = panelist.served_name
        if name == gone:
            raised = GoneError(f"The model {name} is no longer available.")
            return ScriptedChat(model_name=panelist.model_name, replies=[raised])
        return replaying(name.removeprefix("spare-"))

    def role(name: str) -> Panelist:
        return Panelist(model=f"ollama:{name}", fallbacks=(f"ollama:{SPARE.get(name, f'spare-{name}')}",))

    with patch.object(factory, "_build", built), patch.dict(health._withdrawn, clear=True):
        yield cascade([role(name) for name in PANEL], judge=role(JUDGE), synthesizer=role(WRITER))
