"""Two thousand runs with every fifth reply a fault: tasks, sockets and memory after each quarter of them.

    python benchmarks/soak.py [RUNS]

The provider runs in this process, so that its sockets and its memory are counted too. Linux only.
"""

import asyncio
import os
import sys
from pathlib import Path
from time import perf_counter

RUNS, AT_ONCE, MIB = 2000, 25, 1 << 20


def main(runs: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))  # the scripted provider belongs to the tests
    from tests.integration.panel import KEY
    from tests.integration.soak import chaos, soak, sockets
    from tests.scripted_server import ScriptedServer

    with ScriptedServer() as server:
        os.environ |= {"OPENROUTER_BASE_URL": server.url, "OPENROUTER_API_KEY": KEY}
        server.otherwise(chaos(seed=7))
        before, start = sockets(), perf_counter()
        censuses, ends = asyncio.run(soak(server, runs, at_once=AT_ONCE))
        print("| after | tasks | sockets | live objects | resident |\n|---|---|---|---|---|")
        for quarter, one in enumerate(censuses, start=1):
            row = f"{one.tasks} | {one.sockets} | {one.objects:,} | {one.resident / MIB:.0f} MiB"
            print(f"| {runs * quarter // 4:,} runs | {row} |")
        told = ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
        print(f"\n{told}; {perf_counter() - start:.0f} s; sockets before and after: {before}, {sockets()}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
