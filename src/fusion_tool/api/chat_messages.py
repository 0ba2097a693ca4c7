"""From messages to a run and back, for `ChatFusion`: `to_run_input`, `StreamedAnswer`, `message_metadata`."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata

from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError, FusionError
from fusion_tool.events import Event
from fusion_tool.graph.cited_answer import citation_metadata
from fusion_tool.graph.inputs import RunInput, parse_messages


class StopSequences:
    """A filter that passes a text on up to the first of its stop sequences, and nothing behind it.

    The joined output is the same for every way of cutting the text into pieces. Held back is only what may still
    become a stop sequence.

    Args:
        stops: The sequences; empty ones never stop.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self._is_over = False

    def feed(self, text: str) -> str:
        """Return what is certain after `text`; may be empty."""
        if self._is_over:
            return ""
        text = self._held + text
        ends = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        self._is_over = bool(ends)
        # Held back: the end of the text may be the beginning of a stop sequence.
        certain = min(ends) if ends else len(text) - self._partial_length(text)
        self._held = text[certain:]
        return text[:certain]

    def close(self) -> str:
        """Return the rest, once the text has ended."""
        return "" if self._is_over else self._held

    def _partial_length(self, text: str) -> int:
        """Return how many characters at the end of `text` may be the beginning of a stop sequence."""
        return max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)


def cut_at_stop(stops: Sequence[str], text: str) -> str:
    """Return `text` up to the first of `stops`."""
    sequences = StopSequences(stops)
    return sequences.feed(text) + sequences.close()


MODEL_NAME = "fusion"


class AnswerRestarted(FusionError):  # noqa: N818 - named as the other errors are
    """A streamed answer broke off after its first token, and another model wrote it anew; a stream cannot retract.

    Args:
        result: The whole run's `FusionResult` as a dict: it is paid for, and its answer is whole.
    """

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__("the answer broke off and was written anew; the whole one is this error's result['answer']")
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.result,)


class StreamedAnswer:
    """The text that a stream gives out of a run's events: the pieces of its first attempt.

    Args:
        stops: Stop sequences.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._filter = StopSequences(stops)
        self._attempts: list[int] = []
        self._length = 0
        self.result: dict[str, Any] = {}

    def feed(self, event: Event) -> str:
        """Return the text that `event` adds; mostly empty."""
        if event["type"] == "run.completed":
            self.result = event["result"]
        if event["type"] != "synthesis.delta":
            return ""
        # Only the first attempt is passed on: a stream cannot take back what it gave.
        if event["attempt"] not in self._attempts:
            self._attempts.append(event["attempt"])
        return self._count(self._filter.feed(event["text"])) if len(self._attempts) == 1 else ""

    def close(self) -> str:
        """Return the rest, once the run is over; all of an answer that did not come in pieces.

        Raises:
            AnswerRestarted: The text given so far is not the answer's beginning.
        """
        # Raised at the end, not when the second attempt begins: the error holds the whole result, which is paid for.
        if len(self._attempts) > 1:
            raise AnswerRestarted(self.result)
        # Without a delta the answer was not written: a cached result, or agreeing answers that are handed on.
        whole = "" if self._attempts else self._filter.feed(self.result["answer"])
        return self._count(whole + self._filter.close())

    @property
    def length(self) -> int:
        """How many characters were given."""
        return self._length

    def _count(self, text: str) -> str:
        self._length += len(text)
        return text


def message_metadata(result: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Return what a message carries beside its text.

    Args:
        result: A run's result as a dict.
        length: How many characters of the answer the message has.

    Returns:
        `usage_metadata`, the sum over all models, `None` where it is unknown; and `response_metadata` with the model's
        name, the citations, the cost in US dollars, `None` where it is unknown, and the whole result as `fusion`.
    """
    usage = Usage.model_validate(result["usage"])
    metadata = {
        **citation_metadata(result["citations"], length),
        "model_name": MODEL_NAME,
        "finish_reason": finish_reason(result),
        "cost_usd": usage.cost_usd,
        "run_id": result["run_id"],
        "fusion": dict(result),
    }
    return {"usage_metadata": _to_usage_metadata(usage), "response_metadata": metadata}


def finish_reason(result: Mapping[str, Any]) -> str:
    """Return OpenAI's word for why a result's answer ended: `length` where it was cut off."""
    return "length" if "answer_truncated" in result["degraded"] else "stop"


def _to_usage_metadata(usage: Usage) -> UsageMetadata | None:
    # LangChain's fields are plain integers: where one sum is unknown there is none, rather than a 0 that looks exact.
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_token_details=InputTokenDetails(cache_read=sum(call.cached_tokens or 0 for call in usage.calls)),
    )


def to_run_input(messages: Sequence[BaseMessage], answer_schema: dict[str, Any] | None) -> RunInput:
    """Return what `messages` ask; refuse what a panel cannot be asked.

    Args:
        messages: A conversation that ends with a human message.
        answer_schema: The JSON schema of the answer; `None` for a text.

    Raises:
        ConfigError: The last word is not the human's, or there is more in it than text.
    """
    turns = [message for message in messages if not isinstance(message, SystemMessage)]
    if not turns or not isinstance(turns[-1], HumanMessage):
        raise ConfigError("the last message must be a human one; it is the question", field="messages")
    for message in turns:
        _reject_non_text(message)
    return parse_messages(messages)._replace(answer_schema=answer_schema)


def with_sampling(config: FusionConfig, **sampling: float | None) -> FusionConfig:
    """Return `config` with this sampling for the synthesizer, which writes what the caller reads.

    Args:
        config: The panel's.
        sampling: `temperature`, `max_tokens`; those that are `None` stay as they are.

    Raises:
        ConfigError: A value is out of range, or the synthesizer is an object, which has its own.
    """
    changes = {name: value for name, value in sampling.items() if value is not None}
    if not changes:
        return config
    writer = config.synthesizer_or_default
    if not isinstance(writer.model, str):
        raise ConfigError("the synthesizer is a model object; set it there", field=next(iter(changes)))
    # Made anew: `model_copy` does not validate, and a temperature of 7 would be refused by the provider only.
    return config.model_copy(update={"synthesizer": Panelist(**(dict(writer) | changes))})


def _reject_non_text(message: BaseMessage) -> None:
    if isinstance(message, HumanMessage) and isinstance(message.content, list):
        for part in message.content:
            kind = part.get("type") if isinstance(part, dict) else "text"
            if kind != "text":
                raise ConfigError(f"{kind!r} parts are not taken, only text", field="messages")
