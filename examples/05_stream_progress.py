"""Events while the panel works, then the answer as it is written.

Run: python examples/05_stream_progress.py [PRESET]   (needs OPENROUTER_API_KEY; `local` needs no key)
"""

import asyncio
import sys

from fusion_tool import astream


async def main(preset: str) -> None:
    """Print each event in a line of its own, and the answer's pieces as they come."""
    async for event in astream("How do vector clocks differ from version vectors?", preset):
        match event["type"]:
            case "panelist.tool":
                print(
                    f"{event['t']:6.1f} s  {event['seat']} {event['tool']}: {event['query']} ({event['found']} found)"
                )
            case "panelist.answered":
                print(f"{event['t']:6.1f} s  {event['seat']} answered")
            case "panelist.failed":
                print(f"{event['t']:6.1f} s  {event['seat']} failed: {event['reason']}")
            case "judge.completed":
                print(f"{event['t']:6.1f} s  disputed points: {event['contradictions']}")
            case "synthesis.delta":
                print(event["text"], end="", flush=True)
            case "run.completed":
                print(f"\n{event['status']} after {event['t']} s")
            case _:  # what else there is: docs/events.md
                pass


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "budget"))
