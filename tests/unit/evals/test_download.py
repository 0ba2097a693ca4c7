"""A published task set comes once, in the pinned bytes, or not at all."""

import hashlib
import json

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.evals import download as downloading
from fusion_tool.evals.download import download, load_tasks
from fusion_tool.evals.published import Published, published
from fusion_tool.evals.tasks import Exclude
from tests.scripted_server.web import Page, redirect
from tests.unit.evals.tasks import draco_row, row, write

BODY = "\n".join(json.dumps(draco_row(id=name)) for name in ("a", "b")).encode()
PATH = "/datasets/perplexity-ai/draco/resolve/rev/test.jsonl"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _app: tmp_path)
    return tmp_path / "tasks"


@pytest.fixture
def small(monkeypatch):
    """A published set of two tasks."""
    one = Published(
        name="draco",
        repository="perplexity-ai/draco",
        file="test.jsonl",
        revision="rev",
        sha256=hashlib.sha256(BODY).hexdigest(),
        exclude=Exclude(domains=("rubrics.example",)),
    )
    monkeypatch.setattr(downloading, "published", lambda: {"draco": one})
    return one


@pytest.fixture
def hub(web, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{web.root}/")
    return web


def test_draco_is_pinned_by_commit_and_checksum():
    draco = published()["draco"]
    assert draco.url.startswith(f"https://huggingface.co/datasets/perplexity-ai/draco/resolve/{draco.revision}/")
    assert (len(draco.revision), len(draco.sha256)) == (40, 64)


@pytest.mark.loopback
@pytest.mark.usefixtures("small")
async def test_it_is_downloaded_once_redirects_followed(hub, cache):
    hub.page(PATH, redirect("/storage"))
    hub.page("/storage", Page(BODY.decode()))
    tasks = await load_tasks("draco")
    assert [one.id for one in tasks.tasks] == ["a", "b"]
    assert (tasks.name, tasks.exclude.domains) == ("draco", ("rubrics.example",))
    await load_tasks("draco")
    assert hub.counts["/storage"] == 1
    assert [file.read_bytes() for file in cache.iterdir()] == [BODY]


@pytest.mark.loopback
async def test_a_damaged_copy_is_replaced(hub, cache, small):
    hub.page(PATH, Page(BODY.decode()))
    cache.mkdir()
    small.path.write_bytes(b"half")
    assert (await download(small)).read_bytes() == BODY


@pytest.mark.loopback
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("page", "says"), [(Page("other"), "its SHA-256 is"), (Page("no", status=404), "the server answered 404")]
)
async def test_what_is_not_the_pinned_file_is_refused_and_not_kept(hub, cache, page, says):
    hub.page(PATH, page)
    with pytest.raises(ConfigError, match=says):
        await load_tasks("draco")
    assert list(cache.iterdir()) == []


@pytest.mark.loopback
@pytest.mark.usefixtures("cache", "small")
async def test_an_endless_file_is_refused(hub, monkeypatch):
    monkeypatch.setattr(downloading, "_MOST_BYTES", 100)
    hub.page(PATH, Page(BODY.decode()))
    with pytest.raises(ConfigError, match="longer than 100 bytes"):
        await load_tasks("draco")


@pytest.mark.loopback
@pytest.mark.usefixtures("cache", "small")
async def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="fetch that file elsewhere and pass its path"):
        await load_tasks("draco")


@pytest.mark.usefixtures("small")
async def test_a_cache_that_cannot_be_written(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be written"):
        await load_tasks("draco")


@pytest.mark.usefixtures("small")
async def test_a_file_is_read_as_it_is_even_under_a_published_name(tmp_path, monkeypatch):
    write(tmp_path / "draco", row())
    monkeypatch.chdir(tmp_path)
    assert [one.id for one in (await load_tasks("draco")).tasks] == ["a"]


async def test_an_unknown_name_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no file nowhere.*there is draco"):
        await load_tasks("nowhere")
