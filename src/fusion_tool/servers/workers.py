"""Worker processes: how each makes its application, how it ends, and how one that has died is replaced.

The process that begins a worker waits until this module is imported there, deaf to signals; only then does the worker
answer while it imports the rest, which takes a slow machine seconds. So nothing heavy is imported here, and the options
come pickled.
"""

import os
import pickle
import signal
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from fusion_tool.servers.http_protocol import BoundedServer

if TYPE_CHECKING:
    from starlette.applications import Starlette


def create_worker_app(options: bytes, places: Path, own_runs: int) -> "Starlette":
    """Return the application of a worker, which ends as at SIGTERM where the process that began it was killed.

    Args:
        options: The pickled `Options`.
        places: The file of the places for runs that all workers share.
        own_runs: How many of them this process may take.
    """
    from fusion_tool.servers.app import create_app
    from fusion_tool.servers.capacity import RunSlots
    from fusion_tool.servers.shared_places import SharedPlaces

    if (parent := parent_process()) is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()
    served = pickle.loads(options)  # noqa: S301 - from the process that began this one
    return create_app(served, RunSlots(own_runs, SharedPlaces(places, served.max_runs)))


def _end_with(parent: BaseProcess) -> None:
    # uvicorn's workers would serve on, holding the port, with nobody who could end them.
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


class WorkerProcess(Process):
    """uvicorn's worker process, with the server that this process would have."""

    @property
    def server(self) -> uvicorn.Server:
        """The server, which is made where it runs."""
        if self._server is None:
            self._server = BoundedServer(self.config)
        return self._server

    def start(self) -> None:
        """Start the process."""
        super().start()
        # The worker's end of their pipe: while it is open here too, nobody is told that the worker is gone, and its
        # answer is waited for, deaf to signals.
        self.child_conn.close()


class Workers(Multiprocess):
    """uvicorn's worker processes; the runs of one that was killed are no longer counted as under way."""

    def init_processes(self) -> None:
        """Start all workers."""
        self.processes.extend(self._start_worker() for _ in range(self.processes_num))

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died."""
        for position, worker in enumerate(self.processes):
            if worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # the package has no types for it
            if worker.exitcode == STARTUP_FAILURE:  # each that follows would fail as well
                self.should_exit.set()
                return
            self.processes[position] = self._start_worker()

    def _start_worker(self) -> WorkerProcess:
        worker = WorkerProcess(self.config, self.sockets)
        worker.start()
        return worker
