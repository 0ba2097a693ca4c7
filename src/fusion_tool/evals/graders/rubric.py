"""Grading by rubric: a judge model's verdicts on criteria (`Grader`).

Protocol: DRACO (arXiv:2602.11685), whose judge finds each criterion `MET` or `UNMET` on its own.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict

from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import Reason
from fusion_tool.evals.tasks import Criterion, Task
from fusion_tool.graph.prompts import render
from fusion_tool.models.call import CallContext, ModelCallError, ModelReply, call_model
from fusion_tool.models.capabilities import (
    InvalidReplyError,
    StructuredModel,
    ask_structured,
    capabilities_of,
    reply_parts,
    structured_output_methods,
)
from fusion_tool.models.factory import chat_model
from fusion_tool.models.health import HealthTracker
from fusion_tool.models.json_reader import read_objects
from fusion_tool.routing.roles import same_model
from fusion_tool.tools.untrusted import fence

NAME = "report_verdict"
"""The name of the schema, and of the function by which a model without response formats replies."""
_WORDS = {"MET": True, "UNMET": False, "NOT MET": False}
_ALONE = re.compile(r"[\s*_`\"'.]*(?:verdict\s*[:=]?)?[\s*_`\"'.]*(not met|unmet|met)[\s*_`\"'.]*", re.IGNORECASE)
_LABELLED = re.compile(r"verdict[\s*_`\"':=]+(not[ _]met|unmet|met)\b", re.IGNORECASE)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "verdict": {"type": "string", "enum": ["MET", "UNMET"]},
    },
    "required": ["explanation", "verdict"],
    "additionalProperties": False,
}
"""The explanation comes first, so that the verdict follows from it."""


class Verdict(BaseModel):
    """One pass over one criterion.

    Args:
        criterion: The criterion's id.
        repeat: Number of the pass, from 1.
        met: Whether the statement holds; `None` where the judge gave no verdict.
        explanation: The judge's own words.
        reason: Why there is no verdict; `None` where there is one.
        calls: Its bill, a retry's call included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion: str
    repeat: int = 1
    met: bool | None
    explanation: str = ""
    reason: Reason | None = None
    calls: tuple[Call, ...] = ()


def parse_verdict(reply: Any) -> tuple[bool, str]:
    """Parse a reply: whether the statement is met, and the explanation.

    Fences, prose around the JSON and bad commas are tolerated; a draft gives way to what comes after it.

    Args:
        reply: A text, an object, or a list of such: a reply's text and the arguments of its calls.

    Raises:
        InvalidReplyError: The reply does not say, or says both.
    """
    if objects := read_objects(reply, lambda value: isinstance(value.get("verdict"), str)):
        value = objects[-1].value
        word = " ".join(value["verdict"].upper().replace("_", " ").split())
        if word not in _WORDS:
            raise InvalidReplyError("'verdict' must be MET or UNMET")
        return _WORDS[word], str(value.get("explanation") or "").strip()
    parts = reply if isinstance(reply, list) else [reply]
    text = "\n".join(part for part in parts if isinstance(part, str)).strip()
    if bare := _ALONE.fullmatch(text):
        return _WORDS[bare[1].upper()], ""
    # Only beside the word "verdict": "the requirement is met" may be part of an explanation that ends otherwise.
    verdicts = {_WORDS[word.upper().replace("_", " ")] for word in _LABELLED.findall(text)}
    if len(verdicts) != 1:
        raise InvalidReplyError("no JSON object with 'explanation' and 'verdict'")
    return verdicts.pop(), text


def _ignore(_verdict: Verdict) -> None:
    pass


@dataclass(frozen=True)
class _GradingPrompt:
    """One criterion of one answer, in one pass."""

    criterion: Criterion
    repeat: int
    prompt: list[BaseMessage]


class Grader:
    """A judge that grades any number of answers.

    The judge's `fallbacks` are not used: verdicts of two judges are not comparable.

    Args:
        judge: The model that judges.
        passes: Number of verdicts on each criterion.
        concurrency: Calls at once, over all answers.
        seconds: How long one call may take, in seconds.
        ledger: Limits of the calls; a call that could pass them is not made, and its verdict is missing with the
            reason `budget`. `None` for no limits.
        health: Records how the calls end; `None` records nothing.
    """

    def __init__(  # noqa: PLR0913 - keyword options, each with a default
        self,
        judge: Panelist,
        *,
        passes: int = 1,
        concurrency: int = 8,
        seconds: float = 120.0,
        ledger: Ledger | None = None,
        health: HealthTracker | None = None,
    ) -> None:
        self.judge, self.passes, self._seconds, self._health = judge, passes, seconds, health
        self.calls: list[Call] = []
        """The bill of all calls so far, cancelled ones included."""
        self._room = asyncio.Semaphore(concurrency)
        self._budget = StageBudget(ledger or Ledger(usd=None, tokens=None), "judge")
        # One for all prompts: with a new one each, no two would begin alike, and a provider's cache would never hit.
        self._nonce = secrets.token_hex(6)
        self._model: StructuredModel | None = None

    async def grade(
        self,
        task: Task,
        answer: str,
        *,
        verdicts: Collection[Verdict] = (),
        on_verdict: Callable[[Verdict], None] = _ignore,
    ) -> list[Verdict]:
        """Return a verdict on each criterion of `task` in each pass, in the rubric's order.

        Args:
            task: A task with a rubric.
            answer: The answer as a reader would see it, with its sources.
            verdicts: Verdicts of an earlier run; those that are `MET` or `UNMET` are not asked for again.
            on_verdict: Receives each new verdict as it comes, so that none that is paid for is lost.

        Raises:
            ConfigError: The judge's model cannot be made.
        """
        earlier = {(verdict.criterion, verdict.repeat): verdict for verdict in verdicts if verdict.met is not None}
        prompts = [
            _GradingPrompt(criterion, repeat, self._prompt(task, answer, criterion))
            for repeat in range(1, self.passes + 1)
            for criterion in task.rubric
        ]

        async def verdict_on(prompt: _GradingPrompt) -> Verdict:
            if verdict := earlier.get((prompt.criterion.id, prompt.repeat)):
                return verdict
            verdict = await self._judge(prompt)
            on_verdict(verdict)
            return verdict

        await self._structured_model()  # before the tasks begin: each would make a model of its own
        try:
            async with asyncio.TaskGroup() as group:  # one that fails or is cancelled takes the others along
                tasks = [group.create_task(verdict_on(prompt)) for prompt in prompts]
        except ExceptionGroup as group_error:  # what `on_verdict` raised: a full disk, for instance
            raise group_error.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _structured_model(self) -> StructuredModel:
        if self._model is None:
            model = await chat_model(self.judge)
            capabilities = capabilities_of(self.judge, model)
            self._model = StructuredModel(
                structured_output_methods(
                    model, NAME, SCHEMA, takes_schema=capabilities.json_schema, tools=capabilities.tools
                )
            )
        return self._model

    async def _judge(self, prompt: _GradingPrompt) -> Verdict:
        rows: list[Call] = []
        verdict = Verdict(criterion=prompt.criterion.id, repeat=prompt.repeat, met=None)
        try:
            async with self._room:
                met, explanation = await self._ask_verdict(prompt.prompt, rows)
            return verdict.model_copy(update={"met": met, "explanation": explanation, "calls": tuple(rows)})
        except ModelCallError as error:
            failure = {"reason": error.fault.reason, "explanation": error.fault.message}
        except InvalidReplyError as error:
            failure = {"reason": error.reason, "explanation": str(error)}
        finally:
            self.calls += rows  # also those of a cancelled call, which has no verdict to carry them
        return verdict.model_copy(update=failure | {"calls": tuple(rows)})

    async def _ask_verdict(self, prompt: list[BaseMessage], rows: list[Call]) -> tuple[bool, str]:
        account = CallContext("judge", self.judge, self._budget, rows, health=self._health)

        async def ask(method: Any, messages: Sequence[BaseMessage]) -> ModelReply:
            return await call_model(method, messages, account=account, deadline=time.monotonic() + self._seconds)

        return await ask_structured(
            await self._structured_model(),
            prompt,
            ask=ask,
            parse=lambda reply: parse_verdict(reply_parts(reply)),
            correction=lambda error: render("grader_retry", error=error),
        )

    def _prompt(self, task: Task, answer: str, criterion: Criterion) -> list[BaseMessage]:
        # The statement stands last: what comes before it is the same for a whole rubric, and a provider's cache has it.
        request = render(
            "grader_statement",
            question=task.question,
            answer=fence(answer, label="answer", nonce=self._nonce),
            statement=criterion.requirement,
        )
        return [SystemMessage(render("grader", nonce=self._nonce)), HumanMessage(request)]


def judge_warnings(judge: Panelist, models: Iterable[Panelist]) -> list[str]:
    """Return warnings where the judge has a stake in the answers: it wrote some, or its own vendor did."""
    vendor, others = _vendor(judge), list(models)
    if same_model(judge, others):
        return [f"the judge {judge.model_name} also answers: models tend to favour their own answers"]
    if siblings := sorted({model.model_name for model in others if _vendor(model) == vendor}):
        return [f"the judge {judge.model_name} is of the same vendor as {', '.join(siblings)}"]
    return []


def _vendor(panelist: Panelist) -> str:
    provider, _, name = panelist.model_name.partition(":")
    return (name.rpartition("/")[0].rpartition("/")[2] or provider).lower().lstrip("~")
