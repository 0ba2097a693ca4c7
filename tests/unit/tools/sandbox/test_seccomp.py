"""The system call filter, carried out by an interpreter of its own instructions."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.tools.sandbox.seccomp import seccomp_program

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
SOCKET = {"x86_64": 41, "aarch64": 198}
SOCKETPAIR = {"x86_64": 53, "aarch64": 199}


def verdict(machine, number, architecture=None, first_argument=0):
    """What the kernel would answer; every jump must stay inside the program."""
    data = struct.pack("=IIQQ", number, architecture or ARCHITECTURES[machine], 0, first_argument)
    steps = list(struct.iter_unpack("=HBBI", seccomp_program(machine)))
    position, accumulator = 0, 0
    while True:
        code, skip_true, skip_false, operand = steps[position]
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                position += skip_true if accumulator == operand else skip_false
            case 0x35:
                position += skip_true if accumulator >= operand else skip_false
            case 0x06:
                return operand


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("calls", [SOCKET, SOCKETPAIR], ids=["socket", "socketpair"])
@given(family=st.integers(0, 60))
def test_only_unix_and_ip_sockets(machine, calls, family):
    wanted = ALLOW if family in {1, 2, 10} else ERRNO | errno.EAFNOSUPPORT
    assert verdict(machine, calls[machine], first_argument=family) == wanted


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("x86_64", "aarch64"),
    [(319, 279), (447, 447), (29, 194), (250, 219), (425, 425), (321, 280), (101, 117), (278, 75), (103, 116)],
    ids=["memfd_create", "memfd_secret", "shmget", "keyctl", "io_uring", "bpf", "ptrace", "vmsplice", "syslog"],
)
def test_calls_that_escape_the_limits_are_refused(machine, x86_64, aarch64):
    number = {"x86_64": x86_64, "aarch64": aarch64}[machine]
    assert verdict(machine, number) == ERRNO | errno.EPERM


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [("x86_64", [0, 1, 2, 9, 56, 57, 59, 231, 257, 435]), ("aarch64", [56, 57, 63, 64, 93, 94, 220, 221, 222, 435])],
)
def test_what_every_program_needs_is_allowed(machine, numbers):
    assert [verdict(machine, number) for number in numbers] == [ALLOW] * len(numbers)


@given(st.sampled_from(sorted(ARCHITECTURES)), st.integers(0, 0xFFFFFFFF))
def test_another_architectures_table_is_no_way_around(machine, number):
    for other in {0x40000003, 0x40000028, *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}:
        assert verdict(machine, number, architecture=other) == KILL


@given(st.integers(0, 600))
def test_the_x32_table_is_no_way_around(number):
    assert verdict("x86_64", 0x40000000 | number) == ERRNO | errno.ENOSYS


def test_unknown_machines_have_no_filter():
    assert seccomp_program("vax") is None
    assert len(seccomp_program("x86_64")) // 8 < 4096
