"""The memory of a whole sandbox, seen from outside."""

import mmap
import os

from fusion_tool.tools.sandbox import process
from fusion_tool.tools.sandbox.process import memory_in_use

_MIB = 1024 * 1024


def _filled(mib, kind):
    """Memory of its own: what Python allocates may stand where something was freed."""
    block = mmap.mmap(-1, mib * _MIB, flags=kind | mmap.MAP_ANONYMOUS)
    for _ in range(mib):
        block.write(b"x" * _MIB)
    return block


def test_private_and_shared_memory_of_a_process_count():
    ready, go = os.pipe(), os.pipe()
    child = os.fork()  # in a process of its own nothing else comes and goes
    if child == 0:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        blocks = _filled(20, mmap.MAP_PRIVATE), _filled(20, mmap.MAP_SHARED)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(len(blocks) == 0)
    os.read(ready[0], 1)
    before = memory_in_use(child)
    os.write(go[1], b"x")
    os.read(ready[0], 1)
    grown = memory_in_use(child) - before
    os.write(go[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (*ready, *go):
        os.close(descriptor)
    assert 39 * _MIB < grown < 60 * _MIB


def test_descendants_count():
    ready, go = os.pipe(), os.pipe()
    before = memory_in_use(os.getpid())
    child = os.fork()
    if child == 0:
        block = _filled(30, mmap.MAP_PRIVATE)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(len(block) == 0)
    os.read(ready[0], 1)
    grown = memory_in_use(os.getpid()) - before
    os.write(go[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (*ready, *go):
        os.close(descriptor)
    assert grown > 30 * _MIB


def test_a_process_that_has_ended_holds_nothing():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert memory_in_use(child) == 0


def test_files_of_the_host_do_not_count(monkeypatch, tmp_path):
    """Before bubblewrap has changed its root, the sandbox's folder would be the host's of that name."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(go[0], 1)
        os._exit(0)
    monkeypatch.setattr(process, "WORK", str(tmp_path / "missing"))
    without = memory_in_use(child)
    monkeypatch.setattr(process, "WORK", str(tmp_path))
    there = memory_in_use(child)
    os.write(go[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (*ready, *go):
        os.close(descriptor)
    assert there - without < _MIB
