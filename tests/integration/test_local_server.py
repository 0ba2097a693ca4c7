"""The process that serves a local model: its key, its death, and files that it cannot load."""

import importlib.util
import time

import httpx
import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.models.local import server
from fusion_tool.models.local.catalog import is_installed
from fusion_tool.models.local.server import serve
from tests.gguf_files import gguf_bytes

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.local_model,
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="the `local` extra is not installed"),
    pytest.mark.skipif(not is_installed("smollm2-135m"), reason="run `fusion-tool model install` first"),
]

QUESTION = {"messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 4}


def ask(endpoint, key):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{endpoint.url}/chat/completions", json=QUESTION, headers=headers, timeout=60)


async def test_only_its_own_process_can_ask_it():
    endpoint = await serve("smollm2-135m")
    assert ask(endpoint, endpoint.key).status_code == 200
    assert ask(endpoint, "").status_code == 401
    assert ask(endpoint, "guess").status_code == 401


async def test_a_server_that_dies_comes_back_at_its_address_with_its_key():
    endpoint = await serve("smollm2-135m")
    (running,) = [one for one in server._servers.values() if one.model.name == "smollm2-135m"]
    dead = running.process
    dead.kill()
    dead.wait()
    deadline = time.monotonic() + 30
    while running.process is dead and time.monotonic() < deadline:
        with server._lock:  # held while it is begun again
            pass
    assert await serve("smollm2-135m") == endpoint
    assert ask(endpoint, endpoint.key).status_code == 200


async def test_a_file_that_cannot_be_loaded_is_told_in_one_line(tmp_path):
    file = tmp_path / "broken.gguf"
    file.write_bytes(gguf_bytes())
    with pytest.raises(ConfigError, match="could not be loaded") as caught:
        await serve(str(file))
    assert "\n" not in str(caught.value)
