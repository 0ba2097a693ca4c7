"""How fast a folder of 10,000 chunks is indexed, opened again and searched.

    python benchmarks/documents.py

Makes its own corpus in a temporary folder: 1,000 texts of about 950 words, drawn from a vocabulary in
which, as in prose, a word's frequency falls with its rank.
"""

import asyncio
import random
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from fusion_tool.tools.documents.index import DocumentIndex, open_index
from fusion_tool.tools.documents.store import open_connection

FILES, PARAGRAPHS, WORDS = 1000, 10, 95
INDEX_RUNS, QUERIES = 3, 60
VOCABULARY = 20_000


def write_corpus(folder: Path, rng: random.Random) -> list[str]:
    """Fill `folder` and return the vocabulary, the most frequent word first."""
    syllables = [a + b for a in "bcdfghklmnprstvz" for b in "aeiou"]
    words = sorted({"".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(VOCABULARY)})
    rng.shuffle(words)
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    for number in range(FILES):
        paragraphs = [" ".join(rng.choices(words, weights, k=WORDS)) + "." for _ in range(PARAGRAPHS)]
        title = " ".join(rng.choices(words, k=4))
        text = f"# {title}\n\n" + "\n\n".join(paragraphs)
        (folder / f"{number:04}.md").write_text(text, encoding="utf-8")
    return words


async def seconds_to_open(folder: Path, cache: Path) -> tuple[float, DocumentIndex]:
    start = perf_counter()
    index = await open_index([folder], cache_dir=cache)
    return perf_counter() - start, index


async def measure(base: Path) -> None:
    rng = random.Random(7)
    folder = base / "corpus"
    folder.mkdir()
    words = write_corpus(folder, rng)
    runs = [await seconds_to_open(folder, base / f"cache-{run}") for run in range(INDEX_RUNS)]
    index = runs[-1][1]
    again = [(await seconds_to_open(folder, base / "cache-0"))[0] for _ in range(INDEX_RUNS)]
    with open_connection(index.path) as connection:
        chunks = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
    answers = []
    for _ in range(QUERIES):  # a question without its stop words: some frequent words, some rare ones
        query = " ".join([*rng.sample(words[100:1000], 4), *rng.sample(words, 4)])
        start = perf_counter()
        assert await index.search(query)  # noqa: S101 - an empty answer would be no measurement
        answers.append(perf_counter() - start)
    print(f"{FILES} files, {chunks} chunks")
    print(f"index   median of {INDEX_RUNS}: {statistics.median(seconds for seconds, _ in runs):.2f} s")
    print(f"reopen  median of {INDEX_RUNS}: {statistics.median(again) * 1000:.0f} ms")
    print(f"answer  median of {QUERIES}: {statistics.median(answers) * 1000:.1f} ms")
    print(f"answer  slowest of {QUERIES}: {max(answers) * 1000:.1f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as base:
        asyncio.run(measure(Path(base)))
