"""AdmissionReview: what a webhook is asked, and what its answer says. Pure.

A webhook may see a write through another version than the one it was made in; `View` is one such way to see it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mamekube.apiserver.request import user_info
from mamekube.apiserver.writes import Write
from mamekube.kinds import subresources
from mamekube.kinds.kind import Kind
from mamekube.objects import gotext
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError

GROUP = "admission.k8s.io"
KIND = "AdmissionReview"


FIELDS: Mapping[str, tuple[type, str]] = {
    "uid": (str, "types.UID"),
    "allowed": (bool, "bool"),
    "status": (dict, "v1.Status"),
    "patch": (str, "[]uint8"),
    "patchType": (str, "v1.PatchType"),
    "auditAnnotations": (dict, "map[string]string"),
    "warnings": (list, "[]string"),
}
"""Of a response: what each must be, and what Go calls that."""
OF_STRINGS = frozenset({"auditAnnotations", "warnings"})


class InvalidResponse(Exception):
    """An answer that is no valid AdmissionReview of this request."""


@dataclass(slots=True)
class View:
    """A write as one version of its kind shows it."""

    kind: Kind
    object: Object | None
    old: Object | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook says of a write."""

    allowed: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    """A Status that says why not."""
    patch: Sequence[Any] = ()
    patch_bytes: int = 0
    warnings: Sequence[str] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def namespace_of(write: Write) -> str:
    """The namespace of the write; for a Namespace its own name, as upstream has it."""
    return write.name if is_namespace(write.kind) else write.namespace


def is_namespace(kind: Kind) -> bool:
    return kind.plural == "namespaces" and not kind.group


def review(write: Write, view: View, *, uid: str, version: str) -> dict[str, Any]:
    """The AdmissionReview for a webhook that understands `version`."""
    request: dict[str, Any] = {
        "uid": uid,
        "kind": object_kind(view.kind, write.subresource),
        "resource": _resource(view.kind),
        "requestKind": object_kind(write.kind, write.subresource),
        "requestResource": _resource(write.kind),
    }
    if write.subresource:
        request["subResource"] = request["requestSubResource"] = write.subresource
    if write.name:
        request["name"] = write.name
    namespace = namespace_of(write)
    if namespace:
        request["namespace"] = namespace
    request |= {
        "operation": write.operation,
        "userInfo": user_info(write.user),
        "object": view.object,
        "oldObject": view.old,
        "dryRun": write.dry_run,
        "options": dict(write.options) or None,
    }
    return {"kind": KIND, "apiVersion": f"{GROUP}/{version}", "request": request}


def object_kind(kind: Kind, subresource: str) -> dict[str, str]:
    """The kind of what is sent: a subresource may have its own."""
    found = subresources.describe(kind, subresource) if subresource else None
    if found is None or found.kind == kind.kind:
        return {"group": kind.group, "version": kind.version, "kind": kind.kind}
    if found.version:
        return {"group": found.group, "version": found.version, "kind": found.kind}
    return {"group": kind.group, "version": kind.version, "kind": found.kind}


def _resource(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def read_answer(answer: Any, *, uid: str, version: str, mutating: bool) -> Verdict:
    """Raises InvalidResponse."""
    if not isinstance(answer, dict):
        raise InvalidResponse("json: cannot unmarshal the answer into Go value of type v1.AdmissionReview")
    response = answer.get("response")
    if response is None:
        raise InvalidResponse("webhook response was absent")
    if not isinstance(response, dict):
        raise InvalidResponse(
            "json: cannot unmarshal the response into Go value of type v1.AdmissionResponse"
        )
    _check_types(response)
    if version == "v1":
        _check_v1(answer, response, uid=uid, mutating=mutating)
    return Verdict(
        allowed=response.get("allowed") is True,
        result=response.get("status") or {},
        patch=_patch(response) if mutating else (),
        patch_bytes=len(response.get("patch") or "") if mutating else 0,
        warnings=[text for text in response.get("warnings") or () if text],
        annotations={key: text or "" for key, text in (response.get("auditAnnotations") or {}).items()},
    )


def _check_types(response: Object) -> None:
    for name, (expected, go_type) in FIELDS.items():
        value = response.get(name)
        if value is None:
            continue
        wrong = [] if isinstance(value, expected) else [value]
        if not wrong and name in OF_STRINGS:
            items = value.values() if isinstance(value, dict) else value
            wrong = [item for item in items if not isinstance(item, str | None)]
        if wrong:
            raise InvalidResponse(
                f"json: cannot unmarshal {gotext.json_kind(wrong[0])} into Go struct field "
                f"AdmissionResponse.response.{name} of type {go_type}"
            )


def _check_v1(answer: Object, response: Object, *, uid: str, mutating: bool) -> None:
    if response.get("uid") != uid:
        raise InvalidResponse(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    if (answer.get("apiVersion"), answer.get("kind")) != (f"{GROUP}/v1", KIND):
        group, _, version = str(answer.get("apiVersion") or "").rpartition("/")
        got = f"{group}/{version}, Kind={answer.get('kind') or ''}"
        raise InvalidResponse(f"expected webhook response of {GROUP}/v1, Kind={KIND}, got {got}")
    patch, kind = response.get("patch"), response.get("patchType")
    if not mutating:
        if patch:
            raise InvalidResponse("validating webhook may not return response.patch")
        if kind is not None:
            raise InvalidResponse("validating webhook may not return response.patchType")
        return
    if patch and kind is None:
        raise InvalidResponse("webhook returned response.patch but not response.patchType")
    if not patch and kind is not None:
        raise InvalidResponse("webhook returned response.patchType but not response.patch")
    if kind is not None and kind != "JSONPatch":
        raise InvalidResponse(f'webhook returned invalid response.patchType of "{kind}"')


def _patch(response: Object) -> Sequence[Any]:
    """The operations of the JSON patch, base64 in the answer."""
    encoded = response.get("patch")
    if not encoded:
        return ()
    try:
        operations = orjson.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidResponse(f"the patch cannot be decoded: {error}") from None
    if not isinstance(operations, list):
        raise InvalidResponse("the patch is not a list of operations")
    return operations


def refusal(webhook: str, result: Mapping[str, Any]) -> StatusError:
    """The error that a client reads when a webhook said no. Never below 400."""
    denied = f'admission webhook "{webhook}" denied the request'
    why = result.get("message") or result.get("reason")
    code = result.get("code")
    status = {
        **result,
        "message": f"{denied}: {why}" if why else f"{denied} without explanation",
        "code": code if isinstance(code, int) and 400 <= code < 600 else 400,
    }
    return StatusError.from_status(status)
