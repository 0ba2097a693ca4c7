import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fusion_tool.tools.extraction import pool
from fusion_tool.tools.extraction.content import ExtractionError
from fusion_tool.tools.extraction.extract import extract
from tests.unit.tools.extraction.samples import NESTED, page, pdf

GOOD = page("<p>" + "A sentence that can be read. " * 10 + "</p>")


async def read(data=GOOD, **arguments):
    return (await extract(data, content_type="text/html", **arguments)).text


def workers():
    return [worker for lane in pool._lanes.values() for worker in lane._idle]


def environment(worker):
    return Path(f"/proc/{worker._process.pid}/environ").read_bytes()


def peak_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def test_a_page_over_time_is_given_up_and_the_next_one_is_read():
    with pytest.raises(ExtractionError, match=r"more than 0\.3 s"):
        await read(NESTED, timeout=0.3)
    assert "can be read" in await read()


async def test_a_cancelled_caller_stops_its_worker():
    task = asyncio.create_task(read(NESTED, timeout=60))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0.5)
    assert "can be read" in await asyncio.wait_for(read(), 20)


async def test_a_worker_that_died_is_replaced():
    await read()
    for worker in workers():
        worker.kill()
        worker._process.wait()
    assert "can be read" in await read()


async def test_one_worker_reads_page_after_page():
    await read()
    before = {worker._process.pid for worker in workers()}
    await read()
    assert {worker._process.pid for worker in workers()} == before


def test_many_loops_in_many_threads_share_the_workers():
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(asyncio.run(read()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 6
    assert all("can be read" in text for text in texts)
    assert len(workers()) <= sum(pool._SIZES.values())


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
async def test_a_worker_sees_none_of_the_environment(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-secret")
    pool._close()
    await read()
    for worker in workers():
        assert b"sk-secret" not in environment(worker)
        assert b"HOME=" not in environment(worker)


UNITS = {
    "paragraphs": "<p>hello world some words here and there</p>\n",
    "unclosed": "<b>",
    "breaks": "a<br>",
    "links": "<li>item <a href=/x>link</a>",
    "cells": "<table><tr><td>a</td>",
    "entities": "&amp;",
    "text": "word and another, ",
    "powers": "10<sup>6</sup> and ",
    "mathematics": "<math><msup><mi>c</mi><mn>2</mn></msup></math>",
    "hidden": "<i style='display:none'>x</i>",
}


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
async def test_a_page_of_five_megabytes_stays_under_80_mb(unit):
    pool._close()
    await read(page(unit * (5_000_000 // len(unit))))
    assert all(peak_mb(worker._process.pid) < 80 for worker in workers())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space")
async def test_a_file_over_memory_fails_in_one_line():
    with pytest.raises(ExtractionError, match=r"memory"):
        await pool.run_in_worker(
            {"kind": "pdf", "charset": None, "url": None, "timeout": 10.0}, b"%PDF" + bytes(96 << 20)
        )
    assert (await extract(pdf("fine"), content_type="application/pdf")).text == "fine"


PROGRAM = """
import asyncio
from fusion_tool.tools.extraction.extract import extract; from fusion_tool.tools.extraction import pool
asyncio.run(extract(b"<p>words</p>", content_type="text/html"))
print(*(worker._process.pid for lane in pool._lanes.values() for worker in lane._idle))
{end}
"""


@pytest.mark.skipif(os.name != "posix", reason="asks for processes by POSIX's signals")
@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "import os; os._exit(0)"])
def test_nothing_is_left_running_at_exit(end):
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        PROGRAM.format(end=f"import sys; sys.stdout.flush(); {end or 'pass'}"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    pids = [int(pid) for pid in ran.stdout.split()]
    assert pids
    for pid in pids:
        assert gone(pid)


def gone(pid):
    """Whether process `pid` ends within two seconds; it ends once it sees its input closed."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (OSError, ProcessLookupError):
            return True
        threading.Event().wait(0.01)
    return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_workers_of_its_own():
    program = """
import asyncio, os
from fusion_tool.tools.extraction.extract import extract; from fusion_tool.tools.extraction import pool
def read():
    asyncio.run(extract(b"<p>words</p>", content_type="text/html"))
    return {worker._process.pid for lane in pool._lanes.values() for worker in lane._idle}
parents = read()
child = os.fork()
if child == 0:
    os._exit(0 if read().isdisjoint(parents) else 1)
assert os.waitpid(child, 0)[1] == 0
assert read() == parents
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)
