"""What upstream's suite does to the statuses and scales of kinds, request by request, as a typed client."""

import base64

import pytest
from tests.conformance import samples
from tests.conformance.api import MERGE, STRATEGIC
from tests.conformance.go_api import GoApi

CONTAINER = {"name": "c", "image": samples.IMAGE}
JOB_TEMPLATE = {"spec": {"containers": [CONTAINER], "restartPolicy": "OnFailure"}}
UPDATED = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}


@pytest.fixture
def client(api):
    """The administrator with a typed client."""
    return GoApi(api)


def named(api_version, kind, name, **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def update(client, path, change, *, subresource="/status"):
    """Change what is there now and write it, again if somebody else wrote meanwhile."""
    for _ in range(10):
        read = client.get(path)
        change(read)
        answer = client.send("PUT", path + subresource, read)
        if answer.code != 409:
            assert answer.code == 200, answer.body
            return answer.object
    raise AssertionError("nothing but conflicts")


def condition(obj, kind):
    """The condition of that type, or None."""
    return next((one for one in obj["status"].get("conditions", []) if one["type"] == kind), None)


@pytest.mark.conformance("CronJob API Operations")
def test_the_status_of_a_cron_job(client, namespace):
    jobs = f"/apis/batch/v1/namespaces/{namespace}/cronjobs"
    job = named("batch/v1", "CronJob", "one")
    job["spec"] = {
        "schedule": "* */1 * * ?",
        "suspend": True,
        "jobTemplate": {"spec": {"template": JOB_TEMPLATE}},
    }
    created = client.create(jobs, job)
    status = {"lastScheduleTime": "2026-01-01T00:00:00Z"}
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": status}
    patched = client.patch(f"{jobs}/one/status", patch)
    assert patched["status"]["lastScheduleTime"] == status["lastScheduleTime"]
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    patched["status"]["lastScheduleTime"] = "2026-01-01T00:01:00Z"
    updated = client.update(f"{jobs}/one/status", patched)
    assert updated["status"]["lastScheduleTime"] == "2026-01-01T00:01:00Z"
    read = client.get(f"{jobs}/one/status")
    assert (read["kind"], read["metadata"]["uid"]) == ("CronJob", created["metadata"]["uid"])


@pytest.mark.conformance("Jobs, apply changes to status")
def test_the_status_of_a_job(client, namespace):
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    job = named("batch/v1", "Job", "one", spec={"parallelism": 2, "completions": 4, "suspend": True})
    job["spec"]["template"] = JOB_TEMPLATE
    client.create(jobs, job)
    start = "2026-01-01T00:00:00Z"
    applied = {
        "startTime": start,
        "conditions": [{"type": "CustomConditionType", "status": "True", "lastTransitionTime": start}],
    }
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": applied}
    patched = client.patch(f"{jobs}/one/status", patch)
    assert condition(patched, "CustomConditionType")["status"] == "True"
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    another = {"type": "AnotherType", "status": "True", "lastTransitionTime": start}
    updated = update(client, f"{jobs}/one", lambda obj: obj["status"]["conditions"].append(another))
    assert condition(updated, "AnotherType")
    assert client.get(f"{jobs}/one/status")["kind"] == "Job"


@pytest.mark.conformance("Ingress API")
def test_the_status_of_an_ingress(client, namespace):
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"
    backend = {"service": {"name": "default-backend", "port": {"number": 8080}}}
    ingress = named("networking.k8s.io/v1", "Ingress", "one", spec={"defaultBackend": backend})
    client.create(path, ingress)
    status = {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": status}
    patched = client.patch(f"{path}/one/status", patch)
    assert patched["status"] == status
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    patched["status"] = {
        "loadBalancer": {"ingress": [{"hostname": "example.com", "ports": [{"port": 80, "protocol": "TCP"}]}]}
    }
    assert client.update(f"{path}/one/status", patched)["status"] == patched["status"]
    assert client.get(f"{path}/one/status")["kind"] == "Ingress"


@pytest.mark.conformance("Service, complete ServiceStatus lifecycle")
def test_the_status_of_a_service(client, core):
    path = f"{core}/services"
    service = named("v1", "Service", "one")
    service["metadata"]["labels"] = {"test-service-static": "true"}
    port = {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}
    service["spec"] = {
        "type": "LoadBalancer",
        "ports": [port],
        "loadBalancerClass": "example.com/internal-vip",
    }
    client.create(path, service)
    assert client.get(f"{path}/one/status")["status"] == {"loadBalancer": {}}
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": status}
    patched = client.patch(f"{path}/one/status", patch)
    assert patched["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
    read = client.get(f"{path}/one")
    read["status"].setdefault("conditions", []).append(
        {**UPDATED, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    )
    updated = client.update(f"{path}/one/status", read)
    assert condition(updated, "StatusUpdate")["message"] == UPDATED["message"]
    relabelled = client.patch(
        f"{path}/one", {"metadata": {"labels": {"test-service": "patched"}}}, content_type=STRATEGIC
    )
    assert relabelled["metadata"]["labels"] == {"test-service-static": "true", "test-service": "patched"}
    client.delete(f"{path}/one")
    client.wait_gone(f"{path}/one")


def claim_and_volume(unique):
    size, modes = "2Gi", ["ReadWriteOnce"]
    volume = named("v1", "PersistentVolume", unique)
    volume["spec"] = {
        "accessModes": modes,
        "capacity": {"storage": size},
        "csi": {"driver": "e2e-driver", "volumeHandle": "e2e-conformance"},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": unique,
    }
    claim = named("v1", "PersistentVolumeClaim", unique)
    claim["spec"] = {
        "accessModes": modes,
        "resources": {"requests": {"storage": size}},
        "storageClassName": unique,
    }
    return claim, volume


@pytest.mark.conformance("PersistentVolumes(Claims), apply changes to a pv/pvc status")
def test_the_statuses_of_a_claim_and_a_volume(client, core, unique):
    claim, volume = claim_and_volume(unique)
    claims, volumes = f"{core}/persistentvolumeclaims/{unique}", f"/api/v1/persistentvolumes/{unique}"
    client.create("/api/v1/persistentvolumes", volume)
    client.create(f"{core}/persistentvolumeclaims", claim)
    for path, kind in ((claims, "PersistentVolumeClaim"), (volumes, "PersistentVolume")):
        assert client.get(f"{path}/status")["kind"] == kind
    patch = {"status": {"message": "StatusPatched", "reason": "E2E patchStatus"}}
    patched = client.patch(f"{volumes}/status", patch)
    assert (patched["status"]["message"], patched["status"]["reason"]) == ("StatusPatched", "E2E patchStatus")
    mark = {
        "type": "StatusPatched",
        "status": "True",
        "reason": "E2E patchedStatus",
        "message": "Set by e2e test",
    }
    assert condition(client.patch(f"{claims}/status", {"status": {"conditions": [mark]}}), "StatusPatched")
    read = client.get(volumes)
    read["status"].update(message="StatusUpdated", reason="E2E updateStatus")
    assert client.update(f"{volumes}/status", read)["status"]["message"] == "StatusUpdated"
    read = client.get(claims)
    read["status"]["conditions"].append({**mark, "type": "StatusUpdated"})
    updated = client.update(f"{claims}/status", read)
    assert condition(updated, "StatusUpdated")
    assert condition(updated, "StatusPatched")
    client.delete(claims)
    client.wait_gone(claims)
    client.delete(volumes)
    client.wait_gone(volumes)


@pytest.mark.conformance("VolumeAttachment, apply changes to a volumeattachment status")
def test_the_status_of_a_volume_attachment(client, unique):
    path = f"/apis/storage.k8s.io/v1/volumeattachments/{unique}"
    obj = named("storage.k8s.io/v1", "VolumeAttachment", unique, status={"attached": False})
    obj["metadata"]["uid"] = unique
    obj["spec"] = {
        "attacher": "e2e-test.storage.k8s.io",
        "nodeName": "n",
        "source": {"persistentVolumeName": "p"},
    }
    created = client.create("/apis/storage.k8s.io/v1/volumeattachments", obj)
    assert created["metadata"]["uid"] != unique
    client.patch(path, {"metadata": {"labels": {unique: "patched"}}})
    assert client.get(f"{path}/status")["status"]["attached"] is False
    assert client.patch(f"{path}/status", {"status": {"attached": True}})["status"]["attached"] is True
    read = client.get(path)
    read["status"]["attached"] = False
    assert client.update(f"{path}/status", read)["status"]["attached"] is False
    client.delete(path)
    assert client.items("/apis/storage.k8s.io/v1/volumeattachments", labelSelector=f"{unique}=patched") == []


@pytest.mark.conformance("PodDisruptionBudget: update and patch status")
def test_the_status_of_a_disruption_budget(client, core, namespace):
    budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"foo": "bar"}}}
    client.create(budgets, named("policy/v1", "PodDisruptionBudget", "foo", spec=spec))
    for number in range(3):
        pod = {"apiVersion": "v1", "kind": "Pod", **samples.pod(f"p{number}", labels={"foo": "bar"})}
        client.create(f"{core}/pods", pod)
    client.wait_object(f"{budgets}/foo", lambda obj: obj.get("status", {}).get("currentHealthy") == 3)
    now = client.items(f"{core}/pods")[0]["metadata"]["creationTimestamp"]
    updated = update(client, f"{budgets}/foo", lambda obj: obj["status"].update(disruptedPods={"p0": now}))
    assert set(updated["status"]["disruptedPods"]) == {"p0"}
    assert set(client.get(f"{budgets}/foo/status")["status"]["disruptedPods"]) == {"p0"}
    patched = client.patch(f"{budgets}/foo/status", {"status": {"disruptedPods": None}})
    assert not patched["status"].get("disruptedPods")


WORKLOADS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
}


@pytest.mark.parametrize("plural", WORKLOADS)
def test_a_workload_keeps_conditions_that_others_set(client, apps, plural):
    path, labels = f"{apps}/{plural}", {"app": "e2e"}
    obj = named("apps/v1", WORKLOADS[plural], "one")
    obj["spec"] = {"selector": {"matchLabels": labels}, "template": samples.template(labels)}
    if plural != "daemonsets":
        obj["spec"]["replicas"] = 1
    if plural == "statefulsets":
        obj["spec"]["serviceName"] = "test"
    client.create(path, obj)
    count = "numberReady" if plural == "daemonsets" else "readyReplicas"
    wanted = 2 if plural == "daemonsets" else 1
    client.wait_object(f"{path}/one", lambda obj: obj.get("status", {}).get(count) == wanted)
    with client.watch(path, fieldSelector="metadata.name=one") as watch:
        updated = update(
            client, f"{path}/one", lambda obj: obj["status"].setdefault("conditions", []).append(UPDATED)
        )
        assert condition(updated, "StatusUpdate")["reason"] == "E2E"
        watch.until("MODIFIED", lambda obj: condition(obj, "StatusUpdate"))
        payload = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        assert condition(client.patch(f"{path}/one/status", payload), "StatusPatched")
        watch.until("MODIFIED", lambda obj: condition(obj, "StatusPatched"))


@pytest.mark.parametrize("plural", ["deployments", "replicasets", "statefulsets"])
def test_a_workload_is_scaled_by_its_subresource(client, apps, plural):
    path, labels = f"{apps}/{plural}", {"app": "e2e"}
    obj = named("apps/v1", WORKLOADS[plural], "one")
    obj["spec"] = {"replicas": 1, "selector": {"matchLabels": labels}, "template": samples.template(labels)}
    if plural == "statefulsets":
        obj["spec"]["serviceName"] = "test"
    client.create(path, obj)
    scale = client.get(f"{path}/one/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"]["replicas"] == 1
    scale["metadata"]["resourceVersion"] = ""
    scale["spec"]["replicas"] = 2
    assert client.update(f"{path}/one/scale", scale)["spec"]["replicas"] == 2
    assert client.get(f"{path}/one")["spec"]["replicas"] == 2
    patched = client.patch(f"{path}/one/scale", {"spec": {"replicas": 4}}, content_type=STRATEGIC)
    assert patched["spec"]["replicas"] == 4
    assert client.get(f"{path}/one")["spec"]["replicas"] == 4


@pytest.mark.conformance("Replication Controller, lifecycle")
def test_a_replication_controller_from_its_making_to_its_end(client, core):
    path = f"{core}/replicationcontrollers"
    labels = {"test-rc-static": "true"}
    obj = named("v1", "ReplicationController", "rc-test")
    obj["metadata"]["labels"] = labels
    obj["spec"] = {"replicas": 1, "selector": labels, "template": samples.template(labels)}
    with client.watch(path, labelSelector="test-rc-static=true") as watch:
        client.create(path, obj)
        watch.until("ADDED")
        watch.until("MODIFIED", lambda obj: obj["status"].get("availableReplicas") == 1)
        patch = {"metadata": {"labels": {"test-rc": "patched"}}}
        client.patch(f"{path}/rc-test", patch, content_type=STRATEGIC)
        watch.until("MODIFIED", lambda obj: obj["metadata"]["labels"].get("test-rc") == "patched")
        none = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
        client.patch(f"{path}/rc-test/status", none, content_type=STRATEGIC)
        watch.until("MODIFIED", lambda obj: not obj["status"].get("readyReplicas"))
        watch.until("MODIFIED", lambda obj: obj["status"].get("availableReplicas") == 1)
        assert client.get(f"{path}/rc-test/status")["status"]["replicas"] == 1
        client.patch(f"{path}/rc-test/scale", {"spec": {"replicas": 2}}, content_type=STRATEGIC)
        watch.until("MODIFIED", lambda obj: obj["status"].get("readyReplicas") == 2)
        annotations = {"annotations": {"test-rc": "updated"}}
        update(client, f"{path}/rc-test", lambda obj: obj["metadata"].update(annotations), subresource="")
        watch.until("MODIFIED", lambda obj: "test-rc" in obj["metadata"].get("annotations", {}))
        assert len(client.items("/api/v1/replicationcontrollers", labelSelector="test-rc-static=true")) == 1
        client.delete(path, labelSelector="test-rc-static=true")
        watch.until("DELETED")


@pytest.mark.conformance("CertificateSigningRequest API")
def test_a_signing_request_takes_conditions_of_any_type(client, unique, control_plane):
    from tests.conformance.test_conformance_kinds import REQUESTS

    obj = REQUESTS.object("", {})
    obj["metadata"] = {"generateName": "e2e-example-csr-"}
    obj["spec"]["signerName"] = signer = f"example.com/e2e-{unique}"
    created = [client.create(REQUESTS.path, obj) for _ in range(3)]
    path, selector = f"{REQUESTS.path}/{created[2]['metadata']['name']}", f"spec.signerName={signer}"
    assert client.get(path)["spec"]["expirationSeconds"] == 3600
    listing = client.get(REQUESTS.path, fieldSelector=selector)
    assert len(listing["items"]) == 3
    since, name = listing["metadata"]["resourceVersion"], f"metadata.name={created[2]['metadata']['name']}"
    with client.watch(REQUESTS.path, resourceVersion=since, fieldSelector=name) as watch:
        patched = client.patch(path, {"metadata": {"annotations": {"patched": "true"}}})
        patched["metadata"]["annotations"]["updated"] = "true"
        assert client.update(path, patched)["metadata"]["annotations"]["updated"] == "true"
        assert watch.next()[0] == "MODIFIED"
    read = client.get(f"{path}/approval")
    assert (read["kind"], read["apiVersion"]) == ("CertificateSigningRequest", "certificates.k8s.io/v1")
    change = {
        "metadata": {"annotations": {"patchedapproval": "true"}},
        "status": {"conditions": [{"type": "ApprovalPatch", "status": "True", "reason": "e2e"}]},
    }
    approval = client.patch(f"{path}/approval", change)
    assert [one["type"] for one in approval["status"]["conditions"]] == ["ApprovalPatch"]
    assert approval["metadata"]["annotations"]["patchedapproval"] == "true"
    approval["status"]["conditions"].append(
        {"type": "Approved", "status": "True", "reason": "E2E", "message": "Set"}
    )
    approval = client.update(f"{path}/approval", approval)
    assert [one["type"] for one in approval["status"]["conditions"]] == ["ApprovalPatch", "Approved"]
    certificate = base64.b64encode((control_plane.certificates / "admin.crt").read_bytes()).decode()
    change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"certificate": certificate}}
    status = client.patch(f"{path}/status", change)
    assert status["status"]["certificate"] == certificate
    assert status["metadata"]["annotations"]["patchedstatus"] == "true"
    status["status"]["conditions"].append(UPDATED)
    status = client.update(f"{path}/status", status)
    assert [one["type"] for one in status["status"]["conditions"]][-1] == "StatusUpdate"
    client.delete(path)
    assert client.missing(path)
    assert len(client.items(REQUESTS.path, fieldSelector=selector)) == 2
    client.delete(REQUESTS.path, fieldSelector=selector)
    assert client.items(REQUESTS.path, fieldSelector=selector) == []


@pytest.mark.conformance("Pods, patching status")
def test_the_status_of_a_pod_is_patched(client, core):
    client.create(f"{core}/pods", {"apiVersion": "v1", "kind": "Pod", **samples.pod("one")})
    client.wait_object(f"{core}/pods/one", samples.running)
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"message": "Patched by e2e"}}
    patched = client.patch(f"{core}/pods/one/status", patch, content_type=MERGE)
    assert patched["status"]["message"] == "Patched by e2e"
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"


@pytest.mark.parametrize("plural", ["deployments", "replicasets"])
def test_a_condition_without_times_stops_no_controller(client, apps, plural):
    """Who writes a status may leave the times out, as upstream's suite does."""
    path, labels = f"{apps}/{plural}", {"app": "e2e"}
    obj = named("apps/v1", WORKLOADS[plural], "one")
    obj["spec"] = {"replicas": 1, "selector": {"matchLabels": labels}, "template": samples.template(labels)}
    client.create(path, obj)
    client.wait_object(f"{path}/one", lambda obj: obj.get("status", {}).get("readyReplicas") == 1)
    bare = [{"type": kind, "status": "True"} for kind in ("Available", "Progressing", "ReplicaFailure")]
    none = {"readyReplicas": 0, "availableReplicas": 0}
    client.patch(f"{path}/one/status", {"status": {**none, "conditions": bare}})
    client.wait_object(f"{path}/one", lambda obj: obj["status"].get("readyReplicas") == 1)
    client.patch(f"{path}/one", {"spec": {"replicas": 2}})
    client.wait_object(f"{path}/one", lambda obj: obj["status"].get("readyReplicas") == 2)
