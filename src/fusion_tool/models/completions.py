"""OpenAI's chat completions over an HTTP client, with parameters and replies left as they are.

OpenAI's own client builds every request anew out of its options, walks through each parameter to convert types that are
not in it, and makes objects of every reply and chunk, which ChatOpenAI turns back into dicts (benchmarks/ladder.py).
Its errors are raised here, too, and LangChain's that tell which may be repeated.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Self

import httpx2
import openai
from langchain_core.exceptions import ModelConnectionError, ModelTimeoutError

from fusion_tool.models.http import Headers, post_body
from fusion_tool.models.json_reader import parse_json
from fusion_tool.models.wire.sse import EventDecoder

_ERRORS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
_SERVER_ERRORS = 500
_HTTP_ERRORS = (httpx2.RequestError, ssl.SSLError)
_DRAIN_SECONDS = 0.1
"""How long a stream's end is awaited behind its last event: a connection that was read to its end is used again."""


class RequestTimeoutError(openai.APITimeoutError, ModelTimeoutError):
    """The HTTP client's own limit passed."""


class RequestBrokenError(openai.APIConnectionError, ModelConnectionError):
    """The provider was not reached, or the connection broke."""


class PlainCompletions:
    """The chat completions of one endpoint.

    Args:
        http: Makes the requests.
        base_url: The endpoint's root.
        headers: What every request has, besides the HTTP client's own.
        silence: Seconds that a stream may go without a chunk; `None` or 0 sets no limit.
    """

    def __init__(
        self, http: httpx2.AsyncClient, base_url: str, headers: Mapping[str, str], *, silence: float | None
    ) -> None:
        self._http, self._url, self._headers = http, f"{base_url.rstrip('/')}/chat/completions", headers
        self._silence = silence or None

    async def create(self, *, stream: bool = False, extra_body: Any = None, **fields: Any) -> Any:
        """Ask for a completion, and return the reply's JSON; its text where that is none.

        Args:
            stream: Whether the answer shall come in chunks; a `ChunkStream` of them is returned then.
            extra_body: Fields that stand above those in `fields`.
            fields: The request's fields.

        Raises:
            openai.APIError: The request failed, or was answered with an error.
        """
        content = _encode({**fields, "stream": stream, **(extra_body or {})})
        try:
            response = await post_body(self._http, self._url, self._all_headers, content, stream=stream)
            if not response.is_success:
                await response.aread()
        except _HTTP_ERRORS as error:
            raise _client_error(error, self._url) from error
        if not response.is_success:
            raise _status_error(response, self._url)
        if stream:
            return ChunkStream(response, self._url, self._silence)
        is_json = response.headers.get("content-type", "").partition(";")[0].endswith("json")
        with suppress(ValueError):  # events, or lines of JSON, under the label of JSON
            return response.json() if is_json else response.text
        return response.text

    @cached_property
    def _all_headers(self) -> Headers:
        """The headers of every request, the HTTP client's own among them."""
        headers = self._http.build_request("POST", self._url, headers=self._headers).headers
        return [(name, value) for name, value in headers.items() if name != "content-length"]


class ChunkStream:
    """The chunks of a streamed completion; leaving its context closes the response.

    Args:
        response: The response, whose body is still to be read.
        url: Where it comes from.
        silence: Seconds that may pass without a chunk; `None` sets no limit.
    """

    def __init__(self, response: httpx2.Response, url: str, silence: float | None) -> None:
        self._response, self._url, self._silence = response, url, silence

    async def __aenter__(self) -> Self:
        """Enter the context."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the response."""
        await self._response.aclose()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yield chunk after chunk.

        Raises:
            openai.APIError: The stream holds an error, or broke off.
            TimeoutError: Nothing of the answer came for too long; signs of life are no part of it.
        """
        decoder, pieces = EventDecoder(), aiter(self._response.aiter_bytes())
        until = self._end_of_patience()
        piece: bytes | None = b""
        while piece is not None and not decoder.is_done:
            try:
                async with asyncio.timeout_at(until):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise TimeoutError(f"nothing of the answer came for {self._silence:g} seconds") from None
            except _HTTP_ERRORS as error:
                raise _client_error(error, self._url) from error
            chunks = decoder.close() if piece is None else decoder.feed(piece)
            for chunk in chunks:
                if cause := chunk.get("error"):
                    raise openai.APIError(cause["message"], _request_to(self._url), body=cause)
                yield chunk
            if chunks:
                until = self._end_of_patience()
        with suppress(TimeoutError, httpx2.RequestError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for _ in pieces:
                    """What comes behind the end is no part of the answer."""

    def _end_of_patience(self) -> float | None:
        return None if self._silence is None else asyncio.get_running_loop().time() + self._silence


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _request_to(url: str) -> httpx2.Request:
    """Return the request that OpenAI's errors name: without the headers, which hold the key."""
    return httpx2.Request("POST", url)


def _client_error(error: Exception, url: str) -> openai.APIConnectionError:
    kind = RequestTimeoutError if isinstance(error, httpx2.TimeoutException) else RequestBrokenError
    return kind(request=_request_to(url))


def _status_error(response: httpx2.Response, url: str) -> openai.APIStatusError:
    response.request = _request_to(url)
    text = response.text.strip()
    try:
        body = parse_json(text)
    except ValueError:
        body = text
    said = body.get("error", body) if isinstance(body, dict) else body
    message = said.get("message") if isinstance(said, dict) else None
    status = response.status_code
    other = openai.InternalServerError if status >= _SERVER_ERRORS else openai.APIStatusError
    line = f"Error code: {status} - {message}" if isinstance(message, str) and message else f"Error code: {status}"
    return _ERRORS.get(status, other)(line, response=response, body=said)
