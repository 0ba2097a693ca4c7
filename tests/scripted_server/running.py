"""A server with a journal, as a `with` block of a test."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp

from tests.scripted_server.journal import Journal
from tests.scripted_server.loopback import Loopback


class Running(Journal, ABC):
    """Serves `application()` from `start` to `stop`.

    Leaving the `with` block raises what a scripted function raised, so that its assertions count.

    Attributes:
        root: The server's URL without a path.
        port: Its port.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._loopback = Loopback(self.application(), port)
        self.root, self.port = self._loopback.root, self._loopback.port

    @abstractmethod
    def application(self) -> ASGIApp:
        """What is served; asked for once."""

    def start(self) -> Self:
        self._loopback.start()
        return self

    def stop(self) -> None:
        """Drop all connections; no thread or socket is left. Whoever they cut off is not a disconnect."""
        self.close()
        self._loopback.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self.errors:
            raise self.errors[0]
