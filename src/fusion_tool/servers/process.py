"""The server's process: socket, worker processes, graceful end.

After SIGTERM or Ctrl-C no connection is accepted; runs may finish within the time to drain, and are then cancelled, and
their clients get an error.
"""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from threading import Thread

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models
from fusion_tool.servers.app import Options, create_app
from fusion_tool.servers.auth import check_address
from fusion_tool.servers.checks import check_served
from fusion_tool.servers.http_protocol import uvicorn_options
from fusion_tool.servers.openai.metrics import SHARED


def listen(host: str, port: int, *, backlog: int | None = None) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 picks a free one.
        backlog: How many connections may wait to be accepted; `None` leaves it to the system.

    Raises:
        ConfigError: It cannot listen there, for example because the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}", field="port") from None


def root_url(host: str, listener: socket.socket) -> str:
    """Return the URL that clients use, without a path."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


_BACKLOG = 2048


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
        ConfigError: The server would be open to other machines without keys, a model cannot work, or the port is taken.
    """
    check_address(address.host, options.callers)
    options = _check_models(options)
    # The socket is opened here, not by uvicorn: a taken port is then one line, and the port that 0 picked is known.
    with (
        listen(address.host, address.port, backlog=_BACKLOG) as listener,
        TemporaryDirectory(prefix="fusion-metrics-") as shared,
    ):
        config = uvicorn.Config(
            # A factory, since an application cannot be sent to a worker process: each makes its own.
            partial(_create_worker, options),
            factory=True,
            workers=address.workers,
            timeout_graceful_shutdown=address.drain_seconds,
            backlog=_BACKLOG,
            **uvicorn_options(options.max_runs),
        )
        # Worker processes are spawned, and accept on the parent's socket.
        listener.set_inheritable(True)
        on_listening(f"{root_url(address.host, listener)}/v1")
        if address.workers > 1:
            # Inherited by the workers, in which prometheus-client reads it while it is imported.
            os.environ[SHARED] = shared
            _Workers(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])


class _Workers(Multiprocess):
    """uvicorn's worker processes; the runs of one that was killed are no longer counted as under way."""

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            mark_process_dead(pid)  # type: ignore[no-untyped-call] # the package has no types for it


def _create_worker(options: Options) -> Starlette:
    """Return the application of a process, which ends as at SIGTERM where the one that began it was killed."""
    if (parent := parent_process()) is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()
    return create_app(options)


def _end_with(parent: BaseProcess) -> None:
    # uvicorn's workers would serve on, holding the port, with nobody who could end them.
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _check_models(options: Options) -> Options:
    """Return the options with the agent's model as it will be asked; fail where a model cannot work."""
    panel = check_served(options.config)
    for name, config in options.presets.items():
        check_served(config, f"preset {name}")
    if options.agent_model is None:
        return replace(options, agent_model=panel.synthesizer_or_default)
    check_models([("agent_model", options.agent_model)])
    return options
