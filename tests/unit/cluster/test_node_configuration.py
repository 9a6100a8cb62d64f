"""What a node's containerd, network and resolver are told."""

import json
import tomllib
from pathlib import Path

import pytest

from mamekube.cluster import containerd, image_build, image_store, node, profiles

CRI = "io.containerd.grpc.v1.cri"


def configuration(*, restrict: bool) -> dict:
    text = containerd.configuration(
        folder=Path("/profile/node"),
        sandbox_image="pause:1",
        snapshotter="overlayfs",
        cni_folder=Path("/opt/cni/bin"),
        restrict_oom_score=restrict,
    )
    return tomllib.loads(text)


@pytest.mark.parametrize("restrict", [True, False])
def test_oom_scores_are_restricted_where_the_capability_is_missing(restrict: bool) -> None:
    assert configuration(restrict=restrict)["plugins"][CRI]["restrict_oom_score_adj"] is restrict


def test_everything_containerd_writes_is_below_the_nodes_folder_or_the_nodes_own_run() -> None:
    config = configuration(restrict=False)
    assert config["root"] == "/profile/node/containerd"
    assert config["state"].startswith("/run/")
    assert config["grpc"]["address"].startswith("/run/")
    assert config["plugins"][CRI]["cni"]["conf_dir"] == "/profile/node/cni"
    assert config["plugins"][CRI]["registry"]["config_path"] == "/profile/node/registries"


def test_pods_get_their_addresses_from_the_nodes_range() -> None:
    network = json.loads(containerd.network_configuration(pod_cidr="10.244.3.0/24"))
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.3.0/24"}]]


def test_a_mirror_is_the_only_server_of_its_registry(tmp_path: Path) -> None:
    containerd.write_registries(tmp_path, {"docker.io": "http://192.168.49.1:5000"})
    hosts = tomllib.loads((tmp_path / "docker.io" / "hosts.toml").read_text())
    assert hosts["server"] == "http://192.168.49.1:5000"
    assert list(hosts["host"]) == ["http://192.168.49.1:5000"]


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("http://127.0.0.1:5000", "http://192.168.49.1:5000"),
        ("http://localhost:5000", "http://192.168.49.1:5000"),
        ("https://mirror.example", "https://mirror.example"),
    ],
)
def test_a_registry_on_the_hosts_loopback_is_reached_over_the_bridge(given: str, seen: str) -> None:
    profile = profiles.Profile(name="mamekube", subnet=49, nodes=[])
    assert node.url_from_node(profile, given) == seen


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("app", "docker.io/library/app:latest"),
        ("app:v1", "docker.io/library/app:v1"),
        ("jocatalin/kubernetes-bootcamp:v1", "docker.io/jocatalin/kubernetes-bootcamp:v1"),
        ("quay.io/a/b", "quay.io/a/b:latest"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("localhost/a:1", "localhost/a:1"),
        ("a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64),
    ],
)
def test_image_names_are_completed_as_the_kubelet_does(short: str, full: str) -> None:
    assert image_store.normalize(short) == full


def test_base_images_are_found_in_every_stage() -> None:
    dockerfile = "ARG X=1\nFROM --platform=linux/amd64 a:1 AS build\nfrom scratch\nFROM $X\nFROM build\n"
    assert image_build.base_images(dockerfile) == ["a:1", "build"]
