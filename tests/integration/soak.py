"""Many runs over a provider of which every fifth reply is a fault, and a census of what they leave behind."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fusion_tool import FusionConfig, PanelFailed, afuse
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Answer, Cut, Hang, Interrupted, Reply, Request, Scripted, ScriptedServer, faults

FAULTY = 0.2
SEATS = ("test/one", "test/two", "test/three")
_FAULTS: tuple[Scripted, ...] = (
    faults.rate_limited(0),
    faults.server_error(),
    faults.overloaded(0),
    faults.unauthorized(),
    faults.no_credit(),
    faults.context_overflow("openrouter"),
    faults.garbage(),
    faults.html(),
    faults.no_choices(),
    Reply(""),
    Reply("", refusal="No."),
    Reply("It was built in", finish_reason="length"),
    Cut(),
    Interrupted(),
)


class Census(NamedTuple):
    """What there is of this process: tasks of its loop, open sockets, live objects, resident bytes."""

    tasks: int
    sockets: int
    objects: int
    resident: int


def chaos(seed: int) -> Callable[[Request], Answer | str]:
    """What every model says: four times of five what it should. Seats may also fall silent: they are cut."""
    rng = random.Random(seed)  # noqa: S311 - no secret

    def reply(request: Request) -> Answer | str:
        if rng.random() < FAULTY:
            fault = rng.choice((*_FAULTS, Hang()) if request.model in SEATS else _FAULTS)
            return fault(request) if callable(fault) else fault
        return verdict() if request.model.startswith(JUDGE) else Reply("It was built in 1861.", cost=0.001)

    return reply


def config() -> FusionConfig:
    """Three seats of which two must answer; judge and writer have a fallback each."""
    spare = ["openrouter:test/spare"]
    return panel(
        *SEATS,
        judge={"model": f"openrouter:{JUDGE}", "fallbacks": [f"openrouter:{JUDGE}-2"]},
        synthesizer={"model": f"openrouter:{WRITER}", "fallbacks": spare},
        limits={"seconds": 30, "seat_seconds": 2, "quorum": 2, "grace_seconds": 0.02},
    )


async def soak(server: ScriptedServer, runs: int, *, at_once: int = 10) -> tuple[list[Census], Counter[str]]:
    """`runs` runs, with a census after each quarter of them, and how they ended.

    The first quarter is what warms up: pools, caches, compiled agents.
    """
    ends: Counter[str] = Counter()
    censuses = []
    for _ in range(4):
        for _ in range(runs // 4 // at_once):
            ends.update(await asyncio.gather(*(_end() for _ in range(at_once))))
            server.requests.clear()  # it remembers every prompt
            server.disconnects.clear()
        censuses.append(census())
    return censuses, ends


async def _end() -> str:
    try:
        result = await afuse(QUESTION, config())
    except PanelFailed:
        return "failed"
    paid = [row for row in result.usage.calls if row.stage == "panelist" and row.cost_usd is not None]
    if not result.answer or len(paid) < len([one for one in result.responses if one.content.endswith("1861.")]):
        raise AssertionError("an answer that was paid for is lost")
    return result.status


def census() -> Census:
    """Counted after a collection, so that cycles are no leak."""
    gc.collect()
    tasks = len(asyncio.all_tasks()) - 1 if _in_loop() else 0
    return Census(tasks, sockets(), len(gc.get_objects()), _resident())


def sockets() -> int:
    """Sockets that this process holds open (Linux)."""
    held = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:  # the one that lists the folder
            continue
    return held


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text("ascii").split()
    return int(fields[1]) * 4096


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
