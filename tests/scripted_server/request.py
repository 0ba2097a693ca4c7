"""What a client asked, as the script and the test see it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One recorded request.

    `headers` have lower-case names, `body` is the parsed JSON (empty for a GET), `time` is
    `time.monotonic()` at the end of the request's body, `query` what follows the path's `?`.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    time: float
    query: str = ""

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        return self.body.get("messages") or []

    @property
    def prompt(self) -> str:
        """The text of all messages, so that a reply can cite what it was shown."""
        return "\n\n".join(_text(message.get("content")) for message in self.messages)

    @property
    def last(self) -> str:
        """The text of the last message."""
        return _text(self.messages[-1].get("content")) if self.messages else ""

    @property
    def tools(self) -> list[str]:
        """Names of the functions that are offered."""
        return [tool["function"]["name"] for tool in self.body.get("tools") or () if "function" in tool]

    @property
    def tool_results(self) -> list[str]:
        """The text of the `tool` messages, in order."""
        return [_text(message.get("content")) for message in self.messages if message.get("role") == "tool"]


def _text(content: object) -> str:
    return content if isinstance(content, str) else "\n".join(_parts(content))


def _parts(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            yield part["text"]
