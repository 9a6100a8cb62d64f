"""Rules of single kinds that are not about pods: data, roles, namespaces, storage, definitions, conversions."""

import copy
from base64 import b64decode
from typing import Any

import pytest

from mamekube.kinds.apiextensions.customresourcedefinitions import KIND as DEFINITIONS
from mamekube.kinds.autoscaling.horizontalpodautoscalers_v1 import KIND as AUTOSCALERS_V1
from mamekube.kinds.core.configmaps import KIND as CONFIG_MAPS
from mamekube.kinds.core.events import KIND as EVENTS
from mamekube.kinds.core.limitranges import KIND as LIMIT_RANGES
from mamekube.kinds.core.namespaces import KIND as NAMESPACES
from mamekube.kinds.core.nodes import KIND as NODES
from mamekube.kinds.core.persistentvolumeclaims import KIND as CLAIMS
from mamekube.kinds.core.secrets import KIND as SECRETS
from mamekube.kinds.events.events import KIND as NEW_EVENTS
from mamekube.kinds.kind import Kind
from mamekube.kinds.networking.ingresses import KIND as INGRESSES
from mamekube.kinds.policy.poddisruptionbudgets import KIND as BUDGETS
from mamekube.kinds.rbac.clusterroles import KIND as CLUSTER_ROLES
from mamekube.kinds.rbac.rolebindings import KIND as ROLE_BINDINGS
from mamekube.kinds.rbac.roles import KIND as ROLES

IMMUTABLE = "Forbidden: field is immutable when `immutable` is set"
GROUP = "rbac.authorization.k8s.io"


def errors_of(kind: Kind, obj: dict[str, Any]) -> list[str]:
    return [str(error) for error in kind.validate(obj) + kind.validate_create(obj)]


def changes_of(kind: Kind, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    return [str(error) for error in kind.validate_update(new, old)]


def test_conditions_of_a_disruption_budget_are_whole() -> None:
    good = {
        "type": "DisruptionAllowed",
        "status": "True",
        "reason": "SufficientPods",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    bad = {"type": "a b", "status": "Yes", "reason": "9", "message": "m" * 32_769, "observedGeneration": -1}
    status = {"conditions": [good, good, bad, {}], "expectedPods": -1}
    errors = [str(error) for error in BUDGETS.validate_status({"status": status}, {})]
    places = [error.split(": ")[:2] for error in errors]
    at = "status.conditions"
    assert places == [
        [f"{at}[1].type", "Duplicate value"],
        [f"{at}[2].type", "Invalid value"],
        [f"{at}[2].status", "Unsupported value"],
        [f"{at}[2].observedGeneration", "Invalid value"],
        [f"{at}[2].lastTransitionTime", "Required value"],
        [f"{at}[2].reason", "Invalid value"],
        [f"{at}[2].message", "Too long"],
        [f"{at}[3].type", "Invalid value"],
        [f"{at}[3].type", "Invalid value"],
        [f"{at}[3].status", "Unsupported value"],
        [f"{at}[3].lastTransitionTime", "Required value"],
        [f"{at}[3].reason", "Required value"],
        ["status.expectedPods", "Invalid value"],
    ]
    assert (
        errors[2] == f'{at}[2].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown"'
    )


def test_plain_text_of_a_secret_is_kept_encoded() -> None:
    secret = {"data": {"a": "b2xk"}, "stringData": {"a": "new", "b": "é"}}
    SECRETS.default(secret)
    assert {key: b64decode(value).decode() for key, value in secret["data"].items()} == {"a": "new", "b": "é"}
    assert "stringData" not in secret and secret["type"] == "Opaque"


def test_immutable_data_stays() -> None:
    old = {"immutable": True, "data": {"a": "1"}}
    assert changes_of(CONFIG_MAPS, {"data": {"a": "2"}}, old) == [
        f"immutable: {IMMUTABLE}",
        f"data: {IMMUTABLE}",
    ]
    assert changes_of(CONFIG_MAPS, copy.deepcopy(old), old) == []
    assert changes_of(
        SECRETS, {"immutable": True, "type": "b", "data": {"a": "1"}}, {**old, "type": "a"}
    ) == ['type: Invalid value: "b": field is immutable']


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, ["data[tls.key]: Required value"]),
        (
            {"type": "kubernetes.io/service-account-token"},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        (
            {"type": "Opaque", "data": {"a/b": ""}},
            [
                'data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '
                "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
                "'[-._a-zA-Z0-9]+')"
            ],
        ),
    ],
)
def test_a_secret_is_refused_for(secret: dict, expected: list[str]) -> None:
    assert errors_of(SECRETS, secret) == expected


def test_a_config_map_holds_a_mebibyte_at_most() -> None:
    assert errors_of(CONFIG_MAPS, {"data": {"a": "x" * 1048576}}) == []
    (error,) = errors_of(CONFIG_MAPS, {"data": {"a": "x" * 1048577}})
    assert error == "[]: Too long: may not be more than 1048576 bytes"


def test_a_namespace_is_active_and_guarded_by_its_own_finalizer() -> None:
    namespace: dict[str, Any] = {"metadata": {"name": "ns"}}
    NAMESPACES.default(namespace)
    NAMESPACES.prepare_create(namespace)
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "ns"}
    assert (namespace["spec"], namespace["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})
    changed = {**namespace, "spec": {"finalizers": []}}
    NAMESPACES.prepare_update(changed, namespace)
    assert changed["spec"] == namespace["spec"]


def test_taints_are_unique_by_key_and_effect() -> None:
    taints = [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}, {"key": "b"}]
    assert errors_of(NODES, {"spec": {"taints": taints}}) == [
        'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}: taints '
        "must be unique by key and effect pair",
        "metadata.taints[2].effect: Required value",
    ]


@pytest.mark.parametrize(
    ("kind", "rule", "expected"),
    [
        (
            ROLES,
            {},
            [
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
            ],
        ),
        (
            ROLES,
            {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            [
                'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'
            ],
        ),
        (CLUSTER_ROLES, {"verbs": ["get"], "nonResourceURLs": ["/x"]}, []),
    ],
)
def test_a_role_is_refused_for(kind: Kind, rule: dict, expected: list[str]) -> None:
    assert errors_of(kind, {"rules": [rule]}) == expected


def test_a_binding_names_groups_where_it_does_not_say_them_and_keeps_its_role() -> None:
    binding: dict[str, Any] = {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [
            {"kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
        ],
    }
    ROLE_BINDINGS.default(binding)
    assert (binding["roleRef"]["apiGroup"], binding["subjects"][0]["apiGroup"]) == (GROUP, GROUP)
    assert errors_of(ROLE_BINDINGS, binding) == []
    other = {**binding, "roleRef": {**binding["roleRef"], "name": "other"}}
    assert changes_of(ROLE_BINDINGS, other, binding) == [
        f'roleRef: Invalid value: {{"APIGroup":"{GROUP}","Kind":"Role","Name":"other"}}: cannot change roleRef'
    ]


def test_limits_of_containers_fill_each_other_in() -> None:
    limit: dict[str, Any] = {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Gi"}}
    LIMIT_RANGES.default({"spec": {"limits": [limit]}})
    assert (limit["default"], limit["defaultRequest"]) == ({"cpu": "2"}, {"cpu": "2", "memory": "1Gi"})


def claim(**spec: Any) -> dict[str, Any]:
    made = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    obj = {"spec": made, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    CLAIMS.default(obj)
    return obj


def test_a_bound_claim_may_grow_and_nothing_else() -> None:
    bigger, smaller = ({"requests": {"storage": size}} for size in ("2Gi", "512Mi"))
    assert changes_of(CLAIMS, claim(resources=bigger), claim()) == []
    assert changes_of(CLAIMS, claim(resources=smaller), claim()) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]
    (error,) = changes_of(CLAIMS, claim(accessModes=["ReadWriteMany"]), claim())
    assert error.startswith("spec: Forbidden: spec is immutable after creation except resources.requests and")
    assert errors_of(CLAIMS, {"spec": {}}) == [
        "spec.accessModes: Required value: at least 1 access mode is required",
        "spec.resources[storage]: Required value",
    ]


def test_an_ingress_says_where_its_paths_lead() -> None:
    path = {"path": "x", "pathType": "Prefix", "backend": {"service": {"name": "s"}}}
    where = "spec.rules[0].http.paths[0]"
    assert errors_of(INGRESSES, {"spec": {"rules": [{"http": {"paths": [path]}}]}}) == [
        f'{where}.path: Invalid value: "x": must be an absolute path',
        f"{where}.backend: Required value: port name or number is required",
    ]


def definition(**version: Any) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object"}}
    obj = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "widgets", "kind": "Widget"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema, **version}],
        },
    }
    DEFINITIONS.default(obj)
    DEFINITIONS.prepare_create(obj)
    return obj


def test_a_definition_gets_its_names_and_starts_unaccepted() -> None:
    made = definition()
    assert made["spec"]["names"] == {
        "plural": "widgets",
        "kind": "Widget",
        "singular": "widget",
        "listKind": "WidgetList",
    }
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert made["status"]["storedVersions"] == ["v1"]
    assert errors_of(DEFINITIONS, made) == []


def test_a_definition_is_refused_for_schema_and_storage() -> None:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}}
    errors = errors_of(DEFINITIONS, definition(storage=False, schema=schema))
    path = "spec.validation.openAPIV3Schema"
    assert errors[1] == (
        f"{path}.properties[spec].type: Required value: must not be empty for specified object fields"
    )
    assert errors[0].endswith("must have exactly one version marked as storage version")
    wrong = definition()
    wrong["metadata"]["name"] = "gadgets.example.com"
    assert errors_of(DEFINITIONS, wrong) == [
        'metadata.name: Invalid value: "gadgets.example.com": must be spec.names.plural+"."+spec.group'
    ]


def test_both_kinds_of_events_are_one() -> None:
    new = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "ns"},
        "note": "text",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "ns"},
        "reportingController": "me",
        "deprecatedCount": 2,
    }
    assert NEW_EVENTS.to_storage and NEW_EVENTS.from_storage
    stored = NEW_EVENTS.to_storage(new)
    assert stored == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "ns"},
        "message": "text",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "ns"},
        "reportingComponent": "me",
        "count": 2,
    }
    assert NEW_EVENTS.from_storage(stored) == new
    assert NEW_EVENTS.selectable["regarding.name"](new) == "p"
    assert EVENTS.selectable["involvedObject.name"](stored) == "p"
    assert EVENTS.selectable["source"](stored) == "me"


def test_an_event_is_where_its_object_is() -> None:
    event = {"metadata": {"namespace": "ns"}, "involvedObject": {"namespace": "other"}}
    assert errors_of(EVENTS, event) == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]
    assert errors_of(EVENTS, {"metadata": {"namespace": "default"}, "involvedObject": {}}) == []


def test_an_exact_event_says_who_saw_it() -> None:
    about = {"metadata": {"namespace": "default"}, "involvedObject": {"kind": "Node"}}
    exact = {
        **about,
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingComponent": "a/b",
        "reason": "r" * 129,
    }
    assert errors_of(EVENTS, about) == []
    assert errors_of(EVENTS, exact) == [
        "reportingInstance: Required value",
        "action: Required value",
        'reason: Invalid value: "": can have at most 128 characters',
    ]
    new = {"metadata": {"namespace": "default"}, "type": "Odd", "deprecatedCount": 1}
    assert [str(error) for error in NEW_EVENTS.validate_create(new)] == [
        "eventTime: Required value",
        'type: Invalid value: "": has invalid value: Odd',
        'count: Invalid value: "": needs to be unset',
    ]


def test_an_old_autoscaler_is_a_new_one_in_the_store() -> None:
    old = {
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70},
        "status": {"currentReplicas": 1, "desiredReplicas": 1},
    }
    assert AUTOSCALERS_V1.to_storage and AUTOSCALERS_V1.from_storage
    stored = AUTOSCALERS_V1.to_storage(old)
    assert stored["spec"]["metrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
        }
    ]
    assert AUTOSCALERS_V1.from_storage(stored) == old


def test_a_new_autoscaler_has_the_status_of_the_version_in_which_it_is_read() -> None:
    new = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 3}}
    AUTOSCALERS_V1.prepare_create(new)
    assert new["status"] == {"currentReplicas": 0, "desiredReplicas": 0}
    assert AUTOSCALERS_V1.to_storage and AUTOSCALERS_V1.from_storage
    stored = AUTOSCALERS_V1.to_storage(new)
    assert stored["status"] == {"currentMetrics": None, "desiredReplicas": 0}
    assert AUTOSCALERS_V1.from_storage(stored)["status"] == new["status"]


def test_what_an_old_autoscaler_cannot_say_survives_it() -> None:
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization"}}}
    stored = {
        "apiVersion": "autoscaling/v2",
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "metrics": [memory], "behavior": {"scaleDown": {"selectPolicy": "Min"}}},
        "status": {"currentMetrics": None, "conditions": [{"type": "AbleToScale", "status": "True"}]},
    }
    assert AUTOSCALERS_V1.to_storage and AUTOSCALERS_V1.from_storage
    old = AUTOSCALERS_V1.from_storage(stored)
    assert set(old["spec"]) == {"maxReplicas"}
    assert AUTOSCALERS_V1.to_storage(old) == stored
