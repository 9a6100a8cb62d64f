"""What one CustomResourceDefinition serves: a `Kind` for each of its served versions.

A `Definition` is made of one state of the object and never changes. The API server takes its kinds the way it
takes built-in ones; what is particular about custom resources is in the functions that the records hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mamekube.apiserver.customresources import columns, scaling, structural
from mamekube.apiserver.customresources.conversion import Converter, Shape, VersionConversion, rewrite
from mamekube.apiserver.customresources.naming import Names
from mamekube.apiserver.objectmeta import STANDARD_FINALIZERS
from mamekube.foundation.lifecycle import Lifetime
from mamekube.kinds.apiextensions import embedded, rules, values
from mamekube.kinds.kind import ALL_METADATA, ALL_VERBS, Kind, Scale
from mamekube.kinds.registry import version_rank
from mamekube.objects import fielderrors
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, metadata
from mamekube.objects.resource import Resource

STATUS = "status"
BLOCKING = frozenset(
    {
        fielderrors.NOT_SUPPORTED,
        fielderrors.REQUIRED,
        fielderrors.TOO_LONG,
        fielderrors.TOO_MANY,
        fielderrors.TYPE_INVALID,
    }
)
"""Reasons after which rules are not run: they would only stumble over the same mistake."""
NOTED_MAX = 1_000
"""Updates between their judgement and their warnings."""
NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
WITHOUT_DOMAIN = (
    "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other "
    "finalizer writers"
)


class Validation:
    """Judges objects of one version. What it needs is compiled with the first object."""

    def __init__(self, schema: Mapping[str, Any], scale: Mapping[str, Any] | None) -> None:
        self._schema = schema
        self._scale = scale
        self._compiled: tuple[values.Rules, rules.RuleTree | None] | None = None
        """Set in one step: who judges meanwhile, in another thread, finds both or neither."""
        self._ratcheted: dict[int, list[str]] = {}
        """What updates under way left wrong as it was, by the id of the object until its warnings are asked for."""

    def create(self, obj: Object) -> list[FieldError]:
        return self._judge(self._shapes().check(obj).errors, obj, None)

    def update(self, new: Object, old: Object) -> list[FieldError]:
        return self._judge(self._shapes().check(new, "", old).errors, new, old)

    def status(self, new: Object, old: Object) -> list[FieldError]:
        """What is not status came out of the store: only rules, which see all of the object, ask what it is."""
        found: list[FieldError] = []
        shape = self._shapes().properties.get(STATUS)
        if shape is not None and STATUS in new:
            errors = shape.check(new[STATUS], "", old.get(STATUS, values.UNKNOWN)).errors
            found = [replace(error, field=_below_status(error.field)) for error in errors]
        return self._judge(found, new, old, status=True)

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """The rules that an update goes on breaking where nothing changed, once it was found to be right otherwise,
        and new finalizers that others might use, too."""
        return self._ratcheted.pop(id(new), []) + _finalizer_warnings(new, old)

    def _shapes(self) -> values.Rules:
        return self._compile()[0]

    def _compile(self) -> tuple[values.Rules, rules.RuleTree | None]:
        if self._compiled is None:
            self._compiled = values.Rules(self._schema), rules.tree_of(self._schema, root=True)
        return self._compiled

    def _judge(
        self, found: list[FieldError], obj: Object, old: Object | None, *, status: bool = False
    ) -> list[FieldError]:
        """`found`: in what shape the values are not right."""
        tree = self._compile()[1]
        found += scaling.errors_of(obj, self._scale, status=status)
        if not status:
            found += embedded.errors_of(obj, self._schema)
        if old is None or not structural.repeated(old, self._schema):
            found += structural.repeated(obj, self._schema)
        if tree is not None:
            if any(error.reason in BLOCKING for error in found):
                found.append(fielderrors.invalid(values.NOWHERE, None, NOT_CHECKED))
            else:
                ratcheted: list[FieldError] = []
                found += tree.errors(obj, old, ratcheted)
                if ratcheted and not found:
                    self._note(obj, ratcheted)
        return found

    def _note(self, obj: Object, ratcheted: Sequence[FieldError]) -> None:
        if len(self._ratcheted) >= NOTED_MAX:
            # Of updates that were given up meanwhile.
            self._ratcheted.clear()
        self._ratcheted[id(obj)] = [str(error) for error in ratcheted]


class Definition:
    """`names` are the accepted ones. `creates`: whether new objects may be made, which ends with its deletion."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        names: Names,
        *,
        creates: bool,
        webhook: Callable[[Mapping[str, Any]], Converter],
    ) -> None:
        self.lifetime = Lifetime()
        self._spec = spec
        self._names = names
        self._verbs = tuple(verb for verb in ALL_VERBS if creates or verb != "create")
        conversion = spec.get("conversion") or {}
        self._convert: Converter = rewrite
        if conversion.get("strategy") == "Webhook":
            self._convert = webhook(conversion.get("webhook") or {})
        self._shapes = {version["name"]: Shape(schema_of(version)) for version in spec["versions"]}
        self._storage = next(version for version in spec["versions"] if version.get("storage"))
        self.stored = self._kind(self._storage)
        """For the server's own use, whether or not the storage version is served."""
        self.kinds = [
            self.stored if version is self._storage else self._kind(version)
            for version in spec["versions"]
            if version.get("served")
        ]

    def _kind(self, version: Mapping[str, Any]) -> Kind:
        spec, names = self._spec, self._names
        schema, below = schema_of(version), version.get("subresources") or {}
        shape = self._shapes[version["name"]]
        validation = Validation(schema, below.get("scale"))
        shown, row = columns.table(version.get("additionalPrinterColumns") or ())
        home: dict[str, Any] = {"group": spec["group"], "plural": spec["names"]["plural"]}
        home |= {"kind": names["kind"], "namespaced": spec.get("scope") == "Namespaced"}
        return Kind(
            **home,
            version=version["name"],
            singular=names.get("singular") or "",
            list_kind=names.get("listKind") or "",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            verbs=self._verbs,
            deprecation=_deprecation(spec, version),
            schema=schema,
            default=shape.fill,
            prepare_create=_without_status if "status" in below else _as_it_is,
            validate_create=validation.create,
            validate_update=validation.update,
            validate_status=validation.status,
            warnings=validation.warnings,
            has_status="status" in below,
            status_resets=(ALL_METADATA,),
            counts_generation=True,
            scale=_scale(below.get("scale")),
            columns=shown,
            row=row,
            selectable=_selectable(version.get("selectableFields") or ()),
            storage=Resource(**home, version=self._storage["name"]),
            conversion=VersionConversion(
                spec["group"], version["name"], self._storage["name"], self._shapes, self._convert
            ),
            lifetime=self.lifetime,
        )


def schema_of(version: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def _as_it_is(obj: Object) -> None:
    """Status is a field like any other."""


def _without_status(obj: Object) -> None:
    obj.pop("status", None)


def _deprecation(spec: Mapping[str, Any], version: Mapping[str, Any]) -> str:
    """Names the best of the better versions, unless the definition says what is to be said."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning"):
        return str(version["deprecationWarning"])
    group, kind = spec["group"], spec["names"]["kind"]
    rank = version_rank(version["name"])
    better = [
        other["name"]
        for other in spec["versions"]
        if other.get("served") and not other.get("deprecated") and version_rank(other["name"]) < rank
    ]
    use = f"; use {group}/{min(better, key=version_rank)} {kind}" if better else ""
    return f"{group}/{version['name']} {kind} is deprecated{use}"


def _finalizer_warnings(new: Object, old: Object | None) -> list[str]:
    finalizers = metadata(new).get("finalizers")
    if not finalizers:
        return []
    before = metadata(old).get("finalizers") or () if old is not None else ()
    return [
        f'metadata.finalizers: "{name}": {WITHOUT_DOMAIN}'
        for name in sorted(set(finalizers).difference(before))
        if "/" not in name and name not in STANDARD_FINALIZERS
    ]


def _below_status(path: str) -> str:
    return STATUS if path in ("", values.NOWHERE) else f"{STATUS}.{path}"


def _scale(definition: Mapping[str, Any] | None) -> Scale | None:
    if definition is None:
        return None
    selector = definition.get("labelSelectorPath")
    return Scale(
        spec_replicas=scaling.split_path(definition["specReplicasPath"]),
        status_replicas=scaling.split_path(definition["statusReplicasPath"]),
        selector=scaling.split_path(selector) if selector else (),
    )


def at(obj: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(name)
    return obj


def _selectable(fields: Any) -> dict[str, Callable[[Object], str]]:
    return {
        field["jsonPath"].lstrip("."): _text_at(scaling.split_path(field["jsonPath"])) for field in fields
    }


def _text_at(path: tuple[str, ...]) -> Callable[[Object], str]:
    def text(obj: Object) -> str:
        value = at(obj, path)
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return text
