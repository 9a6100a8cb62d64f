"""What wrong pods are refused for, as upstream's own tables have it: containers, volumes, nodes, and the rest."""

import copy
from typing import Any

import pytest

from mamekube.kinds.core import pods

C0 = "spec.containers[0]"
V0 = "spec.volumes[0]"
CONTEXT = f"{C0}.securityContext"
WANTED = "requiredDuringSchedulingIgnoredDuringExecution"
QUALIFIED = [
    "name part must be non-empty",
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
]


def made(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A valid pod, but for what the case changes."""
    metadata = {"name": "p", "annotations": spec.pop("annotations", {}), "labels": {"app": "x"}}
    base = {"name": "c", "image": "nginx:1", **(container or {})}
    pod: dict[str, Any] = {"metadata": metadata, "spec": {"containers": [base], **spec}}
    pods.KIND.default(pod)
    return pod


def volume(**source: Any) -> dict[str, Any]:
    return made(volumes=[{"name": "v", **source}])


def projected(*sources: dict[str, Any]) -> dict[str, Any]:
    return made(serviceAccountName="a", volumes=[{"name": "v", "projected": {"sources": list(sources)}}])


def near(**term: Any) -> dict[str, Any]:
    return made(affinity={"podAffinity": {WANTED: [{"topologyKey": "zone", **term}]}})


def spread(**constraint: Any) -> dict[str, Any]:
    base = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    return made(topologySpreadConstraints=[{**base, **constraint}])


def on_nodes(**term: Any) -> dict[str, Any]:
    return made(affinity={"nodeAffinity": {WANTED: {"nodeSelectorTerms": [term]}}})


CLAIM = {"persistentVolumeClaim": {"claimName": "c"}}
LABELS = {"labelSelector": {"matchLabels": {"app": "x"}}}
NODE_TERM = f"spec.affinity.nodeAffinity.{WANTED}.nodeSelectorTerms[0]"
POD_TERM = f"spec.affinity.podAffinity.{WANTED}[0]"
SPREAD = "spec.topologySpreadConstraints[0]"

CONTAINERS = [
    (
        made({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name['a']"}}}]}),
        f"{C0}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"metadata.name['a']\": error converting "
        "fieldPath: field label does not support subscript: metadata.name['a']",
    ),
    (
        made(
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Mi"}},
                    }
                ]
            }
        ),
        f'{C0}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and '
        "1 are supported with the cpu resource",
    ),
    (
        made(
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1m"}},
                    }
                ]
            }
        ),
        f'{C0}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.memory": only divisor\'s values 1, '
        "1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource",
    ),
    (
        made(
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"fileKeyRef": {"key": "K", "volumeName": "v", "path": "f"}},
                    }
                ]
            },
            volumes=[{"name": "v", "configMap": {"name": "m"}}],
        ),
        f'{C0}.env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "v": referenced volume must be of type emptyDir',
    ),
    (
        made(
            {
                "volumeMounts": [
                    {"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"},
                    {"name": "v", "mountPath": "/w", "recursiveReadOnly": "Enabled"},
                ]
            },
            volumes=[{"name": "v"}],
        ),
        f"{C0}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to "
        "privileged containers",
        f"{C0}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
    ),
    (
        made({"volumeDevices": [{"name": "v", "devicePath": "/a/../b"}]}, volumes=[{"name": "v"}]),
        f'{C0}.volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim '
        "or Ephemeral for block mode",
        f"{C0}.volumeDevices[0].devicePath: Invalid value: \"/a/../b\": can not contain backsteps ('..')",
    ),
    (
        made(
            {
                "volumeDevices": [{"name": "v", "devicePath": "/d"}],
                "volumeMounts": [{"name": "v", "mountPath": "/d"}],
            },
            volumes=[{"name": "v", **CLAIM}],
        ),
        f'{C0}.volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
        f'{C0}.volumeMounts[0].mountPath: Invalid value: "/d": must not already exist as a path in volumeDevices',
        f'{C0}.volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts',
        f'{C0}.volumeDevices[0].devicePath: Invalid value: "/d": must not already exist as a path in volumeMounts',
    ),
    (
        made({"resources": {"limits": {"hugepages-2Mi": "3Mi"}}}),
        f'{C0}.resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of '
        "hugepages-2Mi",
        f'{C0}.resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of '
        "hugepages-2Mi",
        f"{C0}.resources: Forbidden: HugePages require cpu or memory",
    ),
    (
        made({"resources": {"claims": [{"name": "gpu"}, {"name": ""}]}}),
        f'{C0}.resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is '
        "empty",
        f"{C0}.resources.claims[1]: Required value",
    ),
    (
        made(
            {"resizePolicy": [{"resourceName": "disk", "restartPolicy": "RestartContainer"}]},
            restartPolicy="Never",
        ),
        f'{C0}.resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"',
        f"{C0}.resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when pod `restartPolicy` is "
        "'Never'",
    ),
    (
        made({"restartPolicyRules": [{"action": "Stop"}]}),
        f"{C0}.restartPolicy: Required value: must specify restartPolicy when restart rules are used",
        f'{C0}.restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart"',
        f"{C0}.restartPolicyRules[0].exitCodes: Required value: must be specified",
    ),
    (
        made({"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}}),
        f'{CONTEXT}: Invalid value: {{"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":'
        'null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,'
        '"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set '
        "`allowPrivilegeEscalation` to false and `privileged` to true",
    ),
    (
        made({"securityContext": {"procMount": "Unmasked"}}),
        f'{CONTEXT}.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
    ),
    (
        made({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "../x"}}}),
        f"{CONTEXT}.seccompProfile.localhostProfile: Invalid value: \"../x\": must not contain '..'",
    ),
    (
        made({"securityContext": {"seccompProfile": {"type": "RuntimeDefault", "localhostProfile": "x"}}}),
        f'{CONTEXT}.seccompProfile.localhostProfile: Invalid value: {{"Type":"RuntimeDefault","LocalhostProfile":"x"}}:'
        " can only be set when seccomp type is Localhost",
    ),
    (
        made({"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": " x"}}}),
        f'{CONTEXT}.appArmorProfile.localhostProfile: Invalid value: " x": must not be padded with whitespace',
    ),
    (
        made({"securityContext": {"windowsOptions": {"runAsUserName": "a\\b\\c", "gmsaCredentialSpec": ""}}}),
        f'{CONTEXT}.windowsOptions.gmsaCredentialSpec: Invalid value: "": gmsaCredentialSpec cannot be an empty string',
        f'{CONTEXT}.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": runAsUserName cannot contain more than '
        "one backslash",
    ),
]
VOLUMES = [
    (
        volume(hostPath={"path": "/x"}, emptyDir={}),
        f"{V0}.hostPath: Forbidden: may not specify more than 1 volume type",
    ),
    (
        volume(emptyDir={"sizeLimit": "-1"}),
        f"{V0}.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity",
    ),
    (
        volume(nfs={"server": "s", "path": "x"}),
        f'{V0}.nfs.path: Invalid value: "x": must be an absolute path',
    ),
    (
        volume(iscsi={"targetPortal": "t", "iqn": "iqx", "lun": 256, "chapAuthSession": True}),
        f'{V0}.iscsi.iqn: Invalid value: "iqx": must be valid format starting with iqn, eui, or naa',
        f"{V0}.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
        f"{V0}.iscsi.secretRef: Required value",
    ),
    (volume(gcePersistentDisk={}), f"{V0}.persistentDisk.pdName: Required value"),
    (
        volume(flexVolume={"driver": "d", "options": {"a.kubernetes.io/x": "1"}}),
        f'{V0}.flexVolume.options[a.kubernetes.io/x]: Invalid value: "a.kubernetes.io/x": kubernetes.io and k8s.io '
        "namespaces are reserved",
    ),
    (
        volume(csi={"driver": "d", "nodePublishSecretRef": {}}),
        f"{V0}.csi.nodePublishSecretRef.name: Required value",
    ),
    (volume(image={}), f"{V0}.image.reference: Required value"),
    (
        volume(
            ephemeral={
                "volumeClaimTemplate": {
                    "metadata": {"name": "n"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}},
                }
            }
        ),
        f"{V0}.ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
    ),
    (
        projected(
            {"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}},
            {"configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}},
        ),
        f'{V0}.projected: Invalid value: "m": conflicting duplicate paths',
    ),
    (
        projected({"secret": {"name": "s"}, "configMap": {"name": "m"}}),
        f"{V0}.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source",
    ),
    (
        projected({"serviceAccountToken": {"path": "t", "expirationSeconds": 1}}),
        f"{V0}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a "
        "duration less than 10 minutes",
    ),
    (
        projected({"clusterTrustBundle": {"path": "t"}}),
        f"{V0}.projected.sources[0].clusterTrustBundle: Required value: either name or signerName must be specified",
    ),
]
NODES = [
    (
        on_nodes(matchExpressions=[{"key": "a", "operator": "In", "values": ["a b"]}]),
        f'{NODE_TERM}.matchExpressions[0].values[0]: Invalid value: "a b": a valid label must be an empty string or '
        "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ),
    (
        on_nodes(matchFields=[{"key": "metadata.uid", "operator": "In", "values": ["x"]}]),
        f'{NODE_TERM}.matchFields[0].key: Invalid value: "metadata.uid": not a valid field selector key',
    ),
    (
        near(topologyKey=""),
        f"{POD_TERM}.topologyKey: Required value: can not be empty",
        *(f'{POD_TERM}.topologyKey: Invalid value: "": {message}' for message in QUALIFIED),
    ),
    (
        near(matchLabelKeys=["a"]),
        f"{POD_TERM}.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
    ),
    (
        near(**LABELS, matchLabelKeys=["a"], mismatchLabelKeys=["a"]),
        f'{POD_TERM}.matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys',
    ),
    (
        spread(minDomains=0, whenUnsatisfiable="ScheduleAnyway"),
        f"{SPREAD}.minDomains: Invalid value: 0: must be greater than zero",
        f"{SPREAD}.minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
        "ScheduleAnyway",
    ),
    (spread(topologyKey="not a label"),),
    (
        made(
            topologySpreadConstraints=[
                {"maxSkew": skew, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
                for skew in (1, 2)
            ]
        ),
        f'{SPREAD}.{{topologyKey, whenUnsatisfiable}}: Duplicate value: "{{zone, DoNotSchedule}}"',
    ),
    (
        made(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
        "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
    ),
    (
        made(tolerations=[{"key": "a", "operator": "Gt", "value": "1"}]),
        'spec.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists", "Lt", "Gt"',
    ),
]
PODS = [
    (
        made(securityContext={"sysctls": [{"name": "a..b"}, {"name": "c"}, {"name": "c"}]}),
        'spec.securityContext.sysctls[0].name: Invalid value: "a..b": must have at most 253 characters and match regex '
        r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
        'spec.securityContext.sysctls[2].name: Duplicate value: "c"',
    ),
    (
        made(hostNetwork=True, securityContext={"sysctls": [{"name": "net/ipv4/a.b"}]}),
        'spec.securityContext.sysctls[0].name: Invalid value: "net/ipv4/a.b": may not be specified when '
        "'hostNetwork' is true",
    ),
    (
        made(hostPID=True, shareProcessNamespace=True),
        "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot "
        "both be enabled",
    ),
    (
        made(securityContext={"supplementalGroupsPolicy": "All", "seLinuxChangePolicy": "None"}),
        'spec.securityContext.supplementalGroupsPolicy: Unsupported value: "All": supported values: "Merge", "Strict"',
        'spec.securityContext.seLinuxChangePolicy: Unsupported value: "None": supported values: "MountOption", '
        '"Recursive"',
    ),
    (
        made(
            {"volumeDevices": [{"name": "v", "devicePath": "/d"}]},
            hostUsers=False,
            hostNetwork=True,
            hostIPC=True,
            volumes=[{"name": "v", **CLAIM}],
        ),
        "spec.hostNetwork: Forbidden: when `hostUsers` is false",
        "spec.HostIPC: Forbidden: when `hostUsers` is false",
        f"{C0}.volumeDevices: Forbidden: when `hostUsers` is false",
    ),
    (made(os={"name": "plan9"}), 'spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'),
    (
        made({"securityContext": {"windowsOptions": {}}}, os={"name": "linux"}),
        f"{CONTEXT}.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
    ),
    (
        made(
            {"securityContext": {"privileged": False}},
            os={"name": "windows"},
            hostUsers=True,
            securityContext={"fsGroup": 1},
        ),
        "spec.hostUsers: Forbidden: cannot be set for a windows pod",
        "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
        f"{CONTEXT}.privileged: Forbidden: cannot be set for a windows pod",
    ),
    (
        made(securityContext={"windowsOptions": {"hostProcess": True}}),
        "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
    ),
    (
        made(hostnameOverride="a" * 65, setHostnameAsFQDN=True),
        "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true",
        "spec.hostnameOverride: Too long: may not be more than 64 bytes",
    ),
    (
        made(resourceClaims=[{"name": "a"}, {"name": "a", "resourceClaimName": "c"}]),
        'spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}:'
        " must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
        'spec.resourceClaims[1].name: Duplicate value: "a"',
    ),
    (
        made({"resources": {"requests": {"cpu": "2"}}}, resources={"requests": {"cpu": "1", "pods": "1"}}),
        'spec.resources.requests[pods]: Unsupported value: "pods": supported values: "cpu", "hugepages-", "memory"',
    ),
    (
        made({"resources": {"requests": {"cpu": "2"}}}, resources={"requests": {"cpu": "1"}}),
        'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container '
        "requests of 2",
    ),
    (
        made(dnsConfig={"searches": ["_ldap._tcp", ".", "-a"]}),
        'spec.dnsConfig.searches[2]: Invalid value: "-a": a lowercase RFC 1123 subdomain must consist of lower case '
        "alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. "
        "'example.com', regex used for validation is "
        "'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')",
    ),
    (
        made(annotations={"controller.kubernetes.io/pod-deletion-cost": "+10"}),
        'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+10": must be a 32bit '
        "integer",
    ),
    (
        made(annotations={"container.apparmor.security.beta.kubernetes.io/x": "bad"}),
        'metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: "x": container not '
        "found",
        'metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: "bad": invalid '
        'AppArmor profile name: "bad"',
    ),
    (
        made(annotations={"kubernetes.io/config.mirror": "1"}),
        'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "1": must set spec.nodeName if mirror pod '
        "annotation is set",
    ),
]


@pytest.mark.parametrize(
    "case", [*CONTAINERS, *VOLUMES, *NODES, *PODS], ids=lambda case: (case[1:] or ("fine",))[0][:60]
)
def test_a_pod_is_refused_for(case: tuple[Any, ...]) -> None:
    pod, *expected = case
    assert [str(error) for error in pods.KIND.validate(copy.deepcopy(pod))] == expected


def test_a_new_pods_selectors_say_what_its_label_keys_stand_for() -> None:
    pod = near(**LABELS, matchLabelKeys=["app"], mismatchLabelKeys=["app", "other"])
    pod["spec"]["topologySpreadConstraints"] = [{"labelSelector": {}, "matchLabelKeys": ["app"]}]
    pods.KIND.prepare_create(pod)
    own = {"key": "app", "operator": "In", "values": ["x"]}
    term = pod["spec"]["affinity"]["podAffinity"][WANTED][0]
    assert term["labelSelector"]["matchExpressions"] == [own, {**own, "operator": "NotIn"}]
    assert pod["spec"]["topologySpreadConstraints"][0]["labelSelector"] == {"matchExpressions": [own]}


def updated(old: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Any) -> list[str]:
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    if annotations is not None:
        new["metadata"]["annotations"] = annotations
    return [str(error).partition("\n")[0] for error in pods.KIND.validate_update(new, old)]


def gated(**spec: Any) -> dict[str, Any]:
    return made(schedulingGates=[{"name": "example.com/g"}], **spec)


def chosen(*values: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": "a", "operator": "In", "values": [value]} for value in values]}]
    return {"nodeAffinity": {WANTED: {"nodeSelectorTerms": terms}}}


def test_a_gated_pod_may_be_given_narrower_wishes_for_its_node_and_lose_none() -> None:
    old = gated(nodeSelector={"a": "1"}, affinity=chosen("x"))
    assert updated(old, nodeSelector={"a": "1", "b": "2"}, affinity=chosen("x", "y")) == []
    assert updated(gated(), affinity=chosen("x")) == []
    assert updated(old, nodeSelector={"b": "2"}) == [
        'spec.nodeSelector: Invalid value: {"b":"2"}: only additions to spec.nodeSelector are allowed (no mutations '
        "or deletions)"
    ]
    assert updated(old, affinity=chosen("y", "x")) == [
        f"{NODE_TERM}: Invalid value: "
        '{"MatchExpressions":[{"Key":"a","Operator":"In","Values":["y"]},{"Key":"a","Operator":"In","Values":["x"]}],'
        '"MatchFields":null}: only additions are allowed (no mutations or deletions)'
    ]
    (error,) = updated(old, affinity={**chosen("x"), "podAffinity": {WANTED: []}})
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than")


def test_annotations_of_a_mirror_and_of_app_armor_stay() -> None:
    mirror, armor = "kubernetes.io/config.mirror", "container.apparmor.security.beta.kubernetes.io/c"
    old = made(nodeName="n", annotations={mirror: "1"})
    assert updated(old, annotations={armor: "unconfined"}) == [
        f"metadata.annotations[{mirror}]: Forbidden: may not remove or update mirror pod annotation",
        f"metadata.annotations[{armor}]: Forbidden: may not add AppArmor annotations",
    ]


def status_errors(status: dict[str, Any], before: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    old = {"spec": spec, "status": before or {}}
    return [str(error) for error in pods.KIND.validate_status({"spec": spec, "status": status}, old)]


def test_a_status_is_refused_for() -> None:
    assert status_errors({"qosClass": "Burstable"}, {"qosClass": "BestEffort"}) == [
        'status.qosClass: Invalid value: "Burstable": field is immutable'
    ]
    assert status_errors({"nominatedNodeName": "m"}, nodeName="n") == [
        "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"
    ]
    assert status_errors({"hostIP": "1.1.1.1", "hostIPs": [{"ip": "1.1.1.2"}]}) == [
        'status.hostIPs[0].ip: Invalid value: "1.1.1.2": must be equal to `hostIP`'
    ]
    assert status_errors({"resourceClaimStatuses": [{"name": "a"}]}) == [
        'status.resourceClaimStatuses[0].name: Invalid value: "a": must match the name of an entry in '
        "`spec.resourceClaims`"
    ]


def test_a_status_keeps_what_an_old_kubelet_leaves_out() -> None:
    old = {
        "status": {
            "qosClass": "BestEffort",
            "observedGeneration": 3,
            "conditions": [{"type": "Ready", "observedGeneration": 2}],
        }
    }
    new: dict[str, Any] = {"status": {"conditions": [{"type": "Ready"}, {"type": "Other"}]}}
    pods.KIND.prepare_status(new, old, 0.0)
    assert new["status"] == {
        "qosClass": "BestEffort",
        "observedGeneration": 3,
        "conditions": [{"type": "Ready", "observedGeneration": 2}, {"type": "Other"}],
    }
