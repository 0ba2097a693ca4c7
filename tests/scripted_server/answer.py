"""An answer put on the wire: in one piece, event by event, or not to its end."""

from itertools import islice

from tests.scripted_server import wire
from tests.scripted_server.client import Client
from tests.scripted_server.reply import Answer, Cut, Hang, Interrupted, Raw, Reply
from tests.scripted_server.request import Request

# OpenRouter keeps the connection of a call that does not stream alive with white space before the JSON.
_BLANK = b"\n         \n"


async def answer(client: Client, chosen: Answer, request: Request, generation: str) -> None:
    """Send `chosen`. Raises Gone where the client leaves while it is waited for."""
    held = chosen if isinstance(chosen, Reply | Raw) else chosen.reply
    if held.gate is not None:
        await client.wait_for(held.gate.opened)
    await client.pause(held.delay)
    match chosen:
        case Reply() if request.stream:
            await _stream(client, chosen, request, generation)
        case Reply():
            await _whole(client, wire.completion(chosen, request, generation), generation)
        case Raw():
            await raw(client, chosen)
        case Hang():
            await _hang(client, chosen, request, generation)
        case Cut():
            await _cut(client, chosen, request, generation)
        case Interrupted() if request.stream:
            await _first_events(client, chosen.reply, request, generation, chosen.after)
            await client.end(wire.error_event(chosen, request, generation) + wire.DONE)
        case Interrupted():
            await _whole(client, wire.failure(chosen), generation)


async def raw(client: Client, response: Raw) -> None:
    """Send `response` as it is."""
    length = {"content-type": response.content_type, "content-length": str(len(response.body))}
    await client.start(response.status, {**length, **response.headers})
    await client.end(response.body)


async def _whole(client: Client, body: bytes, generation: str) -> None:
    await raw(client, Raw(body, headers={"x-generation-id": generation}))


async def _stream(client: Client, reply: Reply, request: Request, generation: str) -> None:
    await _start_events(client, generation)
    events = wire.events(reply, request, generation)
    if not reply.chunk_delay:
        await client.end(wire.COMMENT * reply.comments + b"".join(events))
        return
    await client.write(wire.COMMENT * reply.comments)
    for event in events:
        await client.write(event)
        await client.pause(reply.chunk_delay)
    await client.end()


async def _hang(client: Client, hang: Hang, request: Request, generation: str) -> None:
    if hang.after or hang.keepalive is not None:
        if request.stream:
            await _first_events(client, hang.reply, request, generation, hang.after)
        else:
            await client.start(200, {"content-type": "application/json"})
    while hang.keepalive is not None:
        await client.write(wire.COMMENT if request.stream else _BLANK)
        await client.pause(hang.keepalive)
    await client.leave()


async def _cut(client: Client, cut: Cut, request: Request, generation: str) -> None:
    if not cut.after:
        await client.drop()
    elif request.stream:
        # An application that returns before the last part makes uvicorn flush and close.
        await _first_events(client, cut.reply, request, generation, cut.after)
    else:
        body = wire.completion(cut.reply, request, generation)
        await client.start(200, {"content-type": "application/json", "content-length": str(len(body))})
        await client.write(body[: len(body) // 2])


async def _first_events(client: Client, reply: Reply, request: Request, generation: str, count: int) -> None:
    await _start_events(client, generation)
    await client.write(wire.COMMENT * reply.comments)
    for event in islice(wire.events(reply, request, generation), count):
        await client.write(event)


async def _start_events(client: Client, generation: str) -> None:
    await client.start(200, {"content-type": "text/event-stream", "x-generation-id": generation})
