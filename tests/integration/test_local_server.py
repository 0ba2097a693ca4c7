"""The process that serves a local model: its key, its death, and files that it cannot load."""

import importlib.util
import time

import httpx
import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import to_fault
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

SMALLEST = Panelist("local:smollm2-135m", max_tokens=400)
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


async def test_one_that_is_killed_in_mid_answer_costs_the_call_and_the_next_one_is_answered():
    model = await chat_model(SMALLEST)
    (running,) = [one for one in server._servers.values() if one.model.name == "smollm2-135m"]
    told = model.astream("Tell the long story of a lighthouse.")
    assert await anext(told)
    dead = running.process
    dead.kill()
    with pytest.raises(Exception) as broken:  # noqa: PT011 - of whatever client; what counts is the fault
        async for _ in told:
            pass
    fault = to_fault(broken.value)
    assert (fault.reason, bool(fault.message), fault.may_be_charged) == ("upstream_error", True, True)
    dead.wait()
    again = await chat_model(SMALLEST)
    assert again is model
    assert (await again.ainvoke("Say yes.")).text


async def test_a_base_model_is_told_when_it_is_served(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(server._LocalServer, "start", lambda _self: None)
    file = tmp_path / "base.gguf"
    file.write_bytes(gguf_bytes({"general.architecture": "llama"}))
    await serve(str(file))
    server._servers.pop(file.resolve())
    assert f"{file} has no chat template: a base model" in caplog.text


async def test_a_file_that_cannot_be_loaded_is_told_in_one_line(tmp_path):
    file = tmp_path / "broken.gguf"
    file.write_bytes(gguf_bytes())
    with pytest.raises(ConfigError, match="could not be loaded") as caught:
        await serve(str(file))
    assert "\n" not in str(caught.value)
