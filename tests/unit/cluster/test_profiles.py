"""Profiles: addresses that never collide, files that are whole, one change at a time."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from mamekube.cluster import profiles
from mamekube.cluster.failures import GUEST_CONFLICT, GUEST_NOT_FOUND, USAGE, Failure


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAMEKUBE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def create(name: str, *, nodes: int = 1) -> profiles.Profile:
    with profiles.locked(name):
        return profiles.create(name, nodes=nodes, registry_mirrors={})


def test_a_profile_is_read_as_it_was_written() -> None:
    profile = create("mamekube", nodes=2)
    profile.registry_mirrors["docker.io"] = "http://mirror:5000"
    profile.save()
    assert profiles.load("mamekube") == profile


def test_nodes_are_named_and_numbered_as_minikube_does() -> None:
    profile = create("mamekube", nodes=3)
    assert [node.name for node in profile.nodes] == ["mamekube", "mamekube-m02", "mamekube-m03"]
    subnet = profile.subnet
    assert [profile.address(node) for node in profile.nodes] == [
        f"192.168.{subnet}.{host}" for host in (2, 3, 4)
    ]
    assert [node.pod_cidr for node in profile.nodes] == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]


def test_a_deleted_nodes_number_is_not_used_again() -> None:
    profile = create("mamekube", nodes=2)
    profile.nodes.remove(profile.find_node("mamekube-m02"))
    profile.save()
    assert profiles.load("mamekube").add_node().name == "mamekube-m03"


def test_two_profiles_never_share_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_routed_subnets", lambda: iter([49]))
    assert [create(name).subnet for name in ("one", "two")] == [50, 51]


def test_interface_names_fit_the_kernels_limit_at_the_highest_addresses() -> None:
    profile = create("mamekube")
    profile.subnet = profiles.LAST_SUBNET
    node = profiles.Node(name="x", number=profiles.NODES_MAX)
    assert len(profile.link(node)) <= 15


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "../a", "a" * 41, "a.b"])
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(Failure) as failure:
        profiles.load(name)
    assert failure.value.code == USAGE


def test_a_missing_profile_says_how_to_make_it() -> None:
    with pytest.raises(Failure) as failure:
        profiles.load("other")
    assert failure.value.code == GUEST_NOT_FOUND
    assert "mamekube start -p other" in str(failure.value)


@pytest.mark.parametrize("content", ["", "{", '{"name": "mamekube"}', '{"unknown": 1}'])
def test_a_damaged_profile_says_how_to_remove_it(content: str) -> None:
    create("mamekube")
    (profiles.folder_of("mamekube") / "profile.json").write_text(content)
    with pytest.raises(Failure) as failure:
        profiles.load("mamekube")
    assert failure.value.code == GUEST_CONFLICT
    assert "mamekube delete -p mamekube" in str(failure.value)


def test_the_last_profile_takes_every_file_with_it(home: Path) -> None:
    for name in ("one", "two"):
        create(name)
    profiles.cache_folder().mkdir()
    profiles.remove("one")
    assert profiles.names() == ["two"]
    profiles.remove("two")
    assert not home.exists()


def test_a_profile_that_is_begun_anew_while_it_is_deleted_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = profiles.folder_of("mamekube")
    folder.mkdir(parents=True)
    remove_tree = shutil.rmtree

    def remove_and_make_anew(path: Path, **options: Any) -> None:
        remove_tree(path, **options)
        folder.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("mamekube.cluster.profiles.shutil.rmtree", remove_and_make_anew)
    profiles.remove("mamekube")


def test_a_folder_that_goes_away_while_it_is_made_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    make, refused = Path.mkdir, []

    def lose_once(path: Path, *mode: int, **options: Any) -> None:
        if not refused:
            refused.append(path)
            raise FileExistsError(17, "File exists", str(path))
        make(path, *mode, **options)

    monkeypatch.setattr(Path, "mkdir", lose_once)
    with profiles.locked("mamekube"):
        assert refused == [profiles.folder_of("mamekube")]


def test_who_waits_for_the_lock_of_a_deleted_profile_locks_the_new_one() -> None:
    inside = threading.Event()
    seen: list[bool] = []

    def wait_for_lock() -> None:
        inside.set()
        with profiles.locked("mamekube"):
            seen.append(profiles.folder_of("mamekube").is_dir())

    with profiles.locked("mamekube"):
        waiter = threading.Thread(target=wait_for_lock)
        waiter.start()
        inside.wait()
        profiles.remove("mamekube")
    waiter.join(timeout=10)
    assert seen == [True]


def test_what_is_refused_under_the_lock_leaves_no_profile() -> None:
    with pytest.raises(Failure), profiles.locked("mamekube"):
        assert profiles.names() == ["mamekube"]
        raise Failure(USAGE, "no such flag")
    assert profiles.names() == []
    assert not profiles.home().exists()
