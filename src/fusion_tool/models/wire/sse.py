"""A reply's body, streamed or whole, as the chunks or the message that were asked for.

Standards: WHATWG HTML, section 9.2 ("Server-sent events"); OpenAI's chat completion chunks and their `[DONE]`. The
decoder of OpenAI's client reads any event as JSON, so that an event without data (`retry:`, an id with a ping) ends the
stream with a `JSONDecodeError`, a byte order mark costs the first chunk, and a JSON body in place of events is an
answer without chunks.
"""

import codecs
import re
from collections.abc import Mapping
from typing import Any

from fusion_tool.errors import WRONG_FORM
from fusion_tool.models.json_reader import parse_json
from fusion_tool.models.wire.errors import error_cause, error_under_200, is_web_page
from fusion_tool.models.wire.shapes import conform_reply, unwrap_reply
from fusion_tool.models.wire.streamed_reply import join_chunks

_LINE_END = re.compile(r"\r\n|\n|\r")
_FIELD = re.compile(r"(?:data|event|id|retry)(?::|\Z)|:")
_DONE = "[DONE]"


class EventDecoder:
    """Reads a stream's bytes: each chunk with something in it once, and each error, whatever else the server sends.

    Attributes:
        is_done: Whether the server said that the answer is whole; what comes after that is none of it.
    """

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._line: list[str] = []
        self._skips_feed = False
        """Whether the last character was a carriage return: a line feed behind it ends no other line."""
        self._data: list[str] = []
        self._type = ""
        self._body: list[str] | None = None
        """The lines of a body that is no stream of events."""
        self._has_begun = False
        self._has_said = False
        self.is_done = False
        self._end: dict[str, Any] = {}
        """The last chunk that gave a reason to finish: joined chunks may hold one, and servers repeat it."""
        self._read: list[dict[str, Any]] = []
        """What is read and not returned yet."""

    def feed(self, piece: bytes) -> list[dict[str, Any]]:
        """Return what `piece` completes: chunks, and errors as `{"error": {"message": ..., ...}}`."""
        if text := self._text.decode(piece):
            if self._skips_feed:
                text = text.removeprefix("\n")
            self._skips_feed = text.endswith("\r")
            rest, *lines = _LINE_END.split(text)
            for line in lines:
                self._take("".join([*self._line, rest]))
                self._line, rest = [], line
            self._line.append(rest)
        return self._all_read()

    def close(self) -> list[dict[str, Any]]:
        """Return what the end of the stream completes."""
        for line in ("".join([*self._line, self._text.decode(b"", final=True)]), ""):
            self._take(line)
        if self._body is not None:
            self._read_body("\n".join(self._body))
        elif not self._has_said:
            self._read.append(_error({"message": "the provider sent a stream without an answer"}))
        self._finish()
        return self._all_read()

    def _all_read(self) -> list[dict[str, Any]]:
        read, self._read = self._read, []
        return read

    def _take(self, line: str) -> None:
        if not self._has_begun and line.strip("\ufeff \t"):
            line = line.lstrip("\ufeff")
            self._has_begun = not line.startswith(":")  # a comment keeps a connection open, whatever is to come
            self._body = None if _FIELD.match(line) else []
        if self._body is not None:
            self._body.append(line)
        elif not line:
            text, kind = "\n".join(self._data), self._type
            self._data, self._type = [], ""
            self._dispatch(text.strip(), kind)
        else:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name == "event":
                self._type = value.strip()

    def _dispatch(self, text: str, kind: str) -> None:
        """Read one event's data."""
        if self.is_done:
            return
        if text[: len(_DONE)].upper() == _DONE:
            self._done()
        elif text.startswith(("{", "[")):
            try:
                payload = parse_json(text)
            except ValueError:
                lines = text.splitlines()
                if len(lines) > 1 and all(line.startswith(("{", _DONE)) for line in lines):  # no line between events
                    for line in lines:
                        self._dispatch(line, kind)
                else:  # a part of the answer is lost, so the answer is
                    self._read.append(_error({"message": "a chunk of the provider's stream is not JSON"}))
                return
            for entry in payload if isinstance(payload, list) else [payload]:
                self._show(entry, kind)
        elif text and kind == "error":
            self._read.append(_error(text))
        # Anything else is a sign of life: `ping`, `null`, an empty text.

    def _show(self, payload: Any, kind: str) -> None:
        if not isinstance(payload, dict):
            return
        payload = unwrap_reply(payload)
        # An error may come after a part of the answer, under a status of success that went out long before.
        if error_under_200({}, payload) or (kind == "error" and not payload.get("choices")):
            self._has_said = True
            self._read.append(_error(payload))
        elif payload.get("choices") or payload.get("usage"):
            chunk = to_chunk(payload)
            self._has_said = True
            for choice in chunk["choices"]:
                if reason := choice.get("finish_reason"):
                    choice["finish_reason"] = None
                    end = {"index": 0, "delta": {}, "finish_reason": reason}
                    self._end = {key: value for key, value in chunk.items() if key != "usage"} | {"choices": [end]}
            self._read.append(chunk)

    def _finish(self) -> None:
        if self._end:
            self._read.append(self._end)
            self._end = {}

    def _done(self) -> None:
        """Read the end that the server itself says: an answer is whole even if no chunk gave a reason to finish."""
        self._end = self._end or {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        self._has_said = self.is_done = True
        self._finish()

    def _read_body(self, text: str) -> None:
        """Read a JSON body in place of events, or one JSON text a line; anything else is an error page."""
        try:
            payloads = [parse_json(text)]
        except ValueError:
            try:
                payloads = [parse_json(line) for line in text.splitlines() if line.strip()]
            except ValueError:
                payloads = []
        for payload in payloads:
            for entry in payload if isinstance(payload, list) else [payload]:
                self._show(entry, "")
        if not self._read:
            self._read.append(_error(text))
        elif self._read[-1].get("choices"):
            self._done()


def to_chunk(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chunk, also where a server sends a whole message in its place."""
    chunk = conform_reply(payload)
    return chunk | {"choices": [_to_delta(choice) for choice in chunk["choices"]]}


def to_body(text: str) -> dict[str, Any] | None:
    """Return a whole reply out of a body that holds events or chunks; `None` where it holds none.

    Args:
        text: The body that came in answer to a request without `stream`.
    """
    decoder = EventDecoder()
    chunks = [*decoder.feed(text.encode(errors="replace")), *decoder.close()]
    error = next((chunk for chunk in chunks if "error" in chunk), None)
    return error or (join_chunks(chunks) if chunks else None)


def finish_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole reply whose choices all say who speaks and why they finished.

    A body that is there as a whole is not broken off, and a message without a role is no other than the model's.
    """
    reply = conform_reply(body)
    return reply | {"choices": [_finish(choice) for choice in reply["choices"]]}


def _finish(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message") or choice.get("delta") or {"content": ""}
    reason = choice.get("finish_reason") or ("tool_calls" if message.get("tool_calls") else "stop")
    return {**choice, "message": {**message, "role": "assistant"}, "finish_reason": reason}


def _to_delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if isinstance(choice.get("delta"), dict) or not isinstance(message, dict):
        return {**choice, "delta": choice.get("delta") or {}}
    delta = dict(message)
    if isinstance(calls := message.get("tool_calls"), list):
        entries = (call if isinstance(call, dict) else {} for call in calls)
        delta["tool_calls"] = [{**call, "index": index} for index, call in enumerate(entries)]
    return {key: value for key, value in _finish(choice).items() if key != "message"} | {"delta": delta}


def _error(body: Any) -> dict[str, Any]:
    """Return an error in the form that OpenAI's client raises, with the status as its code."""
    cause = error_cause(None, {}, body)
    if is_web_page(body):
        cause = cause._replace(message=f"{WRONG_FORM} an OpenAI-compatible API, but a web page: {cause.message}")
    error = {"message": cause.message, "code": cause.status or cause.code, "type": cause.code}
    provider = {"metadata": {"provider_name": cause.provider}} if cause.provider else {}
    return {"error": error | provider}
