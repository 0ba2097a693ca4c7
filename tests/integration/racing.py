"""Processes that race to resume one run: `python -m tests.integration.racing PLACE RUN_ID PROCESSES`.

Each prints a line: the answer, or why it has none. They are forked once everything is imported, so that they race.
"""

import asyncio
import os
import sys

from fusion_tool import FusionError, afuse


def resume(place: str, run_id: str) -> str:
    try:
        return asyncio.run(afuse(resume=run_id, keep=place)).answer
    except FusionError as error:
        return str(error)


def main(place: str, run_id: str, processes: str) -> None:
    children = []
    for _ in range(int(processes)):
        if (child := os.fork()) == 0:
            os.write(1, f"{resume(place, run_id)}\n".encode())
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
