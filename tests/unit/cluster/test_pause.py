"""The pause program is a valid ELF file that waits, and ends when it is told to."""

import platform
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

from mamekube.cluster import oci, pause


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_headers_describe_the_file(architecture: str, machine: int) -> None:
    content = pause.program(architecture)
    assert content[:4] == b"\x7fELF"
    assert struct.unpack_from("<HH", content, 16) == (2, machine)
    entry, program_header = struct.unpack_from("<QQ", content, 24)
    _, _, offset, address, _, file_bytes, memory_bytes, _ = struct.unpack_from(
        "<IIQQQQQQ", content, program_header
    )
    assert offset == 0 and file_bytes == memory_bytes == len(content)
    assert address < entry < address + len(content)
    assert len(content) < 256


def test_arm64_ignores_the_end_of_children_by_the_structure_after_the_code() -> None:
    content = pause.program("arm64")
    entry = pause.CODE_OFFSET
    address_instruction = struct.unpack_from("<I", content, entry + 4)[0]
    immediate = (address_instruction >> 5 & 0x7FFFF) << 2 | address_instruction >> 29 & 3
    target = entry + 4 + immediate
    assert content[target:] == pause.IGNORE_ACTION


def ignored_signals(pid: int) -> int:
    """The signals that a process ignores, a bit for each; some it may have been born with."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("SigIgn:")), 16)


@pytest.mark.skipif(
    platform.machine() not in oci.ARCHITECTURES, reason="there is no pause program for this machine"
)
def test_it_runs_until_it_is_ended_and_ignores_the_end_of_children(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause.program(oci.architecture()))
    program.chmod(0o755)
    with subprocess.Popen([program]) as process:
        deadline = time.monotonic() + 5
        while not ignored_signals(process.pid) >> (signal.SIGCHLD - 1) & 1:
            assert process.poll() is None and time.monotonic() < deadline
        process.terminate()
        assert process.wait(timeout=5) == -signal.SIGTERM
