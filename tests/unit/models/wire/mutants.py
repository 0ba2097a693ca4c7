"""Valid replies with fields deleted, null, of a wrong type or there twice, and what can still be read of each."""

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any, NamedTuple

ANSWER = "The tide rose by 4.2 metres in Brest."
ARGUMENTS = {"query": "tide brest"}
TOOL = {"type": "function", "function": {"name": "web_search", "parameters": {"type": "object"}}}
COUNTS = (90, 30)

_HEAD = {"id": "gen-1", "created": 1, "model": "vendor/a", "provider": "Vendor", "system_fingerprint": None}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "web_search", "arguments": json.dumps(ARGUMENTS)}}
_DETAIL = {"type": "reasoning.text", "text": "Look it up.", "format": "unknown", "index": 0}
USAGE = {
    "prompt_tokens": COUNTS[0],
    "completion_tokens": COUNTS[1],
    "total_tokens": sum(COUNTS),
    "cost": 0.002,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 8},
}
_CITED = {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "Tides"}}


class Mutant(NamedTuple):
    """A reply as bytes, whether it is a stream, and where it was changed."""

    body: bytes
    is_stream: bool
    parts: list[Any]
    changes: list[str]


class _Twice(dict[str, Any]):
    """An object that says one of its fields twice."""

    def __init__(self, fields: dict[str, Any], key: str) -> None:
        super().__init__(fields)
        self._key = key

    def items(self) -> Any:
        return [*super().items(), *((key, value) for key, value in super().items() if key == self._key)]


def reply(*, calls: bool, reason: str) -> list[Any]:
    """A valid whole reply."""
    message = {
        "role": "assistant",
        "content": ANSWER,
        "refusal": None,
        "reasoning": "Look it up.",
        "reasoning_details": [_DETAIL],
        "annotations": [_CITED],
    }
    message |= {"tool_calls": [{**_CALL, "index": 0}]} if calls else {}
    choice = {"index": 0, "message": message, "finish_reason": reason, "native_finish_reason": reason, "logprobs": None}
    return [{**_HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}]


def stream(*, calls: bool, reason: str) -> list[Any]:
    """The chunks of a valid stream."""
    arguments = json.dumps(ARGUMENTS)
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"reasoning": "Look it up.", "reasoning_details": [_DETAIL]},
        *({"content": ANSWER[place : place + 9]} for place in range(0, len(ANSWER), 9)),
        {"content": "", "annotations": [_CITED]},
    ]
    if calls:
        function = {"name": "web_search", "arguments": arguments[:8]}
        deltas.append({"tool_calls": [{**_CALL, "index": 0, "function": function}]})
        deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": arguments[8:]}}]})
    choices = [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    head = {**_HEAD, "object": "chat.completion.chunk"}
    return [*({**head, "choices": [choice]} for choice in choices), {**head, "choices": [], "usage": USAGE}]


VALID_CALLS = [
    [said["message"]["tool_calls"] for said in reply(calls=True, reason="")[0]["choices"]],
    [
        choice["delta"]["tool_calls"]
        for part in stream(calls=True, reason="")
        for choice in part["choices"]
        if "tool_calls" in choice["delta"]
    ],
]


def make_mutant(random: Random, *, offers_tools: bool = True) -> Mutant:
    """A valid reply, changed in one place or two; without tools on offer it calls none."""
    is_stream, calls = random.random() < 0.5, offers_tools and random.random() < 0.5
    reason = "length" if random.random() < 0.2 else "tool_calls" if calls else "stop"
    parts = deepcopy((stream if is_stream else reply)(calls=calls, reason=reason))
    changes = [_change(parts, random) for _ in range(random.choice((1, 1, 2)))]
    if is_stream:
        body = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
    else:
        body = json.dumps(parts[0]) if parts else ""
        parts = parts[:1]
    return Mutant(body.encode(), is_stream, parts, changes)


def _change(parts: list[Any], random: Random) -> str:
    if not (places := list(_places(parts, ""))):
        return "nothing is left"
    holder, key, path = random.choice(places)
    kind, value = random.choice(("delete", "null", "type", "twice")), holder[key]
    if kind == "delete":
        del holder[key]
    elif kind == "null":
        holder[key] = None
    elif kind == "type":
        holder[key] = random.choice(_others(value))
    elif isinstance(holder, list):
        holder.insert(key, deepcopy(value))
    else:
        _replace(parts, holder, _Twice(holder, key))
    return f"{path}: {kind}"


def _others(value: Any) -> list[Any]:
    """Values of other types, the value itself wrapped or written as a text among them."""
    values: list[Any] = ["x", "", 7, -1, 0.5, 1e300, True, False, [], {}, [[]], {"x": 1}, [None], [value], {"0": value}]
    values += [json.dumps(value)] if not isinstance(value, str) else []
    return [other for other in values if type(other) is not type(value)]


def _places(value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key, f"{path}/{key}"
        yield from _places(value[key], f"{path}/{key}")


def _replace(value: Any, old: Any, new: Any) -> None:
    for holder, key, _ in list(_places(value, "")):
        if holder[key] is old:
            holder[key] = new
            return


def choices_of(mutant: Mutant, name: str) -> list[dict[str, Any]]:
    """The messages, or deltas, that stand where the protocol has them: of each part the first choice that has one."""
    found = []
    for part in mutant.parts:
        choices = part.get("choices") if isinstance(part, dict) else None
        holders = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
        found += [choice[name] for choice in holders if isinstance(choice.get(name), dict)][:1]
    return found


def readable_texts(mutant: Mutant) -> list[str]:
    """The pieces of the answer that stand where the protocol has them."""
    messages = choices_of(mutant, "delta" if mutant.is_stream else "message")
    texts = [text for message in messages if isinstance(text := message.get("content"), str)]
    return [text.strip() for text in texts if text.strip()]


def readable_reasons(mutant: Mutant) -> set[str]:
    """Why the answer ended, as far as that stands where the protocol has it."""
    return {value for value in _said(mutant, "finish_reason") if isinstance(value, str) and value}


def is_refusal(mutant: Mutant) -> bool:
    """Whether the mutant says that the model refused."""
    return any(isinstance(value, str) and value for value in _said(mutant, "refusal"))


def has_usage(mutant: Mutant) -> bool:
    """Whether the valid usage, and no other, stands where the protocol has it."""
    said = [part["usage"] for part in mutant.parts if isinstance(part, dict) and part.get("usage") is not None]
    return said == [USAGE]


def calls_of(mutant: Mutant) -> list[Any]:
    """The lists of tool calls that stand where the protocol has them."""
    messages = choices_of(mutant, "delta" if mutant.is_stream else "message")
    return [message["tool_calls"] for message in messages if "tool_calls" in message]


def _said(mutant: Mutant, name: str) -> Iterator[Any]:
    return (holder[key] for holder, key, _ in _places(mutant.parts, "") if key == name)
