"""Endpoints that insist on their own reasoning in a tool loop, and take nobody else's.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures, https://api-docs.deepseek.com/guides/thinking_mode and
https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model: all three answer 400.
"""

from collections.abc import Mapping
from typing import Any

from tests.scripted_server.faults import openai_error
from tests.scripted_server.reply import Raw
from tests.scripted_server.request import Request

FIELDS = ("reasoning", "reasoning_content", "reasoning_details")


class Insistence:
    """Remembers what each of the insisting models gave with its tool calls."""

    def __init__(self) -> None:
        self.models: set[str] = set()
        self._given: dict[tuple[str, str], Mapping[str, Any]] = {}

    def note(self, request: Request, message: Mapping[str, Any]) -> None:
        """Remember the message with which `request` is answered."""
        for call in message.get("tool_calls", ()):
            self._given[request.model, call["id"]] = message

    def objection(self, request: Request) -> Raw | None:
        """The 400 for a history that is not what the model gave, None where it is, and where nobody insists."""
        if request.model not in self.models:
            return None
        for message in request.messages:
            for call in message.get("tool_calls") or ():
                given = self._given.get((request.model, call["id"]), {})
                if (name := _differs(message, call, given)) is not None:
                    text = f"{name} is missing in an assistant tool call message, or not what was given"
                    return openai_error(400, text, kind="invalid_request_error", code=None, param="messages")
        return None


def _differs(message: Mapping[str, Any], call: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    extras = {one["id"]: one.get("extra_content") for one in given.get("tool_calls", ())}
    if call.get("extra_content") != extras.get(call["id"]):
        return "extra_content"
    return next((name for name in FIELDS if message.get(name) != given.get(name)), None)
