"""managedFields after creates, updates and patches: what upstream's own clusters show."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.objects.one_version import track_update

from mamekube.objects.meta import Object, metadata
from mamekube.objects.patches import managed_fields
from mamekube.objects.schema import builtin_schema, schema_from_crd

DEPLOYMENT = builtin_schema("io.k8s.api.apps.v1.Deployment")
POD = builtin_schema("io.k8s.api.core.v1.Pod")
CONFIG_MAP = builtin_schema("io.k8s.api.core.v1.ConfigMap")
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"


def deployment() -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "nginx",
                            "resources": {},
                            "ports": [{"containerPort": 80}],
                            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        }
                    ],
                    "securityContext": {},
                },
            },
        },
    }


def config_map(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def owners(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in metadata(obj).get("managedFields", [])}


def test_a_create_owns_what_upstream_says_it_owns() -> None:
    created = track_update(None, deployment(), DEPLOYMENT, manager="kubectl-create", time=THEN)
    assert metadata(created)["managedFields"] == [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": THEN,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
                    "f:template": {
                        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                        "f:spec": {
                            "f:containers": {
                                'k:{"name":"web"}': {
                                    ".": {},
                                    "f:name": {},
                                    "f:image": {},
                                    "f:resources": {},
                                    "f:ports": {
                                        ".": {},
                                        'k:{"containerPort":80,"protocol":"TCP"}': {
                                            ".": {},
                                            "f:containerPort": {},
                                        },
                                    },
                                    "f:env": {
                                        ".": {},
                                        'k:{"name":"A"}': {
                                            ".": {},
                                            "f:name": {},
                                            "f:valueFrom": {".": {}, "f:fieldRef": {}},
                                        },
                                    },
                                }
                            },
                            "f:securityContext": {},
                        },
                    },
                },
            },
        }
    ]


def test_metadata_that_the_server_sets_belongs_to_nobody() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "generateName": "p-",
            "namespace": "default",
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": THEN,
            "ownerReferences": [{"uid": "r", "name": "r"}],
        },
    }
    created = track_update(None, pod, POD, manager="m", time=THEN)
    assert owners(created)["m"] == {
        "f:metadata": {"f:generateName": {}, "f:ownerReferences": {".": {}, 'k:{"uid":"r"}': {}}}
    }


def test_an_update_takes_what_it_changed_from_the_one_who_had_it() -> None:
    created = track_update(None, config_map(a="1", b="1"), CONFIG_MAP, manager="first", time=THEN)
    new = {**created, "data": {"a": "2", "b": "1"}}
    updated = track_update(created, new, CONFIG_MAP, manager="second", time=NOW)
    assert owners(updated) == {"first": {"f:data": {".": {}, "f:b": {}}}, "second": {"f:data": {"f:a": {}}}}
    times = {entry["manager"]: entry["time"] for entry in metadata(updated)["managedFields"]}
    assert times == {"first": THEN, "second": NOW}


def test_a_new_value_for_an_own_field_moves_the_time_and_a_removal_does_not() -> None:
    created = track_update(None, config_map(a="1", b="1"), CONFIG_MAP, manager="m", time=THEN)
    fewer = track_update(created, {**created, "data": {"a": "1"}}, CONFIG_MAP, manager="m", time=NOW)
    assert metadata(fewer)["managedFields"][0]["time"] == THEN
    newer = track_update(
        created, {**created, "data": {"a": "2", "b": "1"}}, CONFIG_MAP, manager="m", time=NOW
    )
    assert owners(newer) == owners(created)
    assert metadata(newer)["managedFields"][0]["time"] == NOW


def test_what_is_removed_is_owned_by_nobody_and_an_empty_manager_is_gone() -> None:
    created = track_update(None, config_map(a="1"), CONFIG_MAP, manager="first", time=THEN)
    new = {key: value for key, value in created.items() if key != "data"}
    updated = track_update(created, new, CONFIG_MAP, manager="second", time=NOW)
    assert "managedFields" not in metadata(updated)


def test_an_update_that_changes_nothing_leaves_even_the_time() -> None:
    created = track_update(None, config_map(a="1"), CONFIG_MAP, manager="m", time=THEN)
    again = copy.deepcopy(created)
    assert track_update(created, again, CONFIG_MAP, manager="other", time=NOW) is again


def test_a_client_that_drops_managed_fields_does_not_clear_them() -> None:
    created = track_update(None, config_map(a="1"), CONFIG_MAP, manager="m", time=THEN)
    bare = config_map(a="1")
    updated = track_update(created, bare, CONFIG_MAP, manager="other", time=NOW)
    assert metadata(updated)["managedFields"] == metadata(created)["managedFields"]


def test_a_list_of_one_empty_entry_clears_them_for_good() -> None:
    created = track_update(None, config_map(a="1"), CONFIG_MAP, manager="m", time=THEN)
    clear = config_map(a="1")
    clear["metadata"]["managedFields"] = [{}]
    cleared = track_update(created, clear, CONFIG_MAP, manager="m", time=NOW)
    assert "managedFields" not in metadata(cleared)
    stored = config_map(a="1")
    changed = track_update(stored, config_map(a="2"), CONFIG_MAP, manager="m", time=NOW)
    assert "managedFields" not in metadata(changed)


def test_a_request_may_rewrite_managed_fields_but_not_with_nonsense() -> None:
    created = track_update(None, config_map(a="1"), CONFIG_MAP, manager="m", time=THEN)
    renamed = copy.deepcopy(created)
    renamed["metadata"]["managedFields"][0]["manager"] = "renamed"
    assert list(owners(track_update(created, renamed, CONFIG_MAP, manager="x", time=NOW))) == ["renamed"]
    nonsense = copy.deepcopy(created)
    nonsense["metadata"]["managedFields"] = [{"manager": "x", "operation": "Steal", "fieldsV1": {}}]
    assert list(owners(track_update(created, nonsense, CONFIG_MAP, manager="x", time=NOW))) == ["m"]


def test_subresources_are_managers_of_their_own_and_write_only_their_part() -> None:
    created = track_update(
        None, deployment(), DEPLOYMENT, manager="kubectl", time=THEN, ignored=(("status",),)
    )
    new = {**created, "spec": {**created["spec"], "replicas": 9}, "status": {"replicas": 1}}
    updated = track_update(
        created, new, DEPLOYMENT, manager="kubectl", time=NOW, subresource="status", ignored=(("spec",),)
    )
    entries = metadata(updated)["managedFields"]
    assert [(entry["manager"], entry.get("subresource")) for entry in entries] == [
        ("kubectl", None),
        ("kubectl", "status"),
    ]
    assert entries[1]["fieldsV1"] == {"f:status": {"f:replicas": {}}}
    assert "f:replicas" in entries[0]["fieldsV1"]["f:spec"]


def test_only_ten_updaters_are_remembered_by_name() -> None:
    obj = track_update(None, config_map(), CONFIG_MAP, manager="none", time=THEN)
    obj = track_update(None, config_map(k="0"), CONFIG_MAP, manager="m00", time="2026-01-01T00:00:00Z")
    for index in range(1, 12):
        new = {**obj, "data": {**obj["data"], f"k{index}": "1"}}
        obj = track_update(obj, new, CONFIG_MAP, manager=f"m{index:02}", time=f"2026-01-01T00:00:{index:02}Z")
    names = [entry["manager"] for entry in metadata(obj)["managedFields"]]
    assert len(names) == managed_fields.UPDATERS_MAX
    assert names[0] == "ancient-changes"
    assert names[-1] == "m11"
    assert set(owners(obj)["ancient-changes"]["f:data"]) == {".", "f:k", "f:k1", "f:k2"}


def test_of_very_many_updaters_the_ancient_ones_own_together_what_they_owned() -> None:
    entries = [
        {
            "manager": f"m{number:05}",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {f"f:k{number}": {}}},
        }
        for number in range(3_001)
    ]
    new = config_map(k="0")
    new["metadata"]["managedFields"] = entries
    owned = owners(track_update(None, new, CONFIG_MAP, manager="last", time=NOW))
    assert len(owned) == managed_fields.UPDATERS_MAX
    assert list(owned)[-1] == "last"
    assert len(owned["ancient-changes"]["f:data"]) == 3_001 - (managed_fields.UPDATERS_MAX - 2)


def test_custom_objects_have_no_structs_that_are_always_there() -> None:
    crd = schema_from_crd(
        {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
        }
    )
    obj = {"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"size": 1}}
    assert owners(track_update(None, obj, crd, manager="m", time=THEN)) == {
        "m": {"f:spec": {".": {}, "f:size": {}}}
    }


def test_nothing_that_was_given_is_changed() -> None:
    created = track_update(None, deployment(), DEPLOYMENT, manager="m", time=THEN)
    new = copy.deepcopy(created)
    new["spec"]["replicas"] = 3
    before = copy.deepcopy((created, new))
    track_update(created, new, DEPLOYMENT, manager="n", time=NOW)
    assert (created, new) == before


def test_objects_of_one_template_own_the_same_and_keep_it_apart() -> None:
    first, second = (
        track_update(None, deployment(), DEPLOYMENT, manager=name, time=THEN) for name in ("one", "two")
    )
    before = copy.deepcopy(second)
    changed = copy.deepcopy(first)
    changed["spec"]["paused"] = True
    after = track_update(first, changed, DEPLOYMENT, manager="one", time=NOW)
    assert "f:paused" in metadata(after)["managedFields"][0]["fieldsV1"]["f:spec"]
    assert second == before
    third = deployment()
    del third["spec"]["strategy"]
    fields = metadata(track_update(None, third, DEPLOYMENT, manager="one", time=THEN))["managedFields"]
    assert "f:strategy" not in fields[0]["fieldsV1"]["f:spec"]
