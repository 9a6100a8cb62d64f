"""Whether a claim or a volume may go."""

import pytest

from mamekube.controllers.resources import PODS
from mamekube.controllers.storageprotection import (
    CLAIM_FINALIZER,
    VOLUME_FINALIZER,
    ClaimProtectionController,
    plan,
    uses,
)

DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def claim(**metadata):
    return {"metadata": {"name": "data", "namespace": "n", **metadata}}


def pod(*, node="one", volume=None, **metadata):
    volume = volume or {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {"volumes": [{"name": "other", "emptyDir": {}}, volume], **({"nodeName": node} if node else {})}
    return {"metadata": {"name": "p", "namespace": "n", "uid": "u", **metadata}, "spec": spec}


def test_a_pod_on_a_node_uses_the_claim_it_names():
    assert uses(pod(), claim())
    assert not uses(pod(node=""), claim())
    assert not uses(pod(volume={"name": "v", "persistentVolumeClaim": {"claimName": "else"}}), claim())


def test_a_finished_pod_uses_it_until_it_goes():
    finished = {**pod(), "status": {"phase": "Succeeded"}}
    assert uses(finished, claim())
    assert uses(pod(**DELETED, deletionGracePeriodSeconds=30), claim())
    assert not uses(pod(**DELETED, deletionGracePeriodSeconds=0), claim())


def test_a_pod_that_is_shut_down_but_held_by_its_finalizers_frees_its_claim():
    [matters] = [watch.matters for watch in ClaimProtectionController.watches if watch.resource == PODS]
    going, held = (
        pod(finalizers=["mine"], **DELETED, deletionGracePeriodSeconds=grace_s) for grace_s in (30, 0)
    )
    assert matters(going, held)
    assert not matters(going, {**going, "status": {"podIP": "10.0.0.1"}})


@pytest.mark.parametrize(("owner", "used"), [("u", True), ("another", False)])
def test_an_ephemeral_volume_uses_only_the_claim_that_was_made_for_its_pod(owner, used):
    reference = {"kind": "Pod", "name": "p", "uid": owner, "controller": True}
    own = {**claim(ownerReferences=[reference])}
    own["metadata"]["name"] = "p-scratch"
    assert uses(pod(volume={"name": "scratch", "ephemeral": {}}), own) is used


@pytest.mark.parametrize("finalizer", [CLAIM_FINALIZER, VOLUME_FINALIZER])
def test_the_finalizer_goes_when_nobody_uses_what_is_deleted(finalizer):
    held = claim(finalizers=["mine", finalizer], **DELETED)
    assert plan(held, finalizer, used=True) is None
    assert plan(held, finalizer, used=False)["metadata"]["finalizers"] == ["mine"]
    assert plan(claim(finalizers=["mine"], **DELETED), finalizer, used=False) is None


def test_what_lacks_the_finalizer_gets_it():
    assert plan(claim(), CLAIM_FINALIZER, used=False)["metadata"]["finalizers"] == [CLAIM_FINALIZER]
    assert plan(claim(finalizers=[CLAIM_FINALIZER]), CLAIM_FINALIZER, used=False) is None
