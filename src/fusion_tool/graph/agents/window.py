"""A prompt fitted to its model's window: sources and tools' results are shortened, what is asked never is.

Of each source the sentences stay that share most words with the question. Its fence stays whole, so that nothing from
outside stands outside of one.
"""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage, ToolMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.packing import fair_share
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.capabilities import Capabilities
from fusion_tool.models.faults import Fault
from fusion_tool.tools.evidence import relevant_sentences
from fusion_tool.tools.untrusted import change_fenced

_CHARACTERS_A_TOKEN = 3
"""Fewer than English has, so that a prompt that is measured to fit does fit."""
_MOST_CHARACTERS_A_TOKEN = 6
"""More than any prose has, so that only what cannot fit is refused without a call."""
_ANSWER_TOKENS = 4096
_LEAST_RESULT = 300
"""Characters that are left of a tool's result, its fences among them."""


def prompt_room(capabilities: Capabilities, panelist: Panelist) -> int | None:
    """Return how many characters of a prompt fit a model's window beside its answer; `None` where it is not known.

    Args:
        capabilities: What is known of the model.
        panelist: The model in its role, whose `max_tokens` its answer may take.
    """
    window = capabilities.max_input_tokens
    if window is None:
        return None
    # The reply shares the window, but may not have all of a small one: half of it is left for what is to be read.
    return (window - min(panelist.max_tokens or _ANSWER_TOKENS, window // 2)) * _CHARACTERS_A_TOKEN


def require_fit(messages: Sequence[BaseMessage], capabilities: Capabilities, model: str) -> None:
    """Check that what cannot be shortened fits the model's window.

    Args:
        messages: The prompt without sources and results.
        capabilities: What is known of the model.
        model: The model's name, for the error.

    Raises:
        ModelCallError: It is longer than the window by any measure.
    """
    if (window := capabilities.max_input_tokens) is None:
        return
    if (characters := prompt_length(messages)) > window * _MOST_CHARACTERS_A_TOKEN:
        about = characters // 4
        told = f"the question and its context have about {about:,} tokens, the model's window {window:,}"
        raise ModelCallError(Fault("context_overflow", told, may_be_charged=False, is_of_model=False), model)


def prompt_length(messages: Sequence[BaseMessage]) -> int:
    """Return the characters of a prompt, with the calls of tools in it."""
    return sum(len(str(message.text)) + len(str(getattr(message, "tool_calls", None) or "")) for message in messages)


def fit_sources(sources: Sequence[RetrievedSource], question: str, room: int) -> list[RetrievedSource]:
    """Return the sources with texts that fit `room` characters together; each has a fair share.

    Args:
        sources: The sources.
        question: Decides which sentences of a source stay.
        room: Characters for all texts together.
    """
    texts = fit_texts([source["text"] for source in sources], question, room)
    return [RetrievedSource(**{**source, "text": text}) for source, text in zip(sources, texts, strict=True)]


def fit_texts(texts: Sequence[str], question: str, room: int) -> list[str]:
    """Shorten texts as `fit_sources` does."""
    share = max(1, fair_share([len(text) for text in texts], max(0, room)))
    return [text if len(text) <= share else relevant_sentences(text, question, share) for text in texts]


def fit_results(messages: Sequence[BaseMessage], question: str, room: int, *, nonce: str) -> list[BaseMessage]:
    """Return the messages with tools' results shortened, the oldest first, until all fit `room` characters.

    Args:
        messages: A seat's messages so far.
        question: Decides which sentences of a result stay.
        room: Characters for all messages together.
        nonce: The token of the run's fences.
    """
    fitted, excess = list(messages), prompt_length(messages) - room
    for place, message in enumerate(messages):
        if excess > 0 and isinstance(message, ToolMessage):
            text = str(message.text)
            short = _shorten(text, question, max(_LEAST_RESULT, len(text) - excess), nonce)
            if len(short) < len(text):
                fitted[place] = message.model_copy(update={"content": short})
                excess -= len(text) - len(short)
    return fitted


def _shorten(result: str, question: str, room: int, nonce: str) -> str:
    frames = len(change_fenced(result, lambda texts: [""] * len(texts), nonce=nonce))
    return change_fenced(result, lambda texts: fit_texts(texts, question, room - frames), nonce=nonce)
