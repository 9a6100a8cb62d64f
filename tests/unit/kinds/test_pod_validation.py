"""What pods are refused for, word by word, and what an update of one may change."""

import copy
from typing import Any

import pytest

from mamekube.kinds.core import pods

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
PORT_RANGE = "must be between 1 and 65535, inclusive"
C0 = "spec.containers[0]"


def made(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A valid pod, but for what the case changes."""
    base = {"name": "c", "image": "nginx:1", **(container or {})}
    pod: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": [base], **spec}}
    pods.KIND.default(pod)
    return pod


def errors_of(pod: dict[str, Any]) -> list[str]:
    return [str(error) for error in pods.KIND.validate(pod)]


def without(field: str) -> dict[str, Any]:
    pod = made()
    del pod["spec"][field]
    return pod


CASES = {
    "a plain pod": (made(), []),
    "no containers": (
        {"spec": {"restartPolicy": "Always", "dnsPolicy": "Default"}},
        ["spec.containers: Required value"],
    ),
    "a name that is no label": (
        made({"name": "A_b"}),
        [f'{C0}.name: Invalid value: "A_b": {LABEL}'],
    ),
    "no name, no image": (
        made({"name": "", "image": ""}),
        [f"{C0}.name: Required value", f"{C0}.image: Required value"],
    ),
    "white space around the image": (
        made({"image": " nginx:1"}),
        [f'{C0}.image: Invalid value: " nginx:1": must not have leading or trailing whitespace'],
    ),
    "two containers of one name": (
        made(containers=[{"name": "c", "image": "x:1"}, {"name": "c", "image": "x:1"}]),
        ['spec.containers[1].name: Duplicate value: "c"'],
    ),
    "a port out of range": (
        made({"ports": [{"containerPort": 70000}]}),
        [f"{C0}.ports[0].containerPort: Invalid value: 70000: {PORT_RANGE}"],
    ),
    "no port, no protocol that exists": (
        made({"ports": [{"protocol": "tcp"}]}),
        [
            f"{C0}.ports[0].containerPort: Required value",
            f'{C0}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
        ],
    ),
    "two ports of one name": (
        made({"ports": [{"name": "a", "containerPort": 1}, {"name": "a", "containerPort": 2}]}),
        [f'{C0}.ports[1].name: Duplicate value: "a"'],
    ),
    "one port of the host twice": (
        made({"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]}),
        [f'{C0}.ports[1].hostPort: Duplicate value: "TCP//9"'],
    ),
    "another port on the host network": (
        made({"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True),
        [f"{C0}.ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"],
    ),
    "an image pull policy that does not exist": (
        made({"imagePullPolicy": "always"}),
        [
            f'{C0}.imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", '
            '"Never"'
        ],
    ),
    "an environment variable with = in its name": (
        made({"env": [{"name": "A=B"}]}),
        [
            f'{C0}.env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of '
            "printable ASCII characters other than '='"
        ],
    ),
    "a value from two places": (
        made(
            {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}
        ),
        [f'{C0}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    "a field that pods do not have": (
        made({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]}),
        [
            f'{C0}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x": error converting fieldPath: '
            "field label not supported: spec.x"
        ],
    ),
    "a field that only volumes may show": (
        made({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]}),
        [
            f'{C0}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: '
            '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
            '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
        ],
    ),
    "one label of the pod": (
        made({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]}),
        [],
    ),
    "a key without its ConfigMap": (
        made({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"key": "k"}}}]}),
        [f'{C0}.env[0].valueFrom.configMapKeyRef.name: Invalid value: "": {SUBDOMAIN}'],
    ),
    "a mount without its volume": (
        made({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
        [f'{C0}.volumeMounts[0].name: Not found: "v"'],
    ),
    "two mounts at one place": (
        made(
            {"volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}]},
            volumes=[{"name": "v"}],
        ),
        [f'{C0}.volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
    ),
    "a sub path that climbs": (
        made(
            {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/../b"}]}, volumes=[{"name": "v"}]
        ),
        [f"{C0}.volumeMounts.subPath: Invalid value: \"a/../b\": must not contain '..'"],
    ),
    "two volumes of one name": (
        made(volumes=[{"name": "v"}, {"name": "v"}]),
        ['spec.volumes[1].name: Duplicate value: "v"'],
    ),
    "a volume of two kinds": (
        made(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]),
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    "a Secret without a name, with a bad mode": (
        made(volumes=[{"name": "v", "secret": {"defaultMode": 512}}]),
        [
            "spec.volumes[0].secret.secretName: Required value",
            "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), "
            "both inclusive",
        ],
    ),
    "a probe that asks nothing": (
        made({"livenessProbe": {"periodSeconds": -1}}),
        [
            f"{C0}.livenessProbe: Required value: must specify a handler type",
            f"{C0}.livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
    "a liveness probe that needs two successes": (
        made({"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}}),
        [f"{C0}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    "a probe of two kinds": (
        made({"readinessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}}),
        [f"{C0}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    "a resource that nobody knows": (
        made({"resources": {"limits": {"foo": "1"}}}),
        [
            f'{C0}.resources.limits[foo]: Invalid value: "foo": must be a standard resource type or fully '
            "qualified",
            f'{C0}.resources.limits[foo]: Invalid value: "foo": must be a standard resource for containers',
            f'{C0}.resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully '
            "qualified",
            f'{C0}.resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers',
        ],
    ),
    "a request above its limit": (
        made({"resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "1"}}}),
        [f'{C0}.resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 500m'],
    ),
    "less than nothing": (
        made({"resources": {"requests": {"memory": "-1Gi"}}}),
        [
            f'{C0}.resources.requests[memory]: Invalid value: "-1Gi": must be greater than or equal to 0',
        ],
    ),
    "half a device": (
        made({"resources": {"limits": {"example.com/gpu": "500m"}}}),
        [
            f'{C0}.resources.{side}[example.com/gpu]: Invalid value: "500m": must be an integer'
            for side in ("limits", "requests")
        ],
    ),
    "no restart policy": (without("restartPolicy"), ["spec.restartPolicy: Required value"]),
    "a restart policy that does not exist": (
        made(restartPolicy="Sometimes"),
        [
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'
        ],
    ),
    "own name servers, but none said": (
        made(dnsPolicy="None"),
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    "a toleration for everything with a key": (
        made(tolerations=[{"operator": "Equal"}]),
        [
            'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, '
            'which means "match all values and all keys"'
        ],
    ),
    "a toleration that ends without an effect": (
        made(tolerations=[{"key": "a", "operator": "Exists", "tolerationSeconds": 3}]),
        [
            "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when "
            "`tolerationSeconds` is set"
        ],
    ),
    "an affinity for no node in particular": (
        made(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}),
        [
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
            "Required value: must have at least one node selector term"
        ],
    ),
    "spreading over nothing": (
        made(topologySpreadConstraints=[{"maxSkew": 0, "whenUnsatisfiable": "DoNotSchedule"}]),
        [
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
        ],
    ),
    "an init container of the name of another": (
        made(initContainers=[{"name": "c", "image": "x:1"}]),
        ['spec.initContainers[0].name: Duplicate value: "c"'],
    ),
    "an init container with a probe": (
        made(initContainers=[{"name": "i", "image": "x:1", "livenessProbe": {"exec": {"command": ["x"]}}}]),
        [
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always"
        ],
    ),
    "a user that no system has": (
        made({"securityContext": {"runAsUser": -1}}),
        [f"{C0}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    "a deadline of nothing": (
        made(activeDeadlineSeconds=0),
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    "a token without an account": (
        made(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
        [
            "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when "
            "serviceAccountName is not set"
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pod_is_refused_for(case: str) -> None:
    pod, expected = CASES[case]
    assert errors_of(copy.deepcopy(pod)) == expected


def test_what_only_a_new_pod_may_not_have() -> None:
    pod = made(
        nodeName="n", schedulingGates=[{"name": "g"}], ephemeralContainers=[{"name": "e", "image": "x:1"}]
    )
    assert [str(error) for error in pods.KIND.validate_create(pod)] == [
        "spec.ephemeralContainers: Forbidden: cannot be set on create",
        "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
    ]


def updated(old: dict[str, Any], **spec: Any) -> list[str]:
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    return [str(error) for error in pods.KIND.validate_update(new, old)]


def test_images_tolerations_and_an_earlier_deadline_may_change() -> None:
    old = made(activeDeadlineSeconds=60, tolerations=[{"key": "a", "operator": "Exists"}])
    container = {**old["spec"]["containers"][0], "image": "nginx:2"}
    added = [*old["spec"]["tolerations"], {"key": "b", "operator": "Exists"}]
    assert updated(old, containers=[container], tolerations=added, activeDeadlineSeconds=30) == []


def test_a_grace_period_may_change_from_negative_to_one() -> None:
    assert updated(made(terminationGracePeriodSeconds=-1), terminationGracePeriodSeconds=1) == []


def test_nothing_else_may_change() -> None:
    (error,) = updated(made(), hostname="other")
    head, _, difference = error.partition("\n")
    assert head == (
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
        "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
        "negative)"
    )
    assert '-  "hostname": "other",' in difference.splitlines()


@pytest.mark.parametrize(
    ("old", "change", "expected"),
    [
        (
            made(),
            {"containers": []},
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (
            made(activeDeadlineSeconds=5),
            {"activeDeadlineSeconds": 6},
            "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value",
        ),
        (
            made(activeDeadlineSeconds=5),
            {"activeDeadlineSeconds": None},
            'spec.activeDeadlineSeconds: Invalid value: "null": must not update from a positive integer to nil value',
        ),
        (
            made(tolerations=[{"key": "a", "operator": "Exists"}]),
            {"tolerations": []},
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
        (
            made(),
            {"schedulingGates": [{"name": "g"}]},
            "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'",
        ),
    ],
)
def test_an_update_is_refused(old: dict, change: dict, expected: str) -> None:
    assert updated(old, **change) == [expected]


def test_warnings_name_what_is_hardly_meant() -> None:
    container = {
        "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
        "resources": {"requests": {"memory": "100m"}},
    }
    pod = made(container, nodeSelector={"beta.kubernetes.io/os": "linux"}, terminationGracePeriodSeconds=-1)
    assert pods.KIND.warnings(pod, None) == [
        'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
        f'{C0}.resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
        f'{C0}.env[1]: hides previous definition of "A", which may be dropped when using apply',
    ]
    assert pods.KIND.warnings(pod, made()) == []


def ended_then_running(policy: str, code: int, *, own_policy: str = "") -> list[str]:
    spec = {"restartPolicy": policy, "containers": [{"name": "c", "restartPolicy": own_policy}]}
    old = {
        "spec": spec,
        "status": {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": code}}}]},
    }
    new = {"spec": spec, "status": {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}}
    return [str(error) for error in pods.KIND.validate_status(new, old)]


def test_a_container_stays_at_its_end_unless_it_is_to_be_restarted() -> None:
    refusal = [
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    ]
    assert ended_then_running("Always", 0) == ended_then_running("OnFailure", 1) == []
    assert ended_then_running("Never", 1, own_policy="Always") == []
    assert ended_then_running("OnFailure", 0) == ended_then_running("Never", 1) == refusal


def test_addresses_of_a_pod_are_addresses() -> None:
    status = {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}, {"ip": "x"}]}
    assert [str(error) for error in pods.KIND.validate_status({"status": status}, {})] == [
        'status.podIPs[2]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.1"},{"IP":"x"}]: may specify no more than '
        "one IP for each IP family",
    ]


def test_the_first_address_is_written_twice() -> None:
    pod = {"spec": {"containers": []}, "status": {"podIP": "10.0.0.1"}}
    pods.KIND.default(pod)
    assert pod["status"]["podIPs"] == [{"ip": "10.0.0.1"}]


def test_a_volume_is_looked_at_anew_where_only_a_part_of_it_was_found_right_before() -> None:
    def volume(path: str) -> dict[str, Any]:
        token = {"serviceAccountToken": {"path": path}}
        return {"name": "v", "projected": {"sources": [token]}}

    assert errors_of(made(serviceAccountName="a", volumes=[volume("token")])) == []
    for _ in range(2):
        refused = errors_of(made(serviceAccountName="a", volumes=[volume("token"), volume("../token")]))
        assert any(error.startswith("spec.volumes[1].projected.path") for error in refused)


def with_token(name: str, *, mounted: str, value: str = "") -> dict[str, Any]:
    """A pod as admission leaves it: with the volume of its token."""
    mount = {"name": mounted, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    volume = {"name": name, "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    container = {"volumeMounts": [mount], "env": [{"name": "A", "value": value}]}
    return made(container, volumes=[volume], serviceAccountName="default")


def test_a_pod_like_one_that_was_right_is_judged_for_what_differs() -> None:
    right = with_token("kube-api-access-abcde", mounted="kube-api-access-abcde", value="kube-api-access-")
    like = with_token("kube-api-access-fghij", mounted="kube-api-access-fghij", value="kube-api-access-")
    assert errors_of(right) == errors_of(like) == []
    unmounted = with_token("kube-api-access-abcde", mounted="kube-api-access-fghij")
    assert errors_of(unmounted) == [f'{C0}.volumeMounts[0].name: Not found: "kube-api-access-fghij"']
    nameless = with_token("kube-api-access-", mounted="kube-api-access-", value="kube-api-access-abcde")
    assert len(errors_of(nameless)) == 2


def test_a_pod_whose_name_makes_its_volume_wrong_is_refused_though_another_was_right() -> None:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    pod = made(volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": claim}}])
    assert errors_of(pod) == []
    pod["metadata"]["name"] = "p" * 250
    assert len(errors_of(pod)) == 1
