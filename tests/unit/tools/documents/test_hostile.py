import asyncio
import logging
import os
import subprocess
import sys
import threading
from operator import itemgetter

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.tools.documents.index import open_index
from tests.unit.tools.extraction.samples import pdf

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX file system")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "docs"
    root.mkdir()
    (root / "good.md").write_text("# Good\n\nThe Kestrel costs 349 crowns.")
    return root


@pytest.fixture
def reopen(folder, tmp_path):
    async def reopened():
        return await open_index([folder], cache_dir=tmp_path / "cache")

    return reopened


async def urls(index, query="kestrel"):
    return [one["url"] for one in await index.search(query)]


def sparse(path):
    with path.open("wb") as file:
        file.truncate(200 << 20)


@posix
@pytest.mark.parametrize(
    "case",
    [
        ("huge.txt", sparse, "is larger than 32 MB"),
        ("out.md", lambda path: path.symlink_to("/etc/hostname"), "is a link that leaves the folder"),
        ("loop.md", lambda path: path.symlink_to("loop.md"), "cannot be read"),
        ("gone.md", lambda path: path.symlink_to("nowhere.md"), "cannot be read"),
        ("pipe.txt", os.mkfifo, "is not a regular file"),
        ("cut.pdf", lambda path: path.write_bytes(pdf("kestrel")[:300]), "the PDF cannot be opened"),
        ("fake.pdf", lambda path: path.write_bytes(b"kestrel"), "the PDF cannot be opened"),
        ("binary.txt", lambda path: path.write_bytes(b"\x7fELF\0\0kestrel"), "binary content"),
        ("empty.md", lambda path: path.write_bytes(b""), "holds no text"),
    ],
    ids=itemgetter(0),
)
async def test_a_bad_document_is_left_out_with_its_reason(reopen, folder, caplog, case):
    name, make, reason = case
    make(folder / name)
    for _ in range(2):  # the second time from what the index remembers
        caplog.clear()
        with caplog.at_level(logging.INFO, "fusion_tool.tools.documents"):
            index = await reopen()
        [skipped] = index.skipped
        assert skipped.path == f"docs/{name}"
        assert reason in skipped.reason
        assert name in caplog.text
        assert await urls(index) == ["doc:docs/good.md"]


@posix
async def test_an_unreadable_file_is_left_out(reopen, folder, monkeypatch):
    from fusion_tool.tools.documents import refresh

    (folder / "secret.txt").write_text("kestrel")
    (folder / "secret.txt").chmod(0)
    reads = refresh._read

    def read(path):  # root may read anything: let the system's answer to others stand here
        if not path.stat().st_mode & 0o400:
            raise PermissionError(13, "Permission denied")
        return reads(path)

    monkeypatch.setattr(refresh, "_read", read)
    index = await reopen()
    assert index.skipped == (("docs/secret.txt", "cannot be read (Permission denied)"),)
    assert await urls(index) == ["doc:docs/good.md"]
    (folder / "secret.txt").chmod(0o600)
    assert len(await urls(await reopen())) == 2


LINKS = [
    ("alias.txt", "good.md", None),
    ("alias.md", "bare", None),
    ("alias.txt", "odd.xyz", None),
    ("alias.html", "bare", None),
    ("alias.md", "page.html", None),
    ("alias.pdf", "bare", "the PDF cannot be opened"),
    ("alias.md", "../outside/bare", "is a link that leaves the folder"),
    ("alias.md", "../outside/private.md", "is a link that leaves the folder"),
    ("alias.md", "pipe", "is not a regular file"),
    ("alias.md", "huge", "is larger than 32 MB"),
    ("alias.md", "nowhere", "cannot be read"),
    ("alias.md", "alias.md", "cannot be read"),
    ("alias.md", "good.md/below", "cannot be read"),
    ("alias", "good.md", ""),
    ("alias.xyz", "good.md", ""),
    ("alias", "bare", ""),
    ("linked.md", "inner", ""),
    ("linked", "../outside", ""),
    ("linked", ".", ""),
]
"""A link's name and target, and what becomes of it: read (None), left out with a reason, or no document at all ("")."""


@posix
@pytest.mark.parametrize("case", LINKS, ids=lambda case: " to ".join(case[:2]))
async def test_a_link_is_what_its_own_name_says(reopen, folder, tmp_path, case):
    name, target, reason = case
    for place in (folder / "bare", folder / "odd.xyz", tmp_path / "outside/bare", tmp_path / "outside/private.md"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("The Kestrel weighs 90 grams.")
    (folder / "inner").mkdir()
    (folder / "inner" / "page.md").write_text("quinces")
    (folder / "page.html").write_text("<p>The Kestrel weighs 90 grams.</p>")
    os.mkfifo(folder / "pipe")
    sparse(folder / "huge")
    (folder / name).symlink_to(target)
    for _ in range(2):  # the second time from what the index remembers
        index = await reopen()
        found = {url.removeprefix("doc:docs/") for url in await urls(index)} - {"good.md", "page.html"}
        assert found == ({name} if reason is None else set())
        skipped = [(row.path, reason in row.reason) for row in index.skipped if "*" not in row.path]
        assert skipped == ([(f"docs/{name}", True)] if reason else [])
        assert index.document_count == (4 if reason is None else 3)


@pytest.mark.parametrize("error", [KeyError(""), MemoryError(), ValueError("odd")])
async def test_whatever_keeps_an_index_from_being_made_is_one_typed_error(reopen, folder, monkeypatch, error):
    from fusion_tool.tools.documents import refresh

    def fail(*_):
        raise error

    monkeypatch.setattr(refresh, "list_documents", fail)
    with pytest.raises(ConfigError, match=f"cannot index .*{type(error).__name__}") as caught:
        await reopen()
    assert str(folder) in str(caught.value)
    assert caught.value.field == "documents"


@posix
@pytest.mark.parametrize(
    ("name", "url"),
    [
        (b"caf\xe9 \xff.txt", "doc:docs/caf%E9%20%FF.txt"),
        ("Übung #1?.txt".encode(), "doc:docs/%C3%9Cbung%20%231%3F.txt"),
        (b"a\nb%41.txt", "doc:docs/a%0Ab%2541.txt"),
    ],
)
async def test_any_file_name_survives(reopen, folder, name, url):
    path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118 - the name is bytes
    with open(path, "w", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123 - the name is bytes, the file tiny
        file.write("quinces")
    [one] = await (await reopen()).search("quinces")
    assert one["url"] == url
    assert one["title"].encode()


@pytest.mark.parametrize("damage", ["garbage", "empty", "middle", "lock", "missing"])
async def test_a_corrupt_index_is_rebuilt(reopen, folder, damage):
    (folder / "long.txt").write_text("\n".join(f"line {n} of many words" for n in range(5000)))
    path = (await reopen()).path
    if damage == "garbage":
        path.write_bytes(b"not a database at all" * 1000)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "middle":
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 8192) + whole[-4096:])
    elif damage == "lock":
        path.with_suffix(".lock").write_bytes(b"not a database at all" * 1000)
    else:
        path.unlink()
    assert await urls(await reopen()) == ["doc:docs/good.md"]


@pytest.mark.parametrize("content", [b"not a database at all" * 1000, b"", None])
async def test_an_index_damaged_while_open_is_rebuilt_by_the_next_search(reopen, content):
    index = await reopen()
    index.path.unlink()
    if content is not None:
        index.path.write_bytes(content)
    assert await urls(index) == ["doc:docs/good.md"]


@pytest.mark.parametrize("missing", ["nowhere", "good.md/below", "nul\0byte"])
async def test_a_folder_that_cannot_be_read_is_a_configuration_error(folder, tmp_path, missing):
    with pytest.raises(ConfigError, match=r"^documents: cannot read ") as caught:
        await open_index([folder / missing], cache_dir=tmp_path / "cache")
    assert caught.value.field == "documents"
    assert "\n" not in str(caught.value)


async def test_a_cache_that_cannot_be_written_is_a_configuration_error(folder):
    with pytest.raises(ConfigError, match=r"^documents: cannot write the index") as caught:
        await open_index([folder], cache_dir=folder / "good.md")
    assert str(folder) in str(caught.value)


def test_threads_and_processes_open_one_folder_at_the_same_time(folder, tmp_path):
    for number in range(60):
        (folder / f"{number}.md").write_text(f"# Kestrel {number}\n\n" + f"kestrel number {number} " * 90)
    program = """
import asyncio, sys
from pathlib import Path
from fusion_tool.tools.documents.index import open_index
async def main():
    index = await open_index([Path(sys.argv[1])], cache_dir=Path(sys.argv[2]))
    print(len(await index.search("kestrel", limit=99)))
asyncio.run(main())
"""
    command = [sys.executable, "-W", "error", "-c", program, str(folder), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    counts = []

    async def opened():
        index = await open_index([folder], cache_dir=tmp_path / "cache")
        counts.append(len(await index.search("kestrel", limit=99)))

    threads = [threading.Thread(target=lambda: asyncio.run(opened())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts += [int(process.communicate()[0]) for process in processes]
    assert counts == [61] * 6
