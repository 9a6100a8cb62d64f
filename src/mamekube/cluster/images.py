"""The images that a cluster brings along, and the `mamekube image` commands.

A first start needs no registry: the pause image and both versions of the tutorial's application are written
here, the latter around the host's static busybox.
"""

from __future__ import annotations

import os
from pathlib import Path

from mamekube.cluster import oci, pause, tools

PAUSE_IMAGE = "mamekube.local/pause:1"
BOOTCAMP_IMAGE = "docker.io/jocatalin/kubernetes-bootcamp"
BOOTCAMP_VERSIONS = (1, 2)
ARCHIVE_FORMAT = 2
"""Counted up when the content of the archives changes: archives of older formats are not reused."""

COMMANDS = """
    ash awk base64 basename cat chmod chown clear cp cut date dd df diff dirname du echo env expr false find free
    grep gunzip gzip head hostname httpd id ifconfig ip kill killall less ln ls mkdir mktemp more mount mv nc
    netstat nslookup od pidof ping printf ps pwd readlink rm rmdir route sed seq sh sha256sum sleep sort stat stty
    sync tail tar tee telnet test time timeout top touch tr traceroute true tty umount uname uniq uptime vi watch wc
    wget which whoami xargs yes
"""
"""What whoever looks around in the application's container will type. Each is a file that containerd unpacks at
every first start, so not all three hundred that busybox is."""

BOOTCAMP_SERVER = """\
#!/bin/sh
# Answers GET / on port 8080 with the name of its pod. The shell stays process 1: it ends on SIGTERM, which the
# kernel would not deliver to a process 1 without a handler.
folder=${WWW:-/www}
mkdir -p "$folder"
echo "Hello Kubernetes bootcamp! | Running on: ${HOSTNAME:-$(hostname)} | v=$VERSION" >"$folder/index.html"
echo "Kubernetes Bootcamp App Started At: $(date -u +%Y-%m-%dT%H:%M:%SZ) | Running On:  ${HOSTNAME:-$(hostname)}"
httpd -f -v -p 8080 -h "$folder" &
trap 'kill $!; exit 143' TERM INT
wait $!
"""


def pause_image() -> oci.Image:
    program = pause.program(oci.architecture())
    return oci.Image(
        name=PAUSE_IMAGE,
        layers=[oci.layer([oci.File("pause", program)])],
        config={"Entrypoint": ["/pause"], "Env": ["PATH=/"]},
    )


def bootcamp_images(busybox: bytes) -> list[oci.Image]:
    """Both versions; they differ in one environment variable and share their one layer."""
    layers = [oci.layer(_bootcamp_files(busybox))]
    return [
        oci.Image(
            name=f"{BOOTCAMP_IMAGE}:v{version}",
            layers=layers,
            config={
                "Cmd": ["/bin/server"],
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"VERSION={version}"],
                "ExposedPorts": {"8080/tcp": {}},
                "WorkingDir": "/",
            },
        )
        for version in BOOTCAMP_VERSIONS
    ]


def _bootcamp_files(busybox: bytes) -> list[oci.File]:
    folders = [oci.File(path) for path in ("bin", "etc", "root", "usr", "usr/bin", "usr/sbin", "www")]
    files = [
        oci.File("tmp", mode=0o1777),
        oci.File("bin/busybox", busybox),
        _file("bin/server", BOOTCAMP_SERVER),
        _file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
            mode=0o644,
        ),
        _file("etc/group", "root:x:0:\nnobody:x:65534:\n", mode=0o644),
        _file("etc/httpd.conf", ".html:text/plain\n", mode=0o644),
    ]
    links = [oci.File(f"bin/{name}", link="busybox") for name in COMMANDS.split()]
    return folders + files + links


def _file(path: str, text: str, *, mode: int = 0o755) -> oci.File:
    return oci.File(path, text.encode(), mode=mode)


def find_archive(folder: Path, busybox: Path) -> Path | None:
    """The archive of all images above, where it was written before, around this very busybox."""
    archive = _archive(folder, busybox)
    return archive if archive.exists() else None


def write_archive(folder: Path, busybox: Path) -> Path:
    """Write it. Deterministic, and appears complete or not at all."""
    archive = _archive(folder, busybox)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(f".{os.getpid()}")
    oci.write_archive(unfinished, [pause_image(), *bootcamp_images(busybox.read_bytes())])
    unfinished.rename(archive)
    return archive


def write_tutorial_archives(folder: str) -> None:
    """The tutorial's application for a registry: one archive for each version, `v1.tar` and `v2.tar`."""
    busybox = tools.busybox()
    for image in bootcamp_images(busybox.read_bytes()):
        oci.write_archive(Path(folder, image.name.rpartition(":")[2] + ".tar"), [image])


def _archive(folder: Path, busybox: Path) -> Path:
    stat = busybox.stat()
    return folder / f"images-{ARCHIVE_FORMAT}-{stat.st_size:x}-{int(stat.st_mtime):x}.tar"
