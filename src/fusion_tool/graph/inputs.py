"""What a run is asked, read from a question or from messages."""

from typing import Any, NamedTuple

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from fusion_tool.errors import ConfigError
from fusion_tool.graph.state import FusionState

_LONGEST_QUESTION = 100_000


class RunInput(NamedTuple):
    """A question, what is known about it, how the answer shall be written, and whether it came as a message."""

    question: str
    context: str
    instructions: str
    answer_schema: dict[str, Any] | None
    from_messages: bool

    @property
    def needs_synthesizer(self) -> bool:
        """Whether only a synthesizer can give the answer its form: no seat is told of it."""
        return bool(self.instructions or self.answer_schema)


def parse_input(state: FusionState) -> RunInput:
    """What came in: of messages the last human one is the question, earlier ones are known, the system's are wishes.

    Raises:
        ConfigError: There is no question, or it is too long.
    """
    question, known = state.get("question") or "", state.get("context") or ""
    instructions = state.get("instructions") or ""
    messages = state.get("messages") or []
    last = next((i for i in reversed(range(len(messages))) if isinstance(messages[i], HumanMessage)), None)
    from_messages = last is not None and not question
    if last is not None and not question:
        question = str(messages[last].text)
        known = _join(
            known,
            *(f"{message.type}: {message.text}" for message in messages[:last] if message.text and not _rules(message)),
        )
        instructions = _join(instructions, *(str(message.text) for message in messages if _rules(message)))
    if not question.strip():
        raise ConfigError("is empty; ask something", field="question")
    if len(question) > _LONGEST_QUESTION:
        raise ConfigError(
            f"has {len(question):,} characters, at most {_LONGEST_QUESTION:,} are taken; put material into "
            "a documents folder or the context",
            field="question",
        )
    return RunInput(question.strip(), known, instructions, state.get("answer_schema"), from_messages)


def _rules(message: AnyMessage) -> bool:
    return isinstance(message, SystemMessage)


def _join(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
