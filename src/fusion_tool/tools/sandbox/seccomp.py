"""The system call filter, which closes what namespaces and resource limits leave open.

There are three such holes. Sockets of other families than UNIX and IP do not belong to a network namespace
(AF_VSOCK reaches the hypervisor of a virtual machine from any of them). Memory that no process maps (memfd,
System V segments, message queues, pages spliced into pipes) escapes every limit on processes. Key rings, the
kernel's log, io_uring, bpf and tracing are attack surface that no shell command needs.

The program is classic BPF as in the kernel's Documentation/userspace-api/seccomp_filter.rst; the numbers are
those of asm/unistd_64.h and asm-generic/unistd.h.
"""

import errno
import platform
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_DENIED = {
    "x86_64": {
        "memfd_create": 319,
        "memfd_secret": 447,
        "shmget": 29,
        "semget": 64,
        "msgget": 68,
        "mq_open": 240,
        "vmsplice": 278,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "syslog": 103,
        "io_uring_setup": 425,
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "open_by_handle_at": 304,
    },
    "aarch64": {
        "memfd_create": 279,
        "memfd_secret": 447,
        "shmget": 194,
        "semget": 190,
        "msgget": 186,
        "mq_open": 180,
        "vmsplice": 75,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "syslog": 116,
        "io_uring_setup": 425,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "open_by_handle_at": 265,
    },
}

_SOCKETS = {"x86_64": {"socket": 41, "socketpair": 53}, "aarch64": {"socket": 198, "socketpair": 199}}
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}

# x86_64 has a second system call table under the same architecture word, in which the numbers below mean other calls.
_X32_BIT = 0x4000_0000

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets into struct seccomp_data, little-endian
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


def _step(code: int, operand: int, *, skip_true: int = 0, skip_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, skip_true, skip_false, operand)


def _refuse(number: int) -> bytes:
    return _step(_EQUAL, number, skip_false=1) + _step(_RETURN, _ERRNO | errno.EPERM)


def seccomp_program(machine: str | None = None) -> bytes | None:
    """Return the filter for this kind of machine.

    Args:
        machine: The kind as `platform.machine()` names it; `None` for this machine.

    Returns:
        A `struct sock_filter` array for `bwrap --seccomp`; `None` where the call numbers are not known.
    """
    machine = machine or platform.machine()
    if machine not in _AUDIT_ARCH:
        return None
    families = b"".join(_step(_EQUAL, family, skip_false=1) + _step(_RETURN, _ALLOW) for family in _FAMILIES.values())
    sockets = _step(_LOAD, _FIRST_ARGUMENT) + families + _step(_RETURN, _ERRNO | errno.EAFNOSUPPORT)
    calls = _SOCKETS[machine]
    return b"".join(
        (
            # The architecture first, as the kernel's documentation demands: a 32-bit call has other numbers.
            _step(_LOAD, _ARCH),
            _step(_EQUAL, _AUDIT_ARCH[machine], skip_true=1),
            _step(_RETURN, _KILL),
            _step(_LOAD, _NUMBER),
            _step(_AT_LEAST, _X32_BIT, skip_false=1),
            _step(_RETURN, _ERRNO | errno.ENOSYS),
            # EPERM and not a kill: programs that try such a call mostly have another way.
            *(_refuse(number) for number in _DENIED[machine].values()),
            _step(_EQUAL, calls["socket"], skip_true=1),
            _step(_EQUAL, calls["socketpair"], skip_false=len(sockets) // 8),
            sockets,
            _step(_RETURN, _ALLOW),
        )
    )
