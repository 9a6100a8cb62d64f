"""`mamekube image build`: a Dockerfile becomes an image of every node, by way of buildah.

The build is isolated by chroot and stores plain files below the profile's folder, so it works wherever the
cluster itself works, and goes with it. Base images that the nodes have are taken from them: after a build its
image can be the base of the next, and nothing is asked of a registry.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mamekube.cluster import image_store, output, tools
from mamekube.cluster.failures import GUEST_NOT_FOUND, RUNTIME_ERROR, Failure
from mamekube.cluster.profiles import Profile

FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to build."""

    tag: str
    folder: Path
    file: str = ""
    build_arguments: Sequence[str] = field(default=())

    @property
    def dockerfile(self) -> Path:
        return Path(self.file) if self.file else self.folder / "Dockerfile"


def build(profile: Profile, nodes: Sequence[int], order: Order) -> None:
    """Build, showing buildah's own output, and load the image into the nodes."""
    if not order.dockerfile.is_file():
        raise Failure(GUEST_NOT_FOUND, f"{order.dockerfile} does not exist", advice="Name it with -f")
    name = image_store.normalize(order.tag)
    store = profile.folder / "build"
    store.mkdir(mode=0o700, exist_ok=True)
    buildah = _buildah(store)
    with tempfile.TemporaryDirectory(prefix="build-", dir=store) as scratch:
        for base in base_images(order.dockerfile.read_text()):
            _provide(buildah, nodes[0], base, Path(scratch))
        arguments = ["build", "--isolation", "chroot", "--format", "docker", "--network", "host", "--layers"]
        arguments += ["--pull=missing", "--tag", name, "--file", str(order.dockerfile)]
        for argument in order.build_arguments:
            arguments += ["--build-arg", argument]
        if subprocess.run([*buildah, *arguments, str(order.folder)]).returncode != 0:
            raise Failure(
                RUNTIME_ERROR, f"{order.dockerfile} cannot be built", advice="See buildah's words above"
            )
        archive = Path(scratch) / "built.tar"
        _run([*buildah, "push", name, f"docker-archive:{archive}:{name}"], "The image cannot be exported")
        image_store.load_archive(nodes, archive)
    output.step("image", f"Built {name}")


def base_images(dockerfile: str) -> list[str]:
    """The images named by FROM lines; `scratch` and names out of build arguments are none."""
    return [name for name in FROM.findall(dockerfile) if name != "scratch" and "$" not in name]


def _provide(buildah: Sequence[str], node: int, base: str, scratch: Path) -> None:
    """Copy a base image out of the node, where buildah does not have it and the node does."""
    name = image_store.normalize(base)
    known = (
        subprocess.run([*buildah, "inspect", "--type", "image", name], capture_output=True).returncode == 0
    )
    archive = scratch / "base.tar"
    if not known and image_store.export(node, base, archive):
        _run([*buildah, "pull", f"oci-archive:{archive}"], f"{base} cannot be taken from the node")
        listed = _run([*buildah, "images", "--quiet", "--no-trunc"], "buildah cannot list its images")
        newest = listed.split()[0]
        _run([*buildah, "tag", newest, name], f"{base} cannot be named")


def _buildah(store: Path) -> list[str]:
    folders = ["--root", str(store / "storage"), "--runroot", str(store / "run")]
    return [tools.find("buildah"), *folders, "--storage-driver", "vfs"]


def _run(command: Sequence[str], failed: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failure(RUNTIME_ERROR, f"{failed}: {reason}")
    return done.stdout
