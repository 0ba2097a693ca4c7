"""Runs of one question at once, in a process of their own: `python -m tests.integration.cached_runs CONFIG COUNT`.

Prints, as JSON, a list of the results.
"""

import asyncio
import json
import sys

from fusion_tool import FusionConfig, afuse
from tests.integration.panel import QUESTION


async def main(config: str, count: str) -> None:
    settings = FusionConfig.model_validate_json(config)
    results = await asyncio.gather(*(afuse(QUESTION, settings) for _ in range(int(count))))
    print(json.dumps([result.model_dump(mode="json") for result in results]))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
