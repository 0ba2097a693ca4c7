"""Every file that the package makes to keep texts in: its owner reads it, nobody else, and old ones are tightened."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from platformdirs import user_cache_path, user_data_path
from pydantic import BaseModel

from fusion_tool import afuse
from fusion_tool.api.response_store import SqliteResponses
from fusion_tool.api.run_store import default_path
from fusion_tool.api.stored_runs import list_runs
from fusion_tool.config.storage import make_private, make_private_folder, try_lock
from fusion_tool.evals import storage
from fusion_tool.evals.storage import Journal
from fusion_tool.models import outcomes
from fusion_tool.testing import fake_config
from fusion_tool.tools import caching
from fusion_tool.tools.documents.index import open_index
from tests.unit.outcomes import outcome

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


class Row(BaseModel):
    text: str = "what was asked"


async def keep_run(_):
    await afuse("How old is the mill?", fake_config(), keep=True)


async def keep_page(_):
    async def job():
        return {"text": "what was read"}

    await caching.cached(("page",), job, seconds=60)


async def index(folder):
    (folder / "notes").mkdir(exist_ok=True)
    (folder / "notes" / "mill.txt").write_text("The mill was built in 1861.")
    await open_index([folder / "notes"])


async def remember(_):
    outcomes.SqliteOutcomes().append([outcome("x:y")])


async def keep_result(_):
    await SqliteResponses().write("key", {"status": "ok", "answer": "what was answered"})


async def evaluate(folder):
    with storage.folder_lock(folder / "results"):
        Journal(folder / "results" / "answers.jsonl").append(Row())
        storage.write_atomically(folder / "results" / "manifest.json", "{}")


MAKERS = {
    "kept runs": (keep_run, lambda _: default_path().parent),
    "searches and pages": (keep_page, lambda _: user_cache_path("fusion-tool")),
    "documents": (index, lambda _: user_cache_path("fusion-tool") / "documents"),
    "results": (keep_result, lambda _: user_cache_path("fusion-tool")),
    "health": (remember, lambda _: user_data_path("fusion-tool")),
    "evaluations": (evaluate, lambda folder: folder / "results"),
}


@pytest.fixture(autouse=True)
def open_to_all(tmp_path, monkeypatch):
    """User's folders of the test's own, in a process that closes nothing by itself."""
    for kind in ("DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / "home" / kind.lower()))
    caching._cache.cache_clear()
    before = os.umask(0)
    yield
    os.umask(before)
    caching._cache.cache_clear()


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("what", MAKERS)
async def test_what_is_made_is_its_owners(what, tmp_path):
    make, where = MAKERS[what]
    await make(tmp_path)
    folder = where(tmp_path)
    found = modes(folder)
    assert len(found) > 1
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}


@pytest.mark.parametrize("what", MAKERS)
async def test_what_an_earlier_version_left_open_is_closed(what, tmp_path):
    make, where = MAKERS[what]
    await make(tmp_path)
    caching._cache.cache_clear()
    folder = where(tmp_path)
    made = [path for path in folder.rglob("*") if path.suffix in (".sqlite", ".jsonl", ".json")]
    assert made
    for path in made:
        path.chmod(0o666)
    if what != "evaluations":  # that one is where the user wants it
        folder.chmod(0o777)
    await make(tmp_path)
    assert {name: oct(mode) for name, mode in modes(folder).items() if mode & 0o077} == {}


async def test_looking_closes_too():
    await keep_run(None)
    default_path().chmod(0o644)
    await list_runs()
    assert stat.S_IMODE(default_path().stat().st_mode) == 0o600


def test_a_log_that_a_killed_process_left_is_closed_with_its_database(tmp_path):
    path = tmp_path / "some.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE texts (text)")
        logs = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]
        assert all(stat.S_IMODE(log.stat().st_mode) & 0o077 for log in logs)
        make_private(path)
        assert {stat.S_IMODE(one.stat().st_mode) for one in (path, *logs)} == {0o600}


def test_a_lock_is_made_with_its_folder(tmp_path):
    with closing(try_lock(tmp_path / "new" / "lock")):
        assert {mode & 0o077 for mode in modes(tmp_path / "new").values()} == {0}


def test_a_folder_that_is_not_the_packages_is_left_as_it_is(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o755)
    make_private(tmp_path / "shared" / "runs.sqlite")
    make_private_folder(tmp_path / "shared" / "deep" / "er")
    shared, *rest = (tmp_path / "shared", tmp_path / "shared" / "deep", tmp_path / "shared" / "deep" / "er")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert {stat.S_IMODE(one.stat().st_mode) for one in rest} == {0o700}


def test_what_is_somebody_elses_is_used_and_told(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise PermissionError

    path = tmp_path / "shared.sqlite"
    path.touch()
    monkeypatch.setattr(Path, "chmod", refuse)
    make_private(path)
    assert str(path) in caplog.text


def test_a_file_in_a_folders_place_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_private(tmp_path / "file" / "x.sqlite")
