"""Is a CustomResourceDefinition well formed? Rules and wording of apiextensions' validation."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.apiextensions import rule_checks, schemas, values
from mamekube.kinds.fields import Found, check_choice
from mamekube.objects import jsonpath, names
from mamekube.objects.conditions import is_true
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_supported, required, too_many
from mamekube.objects.meta import Object, annotations_of, name_of

SCOPES = ("Cluster", "Namespaced")
CONVERSIONS = ("None", "Webhook")
COLUMN_TYPES = frozenset(("boolean", "date", "integer", "number", "string"))
COLUMN_FORMATS = frozenset(
    ("binary", "bool", "byte", "date", "date-time", "double", "float", "int32", "int64", "password")
)
REVIEW_VERSIONS = ("v1", "v1beta1")
APPROVAL = "api-approved.kubernetes.io"
DEPRECATION_BYTES_MAX = 256
SELECTABLE_MAX = 8
SELECTABLE_TYPES = frozenset(("boolean", "integer", "string"))
SELECTABLE_DETAIL = (
    "must point to a field of type string, boolean or integer. "
    "Enum string fields and strings with formats are allowed."
)
STORAGE_VERSIONS = "must have exactly one version marked as storage version"


def validate_create(definition: Object) -> Found:
    return _validate(definition, None)


def _validate(definition: Object, old: Object | None) -> Found:
    found: Found = []
    spec, name = definition.get("spec") or {}, name_of(definition)
    own, group = spec.get("names") or {}, spec.get("group") or ""
    if name != f"{own.get('plural') or ''}.{group}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    problems = names.dns1123_subdomain(group)
    if not group:
        found.append(required("spec.group"))
    elif problems:
        found.append(invalid("spec.group", group, ",".join(problems)))
    elif "." not in group:
        found.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    check_choice(spec.get("scope"), "spec.scope", SCOPES, found)
    _validate_versions(spec.get("versions") or [], found)
    for field in ("plural", "singular", "kind", "listKind"):
        if not own.get(field):
            found.append(required(f"spec.names.{field}"))
    _validate_names(own, "spec.names", found)
    _validate_parts(spec.get("versions") or [], (old or {}).get("spec") or {}, found)
    if spec.get("conversion") is not None:
        _validate_conversion(spec["conversion"], found)
    if spec.get("preserveUnknownFields"):
        found.append(invalid("spec.preserveUnknownFields", True, "must be false"))
    _validate_approval(definition, group, found)
    return found


def warnings(new: Object, old: Object | None) -> list[str]:
    """Formats that the schemas ask for and nobody knows, where they are new."""
    before = set(_unknown_formats(old)) if old is not None else set()
    return [
        f'unrecognized format "{name}"' for name in dict.fromkeys(_unknown_formats(new)) if name not in before
    ]


def _unknown_formats(definition: Object) -> list[str]:
    return [
        name
        for version in (definition.get("spec") or {}).get("versions") or ()
        for name in schemas.unknown_formats((version.get("schema") or {}).get("openAPIV3Schema") or {})
    ]


def _validate_approval(definition: Object, group: str, found: Found) -> None:
    """Groups of Kubernetes itself are for what its API reviewers approved."""
    if not (group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))):
        return
    said = annotations_of(definition).get(APPROVAL, "")
    path = f"metadata.annotations[{APPROVAL}]"
    if not said:
        found.append(
            required(
                path,
                f'protected groups must have approval annotation "{APPROVAL}", '
                "see https://github.com/kubernetes/enhancements/pull/1111",
            )
        )
    elif not said.startswith(("unapproved", "http://", "https://")):
        detail = (
            f'protected groups must have approval annotation "{APPROVAL}" with either a URL or a reason starting with '
            '"unapproved", see https://github.com/kubernetes/enhancements/pull/1111'
        )
        found.append(invalid(path, said, detail))


def _validate_versions(versions: list[dict[str, Any]], found: Found) -> None:
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            found.append(required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        problems = names.dns1035_label(name)
        if problems:
            found.append(invalid(f"{path}.name", name, ",".join(problems)))
        _validate_deprecation(version, path, found)
    if len({version.get("name") or "" for version in versions}) < len(versions):
        found.append(invalid("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(invalid("spec.versions", versions, STORAGE_VERSIONS))


def _validate_deprecation(version: dict[str, Any], path: str, found: Found) -> None:
    text = version.get("deprecationWarning")
    if text is None:
        return
    problems = []
    if not version.get("deprecated"):
        problems = ["can only be set for deprecated versions"]
    elif len(text.encode()) > DEPRECATION_BYTES_MAX:
        problems = [f"must be <= {DEPRECATION_BYTES_MAX} characters long"]
    elif not text:
        problems = ["must not be an empty string"]
    unprintable = next((place for place, letter in enumerate(text) if not letter.isprintable()), None)
    if version.get("deprecated") and unprintable is not None:
        place = len(text[:unprintable].encode())
        detail = f"non-printable character found at index {place}"
        problems.append(f"must only contain printable UTF-8 characters; {detail}")
    found += [invalid(f"{path}.deprecationWarning", text, problem) for problem in problems]


def _validate_parts(versions: list[dict[str, Any]], old: dict[str, Any], found: Found) -> None:
    """What every version may have of its own. Where all say the same, upstream speaks of it as the whole's."""
    before = {version.get("name"): version.get("schema") for version in old.get("versions") or ()}

    def validate_schema(version: dict[str, Any], path: str, found: Found) -> None:
        name = version.get("name")
        ratcheted = name in before and values.same(before[name], version.get("schema"))
        _validate_schema(version, path, found, ratcheted=ratcheted)

    for key, whole, rule in (
        ("schema", "spec.validation", validate_schema),
        ("subresources", "spec.subresources", _validate_subresources),
        ("additionalPrinterColumns", "spec.additionalPrinterColumns", _validate_columns),
        ("selectableFields", "spec.selectableFields", _validate_selectable),
    ):
        if versions and all(values.same(version.get(key), versions[0].get(key)) for version in versions):
            rule(versions[0], whole, found)
            continue
        for index, version in enumerate(versions):
            rule(version, f"spec.versions[{index}].{key}", found)


def _validate_schema(version: dict[str, Any], path: str, found: Found, *, ratcheted: bool) -> None:
    schema, where = (version.get("schema") or {}).get("openAPIV3Schema"), f"{path}.openAPIV3Schema"
    if schema is not None:
        has_status = (version.get("subresources") or {}).get("status") is not None
        schemas.validate(schema, where, has_status=has_status, ratcheted=ratcheted, found=found)


def _validate_subresources(version: dict[str, Any], path: str, found: Found) -> None:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return
    for field, roots in (
        ("specReplicasPath", (".spec.",)),
        ("statusReplicasPath", (".status.",)),
        ("labelSelectorPath", (".spec.", ".status.")),
    ):
        value, where = scale.get(field) or "", f"{path}.scale.{field}"
        if not value:
            if field != "labelSelectorPath":
                found.append(required(where))
        elif not value.startswith("."):
            found.append(invalid(where, value, "must be a simple json path starting with ."))
        elif not value.startswith(roots):
            allowed = " or ".join(root[:-1] for root in roots)
            either = "either " if len(roots) > 1 else ""
            found.append(invalid(where, value, f"should be a json path under {either}{allowed}"))


def _validate_columns(version: dict[str, Any], path: str, found: Found) -> None:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        _validate_column(column, f"{path}[{index}]", found)


def _validate_column(column: dict[str, Any], path: str, found: Found) -> None:
    if not column.get("name"):
        found.append(required(f"{path}.name"))
    kind = column.get("type")
    if not kind:
        choices = ",".join(sorted(COLUMN_TYPES))
        found.append(required(f"{path}.type", f"must be one of {choices}"))
    elif kind not in COLUMN_TYPES:
        found.append(invalid(f"{path}.type", kind, f"must be one of {','.join(sorted(COLUMN_TYPES))}"))
    if column.get("format") and column["format"] not in COLUMN_FORMATS:
        detail = f"must be one of {','.join(sorted(COLUMN_FORMATS))}"
        found.append(invalid(f"{path}.format", column["format"], detail))
    where, text = f"{path}.JSONPath", column.get("jsonPath") or ""
    if not text:
        found.append(required(where))
        return
    if not text.startswith("."):
        found.append(invalid(where, text, "must be a simple json path starting with ."))
        return
    try:
        jsonpath.find(text, {})
    except jsonpath.JSONPathError as error:
        found.append(invalid(where, text, str(error)))


def _validate_selectable(version: dict[str, Any], path: str, found: Found) -> None:
    fields = version.get("selectableFields") or ()
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen: set[str] = set()
    for index, field in enumerate(fields):
        where, text = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not text:
            found.append(required(where))
            continue
        below = rule_checks.find_field(schema, text, brackets=False)
        if isinstance(below, str):
            found.append(invalid(where, text, f"is an invalid path: {below}"))
            continue
        if text.startswith((".metadata.", ".metadata[")):
            found.append(invalid(where, text, "must not point to fields in metadata"))
        if below.get("type") not in SELECTABLE_TYPES:
            found.append(invalid(where, text, SELECTABLE_DETAIL))
        if text in seen:
            found.append(duplicate(where, text))
        seen.add(text)
    if len(seen) > SELECTABLE_MAX:
        found.append(too_many(path, len(seen), SELECTABLE_MAX))


def _validate_names(own: dict[str, Any], path: str, found: Found) -> None:
    for field in ("plural", "singular"):
        _validate_label(own.get(field) or "", f"{path}.{field}", found)
    for field in ("kind", "listKind"):
        value = own.get(field) or ""
        problems = names.dns1035_label(value.lower()) if value else []
        if problems:
            detail = f"may have mixed case, but should otherwise match: {','.join(problems)}"
            found.append(invalid(f"{path}.{field}", value, detail))
    for index, value in enumerate(own.get("shortNames") or ()):
        _validate_label(value or "", f"{path}.shortNames[{index}]", found)
    if own.get("kind") and own.get("kind") == own.get("listKind"):
        detail = "kind and listKind may not be the same"
        found.append(invalid(f"{path}.listKind", own["listKind"], detail))
    for index, value in enumerate(own.get("categories") or ()):
        _validate_label(value or "", f"{path}.categories[{index}]", found)


def _validate_label(value: str, path: str, found: Found) -> None:
    problems = names.dns1035_label(value) if value else []
    if problems:
        found.append(invalid(path, value, ",".join(problems)))


def _validate_conversion(conversion: dict[str, Any], found: Found) -> None:
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook")
    path = "spec.conversion"
    if not strategy:
        found.append(required(f"{path}.strategy"))
    elif strategy not in CONVERSIONS:
        found.append(not_supported(f"{path}.strategy", strategy, CONVERSIONS))
    if strategy != "Webhook":
        if webhook is not None:
            detail = "should not be set when strategy is not set to Webhook"
            if webhook.get("clientConfig") is not None:
                found.append(forbidden(f"{path}.webhookClientConfig", detail))
            if webhook.get("conversionReviewVersions"):
                found.append(forbidden(f"{path}.conversionReviewVersions", detail))
        return
    config = (webhook or {}).get("clientConfig")
    if config is None:
        detail = "required when strategy is set to Webhook"
        found.append(required(f"{path}.webhookClientConfig", detail))
    else:
        _validate_client(config, f"{path}.webhookClientConfig", found)
    _validate_review_versions(
        (webhook or {}).get("conversionReviewVersions") or [], f"{path}.conversionReviewVersions", found
    )


def _validate_client(config: dict[str, Any], path: str, found: Found) -> None:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        found.append(required(path, "exactly one of url or service is required"))
        return
    if url is not None and not url.startswith("https://"):
        scheme = url.partition(":")[0] if "://" in url else ""
        detail = (
            f"'https' is the only allowed URL scheme; desired format: https://host[/path]; got \"{scheme}\""
        )
        found.append(invalid(f"{path}.url", url, detail.removesuffix(f'; got "{scheme}"')))
    for field in ("name", "namespace"):
        if service is not None and not service.get(field):
            found.append(required(f"{path}.service.{field}", f"service {field} is required"))


def _validate_review_versions(versions: list[str], path: str, found: Found) -> None:
    if not versions:
        found.append(required(path))
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            found.append(invalid(f"{path}[{index}]", version, "duplicate version"))
            continue
        found += [invalid(f"{path}[{index}]", version, problem) for problem in names.dns1035_label(version)]
    if not any(version in REVIEW_VERSIONS for version in versions):
        detail = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        found.append(invalid(path, versions, detail))


def validate_update(new: Object, old: Object) -> Found:
    """Once the names are accepted, the kind and the scope stay; what is part of the name always does."""
    found = _validate(new, old)
    after, before = new.get("spec") or {}, old.get("spec") or {}
    own, had = after.get("names") or {}, before.get("names") or {}
    pairs = [("group", after, before, "spec.group"), ("plural", own, had, "spec.names.plural")]
    if is_true(old, "Established"):
        pairs = [("scope", after, before, "spec.scope"), ("kind", own, had, "spec.names.kind"), *pairs]
    for field, section, was, path in pairs:
        if section.get(field) != was.get(field):
            found.append(invalid(path, section.get(field), "field is immutable"))
    stored = (new.get("status") or {}).get("storedVersions") or ()
    kept = {version.get("name") for version in after.get("versions") or ()}
    for index, name in enumerate(stored):
        if name not in kept:
            path = f"status.storedVersions[{index}]"
            found.append(
                invalid(
                    path,
                    name,
                    f"missing from spec.versions; {name} was previously a storage version, "
                    "and must remain in spec.versions until a storage migration ensures no data remains "
                    f"persisted in {name} and removes {name} from status.storedVersions",
                )
            )
    return found
