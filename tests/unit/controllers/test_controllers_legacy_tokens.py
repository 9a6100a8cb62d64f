"""Tokens of old: which are marked, which go, and that those in use or made by hand stay."""

from __future__ import annotations

import pytest

from mamekube.controllers.legacytokens import INVALID_SINCE, LAST_USED, decide, mounted_secrets
from mamekube.foundation.clock import parse_time

NOW_S = parse_time("2028-06-15T12:00:00Z")
LONG_AGO = "2026-01-01T00:00:00Z"


def secret(created=LONG_AGO, *, uid="a-uid", labels=None, **meta):
    annotations = {"kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": uid}
    described = {"creationTimestamp": created, "annotations": annotations, "labels": labels or {}, **meta}
    return {"metadata": {"name": "robot-token", "namespace": "default", **described}}


def account(*names):
    return {"metadata": {"name": "robot", "uid": "a-uid"}, "secrets": [{"name": name} for name in names]}


OWNER = account("robot-token")


@pytest.mark.parametrize(
    ("found", "owner", "mounted", "decision"),
    [
        (secret(), OWNER, False, "mark"),
        (secret(labels={LAST_USED: "2027-06-15"}), OWNER, False, "mark"),
        (secret(labels={LAST_USED: "2027-06-16"}), OWNER, False, "keep"),
        (secret(labels={LAST_USED: "yesterday"}), OWNER, False, "keep"),
        (secret("2027-06-16T12:00:00Z"), OWNER, False, "keep"),
        (secret(deletionTimestamp=LONG_AGO), OWNER, False, "keep"),
        (secret(), OWNER, True, "keep"),
        (secret(), account("another"), False, "keep"),
        (secret(), None, False, "keep"),
        (secret(uid="an-older-uid"), OWNER, False, "keep"),
        (secret(labels={INVALID_SINCE: "soon"}), OWNER, False, "mark"),
        (secret(labels={INVALID_SINCE: "2027-06-16"}), OWNER, False, "keep"),
        (secret(labels={INVALID_SINCE: "2027-06-15"}), OWNER, False, "remove"),
    ],
)
def test_what_becomes_of_a_token(found, owner, mounted, decision):
    assert decide(found, owner, mounted=mounted, now_s=NOW_S) == decision


def test_secrets_are_in_use_however_a_pod_names_them():
    spec = {
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "key"}}}]}],
        "volumes": [{"secret": {"secretName": "mounted"}}, {"configMap": {"name": "no-secret"}}],
    }
    mounted = mounted_secrets([{"metadata": {"namespace": "default"}, "spec": spec}])
    assert mounted["default"] >= {"pull", "key", "mounted"}
    assert "no-secret" not in mounted["default"]
