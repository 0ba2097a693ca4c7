"""`RunInput`: what the caller asks of a run, read from a question or from messages that hold one."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from langchain_core.messages import BaseMessage, ChatMessage, HumanMessage, SystemMessage
from pydantic import ValidationError

from fusion_tool.config.base import MOST_TOKENS
from fusion_tool.config.words import complaint
from fusion_tool.errors import ConfigError
from fusion_tool.graph.result import FusionResult
from fusion_tool.graph.state import FusionInput, FusionState
from fusion_tool.models.prompt import to_sendable

LONGEST_QUESTION = 100_000
"""Characters: a longer one is material, which every seat would pay for in each of its turns."""


class RunInput(NamedTuple):
    """What a run is asked.

    Args:
        question: What to find out.
        context: What is already known about it.
        instructions: How the answer shall be written.
        answer_schema: The JSON schema that the answer shall have, `None` for a text.
        max_tokens: Upper bound of the answer, in tokens; `None` sets none.
        from_messages: Whether the question came as a message, so that the answer is one too.
        earlier: The result of the run that the question goes on from, `None` where it begins anew.
    """

    question: str
    context: str = ""
    instructions: str = ""
    answer_schema: dict[str, Any] | None = None
    max_tokens: int | None = None
    from_messages: bool = False
    earlier: FusionResult | None = None

    @property
    def needs_synthesizer(self) -> bool:
        """Whether only a synthesizer can give the answer its form: no seat sees how it shall be written."""
        return bool(self.instructions or self.answer_schema)

    @property
    def graph_input(self) -> FusionInput:
        """The same, in the form that the graph takes."""
        inputs = FusionInput(question=self.question, context=self.context, instructions=self.instructions)
        if self.answer_schema is not None:
            inputs["answer_schema"] = self.answer_schema
        if self.max_tokens is not None:
            inputs["max_tokens"] = self.max_tokens
        if self.earlier is not None:
            inputs["earlier"] = self.earlier.model_dump(mode="json")
        return inputs


def parse_messages(messages: Sequence[BaseMessage]) -> RunInput:
    """Return what messages ask: the last human one is the question, empty where there is none.

    Those before it are context, each with who said it; the system's say how to write, wherever they stand.
    """
    # A conversation may end with an assistant's message, which is then no part of what is asked.
    last = next((i for i in reversed(range(len(messages))) if isinstance(messages[i], HumanMessage)), None)
    if last is None:
        return RunInput("")
    earlier = [message for message in messages[:last] if not isinstance(message, SystemMessage)]
    return RunInput(
        question=to_sendable(str(messages[last].text)),
        context=to_sendable(_join(*(f"{_speaker(message)}: {message.text}" for message in earlier if message.text))),
        instructions=to_sendable(
            _join(*(str(message.text) for message in messages if isinstance(message, SystemMessage)))
        ),
        from_messages=True,
    )


def _text_of(state: FusionState, field: Literal["question", "context", "instructions"]) -> str:
    value: object = state.get(field)
    if value is not None and not isinstance(value, str):
        raise ConfigError("expected a text", field=field)
    # A lone surrogate could be sent to no provider, and be stored or printed nowhere.
    return to_sendable(value or "")


def parse_input(state: FusionState, standing: str = "") -> RunInput:
    """Return what came into the graph: a question, else what its messages ask.

    Args:
        state: What came in.
        standing: The configuration's instructions, which come before the call's own.

    Raises:
        ConfigError: There is no question, it is too long, a text is none, `max_tokens` is no number of tokens, or
            `earlier` no result.
    """
    question, context = _text_of(state, "question"), _text_of(state, "context")
    instructions = to_sendable(_join(standing, _text_of(state, "instructions")))
    # A question beside messages is the question: as a subgraph the graph also sees the messages of its parent.
    conversation = RunInput("") if question else parse_messages(state.get("messages") or [])
    question = (question or conversation.question).strip()
    if not question:
        raise ConfigError("is empty; ask something", field="question")
    if len(question) > LONGEST_QUESTION:
        raise ConfigError(
            f"has {len(question):,} characters, at most {LONGEST_QUESTION:,} are taken; put material into "
            "a documents folder or the context",
            field="question",
        )
    max_tokens = state.get("max_tokens")
    if max_tokens is not None and (type(max_tokens) is not int or not 1 <= max_tokens <= MOST_TOKENS):
        raise ConfigError("expected a whole number of at least 1", field="max_tokens")
    return RunInput(
        question,
        _join(context, conversation.context),
        _join(instructions, conversation.instructions),
        state.get("answer_schema"),
        max_tokens,
        conversation.from_messages,
        None if (earlier := state.get("earlier")) is None else parse_result(earlier),
    )


def parse_result(value: Any) -> FusionResult:
    """Return a run's result, as a caller hands it over: a `FusionResult`, or one as a dict.

    Raises:
        ConfigError: It is none.
    """
    try:
        return FusionResult.model_validate(value)
    except ValidationError as error:
        place, words = complaint(error.errors())
        raise ConfigError(
            f"is no run's result ({place or 'it'}: {words}); hand over a FusionResult, or its JSON, as it came",
            field="earlier",
        ) from None


def _speaker(message: BaseMessage) -> str:
    return message.role if isinstance(message, ChatMessage) else message.type


def _join(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
