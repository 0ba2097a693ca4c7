"""What goes wrong, in the words of the providers that say so."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from tests.scripted_server.reply import Raw, Reply
from tests.scripted_server.request import Request

Vendor: TypeAlias = Literal["openai", "openrouter", "anthropic", "google", "vllm", "llama.cpp"]
Feature: TypeAlias = Literal["tools", "response_format", "stream_options"]


def http_error(
    status: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Raw:
    """An error as OpenRouter words it: `{"error": {"message", "code", "metadata"}}`."""
    error = {"message": message, "code": status} | ({"metadata": metadata} if metadata else {})
    return _json({"error": error}, status, headers)


def openai_error(status: int, message: str, *, kind: str, code: str | None, param: str | None = None) -> Raw:
    """An error as OpenAI words it: `{"error": {"message", "type", "param", "code"}}`."""
    return _json({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


def rate_limited(retry_after: float | str | None = None) -> Raw:
    """429; `retry_after` becomes the header of that name, a string (an HTTP date, rubbish) as it stands."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    upstream = {"raw": "model is temporarily rate-limited upstream", "provider_name": "Vendor"}
    return http_error(429, "Provider returned error", headers=headers, metadata=upstream)


def server_error() -> Raw:
    """500 as OpenAI words it."""
    message = "The server had an error while processing your request. Sorry about that!"
    return openai_error(500, message, kind="server_error", code=None)


def bad_gateway() -> Raw:
    """502: the model is down, or said something that OpenRouter could not read."""
    return http_error(502, "Provider returned error", metadata={"raw": "upstream connect error"})


def overloaded(retry_after: float | None = None) -> Raw:
    """503: no provider meets the request's routing."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return http_error(503, "No instances available", headers=headers)


def unauthorized() -> Raw:
    """401."""
    return http_error(401, "No auth credentials found")


def no_credit() -> Raw:
    """402."""
    wanted = "You requested up to 65536 tokens, but can only afford 2048."
    return http_error(402, f"This request requires more credits, or fewer max_tokens. {wanted}")


def flagged() -> Raw:
    """403: moderation."""
    metadata = {"reasons": ["violence"], "flagged_input": "...", "provider_name": "Vendor"}
    return http_error(403, "Input was flagged by moderation", metadata=metadata)


def withdrawn(model: str) -> Raw:
    """404: the model is gone."""
    return http_error(404, f"No endpoints found for {model}.")


def context_overflow(vendor: Vendor = "openai") -> Raw:
    """400: the prompt does not fit, in each vendor's wording."""
    match vendor:
        case "openai":
            message = (
                "This model's maximum context length is 8192 tokens. However, your messages resulted in "
                "9000 tokens. Please reduce the length of the messages."
            )
            code = "context_length_exceeded"
            return openai_error(400, message, kind="invalid_request_error", code=code, param="messages")
        case "openrouter":
            return http_error(
                400,
                "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 "
                "tokens (8000 of text input, 1000 in the output). Please reduce the length of either one, "
                'or use the "middle-out" transform to compress your prompt automatically.',
            )
        case "anthropic":
            message = "prompt is too long: 210000 tokens > 200000 maximum"
            return _json({"type": "error", "error": {"type": "invalid_request_error", "message": message}}, 400)
        case "google":
            message = "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)."
            return _json({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}, 400)
        case "vllm":
            message = (
                "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens "
                "(8000 in the messages, 1000 in the completion). Please reduce the length of the messages "
                "or completion."
            )
            error = {"object": "error", "message": message, "type": "BadRequestError", "code": 400}
            return _json(error, 400)
        case "llama.cpp":
            message = "the request exceeds the available context size, try increasing it"
            error = {"code": 400, "message": message, "type": "exceed_context_size_error", "n_ctx": 4096}
            return _json({"error": error}, 400)


def unsupported(feature: Feature) -> Raw:
    """The endpoint knows nothing of `feature`: OpenRouter's 404 for tools, a plain 400 for the others."""
    if feature == "tools":
        routing = "https://openrouter.ai/docs/guides/routing/provider-selection"
        learn = f"To learn more about provider routing, visit: {routing}"
        return http_error(404, f"No endpoints found that support tool use. {learn}")
    message = f"Unsupported parameter: '{feature}' is not supported with this model."
    return openai_error(400, message, kind="invalid_request_error", code="unsupported_parameter", param=feature)


def garbage() -> Callable[[Request], Raw]:
    """Half a JSON object under HTTP 200, inside an event where the client streams."""

    def half(request: Request) -> Raw:
        broken = b'{"id": "gen-1", "choices": [{"index": 0, '
        if request.stream:
            return Raw(b"data: " + broken + b"\n\n", content_type="text/event-stream")
        return Raw(broken)

    return half


def html(status: int = 200) -> Raw:
    """A gateway's page where JSON was promised."""
    page = b"<!doctype html><html><title>Just a moment...</title><body>Checking your browser</body></html>"
    return Raw(page, status=status, content_type="text/html; charset=utf-8")


def no_choices() -> Reply:
    """A completion without a choice."""
    return Reply(choices=0)


def _json(body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Raw:
    return Raw(json.dumps(body).encode(), status=status, headers=headers or {})
