"""`ChatOpenAI` for OpenAI-compatible servers, with what it drops put back: reasoning, cost, provider, citations.

Protocol: OpenAI's chat completions; OpenRouter's additions (`reasoning`, `usage.cost`, `provider`,
`annotations`) as in its API reference, "Chat completion" and "Usage accounting".
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from inspect import signature
from typing import Any, ClassVar, NamedTuple, Self, cast

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import model_validator

from fusion_tool.models import replay
from fusion_tool.models.completions import PlainCompletions
from fusion_tool.models.faults import AskOtherwiseError, ProviderReplyError, to_fault
from fusion_tool.models.refusals import has_refused, remember_refusal
from fusion_tool.models.speed import TIMINGS
from fusion_tool.models.streaming import piece_listener
from fusion_tool.models.wire import usage
from fusion_tool.models.wire.arguments import read_arguments
from fusion_tool.models.wire.errors import error_under_200
from fusion_tool.models.wire.shapes import unwrap_reply
from fusion_tool.models.wire.sse import finish_body, to_body
from fusion_tool.models.wire.streamed_reply import StreamedReply
from fusion_tool.models.wire.tool_calls import normalize_tool_calls

_EMPTY = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
"""The choice of a reply without any, which is passed on as an empty answer: its usage is on the bill all the same."""


class _Offer(NamedTuple):
    """The names of the tools that a request offers, and the ids of the calls that its messages hold."""

    names: Sequence[str] = ()
    used: Collection[str] = ()

    @classmethod
    def of(cls, messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> Self:
        """Read a request."""
        tools = [tool["function"] for tool in options.get("tools") or () if "function" in tool]
        calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
        if not (tools or calls):
            return cls()
        return cls([tool["name"] for tool in tools], {call["id"] for call in calls if call["id"]})


class OpenAICompatibleChat(ChatOpenAI):
    """A chat model behind any OpenAI-compatible endpoint."""

    usage_accounting: bool = False
    """Whether to ask for OpenRouter's own cost figure; other servers may refuse the field."""

    tells_pieces: ClassVar[bool] = True
    """Whether `piece_listener` is told of its streams."""

    openai_proxy: str | None = None
    """`None`, and not read from `OPENAI_PROXY`: the shared client has the environment's proxies already."""

    @model_validator(mode="after")
    def _take_replies_as_they_come(self) -> Self:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": self.root_async_client.user_agent,
            **self.root_async_client.auth_headers,
            **(self.default_headers or {}),
        }
        http: Any = self.http_async_client
        self.async_client = PlainCompletions(
            http, str(self.root_async_client.base_url), headers, silence=self.stream_chunk_timeout
        )
        return self

    @property
    def _llm_type(self) -> str:
        return "openai-compatible"

    @cached_property
    def endpoint_mark(self) -> str:
        """Return the mark of replies of this endpoint."""
        # A hash: an address may hold a password, and the messages that are marked with it are traced.
        return sha256(f"{self.openai_api_base} {self.model_name}".encode()).hexdigest()[:16]

    @cached_property
    def _fixed_params(self) -> dict[str, Any]:
        return super()._get_invocation_params()

    # LangChain asks for them twice a call, and puts together each time what no call changes.
    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        if "tools" in kwargs:  # which may hold secrets, that ChatOpenAI takes out
            return super()._get_invocation_params(stop, **kwargs)
        return self._fixed_params | ({} if stop is None else {"stop": stop}) | kwargs

    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        messages = self._convert_input(input_).to_messages()
        payload = super()._get_request_payload(messages, stop=stop, **kwargs)
        for sent, message in zip(payload["messages"], messages, strict=True):
            replay.put_back(sent, message, self.endpoint_mark)
            _mend_arguments(sent)
        # ChatOpenAI renames it to what OpenAI's newest models want, and few others know.
        if "max_completion_tokens" in payload and not has_refused(self.endpoint_mark, "max_tokens"):
            payload["max_tokens"] = payload.pop("max_completion_tokens")
        extra = dict(payload.get("extra_body") or {})
        # Seen by ChatOpenAI it would go through the client's own parser, which raises where a reply was cut off.
        if (wanted := payload.pop("response_format", None)) is not None:
            extra["response_format"] = wanted
        if self.usage_accounting:
            extra["usage"] = {"include": True}
        return payload | {"extra_body": extra}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, other providers' server tools (`{"type": "openrouter:web_search"}`) among them."""
        # ChatOpenAI raises on those; they are added as they are to what it makes of the others.
        bound: Any = super().bind_tools([tool for tool in tools if not _is_server_tool(tool)], **kwargs)
        native = [tool for tool in tools if _is_server_tool(tool)]
        offered = [*bound.kwargs.get("tools", []), *native]
        return self.bind(**{**bound.kwargs, "tools": offered})

    # ChatOpenAI reads each reply in a thread. Of a stream it makes a task for each chunk, to wait for it, and a message
    # of each, which LangChain keeps all until it joins them: who follows an answer is told its pieces here instead.
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,  # noqa: ARG002 - LangChain's name
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        offer = _Offer.of(messages, kwargs)
        if piece_listener.get() is not None:
            reply = StreamedReply(*offer)
            async for _ in self._pieces(reply, messages, stop, stream_usage, kwargs):
                """The listener is told."""
            return self.read_reply(reply.body(), offer, is_whole=False)
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        try:
            body = await self.async_client.create(**payload)
        except Exception as error:
            self._learn_refusal(error, payload)
            raise
        return self.read_reply(body, offer)

    # LangChain reads it at every call; of a function that holds its own none is made (PEP 362).
    _agenerate.__signature__ = signature(_agenerate)  # type: ignore[attr-defined] # no stub has it

    # For agents around this model, whose own tokens are shown.
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,  # noqa: ARG002 - LangChain calls it for each chunk itself
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        offer = _Offer.of(messages, kwargs)
        reply = StreamedReply(*offer)
        async for text in self._pieces(reply, messages, stop, stream_usage, kwargs):
            if text:
                yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        result = self.read_reply(reply.body(), offer, is_whole=False)
        [generation] = result.generations
        told = {**(result.llm_output or {}), **(generation.generation_info or {})}
        yield ChatGenerationChunk(message=_rest_of(cast("AIMessage", generation.message)), generation_info=told)

    async def _pieces(
        self,
        reply: StreamedReply,
        messages: list[BaseMessage],
        stop: list[str] | None,
        stream_usage: bool | None,
        options: Mapping[str, Any],
    ) -> AsyncIterator[str]:
        """Feed a stream to `reply`; tell the listener, and yield, the text of each chunk that holds a part of it."""
        options = {**options, "stream": True}
        if self._should_stream_usage(stream_usage, **options):
            options["stream_options"] = {"include_usage": True}
        payload, listener = self._get_request_payload(messages, stop=stop, **options), piece_listener.get()
        try:
            async with await self.async_client.create(**payload) as chunks:
                async for chunk in chunks:
                    if (text := reply.feed(chunk)) is not None:
                        if listener is not None:
                            listener(text)
                        yield text
        except Exception as error:
            self._learn_refusal(error, payload)
            raise

    def _learn_refusal(self, error: Exception, payload: Mapping[str, Any]) -> None:
        """Have a request repeated with `max_completion_tokens` where the endpoint refuses `max_tokens`."""
        if "max_tokens" in payload and to_fault(error).rejects("max_tokens"):
            remember_refusal(self.endpoint_mark, "max_tokens")
            raise AskOtherwiseError(error) from error

    def read_reply(self, reply: Any, offer: _Offer | None = None, *, is_whole: bool = True) -> ChatResult:
        """Return what a reply says.

        Args:
            reply: Its body: a JSON value, or text where it is none.
            offer: What the request offered; `None` for no tools.
            is_whole: Whether it came in one piece; one in chunks that gives no reason to finish was broken off.

        Raises:
            ProviderReplyError: It holds an error.
            ValueError: It is no reply.
        """
        body = _to_dict(reply)
        if body and (cause := error_under_200({}, body)):
            raise ProviderReplyError(cause)
        figures = usage.read_usage(body)
        if body:
            body = (finish_body(body) if is_whole else body) | {"usage": usage.complete_usage(figures)}
            body["choices"] = body["choices"] or [dict(_EMPTY)]
            names, used = offer or _Offer()
            for choice in body["choices"]:
                choice["message"] = normalize_tool_calls(choice["message"], names, used)
            reply = body
        result = super()._create_chat_result(reply)
        for generation, choice in zip(result.generations, body.get("choices") or (), strict=False):
            if isinstance(generation.message, AIMessage):
                _keep_extras(generation.message, choice["message"])
                replay.keep_fields(generation.message, choice["message"], self.endpoint_mark)
                _keep_totals(generation.message, body, figures)
        return result


def _rest_of(message: AIMessage) -> AIMessageChunk:
    """Return a chunk with all of a message but its text."""
    calls = [
        tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
        for index, call in enumerate(message.tool_calls)
    ]
    broken = [
        tool_call_chunk(name=call["name"], args=call["args"], id=call["id"], index=len(calls) + index)
        for index, call in enumerate(message.invalid_tool_calls)
    ]
    fields = {"additional_kwargs": message.additional_kwargs, "response_metadata": message.response_metadata}
    return AIMessageChunk(
        content="",
        **fields,
        usage_metadata=message.usage_metadata,
        tool_call_chunks=[*calls, *broken],
        chunk_position="last",
    )


def _is_server_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type", "function") != "function"


def _to_dict(response: Any) -> dict[str, Any]:
    """Return the reply's body; nothing where the server sent no JSON object, which ChatOpenAI then complains about."""
    if isinstance(response, str):  # events in place of JSON
        return to_body(response) or {}
    if isinstance(response, list):  # as some gateways wrap it, or a stream's chunks
        entries = [entry for entry in response if isinstance(entry, dict)]
        response = (to_body(json.dumps(entries)) if len(entries) > 1 else None) or next(iter(entries), {})
    if isinstance(response, dict):
        return dict(unwrap_reply(response))
    return response.model_dump(warnings=False) if hasattr(response, "model_dump") else {}


def _mend_arguments(sent: dict[str, Any]) -> None:
    """Empty the arguments that a model broke off: many servers answer 400 or 500 to a history that holds them."""
    for call in sent.get("tool_calls") or ():
        if read_arguments(call["function"]["arguments"]) is None:  # the call's result says what was wrong
            call["function"]["arguments"] = "{}"


def _keep_extras(message: BaseMessage, raw: dict[str, Any]) -> None:
    reasoning = raw.get("reasoning") or raw.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        message.additional_kwargs["reasoning_content"] = reasoning
    if raw.get("refusal"):
        message.additional_kwargs["refusal"] = raw["refusal"]
    if raw.get("annotations"):
        message.additional_kwargs["annotations"] = raw["annotations"]


def _keep_totals(message: BaseMessage, body: dict[str, Any], figures: dict[str, Any]) -> None:
    message.response_metadata |= usage.partial_usage(figures)
    if isinstance(body.get("provider"), str):
        message.response_metadata["provider"] = body["provider"]
    if isinstance(body.get(TIMINGS), dict):
        message.response_metadata[TIMINGS] = body[TIMINGS]
