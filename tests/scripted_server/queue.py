"""Replies in order, the last one over and over."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Queue(Generic[T]):
    """What a model, a rule or a page answers, call by call."""

    def __init__(self, replies: tuple[T, ...]) -> None:
        if not replies:
            raise ValueError("a script needs at least one reply")
        self._replies = replies
        self._next = 0

    def take(self) -> T:
        """The next reply; where there is no next, the last."""
        reply = self._replies[min(self._next, len(self._replies) - 1)]
        self._next += 1
        return reply
