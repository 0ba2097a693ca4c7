"""The caller's own classifier, a language model perhaps: asked first, believed only where what it says is valid."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from fusion_tool.routing.classify import classify
from fusion_tool.routing.signals import Signals

Classifier: TypeAlias = Callable[[str], Awaitable[Signals | Mapping[str, Any]]]
"""From a question to its signals, or to a part of them; the domain must be among them."""

_log = logging.getLogger(__name__)


async def consult(classifier: Classifier | None, question: str, context: str = "") -> Signals:
    """The signals of a question by `classifier`; by the word lists where there is none, or it fails.

    What it leaves out is taken from the word lists, but for the confidence, which is then 1: it has named a domain.

    Args:
        classifier: The caller's own.
        question: What is asked.
        context: What is already known; the word lists read it.
    """
    own = classify(question, context)
    if classifier is None:
        return own
    try:
        said = await classifier(question)
        return said if isinstance(said, Signals) else _completed(said, own)
    except Exception as error:  # noqa: BLE001 - anybody's code, and the run goes on without it
        _log.warning("the classifier gave no valid signals (%s); the word lists decide", type(error).__name__)
        return own


def _completed(said: Mapping[str, Any], own: Signals) -> Signals:
    if "domain" not in said:
        raise ValueError("no domain")
    default = own.model_dump() | {"confidence": 1.0, "evidence": (f"{said['domain']}: the given classifier",)}
    return Signals.model_validate(default | dict(said))
