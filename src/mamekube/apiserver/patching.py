"""PATCH: one of four kinds of patch becomes a change of the object as it is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from mamekube.apiserver import ownership
from mamekube.apiserver.formats import codec
from mamekube.apiserver.formats.fieldvalidation import (
    IGNORE,
    check,
    check_applied,
    check_patched,
    repeated_keys,
    schema_of,
)
from mamekube.apiserver.options import WriteOptions
from mamekube.apiserver.request import Request
from mamekube.apiserver.resources import Change, SlowChange, fresh
from mamekube.apiserver.versions import Find
from mamekube.foundation import sidetrack
from mamekube.foundation.clock import Clock
from mamekube.kinds.kind import Kind
from mamekube.objects import gotext
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError, bad_request, unsupported_media_type

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_YAML = "application/apply-patch+yaml"
APPLY_CBOR = "application/apply-patch+cbor"
BUILTIN_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_YAML)
CUSTOM_TYPES = (JSON_PATCH, MERGE_PATCH, APPLY_YAML)


def check_type(kind: Kind, content_type: str) -> str:
    """The media type of the patch. Raises 415 for one that the kind does not take."""
    found = codec.media_type(content_type)
    builtin = isinstance(kind.schema, str)
    if found not in (BUILTIN_TYPES if builtin else CUSTOM_TYPES):
        # Of built-in kinds it is upstream's router that refuses.
        if builtin:
            raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
        raise unsupported_media_type(CUSTOM_TYPES)
    return found


def decode(patch_type: str, body: bytes) -> Any:
    """The patch itself. Raises 400, 413."""
    try:
        if patch_type == APPLY_YAML and body[:1] != b"{":
            return codec.decode_yaml(body)
        return codec.decode_json(body)
    except codec.Undecodable as error:
        raise bad_request(_UNPARSED[patch_type] + error.why) from None


_UNPARSED = {
    JSON_PATCH: "error decoding patch: ",
    MERGE_PATCH: "error decoding patch: ",
    STRATEGIC_PATCH: "",
    APPLY_YAML: "error decoding YAML: error converting YAML to JSON: ",
}
"""What upstream says before the parser's words."""

_UNFIT = {**_UNPARSED, APPLY_YAML: "error decoding YAML: error unmarshaling JSON: while decoding JSON: "}
"""And before those of the decoder, of what is no object."""


def _no_object(patch_type: str, patch: Any) -> StatusError:
    why = f"json: cannot unmarshal {gotext.json_kind(patch)} into Go value of type map[string]interface {{}}"
    return bad_request(_UNFIT[patch_type] + why)


def apply_for(
    patch: Any,
    kind: Kind,
    options: WriteOptions,
    *,
    request: Request,
    clock: Clock,
    find: Find,
    subresource: str = "",
    body: bytes = b"",
) -> SlowChange:
    """The change that server-side apply of `patch` makes; the rest as for `change_for`.

    The request is told of what the kind does not know, and says whether there is much to do when it is made.
    """
    _check_object(patch)

    async def change(old: Object | None) -> Object:
        made = await ownership.apply(
            old,
            patch,
            kind,
            options,
            clock=clock,
            find=find,
            subresource=subresource,
            heavy_bytes=request.heavy_bytes,
        )
        checked = partial(_checked, made, patch, kind, options, body)
        applied, found = await sidetrack.run(checked, size_bytes=request.heavy_bytes)
        request.warnings.extend(found)
        return applied

    return change


def _checked(
    made: Object, patch: Any, kind: Kind, options: WriteOptions, body: bytes
) -> tuple[Object, list[str]]:
    applied, _ = check(fresh(made), kind, mode=IGNORE)
    return applied, check_applied(body, patch, options.field_validation) if body else []


def _check_object(patch: Any) -> None:
    if not isinstance(patch, dict):
        raise _no_object(APPLY_YAML, patch)
    if not isinstance(patch.get("metadata") or {}, dict):
        raise bad_request("error decoding patch: metadata is not an object")


def change_for(
    patch_type: str,
    patch: Any,
    kind: Kind,
    options: WriteOptions,
    *,
    body: bytes = b"",
    warnings: list[str] | None = None,
) -> Change:
    """The change that `patch` makes. It raises 400, 422 when it is called.

    `body` is the patch as it was sent, where it was: keys that stand twice are found there. `warnings` is told
    of what the kind does not know, by `options.field_validation`.
    """
    if patch_type != JSON_PATCH and not isinstance(patch, dict):
        raise _no_object(patch_type, patch)
    repeated = repeated_keys(body, patch) if body else []

    def note(found: Iterable[str]) -> None:
        if warnings is not None:
            warnings.extend(found)

    def change(old: Object | None) -> Object:
        assert old is not None, "only apply may create"
        patched = _patched(patch_type, patch, old, kind)
        if not isinstance(patched, dict):
            raise StatusError(422, "Invalid", "the patched object is not an object")
        obj, found = check_patched(
            fresh(patched),
            kind,
            mode=options.field_validation,
            patch=patch,
            strategic=patch_type == STRATEGIC_PATCH,
            repeated=repeated,
        )
        note(found)
        return obj

    return change


def _patched(patch_type: str, patch: Any, old: Object, kind: Kind) -> Any:
    if patch_type == JSON_PATCH:
        from mamekube.objects.patches import json_patch

        return json_patch.apply(old, patch)
    if patch_type == MERGE_PATCH:
        from mamekube.objects.patches import merge_patch

        return merge_patch.apply(old, patch)
    from mamekube.objects.patches import strategic

    return strategic.apply(old, patch, schema_of(kind))
