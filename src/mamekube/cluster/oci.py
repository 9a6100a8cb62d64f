"""Container images written by Python: an OCI image layout is tar and JSON.

Everything here is deterministic: the same content gives the same digests on every machine. Layers are not
compressed, for a runtime unpacks them faster so, and they never travel over a network.

Specifications: OCI image-spec v1.0 (`image-layout.md`, `manifest.md`, `config.md`).
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CREATED = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class File:
    """One entry of a layer: content, or the target of a symbolic link, or (neither) a folder."""

    path: str
    content: bytes | None = None
    link: str = ""
    mode: int = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """`name` in full (`docker.io/library/x:tag`); `config` is the OCI image's `config` object."""

    name: str
    layers: Sequence[bytes]
    config: Mapping[str, Any] = field(default_factory=dict)


def architecture() -> str:
    """This machine's architecture in the words of OCI."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def layer(files: Sequence[File]) -> bytes:
    """The tar of one layer, owned by root, at the epoch."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            info = tarfile.TarInfo(file.path)
            info.mode = file.mode
            if file.link:
                info.type, info.linkname = tarfile.SYMTYPE, file.link
            elif file.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(file.content)
            archive.addfile(info, io.BytesIO(file.content or b""))
    return buffer.getvalue()


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write the images as one OCI archive: what `ctr images import`, `skopeo` and `buildah` read."""
    blobs: dict[str, bytes] = {}
    manifests = [_add_image(blobs, image) for image in images]
    index = {"schemaVersion": 2, "manifests": manifests}
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add_file(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add_file(archive, "index.json", _encode(index))
        for digest, content in blobs.items():
            _add_file(archive, f"blobs/sha256/{digest}", content)


def _add_image(blobs: dict[str, bytes], image: Image) -> dict[str, Any]:
    """Put an image's blobs among `blobs`; answer its descriptor for the index."""
    config = {
        "created": CREATED,
        "architecture": architecture(),
        "os": "linux",
        "config": dict(image.config),
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in image.layers],
        },
        "history": [{"created": CREATED, "created_by": "mamekube"} for _ in image.layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _add_blob(blobs, _encode(config), CONFIG_TYPE),
        "layers": [_add_blob(blobs, content, LAYER_TYPE) for content in image.layers],
    }
    descriptor = _add_blob(blobs, _encode(manifest), MANIFEST_TYPE)
    descriptor["annotations"] = {
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name,
    }
    descriptor["platform"] = {"architecture": architecture(), "os": "linux"}
    return descriptor


def _add_blob(blobs: dict[str, bytes], content: bytes, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _add_file(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    info = tarfile.TarInfo(path)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _encode(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
