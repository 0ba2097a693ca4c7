"""A response while it is made: its output items, and the events that tell a stream's client of them.

Protocol: https://platform.openai.com/docs/api-reference/responses/object and `.../responses-streaming`; `fusion`,
`usage.cost` and the fields of a failure beside `code` and `message` are additions.
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from fusion_tool.budget.usage import Usage
from fusion_tool.graph.cited_answer import CitationSpan
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.response import EndPiece
from fusion_tool.servers.openai.responses.reasoning import REASONING_ID, write_reasoning
from fusion_tool.servers.openai.responses.recent_items import RecentItems
from fusion_tool.servers.openai.responses.request import ResponsesRequest

Events: TypeAlias = list[dict[str, Any]]


class ResponseWriter:
    """The state of one response. Each method returns the events that its change is told in.

    Args:
        request: The client's request.
        recent: Remembers the items, for requests that refer to them.
    """

    def __init__(self, request: ResponsesRequest, recent: RecentItems) -> None:
        self._recent, self._caller = recent if request.may_be_remembered else None, request.caller
        self._head = {"id": _id("resp"), "object": "response", "created_at": int(time.time())}
        self._echo = {"model": request.model, **request.echo}
        self._output: list[dict[str, Any]] = []
        self._message: dict[str, Any] | None = None
        self._thoughts: dict[str, Any] | None = None
        self._texts: list[str] = []
        self._count = 0

    def begin(self) -> Events:
        """Begin the response."""
        return [
            self._event(name, response=self._response("in_progress"))
            for name in ("response.created", "response.in_progress")
        ]

    def add_text(self, text: str) -> Events:
        """Add a piece to the answer's message, which begins with the first one."""
        events = [*self._end_thoughts(), *self._begin_message()]
        self._texts.append(text)
        return [*events, self._part_event("response.output_text.delta", delta=text, logprobs=[])]

    def add_thought(self, line: str) -> Events:
        """Add a line to the summary of the reasoning; once the answer has begun there is no place for it."""
        if self._message is not None:
            return []
        events: Events = []
        if self._thoughts is None:
            item, part = {"id": _id(REASONING_ID), "type": "reasoning"}, {"type": "summary_text", "text": ""}
            events = [self._add_item({**item, "summary": []}), self._summary_event("part.added", part=dict(part))]
            self._thoughts = {**item, "summary": [part]}
        self._thoughts["summary"][0]["text"] += f"{line}\n"
        return [*events, self._summary_event("text.delta", delta=f"{line}\n")]

    def end(self, end: EndPiece) -> tuple[dict[str, Any], Events]:
        """End the response; return it, and the last events."""
        is_whole = end.finish_reason != "length"
        status = "completed" if is_whole else "incomplete"
        events = self._end_thoughts()
        if not end.tool_calls:  # an answer of nothing is a message, too
            events += self._begin_message()
        events += self._end_message(status, end.citations)
        if (content := write_reasoning(end.reasoning, end.tool_calls)) is not None:
            item = {"id": _id(REASONING_ID), "type": "reasoning", "summary": [], "encrypted_content": content}
            events += [self._add_item(item), self._end_item(item)]
        for call in end.tool_calls:
            events += self._add_call(call)
        if self._recent is not None:
            self._recent.add(self._caller, self._output)
        response = self._response(
            status,
            completed_at=int(time.time()) if is_whole else None,
            incomplete_details=None if is_whole else {"reason": "max_output_tokens"},
            usage=usage_object(end.usage),
            fusion=dict(end.fusion),
        )
        return response, [*events, self._event(f"response.{status}", response=response)]

    def fail(self, error: ApiError) -> Events:
        """End a response that has begun with an error."""
        body = error.body["error"]
        told = {name: body[name] for name in ("code", "message", "param")}
        # What the client has read of the answer stands in its item, which is ended too.
        if self._message is not None and self._output[-1].get("status") == "in_progress":
            self._output[-1] = {**self._message, "status": "incomplete", "content": [_text_part("".join(self._texts))]}
        failed = self._response("failed", error={**body, "code": body["code"] or "server_error"})
        # Flat as the protocol has it, and whole as an object, without which OpenAI's own client would not raise.
        return [self._event("error", **told, error=body), self._event("response.failed", response=failed)]

    def _response(self, status: str, **more: Any) -> dict[str, Any]:
        empty = {"completed_at": None, "error": None, "incomplete_details": None, "usage": None}
        return {**self._head, "status": status, **self._echo, "output": list(self._output), **empty, **more}

    def _begin_message(self) -> Events:
        if self._message is not None:
            return []
        self._message = {"id": _id("msg"), "type": "message", "role": "assistant"}
        added = self._add_item({**self._message, "status": "in_progress", "content": []})
        return [added, self._part_event("response.content_part.added", part=_text_part(""))]

    def _end_message(self, status: str, citations: Iterable[CitationSpan]) -> Events:
        if self._message is None:
            return []
        text, annotations = "".join(self._texts), [_annotation(span) for span in citations]
        part = {**_text_part(text), "annotations": annotations}
        events = [
            self._part_event("response.output_text.annotation.added", annotation_index=index, annotation=annotation)
            for index, annotation in enumerate(annotations)
        ]
        events.append(self._part_event("response.output_text.done", text=text, logprobs=[]))
        events.append(self._part_event("response.content_part.done", part=part))
        return [*events, self._end_item({**self._message, "status": status, "content": [part]})]

    def _end_thoughts(self) -> Events:
        if self._thoughts is None or self._message is not None:
            return []
        part = self._thoughts["summary"][0]
        events = [self._summary_event("text.done", text=part["text"]), self._summary_event("part.done", part=part)]
        ended = self._end_item(self._thoughts)
        self._thoughts = None
        return [*events, ended]

    def _add_call(self, call: Mapping[str, Any]) -> Events:
        function = call["function"]
        item = {"id": _id("fc"), "type": "function_call", "call_id": call["id"], "name": function["name"]}
        arguments = function["arguments"]
        added = self._add_item({**item, "status": "in_progress", "arguments": ""})
        place = {"item_id": item["id"], "output_index": len(self._output) - 1}
        return [
            added,
            self._event("response.function_call_arguments.delta", **place, delta=arguments),
            self._event("response.function_call_arguments.done", **place, name=item["name"], arguments=arguments),
            self._end_item({**item, "status": "completed", "arguments": arguments}),
        ]

    def _add_item(self, item: dict[str, Any]) -> dict[str, Any]:
        self._output.append(item)
        return self._event("response.output_item.added", output_index=len(self._output) - 1, item=item)

    def _end_item(self, item: dict[str, Any]) -> dict[str, Any]:
        # One item is open at a time, the last one.
        self._output[-1] = item
        return self._event("response.output_item.done", output_index=len(self._output) - 1, item=item)

    def _part_event(self, name: str, /, **more: Any) -> dict[str, Any]:
        place = {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1, "content_index": 0}
        return self._event(name, **place, **more)

    def _summary_event(self, name: str, /, **more: Any) -> dict[str, Any]:
        place = {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1, "summary_index": 0}
        return self._event(f"response.reasoning_summary_{name}", **place, **more)

    def _event(self, name: str, /, **more: Any) -> dict[str, Any]:
        self._count += 1
        return {"type": name, "sequence_number": self._count - 1, **more}


def usage_object(usage: Usage) -> dict[str, Any] | None:
    """Return a bill as the `usage` of a response, with `cost` in US dollars; `None` where no tokens are known."""
    # OpenAI's fields are integers, and 0 would be believed.
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = sum(call.cached_tokens or 0 for call in usage.calls)
    # What is not counted apart is 0 all the same: typed clients refuse a response in which these are missing or null.
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "cost": usage.cost_usd,
        "unpriced_calls": usage.unpriced_calls,
    }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _annotation(span: CitationSpan) -> dict[str, Any]:
    place = {"start_index": span.start, "end_index": span.end}
    return {"type": "url_citation", **place, "url": span.url, "title": span.title}


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
