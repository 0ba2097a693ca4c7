"""How long a sandboxed `true` takes, from the call to its result: the sandbox is made and torn down each time.

Run it with `python benchmarks/sandbox.py`; it prints the median, the 95th percentile and the command.
"""

import asyncio
from statistics import median, quantiles

from fusion_tool.tools.sandbox.shell import probe, run

COMMAND, TIMES = "true", 50


async def main() -> None:
    found = await probe()
    print(found.detail)
    if not found.works:
        return
    seconds = [(await run(COMMAND)).seconds for _ in range(TIMES)]
    slow = quantiles(seconds, n=20)[-1]
    print(f"{COMMAND}: median {median(seconds) * 1000:.1f} ms, p95 {slow * 1000:.1f} ms, n={TIMES}")


if __name__ == "__main__":
    asyncio.run(main())
