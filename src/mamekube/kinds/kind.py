"""What one kind is: the record from which routes, discovery, OpenAPI, columns and `kubectl` names derive.

A built-in kind is a module `kinds/<group>/<plural>.py` whose `KIND` is such a record; a
CustomResourceDefinition builds one at run time. Nothing else in the program knows a kind by name unless it
is about that very kind.

Every function in a record is pure. `default` and the `prepare_*` functions change the object they are given,
which is the request's own; everything else only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from mamekube.foundation.lifecycle import Lifetime
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

FieldPath: TypeAlias = tuple[str, ...]

ALL_METADATA: FieldPath = ("metadata",)
"""Labels, annotations, finalizers, owner references: most kinds made after the first dozen keep them out of status."""

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get`. `priority` above 0 shows with `-o wide` only."""

    name: str
    type: str = "string"
    """`string`, `integer`, `number`, `boolean`, `date`."""
    format: str = ""
    """`name` for the first column."""
    description: str = ""
    field: str = ""
    """In place of a description: the field whose own it shows, `core.v1.PodStatus.podIP`."""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where the `scale` subresource finds its numbers, as paths in the object."""

    spec_replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")
    """A LabelSelector, a plain map, or a string already (custom resources); empty: no selector."""


class Conversion(Protocol):
    """How objects come out of the store and go there, where a step on the way may have to be waited for.

    Documents are whatever has an `object`; one that needs no change comes back itself.
    """

    async def shown(self, documents: Sequence[Any]) -> Sequence[Any]: ...

    async def stored(self, obj: Object) -> Object: ...

    async def converted(self, objects: Sequence[Object], api_version: str) -> Any: ...


def _nothing(obj: Object) -> None:
    """Change nothing."""


def _delete(obj: Object, now_s: float) -> None:
    """Nothing more than the deletion itself."""


def _keep(new: Object, old: Object) -> None:
    """Keep what the request says."""


def _keep_status(new: Object, old: Object, now_s: float) -> None:
    """Keep what the request says."""


def _valid(obj: Object) -> list[FieldError]:
    return []


def _valid_update(new: Object, old: Object) -> list[FieldError]:
    return []


def _no_warnings(new: Object, old: Object | None) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Resource):
    """One kind in one version. Order of use on a write: prepare, default, admission, validate, store."""

    singular: str
    list_kind: str = ""
    """Of lists; empty: the kind with `List` behind it."""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS

    deprecation: str = ""
    """The text of the `Warning` header of every request for the kind, where upstream has deprecated it."""

    schema: str | Mapping[str, Any] = ""
    """The name of its OpenAPI definition (`io.k8s.api.core.v1.Pod`), or a CRD's own structural schema."""

    default: Callable[[Object], None] = _nothing
    """Fill in what the client left out, on create and update. Must be idempotent."""

    validate: Callable[[Object], list[FieldError]] = _valid
    """The spec on create (metadata is checked by the API server for all kinds)."""
    validate_create: Callable[[Object], list[FieldError]] = _valid
    """What besides `validate` holds for new objects only."""
    validate_update: Callable[[Object, Object], list[FieldError]] = _valid_update
    """`(new, old)`; called besides `validate`. Immutable fields are refused here."""
    validate_status: Callable[[Object, Object], list[FieldError]] = _valid_update
    """`(new, old)` of a write to the status subresource."""
    warnings: Callable[[Object, Object | None], list[str]] = _no_warnings
    """Texts for the `Warning` header, `(new, old or None)`: deprecated fields and the like."""
    status_warnings: Callable[[Object, Object | None], list[str]] = _no_warnings
    """The same of a write to the status subresource."""

    prepare_create: Callable[[Object], None] = _nothing
    """Drop or set what a client may not choose. The API server drops `status` where it is a subresource."""
    prepare_update: Callable[[Object, Object], None] = _keep
    """`(new, old)`: carry over what an update may not change silently. Status is carried over already."""
    prepare_status: Callable[[Object, Object, float], None] = _keep_status
    """`(new, old, now in seconds)`: the same for a write to the status subresource, which may have to be dated."""

    has_status: bool = False
    """Whether `status` is a subresource of its own, which ordinary writes cannot change."""
    resets: tuple[FieldPath, ...] = ()
    """What an ordinary write cannot change, and so not own, besides `status` where that is a subresource."""
    status_resets: tuple[FieldPath, ...] = ()
    """What a write to the status subresource cannot change besides the spec. Paths in metadata, `ALL_METADATA` or a
    single field, are put back for the kind; others are its own to put back."""
    keeps_first_status: bool = False
    """Whether a create may bring a status all the same: a kubelet registers its Node with one."""
    counts_generation: bool = False
    """metadata.generation starts at 1 and counts up with every change outside metadata and status."""
    scale: Scale | None = None
    subresources: tuple[str, ...] = ()
    """Others than status and scale, which the API server serves by code of their own: `log`, `binding`, …"""

    columns: tuple[Column, ...] = ()
    """Empty: NAME and AGE (upstream's default table)."""
    row: Callable[[Object, float], Sequence[Any]] | None = None
    """`(object, now in seconds)` -> one cell for each column. Ages are text such as `5m`, as upstream's."""
    row_conditions: Callable[[Object], Sequence[Object]] | None = None
    """What a row says of itself besides its cells: that it is of a pod that has ended."""
    row_order: Callable[[Object], Any] | None = None
    """By what the rows of a list are sorted, where that is not the order of the list."""

    selectable: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    """Fields of `fieldSelector` besides metadata.name and metadata.namespace.

    A text that is no number and no boolean stands in the object's JSON as it is: what has it not is not even decoded.
    """

    storage: Resource | None = None
    """The version in which it is stored, where that is another one (`autoscaling/v1` is stored as v2)."""
    to_storage: Callable[[Object], Object] | None = None
    from_storage: Callable[[Object], Object] | None = None
    conversion: Conversion | None = None
    """In place of the two above, for custom resources."""

    prepare_delete: Callable[[Object, float], None] = _delete
    """`(object, now in seconds)`: what the first delete changes before it is known whether anything holds it."""
    lifetime: Lifetime | None = None
    """Ends when this record is replaced or removed at run time, and with it the watches that go by it."""

    name_rule: str = "subdomain"
    """`subdomain` (RFC 1123 subdomain), `label` (RFC 1123 label), `path` (path segment: RBAC names)."""

    grace_period_s: Callable[[Object, int | None], int] | None = None
    """Kinds deleted gracefully (pods): `(object, seconds asked for or None)` -> seconds; 0 deletes at once."""
