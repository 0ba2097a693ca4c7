"""An endpoint that charges: for every answer that it begins, as much as it may, whether or not the end arrives."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fusion_tool.budget.pricing import cost_of
from tests.integration.panel import verdict
from tests.scripted_server import Cut, Interrupted, Raw, Reply, Request, Usage, faults
from tests.scripted_server.reply import Answer

BYTES_A_TOKEN = 3
UNLIMITED = 500
"""What is answered to a request without `max_tokens`."""


class Charge(NamedTuple):
    """What one request costs: US dollars, and tokens of prompt and answer."""

    model: str
    usd: float
    prompt: int
    answer: int


class Till:
    """What the endpoint has charged so far; its methods are replies for the scripted server."""

    def __init__(self) -> None:
        self.charges: list[Charge] = []

    def models(self) -> list[str]:
        return [charge.model for charge in self.charges]

    @property
    def usd(self) -> float:
        return sum(charge.usd for charge in self.charges)

    @property
    def tokens(self) -> int:
        return sum(charge.prompt + charge.answer for charge in self.charges)

    def reply(self, fate: str) -> Callable[[Request], Answer]:
        """A reply with one of `FATES`."""

        def answer(request: Request) -> Answer:
            if fate in FREE:
                return FREE[fate]
            charge = self._charge(request)
            return FATES[fate](Reply(said(request), usage=Usage(charge.prompt, charge.answer), cost=charge.usd))

        return answer

    def _charge(self, request: Request) -> Charge:
        prompt, answer = len(request.prompt.encode()) // BYTES_A_TOKEN, request.body.get("max_tokens") or UNLIMITED
        usd, _ = cost_of(f"openrouter:{request.model}", input_tokens=prompt, output_tokens=answer)
        self.charges.append(Charge(f"openrouter:{request.model}", usd or 0.0, prompt, answer))
        return self.charges[-1]


def said(request: Request) -> str:
    """What suits every role."""
    return verdict() if "consensus" in request.prompt else "It was built in 1861."


def _untold(reply: Reply) -> Any:
    return Reply(reply.text, usage=None)


FATES: dict[str, Callable[[Reply], Any]] = {
    "an answer": lambda reply: reply,
    "an answer, late": lambda reply: Reply(reply.text, usage=reply.usage, cost=reply.cost, delay=0.01),
    "an answer whose cost is not told": _untold,
    "nothing": lambda reply: Reply("", usage=reply.usage, cost=reply.cost),
    "a dropped connection": lambda reply: Cut(reply, after=0),
    "half a body": Cut,
    "no JSON": lambda _: faults.garbage(),
    "502 under 200": Interrupted,
    "502 under 200, at once": lambda reply: Interrupted(reply, after=0),
    "429 under 200, at once": lambda reply: Interrupted(reply, after=0, code=429),
    "no stream_options, under 200": lambda reply: Interrupted(
        reply, after=0, code=400, message="Unsupported parameter: stream_options"
    ),
    "no response_format, under 200": lambda reply: Interrupted(
        reply, after=0, code=400, message="Unsupported parameter: response_format"
    ),
}
"""Replies that are charged."""

FREE: dict[str, Raw] = {
    "429": faults.rate_limited(0),
    "500": faults.server_error(),
    "503": faults.overloaded(0),
    "401": faults.unauthorized(),
    "no stream_options": faults.unsupported("stream_options"),
    "no response_format": faults.unsupported("response_format"),
}
"""Replies that are not."""
