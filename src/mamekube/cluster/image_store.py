"""The images of the nodes: load, list, remove. Every node has its own store, so a change is made in each.

It is done by `ctr`, which is part of containerd, inside the node.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mamekube.cluster import namespaces, tools
from mamekube.cluster.failures import GUEST_NOT_FOUND, RUNTIME_ERROR, Failure

LOCAL_STORES = (("docker", "save", "-o"), ("podman", "save", "-o"))
"""Programs that may have an image, with what makes them write an archive of it to a file."""

DIGEST = re.compile(r"(?:^|@)sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    name: str
    id: str
    size: str

    @property
    def name_and_tag(self) -> tuple[str, str]:
        name, _, tag = self.name.rpartition(":")
        return (name, tag) if "/" not in tag else (self.name, "")


def normalize(name: str) -> str:
    """An image's name in full, as the kubelet looks it up: `app` is `docker.io/library/app:latest`."""
    domain, slash, _ = name.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost"):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def load(nodes: Sequence[int], image: str) -> list[str]:
    """Load an archive (of docker or OCI, perhaps compressed), or an image of a local store; answer its names."""
    if Path(image).exists():
        return load_archive(nodes, Path(image))
    with tempfile.TemporaryDirectory(prefix="mamekube-") as folder:
        archive = Path(folder) / "image.tar"
        _export(image, archive)
        return load_archive(nodes, archive)


def load_archive(nodes: Sequence[int], archive: Path) -> list[str]:
    names = [normalize(name) for name in archive_names(archive)]
    for node in nodes:
        arguments = ["images", "import", "--base-name", f"docker.io/library/{archive.stem}", "-"]
        with archive.open("rb") as content:
            _ctr(node, arguments, stdin=content, failed=f"{archive} cannot be loaded")
    return names or [str(archive)]


def archive_names(archive: Path) -> list[str]:
    """The names that an archive gives to its images. Raises Failure for what is no archive of images."""
    try:
        with tarfile.open(archive) as content:
            members = set(content.getnames())
            if "manifest.json" in members:
                manifests = json.load(content.extractfile("manifest.json"))  # type: ignore[arg-type]
                return [name for manifest in manifests for name in manifest.get("RepoTags") or []]
            if "index.json" in members:
                index = json.load(content.extractfile("index.json"))  # type: ignore[arg-type]
                annotations = [item.get("annotations") or {} for item in index["manifests"]]
                return [
                    item["io.containerd.image.name"]
                    for item in annotations
                    if "io.containerd.image.name" in item
                ]
    except (tarfile.TarError, OSError, ValueError) as error:
        raise Failure(GUEST_NOT_FOUND, f"{archive} is not a readable archive: {error}") from None
    raise Failure(
        GUEST_NOT_FOUND, f"{archive} has no images in it", advice='Make one with "docker save -o FILE IMAGE"'
    )


def listing(nodes: Sequence[int]) -> list[StoredImage]:
    """The images of the first node, by name; what containerd keeps under its digest alone is left out."""
    text = _ctr(nodes[0], ["images", "ls"], failed="The images cannot be listed")
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if not DIGEST.search(words[0]):
            found.append(
                StoredImage(name=words[0], id=words[2].removeprefix("sha256:"), size=f"{words[3]}{words[4]}")
            )
    return sorted(found, key=lambda image: image.name)


def remove(nodes: Sequence[int], images: Sequence[str]) -> None:
    """Remove by name. Containers that run keep what they need. Raises Failure for one that is not there."""
    wanted = [normalize(name) for name in images]
    known = {image.name for image in listing(nodes)}
    missing = [given for given, name in zip(images, wanted, strict=True) if name not in known]
    if missing:
        raise Failure(
            GUEST_NOT_FOUND, f"No such image: {', '.join(missing)}", advice='See "mamekube image ls"'
        )
    for node in nodes:
        _ctr(node, ["images", "rm", "--sync", *wanted], failed="The images cannot be removed")


def export(node: int, image: str, archive: Path) -> bool:
    """Write an image that a node has to an OCI archive; whether it has it."""
    name = normalize(image)
    if name not in {stored.name for stored in listing([node])}:
        return False
    with archive.open("wb") as output:
        done = subprocess.run(
            [*_ctr_command(node), "images", "export", "-", name], stdout=output, stderr=subprocess.PIPE
        )
    return done.returncode == 0


def _export(image: str, archive: Path) -> None:
    """Write an archive of an image that docker, podman or buildah on this machine has."""
    for program, *arguments in LOCAL_STORES:
        if shutil.which(program) and _succeeds([program, *arguments, str(archive), image]):
            return
    target = f"docker-archive:{archive}:{normalize(image)}"
    if shutil.which("buildah") and _succeeds(["buildah", "push", image, target]):
        return
    raise Failure(
        GUEST_NOT_FOUND,
        f'"{image}" is neither a file nor an image of docker, podman or buildah on this machine',
        advice='Give an archive made by "docker save"',
    )


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _ctr(node: int, arguments: Sequence[str], *, failed: str, stdin: object = subprocess.DEVNULL) -> str:
    done = subprocess.run([*_ctr_command(node), *arguments], stdin=stdin, capture_output=True, text=True)  # type: ignore[call-overload]
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failure(RUNTIME_ERROR, f"{failed}: {reason}")
    return str(done.stdout)


def _ctr_command(node: int) -> list[str]:
    return [*namespaces.enter_command(node), "--", tools.find("ctr"), "--namespace", "k8s.io"]
