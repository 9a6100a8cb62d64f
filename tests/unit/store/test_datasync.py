"""Waiting for the disk, by the kernel or by a thread."""

import asyncio
import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from mamekube.store import datasync
from mamekube.store.datasync import KernelSync, ThreadSync, data_sync


@pytest.fixture
def thread():
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture
def descriptor(tmp_path):
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


@pytest.fixture(params=["kernel", "thread"])
def sync(request, descriptor, thread):
    made = KernelSync(descriptor) if request.param == "kernel" else ThreadSync(descriptor, thread)
    yield made
    made.close()


async def test_waits_end(sync, descriptor):
    for number in range(20):
        os.pwrite(descriptor, b"x" * 5_000, number * 1_000)
        await asyncio.wait_for(sync.wait(), 30)


async def test_a_failure_is_told_and_ends_with_its_cause(sync, descriptor):
    await sync.wait()
    kept = os.dup(descriptor)
    read, write = os.pipe()
    os.dup2(write, descriptor)
    with pytest.raises(OSError) as failed:
        await sync.wait()
    assert failed.value.errno == errno.EINVAL
    os.dup2(kept, descriptor)
    await sync.wait()
    for opened in (kept, read, write):
        os.close(opened)


async def test_a_wait_that_was_given_up_ends_no_later_one(descriptor):
    sync = KernelSync(descriptor)
    for _ in range(20):
        given_up = asyncio.ensure_future(sync.wait())
        await asyncio.sleep(0)
        given_up.cancel()
        os.pwrite(descriptor, b"x", 0)
        await asyncio.wait_for(sync.wait(), 30)
    sync.close()


async def test_a_failure_of_the_disk_comes_from_the_kernels_answer(descriptor, monkeypatch):
    sync = KernelSync(descriptor)

    def failing():
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(sync, "_take", failing)
    with pytest.raises(OSError) as failed:
        await sync.wait()
    assert failed.value.errno == errno.EIO
    monkeypatch.undo()
    sync._take()
    await sync.wait()
    sync.close()


def test_a_file_that_the_kernel_cannot_be_asked_about_is_left_to_the_thread(thread):
    read, write = os.pipe()
    made = data_sync(write, thread)
    assert isinstance(made, ThreadSync)
    made.close()
    os.close(read)


def test_a_machine_whose_calls_are_not_known_has_the_thread(descriptor, thread, monkeypatch):
    assert isinstance(data_sync(os.dup(descriptor), thread), KernelSync)
    monkeypatch.setattr(datasync, "CALLS", {})
    assert isinstance(data_sync(descriptor, thread), ThreadSync)


def test_nothing_is_left_open(tmp_path, thread):
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        data_sync(os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT), thread).close()
    assert set(os.listdir("/proc/self/fd")) == before
