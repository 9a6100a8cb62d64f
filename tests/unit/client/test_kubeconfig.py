"""kubeconfig files: merging, credentials, and changes that keep everything else."""

from __future__ import annotations

import base64
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from mamekube.client.kubeconfig import KubeconfigError, add_context, load_kubeconfig, remove_context


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config_of(name: str, server: str, **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_nothing_configured_means_localhost(home: Path) -> None:
    assert load_kubeconfig().server == "http://localhost:8080"


def test_credentials_are_read_from_data_and_from_files_beside_the_config(home: Path) -> None:
    (home / "ca.pem").write_text("CA")
    (home / "token").write_text("secret\n")
    config = config_of("a", "https://a:8443/", tokenFile="token")
    config["clusters"][0]["cluster"] |= {"certificate-authority": "ca.pem", "tls-server-name": "kubernetes"}
    config["users"][0]["user"] |= {
        "client-certificate-data": encoded("CERT"),
        "client-key-data": encoded("KEY"),
        "client-certificate": "/not/read",
    }
    config["contexts"][0]["context"]["namespace"] = "work"
    found = load_kubeconfig(str(write(home / "config", config)))
    assert (found.server, found.ca_data, found.token) == ("https://a:8443", b"CA", "secret")
    assert (found.client_certificate_data, found.client_key_data) == (b"CERT", b"KEY")
    assert (found.namespace, found.tls_server_name, found.insecure) == ("work", "kubernetes", False)


def test_of_several_files_the_first_that_says_something_wins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = config_of("a", "https://first", token="one")
    del first["current-context"]
    second = config_of("a", "https://second", token="two")
    third = config_of("b", "https://third", token="three")
    paths = [write(home / name, config) for name, config in (("1", first), ("2", second), ("3", third))]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, [home / "missing", *paths])))
    assert (load_kubeconfig().server, load_kubeconfig().token) == ("https://first", "one")
    assert load_kubeconfig(context="b").server == "https://third"


@pytest.mark.parametrize(
    ("change", "context", "message"),
    [
        ({}, "x", 'context "x" does not exist'),
        ({"current-context": ""}, "", "no context is set"),
        ({"clusters": [{"name": "other", "cluster": {}}]}, "", 'cluster "a" does not exist'),
        (
            {"users": [{"name": "a", "user": {"exec": {"command": "x"}}}]},
            "",
            "exec credentials are not supported",
        ),
    ],
)
def test_what_is_missing_is_named(home: Path, change: dict[str, Any], context: str, message: str) -> None:
    path = write(home / "config", {**config_of("a", "https://a"), **change})
    with pytest.raises(KubeconfigError, match=message):
        load_kubeconfig(str(path), context=context)


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "hello"])
def test_what_is_no_kubeconfig_is_refused(home: Path, text: str) -> None:
    (home / "config").write_text(text)
    with pytest.raises(KubeconfigError, match="error loading config file"):
        load_kubeconfig(str(home / "config"))


def test_an_explicit_file_has_to_exist(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_kubeconfig(str(home / "missing"))


def test_a_first_context_makes_the_file(home: Path) -> None:
    add_context("mamekube", cluster={"server": "https://m"}, user={"token": "t"})
    path = home / ".kube" / "config"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_kubeconfig().server == "https://m"
    assert sorted(os.listdir(path.parent)) == ["config"]


def test_adding_and_removing_keeps_everything_else(home: Path) -> None:
    before = {
        **config_of("work", "https://work", token="t"),
        "preferences": {"colors": True},
        "extensions": [{"name": "x", "extension": {"y": 1}}],
    }
    path = write(home / "config", before)
    path.chmod(0o640)
    add_context("mamekube", cluster={"server": "https://m"}, user={}, path=path)
    assert load_kubeconfig(str(path)).server == "https://m"
    assert load_kubeconfig(str(path), context="work").token == "t"
    add_context("mamekube", cluster={"server": "https://m2"}, user={}, make_current=False, path=path)
    assert [entry["name"] for entry in yaml.safe_load(path.read_text())["clusters"]] == ["work", "mamekube"]
    assert load_kubeconfig(str(path)).server == "https://m2"
    remove_context("mamekube", path=path)
    assert yaml.safe_load(path.read_text()) == {**before, "current-context": ""}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_removing_another_context_leaves_the_current_one(home: Path) -> None:
    path = write(home / "config", config_of("work", "https://work"))
    add_context("m", cluster={"server": "https://m"}, user={}, make_current=False, path=path)
    remove_context("m", path=path)
    remove_context("never there", path=path)
    assert yaml.safe_load(path.read_text())["current-context"] == "work"


def test_a_context_is_changed_in_the_file_that_has_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (
        write(home / "1", config_of("a", "https://a")),
        write(home / "2", config_of("b", "https://b")),
    )
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    add_context("b", cluster={"server": "https://new"}, user={}, make_current=False)
    add_context("c", cluster={"server": "https://c"}, user={}, make_current=False)
    assert [c["name"] for c in yaml.safe_load(first.read_text())["clusters"]] == ["a", "c"]
    assert load_kubeconfig(str(second)).server == "https://new"


def test_a_link_to_a_config_stays_a_link(home: Path) -> None:
    target = write(home / "target", config_of("a", "https://a"))
    link = home / "link"
    link.symlink_to(target)
    add_context("m", cluster={"server": "https://m"}, user={}, path=link)
    assert link.is_symlink()
    assert load_kubeconfig(str(target)).server == "https://m"


def test_simultaneous_changes_lose_nothing(home: Path) -> None:
    path = home / "config"
    threads = [
        threading.Thread(
            target=add_context, args=(f"c{n}",), kwargs={"cluster": {}, "user": {}, "path": path}
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contexts = yaml.safe_load(path.read_text())["contexts"]
    assert sorted(entry["name"] for entry in contexts) == [f"c{n}" for n in range(8)]


def test_a_lock_that_stays_is_named(home: Path) -> None:
    (home / "config.lock").touch()
    with pytest.raises(KubeconfigError, match=r"config\.lock is held"):
        add_context("m", cluster={}, user={}, path=home / "config")
    assert not (home / "config").exists()
