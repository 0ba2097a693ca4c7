"""A fusion inside a fusion is refused: one level, told by a context variable that is set around a seat's work."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fusion_tool.errors import RecursionRefused

_inside_seat: ContextVar[bool] = ContextVar("fusion_inside_seat", default=False)


@contextmanager
def seat_at_work() -> Iterator[None]:
    """Mark everything that is called inside as a seat's doing."""
    token = _inside_seat.set(True)
    try:
        yield
    finally:
        _inside_seat.reset(token)


def refuse_inside_seat() -> None:
    """Fail where the caller is a seat of another run.

    Raises:
        RecursionRefused: It is.
    """
    if _inside_seat.get():
        raise RecursionRefused(
            "a fusion was started by a panelist of another fusion; take fusion_research out of panel_tools"
        )
