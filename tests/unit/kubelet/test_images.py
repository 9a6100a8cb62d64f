"""Names of images, credentials for registries, durations in events."""

import base64
import json

import pytest

from mamekube.kubelet.credentials import InvalidImageName, find, normalize, registry_path
from mamekube.kubelet.images import go_duration


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "nginx:latest"),
        ("nginx:1", "nginx:1"),
        ("host:5000/a/b", "host:5000/a/b:latest"),
        ("a@sha256:" + "0" * 64, "a@sha256:" + "0" * 64),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
    ],
)
def test_a_name_without_tag_and_digest_means_latest(image, full):
    assert normalize(image) == full


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("UPPER:x", "invalid reference format: repository name must be lowercase"),
        ("nginx:", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("", "invalid reference format"),
    ],
)
def test_what_is_no_name_is_refused(image, why):
    with pytest.raises(InvalidImageName) as caught:
        normalize(image)
    assert str(caught.value) == f'couldn\'t parse image name "{image}": {why}'


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ("nginx:1", "docker.io/library/nginx"),
        ("me/app", "docker.io/me/app"),
        ("localhost/app:1", "localhost/app"),
        ("host:5000/app@sha256:00", "host:5000/app"),
    ],
)
def test_the_registry_of_an_image(image, path):
    assert registry_path(image) == path


def secret(**auths):
    entries = {server: {"auth": base64.b64encode(pair.encode()).decode()} for server, pair in auths.items()}
    text = json.dumps({"auths": entries})
    return {"data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}


def users(image, *secrets):
    return [auth["username"] for auth in find(image, secrets)]


def test_the_most_specific_credentials_come_first():
    held = secret(**{"host.io": "wide:1", "host.io/team": "narrow:2", "other.io": "no:3"})
    assert users("host.io/team/app:1", held) == ["narrow", "wide"]
    assert users("host.io/else/app:1", held) == ["wide"]


def test_docker_hub_has_many_names():
    assert users("nginx", secret(**{"https://index.docker.io/v1/": "me:1"})) == ["me"]


def test_a_star_stands_for_one_part_of_a_host():
    held = secret(**{"*.host.io": "me:1"})
    assert users("a.host.io/app", held) == ["me"]
    assert users("a.b.host.io/app", held) == []


def test_a_secret_that_is_none_is_passed_over():
    assert find("nginx", [{"data": {".dockerconfigjson": "%%%"}}, {}]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.308, "308ms"), (1.2, "1.2s"), (2.0, "2s"), (62.003, "1m2.003s"), (3600, "1h0m0s"), (0, "0s")],
)
def test_durations_of_pulls(seconds, text):
    assert go_duration(seconds) == text
