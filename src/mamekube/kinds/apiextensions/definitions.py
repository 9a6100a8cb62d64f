"""Is a CustomResourceDefinition well formed? Rules and wording of apiextensions' validation."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check, check_choice, check_required
from mamekube.objects import names
from mamekube.objects.conditions import is_true
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object, name_of

SCOPES = ("Cluster", "Namespaced")
CONVERSIONS = ("None", "Webhook")
COLUMN_TYPES = frozenset(("boolean", "date", "integer", "number", "string"))
COLUMN_FORMATS = frozenset(
    ("binary", "bool", "byte", "date", "date-time", "double", "float", "int32", "int64", "password")
)
STORAGE_VERSIONS = "must have exactly one version marked as storage version"


def validate(definition: Object) -> Found:
    found: Found = []
    spec, name = definition.get("spec") or {}, name_of(definition)
    own, group = spec.get("names") or {}, spec.get("group") or ""
    if name != f"{own.get('plural') or ''}.{group}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if group and "." not in group:
        found.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    check_required(group, "spec.group", names.dns1123_subdomain, found)
    check_choice(spec.get("scope"), "spec.scope", SCOPES, found)
    _validate_versions(spec.get("versions") or [], found)
    _validate_names(own, "spec.names", found)
    _validate_conversion(spec.get("conversion") or {}, found)
    if spec.get("preserveUnknownFields"):
        detail = "must be false in order to use defaults in the schema"
        found.append(invalid("spec.preserveUnknownFields", True, detail))
    return found


def _validate_versions(versions: list[dict[str, Any]], found: Found) -> None:
    if not versions:
        found.append(required("spec.versions", "must have exactly one version marked as storage version"))
        return
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        if name in seen:
            found.append(invalid("spec.versions", list(seen), "must contain unique version names"))
        seen.add(name)
        for message in names.dns1035_label(name):
            found.append(invalid(f"{path}.name", name, message))
        _validate_schema(version.get("schema") or {}, f"{path}.schema", found)
        _validate_subresources(version.get("subresources") or {}, f"{path}.subresources", found)
        for position, column in enumerate(version.get("additionalPrinterColumns") or ()):
            _validate_column(column, f"{path}.additionalPrinterColumns[{position}]", found)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(invalid("spec.versions", versions, STORAGE_VERSIONS))


def _validate_schema(schema: dict[str, Any], path: str, found: Found) -> None:
    root, root_path = schema.get("openAPIV3Schema"), f"{path}.openAPIV3Schema"
    if root is None:
        found.append(required(root_path, "schemas are required"))
        return
    kind = root.get("type")
    if not kind:
        found.append(required(f"{root_path}.type", "must not be empty at the root"))
    elif kind != "object":
        found.append(invalid(f"{root_path}.type", kind, "must be object at the root"))
    _validate_structure(root, root_path, found)


def _validate_structure(schema: dict[str, Any], path: str, found: Found) -> None:
    """Every field has one type, said outside of `allOf`, `anyOf`, `oneOf` and `not`."""
    for name, child in (schema.get("properties") or {}).items():
        child_path = f"{path}.properties[{name}]"
        open_ended = child.get("x-kubernetes-int-or-string") or child.get(
            "x-kubernetes-preserve-unknown-fields"
        )
        if not child.get("type") and not open_ended:
            found.append(required(f"{child_path}.type", "must not be empty for specified object fields"))
        _validate_structure(child, child_path, found)
    items, more = schema.get("items"), schema.get("additionalProperties")
    if schema.get("type") == "array" and items is None:
        found.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        _validate_structure(items, f"{path}.items", found)
    if isinstance(more, dict):
        if schema.get("properties"):
            detail = "additionalProperties and properties are mutual exclusive"
            found.append(forbidden(f"{path}.additionalProperties", detail))
        _validate_structure(more, f"{path}.additionalProperties", found)


def _validate_subresources(subresources: dict[str, Any], path: str, found: Found) -> None:
    scale = subresources.get("scale")
    if scale is None:
        return
    for field, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value = scale.get(field) or ""
        if not value:
            found.append(required(f"{path}.scale.{field}"))
        elif not value.startswith(root):
            found.append(invalid(f"{path}.scale.{field}", value, f"should be a json path under {root[:-1]}"))


def _validate_column(column: dict[str, Any], path: str, found: Found) -> None:
    for field in ("name", "type"):
        if not column.get(field):
            found.append(required(f"{path}.{field}"))
    if column.get("type") and column["type"] not in COLUMN_TYPES:
        detail = f"must be one of {','.join(sorted(COLUMN_TYPES))}"
        found.append(invalid(f"{path}.type", column["type"], detail))
    if column.get("format") and column["format"] not in COLUMN_FORMATS:
        detail = f"must be one of {','.join(sorted(COLUMN_FORMATS))}"
        found.append(invalid(f"{path}.format", column["format"], detail))
    if not column.get("jsonPath"):
        found.append(required(f"{path}.jsonPath"))


def _validate_names(own: dict[str, Any], path: str, found: Found) -> None:
    for field in ("plural", "singular"):
        value = own.get(field)
        if value or field == "plural":
            for message in names.dns1035_label(value or ""):
                found.append(invalid(f"{path}.{field}", value or "", message))
    for field in ("kind", "listKind"):
        value = own.get(field) or ""
        for message in names.dns1035_label(value.lower()):
            detail = f"may have mixed case, but should otherwise match: {message}"
            found.append(invalid(f"{path}.{field}", value, detail))
    for field in ("shortNames", "categories"):
        for index, value in enumerate(own.get(field) or ()):
            check(value or "", f"{path}.{field}[{index}]", names.dns1035_label, found)
    if own.get("kind") and own.get("kind") == own.get("listKind"):
        detail = "kind and listKind may not be the same"
        found.append(invalid(f"{path}.listKind", own["listKind"], detail))


def _validate_conversion(conversion: dict[str, Any], found: Found) -> None:
    strategy = conversion.get("strategy") or ""
    if strategy not in CONVERSIONS:
        found.append(not_supported("spec.conversion.strategy", strategy, CONVERSIONS))
    elif strategy == "Webhook" and (conversion.get("webhook") or {}).get("clientConfig") is None:
        detail = "required when strategy is set to Webhook"
        found.append(required("spec.conversion.webhookClientConfig", detail))


def validate_update(new: Object, old: Object) -> Found:
    """Once the names are accepted, they and the scope stay."""
    found: Found = []
    after, before = new.get("spec") or {}, old.get("spec") or {}
    pairs = [("group", after, before, "spec.group")]
    if is_true(old, "Established"):
        own, had = after.get("names") or {}, before.get("names") or {}
        pairs += [
            ("scope", after, before, "spec.scope"),
            ("plural", own, had, "spec.names.plural"),
            ("kind", own, had, "spec.names.kind"),
        ]
    for field, section, was, path in pairs:
        if section.get(field) != was.get(field):
            found.append(invalid(path, section.get(field), "field is immutable"))
    stored = (old.get("status") or {}).get("storedVersions") or ()
    kept = {version.get("name") for version in after.get("versions") or ()}
    for index, name in enumerate(stored):
        if name not in kept:
            path = f"status.storedVersions[{index}]"
            found.append(
                invalid(
                    path,
                    name,
                    "missing from spec.versions; was previously a storage version, "
                    "and must remain in spec.versions until a storage migration ensures no data remains "
                    f"persisted in {name} and removes {name} from status.storedVersions",
                )
            )
    return found
