"""A kopf operator, run as its users run it: it makes, changes and removes what belongs to a custom kind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.manifests import garden

ROOT = Path(__file__).parents[2]
END_TIMEOUT_S = 30
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
RESIZED = "resize/spec.size"
"""As kopf names what a handler of one field returns."""


@pytest.fixture
def operator(api, kubeconfig, control_plane, namespace, gardens, tmp_path):
    """The running operator; what it said is printed when a test of it fails."""
    log = tmp_path / "operator.log"
    words = [sys.executable, "-m", "kopf", "run", "--standalone", f"--namespace={namespace}", "--verbose"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*words, str(Path(__file__).with_name("garden_operator.py"))],
            cwd=ROOT,
            env={
                **os.environ,
                "KUBECONFIG": kubeconfig,
                "CERTIFICATES": str(control_plane.certificates),
                "PYTHONPATH": str(ROOT),
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            api.wait_object(f"{WEBHOOKS}/clients.example.com", lambda found: found.get("webhooks"))
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(END_TIMEOUT_S)
            print(log.read_text())
    api.delete(f"{WEBHOOKS}/clients.example.com")
    assert code in (0, -signal.SIGTERM)


def is_grown(plant):
    status = plant.get("status", {})
    return "phase" in status and status.get("size") == plant["spec"]["size"]


def test_an_operator_plants_tends_and_harvests(api, operator, namespace, gardens):
    path, core = gardens(namespace), f"/api/v1/namespaces/{namespace}"
    plants = f"/apis/apps/v1/namespaces/{namespace}/deployments/roses"
    made = api.create(path, garden("roses", size=2, word="thorn"))
    grown = api.wait_object(f"{path}/roses", is_grown)
    assert grown["status"] == {"phase": "Growing", "size": 2, "plant": {"planted": 2}}
    assert grown["metadata"]["finalizers"] == ["clients.example.com/harvest"]
    assert grown["metadata"]["generation"] == made["metadata"]["generation"] == 1
    [owner] = api.get(plants)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Garden", made["metadata"]["uid"], True)

    api.patch(f"{path}/roses/scale", {"spec": {"replicas": 3}})
    api.wait_object(plants, lambda obj: obj["spec"]["replicas"] == 3)
    resized = api.wait_object(f"{path}/roses", lambda obj: RESIZED in obj["status"])
    assert resized["status"][RESIZED] == {"from": 2, "to": 3}

    of_roses = {"fieldSelector": "involvedObject.kind=Garden,involvedObject.name=roses,reason=Planted"}
    [event] = api.wait(f"{core}/events", bool, **of_roses)
    assert (event["message"], event["involvedObject"]["uid"]) == ("2 in the ground", made["metadata"]["uid"])
    assert event["firstTimestamp"].endswith("Z")

    api.delete(f"{path}/roses")
    api.wait_gone(f"{path}/roses")
    assert api.get(f"{core}/configmaps/roses-harvest")["data"] == {"word": "thorn"}
    api.wait_gone(plants)
    api.wait_gone(f"{core}/configmaps/roses")
    api.wait(f"{core}/pods", lambda pods: not pods)


def test_a_garden_that_does_not_fit_its_schema_never_reaches_the_operator(api, namespace, gardens):
    refused = api.refusal("POST", gardens(namespace), garden("roses", size=12))
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message == (
        'Garden.clients.example.com "roses" is invalid: spec.size: Invalid value: 12: '
        "spec.size in body should be less than or equal to 9"
    )


def test_a_webhook_of_the_operator_refuses_what_it_does_not_like(api, operator, namespace, gardens):
    refused = api.refusal("POST", gardens(namespace), garden("ivy", word="weed"))
    assert refused.code == 403
    assert (
        refused.message == 'admission webhook "inspect.clients.example.com" denied the request: no weeds here'
    )
