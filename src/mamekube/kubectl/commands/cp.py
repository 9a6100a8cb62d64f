"""kubectl cp: files into a container and out of it, through a `tar` that runs there.

An archive flows through a pipe between the stream of `exec` and a thread that writes or reads it, so that nothing
is held whole anywhere. What comes out of a container is not trusted: it stays under its destination, and symbolic
links are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mamekube.kubectl.commands.logs import default_container, pod_of
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.objects.meta import name_of, namespace_of

FLAGS = (Flag("container", short="c"), Flag("no-preserve", "bool"), Flag("retries", "int"))
CHUNK_BYTES = 32_768
Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Place:
    """`[[namespace/]pod:]path`."""

    path: str
    pod: str = ""
    namespace: str = ""


def run(session: Session) -> int:
    if len(session.words) != 2:
        raise Failure("error: source and destination are required")
    source, destination = (parse(word) for word in session.words)
    if source.pod and destination.pod:
        raise Failure("error: one of src or dest must be a local file specification")
    if not source.path or not destination.path:
        raise Failure("error: filepath can not be empty")
    if source.pod:
        return _Copy(session, source).fetch(destination.path)
    if destination.pod:
        return _Copy(session, destination).send(source.path)
    raise Failure("error: one of src or dest must be a remote file specification")


def parse(word: str) -> Place:
    """Raises Failure for what is no place."""
    front, colon, path = word.partition(":")
    if not colon:
        return Place(word)
    *namespaces, pod = front.split("/")
    if not front or len(namespaces) > 1:
        raise Failure("error: filespec must match the canonical format: [[namespace/]pod:]file/path")
    return Place(path.replace("\\", "/"), pod, namespaces[0] if namespaces else "")


class _Copy:
    """One copy, and the pod at its other end."""

    def __init__(self, session: Session, remote: Place) -> None:
        self._session = session
        self._remote = remote
        self._path = ""
        self._container = ""

    # Into the container ------------------------------------------------------------------------------

    def send(self, source: str) -> int:
        if not os.path.lexists(source):
            raise Failure(f"error: {source} doesn't exist in local filesystem")
        self._find_pod()
        target = self._remote.path
        code, _ = self._run(["test", "-d", target], sink=lambda data: None)
        if code == 0:
            target = posixpath.join(target, os.path.basename(os.path.normpath(source)))
        target = posixpath.normpath(target)
        words = [
            "tar",
            *(("--no-same-permissions", "--no-same-owner") if self._session.flag("no-preserve") else ()),
        ]
        words += ["-xmf", "-", "-C", posixpath.dirname(target) or "."]
        with _piped() as (reader, writer), ThreadPoolExecutor(1) as threads:
            packing = threads.submit(_pack, source, posixpath.basename(target), writer)
            try:
                code, message = self._run(
                    words,
                    source=lambda: os.read(reader.fileno(), CHUNK_BYTES),
                    sink=lambda data: _write_all(1, data),
                )
            finally:
                # An archive that nobody reads ends its writer.
                reader.close()
            return self._ended(code, message, packing)

    # Out of the container ----------------------------------------------------------------------------

    def fetch(self, destination: str) -> int:
        self._find_pod()
        with _piped() as (reader, writer), ThreadPoolExecutor(1) as threads:
            unpacking = threads.submit(
                unpack, reader, prefix_of(self._remote.path), destination, warn=self._symlink_warnings()
            )
            try:
                code, message = self._receive(writer)
            finally:
                writer.close()
            return self._ended(code, message, unpacking)

    def _receive(self, writer: BinaryIO) -> tuple[int, str]:
        """The archive into the pipe; where the stream breaks it is taken up again as often as --retries allows."""
        received, tries, limit = 0, 0, self._session.flag("retries", 0)

        def sink(data: bytes) -> None:
            nonlocal received
            with contextlib.suppress(BrokenPipeError):
                _write_all(writer.fileno(), data)
            received += len(data)

        while True:
            words = ["tar", "cf", "-", self._remote.path]
            if limit:
                words = ["sh", "-c", f"tar cf - {self._remote.path} | tail -c+{received + 1}"]
            code, message = self._run(words, sink=sink)
            if code == 0 or (0 <= limit <= tries):
                return code, message
            tries += 1
            self._session.print(f"Resuming copy at {received} bytes, retry {tries}/{limit}")

    def _symlink_warnings(self) -> Callable[[str], None]:
        first = True
        place = f"-n {json.dumps(self._namespace)} {json.dumps(self._remote.pod)}"

        def warn(text: str) -> None:
            nonlocal first
            hint = (
                f' (consider using "kubectl exec {place} -- tar cf - {json.dumps(self._remote.path)} | tar xf -")'
                if first and text.startswith("warning: skipping symlink")
                else ""
            )
            first = first and not hint
            self._session.warn(text + hint)

        return warn

    # Both --------------------------------------------------------------------------------------------

    @property
    def _namespace(self) -> str:
        return self._remote.namespace or self._session.namespace

    def _find_pod(self) -> None:
        if self._remote.namespace:
            self._session.arguments.flags["namespace"] = self._remote.namespace
        pod = pod_of(self._session, f"pod/{self._remote.pod}")
        phase = (pod.get("status") or {}).get("phase")
        if phase in ("Succeeded", "Failed"):
            raise Failure(f"error: cannot exec into a container in a completed pod; current phase is {phase}")
        self._container = self._session.flag("container") or default_container(self._session, pod)
        self._path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/exec"

    def _run(
        self, words: Sequence[str], *, sink: Sink, source: Callable[[], bytes] | None = None
    ) -> tuple[int, str]:
        from mamekube.kubectl import streams

        query = [("container", self._container), *(("command", word) for word in words)]
        query += [("stdin", "true")] if source is not None else []
        query += [("stdout", "true"), ("stderr", "true")]
        return streams.exchange(self._session.config, self._path, query, source=source, sink=sink)

    def _ended(self, code: int, message: str, work: Future[None]) -> int:
        """The exit code; raises what went wrong on this side, unless that came of the other."""
        problem = work.exception()
        if code:
            self._session.warn(message)
            return code
        if isinstance(problem, OSError | tarfile.TarError):
            raise Failure(f"error: {problem}") from None
        if problem is not None:
            raise problem
        return 0


@contextlib.contextmanager
def _piped() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The two ends of a pipe."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "wb") as writer:
        yield reader, writer


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


# Archives ---------------------------------------------------------------------------------------------


def _pack(source: str, name: str, writer: BinaryIO) -> None:
    """Write an archive of a file or folder, which is called `name` in it, and close the pipe."""
    with writer, tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, Path(source), name)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Folders are made by what is in them; only empty ones are named."""
    if path.is_dir() and not path.is_symlink():
        inside = sorted(path.iterdir())
        for child in inside:
            _add(archive, child, f"{name}/{child.name}")
        if inside:
            return
    archive.add(path, arcname=name, recursive=False)


def prefix_of(path: str) -> str:
    """What the names in the archive of a remote path begin with."""
    cleaned = posixpath.normpath(path.strip("/") or "/").lstrip("/")
    while cleaned == ".." or cleaned.startswith("../"):
        cleaned = cleaned.removeprefix("..").removeprefix("/")
    return "" if cleaned == "." else cleaned


def unpack(reader: BinaryIO, prefix: str, destination: str, *, warn: Callable[[str], Any]) -> None:
    """Read an archive into `destination`, which becomes what `prefix` was."""
    root = os.path.abspath(destination)
    with tarfile.open(fileobj=reader, mode="r|") as archive:
        for member in archive:
            if not member.name.startswith(prefix):
                raise tarfile.TarError("tar contents corrupted")
            inner = posixpath.normpath(member.name[len(prefix) :].lstrip("/") or ".")
            target = os.path.normpath(os.path.join(root, inner))
            if target != root and not target.startswith(root.rstrip("/") + "/"):
                warn(f"warning: file {json.dumps(target)} is outside target destination, skipping")
                continue
            _unpack_one(archive, member, Path(target), os.path.join(destination, inner), warn)


def _unpack_one(
    archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, shown: str, warn: Callable[[str], Any]
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif member.issym():
        warn(
            f"warning: skipping symlink: {json.dumps(os.path.normpath(shown))} -> {json.dumps(member.linkname)}"
        )
    elif (content := archive.extractfile(member) if member.isreg() else None) is not None:
        with target.open("wb") as file:
            while data := content.read(CHUNK_BYTES):
                file.write(data)
