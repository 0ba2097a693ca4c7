"""What happened: every request, who left early, how many were answered at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from tests.scripted_server.request import Request


class Gone(Exception):  # noqa: N818 - it is news, not an error
    """The client closed its connection before the answer was over."""


class Journal:
    """Written by the server's thread, read by the test's.

    Attributes:
        requests: All requests in order of arrival, those for lists of models too.
        disconnects: The requests whose client went away before the answer was over.
        errors: What a scripted function or a rule raised.
        in_flight: Completions being answered now.
        peak_in_flight: The most that were ever answered at once.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.disconnects: list[Request] = []
        self.errors: list[Exception] = []
        self.in_flight = 0
        self.peak_in_flight = 0
        self._closed = False
        self._changed = Condition()

    @property
    def counts(self) -> Counter[str]:
        """Completions asked of each model."""
        return Counter(request.model for request in self.requests if request.model)

    def calls(self, model: str) -> list[Request]:
        """The completions asked of `model`, in order."""
        return [request for request in self.requests if request.model == model]

    def wait_until(self, happened: Callable[[], bool], timeout: float = 30.0) -> None:
        """Block until `happened()`, looked at again after each change.

        Raises:
            TimeoutError: It did not happen within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(happened, timeout):
                raise TimeoutError(f"not seen within {timeout:g} s; requests: {dict(self.counts)}")

    async def until(self, happened: Callable[[], bool], timeout: float = 30.0) -> None:  # noqa: ASYNC109 - the same bound as `wait_until`
        """`wait_until` for a test that is a coroutine."""
        await asyncio.to_thread(self.wait_until, happened, timeout)

    def close(self) -> None:
        """Note no more disconnects: from here on it is the server that leaves."""
        self._closed = True

    def arrived(self, request: Request) -> None:
        """Record a request."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    @contextmanager
    def answering(self, request: Request) -> Iterator[None]:
        """Count `request` as in flight, and note where its client leaves before the end."""
        with self._changed:
            self.in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
            self.requests.append(request)
            self._changed.notify_all()
        left = False
        try:
            yield
        except Gone:
            left = True
        finally:
            with self._changed:
                self.in_flight -= 1
                if left and not self._closed:
                    self.disconnects.append(request)
                self._changed.notify_all()
