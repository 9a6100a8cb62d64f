"""An Api whose requests are those of a Go client with compiled-in types, as upstream's suite has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.api import JSON, Answer, Api, Object
from tests.conformance.typed import PROTOBUF, encode

from mamekube.apiserver.formats.protobuf import fields_of, message_name

ACCEPT = f"{PROTOBUF},{JSON}"
STRUCTS = {"metadata", "spec", "status", "strategy", "updateStrategy"}
"""Fields of an object or its spec that are no pointers in Go, so that they are sent though they are empty."""


class GoApi(Api):
    """POST, PUT and DELETE go out in protobuf, a DELETE always with options. Bodies name their apiVersion and kind."""

    def __init__(self, api: Api) -> None:
        self.__dict__.update(vars(api))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        content_type: str | None = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if method == "DELETE":
            body = {"apiVersion": "v1", "kind": "DeleteOptions", **(body or {})}
        if isinstance(body, dict) and method != "PATCH":
            body, content_type = encode(_with_empty_structs(body)), PROTOBUF
        sent = {"Accept": ACCEPT, **(headers or {})}
        return super().send(method, path, body, query=query, content_type=content_type, headers=sent)


def _with_empty_structs(obj: Object) -> Object:
    structs = _structs(message_name(obj["apiVersion"], obj["kind"]))
    whole: Object = {**{name: {} for name in structs}, **obj}
    if "spec" in structs:
        whole["spec"] = {**{name: {} for name in _structs(structs["spec"])}, **whole["spec"]}
    return whole


def _structs(message: str) -> dict[str, str]:
    """Name -> type of the fields of a message that are always sent."""
    fields = fields_of(message).values()
    return {one.name: one.type for one in fields if one.name in STRUCTS and "." in one.type}
