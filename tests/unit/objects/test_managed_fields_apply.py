"""Server-side apply: conflicts, force, removal, shared ownership, and coming from client-side apply."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.objects.one_version import apply_patch, track_update

from mamekube.objects.meta import Object, metadata
from mamekube.objects.patches.managed_fields import LAST_APPLIED
from mamekube.objects.schema import builtin_schema, schema_from_crd
from mamekube.objects.status import StatusError

DEPLOYMENT = builtin_schema("io.k8s.api.apps.v1.Deployment")
CONFIG_MAP = builtin_schema("io.k8s.api.core.v1.ConfigMap")
SERVICE = builtin_schema("io.k8s.api.core.v1.Service")
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"


def config_map(**data: str) -> Object:
    found: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default"},
    }
    return {**found, "data": data} if data else found


def deployment(**spec: Any) -> Object:
    meta = {"name": "web", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def pod_template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


def apply(live: Object | None, applied: Object, schema: Any = CONFIG_MAP, **options: Any) -> Object:
    return apply_patch(live, applied, schema, **{"manager": "me", "force": False, "time": NOW, **options})


def owners(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in metadata(obj).get("managedFields", [])}


def refusal(live: Object | None, applied: Object, schema: Any = CONFIG_MAP, **options: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        apply(live, applied, schema, **options)
    return caught.value


def test_apply_creates_what_is_not_there() -> None:
    created = apply(None, config_map(a="1"))
    assert created["data"] == {"a": "1"}
    assert metadata(created)["managedFields"] == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]


def test_one_conflict_is_refused_with_upstreams_status() -> None:
    live = track_update(None, deployment(replicas=1), DEPLOYMENT, manager="kubectl", time=THEN)
    error = refusal(live, deployment(replicas=3), DEPLOYMENT)
    assert error.status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
        "reason": "Conflict",
        "details": {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "kubectl" using apps/v1',
                    "field": ".spec.replicas",
                }
            ]
        },
        "code": 409,
    }


def test_several_conflicts_are_listed_by_manager() -> None:
    container = {"name": "web", "image": "nginx"}
    first = deployment(replicas=1, template=pod_template(container))
    live = track_update(None, first, DEPLOYMENT, manager="kubectl", time=THEN)
    scaled = {**live, "spec": {**live["spec"], "replicas": 2}}
    live = track_update(live, scaled, DEPLOYMENT, manager="hpa", time=THEN, subresource="scale")
    wanted = deployment(replicas=5, template=pod_template({"name": "web", "image": "other"}))
    assert refusal(live, wanted, DEPLOYMENT).message == (
        'Apply failed with 2 conflicts: conflicts with "hpa" with subresource "scale" using apps/v1:\n'
        "- .spec.replicas\n"
        'conflicts with "kubectl" using apps/v1:\n'
        '- .spec.template.spec.containers[name="web"].image'
    )


def test_equal_values_are_shared_and_no_conflict() -> None:
    live = apply(None, config_map(a="1"), manager="other")
    shared = apply(live, config_map(a="1"))
    assert owners(shared) == {"me": {"f:data": {"f:a": {}}}, "other": {"f:data": {"f:a": {}}}}


def test_force_takes_the_field_over() -> None:
    live = apply(None, config_map(a="1", b="1"), manager="other")
    forced = apply(live, config_map(a="2"), force=True)
    assert forced["data"] == {"a": "2", "b": "1"}
    assert owners(forced) == {"me": {"f:data": {"f:a": {}}}, "other": {"f:data": {"f:b": {}}}}


def test_what_is_no_longer_applied_is_removed() -> None:
    live = apply(None, config_map(a="1", b="1"))
    assert apply(live, config_map(a="1"))["data"] == {"a": "1"}


def test_what_another_manager_owns_too_stays() -> None:
    live = apply(None, config_map(a="1", b="1"))
    live = apply(live, config_map(b="1"), manager="other")
    left = apply(live, config_map(a="1"))
    assert left["data"] == {"a": "1", "b": "1"}
    assert owners(left)["other"] == {"f:data": {"f:b": {}}}


def test_what_others_updated_stays() -> None:
    live = apply(None, config_map(a="1"))
    changed = {**live, "data": {"a": "1", "b": "1"}}
    live = track_update(live, changed, CONFIG_MAP, manager="other", time=NOW)
    assert apply(live, config_map())["data"] == {"b": "1"}


def test_list_elements_come_and_go_by_their_keys() -> None:
    two = deployment(template=pod_template({"name": "a", "image": "1"}, {"name": "b", "image": "1"}))
    live = apply(None, two, DEPLOYMENT)
    one = deployment(template=pod_template({"name": "b", "image": "2"}))
    assert apply(live, one, DEPLOYMENT)["spec"]["template"] == pod_template({"name": "b", "image": "2"})


def test_list_elements_of_others_keep_their_place() -> None:
    mine = deployment(template=pod_template({"name": "a"}, {"name": "c"}))
    theirs = deployment(template=pod_template({"name": "a"}, {"name": "b"}, {"name": "c"}))
    live = apply(None, theirs, DEPLOYMENT, manager="other")
    merged = apply(live, mine, DEPLOYMENT)
    assert [item["name"] for item in merged["spec"]["template"]["spec"]["containers"]] == ["a", "b", "c"]


def test_ports_without_a_protocol_are_tcp() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}]},
    }
    live = apply(None, service, SERVICE)
    live = {**live, "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}}
    again = apply(live, service, SERVICE)
    assert again["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


def test_the_same_apply_again_changes_nothing_not_even_the_time() -> None:
    live = apply(None, config_map(a="1"), time=THEN)
    assert apply(live, config_map(a="1"), time=NOW) == live


def test_an_apply_that_only_changes_who_owns_what_moves_the_time() -> None:
    live = apply(None, config_map(a="1", b="1"), manager="other", time=THEN)
    live = apply(live, config_map(a="1", b="1"), time=THEN)
    fewer = apply(live, config_map(a="1"), time=NOW)
    assert fewer["data"] == {"a": "1", "b": "1"}
    assert {entry["manager"]: entry["time"] for entry in metadata(fewer)["managedFields"]} == {
        "me": NOW,
        "other": THEN,
    }


def test_an_object_from_before_managed_fields_belongs_to_before_first_apply() -> None:
    live = config_map(a="1")
    assert 'conflict with "before-first-apply" using v1: .data.a' in refusal(live, config_map(a="2")).message
    assert owners(apply(live, config_map(b="1"))) == {
        "me": {"f:data": {"f:b": {}}},
        "before-first-apply": {"f:data": {".": {}, "f:a": {}}},
    }


def test_what_a_request_cannot_write_is_not_owned_though_the_write_has_to_put_it_back() -> None:
    live = {**deployment(replicas=1), "status": {"replicas": 1}}
    live = track_update(None, live, DEPLOYMENT, manager="controller", time=THEN, subresource="status")
    wanted = {**deployment(replicas=1), "status": {"replicas": 7}}
    applied = apply(live, wanted, DEPLOYMENT, ignored=(("status",),))
    assert applied["status"] == {"replicas": 7}
    assert owners(applied)["me"] == {"f:spec": {"f:replicas": {}}}


def test_kubectl_takes_over_what_it_applied_from_the_clients_side() -> None:
    source = deployment(replicas=1)
    live = deployment(replicas=1)
    live["metadata"]["annotations"] = {LAST_APPLIED: orjson.dumps(source).decode()}
    live = track_update(None, live, DEPLOYMENT, manager="kubectl-client-side-apply", time=THEN)
    assert refusal(live, deployment(replicas=3), DEPLOYMENT).code == 409
    upgraded = apply(live, deployment(replicas=3), DEPLOYMENT, manager="kubectl")
    assert upgraded["spec"] == {"replicas": 3}
    annotation = orjson.loads(metadata(upgraded)["annotations"][LAST_APPLIED])
    assert annotation["spec"] == {"replicas": 3}


def test_what_changed_since_client_side_apply_is_still_a_conflict() -> None:
    live = deployment(replicas=2)
    live["metadata"]["annotations"] = {LAST_APPLIED: orjson.dumps(deployment(replicas=1)).decode()}
    live = track_update(None, live, DEPLOYMENT, manager="hpa", time=THEN)
    error = refusal(live, deployment(replicas=3), DEPLOYMENT, manager="kubectl")
    assert error.message == 'Apply failed with 1 conflict: conflict with "hpa" using apps/v1: .spec.replicas'


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"foo": 1}, ".spec.foo: field not declared in schema"),
        ({"replicas": "3"}, ".spec.replicas: expected numeric (int or float), got string"),
        (
            {"template": pod_template({"name": "a"}, {"name": "a"})},
            '.spec.template.spec.containers: duplicate entries for key [name="a"]',
        ),
        (
            {"template": pod_template({"image": "a"})},
            ".spec.template.spec.containers: element 0: associative list with keys has an element that omits all "
            'key fields ["name"] (and doesn\'t have default values for any key fields)',
        ),
    ],
)
def test_a_patch_that_does_not_fit_the_schema_is_upstreams_500(spec: dict[str, Any], problem: str) -> None:
    error = refusal(None, deployment(**spec), DEPLOYMENT)
    assert (error.code, error.reason) == (500, "")
    assert error.message == (
        f"failed to create typed patch object (default/web; apps/v1, Kind=Deployment): {problem}"
    )


def test_what_is_there_and_does_not_fit_is_upstreams_500() -> None:
    live = deployment(template=pod_template({"image": "a"}))
    error = refusal(live, deployment(template=pod_template({"name": "a"})), DEPLOYMENT)
    assert (error.code, error.reason) == (500, "")
    assert error.message.startswith(
        "failed to create typed live object (default/web; apps/v1, Kind=Deployment): "
        ".spec.template.spec.containers: element 0: associative list with keys has an element that omits"
    )


def test_names_that_are_no_text_are_none_in_a_refusal() -> None:
    error = refusal(None, {"apiVersion": "apps/v1", "metadata": {"name": True}}, DEPLOYMENT)
    assert error.message.startswith(
        "failed to create typed patch object (/; apps/v1, Kind=): .metadata.name: "
    )


def test_null_is_as_good_as_absent_where_the_kind_is_built_in() -> None:
    live = apply(None, deployment(replicas=1), DEPLOYMENT)
    assert apply(live, deployment(replicas=None), DEPLOYMENT, force=True)["spec"] == {}


def test_managed_fields_cannot_be_applied() -> None:
    wanted = config_map(a="1")
    wanted["metadata"]["managedFields"] = []
    assert refusal(None, wanted).message == "metadata.managedFields must be nil"


def test_untyped_parts_of_custom_objects_are_owned_field_by_field() -> None:
    crd = schema_from_crd(
        {
            "type": "object",
            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }
    )

    def custom(spec: dict[str, Any]) -> Object:
        return {"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec}

    live = apply(None, custom({"a": {"b": 1}, "list": [1]}), crd)
    assert owners(live) == {"me": {"f:spec": {"f:a": {".": {}, "f:b": {}}, "f:list": {}}}}
    assert apply(live, custom({"a": {"c": 2}}), crd)["spec"] == {"a": {"c": 2}}


DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), DATA), min_size=1, max_size=5))
def test_after_a_forced_apply_all_holds_that_was_applied_and_nothing_that_nobody_applies(
    applies: list[tuple[str, dict[str, str]]],
) -> None:
    live: Object | None = None
    stated: dict[str, dict[str, str]] = {}
    for manager, data in applies:
        before = copy.deepcopy(live)
        result = apply(live, config_map(**data), manager=manager, force=True)
        assert live == before
        for other in stated.values():
            for key in [key for key, value in other.items() if data.get(key, value) != value]:
                del other[key]
        stated[manager] = dict(data)
        expected = {key: value for each in stated.values() for key, value in each.items()}
        assert result.get("data", {}) == expected
        held = {name: set(fields.get("f:data", {})) for name, fields in owners(result).items()}
        assert held == {name: {f"f:{key}" for key in each} for name, each in stated.items() if each}
        live = result


def test_metadata_stays_when_an_applier_drops_the_last_of_it_that_it_owned() -> None:
    schema = schema_from_crd({"type": "object"})
    mine = {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}
    made = apply(None, {**mine, "metadata": {"name": "a", "finalizers": ["example.com/a"]}}, schema)
    stored = {**made, "metadata": {**made["metadata"], "resourceVersion": "7", "uid": "u"}}
    again = apply(stored, mine, schema)
    assert again["metadata"]["resourceVersion"] == "7"
    assert again["metadata"]["uid"] == "u"
    assert "finalizers" not in again["metadata"]
