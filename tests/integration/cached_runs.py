"""Runs of one question at once, in a process of their own, which sends their results as JSON."""

import asyncio
from multiprocessing.connection import Connection
from typing import Any

from fusion_tool import FusionConfig, afuse
from tests.integration.panel import QUESTION


def main(sender: Connection, config: str, count: int) -> None:
    sender.send(asyncio.run(_results(FusionConfig.model_validate_json(config), count)))


async def _results(config: FusionConfig, count: int) -> list[dict[str, Any]]:
    results = await asyncio.gather(*(afuse(QUESTION, config) for _ in range(count)))
    return [result.model_dump(mode="json") for result in results]
