"""Admission: what the default chain fills in, and what it refuses in which words."""

import asyncio
import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mamekube.apiserver.addresses import ServiceAddresses
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.admission.limit_ranger import pod_total, range_errors
from mamekube.apiserver.admission.node_restriction import may_set_label
from mamekube.apiserver.admission.plugin import Plugin
from mamekube.apiserver.admission.plugins import admission
from mamekube.apiserver.admission.policy_records import AdmissionPolicies
from mamekube.apiserver.admission.service_account import MOUNT_PATH
from mamekube.apiserver.admission.webhooks import AdmissionWebhooks
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import DELETE, UPDATE
from mamekube.objects.status import StatusError

NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))


@pytest.fixture
async def chain(world, authorizer):
    for name in ("default", "kube-system", "kube-node-lease"):
        await world.put("namespaces", {"metadata": {"name": name}, "status": {"phase": "Active"}})
    async with (
        ServiceAddresses(world.store, world.reader, world.clock, service_cidr="10.96.0.0/12") as addresses,
        AdmissionWebhooks(world.store, Dialer()) as webhooks,
        AdmissionPolicies(world.store) as policies,
    ):
        yield admission(world.reader, authorizer, addresses, world.store, webhooks, policies)


async def admit(chain, write):
    await chain.mutate(write)
    await chain.validate(write)
    return write.object


async def refusal(chain, write) -> str:
    with pytest.raises(StatusError) as caught:
        await admit(chain, write)
    return caught.value.message


def pod(name="p", **spec):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


# Namespaces -------------------------------------------------------------------------------------------


async def test_nothing_is_made_in_a_namespace_that_is_not_there(world, chain):
    write = world.write("configmaps", {"metadata": {"name": "c", "namespace": "gone"}})
    with pytest.raises(StatusError) as caught:
        await admit(chain, write)
    assert (caught.value.code, caught.value.message) == (404, 'namespaces "gone" not found')


async def test_nothing_new_is_made_in_a_namespace_that_goes_away(world, chain):
    await world.put("namespaces", {"metadata": {"name": "leaving"}, "status": {"phase": "Terminating"}})
    config = {"metadata": {"name": "c", "namespace": "leaving"}}
    with pytest.raises(StatusError) as caught:
        await admit(chain, world.write("configmaps", config))
    assert caught.value.message == (
        'configmaps "c" is forbidden: unable to create new content in namespace leaving because it is being '
        "terminated"
    )
    assert caught.value.status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    await admit(chain, world.write("configmaps", config, operation=UPDATE, old=config))


async def test_the_first_namespaces_cannot_be_deleted(world, chain):
    write = world.write("namespaces", {"metadata": {"name": "kube-system"}}, operation=DELETE)
    assert await refusal(chain, write) == (
        'namespaces "kube-system" is forbidden: this namespace may not be deleted'
    )


# Pods -------------------------------------------------------------------------------------------------


async def test_a_pod_gets_account_token_tolerations_and_priority(world, chain):
    await world.account("default")
    spec = (await admit(chain, world.write("pods", pod(initContainers=[{"name": "i"}]))))["spec"]
    assert spec["serviceAccountName"] == "default"
    assert spec["priority"] == 0
    assert spec["preemptionPolicy"] == "PreemptLowerPriority"
    assert [(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert volume["projected"]["sources"][0] == {
        "serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}
    }
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["volumeMounts"] == [
            {"name": volume["name"], "readOnly": True, "mountPath": MOUNT_PATH}
        ]


@pytest.mark.parametrize(
    ("account", "spec", "mounted"),
    [
        ({"automountServiceAccountToken": False}, {}, False),
        ({"automountServiceAccountToken": False}, {"automountServiceAccountToken": True}, True),
        ({}, {"automountServiceAccountToken": False}, False),
    ],
)
async def test_the_pod_decides_over_its_account_whether_the_token_is_mounted(
    world, chain, account, spec, mounted
):
    await world.account("default", **account)
    made = await admit(chain, world.write("pods", pod(**spec)))
    assert bool(made["spec"].get("volumes")) is mounted


async def test_a_pod_of_an_account_that_is_not_there_is_refused(world, chain):
    assert await refusal(chain, world.write("pods", pod(serviceAccountName="robot"))) == (
        'pods "p" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    )


async def test_a_pod_waits_for_the_default_account_of_a_new_namespace(world, chain):
    admitted = asyncio.ensure_future(admit(chain, world.write("pods", pod())))
    await asyncio.sleep(0)
    assert not admitted.done()
    await world.account("default")
    assert (await admitted)["spec"]["serviceAccountName"] == "default"


async def test_image_pull_secrets_come_from_the_account(world, chain):
    await world.account("default", imagePullSecrets=[{"name": "key"}])
    made = await admit(chain, world.write("pods", pod()))
    assert made["spec"]["imagePullSecrets"] == [{"name": "key"}]


async def test_a_toleration_for_everything_needs_no_other(world, chain):
    await world.account("default")
    everything = [{"operator": "Exists"}]
    made = await admit(chain, world.write("pods", pod(tolerations=everything)))
    assert made["spec"]["tolerations"] == everything


async def test_priority_comes_from_the_class_and_from_nowhere_else(world, chain):
    await world.account("default")
    group = {"group": "scheduling.k8s.io"}
    await world.put("priorityclasses", {"metadata": {"name": "high"}, "value": 7}, **group)
    made = await admit(chain, world.write("pods", pod(priorityClassName="high")))
    assert made["spec"]["priority"] == 7
    assert "no PriorityClass with name low was found" in await refusal(
        chain, world.write("pods", pod(priorityClassName="low"))
    )
    assert "the integer value of priority (3) must not be provided in pod spec" in await refusal(
        chain, world.write("pods", pod(priorityClassName="high", priority=3))
    )


async def test_there_is_one_default_priority_class(world, chain):
    first = {"metadata": {"name": "a"}, "value": 1, "globalDefault": True}
    await world.put("priorityclasses", first, group="scheduling.k8s.io")
    second = world.write(
        "priorityclasses",
        {"metadata": {"name": "b"}, "value": 2, "globalDefault": True},
        group="scheduling.k8s.io",
    )
    assert "PriorityClass a is already marked as default" in await refusal(chain, second)


# Nodes ------------------------------------------------------------------------------------------------


async def test_a_new_node_takes_no_pods_yet(world, chain):
    made = await admit(chain, world.write("nodes", {"metadata": {"name": "n1"}}, user=NODE))
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


async def test_a_kubelet_writes_no_other_node(world, chain):
    write = world.write("nodes", {"metadata": {"name": "n2"}}, user=NODE)
    assert await refusal(chain, write) == (
        'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'
    )


async def test_a_kubelet_does_not_lift_its_own_taints(world, chain):
    old = {"metadata": {"name": "n1"}, "spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}
    write = world.write("nodes", {"metadata": {"name": "n1"}}, operation=UPDATE, old=old, user=NODE)
    assert await refusal(chain, write) == 'nodes "n1" is forbidden: node "n1" is not allowed to modify taints'


async def test_a_kubelet_makes_only_mirror_pods(world, chain):
    await world.account("default")
    write = world.write("pods", pod(nodeName="n1"), user=NODE)
    assert "can only create mirror pods" in await refusal(chain, write)


@pytest.mark.parametrize(
    ("label", "allowed"),
    [
        ("kubernetes.io/hostname", True),
        ("node.kubernetes.io/anything", True),
        ("example.com/rack", True),
        ("rack", True),
        ("node-role.kubernetes.io/control-plane", False),
        ("kubernetes.io/other", False),
        ("sub.k8s.io/x", False),
        ("node-restriction.kubernetes.io/x", False),
        ("x.node-restriction.kubernetes.io/y", False),
    ],
)
def test_a_kubelet_labels_its_node_with_its_own_labels(label, allowed):
    assert may_set_label(label) is allowed


TOKEN_REFUSALS = [
    ({}, "node requested token not bound to a pod"),
    ({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p"}}, "without a uid"),
    (
        {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "other"}},
        "does not match the UID in record",
    ),
    (
        {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "q", "uid": "q"}},
        "scheduled on a different node",
    ),
    (
        {
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "p"},
            "audiences": ["vault"],
        },
        'audience "vault" not found in pod spec volume',
    ),
]


@pytest.mark.parametrize(("spec", "text"), TOKEN_REFUSALS)
async def test_a_kubelet_asks_only_for_tokens_of_its_pods(world, chain, spec, text):
    for name, node in (("p", "n1"), ("q", "n2")):
        made = pod(name, nodeName=node)
        made["metadata"]["uid"] = name
        await world.put("pods", made)
    write = world.write(
        "serviceaccounts", {"spec": spec}, subresource="token", user=NODE, namespace="default", name="robot"
    )
    assert text in await refusal(chain, write)


# Limits and quotas ------------------------------------------------------------------------------------


async def test_a_limit_range_fills_in_and_notes_what(world, chain):
    await world.account("default")
    limit = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m", "memory": "1Mi"}}
    await world.put(
        "limitranges", {"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": [limit]}}
    )
    made = await admit(chain, world.write("pods", pod()))
    assert made["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Mi"},
        "limits": {"cpu": "1"},
    }
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
    )


@pytest.mark.parametrize(
    ("limit", "requests", "limits", "errors"),
    [
        (
            {"min": {"cpu": "100m"}},
            {"cpu": "50m"},
            {},
            ["minimum cpu usage per Pod is 100m, but request is 50m"],
        ),
        ({"min": {"cpu": "1"}}, {}, {}, ["minimum cpu usage per Pod is 1.  No request is specified"]),
        ({"max": {"cpu": "1"}}, {}, {"cpu": "2"}, ["maximum cpu usage per Pod is 1, but limit is 2"]),
        ({"max": {"cpu": "1"}}, {"cpu": "1"}, {}, ["maximum cpu usage per Pod is 1.  No limit is specified"]),
        ({"max": {"cpu": "1"}}, {"cpu": "1"}, {"cpu": "1000m"}, []),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"cpu": "1"},
            {"cpu": "3"},
            ["cpu max limit to request ratio per Pod is 2, but provided ratio is 3.000000"],
        ),
    ],
)
def test_limits_are_refused_in_upstreams_words(limit, requests, limits, errors):
    assert range_errors({"type": "Pod", **limit}, requests, limits) == errors


def test_a_pod_needs_its_containers_together_or_its_largest_initialiser():
    def container(cpu, **fields):
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **fields}

    containers = [container("1"), container("500m")]
    assert pod_total({"spec": {"containers": containers}}, "requests") == {"cpu": "1500m"}
    initial = [container("2"), container("1", restartPolicy="Always")]
    assert pod_total({"spec": {"containers": containers, "initContainers": initial}}, "requests") == {
        "cpu": "2500m"
    }
    assert pod_total({"spec": {"containers": containers, "initContainers": initial[:1]}}, "requests") == {
        "cpu": "2"
    }


def quota(hard, used=None, **spec):
    used = dict.fromkeys(hard, "0") if used is None else used
    return {
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": used},
    }


async def test_a_quota_is_charged_until_it_is_full(world, chain):
    await world.put("resourcequotas", quota({"count/configmaps": "1"}))
    await admit(chain, world.write("configmaps", {"metadata": {"name": "a", "namespace": "default"}}))
    write = world.write("configmaps", {"metadata": {"name": "b", "namespace": "default"}})
    assert await refusal(chain, write) == (
        'configmaps "b" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, '
        "limited: count/configmaps=1"
    )


async def test_writers_at_the_same_time_share_no_place(world, chain):
    await world.put("resourcequotas", quota({"configmaps": "5"}))
    writes = [
        world.write("configmaps", {"metadata": {"name": f"c{i}", "namespace": "default"}}) for i in range(20)
    ]
    answers = await asyncio.gather(*(admit(chain, write) for write in writes), return_exceptions=True)
    assert sum(isinstance(answer, dict) for answer in answers) == 5
    (stored,) = await world.reader.list(world.kind("resourcequotas"), namespace="default")
    assert stored["status"]["used"] == {"configmaps": "5"}


async def test_a_dry_run_is_judged_and_not_charged(world, chain):
    await world.put("resourcequotas", quota({"configmaps": "1"}))
    for _ in range(2):
        await admit(
            chain,
            world.write("configmaps", {"metadata": {"name": "c", "namespace": "default"}}, dry_run=True),
        )


async def test_pods_have_to_say_what_a_quota_limits(world, chain):
    await world.account("default")
    await world.put("resourcequotas", quota({"limits.cpu": "1", "requests.memory": "1Gi"}))
    assert await refusal(chain, world.write("pods", pod())) == (
        'pods "p" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.memory for: c'
    )


@pytest.mark.parametrize(
    ("scopes", "counted"),
    [
        (["BestEffort"], True),
        (["NotBestEffort"], False),
        (["NotTerminating"], True),
        (["Terminating"], False),
        (["BestEffort", "Terminating"], False),
    ],
)
async def test_a_scoped_quota_counts_only_pods_in_its_scope(world, chain, scopes, counted):
    await world.account("default")
    await world.put("resourcequotas", quota({"pods": "0"}, scopes=scopes))
    try:
        await admit(chain, world.write("pods", pod()))
    except StatusError as error:
        assert counted, error
    else:
        assert not counted


# Topology ---------------------------------------------------------------------------------------------

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


@pytest.mark.parametrize(
    ("of_node", "of_pod", "expected"),
    [
        ({ZONE: "z", REGION: "r"}, {}, {ZONE: "z", REGION: "r"}),
        ({"sub.topology.kubernetes.io/zone": "z", REGION: "r"}, {}, {REGION: "r"}),
        ({ZONE: "z", "topology.kubernetes.io/abc": "1"}, {ZONE: "bad", "a": "b"}, {ZONE: "z", "a": "b"}),
        ({}, {ZONE: "kept"}, {ZONE: "kept"}),
    ],
)
async def test_a_pod_is_labelled_with_the_zone_and_the_region_of_its_node(
    world, chain, of_node, of_pod, expected
):
    """Upstream: TestPodTopologyLabels. A Binding carries them to the pod."""
    await world.account("default")
    await world.put("nodes", {"metadata": {"name": "n", "labels": of_node}})
    placed = pod(nodeName="n")
    placed["metadata"]["labels"] = dict(of_pod)
    made = world.write("pods", placed)
    await admit(chain, made)
    assert made.object["metadata"]["labels"] == expected
    target = {"kind": "Node", "name": "n"}
    binding = {"metadata": {**placed["metadata"], "labels": dict(of_pod)}, "target": target}
    bound = world.write("pods", binding, subresource="binding")
    await chain.mutate(bound)
    assert bound.object["metadata"]["labels"] == expected


# Pod security -----------------------------------------------------------------------------------------


async def secure(world, **levels):
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode, level in levels.items()}
    await world.put("namespaces", {"metadata": {"name": "default", "labels": labels}})
    await world.account("default")


async def test_a_plain_pod_violates_restricted_in_upstreams_words(world, chain):
    await secure(world, enforce="restricted")
    assert await refusal(chain, world.write("pods", pod())) == (
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
        '(container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities '
        '(container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container '
        '"c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )


async def test_a_modest_pod_passes_restricted(world, chain):
    await secure(world, enforce="restricted")
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    modest = pod(
        containers=[{"name": "c", "image": "i", "securityContext": context}],
        securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    )
    await admit(chain, world.write("pods", modest))


BASELINE_REFUSALS = [
    ({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
    (
        {"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]},
        'hostPort (container "c" uses hostPort 80)',
    ),
    (
        {"containers": [{"name": n, "securityContext": {"privileged": True}} for n in "ab"]},
        'privileged (containers "a", "b" must not set securityContext.privileged=true)',
    ),
    (
        {"containers": [{"name": "c", "securityContext": {"capabilities": {"add": ["SYS_ADMIN", "KILL"]}}}]},
        'non-default capabilities (container "c" must not include "SYS_ADMIN" in '
        "securityContext.capabilities.add)",
    ),
    (
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    ({"securityContext": {"sysctls": [{"name": "vm.x", "value": "1"}]}}, "forbidden sysctls (vm.x)"),
]


@pytest.mark.parametrize(("spec", "text"), BASELINE_REFUSALS)
async def test_baseline_refuses_what_reaches_the_host(world, chain, spec, text):
    await secure(world, enforce="baseline")
    assert await refusal(chain, world.write("pods", pod(**spec))) == (
        f'pods "p" is forbidden: violates PodSecurity "baseline:latest": {text}'
    )


async def test_warnings_name_what_a_template_would_violate(world, chain):
    await secure(world, warn="baseline")
    deployment = {
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"template": {"spec": {"hostIPC": True, "containers": []}}},
    }
    write = world.write("deployments", deployment, group="apps")
    await admit(chain, write)
    assert write.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)']


async def test_a_template_is_warned_of_what_is_only_enforced_on_its_pods(world, chain):
    await secure(world, enforce="baseline")
    deployment = {
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"template": {"spec": {"hostIPC": True, "containers": []}}},
    }
    write = world.write("deployments", deployment, group="apps")
    await admit(chain, write)
    assert write.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)']
    await secure(world, enforce="baseline", warn="privileged")
    write = world.write("deployments", deployment, group="apps")
    await admit(chain, write)
    assert write.warnings == []


async def test_a_level_that_does_not_exist_is_enforced_as_the_strictest_and_warns_of_nothing(world, chain):
    await secure(world, enforce="privileged", warn="lax")
    write = world.write("pods", pod(hostNetwork=True))
    await admit(chain, write)
    assert write.warnings == []
    await secure(world, enforce="lax")
    assert 'violates PodSecurity "restricted:latest"' in await refusal(chain, world.write("pods", pod()))


async def test_an_update_of_a_pod_is_judged_only_where_it_could_matter(world, chain):
    await secure(world, enforce="baseline")
    old = pod(hostNetwork=True)
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    await admit(chain, world.write("pods", labelled, operation=UPDATE, old=old))
    other = pod(hostNetwork=True, containers=[{"name": "c", "image": "other"}])
    refused = await refusal(chain, world.write("pods", other, operation=UPDATE, old=old))
    assert "host namespaces (hostNetwork=true)" in refused


async def test_a_level_that_does_not_exist_is_refused_on_the_namespace(world, chain):
    labels = {"pod-security.kubernetes.io/enforce": "lax"}
    text = await refusal(chain, world.write("namespaces", {"metadata": {"name": "n", "labels": labels}}))
    assert 'Invalid value: "lax": must be one of privileged, baseline, restricted' in text


async def test_a_stricter_namespace_warns_of_its_pods(world, chain):
    await world.put("pods", pod(hostNetwork=True))
    old = {"metadata": {"name": "default"}}
    new = {"metadata": {"name": "default", "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    write = world.write("namespaces", new, operation=UPDATE, old=old)
    await admit(chain, write)
    assert write.warnings == [
        'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
        "p: host namespaces",
    ]


# Certificate requests ---------------------------------------------------------------------------------

CERTIFICATES = "certificates.k8s.io"


def certificate_request(signer="kubernetes.io/kube-apiserver-client", groups=("dev",)):
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "jane"),
            *(x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, group) for group in groups),
        ]
    )
    key = ec.generate_private_key(ec.SECP256R1())
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = signed.public_bytes(serialization.Encoding.PEM)
    return {
        "metadata": {"name": "r"},
        "spec": {"signerName": signer, "request": base64.b64encode(pem).decode(), "username": "somebody"},
    }


async def test_a_certificate_request_says_who_made_it(world, chain):
    write = world.write("certificatesigningrequests", certificate_request(), group=CERTIFICATES)
    spec = (await admit(chain, write))["spec"]
    assert (spec["username"], spec["groups"]) == ("alice", ["system:authenticated"])


async def test_nobody_requests_a_certificate_of_the_masters(world, chain):
    request = certificate_request(groups=("system:masters",))
    write = world.write("certificatesigningrequests", request, group=CERTIFICATES)
    assert "signer with system:masters group is not allowed" in await refusal(chain, write)


async def test_approving_and_signing_need_a_permission_for_the_signer(world, chain):
    request = certificate_request("example.com/own")
    signed = {**request, "status": {"certificate": "x"}}
    rbac = "rbac.authorization.k8s.io"
    for verb, subresource, new in (("approve", "approval", request), ("sign", "status", signed)):
        write = world.write(
            "certificatesigningrequests",
            new,
            group=CERTIFICATES,
            operation=UPDATE,
            old=request,
            subresource=subresource,
        )
        assert f'user not permitted to {verb} requests with signerName "example.com/own"' in await refusal(
            chain, write
        )
        rule = {
            "verbs": [verb],
            "apiGroups": [CERTIFICATES],
            "resources": ["signers"],
            "resourceNames": ["example.com/*"],
        }
        await world.put("clusterroles", {"metadata": {"name": verb}, "rules": [rule]}, group=rbac)
        binding = {
            "metadata": {"name": verb},
            "roleRef": {"kind": "ClusterRole", "name": verb},
            "subjects": [{"kind": "User", "name": "alice"}],
        }
        await world.put("clusterrolebindings", binding, group=rbac)
        await admit(chain, write)


# Storage and classes ----------------------------------------------------------------------------------


async def test_a_claim_gets_the_default_class_and_its_protection(world, chain):
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    await world.put(
        "storageclasses",
        {"metadata": {"name": "standard", "annotations": annotations}},
        group="storage.k8s.io",
    )
    claim = {"metadata": {"name": "c", "namespace": "default"}, "spec": {}}
    made = await admit(chain, world.write("persistentvolumeclaims", claim))
    assert made["spec"]["storageClassName"] == "standard"
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


async def test_an_empty_class_is_a_choice(world, chain):
    claim = {"metadata": {"name": "c", "namespace": "default"}, "spec": {"storageClassName": ""}}
    made = await admit(chain, world.write("persistentvolumeclaims", claim))
    assert made["spec"]["storageClassName"] == ""


async def test_only_bound_claims_of_growing_classes_grow(world, chain):
    def claim(size):
        return {
            "metadata": {"name": "c", "namespace": "default"},
            "spec": {"storageClassName": "s", "resources": {"requests": {"storage": size}}},
            "status": {"phase": "Bound"},
        }

    write = world.write("persistentvolumeclaims", claim("2Gi"), operation=UPDATE, old=claim("1Gi"))
    assert "the storageclass that provisions the pvc must support resize" in await refusal(chain, write)
    await world.put(
        "storageclasses", {"metadata": {"name": "s"}, "allowVolumeExpansion": True}, group="storage.k8s.io"
    )
    await admit(chain, write)


async def test_a_plugin_without_business_is_not_asked(world, chain):
    asked = []

    class Curious(Plugin):
        name = "Curious"
        resources = frozenset({"secrets"})

        async def mutate(self, write):
            asked.append(write.kind.plural)

    curious = Admission((*chain.plugins, Curious()))
    for plural in ("configmaps", "secrets"):
        await admit(curious, world.write(plural, {"metadata": {"name": "x", "namespace": "default"}}))
    assert asked == ["secrets"]


# Counting quotas --------------------------------------------------------------------------------------


async def used_of(world, name="q"):
    for obj in await world.reader.list(world.kind("resourcequotas"), namespace="default"):
        if obj["metadata"]["name"] == name:
            return (obj.get("status") or {}).get("used")
    return None


async def test_two_quotas_are_each_charged_once_however_often_one_changes(world, chain):
    for name in ("q", "r"):
        made = quota({"configmaps": "1"})
        made["metadata"]["name"] = name
        await world.put("resourcequotas", made)
    plugin = chain.plugins[-1]
    stored = plugin._store_used
    lost = []

    async def lose_once(charged, used):
        if charged["metadata"]["name"] == "r" and not lost:
            lost.append(
                await world.put(
                    "resourcequotas", {**charged, "metadata": {**charged["metadata"], "labels": {"a": "b"}}}
                )
            )
        await stored(charged, used)

    plugin._store_used = lose_once
    await admit(chain, world.write("configmaps", {"metadata": {"name": "a", "namespace": "default"}}))
    assert lost
    assert await used_of(world, "q") == await used_of(world, "r") == {"configmaps": "1"}
