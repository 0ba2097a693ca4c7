"""Why a model stopped, in one vocabulary, and which replies are therefore no answer, or not the whole of one.

Vocabularies: OpenAI's `finish_reason`; Anthropic's `stop_reason`; Gemini's `FinishReason`; Ollama's `done_reason`;
DeepSeek's, Mistral's and Zhipu's chat completions; `abort` of SGLang and vLLM; Bedrock's `stopReason`.
"""

from typing import Literal, TypeAlias

from langchain_core.messages import AIMessage

from fusion_tool.models.faults import Fault
from fusion_tool.models.wire.leaked_reasoning import strip_reasoning
from fusion_tool.models.wire.text_calls import LONGEST_LEAD, has_written_call

Ending: TypeAlias = Literal["limit", "refusal", "interruption", "error"]
"""How a reply ended before its end: at a limit of tokens, by a filter, by its server, or in an error."""

_ENDINGS: dict[str, Ending] = {
    "length": "limit",
    "max_tokens": "limit",
    "max_output_tokens": "limit",
    "model_length": "limit",
    "model_context_window_exceeded": "limit",
    "content_filter": "refusal",
    "content_filtered": "refusal",
    "guardrail_intervened": "refusal",
    "refusal": "refusal",
    "sensitive": "refusal",
    "safety": "refusal",
    "recitation": "refusal",
    "blocklist": "refusal",
    "prohibited_content": "refusal",
    "spii": "refusal",
    "insufficient_system_resource": "interruption",
    "abort": "interruption",
    "network_error": "interruption",
    "error": "error",
}

_DONE = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
"""How a reply ends that is not left off to call a tool."""


class InterruptedReplyError(Exception):
    """A reply that its own server ended before its end, which another attempt may not meet.

    Args:
        message: What came of it.
        is_shown: Whether its text was passed on as it was written, so that it cannot begin anew.
    """

    def __init__(self, message: AIMessage, *, is_shown: bool) -> None:
        super().__init__(f"the provider broke the answer off ({finish_reason(message)})")
        self.is_retryable = not is_shown


def finish_reason(message: AIMessage) -> str | None:
    """Return why the model stopped, in its provider's word; `None` where that is not known."""
    meta = message.response_metadata
    reason = meta.get("finish_reason") or meta.get("stop_reason") or meta.get("done_reason")
    return None if reason is None else str(reason)


def ending_of(message: AIMessage) -> Ending | None:
    """Return how `message` ended before its end; `None` where it came to it, or nobody says."""
    return _ENDINGS.get((finish_reason(message) or "").lower())


def is_cut_off(message: AIMessage) -> bool:
    """Return whether `message` is a part of an answer that was to be longer."""
    return ending_of(message) in ("limit", "interruption")


def unusable_reason(message: AIMessage, *, takes_calls: bool = True) -> Fault | None:
    """Return why `message` is no answer; `None` where it is one, or a part of one, or calls tools that were offered.

    Args:
        message: The reply.
        takes_calls: Whether tools were offered.
    """
    ending = ending_of(message)
    if message.additional_kwargs.get("refusal") or ending == "refusal":
        return Fault("refused", "the model refused to answer")
    if ending == "error":
        return Fault("upstream_error", "the provider ended the answer with an error")
    if finish_reason(message) is None and message.response_metadata.get("model_provider") == "openai":
        return Fault("upstream_error", "the answer broke off")  # the protocol closes every answer with a reason
    text, calls = strip_reasoning(str(message.text)), message.tool_calls or message.invalid_tool_calls
    if calls and not takes_calls and not _is_answer(message, text):
        return Fault("invalid_output", "it called a tool in place of an answer, and none was offered")
    if calls or text or (takes_calls and has_written_call(reasoning_of(message))):
        return None
    return _empty_reason(message)


def reasoning_of(message: AIMessage) -> str:
    """Return what a message without an answer holds besides: some servers take a call for reasoning (Qwen, Kimi)."""
    return f"{message.additional_kwargs.get('reasoning_content') or ''}\n{message.text}".strip()


def _is_answer(message: AIMessage, text: str) -> bool:
    """Return whether the text beside a call that nobody offered answers, and does not only announce the call."""
    # However short, the text of a model that stopped of itself is whole: "1861."; "I will look." stops to call.
    return len(text) > LONGEST_LEAD or bool(text and (finish_reason(message) or "").lower() in _DONE)


def _empty_reason(message: AIMessage) -> Fault:
    if ending_of(message) == "limit":
        return Fault("truncated", "the token limit was spent before an answer began")
    return Fault("empty", "the model returned nothing but reasoning" if message.text else "the model returned nothing")
