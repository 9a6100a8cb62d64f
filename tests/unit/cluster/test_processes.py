"""Processes are found again by PID and start time, kept running, and ended."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mamekube.cluster import node, processes


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_running_process_is_found_by_its_file(tmp_path: Path, sleeper: subprocess.Popen) -> None:
    processes.remember(tmp_path / "pid", sleeper.pid)
    assert processes.running(tmp_path / "pid") == sleeper.pid


def test_an_ended_process_is_not_found_even_before_it_is_reaped(
    tmp_path: Path, sleeper: subprocess.Popen
) -> None:
    processes.remember(tmp_path / "pid", sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.running(tmp_path / "pid") == 0


@pytest.mark.parametrize(
    "change", [lambda fields: [fields[0], "1", fields[2]], lambda fields: [*fields[:2], "other"]]
)
def test_a_process_that_took_over_the_pid_is_another_one(
    tmp_path: Path, sleeper: subprocess.Popen, change
) -> None:
    processes.remember(tmp_path / "pid", sleeper.pid)
    fields = (tmp_path / "pid").read_text().split()
    (tmp_path / "pid").write_text(" ".join(change(fields)))
    assert processes.running(tmp_path / "pid") == 0


@pytest.mark.parametrize("content", ["", "12", "x y z"])
def test_an_unreadable_file_means_that_nothing_runs(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    assert processes.running(tmp_path / "pid") == 0


def respawn(folder: Path, script: str, *, bytes_max: int = 1_000_000) -> int:
    return processes.spawn(
        ["/bin/sh", str(node.SCRIPTS / "respawn.sh"), str(folder / "log"), "/bin/sh", "-c", script],
        environment={"PATH": os.environ["PATH"], "LOG_BYTES_MAX": str(bytes_max)},
        log=folder / "outer",
        cgroup_files=[],
    )


def wait_for(file: Path, words: str) -> None:
    deadline = time.monotonic() + 20
    while not file.exists() or words not in file.read_text():
        assert time.monotonic() < deadline, file.read_text() if file.exists() else "no file"
        time.sleep(0.01)


def test_a_program_that_ends_is_started_again_and_the_log_says_so(tmp_path: Path) -> None:
    loop = respawn(tmp_path, "echo began; exit 3")
    wait_for(tmp_path / "log", "began\n")
    deadline = time.monotonic() + 20
    while processes.ends(tmp_path / "log", since=0) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "ended with status 3" in (tmp_path / "log").read_text()
    assert processes.end(loop, timeout_s=10)


def test_ending_the_loop_ends_its_program_in_order(tmp_path: Path) -> None:
    loop = respawn(tmp_path, "trap 'echo tidied; exit 0' TERM; echo began; sleep 60 & wait")
    wait_for(tmp_path / "log", "began")
    assert processes.end(loop, timeout_s=10)
    assert (tmp_path / "log").read_text() == "began\ntidied\n"


def test_a_long_log_is_put_aside_before_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x" * 200)
    loop = respawn(tmp_path, "echo began; sleep 60", bytes_max=100)
    wait_for(tmp_path / "log", "began")
    assert (tmp_path / "log").read_text() == "began\n"
    assert (tmp_path / "log.1").read_text() == "x" * 200
    assert processes.end(loop, timeout_s=10)


def test_whoever_does_not_end_in_time_is_reported(tmp_path: Path) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo; sleep 60"], stdout=subprocess.PIPE
    ) as stubborn:
        stubborn.stdout.readline()
        assert not processes.end(stubborn.pid, timeout_s=0.05)
        os.kill(stubborn.pid, signal.SIGKILL)
