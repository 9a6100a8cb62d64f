"""The program of a pod's sandbox container, as machine code: one static ELF file of under 200 bytes.

It ignores SIGCHLD, so that the kernel reaps orphans where a pod's containers share the process namespace, and
then waits for ever. Compared with a compiled `pause` it maps one page and starts in no time.
"""

from __future__ import annotations

import struct

LOAD_ADDRESS = 0x400000
ELF_HEADER_BYTES = 64
PROGRAM_HEADER_BYTES = 56
CODE_OFFSET = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES

SIGCHLD = 17
IGNORE_ACTION = struct.pack("<QQQQ", 1, 0, 0, 0)
"""The kernel's `struct sigaction` with SIG_IGN; it follows the code."""


def program(architecture: str) -> bytes:
    """The ELF file for `amd64` or `arm64`. Raises KeyError for any other architecture."""
    machine, code = {"amd64": (62, _amd64_code()), "arm64": (183, _arm64_code())}[architecture]
    content = code + IGNORE_ACTION
    size = CODE_OFFSET + len(content)
    identification = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    elf_header = identification + struct.pack(
        "<HHIQQQIHHHHHH",
        2, machine, 1, LOAD_ADDRESS + CODE_OFFSET, ELF_HEADER_BYTES, 0,
        0, ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES, 1, 0, 0, 0,
    )  # fmt: skip
    readable_executable = 5
    program_header = struct.pack(
        "<IIQQQQQQ", 1, readable_executable, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x10000
    )
    return elf_header + program_header + content


def _amd64_code() -> bytes:
    ignore_children = b"".join(
        [
            bytes([0x6A, SIGCHLD, 0x5F]),  # push SIGCHLD; pop rdi
            b"\x48\x8d\x35" + struct.pack("<i", 18),  # lea rsi, [rip + 18]: past the code
            b"\x31\xd2",  # xor edx, edx
            b"\x6a\x08\x41\x5a",  # push 8; pop r10: bytes in a signal set
            b"\x6a\x0d\x58",  # push 13; pop rax: rt_sigaction
            b"\x0f\x05",  # syscall
        ]
    )
    wait_for_ever = b"\x6a\x22\x58\x0f\x05\xeb\xf9"  # push 34 (pause); pop rax; syscall; jmp back
    return ignore_children + wait_for_ever


def _arm64_code() -> bytes:
    system_call = 0xD4000001
    ignore_children = [
        _arm64_set(0, SIGCHLD),
        _arm64_address(1, words_ahead=12),
        _arm64_set(2, 0),
        _arm64_set(3, 8),
        _arm64_set(8, 134),  # rt_sigaction
        system_call,
    ]
    wait_for_ever = [
        _arm64_set(0, 0),
        _arm64_set(1, 0),
        _arm64_set(2, 0),
        _arm64_set(3, 0),
        _arm64_set(8, 73),  # ppoll of nothing, without a limit: arm64 has no pause
        system_call,
        _arm64_branch(words_ahead=-6),
    ]
    return struct.pack("<13I", *ignore_children, *wait_for_ever)


def _arm64_set(register: int, value: int) -> int:
    return 0xD2800000 | value << 5 | register


def _arm64_address(register: int, *, words_ahead: int) -> int:
    return 0x10000000 | words_ahead << 5 | register


def _arm64_branch(*, words_ahead: int) -> int:
    return 0x14000000 | words_ahead & 0x3FFFFFF
