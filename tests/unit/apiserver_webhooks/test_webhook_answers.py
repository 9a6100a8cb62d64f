"""What a webhook answers is read as strictly as upstream's decoder does: whatever comes, it is a verdict or refused."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.apiserver.admission.webhook_review import InvalidResponse, read_answer

WHOLE = {"uid": "u", "allowed": True}


def read(**response: Any) -> Any:
    answer = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {**WHOLE, **response},
    }
    return read_answer(answer, uid="u", version="v1", mutating=True)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("uid", 5, "number into Go struct field AdmissionResponse.response.uid of type types.UID"),
        ("allowed", "yes", "string into Go struct field AdmissionResponse.response.allowed of type bool"),
        ("status", 5, "number into Go struct field AdmissionResponse.response.status of type v1.Status"),
        ("patch", [1], "array into Go struct field AdmissionResponse.response.patch of type []uint8"),
        (
            "patchType",
            {},
            "object into Go struct field AdmissionResponse.response.patchType of type v1.PatchType",
        ),
        (
            "auditAnnotations",
            ["a"],
            "array into Go struct field AdmissionResponse.response.auditAnnotations of type map[string]string",
        ),
        (
            "auditAnnotations",
            {"a": True},
            "bool into Go struct field AdmissionResponse.response.auditAnnotations of type map[string]string",
        ),
        (
            "warnings",
            "abc",
            "string into Go struct field AdmissionResponse.response.warnings of type []string",
        ),
        ("warnings", [5], "number into Go struct field AdmissionResponse.response.warnings of type []string"),
    ],
)
def test_a_field_of_another_type_is_no_valid_answer(field: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidResponse) as refused:
        read(**{field: value})
    assert str(refused.value) == f"json: cannot unmarshal {problem}"


def test_what_is_null_is_not_there() -> None:
    verdict = read(status=None, patch=None, patchType=None, auditAnnotations=None, warnings=None)
    assert verdict.allowed
    assert (verdict.result, verdict.patch, verdict.warnings, verdict.annotations) == ({}, (), [], {})
