"""OpenAI's chat completions, with parameters and replies left as they are.

The client's own `chat.completions` walks through every parameter to convert types that are not in them, and makes
objects of every reply and chunk, which ChatOpenAI turns back into dicts (benchmarks/ladder.py).
"""

from typing import Any, NamedTuple

from openai import AsyncOpenAI, AsyncStream

_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}
"""What a caller says about the request rather than in it, and what the client calls it."""


class WholeReply(NamedTuple):
    """A reply in the form in which ChatOpenAI takes it: JSON that has been read, or text where it is none."""

    body: Any

    def parse(self) -> Any:
        """Return the body."""
        return self.body


class PlainCompletions:
    """Stands in for `AsyncOpenAI.chat.completions`.

    Args:
        client: Makes the requests.
    """

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client
        self.with_raw_response = _WholeCompletions(self)

    async def create(self, *, stream: bool = False, extra_body: Any = None, **fields: Any) -> Any:
        """Ask for a completion.

        Args:
            stream: Whether the answer shall come in chunks; their stream is returned then.
            extra_body: Fields that stand above those in `fields`.
            fields: The request's fields, and the client's own `extra_headers`, `extra_query`, `timeout`.

        Raises:
            openai.OpenAIError: As the client's own.
        """
        options: Any = {name: fields.pop(key) for key, name in _OPTIONS.items() if key in fields}
        return await self._client.post(
            "/chat/completions",
            body={**fields, "stream": stream, **(extra_body or {})},
            cast_to=object,
            options=options,
            stream=stream,
            stream_cls=AsyncStream[object],
        )


class _WholeCompletions:
    def __init__(self, completions: PlainCompletions) -> None:
        self._completions = completions

    async def create(self, **fields: Any) -> WholeReply:
        return WholeReply(await self._completions.create(**fields))
