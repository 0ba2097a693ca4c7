"""From a chat model's input to a panel's: messages become a question, sampling becomes the synthesizer's."""

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.panelist import Panelist
from fusion_tool.question import read
from fusion_tool.state import FusionInput, FusionState


def asked_of(messages: Sequence[BaseMessage], answer_schema: dict[str, Any] | None) -> FusionInput:
    """What `messages` ask: the last one is the question, earlier ones are context, the system's say how to write.

    Args:
        messages: A conversation that ends with a human message.
        answer_schema: The JSON schema of the answer, if it shall have one.

    Raises:
        ConfigError: The last word is not the human's, or there is more in it than text.
    """
    said = [message for message in messages if not isinstance(message, SystemMessage)]
    if not said or not isinstance(said[-1], HumanMessage):
        raise ConfigError("the last message must be a human one; it is the question", field="messages")
    for message in said:
        _refuse_other_than_text(message)
    asked = read(FusionState(messages=cast("list[AnyMessage]", list(messages))))
    taken = FusionInput(question=asked.question, context=asked.context, instructions=asked.instructions)
    return taken if answer_schema is None else {**taken, "answer_schema": answer_schema}


def writing_with(config: FusionConfig, **sampling: float | None) -> FusionConfig:
    """`config`, whose synthesizer, which writes what the caller reads, has this sampling.

    Args:
        config: The panel's.
        sampling: `temperature`, `max_tokens`; those that are `None` stay as they are.

    Raises:
        ConfigError: A value is out of range, or the synthesizer is an object, which has its own.
    """
    given = {name: value for name, value in sampling.items() if value is not None}
    if not given:
        return config
    writer = config.synthesizer_or_default
    if not isinstance(writer.model, str):
        raise ConfigError("the synthesizer is a model object; set it there", field=next(iter(given)))
    return config.model_copy(update={"synthesizer": Panelist(**(dict(writer) | given))})


def _refuse_other_than_text(message: BaseMessage) -> None:
    if isinstance(message, HumanMessage) and isinstance(message.content, list):
        for part in message.content:
            kind = part.get("type") if isinstance(part, dict) else "text"
            if kind != "text":
                raise ConfigError(f"{kind!r} parts are not taken, only text", field="messages")
