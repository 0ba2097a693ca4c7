"""The servers of local models: one process a model, begun on first use, begun again where it died, ended with us."""

import asyncio
import contextlib
import json
import logging
import secrets
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import ModelProfile

from fusion_tool.config.keys import remember_key
from fusion_tool.errors import ConfigError
from fusion_tool.models.local.catalog import LocalModel, require_model
from fusion_tool.models.local.gguf import read_header
from fusion_tool.models.local.resources import context_window, free_threads

_log = logging.getLogger(__name__)
_MOST_RESTARTS = 3
_LAST_LINES = 5


@dataclass(frozen=True)
class LocalEndpoint:
    """Where a local model is asked.

    Args:
        url: The address of its OpenAI-compatible API.
        key: The key that this server alone takes.
        profile: What the model can do, as LangChain writes it.
    """

    url: str
    key: str
    profile: ModelProfile


@dataclass
class _LocalServer:
    """The process of one model.

    Args:
        model: The model.
        window: Tokens of context.
        takes_tools: Whether its chat template has a place for tools.
    """

    model: LocalModel
    window: int
    takes_tools: bool
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    port: int = 0
    restarts: int = 0
    process: "subprocess.Popen[str] | None" = None
    last_lines: "deque[str]" = field(default_factory=lambda: deque(maxlen=_LAST_LINES))

    @property
    def endpoint(self) -> LocalEndpoint:
        return LocalEndpoint(
            f"http://127.0.0.1:{self.port}/v1",
            self.key,
            ModelProfile(max_input_tokens=self.window, tool_calling=self.takes_tools, structured_output=True),
        )

    def start(self) -> None:
        """Start the process, and wait until it listens.

        Raises:
            ConfigError: It ended before that; the message has its last words.
        """
        command = [sys.executable, "-P", "-m", "fusion_tool.models.local.worker"]
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read_errors, args=(process,), daemon=True).start()
        line = self._hand_over(process)
        if not line:
            _end(process)
            said = self.last_lines[-1] if self.last_lines else f"its process ended with {process.returncode}"
            raise ConfigError(f"'{self.model.name}' could not be loaded: {said}", field="model")
        self.process, self.port = process, int(str(json.loads(line)["address"]).rsplit(":", 1)[1])
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()

    def _hand_over(self, process: "subprocess.Popen[str]") -> str:
        # Over its standard input: arguments are read by every user of the machine, and one of these is the key.
        options = {
            "path": str(self.model.path),
            "window": self.window,
            "threads": free_threads(),
            "port": self.port,  # 0 the first time: any; the same one afterwards, which its callers know
            "key": self.key,
        }
        if process.stdin is None or process.stdout is None:
            raise TypeError("the process has no pipes")
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the empty answer tells
            process.stdin.write(json.dumps(options) + "\n")
            process.stdin.flush()
        return process.stdout.readline()

    def _read_errors(self, process: "subprocess.Popen[str]") -> None:
        if process.stderr is None:
            return
        with process.stderr as lines:
            self.last_lines.extend(line.strip() for line in lines if line.strip())

    def _watch(self, process: "subprocess.Popen[str]") -> None:
        _end(process)
        with _lock:
            if self.process is process:  # else whoever asked next has begun it again already
                self.revive()

    def revive(self) -> None:
        """Begin it again where its process has ended, unless it did so too often; `_lock` is held."""
        if self.process is None or (status := self.process.poll()) is None or self.restarts > _MOST_RESTARTS:
            return
        self.restarts += 1
        if self.restarts > _MOST_RESTARTS:
            _log.error("the server of '%s' has ended %d times; it is not begun again", self.model.name, self.restarts)
            return
        _log.warning("the server of '%s' has ended (%s); it is begun again", self.model.name, status)
        try:
            self.start()
        except ConfigError as error:
            _log.error("%s", error)


def _end(process: "subprocess.Popen[str]") -> int:
    """Wait for a process that ends, close its pipes, and return its exit status."""
    status = process.wait()
    # Not its standard error: whoever reads that may not be through.
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return status


_lock = threading.Lock()
_servers: dict[Any, _LocalServer] = {}


async def serve(name: str) -> LocalEndpoint:
    """Return where the model is asked; its server starts on first use, again where it died, and ends with this process.

    Args:
        name: An installed model's name, or the path of a GGUF file.

    Raises:
        ConfigError: It is not installed, or cannot be loaded.
    """
    return await asyncio.to_thread(_serve, require_model(name))


def _serve(model: LocalModel) -> LocalEndpoint:
    with _lock:  # runs of several event loops share one server: the weights are in memory once
        path = model.path.resolve()
        if path not in _servers:
            header = read_header(path)
            if header.chat_template is None:
                _log.warning(
                    "%s has no chat template: a base model, which continues text and does not converse", model.name
                )
            server = _LocalServer(model, context_window(header, model.most_tokens), header.takes_tools)
            remember_key(server.key)
            server.start()
            _servers[path] = server
        _servers[path].revive()
        return _servers[path].endpoint
