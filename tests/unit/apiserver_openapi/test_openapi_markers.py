"""What a live server publishes beside the definitions in upstream's repository: values of enums, and defaults."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from mamekube.apiserver.openapi import gnostic, markers
from mamekube.apiserver.openapi.publication import OpenApi, Source, fingerprint
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.fielderrors import NOT_SUPPORTED, FieldError

SELECTABLE = "x-kubernetes-selectable-fields"
SHIRT = Kind(
    group="tests.example.com",
    version="v1",
    plural="shirts",
    singular="shirt",
    kind="Shirt",
    selectable={"spec.color": str, "spec.size": str},
    schema={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
)


@pytest.fixture(scope="module")
def served() -> OpenApi:
    return OpenApi(builtin_registry())


async def definitions(served: OpenApi, path: str) -> dict[str, Any]:
    status, _, body = await served.handle(path, "application/json", {}, "")
    assert status == 200
    found = orjson.loads(body)
    shown: dict[str, Any] = found.get("definitions") or found["components"]["schemas"]
    return shown


async def documents(served: OpenApi) -> list[dict[str, Any]]:
    """What version 2 defines, and what all groups of version 3 do together."""
    _, _, index = await served.handle("/openapi/v3", "application/json", {}, "")
    together: dict[str, Any] = {}
    for name in orjson.loads(index)["paths"]:
        status, _, body = await served.handle(f"/openapi/v3/{name}", "application/json", {}, "")
        assert status == 200
        together |= orjson.loads(body)["components"]["schemas"]
    return [await definitions(served, "/openapi/v2"), together]


def strings_of(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a field's strings, of its list's or of its map's."""
    return field.get("items") or field.get("additionalProperties") or field


def fields_with_enum(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, definition in shown.items():
        for field, schema in (definition.get("properties") or {}).items():
            if "enum" in strings_of(schema):
                yield name, field


async def test_the_fields_that_upstream_marks_say_which_values_they_take(served: OpenApi) -> None:
    expected = {(name, field) for name, fields in markers.enums().items() for field in fields}
    for shown in await documents(served):
        assert set(fields_with_enum(shown)) == expected
        for name, field in expected:
            schema = shown[name]["properties"][field]
            values = markers.enums()[name][field].values
            strings = strings_of(schema)
            assert (strings["type"], strings["enum"]) == ("string", values), (name, field)
            assert values == sorted(set(values)), (name, field)
            lines = "\n".join(f' - `"{value}"`' for value in values)
            described = f"\n\nPossible enum values:\n{lines}"
            assert schema["description"].endswith(described) == (strings is schema), (name, field)
            assert schema["description"].count(markers.HEADING) == (strings is schema), (name, field)


async def test_lists_and_maps_of_them_say_it_of_their_elements(served: OpenApi) -> None:
    shown = await definitions(served, "/openapi/v3/api/v1")
    service = shown["io.k8s.api.core.v1.ServiceSpec"]["properties"]
    assert service["ipFamilies"]["items"] == {"type": "string", "default": "", "enum": ["", "IPv4", "IPv6"]}
    claim = shown["io.k8s.api.core.v1.PersistentVolumeClaimStatus"]["properties"]
    assert "NodeResizePending" in claim["allocatedResourceStatuses"]["additionalProperties"]["enum"]
    assert "enum" not in service["ipFamilies"]


async def test_version_3_alone_says_what_upstreams_types_say_of_absent_fields(served: OpenApi) -> None:
    v2, v3 = await documents(served)
    for name, fields in markers.defaults().items():
        for field, value in fields.items():
            assert v3[name]["properties"][field]["default"] == value, (name, field)
            assert "default" not in v2[name]["properties"][field], (name, field)


async def test_quantities_and_numbers_or_texts_are_described(served: OpenApi) -> None:
    for shown in await documents(served):
        assert shown["io.k8s.apimachinery.pkg.api.resource.Quantity"]["description"]
        assert shown["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["description"]


async def test_custom_kinds_say_by_which_fields_they_can_be_selected() -> None:
    registry = builtin_registry()
    registry.add(SHIRT)
    served = OpenApi(registry)
    expected = [{"fieldPath": "spec.color"}, {"fieldPath": "spec.size"}]
    v3 = await definitions(served, "/openapi/v3/apis/tests.example.com/v1")
    v2 = await definitions(served, "/openapi/v2")
    for shown in (v2, v3):
        assert shown["com.example.tests.v1.Shirt"][SELECTABLE] == expected
        assert SELECTABLE not in shown["com.example.tests.v1.ShirtList"]
    assert not any(SELECTABLE in shown for name, shown in v2.items() if name.startswith("io.k8s."))
    other = dataclasses.replace(SHIRT, selectable={"spec.color": str})
    assert fingerprint(Source([SHIRT]), "") != fingerprint(Source([other]), "")


def test_protobuf_has_what_json_says_of_a_schema() -> None:
    schema = {
        "enum": ["a", ""],
        "multipleOf": 2.0,
        "exclusiveMaximum": True,
        "maxProperties": 3,
        "minProperties": 1,
        "externalDocs": {"description": "d", "url": "u"},
    }
    document = gnostic.encode_document(info={}, paths=(), definitions=[("x", schema)], security={})
    for part in (
        b"\xa2\x01\x06\x12\x04" + b'"a"\n',
        b"\xa2\x01\x05\x12\x03" + b'""\n',
        b"\x31" + b"\x00\x00\x00\x00\x00\x00\x00\x40",
        b"\x40\x01",
        b"\x88\x01\x03",
        b"\x90\x01\x01",
        b"\xea\x01\x06\x0a\x01d\x12\x01u",
    ):
        assert part in document, part


# What validation takes ----------------------------------------------------------------------------------

ADMISSION = "api.admissionregistration.v1"
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
WORKLOAD = {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}
ENDING = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
HOOK = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://example.com"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "rules": [RULE],
}
POD = {
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "ports": [{"containerPort": 80}],
                "livenessProbe": {"httpGet": {"port": 80, "path": "/"}},
                "volumeMounts": [{"name": "host", "mountPath": "/x"}],
                "securityContext": {"procMount": "Default", "seccompProfile": {"type": "Unconfined"}},
            }
        ],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "securityContext": {"appArmorProfile": {"type": "Unconfined"}},
        "volumes": [{"name": "host", "hostPath": {"path": "/x"}}],
    }
}
CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
VOLUME = {
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/x"},
    }
}
SERVICE = {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}
POLICY = {"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 80}]}]}}
INGRESS = {
    "spec": {
        "rules": [
            {
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "s", "port": {"number": 80}}},
                        }
                    ]
                }
            }
        ]
    }
}
BINDING = {"spec": {"policyName": "p", "validationActions": ["Deny"]}}
CRON = {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": ENDING}}}}
SLICE = {"addressType": "IPv4", "endpoints": [], "ports": [{"name": "a", "port": 80}]}
BUDGET = {"spec": {"selector": {}, "minAvailable": 1}}
REQUEST = {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}}

TAKEN: Mapping[str, tuple[dict[str, Any], Mapping[str, str]]] = {
    "pods": (
        POD,
        {
            "spec.restartPolicy": "api.core.v1.PodSpec.restartPolicy",
            "spec.dnsPolicy": "api.core.v1.PodSpec.dnsPolicy",
            "spec.preemptionPolicy": "api.core.v1.PodSpec.preemptionPolicy",
            "spec.containers.0.imagePullPolicy": "api.core.v1.Container.imagePullPolicy",
            "spec.containers.0.terminationMessagePolicy": "api.core.v1.Container.terminationMessagePolicy",
            "spec.containers.0.ports.0.protocol": "api.core.v1.ContainerPort.protocol",
            "spec.containers.0.livenessProbe.httpGet.scheme": "api.core.v1.HTTPGetAction.scheme",
            "spec.containers.0.volumeMounts.0.mountPropagation": "api.core.v1.VolumeMount.mountPropagation",
            "spec.containers.0.securityContext.procMount": "api.core.v1.SecurityContext.procMount",
            "spec.containers.0.securityContext.seccompProfile.type": "api.core.v1.SeccompProfile.type",
            "spec.securityContext.appArmorProfile.type": "api.core.v1.AppArmorProfile.type",
            "spec.securityContext.fsGroupChangePolicy": "api.core.v1.PodSecurityContext.fsGroupChangePolicy",
            "spec.securityContext.supplementalGroupsPolicy": (
                "api.core.v1.PodSecurityContext.supplementalGroupsPolicy"
            ),
            "spec.tolerations.0.effect": "api.core.v1.Toleration.effect",
            "spec.tolerations.0.operator": "api.core.v1.Toleration.operator",
            "spec.topologySpreadConstraints.0.whenUnsatisfiable": (
                "api.core.v1.TopologySpreadConstraint.whenUnsatisfiable"
            ),
            "spec.topologySpreadConstraints.0.nodeTaintsPolicy": (
                "api.core.v1.TopologySpreadConstraint.nodeTaintsPolicy"
            ),
            "spec.volumes.0.hostPath.type": "api.core.v1.HostPathVolumeSource.type",
        },
    ),
    "nodes": (
        {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}},
        {"spec.taints.0.effect": "api.core.v1.Taint.effect"},
    ),
    "services": (
        SERVICE,
        {
            "spec.type": "api.core.v1.ServiceSpec.type",
            "spec.sessionAffinity": "api.core.v1.ServiceSpec.sessionAffinity",
            "spec.internalTrafficPolicy": "api.core.v1.ServiceSpec.internalTrafficPolicy",
            "spec.ipFamilyPolicy": "api.core.v1.ServiceSpec.ipFamilyPolicy",
            "spec.ipFamilies.[]": "api.core.v1.ServiceSpec.ipFamilies",
            "spec.ports.0.protocol": "api.core.v1.ServicePort.protocol",
        },
    ),
    "persistentvolumeclaims": (
        CLAIM,
        {
            "spec.accessModes.[]": "api.core.v1.PersistentVolumeClaimSpec.accessModes",
            "spec.volumeMode": "api.core.v1.PersistentVolumeClaimSpec.volumeMode",
        },
    ),
    "persistentvolumes": (
        VOLUME,
        {
            "spec.volumeMode": "api.core.v1.PersistentVolumeSpec.volumeMode",
            "spec.persistentVolumeReclaimPolicy": "api.core.v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy",
        },
    ),
    "deployments": ({"spec": WORKLOAD}, {"spec.strategy.type": "api.apps.v1.DeploymentStrategy.type"}),
    "daemonsets": (
        {"spec": WORKLOAD},
        {"spec.updateStrategy.type": "api.apps.v1.DaemonSetUpdateStrategy.type"},
    ),
    "jobs": (
        {"spec": {**WORKLOAD, "template": ENDING, "manualSelector": True}},
        {
            "spec.completionMode": "api.batch.v1.JobSpec.completionMode",
            "spec.podReplacementPolicy": "api.batch.v1.JobSpec.podReplacementPolicy",
        },
    ),
    "cronjobs": (CRON, {"spec.concurrencyPolicy": "api.batch.v1.CronJobSpec.concurrencyPolicy"}),
    "networkpolicies": (
        POLICY,
        {
            "spec.policyTypes.[]": "api.networking.v1.NetworkPolicySpec.policyTypes",
            "spec.ingress.0.ports.0.protocol": "api.networking.v1.NetworkPolicyPort.protocol",
        },
    ),
    "ingresses": (
        INGRESS,
        {"spec.rules.0.http.paths.0.pathType": "api.networking.v1.HTTPIngressPath.pathType"},
    ),
    "endpointslices": (
        SLICE,
        {
            "addressType": "api.discovery.v1.EndpointSlice.addressType",
            "ports.0.protocol": "api.discovery.v1.EndpointPort.protocol",
        },
    ),
    "poddisruptionbudgets": (
        BUDGET,
        {
            "spec.unhealthyPodEvictionPolicy": "api.policy.v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy"
        },
    ),
    "priorityclasses": (
        {"value": 1},
        {"preemptionPolicy": "api.scheduling.v1.PriorityClass.preemptionPolicy"},
    ),
    "storageclasses": (
        {"provisioner": "a.example.com"},
        {
            "reclaimPolicy": "api.storage.v1.StorageClass.reclaimPolicy",
            "volumeBindingMode": "api.storage.v1.StorageClass.volumeBindingMode",
        },
    ),
    "resourceclaims": (
        REQUEST,
        {
            "spec.devices.requests.0.exactly.allocationMode": "api.resource.v1.ExactDeviceRequest.allocationMode"
        },
    ),
    "validatingwebhookconfigurations": (
        {"webhooks": [HOOK]},
        {
            "webhooks.0.failurePolicy": f"{ADMISSION}.ValidatingWebhook.failurePolicy",
            "webhooks.0.matchPolicy": f"{ADMISSION}.ValidatingWebhook.matchPolicy",
            "webhooks.0.sideEffects": f"{ADMISSION}.ValidatingWebhook.sideEffects",
            "webhooks.0.rules.0.operations.[]": f"{ADMISSION}.RuleWithOperations.operations",
            "webhooks.0.rules.0.scope": f"{ADMISSION}.RuleWithOperations.scope",
        },
    ),
    "mutatingwebhookconfigurations": (
        {"webhooks": [HOOK]},
        {"webhooks.0.reinvocationPolicy": f"{ADMISSION}.MutatingWebhook.reinvocationPolicy"},
    ),
    "validatingadmissionpolicybindings": (
        BINDING,
        {"spec.validationActions.[]": f"{ADMISSION}.ValidatingAdmissionPolicyBindingSpec.validationActions"},
    ),
}
"""By resource: a valid object of it, and fields of this object, as the table of markers has them by their paths."""

REFUSED: Mapping[str, frozenset[str]] = {
    f"{ADMISSION}.ValidatingWebhook.sideEffects": frozenset({"Some", "Unknown"}),
    "api.core.v1.ServiceSpec.ipFamilies": frozenset({""}),
    "api.core.v1.Toleration.operator": frozenset({"Gt", "Lt"}),
    "api.storage.v1.StorageClass.reclaimPolicy": frozenset({"Recycle"}),
}
"""Values that upstream has, and does not take here: of older versions, of gates that are shut, of other kinds."""


@pytest.mark.parametrize("plural", TAKEN)
def test_validation_takes_the_values_that_are_published(plural: str) -> None:
    kind = next(kind for kind in builtin_registry().all() if kind.plural == plural)
    obj, fields = TAKEN[plural]
    assert not refused(kind, obj), "the object is not valid to begin with"
    for path, field in fields.items():
        name, _, last = field.rpartition(".")
        published = set(markers.enums()[markers.PREFIX + name][last].values)
        errors = refused(kind, changed(obj, path, "Nonsense"))
        refusal = next((error.message for error in errors if error.reason == NOT_SUPPORTED), "")
        assert "Nonsense" in refusal, (field, errors)
        supported = set(re.findall(r'"([^"]*)"', refusal.partition("supported values: ")[2]))
        assert supported == published - REFUSED.get(field, frozenset()), field


def refused(kind: Kind, obj: dict[str, Any]) -> list[FieldError]:
    metadata = {"name": "x"} | ({"namespace": "d"} if kind.namespaced else {})
    made = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **copy.deepcopy(obj)}
    kind.default(made)
    return [*kind.validate(made), *kind.validate_create(made)]


def changed(obj: dict[str, Any], path: str, value: str) -> dict[str, Any]:
    """A copy with another value at the path; `[]` ends the path to a list, whose only element the value becomes."""
    made: dict[str, Any] = copy.deepcopy(obj)
    here: Any = made
    *parents, last = path.removesuffix(".[]").split(".")
    for key in parents:
        here = here[int(key)] if key.isdigit() else here.setdefault(key, {})
    here[last] = [value] if path.endswith(".[]") else value
    return made
