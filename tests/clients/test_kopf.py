"""A kopf operator, run as its users run it: it makes, changes and removes what belongs to a custom kind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.manifests import garden
from tests.conformance.api import Refused

ROOT = Path(__file__).parents[2]
END_TIMEOUT_S = 30


@pytest.fixture
def operator(kubeconfig, namespace, gardens, tmp_path):
    """The running operator; what it said is in the file that the fixture answers."""
    log = tmp_path / "operator.log"
    words = [sys.executable, "-m", "kopf", "run", "--standalone", f"--namespace={namespace}", "--verbose"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*words, str(Path(__file__).with_name("garden_operator.py"))],
            cwd=ROOT,
            env={**os.environ, "KUBECONFIG": kubeconfig, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        yield log
        process.send_signal(signal.SIGTERM)
        code = process.wait(END_TIMEOUT_S)
    assert code in (0, -signal.SIGTERM), log.read_text()


def test_an_operator_plants_tends_and_harvests(api, operator, namespace, gardens):
    path, core = gardens(namespace), f"/api/v1/namespaces/{namespace}"
    plants = f"/apis/apps/v1/namespaces/{namespace}/deployments/roses"
    made = api.create(path, garden("roses", size=2, word="thorn"))
    try:
        grown = api.wait_object(f"{path}/roses", lambda obj: obj.get("status", {}).get("size") == 2)
        assert grown["status"]["phase"] == "Growing"
        assert grown["status"]["plant"] == {"planted": 2}
        assert grown["metadata"]["finalizers"] == ["clients.example.com/harvest"]
        assert grown["metadata"]["generation"] == made["metadata"]["generation"] == 1
        [owner] = api.get(plants)["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Garden", made["metadata"]["uid"], True)

        api.patch(f"{path}/roses/scale", {"spec": {"replicas": 3}})
        api.wait_object(plants, lambda obj: obj["spec"]["replicas"] == 3)
        resized = api.wait_object(f"{path}/roses", lambda obj: "resize" in obj["status"])
        assert resized["status"]["resize"] == {"from": 2, "to": 3}

        api.wait(
            f"{core}/events",
            lambda events: any("Handler 'plant' succeeded." in event["message"] for event in events),
            fieldSelector="involvedObject.kind=Garden,involvedObject.name=roses",
        )

        api.delete(f"{path}/roses")
        api.wait_gone(f"{path}/roses")
        assert api.get(f"{core}/configmaps/roses-harvest")["data"] == {"word": "thorn"}
        api.wait_gone(plants)
        api.wait_gone(f"{core}/configmaps/roses")
        api.wait(f"{core}/pods", lambda pods: not pods)
    except (AssertionError, Refused) as failure:
        failure.add_note(operator.read_text())
        raise


def test_a_garden_that_does_not_fit_its_schema_never_reaches_the_operator(api, namespace, gardens):
    refused = api.refusal("POST", gardens(namespace), garden("roses", size=12))
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message == (
        'Garden.clients.example.com "roses" is invalid: spec.size: Invalid value: 12: '
        "spec.size in body should be less than or equal to 9"
    )
