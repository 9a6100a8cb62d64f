"""What Services, claims, volumes, quotas, limits, nodes, Secrets and the like are refused for, and may become."""

from base64 import b64encode
from typing import Any

import pytest

from mamekube.kinds.core import (
    endpoints,
    limitranges,
    namespaces,
    nodes,
    persistentvolumeclaims,
    persistentvolumes,
    resourcequotas,
    secrets,
    services,
)
from mamekube.kinds.kind import Kind

RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def refusals(kind: Kind, obj: dict[str, Any]) -> list[str]:
    kind.default(obj)
    return [str(error) for error in kind.validate(obj) + kind.validate_create(obj)]


def service(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    obj = {
        "metadata": {"name": "s", "annotations": annotations or {}},
        "spec": {"ports": [{"port": 80}], **spec},
    }
    services.KIND.default(obj)
    return obj


BALANCED = {"type": "LoadBalancer"}
SERVICES = [
    (service(type="LoadBalancer", ports=[{"port": 10250}]),),
    (
        service(clusterIPs=["10.0.0.1"]),
        'spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified',
    ),
    (
        service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1", "10.0.0.2", "fd00::1"]),
        'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2","fd00::1"]: may only hold up to 2 values',
    ),
    (
        service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1", "10.0.0.2"]),
        'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family',
    ),
    (
        service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1"], ipFamilies=["IPv6"]),
        'spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ),
    (service(ipFamilies=["IPv4", "IPv4"]), 'spec.ipFamilies[1]: Duplicate value: "IPv4"'),
    (
        service(externalIPs=["127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1"]),
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
        'spec.externalIPs[2]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, '
        "fe80::/10)",
        'spec.externalIPs[3]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, '
        "ff02::/10)",
    ),
    (
        service(loadBalancerSourceRanges=[" 10.0.0.0/8 ", "x"]),
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        f'spec.LoadBalancerSourceRanges[1]: Invalid value: "x": {CIDR}',
    ),
    (service({RANGES: "x"}, **BALANCED), f'metadata.annotations[{RANGES}]: Invalid value: "x": {CIDR}'),
    (
        service(allocateLoadBalancerNodePorts=False, loadBalancerClass="a"),
        "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
        "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ),
    (
        service(
            {
                "service.kubernetes.io/topology-mode": "Auto",
                "service.kubernetes.io/topology-aware-hints": "Disabled",
            }
        ),
        'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match '
        "annotations[service.kubernetes.io/topology-aware-hints] when both are specified",
    ),
    (
        service(**BALANCED, externalTrafficPolicy="Local", healthCheckNodePort=70000),
        "spec.healthCheckNodePort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
]


@pytest.mark.parametrize("case", SERVICES, ids=lambda case: case[-1][:60] if case[1:] else "fine")
def test_a_service_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refusals(services.KIND, obj) == expected


def changed(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    return [str(error) for error in services.KIND.validate_update(new, old)]


def test_addresses_that_a_service_had_may_stay() -> None:
    blocks = ["10.0.0.1/8", " 010.0.0.0/8"]
    old = service(**BALANCED, externalIPs=["010.0.0.1"], loadBalancerSourceRanges=blocks)
    assert len(refusals(services.KIND, old)) == 3
    assert changed(old, old) == []
    assert changed(service(**BALANCED, loadBalancerSourceRanges=["10.0.0.2/8", *blocks]), old) == [
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.2/8": must not have bits set beyond the prefix length'
    ]
    told = {"status": {"loadBalancer": {"ingress": [{"ip": "::ffff:10.0.0.1", "ipMode": "VIP"}]}}}
    assert len(services.KIND.validate_status({**old, **told}, old)) == 1
    assert services.KIND.validate_status({**old, **told}, {**old, **told}) == []


def dual(addresses: list[str], **spec: Any) -> dict[str, Any]:
    families = ["IPv6" if ":" in address else "IPv4" for address in addresses]
    return service(clusterIP=addresses[0], clusterIPs=addresses, ipFamilies=families, **spec)


def test_the_first_address_and_family_of_a_service_stay_and_the_second_goes_where_one_is_asked_for() -> None:
    both = dual(["10.0.0.1", "fd00::1"], ipFamilyPolicy="PreferDualStack")
    assert changed(dual(["10.0.0.1"], ipFamilyPolicy="SingleStack"), both) == []
    assert changed(both, dual(["10.0.0.1"], ipFamilyPolicy="SingleStack")) == []
    path = "spec.ipFamilyPolicy: Invalid value"
    assert changed(dual(["10.0.0.1"], ipFamilyPolicy="PreferDualStack"), both) == [
        f"{path}: \"PreferDualStack\": must be set to 'SingleStack' when releasing the secondary clusterIP",
        f"{path}: \"PreferDualStack\": must be set to 'SingleStack' when releasing the secondary ipFamily",
    ]
    assert changed(dual(["fd00::1"]), dual(["10.0.0.1"])) == [
        'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: may not change once set',
        'spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set',
    ]


def test_the_class_of_a_balanced_service_and_its_health_port_stay() -> None:
    old = service(**BALANCED, loadBalancerClass="example.com/a")
    assert changed(service(**BALANCED), old) == [
        'spec.loadBalancerClass: Invalid value: "null": may not change once set'
    ]
    local = {**BALANCED, "externalTrafficPolicy": "Local"}
    assert changed(service(**local, healthCheckNodePort=2), service(**local, healthCheckNodePort=1)) == [
        "spec.healthCheckNodePort: Forbidden: field is immutable"
    ]


def test_the_status_of_a_service_says_where_its_balancer_is() -> None:
    def errors(kind: str, *ingress: dict[str, Any]) -> list[str]:
        obj = {**service(type=kind), "status": {"loadBalancer": {"ingress": list(ingress)}}}
        services.KIND.default(obj)
        return [str(error) for error in services.KIND.validate_status(obj, {})]

    path = "status.loadBalancer.ingress"
    assert errors("LoadBalancer", {"ip": "1.2.3.4"}, {"hostname": "a.b"}) == []
    assert errors("ClusterIP", {"ip": "1.2.3.4"}) == [
        f"{path}: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    ]
    assert errors("LoadBalancer", {"hostname": "1.2.3.4"}, {"ip": "1.2.3.4", "ipMode": "x"}) == [
        f'{path}[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        f'{path}[1].ipMode: Unsupported value: "x": supported values: "Proxy", "VIP"',
    ]


def test_a_service_that_is_no_longer_balanced_has_no_balancer() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}, "conditions": []}
    new, old = {**service(), "status": status}, {**service(**BALANCED), "status": status}
    services.KIND.prepare_update(new, old)
    assert new["status"] == {"loadBalancer": {}, "conditions": []}
    assert status["loadBalancer"]["ingress"]


def claim(**spec: Any) -> dict[str, Any]:
    made = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": "c"}, "spec": made}


def volume(**spec: Any) -> dict[str, Any]:
    made = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, **spec}
    return {"metadata": {"name": "v"}, "spec": made}


def quota(
    *, scopes: list[str] | None = None, expressions: list[Any] | None = None, **hard: str
) -> dict[str, Any]:
    spec: dict[str, Any] = {"hard": {name.replace("_", "."): amount for name, amount in hard.items()}}
    if scopes:
        spec["scopes"] = scopes
    if expressions:
        spec["scopeSelector"] = {"matchExpressions": expressions}
    return {"metadata": {"name": "q"}, "spec": spec}


def limits(**limit: Any) -> dict[str, Any]:
    return {"metadata": {"name": "l"}, "spec": {"limits": [limit]}}


def node(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "spec": spec}


def secret(kind: str, **content: str) -> dict[str, Any]:
    data = {key.replace("_", "."): b64encode(text.encode()).decode() for key, text in content.items()}
    return {"metadata": {"name": "s"}, "type": f"kubernetes.io/{kind}", "data": data}


SELECTED = "spec.scopeSelector.matchExpressions"
L0 = "spec.limits[0]"
OTHERS = [
    (
        persistentvolumeclaims.KIND,
        claim(resources={"requests": {"storage": "-1"}}),
        'spec.resources[storage]: Invalid value: "-1": must be greater than zero',
    ),
    (
        persistentvolumeclaims.KIND,
        claim(dataSource={"kind": "VolumeSnapshot", "name": "s"}),
        "spec.dataSource: Invalid value: \"VolumeSnapshot\": must be 'PersistentVolumeClaim' when referencing the "
        "default apiGroup",
    ),
    (
        persistentvolumeclaims.KIND,
        claim(
            dataSource={"kind": "PersistentVolumeClaim", "name": "a"},
            dataSourceRef={"kind": "PersistentVolumeClaim", "name": "b"},
        ),
        "spec: Invalid value: {}: must match dataSourceRef",
    ),
    (
        persistentvolumes.KIND,
        volume(local={"path": "/x"}, volumeAttributesClassName=""),
        "spec.nodeAffinity: Required value: Local volume requires node affinity",
        "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
        "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
    ),
    (
        persistentvolumes.KIND,
        volume(hostPath={"path": "/"}, persistentVolumeReclaimPolicy="Recycle", capacity={"storage": "0"}),
        'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ),
    (
        persistentvolumes.KIND,
        volume(csi={"driver": "d", "nodePublishSecretRef": {"name": "a"}}, nodeAffinity={}),
        "spec.nodeAffinity.required: Required value: must specify required node constraints",
        "spec.csi.volumeHandle: Required value",
        "spec.csi.nodePublishSecretRef.namespace: Required value",
    ),
    (
        resourcequotas.KIND,
        quota(pods="1.5", storage="1"),
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota',
    ),
    (
        resourcequotas.KIND,
        quota(scopes=["BestEffort", "NotBestEffort"], pods="1"),
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
    ),
    (
        resourcequotas.KIND,
        quota(scopes=["Best"], cpu="1"),
        'spec.scopes: Invalid value: ["Best"]: unsupported scope',
    ),
    (
        resourcequotas.KIND,
        quota(scopes=["BestEffort"], cpu="1"),
        'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
    ),
    (
        resourcequotas.KIND,
        quota(expressions=[{"scopeName": "PriorityClass", "operator": "In"}], pods="1"),
        f"{SELECTED}.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope "
        "selector",
    ),
    (
        resourcequotas.KIND,
        quota(expressions=[{"scopeName": "Terminating", "operator": "Exists", "values": ["x"]}], pods="1"),
        f"{SELECTED}.values: Invalid value: [\"x\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for "
        "scope selector",
    ),
    (
        limitranges.KIND,
        limits(type="Node", max={"cpu": "1"}),
        f'{L0}.type: Invalid value: "Node": must be a standard limit type or fully qualified',
    ),
    (
        limitranges.KIND,
        limits(type="Pod", default={"cpu": "1"}),
        f"{L0}.default: Forbidden: may not be specified when `type` is 'Pod'",
    ),
    (
        limitranges.KIND,
        limits(type="PersistentVolumeClaim"),
        f"{L0}.limits: Required value: either minimum or maximum storage value is required, but neither was provided",
    ),
    (
        limitranges.KIND,
        limits(
            type="Container",
            min={"cpu": "2"},
            max={"cpu": "4"},
            default={"cpu": "5"},
            defaultRequest={"cpu": "1"},
        ),
        f'{L0}.defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
        f'{L0}.default[cpu]: Invalid value: "4": default value 5 is greater than max value 4',
    ),
    (
        limitranges.KIND,
        limits(type="Pod", min={"cpu": "1"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "3"}),
        f'{L0}.maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000',
    ),
    (
        limitranges.KIND,
        limits(type="Pod", max={"pods": "1"}),
        f'{L0}.max[pods]: Invalid value: "pods": must be a standard resource for containers',
    ),
    (
        nodes.KIND,
        node(podCIDRs=["10.0.0.0/24", "10.0.0.0/24"]),
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for each IP '
        "family",
        'spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"',
    ),
    (
        nodes.KIND,
        {**node(), "status": {"capacity": {"pods": "0.5"}, "allocatable": {"pods": "1"}}},
        'status.capacity.pods: Invalid value: "500m": must be an integer',
    ),
    (secrets.KIND, secret("ssh-auth", ssh_privatekey=""), "data[ssh-privatekey]: Required value"),
    (
        secrets.KIND,
        secret("dockerconfigjson", _dockerconfigjson="{'a'}"),
        "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character '\\'' looking for "
        "beginning of object key string",
    ),
    (
        secrets.KIND,
        secret("dockerconfigjson", _dockerconfigjson="[]"),
        'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": json: cannot unmarshal array into Go '
        "value of type map[string]interface {}",
    ),
    (
        namespaces.KIND,
        {"metadata": {"name": "n"}, "spec": {"finalizers": ["mine", "example.com/mine"]}},
        'spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ),
    (
        endpoints.KIND,
        {"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "127.0.0.1", "nodeName": "_"}]}]},
        'subsets[0].addresses[0].nodeName: Invalid value: "_": a lowercase RFC 1123 subdomain must consist of lower '
        "case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
        "'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, '
        "::1/128)",
    ),
]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: f"{case[0].plural}: {case[2][:50]}")
def test_others_are_refused_for(case: tuple[Any, ...]) -> None:
    kind, obj, *expected = case
    assert refusals(kind, obj) == expected


def reached_at(*addresses: str, **labels: str) -> dict[str, Any]:
    subsets = [{"addresses": [{"ip": address} for address in addresses]}]
    return {"metadata": {"name": "e", "labels": labels}, "subsets": subsets}


def test_endpoints_keep_the_addresses_that_they_had() -> None:
    old = reached_at("010.0.0.1")
    path = "subsets[0].addresses[0].ip: Invalid value"
    assert refusals(endpoints.KIND, old) == [f'{path}: "010.0.0.1": must not have leading 0s']
    assert endpoints.KIND.validate_update(old, old) == []
    assert refusals(endpoints.KIND, reached_at("x")) == [
        f'{path}: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        f'{path}: "x": must be a valid IP address',
    ]


def test_endpoints_are_warned_of_odd_spellings_but_not_the_controller() -> None:
    assert endpoints.KIND.warnings(reached_at("10.0.0.1", "2001:DB8::1"), None) == [
        'subsets[0].addresses[1].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'
    ]
    managed = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    assert endpoints.KIND.warnings(reached_at("2001:DB8::1", **managed), None) == []


def test_a_claim_of_no_class_may_be_given_one_and_its_attributes_never_go() -> None:
    def update(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
        errors = persistentvolumeclaims.KIND.validate_update(new, old)
        return [str(error).partition("\n")[0] for error in errors]

    assert update(claim(storageClassName="fast"), claim()) == []
    assert update(claim(storageClassName=""), claim(storageClassName="fast")) == [
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
        "bound claims"
    ]
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    path = "spec.volumeAttributesClassName: Forbidden"
    old = {**claim(volumeAttributesClassName="gold"), **bound}
    assert update({**claim(volumeAttributesClassName="silver"), **bound}, old) == []
    assert update({**claim(volumeAttributesClassName=""), **bound}, old) == [
        f"{path}: update from non-nil value to an empty string is forbidden"
    ]


def test_a_volume_keeps_what_it_is_made_of_and_where() -> None:
    def on(key: str) -> dict[str, Any]:
        term = {"matchExpressions": [{"key": key, "operator": "In", "values": ["a"]}]}
        return volume(hostPath={"path": "/x"}, nodeAffinity={"required": {"nodeSelectorTerms": [term]}})

    update = persistentvolumes.KIND.validate_update
    beta = on("failure-domain.beta.kubernetes.io/zone")
    assert update(on("topology.kubernetes.io/zone"), beta) == []
    (error,) = update(on("other"), beta)
    assert error.message.endswith("field is immutable, except for updating from beta label to GA")
    (error,) = update(volume(hostPath={"path": "/y"}), volume(hostPath={"path": "/x"}))
    assert str(error).startswith(
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"
    )


@pytest.mark.parametrize(
    ("meta", "phase", "expected"),
    [
        ({}, "Active", []),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "Terminating", []),
        (
            {},
            "Terminating",
            [
                "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
            ],
        ),
    ],
)
def test_the_phase_of_a_namespace_says_whether_it_is_being_deleted(
    meta: dict[str, Any], phase: str, expected: list[str]
) -> None:
    namespace = {"metadata": {"name": "n", **meta}, "status": {"phase": phase}}
    assert [str(error) for error in namespaces.KIND.validate_status(namespace, {})] == expected


def test_a_quota_of_many_wrong_scopes_is_told_of_some() -> None:
    """Each refusal shows all of them: of a hundred thousand that would be more than there is memory."""
    expressions = [{"scopeName": "BestEffort", "operator": "Exists"}] * 400
    made = quota(scopes=["Best", "BestEffort"] * 200, expressions=expressions, cpu="1")
    assert len(resourcequotas.KIND.validate(made)) == 2 * resourcequotas.TOLD_MAX
