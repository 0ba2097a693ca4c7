"""`ChatOpenAI` for OpenAI-compatible servers, with what it drops put back: reasoning, cost, provider, citations.

Protocol: OpenAI's chat completions; OpenRouter's additions (`reasoning`, `usage.cost`, `provider`,
`annotations`) as in its API reference, "Chat completion" and "Usage accounting".
"""

from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import model_validator

from fusion_tool.models import replay, wire

_EMPTY = {"finish_reason": "stop", "model_provider": "openai"}
"""How an answer without choices is told on: as one that says nothing."""
_CHUNK = "chunk"
"""Where a chunk that tells of usage waits for the stream's end."""


class OpenAICompatibleChat(ChatOpenAI):
    """A chat model behind any OpenAI-compatible endpoint."""

    usage_accounting: bool = False
    """Ask for OpenRouter's own cost figure; other servers may refuse the field."""

    openai_proxy: str | None = None
    """Not read from `OPENAI_PROXY`: the shared client has the environment's proxies already."""

    @model_validator(mode="after")
    def _take_replies_as_they_come(self) -> Self:
        # The client makes objects of every reply and chunk, which ChatOpenAI turns back into dicts: a fifth of a
        # streamed run's CPU (benchmarks/serve.py).
        self.root_async_client._process_response_data = _pass_through  # noqa: SLF001 - the client offers no other way
        return self

    @property
    def _llm_type(self) -> str:
        return "openai-compatible"

    @cached_property
    def _endpoint(self) -> str:
        """Who answers, as replies are marked with it: an address may hold a password, and messages are traced."""
        return sha256(f"{self.openai_api_base} {self.model_name}".encode()).hexdigest()[:16]

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        messages = self._convert_input(input_).to_messages()
        payload = super()._get_request_payload(messages, stop=stop, **kwargs)
        for sent, message in zip(payload["messages"], messages, strict=True):
            replay.put_back(sent, message, self._endpoint)
        # ChatOpenAI renames it to what only OpenAI's newest models know.
        if (limit := payload.pop("max_completion_tokens", None)) is not None:
            payload["max_tokens"] = limit
        extra = dict(payload.get("extra_body") or {})
        # Seen by ChatOpenAI it would go through the client's own parser, which raises where a reply was cut off.
        if (wanted := payload.pop("response_format", None)) is not None:
            extra["response_format"] = wanted
        if self.usage_accounting:
            extra["usage"] = {"include": True}
        # The client walks through every message and schema to convert types that are not in them; what goes into
        # the extra body is sent as it is, which saves a sixth of a run's CPU (benchmarks/overhead.py).
        for field in ("messages", "tools"):
            if field in payload:
                extra[field] = payload.pop(field)
        return payload | {"messages": [], "extra_body": extra}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """ChatOpenAI raises on other providers' server tools, `{"type": "openrouter:web_search"}` say."""
        bound: Any = super().bind_tools([tool for tool in tools if not _is_server_tool(tool)], **kwargs)
        native = [tool for tool in tools if _is_server_tool(tool)]
        offered = [*bound.kwargs.get("tools", []), *native]
        return self.bind(**{**bound.kwargs, "tools": offered})

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        body = response if isinstance(response, dict) else _as_dict(response)
        if not body.get("error") and body.get("choices") == []:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("", response_metadata=_EMPTY))])
        told = wire.read_usage(body)
        if isinstance(response, dict):
            response = body | {"usage": wire.whole(told)}
        result = super()._create_chat_result(response, generation_info)
        for generation, choice in zip(result.generations, body.get("choices") or (), strict=False):
            if isinstance(generation.message, AIMessage):
                _keep_extras(generation.message, choice.get("message") or {})
                replay.keep(generation.message, choice.get("message") or {}, self._endpoint)
                _keep_totals(generation.message, body, told)
        return result

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        """Some providers count up in each chunk, which joining chunks would sum: the figures come once, at the end."""
        told: dict[str, Any] = {}
        last: dict[str, Any] = {}
        async for generation in super()._astream(*args, **kwargs):
            if chunk := generation.message.response_metadata.pop(_CHUNK, None):
                told, last = wire.later(told, wire.read_usage(chunk)), chunk
            yield generation
        end: dict[str, Any] = {"choices": [], "usage": wire.whole(told)}
        if last and (totals := super()._convert_chunk_to_generation_chunk(end, AIMessageChunk, None)):
            _keep_totals(totals.message, last, told)
            yield totals

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        bare = chunk if chunk.get("usage") is None else chunk | {"usage": None}
        generation = super()._convert_chunk_to_generation_chunk(bare, default_chunk_class, base_generation_info)
        if generation is not None and isinstance(generation.message, AIMessageChunk):
            for choice in chunk.get("choices") or ():
                _keep_extras(generation.message, choice.get("delta") or {})
                replay.keep(generation.message, choice.get("delta") or {}, self._endpoint)
            if wire.tells_usage(chunk):
                generation.message.response_metadata[_CHUNK] = chunk
        return generation


def _pass_through(*, data: object, cast_to: Any, response: Any) -> Any:
    del cast_to, response
    return data


def _is_server_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type", "function") != "function"


def _as_dict(response: Any) -> dict[str, Any]:
    """The reply's body; nothing where the server sent no JSON object, which ChatOpenAI then complains about."""
    return response.model_dump(warnings=False) if hasattr(response, "model_dump") else {}


def _keep_extras(message: AIMessage | AIMessageChunk, raw: dict[str, Any]) -> None:
    reasoning = raw.get("reasoning") or raw.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        message.additional_kwargs["reasoning_content"] = reasoning
    if raw.get("refusal"):
        message.additional_kwargs["refusal"] = raw["refusal"]
    if raw.get("annotations"):
        message.additional_kwargs["annotations"] = raw["annotations"]


def _keep_totals(message: BaseMessage, body: dict[str, Any], told: dict[str, Any]) -> None:
    message.response_metadata |= wire.partial(told)
    if isinstance(body.get("provider"), str):
        message.response_metadata["provider"] = body["provider"]
