"""The server alone, to try things by hand: `python -m tests.scripted_server --port 8400`."""

import argparse
import time

from tests.scripted_server.reply import Reply
from tests.scripted_server.request import Request
from tests.scripted_server.server import ScriptedServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.scripted_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one (default)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="before the first byte of each answer")
    parser.add_argument("--text", help="what every model answers (default: a line with its name)")
    options = parser.parse_args()

    def reply(request: Request) -> Reply:
        text = options.text or f"The scripted answer of {request.model}."
        return Reply(text, delay=options.latency_ms / 1000)

    with ScriptedServer(port=options.port) as server:
        server.otherwise(reply)
        print(server.url, flush=True)  # noqa: T201 - the URL is what the command is for
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
