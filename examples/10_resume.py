"""A run that is kept can be finished after a crash: only what is missing is done, and paid for.

Run: python examples/10_resume.py FOLDER [RUN_ID]   (needs OPENROUTER_API_KEY)

Without a RUN_ID it starts a run and prints its id first; kill it, and run it again with that id.
"""

import asyncio
import sys
from pathlib import Path

from fusion_tool import astream


async def main(runs: Path, run_id: str | None) -> None:
    """Start a kept run, or finish one."""
    if run_id is None:
        events = astream("Which open licences allow model weights to be sold?", "budget", keep=runs)
    else:
        events = astream(keep=runs, resume=run_id)
    async for event in events:
        if event["type"] == "run.started":
            print(f"run {event['run_id']}", flush=True)
        elif event["type"] == "panelist.answered":
            print(f"{event['seat']} has answered", flush=True)
        elif event["type"] == "run.completed":
            print(event["result"]["answer"])


folder, *rest = sys.argv[1:]
asyncio.run(main(Path(folder) / "runs.sqlite", rest[0] if rest else None))
