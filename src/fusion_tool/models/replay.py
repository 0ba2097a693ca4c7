"""What an endpoint needs to be sent back in a tool loop: its own reasoning, and extras of its tool calls.

Gemini 3, Kimi K2.6 and DeepSeek V4 answer 400 where their tool calls come back without them. A LangChain message has
no field for them, so they are kept in its `additional_kwargs` as they came (one part for a reply, or for each streamed
delta), with the endpoint that gave them: no other endpoint is sent any of it.

Protocol: OpenRouter, "Reasoning tokens", on `reasoning_details`; DeepSeek, "Thinking mode", and Moonshot, on
`reasoning_content`; Google, "Thought signatures", on `extra_content` in its OpenAI-compatible API.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.messages import BaseMessage

REPLAY = "replay"
"""Key of a message's `additional_kwargs`: a list of parts, which joining chunks only makes longer."""
MARK = "reasoning_endpoint"
"""The field of a message that tells a client's next request which endpoint its reasoning came from."""
_PLAIN = ("reasoning", "reasoning_content")
DETAILS = "reasoning_details"
EXTRA = "extra_content"
REASONING = (*_PLAIN, DETAILS)
"""The fields of a reply that hold its reasoning."""
_GROWING = ("text", "summary", "data")
"""The fields of a reasoning detail that a stream cuts into pieces; the others come whole, or again with each piece."""


def keep_fields(message: BaseMessage, raw: Mapping[str, Any], endpoint: str) -> None:
    """Keep on `message` what its endpoint needs back.

    Args:
        message: The message that was made of `raw`.
        raw: The reply's message, or a stream's delta, as it came.
        endpoint: The mark of the endpoint that sent it.
    """
    part = {name: raw[name] for name in REASONING if raw.get(name) is not None}
    calls = [call for call in raw.get("tool_calls") or () if isinstance(call, dict)]
    # Ids are kept, too, where there is no extra: in a stream the extra may come in a later delta, which has no id.
    if relevant := [call for call in calls if call.get("id") or call.get(EXTRA) is not None]:
        part["calls"] = [(call.get("index"), call.get("id"), call.get(EXTRA)) for call in relevant]
    if part:
        message.additional_kwargs[REPLAY] = [{"endpoint": endpoint} | part]


def keep_mark(message: BaseMessage, endpoint: str) -> None:
    """Note on `message` the mark of the endpoint that its content came from."""
    message.additional_kwargs[REPLAY] = [*_parts(message), {"endpoint": endpoint}]


def endpoints_of(message: BaseMessage) -> list[str]:
    """Return the marks of the endpoints that `message` holds something of, the one of its fields first."""
    return [part["endpoint"] for part in _parts(message)]


def read_fields(message: BaseMessage, raw: Mapping[str, Any], endpoint: str | None) -> None:
    """Keep on `message` what a client of ours sends back of a reply, as `fields_for_client` gave it.

    Args:
        message: The message that was made of `raw`.
        raw: The assistant's message as the client sent it.
        endpoint: The mark of the endpoint that it came from if `raw` does not say; `None`: then nothing is kept.
    """
    mark = raw.get(MARK) or endpoint
    if isinstance(mark, str):
        keep_fields(message, raw, mark)


def has_token(message: BaseMessage) -> bool:
    """Tell whether any reasoning is kept on `message`."""
    # An empty field has to be sent back, too, but it is no token.
    return any(part.get(name) for part in _parts(message) for name in REASONING)


def fields_to_return(message: BaseMessage, endpoint: str | None = None) -> dict[str, Any]:
    """Return the fields that have to go back with `message`.

    Args:
        message: A message of any kind; one that no endpoint sent has none.
        endpoint: The mark of the endpoint that it is sent to; `None` for all endpoints' fields.

    Returns:
        The fields by name, the pieces of a stream joined; `extra_content` by the ids of its calls.
    """
    parts = [part for part in _parts(message) if endpoint in (None, part["endpoint"])]
    if not parts:
        return {}
    fields = {}
    for name in REASONING:
        if pieces := [part[name] for part in parts if name in part]:
            fields[name] = pieces[0] if len(pieces) == 1 else join_pieces(name, pieces)
    if extras := _extras(call for part in parts for call in part.get("calls", ())):
        fields[EXTRA] = extras
    return fields


def put_back(payload: dict[str, Any], message: BaseMessage, endpoint: str) -> None:
    """Add the fields that `endpoint` needs back to `payload`, which is `message` in the form that it is sent."""
    fields = fields_to_return(message, endpoint)
    extras = fields.pop(EXTRA, {})
    payload |= fields
    for call in payload.get("tool_calls") or ():
        if call["id"] in extras:
            call[EXTRA] = extras[call["id"]]


def _parts(message: BaseMessage) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = message.additional_kwargs.get(REPLAY, [])
    return parts


def join_pieces(name: str, pieces: list[Any]) -> Any:
    """Join the deltas of the field `name`; where they cannot be joined, return the last one."""
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    if all(isinstance(piece, list) for piece in pieces):
        entries = [entry for piece in pieces for entry in piece]
        return _join_details(entries) if name in REASONING else entries
    return pieces[-1]


def _join_details(pieces: Iterable[Any]) -> list[Any]:
    details: list[Any] = []
    for piece in pieces:
        # From the end: the detail that a piece continues is the latest one with its index.
        unfinished = next((detail for detail in reversed(details) if _continues(piece, detail)), None)
        if unfinished is None:
            details.append(dict(piece) if isinstance(piece, dict) else piece)
        else:
            _extend(unfinished, piece)
    return details


def _continues(piece: Any, detail: Any) -> bool:
    """Tell whether `piece` continues `detail`: one index, and no type or id that contradicts the other's."""
    if not (isinstance(piece, dict) and isinstance(detail, dict)):
        return False
    if piece.get("index") is None or piece["index"] != detail.get("index"):
        return False
    return all(piece.get(name) in (None, "", detail.get(name)) or not detail.get(name) for name in ("type", "id"))


def _extend(detail: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for name, value in piece.items():
        present = detail.get(name)
        if name in _GROWING and isinstance(present, str) and isinstance(value, str):
            detail[name] = present if name == "data" and present == value else present + value
        elif value is not None:
            detail[name] = value


def _extras(calls: Iterable[tuple[Any, Any, Any]]) -> dict[str, Any]:
    """Return `extra_content` by the ids of the calls."""
    # In a stream only a call's first piece has its id; the others are assigned by their index.
    ids: dict[Any, str] = {}
    extras: dict[str, Any] = {}
    for index, id_, extra in calls:
        if id_:
            ids[index] = id_
        if extra is not None and (name := ids.get(index)):
            present = extras.get(name)
            extras[name] = present | extra if isinstance(present, dict) and isinstance(extra, dict) else extra
    return extras
