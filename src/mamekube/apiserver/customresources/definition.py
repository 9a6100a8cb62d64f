"""What one CustomResourceDefinition serves: a `Kind` for each of its served versions.

A `Definition` is made of one state of the object and never changes. The API server takes its kinds the way it
takes built-in ones; what is particular about custom resources is in the functions that the records hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mamekube.apiserver.customresources import columns, structural
from mamekube.apiserver.customresources.conversion import Converter, Shape, VersionConversion, rewrite
from mamekube.apiserver.customresources.naming import Names
from mamekube.foundation.lifecycle import Lifetime
from mamekube.kinds.apiextensions import embedded, rules, values
from mamekube.kinds.kind import ALL_METADATA, ALL_VERBS, Kind, Scale
from mamekube.objects import fielderrors
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

INT32_MAX = 2**31 - 1
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
        return self._judge(obj, None)

    def update(self, new: Object, old: Object) -> list[FieldError]:
        return self._judge(new, old)

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """The rules that an update goes on breaking where nothing changed, once it was found to be right otherwise."""
        return self._ratcheted.pop(id(new), [])

    def _judge(self, obj: Object, old: Object | None) -> list[FieldError]:
        if self._compiled is None:
            self._compiled = values.Rules(self._schema), rules.tree_of(self._schema, root=True)
        shapes, tree = self._compiled
        found = shapes.check(obj, "", values.UNKNOWN if old is None else old).errors
        found += self._scale_errors(obj)
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

    def _scale_errors(self, obj: Object) -> list[FieldError]:
        found: list[FieldError] = []
        for key in ("specReplicasPath", "statusReplicasPath"):
            path = (self._scale or {}).get(key)
            count = at(obj, split_path(path)) if path else None
            if path is None or not isinstance(count, int) or isinstance(count, bool):
                continue
            if count < 0:
                found.append(fielderrors.invalid(path, count, "should be a non-negative integer"))
            elif count > INT32_MAX:
                detail = f"should be less than or equal to {INT32_MAX}"
                found.append(fielderrors.invalid(path, count, detail))
        return found


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
            deprecation=_deprecation(spec, names, version),
            schema=schema,
            default=shape.fill,
            prepare_create=_without_status if "status" in below else _as_it_is,
            validate_create=validation.create,
            validate_update=validation.update,
            validate_status=validation.update,
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


def _deprecation(spec: Mapping[str, Any], names: Names, version: Mapping[str, Any]) -> str:
    if not version.get("deprecated"):
        return ""
    default = f"{spec['group']}/{version['name']} {names['kind']} is deprecated"
    return version.get("deprecationWarning") or default


def _scale(definition: Mapping[str, Any] | None) -> Scale | None:
    if definition is None:
        return None
    selector = definition.get("labelSelectorPath")
    return Scale(
        spec_replicas=split_path(definition["specReplicasPath"]),
        status_replicas=split_path(definition["statusReplicasPath"]),
        selector=split_path(selector) if selector else (),
    )


def split_path(path: str) -> tuple[str, ...]:
    """A simple JSONPath, `.spec.replicas`, as field names."""
    return tuple(path.strip(".").split("."))


def at(obj: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(name)
    return obj


def _selectable(fields: Any) -> dict[str, Callable[[Object], str]]:
    return {field["jsonPath"].lstrip("."): _text_at(split_path(field["jsonPath"])) for field in fields}


def _text_at(path: tuple[str, ...]) -> Callable[[Object], str]:
    def text(obj: Object) -> str:
        value = at(obj, path)
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return text
