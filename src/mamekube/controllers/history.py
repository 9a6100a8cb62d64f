"""ControllerRevisions: the templates that a DaemonSet or StatefulSet has had, and which of them to keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mamekube.client.client import Client
from mamekube.controllers.adoption import typed_reference
from mamekube.controllers.resources import CONTROLLER_REVISIONS
from mamekube.controllers.templates import fnv32a, pruned, safe_encode
from mamekube.objects.meta import Object, annotations_of, labels_of, name_of, namespace_of, uid_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

HASH_LABEL = "controller-revision-hash"


def ordered(revisions: Iterable[Object]) -> list[Object]:
    """Oldest first."""
    return sorted(
        revisions,
        key=lambda entry: (
            entry.get("revision", 0),
            entry["metadata"].get("creationTimestamp") or "",
            name_of(entry),
        ),
    )


def data_of(owner: Object) -> Any:
    """What a revision keeps: a strategic merge patch that replaces the template.

    In order of name, because clients compare it byte for byte with what they make of the owner themselves.
    """
    return _in_order({"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}})


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


def digest(data: Any, collision_count: int | None) -> str:
    text = json.dumps(pruned(data), sort_keys=True, separators=(",", ":")).encode()
    if collision_count is not None:
        text += str(collision_count).encode()
    return safe_encode(str(fnv32a(text)))


def new_revision(resource: Resource, owner: Object, *, revision: int, hash_label: str = HASH_LABEL) -> Object:
    data = data_of(owner)
    count = (owner.get("status") or {}).get("collisionCount")
    name_hash = digest(data, count)
    template_labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    described: dict[str, Any] = {
        "name": f"{name_of(owner)[:223]}-{name_hash}",
        "namespace": namespace_of(owner),
        "labels": {**template_labels, hash_label: name_hash},
        "ownerReferences": [typed_reference(resource, owner)],
    }
    # `kubectl rollout history` reads the cause of a change there.
    if annotations_of(owner):
        described["annotations"] = dict(annotations_of(owner))
    return {
        "apiVersion": CONTROLLER_REVISIONS.api_version,
        "kind": CONTROLLER_REVISIONS.kind,
        "metadata": described,
        "data": data,
        "revision": revision,
    }


def same_data(first: Object, second: Object) -> bool:
    return bool(pruned(first.get("data")) == pruned(second.get("data")))


def label_of(revision: Object) -> str:
    return str(labels_of(revision).get(HASH_LABEL, ""))


async def current_revision(
    client: Client,
    resource: Resource,
    owner: Object,
    revisions: Sequence[Object],
    *,
    hash_label: str = HASH_LABEL,
) -> tuple[Object, int]:
    """The revision of the owner's template, made or brought to the front if need be; and the collision count."""
    count = int((owner.get("status") or {}).get("collisionCount") or 0)
    newest = max((entry.get("revision", 0) for entry in revisions), default=0)
    wanted = new_revision(resource, owner, revision=newest + 1, hash_label=hash_label)
    same = next((entry for entry in reversed(ordered(revisions)) if same_data(entry, wanted)), None)
    if same is not None:
        if same.get("revision") != newest:
            same = await client.update(CONTROLLER_REVISIONS, {**same, "revision": newest + 1})
        return same, count
    try:
        return await client.create(CONTROLLER_REVISIONS, wanted, namespace=namespace_of(owner)), count
    except StatusError as error:
        if not is_reason(error, "AlreadyExists"):
            raise
    live = await client.get(CONTROLLER_REVISIONS, name_of(wanted), namespace=namespace_of(owner))
    if same_data(live, wanted):
        return live, count
    collided = {**owner, "status": {**(owner.get("status") or {}), "collisionCount": count + 1}}
    return await current_revision(client, resource, collided, revisions, hash_label=hash_label)


def to_clean_up(revisions: Sequence[Object], *, live: Iterable[str], limit: int) -> list[Object]:
    """The oldest beyond the limit, none of them in use; below zero there is none. `live`: hashes or names in use."""
    if limit < 0:
        return []
    used = set(live)
    spare = [
        entry for entry in ordered(revisions) if label_of(entry) not in used and name_of(entry) not in used
    ]
    return spare[: max(0, len(spare) - limit)]


async def clean_up(client: Client, revisions: Iterable[Object]) -> None:
    for revision in revisions:
        try:
            await client.delete(
                CONTROLLER_REVISIONS,
                name_of(revision),
                namespace=namespace_of(revision),
                uid=uid_of(revision),
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
