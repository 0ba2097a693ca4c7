"""Small SQLite files: all or nothing, and set aside where corrupt."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from fusion_tool.config.storage import STORAGE_ERRORS, try_lock, with_database

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT);"
NONSENSE = b"this has never been a database; it is longer than a header. " * 50


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "notes.sqlite"


def adds(text):
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,)) and None


def notes(path):
    query = "SELECT text FROM notes ORDER BY rowid"
    return [row[0] for row in with_database(path, SCHEMA, lambda connection: connection.execute(query).fetchall())]


def test_the_file_is_made_with_its_folders_and_keeps_what_is_written(path):
    with_database(path, SCHEMA, adds("a"))
    with_database(path, SCHEMA, adds("b"))
    assert notes(path) == ["a", "b"]
    assert path.stat().st_mode & 0o077 == 0


def test_all_or_nothing(path):
    def breaks_off(connection):
        adds("lost")(connection)
        raise KeyError

    with pytest.raises(KeyError):
        with_database(path, SCHEMA, breaks_off)
    assert notes(path) == []


def test_threads_write_at_once(path):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: with_database(path, SCHEMA, adds(str(n))), range(60)))
    assert sorted(map(int, notes(path))) == list(range(60))


def test_threads_begin_a_file_at_once(tmp_path):
    # About one in fifty such files was refused as locked, at once.
    for place in range(60):
        path = tmp_path / f"{place}.sqlite"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n, path=path: with_database(path, SCHEMA, adds(str(n))), range(8)))
        assert len(notes(path)) == 8


def test_of_those_who_find_it_corrupt_one_sets_it_aside_and_nothing_new_is_lost(path, caplog):
    path.parent.mkdir()
    path.write_bytes(NONSENSE)

    def add(n):
        try:
            with_database(path, SCHEMA, adds(str(n)))
        except STORAGE_ERRORS:  # while another one sets it aside
            return 0
        return 1

    with ThreadPoolExecutor(6) as pool:
        written = sum(pool.map(add, range(12)))
    assert len(notes(path)) == written > 0
    assert len(caplog.records) == 1
    assert path.with_name("notes.sqlite.corrupt").read_bytes() == NONSENSE
    assert sorted(file.name for file in path.parent.glob("*lock*")) == []


def test_a_new_file_does_not_inherit_the_log_of_the_old_one(path):
    with_database(path, SCHEMA, adds("old"))
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO notes VALUES ('in the log')")
        connection.commit()
        kept = log.read_bytes()
    log.write_bytes(kept)
    path.write_bytes(NONSENSE)
    with_database(path, SCHEMA, adds("new"))
    assert notes(path) == ["new"]


def test_while_another_process_sets_it_aside_it_is_of_no_use(path):
    path.parent.mkdir()
    path.write_bytes(NONSENSE)
    with closing(try_lock(path.with_name(f"{path.name}.lock"))), pytest.raises(STORAGE_ERRORS):
        with_database(path, SCHEMA, adds("a"))
