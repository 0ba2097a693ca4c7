""""""

import sqlite3
import unicodedata
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.sources import source_id
from fusion_tool.tools.documents.index import fts_query, open_index
from tests.unit.tools.extraction.samples import page, pdf

TEXTS = {
    "kestrel.md": "# The Kestrel handheld\n\nThe Kestrel costs 349 crowns.",
    "notes/review.txt": "A review of the Kestrel: the battery lasts nine hours.",
    "bridge.html": page("<h1>Bridge</h1><p>" + "The bridge at Norrholm carries trams. " * 8 + "</p>").decode(),
    "rocket.htm": page("<p>" + "The rocket Siskin reached orbit on its second flight. " * 8 + "</p>").decode(),
    "ignored.log": "Kestrel,1",
    ".hidden.md": "The Kestrel is hidden.",
    ".git/config.txt": "The Kestrel is hidden.",
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "my papers"
    for name, text in TEXTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "report.PDF").write_bytes(pdf("The turbine report names no price", title="Turbines"))
    return root


@pytest.fixture
def reopen(folder, tmp_path):
    async def reopened(**arguments):
        return await open_index([folder], cache_dir=tmp_path / "cache", **arguments)

    return reopened


async def urls(index, query, **arguments):
    return [one["url"] for one in await index.search(query, **arguments)]


@pytest.mark.parametrize(
    ("query", "url", "title", "words"),
    [
        ("price of the Kestrel in crowns", "doc:my%20papers/kestrel.md", "The Kestrel handheld", "349 crowns"),
        ("battery hours", "doc:my%20papers/notes/review.txt", "review.txt", "nine hours"),
        ("trams over the bridge", "doc:my%20papers/bridge.html", "A title", "carries trams"),
        ("rockets orbiting", "doc:my%20papers/rocket.htm", "A title", "second flight"),
        ("turbine", "doc:my%20papers/report.PDF", "Turbines", "names no price"),
    ],
)
async def test_the_best_document_comes_first_as_a_source(reopen, query, url, title, words):
    best = (await (await reopen()).search(query))[0]
    assert words in best.pop("text")
    assert best == {"id": source_id(url), "url": url, "title": title, "kind": "document"}


async def test_a_title_weighs_more_than_the_text(reopen, folder):
    (folder / "a.md").write_text("# Other things\n\nA Siskin flew by while the bridge was built.")
    (folder / "b.md").write_text("# Siskin\n\nA page about another flight of stairs by the bridge.")
    assert (await urls(await reopen(), "siskin"))[0] == "doc:my%20papers/b.md"


async def test_accents_and_endings_do_not_matter(reopen, folder):
    (folder / "z.txt").write_text("Die Brücke in Zürich wurde gebaut.")
    index = await reopen()
    assert await urls(index, "zurich") == await urls(index, unicodedata.normalize("NFD", "ZÜRICH"))
    assert await urls(index, "zurich") == ["doc:my%20papers/z.txt"]


async def test_a_document_comes_once_with_its_best_chunks_in_order(reopen, folder):
    filler = "\n\n".join(f"Paragraph {n} " + "of plain filler text " * 20 for n in range(30)).split("\n\n")
    filler[3] += "mentions quinces."
    filler[20] += "mentions quinces too, quinces again."
    (folder / "long.md").write_text("\n\n".join(filler))
    [one] = await (await reopen()).search("quinces")
    first, second = one["text"].split("\n[...]\n")
    assert "Paragraph 3 " in first
    assert "Paragraph 20 " in second


@pytest.mark.parametrize("max_chars", [1, 40, 600, 1600])
async def test_an_excerpt_is_as_short_as_asked(reopen, folder, max_chars):
    (folder / "long.md").write_text("\n\n".join(["quinces " + "and plain filler text " * 25] * 30))
    [one] = await (await reopen()).search("quinces", max_chars=max_chars)
    assert 0 < len(one["text"]) <= max_chars


@pytest.mark.parametrize("limit", [0, 1, 2])
async def test_no_more_documents_than_asked(reopen, limit):
    assert len(await (await reopen()).search("the Kestrel battery bridge", limit=limit)) == limit


@pytest.mark.parametrize(
    "query", ["", "  ", '"', "\N{ROCKET}", "NEAR(", "*", "zzzz", "AND OR NOT", "\udcff", "a" * 9999]
)
async def test_strange_queries_find_nothing_and_break_nothing(reopen, query):
    assert await (await reopen()).search(query) == []


async def test_syntax_in_a_query_is_only_words(reopen):
    index = await reopen()
    for query in ('title:"Kestrel" AND crowns*', "Kestrel'); DROP TABLE chunks; --", "the (Kestrel ^ NEAR crowns"):
        assert (await urls(index, query))[0] == "doc:my%20papers/kestrel.md"


async def test_only_what_changed_is_indexed_again(reopen, folder):
    steps = []
    await reopen(on_progress=lambda *step: steps.append(step))
    assert steps[-1] == (5, 5)
    (folder / "kestrel.md").write_text("# Kestrel\n\nNow it costs 299 guilders.")
    (folder / "new.txt").write_text("A quince tree.")
    (folder / "notes/review.txt").unlink()
    index = await reopen()
    assert await urls(index, "guilders quince") == ["doc:my%20papers/new.txt", "doc:my%20papers/kestrel.md"]
    assert await urls(index, "crowns battery") == []


async def test_a_file_with_the_same_bytes_is_not_extracted_again(reopen, folder, monkeypatch):
    await reopen()
    (folder / "report.PDF").write_bytes((folder / "report.PDF").read_bytes())

    async def unwanted(*_, **__):
        raise AssertionError("nothing changed")

    monkeypatch.setattr("fusion_tool.tools.documents.refresh.extract", unwanted)
    assert await urls(await reopen(), "turbine") == ["doc:my%20papers/report.PDF"]


async def test_an_index_of_another_version_is_rebuilt(reopen):
    index = await reopen()
    with closing(sqlite3.connect(index.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert await urls(await reopen(), "turbine") == ["doc:my%20papers/report.PDF"]


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("What did the Kestrel cost?", '"kestrel" OR "cost"'),
        ("who was it", '"who" OR "was" OR "it"'),
        ("Kestrel kestrel KESTREL", '"kestrel"'),
        ("version 3.5 at 1,200 crowns", '"version" OR "3.5" OR "1,200" OR "crowns"'),
        ('"title" NEAR(a b) AND text:* -x', '"title" OR "near" OR "b" OR "text" OR "x"'),
        ("", None),
        ("?! -- '\"", None),
        ("\N{ROCKET} \N{ROCKET}", None),
    ],
)
def test_words_quoted_and_joined(question, expression):
    assert fts_query(question) == expression


def test_a_long_question_keeps_its_first_words():
    assert fts_query(" ".join(f"w{n}" for n in range(1000))).count("OR") == 31


@given(st.text())
def test_whatever_is_asked_fts5_understands_it(question):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
        expression = fts_query(question)
        if expression is not None:
            connection.execute("SELECT * FROM t WHERE t MATCH ?", (expression,)).fetchall()
