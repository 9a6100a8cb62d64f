"""Kinds that upstream asks every verb of."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.conformance import lifecycle
from tests.conformance.lifecycle import Resource

FLOW_SCHEMAS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    plural="flowschemas",
    kind="FlowSchema",
    spec={
        "matchingPrecedence": 10000,
        "priorityLevelConfiguration": {"name": "global-default"},
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [
            {
                "subjects": [{"kind": "User", "user": {"name": "example-e2e-non-existent-user"}}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            }
        ],
    },
    subresources=("status",),
)
PRIORITY_LEVELS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    plural="prioritylevelconfigurations",
    kind="PriorityLevelConfiguration",
    spec={
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}},
    },
    subresources=("status",),
)


def dangling(message):
    return {
        "type": "Dangling",
        "status": "False",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "reason": "Tested",
        "message": message,
    }


@pytest.mark.conformance("Priority and Fairness FlowSchema API")
def test_flow_schemas_take_every_verb(api, unique):
    lifecycle.check_discovery(api, FLOW_SCHEMAS)
    lifecycle.check_verbs(api, FLOW_SCHEMAS, unique)


@pytest.mark.conformance("Priority and Fairness FlowSchema API")
def test_the_status_of_a_flow_schema_is_written_by_itself(api, unique):
    path = f"{FLOW_SCHEMAS.path}/{unique}"
    api.create(FLOW_SCHEMAS.path, FLOW_SCHEMAS.object(unique, {}))
    patch = {"status": {"conditions": [{**dangling("patched"), "type": "Patched"}]}}
    obj = api.patch(f"{path}/status", patch)
    assert "patched" in [one["message"] for one in obj["status"]["conditions"]]
    obj["status"]["conditions"].append({**dangling("updated"), "type": "Updated"})
    obj = api.update(f"{path}/status", obj)
    messages = [one["message"] for one in api.get(path)["status"]["conditions"]]
    assert {"patched", "updated"} <= set(messages)
    api.delete(path)


@pytest.mark.conformance("Priority and Fairness PriorityLevelConfiguration API")
def test_priority_levels_take_every_verb(api, unique):
    lifecycle.check_discovery(api, PRIORITY_LEVELS)
    lifecycle.check_verbs(api, PRIORITY_LEVELS, unique)
    conditions = [{**dangling(text), "type": text} for text in ("patched", "updated")]
    lifecycle.check_status(api, PRIORITY_LEVELS, unique, conditions)


def signing_request():
    """A request for a client certificate, signed by its own key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "e2e-example-user")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


REQUESTS = Resource(
    group="certificates.k8s.io",
    plural="certificatesigningrequests",
    kind="CertificateSigningRequest",
    spec={
        "request": signing_request(),
        "signerName": "example.com/e2e-test-signer",
        "expirationSeconds": 3600,
        "usages": ["digital signature", "key encipherment", "server auth"],
    },
    subresources=("approval", "status"),
)


@pytest.mark.conformance("CertificateSigningRequest API")
def test_certificate_signing_requests_take_every_verb(api, unique):
    lifecycle.check_discovery(api, REQUESTS)
    lifecycle.check_verbs(api, REQUESTS, unique)


@pytest.mark.conformance("CertificateSigningRequest API")
def test_a_certificate_signing_request_is_approved_and_signed_by_subresources(api, unique, control_plane):
    path = f"{REQUESTS.path}/{unique}"
    api.create(REQUESTS.path, REQUESTS.object(unique, {}))
    approval = f"{path}/approval"
    assert api.get(approval)["metadata"]["name"] == unique
    patched = api.patch(approval, {"metadata": {"annotations": {"patchedapproval": "true"}}})
    assert patched["metadata"]["annotations"]["patchedapproval"] == "true"
    approved = {"type": "Approved", "status": "True", "reason": "E2E", "message": "Set from a test"}
    patched["status"]["conditions"] = [approved]
    patched["metadata"]["annotations"] = {"updatedapproval": "true"}
    obj = api.update(approval, patched)
    assert [(one["type"], one["reason"]) for one in obj["status"]["conditions"]] == [("Approved", "E2E")]
    status = f"{path}/status"
    assert api.get(status)["metadata"]["name"] == unique
    real = (control_plane.certificates / "admin.crt").read_bytes()
    certificate = base64.b64encode(real).decode()
    patched = api.patch(status, {"status": {"certificate": certificate}})
    assert patched["status"]["certificate"] == certificate
    ready = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from a test"}
    patched["status"]["conditions"].append(ready)
    obj = api.update(status, patched)
    assert [one["type"] for one in obj["status"]["conditions"]] == ["Approved", "StatusUpdate"]
    assert api.get(path)["status"]["certificate"] == certificate
    api.delete(path)
