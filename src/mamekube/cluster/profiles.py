"""Profiles: which clusters there are on this machine, where their files are, which addresses they have.

A profile is a folder, `$MAMEKUBE_HOME/profiles/NAME` (`/var/lib/mamekube` unless set: a cluster belongs to the
machine, whichever user's `sudo` started it). `profile.json` in it is the truth about what was asked for; what
runs is asked of the kernel. Every change of a profile is made under its lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mamekube.cluster.failures import GUEST_CONFLICT, GUEST_NOT_FOUND, NETWORK_CONFLICT, USAGE, Failure

DEFAULT_NAME = "mamekube"
DEFAULT_HOME = "/var/lib/mamekube"

FIRST_SUBNET = 49
LAST_SUBNET = 254
NODES_MAX = 200
"""Nodes take 192.168.x.2 and up, and 10.244.<number>.0/24."""

API_PORT = 8443
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/12"
KUBERNETES_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
KUBERNETES_VERSION = "v1.36.2"

NAME_RULE = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(slots=True, kw_only=True)
class Node:
    """A node of a profile; `number` counts from 0, the control plane's, and is never used twice."""

    name: str
    number: int
    fake: bool = False

    @property
    def pod_cidr(self) -> str:
        return f"10.244.{self.number}.0/24"


@dataclass(slots=True, kw_only=True)
class Profile:
    """One cluster. `subnet` is the x of its 192.168.x.0/24."""

    name: str
    subnet: int
    nodes: list[Node]
    next_number: int = 1
    registry_mirrors: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    """What `--extra-config` said, see `flags`."""
    kubernetes_version: str = KUBERNETES_VERSION

    @property
    def folder(self) -> Path:
        return folder_of(self.name)

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def bridge(self) -> str:
        return f"mame{self.subnet}"

    @property
    def gateway(self) -> str:
        """The host's address on the bridge; the API server listens on it."""
        return f"192.168.{self.subnet}.1"

    @property
    def server(self) -> str:
        return f"https://{self.gateway}:{API_PORT}"

    def address(self, node: Node) -> str:
        return f"192.168.{self.subnet}.{node.number + 2}"

    def link(self, node: Node) -> str:
        """The host's end of the node's link to the bridge."""
        return f"{self.bridge}n{node.number + 2}"

    def node_folder(self, node: Node) -> Path:
        return self.folder / "nodes" / node.name

    def cgroup(self, part: str = "") -> str:
        """The cgroup of one part of the cluster, below every hierarchy's root."""
        return f"{cgroup_of(self.name)}/{part}".rstrip("/")

    def find_node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name or (not name and node.number == 0):
                return node
        raise Failure(
            GUEST_NOT_FOUND,
            f'Node "{name}" does not exist in profile "{self.name}"',
            advice=f'To see its nodes, run: "{command(self.name)} node list"',
        )

    def add_node(self, *, fake: bool = False) -> Node:
        if self.next_number >= NODES_MAX:
            raise Failure(USAGE, f"A profile has at most {NODES_MAX} nodes in its life")
        node = Node(name=f"{self.name}-m{self.next_number + 1:02d}", number=self.next_number, fake=fake)
        self.next_number += 1
        self.nodes.append(node)
        return node

    def save(self) -> None:
        write_atomically(self.folder / "profile.json", json.dumps(asdict(self), indent=2) + "\n", mode=0o644)


def home() -> Path:
    return Path(os.environ.get("MAMEKUBE_HOME") or DEFAULT_HOME).absolute()


def cache_folder() -> Path:
    return home() / "cache"


def folder_of(name: str) -> Path:
    return home() / "profiles" / name


def scope(name: str) -> str:
    """The profile's name where the whole host sees it: profiles of another home are other profiles."""
    place = str(home())
    return name if place == DEFAULT_HOME else f"{name}-{zlib.crc32(place.encode()):08x}"


def cgroup_of(name: str) -> str:
    """The cgroup of everything in a cluster."""
    return f"mamekube/{scope(name)}"


def forwarding_mark() -> Path:
    """A file that says that the host did not forward packets before the first profile was started."""
    return home() / "forwarding-switched-on"


def command(name: str) -> str:
    """How a user types a command on this profile."""
    return "mamekube" if name == DEFAULT_NAME else f"mamekube -p {name}"


def check_name(name: str) -> None:
    """Raises Failure for a name that could not be a host name, or a folder."""
    if not NAME_RULE.fullmatch(name):
        raise Failure(
            USAGE,
            f'"{name}" is not a valid profile name',
            advice="Use at most 40 lower case letters, digits and '-', beginning and ending with a letter or digit",
        )


def load(name: str) -> Profile:
    """Raises Failure (not found) where there is no such profile."""
    check_name(name)
    try:
        return _decode(json.loads((folder_of(name) / "profile.json").read_text()))
    except FileNotFoundError:
        raise Failure(
            GUEST_NOT_FOUND,
            f'Profile "{name}" not found. Run "mamekube profile list" to view all profiles',
            advice=f'To start a cluster, run: "{start_command(name)}"',
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise Failure(
            GUEST_CONFLICT,
            f'Profile "{name}" has an unreadable {folder_of(name) / "profile.json"}: {error}',
            advice=f'Remove it with: "mamekube delete -p {name}"',
        ) from None


def start_command(name: str) -> str:
    return "mamekube start" if name == DEFAULT_NAME else f"mamekube start -p {name}"


def names() -> list[str]:
    """Every profile that has a folder, also after a start that failed half-way."""
    try:
        return sorted(entry.name for entry in (home() / "profiles").iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []


def create(name: str, *, nodes: int, registry_mirrors: dict[str, str]) -> Profile:
    """Choose free addresses and write a new profile down.

    The caller holds the lock of its folder, and the host's until the addresses can be seen in the network.
    """
    profile = Profile(
        name=name,
        subnet=_free_subnet(),
        nodes=[Node(name=name, number=0)],
        registry_mirrors=registry_mirrors,
    )
    for _ in range(nodes - 1):
        profile.add_node()
    profile.save()
    return profile


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the profile's lock: one start, stop or delete at a time.

    The lock is on the folder itself, so there is no file that could be left behind. The folder is made where it is
    missing, and goes again where nothing was written into it: a start that was refused leaves no profile.
    """
    check_name(name)
    folder = folder_of(name)
    with _locked(folder) as descriptor:
        try:
            yield
        finally:
            # Only the locked one: after a delete, whoever waited for the lock has a folder of his own already.
            with suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                    folder.rmdir()
                    _remove_empty_home()


@contextmanager
def host_locked() -> Iterator[None]:
    """Choose addresses one at a time on this host. The lock is on a folder that is there anyway."""
    with _locked(Path("/run")):
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):
            if folder.is_file():
                raise
            continue  # deleted between two steps, or with its parent
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            same = os.path.samestat(os.fstat(descriptor), os.stat(folder))
        except FileNotFoundError:
            same = False
        if same:
            break
        os.close(descriptor)  # deleted while we waited: lock the new one
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove(name: str) -> None:
    """Delete the profile's files, and with the last profile all of Mamekube's."""
    left: list[BaseException] = []

    def note(_function: object, _path: str, info: tuple[Any, BaseException, Any]) -> None:
        if not isinstance(info[1], FileNotFoundError):
            left.append(info[1])

    shutil.rmtree(folder_of(name), onerror=note)
    # Not whether the folder is there: whoever waited for the lock makes it anew at once.
    if left:
        raise Failure(
            GUEST_CONFLICT, f"{folder_of(name)} cannot be removed", advice="Is a file of it in use?"
        )
    if not names():
        shutil.rmtree(cache_folder(), ignore_errors=True)
        forwarding_mark().unlink(missing_ok=True)
        _remove_empty_home()


def _remove_empty_home() -> None:
    for folder in (home() / "profiles", home()):
        try:
            folder.rmdir()
        except OSError:
            return


def _free_subnet() -> int:
    taken = {load(name).subnet for name in names() if (folder_of(name) / "profile.json").exists()}
    taken |= set(_routed_subnets())
    for subnet in range(FIRST_SUBNET, LAST_SUBNET + 1):
        if subnet not in taken:
            return subnet
    raise Failure(
        NETWORK_CONFLICT,
        f"No network 192.168.{FIRST_SUBNET}.0/24 to 192.168.{LAST_SUBNET}.0/24 is free on this machine",
        advice='Delete a profile: "mamekube delete -p NAME"',
    )


def _routed_subnets() -> Iterator[int]:
    """The x of every 192.168.x.0 that this machine has a route into."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        destination = int(line.split()[1], 16).to_bytes(4, "little")
        if destination[:2] == bytes([192, 168]):
            yield destination[2]


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file's content, or leave it as it was."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.rename(path)


def _decode(data: dict[str, Any]) -> Profile:
    return Profile(**{**data, "nodes": [Node(**node) for node in data["nodes"]]})
