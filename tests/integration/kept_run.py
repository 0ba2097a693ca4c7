"""A run in a process of its own, that a test can kill; with `node` it kills itself where that node would begin."""

import asyncio
import os
import signal

from fusion_tool import FusionConfig, afuse
from fusion_tool.graph import build
from tests.integration.panel import QUESTION


async def _dies(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def main(file, config, node=None):
    if node:
        setattr(build, node, _dies)
    asyncio.run(afuse(QUESTION, FusionConfig.model_validate_json(config), keep=file))
