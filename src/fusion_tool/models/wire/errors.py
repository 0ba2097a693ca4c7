"""What a provider's error says, wherever it stands in the reply: one sentence, its status and code, the provider.

Forms: OpenAI's `{"error": {...}}`; OpenRouter's `error.metadata.raw` and `provider_name` ("Errors" in its API
reference), where the sentence of the provider behind it is hidden, as JSON in a text; Google's list of errors; vLLM's
and Mistral's `{"object": "error"}`; FastAPI's `{"detail": ...}`; `choices[].error`; bare texts; pages of proxies.
"""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from fusion_tool.events import plain_line
from fusion_tool.models.json_reader import parse_json_prefix, parse_literal

_INNER = (
    *("metadata", "error", "errors", "detail", "choices", "fault", "cause", "response", "body", "data"),
    "base_resp",  # MiniMax
)
"""Where the error is further inside, the provider's own words first."""
_TEXTS = (
    *("raw", "message", "msg", "error_message", "errorMessage", "error_msg", "faultstring", "Message", "description"),
    *("error_description", "status_msg", "reason", "title", "text"),
)
_CODES = ("code", "status", "error_code", "statusCode", "type", "__type")
_SENTENCES = {"detail", "message", "msg", "error_msg", "error_message"}
_PROVIDERS = ("provider_name", "provider")
_PHRASES = frozenset(status.phrase.lower() for status in HTTPStatus)
_GENERIC = re.compile(
    r"(provider returned error|upstream error|internal server error|error|an error occurred)\.?", re.IGNORECASE
)
"""Sentences that say nothing: one from further inside is better."""
_PAGE = re.compile(r"\s*<(?:!--|!doctype\b|html\b|head\b|body\b|title\b|h1\b|center\b|\?xml\b)", re.IGNORECASE)
_HEADINGS = ("title", "h1", "h2", "p", "body")
_LITELLM = re.compile(r"\blitellm\.\w+: (?:\w+: )?(\w+?)Exception\b")
_EVENT = re.compile(r"\A(?:event:[^\n]*\n|:[^\n]*\n|\s)*data:\s*")
_LONGEST_BODY = 100_000
_LONGEST_PAGE = 20_000
_DEEPEST = 8
_STATUSES = range(400, 600)


class ErrorCause(NamedTuple):
    """What an error says.

    Args:
        message: The provider's own sentence, on one line; never empty.
        status: The HTTP status, or under HTTP 200 the one that the body names; `None` where there is neither.
        code: The provider's word for it, such as `context_length_exceeded`; `None` where it gives none.
        provider: The name of the provider behind a gateway, `None` where the reply does not say.
    """

    message: str
    status: int | None = None
    code: str | None = None
    provider: str | None = None


def error_cause(status: int | None, headers: Mapping[str, str], body: Any) -> ErrorCause:
    """Read an error reply.

    Args:
        status: Its HTTP status, `None` where none came.
        headers: Its headers.
        body: Its body: bytes, a text, or JSON that has been parsed.
    """
    # A proxy's page may come under any status, and only its heading says anything.
    content = _content(body)
    is_page = "html" in str(headers.get("content-type") or headers.get("Content-Type") or "").lower()
    findings = list(_findings({"raw": content} if isinstance(content, str) else content, is_page=is_page))
    texts = [text for kind, text in findings if kind == "message"]
    message = next((text for text in texts if not _is_generic(text)), max(texts, key=len, default=""))
    codes = [text for kind, text in findings if kind == "code"]
    named = [int(code) for code in codes if code.isdecimal() and len(code) == 3 and int(code) in _STATUSES]  # noqa: PLR2004 - digits
    if status is None or status < _STATUSES.start:
        status = named[0] if named else None
    words = [code for code in codes if not code.isdecimal()]
    return ErrorCause(
        message or _status_phrase(status),
        status,
        next((word for word in words if word.lower() not in ("error", "api_error")), words[0] if words else None),
        next((text for kind, text in findings if kind == "provider"), None),
    )


def is_web_page(body: Any) -> bool:
    """Tell whether a reply is a page for people."""
    return isinstance(body, str) and _PAGE.match(body) is not None


def error_under_200(headers: Mapping[str, str], body: Any) -> ErrorCause | None:
    """Read the error in a reply or a chunk whose HTTP status says that all is well; `None` where it holds none."""
    content = _content(body)
    if isinstance(content, list):
        content = next((entry for entry in content if isinstance(entry, dict)), None)
    if not isinstance(content, dict):
        return None
    choices = content.get("choices")
    inside = (
        [choice.get("error") for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    says = content.get("error") or content.get("errors") or next((error for error in inside if error), None)
    is_reply = bool(choices) or "usage" in content or isinstance(content.get("message"), dict)
    # MiniMax has it beside every reply; only a number that is not 0 is an error.
    says = says or (isinstance(base := content.get("base_resp"), dict) and base.get("status_code"))
    if says or content.get("object") == "error" or (not is_reply and content.keys() & _SENTENCES):
        return error_cause(None, headers, {key: value for key, value in content.items() if value is not None})
    return None


def _content(body: Any) -> Any:
    """Return the body as JSON where it is JSON, also inside an event of a stream; else as text."""
    if isinstance(body, bytes | bytearray):
        body = bytes(body[:_LONGEST_BODY]).decode(errors="replace")
    if not isinstance(body, str):
        return body
    text = _EVENT.sub("", body[:_LONGEST_BODY].lstrip("\ufeff"), count=1)
    try:
        return parse_json_prefix(text.lstrip())[0] if text.lstrip()[:1] in ("{", "[") else text
    except ValueError:
        return text


def _findings(value: Any, *, is_page: bool = False, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield messages, codes and providers in `value`, the innermost message first."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield from _in_text(value, is_page=is_page, depth=depth)
    elif isinstance(value, list):
        yield from _in_list(value, depth)
    elif isinstance(value, Mapping):
        # Inwards first: what is outside is the gateway's word about the provider's.
        for key in (*_INNER, *_TEXTS):
            if isinstance(value.get(key), str | Mapping | list):
                yield from _findings(value[key], is_page=is_page, depth=depth + 1)
        for kind, keys in (("code", _CODES), ("provider", _PROVIDERS)):
            words = (value[key] for key in keys if isinstance(value.get(key), str | int))
            yield from ((kind, plain_line(str(word), 80)) for word in words if word and not isinstance(word, bool))


def _in_text(text: str, *, is_page: bool, depth: int) -> Iterator[tuple[str, str]]:
    if is_page or _PAGE.match(text):
        if line := _heading(text):
            yield "message", line
        return
    if gateway := _LITELLM.search(text):
        yield "provider", gateway[1]
    inner, is_whole = _object_in(text)
    if inner is not None:
        yield from _findings(inner, depth=depth + 1)
    if not is_whole and (line := plain_line(text)):
        yield "message", line


def _in_list(entries: list[Any], depth: int) -> Iterator[tuple[str, str]]:
    """Read a list of errors; pydantic's say where the fault is beside what it is."""
    for entry in entries[:3]:
        if isinstance(entry, Mapping) and isinstance(entry.get("loc"), list) and isinstance(entry.get("msg"), str):
            yield "message", plain_line(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}")
        else:
            yield from _findings(entry, depth=depth + 1)


def _object_in(text: str) -> tuple[Any, bool]:
    """Return a JSON object or Python dict in a text, and whether the text is nothing else."""
    start = next((place for place, char in enumerate(text) if char in "{["), None)
    if text.lstrip().startswith('"'):  # a text in a text
        start = text.index('"')
    if start is None:
        return None, False
    try:
        value, end = parse_json_prefix(text, start)
    except ValueError:
        end = text.rfind("}") + 1
        try:
            value = parse_literal(text[start:end])
        except ValueError:
            return None, False
    is_whole = not text[:start].strip() and not text[end:].strip()
    is_object = isinstance(value, dict | list) or (isinstance(value, str) and is_whole)
    return (value, is_whole) if is_object else (None, False)


def _heading(page: str) -> str:
    """Return what a page says it is: its title, else its first heading or words."""
    from selectolax.lexbor import LexborHTMLParser  # few calls fail with a page, and every run would load it

    tree = LexborHTMLParser(page[:_LONGEST_PAGE])
    tree.strip_tags(["script", "style"])
    nodes = (tree.css_first(heading) for heading in _HEADINGS)
    return next((line for node in nodes if node and (line := plain_line(node.text()))), "")


def _is_generic(text: str) -> bool:
    return bool(_GENERIC.fullmatch(text)) or text.lower() in _PHRASES


def _status_phrase(status: int | None) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}" if status else "an error without a message"
    except ValueError:
        return f"HTTP {status}"
