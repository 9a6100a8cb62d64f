"""Waiting until what was written to a file is on disk, beside the event loop.

The kernel is asked for it by io_submit(2), and says through an event descriptor that it is done. A thread that waits
in fdatasync(2) does the same where that is not to be had, but it fights with the loop for the interpreter's lock
before and after each wait: see `docs/decisions/0010-the-loop-writes-the-kernel-syncs.md`.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import threading
from concurrent.futures import Executor
from typing import Any, NamedTuple, Protocol


class DataSync(Protocol):
    """Of one file. One wait at a time."""

    async def wait(self) -> None:
        """Return when all that was written before is on disk. Raises OSError."""

    def close(self) -> None: ...


def data_sync(descriptor: int, thread: Executor) -> DataSync:
    """The best that this machine has. The descriptor is closed with it."""
    try:
        return KernelSync(descriptor)
    except OSError:
        return ThreadSync(descriptor, thread)


class ThreadSync:
    """Waits in a thread of `thread`."""

    def __init__(self, descriptor: int, thread: Executor) -> None:
        self._descriptor = descriptor
        self._thread = thread

    async def wait(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, os.fdatasync, self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class KernelSync:
    """Lets the kernel wait. Raises OSError where it does not: on some machines, and for files of some file systems."""

    def __init__(self, descriptor: int) -> None:
        self._calls = _calls()
        self._descriptor = descriptor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._event = os.eventfd(0, os.EFD_CLOEXEC)
        self._context = ctypes.c_ulong()
        self._request = _Request(
            operation=FDSYNC, file=descriptor, flags=TELL_EVENT_DESCRIPTOR, event=self._event
        )
        self._requests = (ctypes.POINTER(_Request) * 1)(ctypes.pointer(self._request))
        try:
            _call(self._calls.setup, 1, ctypes.byref(self._context))
            try:
                self._submit()
                os.eventfd_read(self._event)
                self._take()
            except OSError:
                _call(self._calls.destroy, self._context)
                raise
        except OSError:
            os.close(self._event)
            raise

    async def wait(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._event, self._wake)
        waiting = self._waiting = self._loop.create_future()
        self._submit()
        await waiting

    def close(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._event)
        # The kernel takes thirty milliseconds for it, and nobody needs to wait.
        threading.Thread(target=_call, args=(self._calls.destroy, self._context), daemon=True).start()
        os.close(self._event)
        os.close(self._descriptor)

    def _submit(self) -> None:
        self._request.number += 1
        _call(self._calls.submit, self._context, 1, self._requests)

    def _wake(self) -> None:
        for _ in range(os.eventfd_read(self._event)):
            try:
                number = self._take()
            except OSError as error:
                self._answer(error)
            else:
                # Who gave up waiting for an earlier one is answered nothing any more.
                if number == self._request.number:
                    self._answer(None)

    def _take(self) -> int:
        """The number of a request that has ended. Raises OSError where it failed."""
        done = _Done()
        _call(self._calls.getevents, self._context, 1, 1, ctypes.byref(done), None)
        if done.result < 0:
            raise _failure(-done.result)
        return int(done.number)

    def _answer(self, error: OSError | None) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if error is None:
            self._waiting.set_result(None)
        else:
            self._waiting.set_exception(error)


# The kernel's interface -------------------------------------------------------------------------------

FDSYNC = 3
"""IOCB_CMD_FDSYNC of linux/aio_abi.h."""
TELL_EVENT_DESCRIPTOR = 1
"""IOCB_FLAG_RESFD."""


class _Request(ctypes.LittleEndianStructure):
    """`struct iocb`."""

    _fields_ = (
        ("number", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_int32),
        ("operation", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("file", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("event", ctypes.c_uint32),
    )


class _Done(ctypes.LittleEndianStructure):
    """`struct io_event`."""

    _fields_ = (
        ("number", ctypes.c_uint64),
        ("request", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("result2", ctypes.c_int64),
    )


class _Calls(NamedTuple):
    """Numbers of system calls that the C library has no function for."""

    setup: int
    destroy: int
    submit: int
    getevents: int


CALLS = {"x86_64": _Calls(206, 207, 209, 208), "aarch64": _Calls(0, 1, 2, 4), "riscv64": _Calls(0, 1, 2, 4)}
"""By machine."""


def _calls() -> _Calls:
    calls = CALLS.get(os.uname().machine)
    if calls is None:
        raise _failure(errno.ENOSYS)
    return calls


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


def _call(number: int, *arguments: Any) -> None:
    if _syscall(ctypes.c_long(number), *arguments) < 0:
        raise _failure(ctypes.get_errno())


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))
