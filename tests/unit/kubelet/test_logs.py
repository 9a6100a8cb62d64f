"""Reading containers' logs: what `kubectl logs` selects."""

import asyncio

import pytest

from mamekube.kubelet import log_rotation
from mamekube.kubelet.logs import Line, Options, parse_line, read, tail
from mamekube.kubelet.runtime import Container

LINES = [
    f"2026-01-01T00:00:{number:02}.5Z {'stderr' if number % 2 else 'stdout'} F line {number}"
    for number in range(10)
]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "0.log"
    path.write_text("\n".join(LINES) + "\n")
    return path


async def text(path, **options):
    blocks = [block async for block in read(path, Options(**options), running=lambda: False)]
    return b"".join(blocks).decode()


def test_a_line_has_a_time_a_stream_and_a_text():
    assert parse_line(b"2026Z stdout F a b\n") == Line(b"2026Z", b"stdout", b"a b\n")
    assert parse_line(b"2026Z stdout F \n") == Line(b"2026Z", b"stdout", b"\n")
    assert parse_line(b"2026Z stderr P cut") == Line(b"2026Z", b"stderr", b"cut")
    assert parse_line(b"something else") is None


async def test_everything_is_read(log):
    assert await text(log) == "".join(f"line {number}\n" for number in range(10))


async def test_the_tail(log):
    assert await text(log, tail_lines=2) == "line 8\nline 9\n"
    assert await text(log, tail_lines=0) == ""
    assert await text(log, tail_lines=99) == await text(log)


async def test_since_timestamps_limit_and_stream(log):
    assert await text(log, since_s=1767225608.0) == "line 8\nline 9\n"
    assert await text(log, tail_lines=1, timestamps=True) == "2026-01-01T00:00:09.5Z line 9\n"
    assert await text(log, limit_bytes=9) == "line 0\nli"
    assert await text(log, stream="Stderr", tail_lines=4) == "line 7\nline 9\n"


async def test_parts_of_a_long_line_are_joined(tmp_path):
    path = tmp_path / "0.log"
    path.write_text("t stdout P abc\nt stdout F def\nt stdout F next\n")
    assert await text(path, timestamps=True) == "t abcdef\nt next\n"


def test_the_tail_of_a_big_file_is_found_from_its_end(tmp_path):
    path = tmp_path / "0.log"
    path.write_text("".join(f"t stdout F {'x' * 500} {number}\n" for number in range(2000)))
    assert [line.content.split()[-1] for line in tail(path, 300)] == [
        str(number).encode() for number in range(1700, 2000)
    ]


async def test_following_sees_new_lines_a_rotation_and_the_end(log):
    running = True
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def follow():
        async for block in read(log, Options(follow=True, tail_lines=0), running=lambda: running):
            seen.put_nowait(block.decode())

    async def until_seen(line):
        async with asyncio.timeout(10):
            assert await seen.get() == line

    follower = asyncio.create_task(follow())
    await asyncio.sleep(0)
    with log.open("a") as file:
        file.write("t stdout F new\n")
    await until_seen("new\n")
    log.rename(log.with_suffix(".old"))
    log.write_text("t stdout F rotated\n")
    await until_seen("rotated\n")
    running = False
    await asyncio.wait_for(follower, 10)


async def test_a_full_log_is_put_aside_and_the_oldest_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(log_rotation, "SIZE_BYTES_MAX", 10)
    path = tmp_path / "0.log"
    path.write_text("more than ten bytes")
    for number in range(4):
        path.with_name(f"0.log.2026010{number}-000000").touch()
    reopened = []

    class Runtime:
        async def reopen_log(self, container_id):
            reopened.append(container_id)

    dead = Container(id="c", name="main", sandbox_id="s", state="running", attempt=0, log_path=str(path))
    await log_rotation.rotate(dead, Runtime())
    assert reopened == ["c"]
    kept = sorted(file.name for file in tmp_path.iterdir())
    assert len(kept) == 4
    assert kept[0] == "0.log.20260101-000000"
