"""What a run is asked, read from a question or from messages."""

from typing import Any, NamedTuple

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from fusion_tool.errors import ConfigError
from fusion_tool.graph.state import FusionState

_LONGEST_QUESTION = 100_000


class Asked(NamedTuple):
    """A question, what is known about it, how the answer shall be written, and whether it came as a message."""

    question: str
    context: str
    instructions: str
    answer_schema: dict[str, Any] | None
    from_messages: bool

    @property
    def is_written(self) -> bool:
        """Whether only a synthesizer can give the answer its form: no seat is told of it."""
        return bool(self.instructions or self.answer_schema)


def read(state: FusionState) -> Asked:
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
        known = _joined(known, *(f"{one.type}: {one.text}" for one in messages[:last] if one.text and not _rules(one)))
        instructions = _joined(instructions, *(str(one.text) for one in messages if _rules(one)))
    if not question.strip():
        raise ConfigError("is empty; ask something", field="question")
    if len(question) > _LONGEST_QUESTION:
        raise ConfigError(
            f"has {len(question):,} characters, at most {_LONGEST_QUESTION:,} are taken; put material into "
            "a documents folder or the context",
            field="question",
        )
    return Asked(question.strip(), known, instructions, state.get("answer_schema"), from_messages)


def _rules(message: AnyMessage) -> bool:
    return isinstance(message, SystemMessage)


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
