"""Which filter a model's text goes through: whether it may begin amid reasoning, remembered over its replies."""

from collections.abc import Callable
from functools import partial

from fusion_tool.config.schema import Panelist
from fusion_tool.models.providers import endpoint_for
from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter, begins_amid_reasoning

_begins_inside: dict[tuple[str | None, str], bool] = {}
"""Whether a model was seen to begin its text amid reasoning: templates write the opening mark into the prompt."""

_ONLY_THOUGHTS = partial(ReasoningFilter, only_thoughts=True)
_INSIDE, _OUTSIDE = (partial(ReasoningFilter, begins_inside=is_inside) for is_inside in (True, False))


def reasoning_filter(panelist: Panelist, *, is_shown: bool) -> Callable[[], ReasoningFilter]:
    """Return what makes the filters of one call's attempts.

    Args:
        panelist: Whose text it is.
        is_shown: Whether it is passed on as it is written, and so cannot wait for a closing mark that may never come.
    """
    # What is shown cannot be taken back, and what is held back for nothing is a stream that does not stream.
    known = _begins_inside.get(_key(panelist))
    if known is None and is_shown:
        return _ONLY_THOUGHTS
    return _INSIDE if known is not False or not is_shown else _OUTSIDE


def record_beginning(panelist: Panelist, text: str) -> None:
    """Record whether a reply's whole text began amid reasoning; a model that did so once may do so again."""
    if not _begins_inside.get(key := _key(panelist)):
        _begins_inside[key] = begins_amid_reasoning(text)


def _key(panelist: Panelist) -> tuple[str | None, str]:
    return endpoint_for(panelist), panelist.model_name
