"""Images written by Python are what the OCI specification says, and the same every time."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from mamekube.cluster import images, oci


def read_archive(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def read_blob(files: dict[str, bytes], descriptor: dict) -> bytes:
    content = files["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
    assert len(content) == descriptor["size"]
    assert "sha256:" + hashlib.sha256(content).hexdigest() == descriptor["digest"]
    return content


def test_every_descriptor_leads_to_a_blob_with_its_digest_and_size(tmp_path: Path) -> None:
    oci.write_archive(tmp_path / "a.tar", images.bootcamp_images(b"busybox"))
    files = read_archive(tmp_path / "a.tar")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(files["index.json"])
    for descriptor in index["manifests"]:
        manifest = json.loads(read_blob(files, descriptor))
        config = json.loads(read_blob(files, manifest["config"]))
        layers = [read_blob(files, layer) for layer in manifest["layers"]]
        digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        assert config["rootfs"]["diff_ids"] == digests


def test_the_application_has_both_names_of_the_tutorial_as_kubectl_looks_them_up(tmp_path: Path) -> None:
    oci.write_archive(tmp_path / "a.tar", images.bootcamp_images(b"busybox"))
    index = json.loads(read_archive(tmp_path / "a.tar")["index.json"])
    names = [item["annotations"]["io.containerd.image.name"] for item in index["manifests"]]
    assert names == [
        "docker.io/jocatalin/kubernetes-bootcamp:v1",
        "docker.io/jocatalin/kubernetes-bootcamp:v2",
    ]


def test_both_versions_share_their_layers_and_differ_in_their_configuration() -> None:
    first, second = images.bootcamp_images(b"busybox")
    assert list(first.layers) == list(second.layers)
    assert "VERSION=1" in first.config["Env"]
    assert "VERSION=2" in second.config["Env"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        oci.write_archive(tmp_path / name, [images.pause_image()])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_layer_keeps_modes_links_and_folders() -> None:
    content = oci.layer(
        [
            oci.File("tmp", mode=0o1777),
            oci.File("bin/sh", link="busybox"),
            oci.File("etc/x", b"y", mode=0o644),
        ]
    )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        folder, link, file = archive.getmembers()
    assert folder.isdir() and folder.mode == 0o1777
    assert link.issym() and link.linkname == "busybox"
    assert file.isfile() and file.mode == 0o644 and file.uid == 0 and file.mtime == 0


def test_an_archive_is_found_again_until_busybox_changes(tmp_path: Path) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"one")
    assert images.find_archive(tmp_path, busybox) is None
    written = images.write_archive(tmp_path, busybox)
    assert images.find_archive(tmp_path, busybox) == written
    busybox.write_bytes(b"another")
    assert images.find_archive(tmp_path, busybox) is None
