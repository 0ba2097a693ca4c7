"""The process that holds a local model: llama.cpp's server over loopback.

A process of its own, since an error in C would end the caller's. It reads its options as one line of JSON from
standard input, writes its address as one line, and ends when its standard input does: with its parent, however that
ends.
"""

import json
import os
import sys
from typing import Any


def _start(options: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options["path"]
    params.n_parallel, params.n_ctx = 1, options["window"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.hostnames, params.port = ["127.0.0.1"], options["port"]
    # Whoever has an account on the machine reaches its loopback; this process is asked by its parent alone.
    params.api_keys = [options["key"]]
    params.use_jinja = True
    params.verbosity = -1
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until standard input ends."""
    # What C libraries print must not stand in the parent's line.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = _start(json.loads(sys.stdin.readline()))
    out.write(json.dumps({"address": server.listening_address}) + "\n")
    out.flush()
    sys.stdin.read()
    # Without the interpreter's way out, which would wait for a request that nobody waits for any more.
    os._exit(0)


if __name__ == "__main__":
    main()
