"""Volumes on a real file system: contents, atomic changes, what is missing."""

import base64
import os

import pytest
from tests.unit.kubelet.kubelet_api import SmallApi, make_pod

from mamekube.foundation.clock import Clock
from mamekube.kubelet import api_resources as api
from mamekube.kubelet import downward
from mamekube.kubelet.environment import ConfigError
from mamekube.kubelet.paths import Paths
from mamekube.kubelet.volumes import atomic_writer, mounting, mounts
from mamekube.kubelet.volumes.atomic_writer import File
from mamekube.kubelet.volumes.sources import Sources
from mamekube.kubelet.volumes.volumes import MountFailed, Volumes, check_host_path

FACTS = downward.Facts(node_name="node", pod_ips=("10.0.0.9",))


class Setting:
    def __init__(self, folder, monkeypatch):
        self.server = SmallApi()
        self.paths = Paths(folder / "kubelet", folder / "logs")
        self.volumes = Volumes(self.paths, Sources(self.server, Clock()))
        self.mounted = []
        # Mounting needs privileges that a test has not; what is mounted is a directory either way.
        monkeypatch.setattr(
            mounting,
            "mount_tmpfs",
            lambda target, size_bytes=0: self.mounted.append((target.name, size_bytes)),
        )

    def config_map(self, name, **data):
        self.server.put(api.CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}, "data": data})

    def secret(self, name, **data):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.server.put(api.SECRETS, {"metadata": {"name": name, "namespace": "default"}, "data": encoded})

    async def set_up(self, *volumes, **spec):
        return await self.volumes.set_up(make_pod("p", volumes=list(volumes), **spec), FACTS)

    async def failure(self, *volumes):
        with pytest.raises(MountFailed) as caught:
            await self.set_up(*volumes)
        return caught.value.messages


@pytest.fixture
def setting(tmp_path, monkeypatch):
    return Setting(tmp_path, monkeypatch)


def contents(path):
    return {name: (path / name).read_text() for name in os.listdir(path) if not name.startswith("..")}


async def test_a_config_map_is_a_directory_of_files(setting):
    setting.config_map("cfg", a="1", b="2")
    paths = await setting.set_up({"name": "v", "configMap": {"name": "cfg", "defaultMode": 0o400}})
    assert contents(paths["v"]) == {"a": "1", "b": "2"}
    assert (paths["v"] / "a").stat().st_mode & 0o777 == 0o400


async def test_items_choose_keys_paths_and_modes(setting):
    setting.secret("sec", user="bob", pw="x")
    item = {"key": "user", "path": "sub/u", "mode": 0o440}
    paths = await setting.set_up({"name": "v", "secret": {"secretName": "sec", "items": [item]}})
    assert (paths["v"] / "sub" / "u").read_text() == "bob"
    assert os.listdir(paths["v"] / "sub") == ["u"]
    assert setting.mounted == [("v", 0)]


async def test_a_token_a_config_map_and_the_namespace_share_a_projected_volume(setting):
    setting.config_map("kube-root-ca.crt", **{"ca.crt": "CA"})
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    paths = await setting.set_up({"name": "v", "projected": {"sources": sources}})
    assert contents(paths["v"]) == {"token": "a-token", "ca.crt": "CA", "namespace": "default"}
    assert ("create", "serviceaccountstoken", "default") in setting.server.requests


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            {"configMap": {"name": "cfg", "items": [{"key": "k", "path": "p"}]}},
            "configmap references non-existent config key: k",
        ),
        (
            {"secret": {"secretName": "sec", "items": [{"key": "k", "path": "p"}]}},
            "references non-existent secret key: k",
        ),
        (
            {"hostPath": {"path": "/nonexistent", "type": "Directory"}},
            "hostPath type check failed: /nonexistent is not a directory",
        ),
        ({"persistentVolumeClaim": {"claimName": "c"}}, 'persistentvolumeclaim "c" not found'),
    ],
)
async def test_what_is_missing_is_said_in_upstreams_words(setting, volume, message):
    setting.config_map("cfg")
    setting.secret("sec")
    assert await setting.failure({"name": "v", **volume}) == [
        f'MountVolume.SetUp failed for volume "v" : {message}'
    ]


async def test_optional_sources_may_be_missing(setting):
    paths = await setting.set_up(
        {"name": "v", "configMap": {"name": "none", "optional": True}},
        {"name": "w", "secret": {"secretName": "none", "optional": True}},
    )
    assert contents(paths["v"]) == contents(paths["w"]) == {}


async def test_an_empty_directory_is_everybodys_and_stays(setting):
    volume = {"name": "v", "emptyDir": {}}
    path = (await setting.set_up(volume))["v"]
    assert path.stat().st_mode & 0o777 == 0o777
    (path / "kept").touch()
    assert contents((await setting.set_up(volume))["v"]) == {"kept": ""}
    await setting.set_up({"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    assert setting.mounted == [("m", 1 << 20)]


async def test_a_claim_bound_to_a_directory_of_the_node_is_mounted(setting, tmp_path):
    setting.server.put(
        api.CLAIMS,
        {"metadata": {"name": "c", "namespace": "default"}, "spec": {"volumeName": "pv"}},
    )
    setting.server.put(
        api.VOLUMES, {"metadata": {"name": "pv"}, "spec": {"hostPath": {"path": str(tmp_path)}}}
    )
    paths = await setting.set_up({"name": "v", "persistentVolumeClaim": {"claimName": "c"}})
    assert paths == {"v": tmp_path}


async def test_refreshing_follows_a_changed_config_map(setting, monkeypatch):
    monkeypatch.setattr("mamekube.kubelet.volumes.sources.FRESH_S", -1.0)
    setting.config_map("cfg", a="1", gone="x")
    volume = {"name": "v", "configMap": {"name": "cfg"}}
    path = (await setting.set_up(volume))["v"]
    setting.config_map("cfg", a="2", new="y")
    await setting.volumes.refresh(make_pod("p", volumes=[volume]), FACTS)
    assert contents(path) == {"a": "2", "new": "y"}


async def test_nothing_is_left_of_a_pod_that_is_torn_down(setting):
    setting.config_map("cfg", a="1")
    await setting.set_up({"name": "v", "configMap": {"name": "cfg"}}, {"name": "e", "emptyDir": {}})
    await setting.volumes.tear_down("uid-p")
    assert not setting.paths.pod("uid-p").exists()


def test_files_change_all_at_once(tmp_path):
    assert atomic_writer.write(tmp_path, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)})
    first = os.readlink(tmp_path / "..data")
    assert not atomic_writer.write(tmp_path, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)})
    assert os.readlink(tmp_path / "..data") == first
    assert atomic_writer.write(tmp_path, {"a": File(b"3", 0o644)})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert sorted(os.listdir(tmp_path)) == sorted(["..data", os.readlink(tmp_path / "..data"), "a"])


@pytest.mark.parametrize("kind", ["DirectoryOrCreate", "FileOrCreate"])
def test_a_host_path_is_made_where_it_is_asked_for(tmp_path, kind):
    path = check_host_path(
        {"path": str(tmp_path / "a" if kind[0] == "F" else tmp_path / "a/b"), "type": kind}
    )
    assert path.is_dir() == (kind == "DirectoryOrCreate")


def mounts_of(volume_path, **mount):
    container = {"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/m", **mount}]}
    return mounts.container_mounts(container, {"v": volume_path}, {"POD": "p"})


def test_a_subpath_is_made_inside_of_its_volume(tmp_path):
    assert mounts_of(tmp_path, subPathExpr="logs/$(POD)", readOnly=True) == [
        {
            "container_path": "/m",
            "host_path": str(tmp_path / "logs" / "p"),
            "readonly": True,
            "propagation": 0,
        }
    ]
    assert (tmp_path / "logs" / "p").is_dir()


def test_what_the_kubelet_writes_containers_only_read(tmp_path):
    volumes = [{"name": "v", "configMap": {"name": "c"}}, {"name": "w", "emptyDir": {}}]
    read_only = mounts.read_only_volumes({"spec": {"volumes": volumes}})
    container = {
        "name": "main",
        "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": "/w"}],
    }
    places = {"v": tmp_path, "w": tmp_path}
    made = mounts.container_mounts(container, places, {}, read_only=read_only)
    assert [mount["readonly"] for mount in made] == [True, False]


@pytest.mark.parametrize("subpath", ["../other", "/etc", "link/x"])
def test_a_subpath_does_not_leave_its_volume(tmp_path, subpath):
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(ConfigError):
        mounts_of(tmp_path, subPath=subpath)


def test_the_hosts_file_has_the_pod_and_its_aliases():
    pod = make_pod("p", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["a", "b"]}])
    text = mounts.hosts_file(pod, ips=["10.0.0.9"], hostname="p", domain="sub.default.svc.cluster.local")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "\n10.0.0.9\tp.sub.default.svc.cluster.local\tp\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")
