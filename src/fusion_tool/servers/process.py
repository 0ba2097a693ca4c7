"""The server's process: socket, worker processes, graceful end.

After SIGTERM or Ctrl-C no connection is accepted; runs may finish within the time to drain, and are then cancelled, and
their clients get an error.
"""

import errno
import logging
import os
import pickle
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn

from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models
from fusion_tool.servers.app import Options, create_app
from fusion_tool.servers.auth import check_address
from fusion_tool.servers.checks import check_served
from fusion_tool.servers.http_protocol import BoundedServer, uvicorn_options
from fusion_tool.servers.open_files import Room, measure_room, raise_file_limit
from fusion_tool.servers.openai.metrics import SHARED
from fusion_tool.servers.workers import Workers, create_worker_app

_log = logging.getLogger(__name__)
_BACKLOG = 2048
"""Connections that the system holds until they are accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 picks a free one.

    Raises:
        ConfigError: It cannot listen there, for example because the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # Python's own text repeats the address; a name that is not found has numbers of its own, below 0.
        cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        cure = "; port 0 picks a free one" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(f"cannot listen on {host}:{port}: {cause}{cure}", field="port") from None


def root_url(host: str, listener: socket.socket) -> str:
    """Return the URL that clients use, without a path."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


@dataclass(frozen=True)
class ServerAddress:
    """The address and the processes of a server.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 picks a free one.
        workers: How many processes share the port.
        drain_seconds: Seconds that runs have to finish once the server is told to stop.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    drain_seconds: int = 30


def serve(options: Options, address: ServerAddress, *, on_listening: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Args:
        options: The application's options.
        address: Where it listens, and in how many processes.
        on_listening: Gets the base URL that clients use, once they can connect.

    Raises:
        ConfigError: The server would be open to other machines without keys, a model cannot work, the port is taken,
            or too few files may be open.
    """
    check_address(address.host, options.callers)
    options = _check_models(options)
    room = make_room(options.max_runs, options.panels, workers=address.workers)
    # The socket is opened here, not by uvicorn: a taken port is then one line, and the port that 0 picked is known.
    with listen(address.host, address.port) as listener:
        on_listening(f"{root_url(address.host, listener)}/v1")
        if address.workers > 1:
            _serve_by_workers(options, address, room, listener)
        else:
            app = partial(create_app, replace(options, max_runs=room.runs))
            BoundedServer(_configure(app, address, room)).run(sockets=[listener])


def _serve_by_workers(options: Options, address: ServerAddress, room: Room, listener: socket.socket) -> None:
    """Serve in processes of their own; each has its room, and all of them together have that of the options."""
    # Worker processes are spawned, and accept on the parent's socket.
    listener.set_inheritable(True)
    with TemporaryDirectory(prefix="fusion-workers-") as shared:
        # Inherited by the workers, in which prometheus-client reads it while it is imported.
        os.environ[SHARED] = shared
        app = partial(create_worker_app, pickle.dumps(options), Path(shared, "places"), room.runs)
        Workers(_configure(app, address, room), sockets=[listener]).run()


def _configure(app: Callable[[], Any], address: ServerAddress, room: Room) -> uvicorn.Config:
    # A factory, since an application cannot be sent to a worker process: each makes its own.
    return uvicorn.Config(
        app,
        factory=True,
        workers=address.workers,
        timeout_graceful_shutdown=address.drain_seconds,
        **uvicorn_options(room),
    )


def make_room(max_runs: int, panels: Sequence[FusionConfig], *, workers: int = 1) -> Room:
    """Let this process, and those that it begins, open all the files that it may; return what each takes at once.

    Logs where the files are not enough for `max_runs`.

    Args:
        max_runs: Runs at once, of all processes together.
        panels: The panels that are served.
        workers: The number of processes.

    Raises:
        ConfigError: The files are not enough for a single run.
    """
    files = raise_file_limit()
    room = measure_room(files, max_runs, panels)
    if room.runs * workers < max_runs:
        message = "%s files may be open in a process: %s runs at once instead of %s, more get 429; raise the hard limit"
        _log.warning(message, f"{files:,}", room.runs * workers, max_runs)
    return room


def _check_models(options: Options) -> Options:
    """Return the options with the agent's model as it will be asked; fail where a model cannot work."""
    panel = check_served(options.config)
    for name, config in options.presets.items():
        check_served(config, f"preset {name}")
    if options.agent_model is None:
        return replace(options, agent_model=panel.synthesizer_or_default)
    check_models([("agent_model", options.agent_model)])
    return options
