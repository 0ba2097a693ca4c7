"""Which parameter of a request an endpoint refuses: read from its error, and remembered for the process.

Sources: the wording of OpenAI, OpenRouter, Google, Groq, DeepSeek, Moonshot, Mistral, vLLM, llama.cpp and Ollama, as in
`tests/unit/models/test_refusals.py`.
"""

import re
from typing import Literal, TypeAlias

Parameter: TypeAlias = Literal[
    "tools", "tool_choice", "response_format", "max_tokens", "stream_options", "cache_control"
]

_NAMES: dict[Parameter, str] = {
    # A "tool call" is a part of the conversation; an error that speaks of one is about a message, not the parameter.
    "tools": r"\btools\b|\btool[ -]?(?:use|calling)\b|\bfunctions?\b(?:[ -]calling\b)?(?! call)|\bauto\W* tool choice",
    "tool_choice": r"\btool[_ ]?choice\b",
    "max_tokens": r"\bmax_tokens\b",
    "stream_options": r"\bstream_options\b",
    "cache_control": r"\bcache_control\b",
}
_REFUSED = (
    r"(?:\bno|not|n't|cannot|can ?not)\b.{0,24}(?:support|enable|permit|implement|available|accept|recogni[sz]e|known)"
    r"|\bno endpoints? found|\bunsupported|\bunrecogni[sz]ed|\bunknown|\bextra (?:inputs|fields)|\bunexpected keyword"
    r"|cannot find field|\brequires? --|\bincompatible|\bmust (?:be|either)|\binvalid value|\binvalid schema"
    r"|\bnot allowed"
)
_NEAR = 90
"""Characters between a parameter and what is said of it."""
_PATTERNS = {
    parameter: re.compile(
        rf"(?:{name}).{{0,{_NEAR}}}?(?:{_REFUSED})|(?:{_REFUSED}).{{0,{_NEAR}}}?(?:{name})", re.IGNORECASE
    )
    for parameter, name in _NAMES.items()
} | {
    # No message of a conversation speaks of a schema: whatever an endpoint says against ours, it does not take it.
    "response_format": re.compile(
        r"response[_ ]?(?:format|schema)|\bschema\b|json[_ ](?:schema|mode|object)|structured[_ ]output|\bgrammar\b"
        r"|additionalProperties|guided[_ ]",
        re.IGNORECASE,
    )
}
_ANY_PARAMETER = re.compile(r"requested parameters|unsupported parameters?\W*$", re.IGNORECASE)
"""OpenRouter, and some gateways, do not say which parameter it is."""

_refused: set[tuple[str, Parameter]] = set()


def names_refused(message: str, parameter: Parameter) -> bool:
    """Tell whether an error's sentence says that the endpoint does not take `parameter`."""
    return bool(_PATTERNS[parameter].search(message) or _ANY_PARAMETER.search(message))


def remember_refusal(endpoint: str, parameter: Parameter) -> None:
    """Remember that an endpoint does not take `parameter`.

    Args:
        endpoint: What tells the address and the model from others.
        parameter: What it refused.
    """
    # For the process alone: an endpoint that learns the parameter is asked again by the next one.
    _refused.add((endpoint, parameter))


def has_refused(endpoint: str, parameter: Parameter) -> bool:
    """Tell whether the endpoint is known not to take `parameter`."""
    return (endpoint, parameter) in _refused
