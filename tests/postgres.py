"""A private PostgreSQL on a Unix socket, for tests: nothing of it is synced to the disk, and it ends with them."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import psycopg
import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_READY = "ready to accept connections"
_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "timezone=UTC")


def programs() -> Path:
    """The folder of PostgreSQL's programs; the test is skipped where they are absent."""
    on_path = [Path(found).parent for name in ("initdb",) if (found := shutil.which(name))]
    for folder in (*on_path, *sorted(_DEBIAN.glob("*/bin"), reverse=True)):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL's programs are not installed (Debian's package is 'postgresql')")


class Postgres:
    """A server of its own, which can be killed and started again. It runs as an ordinary user, as it insists on."""

    def __init__(self) -> None:
        self._programs = programs()
        self._user = _ordinary_user()
        self.password = secrets.token_hex(8)
        self._folder = Path(tempfile.mkdtemp(prefix="fusion-tool-postgres-"))
        self._process: subprocess.Popen[str] | None = None
        file = self._folder / "password"
        file.write_text(self.password)
        if self._user is not None:
            for path in (self._folder, file):
                shutil.chown(path, self._user)
        options = ("--username=fusion", f"--pwfile={file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync")
        command = (self._programs / "initdb", "--pgdata", self._folder / "data", "--locale=C", *options)
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd="/")

    def address(self, database: str = "postgres", password: str | None = None) -> str:
        return f"postgresql://fusion:{password or self.password}@/{database}?host={self._folder}"

    def start(self) -> Self:
        settings = ("listen_addresses=", f"unix_socket_directories={self._folder}", *_OPTIONS)
        options = [part for setting in settings for part in ("-c", setting)]
        command = (self._programs / "postgres", "-D", self._folder / "data", *options)
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, user=self._user, cwd="/")
        lines = self._process.stderr
        assert lines is not None
        said = []
        for line in lines:
            said.append(line)
            if _READY in line:
                self._reader = threading.Thread(target=lines.read, daemon=True)  # a full pipe would stop the server
                self._reader.start()
                return self
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """End it at once, as a crash would: all connections break, and what was committed is recovered at the start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._reader.join()
            self._process.communicate()
            self._process = None

    def pause(self, signal_: signal.Signals = signal.SIGSTOP) -> None:
        """Fall silent: connections are accepted by the system, and nothing is answered, until `resume`."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        for process in (server, *server.children()):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal_)

    def resume(self) -> None:
        self.pause(signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def empty(self) -> str:
        """The address of its database, of whose tables and connections nothing is left."""
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA IF EXISTS fusion_tool CASCADE")
        return self.address()


def _ordinary_user() -> str | None:
    """Whom the server runs as; `None` for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
