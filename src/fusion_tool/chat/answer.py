"""From a run to what a chat model says: the text as it is written, and what stands beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages.ai import InputTokenDetails, UsageMetadata

from fusion_tool.chat.stopping import Until
from fusion_tool.errors import FusionError
from fusion_tool.events import Event
from fusion_tool.usage import Usage

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


class Said:
    """What of a run's events a stream says: the pieces of its first attempt.

    Args:
        stops: Stop sequences.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._until = Until(stops)
        self._attempts: list[int] = []
        self.result: dict[str, Any] = {}

    def feed(self, event: Event) -> str:
        """The text that `event` adds; mostly empty."""
        if event["type"] == "run.completed":
            self.result = event["result"]
        if event["type"] != "synthesis.delta":
            return ""
        if event["attempt"] not in self._attempts:
            self._attempts.append(event["attempt"])
        return self._until.feed(event["text"]) if len(self._attempts) == 1 else ""

    def close(self) -> str:
        """The rest, once the run is over; all of an answer that did not come in pieces.

        Raises:
            AnswerRestarted: What was said is not the answer's beginning.
        """
        if len(self._attempts) > 1:
            raise AnswerRestarted(self.result)
        whole = "" if self._attempts else self._until.feed(self.result["answer"])
        return whole + self._until.close()


def beside(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a message carries beside its text.

    Args:
        result: A run's result as a dict.

    Returns:
        `usage_metadata`, the sum over all models, `None` where it is unknown; and `response_metadata` with the model's
        name, the cost in US dollars, `None` where it is unknown, and the whole result as `fusion`.
    """
    usage = Usage.model_validate(result["usage"])
    metadata = {
        "model_name": MODEL_NAME,
        "finish_reason": "stop",
        "cost_usd": usage.cost_usd,
        "run_id": result["run_id"],
        "fusion": dict(result),
    }
    return {"usage_metadata": _tokens(usage), "response_metadata": metadata}


def _tokens(usage: Usage) -> UsageMetadata | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_token_details=InputTokenDetails(cache_read=sum(call.cached_tokens or 0 for call in usage.calls)),
    )
