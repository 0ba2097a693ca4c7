"""Ollama: where it listens, and a panel out of what it has."""

import json

import pytest

from fusion_tool.config.presets import preset
from fusion_tool.errors import ConfigError
from fusion_tool.models.ollama import endpoint, installed_models, installed_panel, model_files
from tests.scripted_server import Installed


@pytest.fixture
def ollama(scripted, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", scripted.root)
    return scripted


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("  ", "http://127.0.0.1:11434"),
        ("gpu.lan", "http://gpu.lan:11434"),
        ("gpu.lan:8080", "http://gpu.lan:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - what Ollama's own server is told
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("http://gpu.lan:8080/", "http://gpu.lan:8080"),
        ("https://gpu.lan:443", "https://gpu.lan:443"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("http://gpu.lan:8080/ollama", "http://gpu.lan:8080/ollama"),
    ],
)
def test_where_it_listens(monkeypatch, host, url):
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    if host is not None:
        monkeypatch.setenv("OLLAMA_HOST", host)
    assert endpoint() == url


@pytest.mark.parametrize(
    ("host", "url"), [("https://gpu.lan", "https://gpu.lan:443"), ("http://gpu.lan", "http://gpu.lan:80")]
)
def test_a_scheme_has_its_own_port(monkeypatch, host, url):
    """Source: Ollama's `envconfig.Host`: 80 for http, 443 for https, 11434 where no scheme is given."""
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert endpoint() in (url, host)


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("installed", "panel"),
    [
        ([("llama3.2:3b", 2)], ["llama3.2:3b"]),
        ([("a:1b", 1), ("b:1b", 3), ("c:1b", 2), ("d:1b", 4)], ["d:1b", "b:1b", "c:1b"]),
        ([("qwen3:8b", 9), ("qwen2.5:7b", 8), ("llama3:8b", 7)], ["qwen3:8b", "llama3:8b", "qwen2.5:7b"]),
        ([("qwen3:8b", 9), ("qwen3:4b", 8), ("qwen3:1b", 7), ("qwen3:0.6b", 6)], ["qwen3:8b", "qwen3:4b", "qwen3:1b"]),
        ([("nomic-embed-text", 9), ("bge-m3", 8), ("all-minilm", 8), ("phi4", 1)], ["phi4"]),
        ([("hf.co/unsloth/gemma-3-4b-GGUF:Q4", 5), ("gemma3:1b", 4), ("phi4", 1)][:2], None),
    ],
)
def test_the_largest_of_each_family_first(ollama, installed, panel):
    ollama.installed = [Installed(name, size=size) for name, size in installed]
    config = installed_panel()
    expected = [f"ollama:{name}" for name in panel or [name for name, _ in installed]]
    assert [seat.model for seat in config.panel] == expected
    assert config.judge_or_default.model == config.synthesizer_or_default.model == expected[0]


@pytest.mark.loopback
def test_the_preset_is_that_panel(ollama):
    ollama.installed = [Installed("qwen3:8b"), Installed("llama3:8b")]
    assert preset("ollama") == installed_panel()
    assert set(installed_models()) == {"qwen3:8b", "llama3:8b"}


@pytest.mark.loopback
@pytest.mark.parametrize("installed", [[], [Installed("nomic-embed-text")]])
def test_nothing_to_chat_with_names_the_cure(ollama, installed):
    ollama.installed = installed
    with pytest.raises(ConfigError, match="ollama pull") as caught:
        installed_panel()
    assert caught.value.field == "preset"


@pytest.mark.loopback
def test_no_ollama_names_the_address_and_the_cure(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9.*ollama serve"):
        installed_panel()


@pytest.mark.loopback
def test_another_server_there_is_no_ollama(scripted, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", f"{scripted.root}/nothing")
    with pytest.raises(ConfigError, match="no Ollama answers"):
        installed_models()


@pytest.mark.parametrize("host", ["gpu.lan:port", "http://", "https:///", "ftp://gpu.lan", "http://[::1", "/"])
def test_an_address_that_is_none_is_told(monkeypatch, host):
    monkeypatch.setenv("OLLAMA_HOST", host)
    with pytest.raises(ConfigError) as caught:
        installed_models()
    assert caught.value.message.startswith(f"OLLAMA_HOST is '{host}', which is no address; one is http://")


def kept(folder, name, tag, layers, *, blob=True):
    manifest = folder / "manifests" / "registry.ollama.ai" / "library" / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(layers if isinstance(layers, str) else json.dumps({"layers": layers}))
    if blob:
        (folder / "blobs").mkdir(exist_ok=True)
        (folder / "blobs" / f"sha256-{DIGEST}").write_bytes(b"GGUF")


DIGEST = "a" * 64
WEIGHTS = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{DIGEST}"}
TEMPLATE = {"mediaType": "application/vnd.ollama.image.template", "digest": f"sha256:{'b' * 64}"}


def test_its_files_are_found_where_it_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    kept(tmp_path, "qwen3", "8b", [TEMPLATE, WEIGHTS])
    kept(tmp_path, "nomic-embed-text", "latest", [WEIGHTS])
    assert model_files() == {"qwen3:8b": tmp_path / "blobs" / f"sha256-{DIGEST}"}


@pytest.mark.parametrize(
    ("layers", "blob"),
    [
        ([TEMPLATE], True),
        ([], True),
        ("no json", True),
        ("[]", True),
        ('{"layers": [null]}', True),
        ([WEIGHTS | {"digest": "sha256:../../etc/passwd"}], True),
        ([WEIGHTS | {"digest": None}], True),
        ([WEIGHTS], False),
    ],
)
def test_what_is_no_model_in_its_folder_is_passed_over(tmp_path, monkeypatch, layers, blob):
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    kept(tmp_path, "qwen3", "8b", layers, blob=blob)
    assert model_files() == {}
