"""A response as it is sent: whole, or as a stream of the protocol's events.

Progress stands in comments, or as the summary of a reasoning item before the answer; clients show it as such.
"""

from starlette.types import Send

from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.response import EndPiece, ProgressPiece, Responder, TextPiece, send_json
from fusion_tool.servers.openai.responses.recent_items import RecentItems
from fusion_tool.servers.openai.responses.request import ResponsesRequest
from fusion_tool.servers.openai.responses.writer import Events, ResponseWriter
from fusion_tool.servers.openai.sse import EventStream, ProgressStyle, comment, event


class WholeResponder:
    """A responder that sends a response when it is whole.

    Args:
        send: ASGI's function.
        writer: The response.
    """

    def __init__(self, send: Send, writer: ResponseWriter) -> None:
        self._send, self._writer = send, writer

    async def feed(self, piece: TextPiece | ProgressPiece) -> None:
        """Take a piece of the answer; progress has no place in a whole response."""
        if isinstance(piece, TextPiece):
            self._writer.add_text(piece.text)

    async def end(self, end: EndPiece) -> None:
        """Send the response."""
        response, _ = self._writer.end(end)
        await send_json(self._send, response)

    async def fail(self, error: ApiError) -> None:
        """Send the error instead."""
        await send_json(self._send, error.body, error.status, error.headers)

    def close(self) -> None:
        """Do nothing: a response that is sent whole leaves nothing open."""


class StreamResponder(EventStream):
    """A responder that sends a response's events as they come.

    Args:
        send: ASGI's function.
        writer: The response.
        progress: How progress is shown.
    """

    def __init__(self, send: Send, writer: ResponseWriter, progress: ProgressStyle) -> None:
        super().__init__(send)
        self._writer, self._progress = writer, progress

    def opening(self) -> bytes:
        """Return the events of a response that has begun."""
        return _encode(self._writer.begin())

    def failure(self, error: ApiError) -> bytes:
        """Return the error's event, and the failed response."""
        return _encode(self._writer.fail(error))

    async def feed(self, piece: TextPiece | ProgressPiece) -> None:
        """Send a piece."""
        await self.begin()
        if isinstance(piece, TextPiece):
            await self.write(_encode(self._writer.add_text(piece.text)))
        elif self._progress == "comments":
            await self.write(comment(piece.line))
        elif self._progress == "reasoning" and (thought := self._writer.add_thought(piece.line)):
            await self.write(_encode(thought))

    async def end(self, end: EndPiece) -> None:
        """Send what is left of the response, and end the stream."""
        await self.begin()
        _, last = self._writer.end(end)
        await self.finish(_encode(last))


def response_responder(
    recent: RecentItems, send: Send, request: ResponsesRequest, progress: ProgressStyle
) -> Responder:
    """Return what writes a response, whole or as a stream, as the client asked; `recent` remembers its items."""
    writer = ResponseWriter(request, recent)
    return StreamResponder(send, writer, progress) if request.stream else WholeResponder(send, writer)


def _encode(events: Events) -> bytes:
    return b"".join(event(one, one["type"]) for one in events)
