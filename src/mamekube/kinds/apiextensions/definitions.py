"""Is a CustomResourceDefinition well formed? Rules and wording of apiextensions' validation."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import webhooks
from mamekube.kinds.apiextensions import rule_checks, schemas, values
from mamekube.kinds.fields import Found, check_choice, repeated
from mamekube.objects import names, urls
from mamekube.objects.conditions import is_true
from mamekube.objects.fielderrors import (
    Struct,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_many,
)
from mamekube.objects.meta import Object, annotations_of, name_of

SCOPES = ("Cluster", "Namespaced")
CONVERSIONS = ("None", "Webhook")
COLUMN_TYPES = frozenset(("boolean", "date", "integer", "number", "string"))
COLUMN_FORMATS = frozenset(("byte", "date", "date-time", "double", "float", "int32", "int64", "password"))
REVIEW_VERSIONS = ("v1", "v1beta1")
APPROVAL = "api-approved.kubernetes.io"
DEPRECATION_BYTES_MAX = 256
LOST_VERSIONS_TOLD_MAX = 10
"""Upstream tells of all, and shows all stored versions each time."""
SELECTABLE_MAX = 8
SELECTABLE_TYPES = frozenset(("boolean", "integer", "string"))
SELECTABLE_DETAIL = (
    "must point to a field of type string, boolean or integer. "
    "Enum string fields and strings with formats are allowed."
)
STORAGE_VERSIONS = "must have exactly one version marked as storage version"


def validate_create(definition: Object) -> Found:
    found: Found = []
    spec, name = definition.get("spec") or {}, name_of(definition)
    if name != f"{(spec.get('names') or {}).get('plural') or ''}.{spec.get('group') or ''}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    _validate_spec(spec, {}, found, any_bundle=True)
    _validate_stored(definition, found)
    _validate_approval(definition, None, found)
    _validate_pruning(spec, {}, found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    """Once the names are accepted, the kind and the scope stay; what is part of the name always does."""
    found: Found = []
    after, before = new.get("spec") or {}, old.get("spec") or {}
    own, had = after.get("names") or {}, before.get("names") or {}
    established = is_true(old, "Established")
    # What could never work may be written until somebody could use it, or stay as it is.
    _validate_spec(after, before, found, any_bundle=not established or has_bad_bundle(before))
    pairs = [("group", after, before, "spec.group"), ("plural", own, had, "spec.names.plural")]
    if established:
        pairs = [("scope", after, before, "spec.scope"), ("kind", own, had, "spec.names.kind"), *pairs]
    for field, section, was, path in pairs:
        if section.get(field) != was.get(field):
            found.append(invalid(path, section.get(field), "field is immutable"))
    found += validate_status(new, old)
    _validate_stored(new, found)
    _validate_approval(new, old, found)
    _validate_pruning(after, before, found)
    return found


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    _validate_names((new.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames", found)
    return found


def _validate_spec(spec: dict[str, Any], old: dict[str, Any], found: Found, *, any_bundle: bool) -> None:
    own, group = spec.get("names") or {}, spec.get("group") or ""
    problems = names.dns1123_subdomain(group)
    if not group:
        found.append(required("spec.group"))
    elif problems:
        found.append(invalid("spec.group", group, ",".join(problems)))
    elif "." not in group:
        found.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    check_choice(spec.get("scope"), "spec.scope", SCOPES, found)
    parts = _Parts(spec.get("versions") or [], old)
    _validate_versions(spec, parts, found)
    for field in ("plural", "singular", "kind", "listKind"):
        if not own.get(field):
            found.append(required(f"spec.names.{field}"))
    _validate_names(own, "spec.names", found)
    parts.validate_whole(found)
    if spec.get("conversion") is not None:
        strategy = spec["conversion"].get("strategy")
        if spec.get("preserveUnknownFields") and strategy != "None":
            detail = "must be None if spec.preserveUnknownFields is true"
            found.append(invalid("spec.conversion.strategy", strategy, detail))
        _validate_conversion(spec["conversion"], found, any_bundle=any_bundle)


def _validate_stored(definition: Object, found: Found) -> None:
    """Every version that objects may be stored in is there, and the one that they are stored in now is noted."""
    path, stored = "status.storedVersions", (definition.get("status") or {}).get("storedVersions") or []
    if not stored:
        found.append(invalid(path, stored or None, "must have at least one stored version"))
        return
    versions, known = (definition.get("spec") or {}).get("versions") or (), frozenset(stored)
    lost = [version for version in versions if version.get("storage") and version.get("name") not in known]
    for version in lost[:LOST_VERSIONS_TOLD_MAX]:
        found.append(invalid(path, stored, f"must have the storage version {version.get('name')}"))
    kept = {version.get("name") for version in versions}
    for index, name in enumerate(stored):
        if name not in kept:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{name} and removes {name} from status.storedVersions"
            )
            found.append(invalid(f"{path}[{index}]", name, detail))


def _validate_pruning(spec: dict[str, Any], old: dict[str, Any], found: Found) -> None:
    if spec.get("preserveUnknownFields") and not old.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
            "instead"
        )
        found.append(invalid("spec.preserveUnknownFields", True, detail))


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
        for name in schemas.unknown_formats(schema_of(version) or {})
    ]


def is_protected(group: str) -> bool:
    """Groups of Kubernetes itself are for what its API reviewers approved."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def approval_of(definition: Object) -> str:
    """What the annotation says: that it is `Missing`, `Unapproved`, `Approved` (a URL) or `Invalid`."""
    said = annotations_of(definition).get(APPROVAL, "")
    if not said:
        return "Missing"
    if said.startswith("unapproved"):
        return "Unapproved"
    try:
        url = urls.parse(said)
    except ValueError:
        return "Invalid"
    return "Approved" if url.scheme and url.host else "Invalid"


def _validate_approval(definition: Object, old: Object | None, found: Found) -> None:
    """A state that does not change is never refused."""
    state = approval_of(definition)
    if not is_protected((definition.get("spec") or {}).get("group") or ""):
        return
    if old is not None and approval_of(old) == state:
        return
    path, more = (
        f"metadata.annotations[{APPROVAL}]",
        "see https://github.com/kubernetes/enhancements/pull/1111",
    )
    detail = f'protected groups must have approval annotation "{APPROVAL}"'
    if state == "Missing":
        found.append(required(path, f"{detail}, {more}"))
    elif state == "Invalid":
        detail += f' with either a URL or a reason starting with "unapproved", {more}'
        found.append(invalid(path, annotations_of(definition)[APPROVAL], detail))


def _validate_versions(spec: dict[str, Any], parts: _Parts, found: Found) -> None:
    versions = parts.versions
    for index, version in enumerate(versions):
        if schema_of(version) is None:
            found.append(required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required"))
    if spec.get("preserveUnknownFields") and any(schemas.has_defaults(schema_of(each)) for each in versions):
        detail = "must be false in order to use defaults in the schema"
        found.append(invalid("spec.preserveUnknownFields", True, detail))
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        _validate_label(name, f"{path}.name", found, empty=True)
        _validate_deprecation(version, path, found)
        parts.validate_own(index, found)
    shown = parts.shown()
    if len({version.get("name") or "" for version in versions}) < len(versions):
        found.append(invalid("spec.versions", shown, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(invalid("spec.versions", shown, STORAGE_VERSIONS))
    if versions and versions[0].get("name"):
        # Upstream has the first version's name a second time.
        _validate_label(versions[0]["name"], "spec.version", found)


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


class _Parts:
    """What every version may have of its own. Where all say the same, upstream speaks of it as the whole's."""

    def __init__(self, versions: list[dict[str, Any]], old: dict[str, Any]) -> None:
        self.versions = versions
        self._before = {version.get("name"): version.get("schema") for version in old.get("versions") or ()}
        self._rules = (
            ("schema", "validation", self._validate_schema),
            ("subresources", "subresources", _validate_subresources),
            ("additionalPrinterColumns", "additionalPrinterColumns", _validate_columns),
            ("selectableFields", "selectableFields", _validate_selectable),
        )
        self._shared = {
            key
            for key, _, _ in self._rules
            if versions and all(values.same(version.get(key), versions[0].get(key)) for version in versions)
        }

    def validate_own(self, index: int, found: Found) -> None:
        version = self.versions[index]
        has_status = (version.get("subresources") or {}).get("status") is not None
        for key, _, rule in self._rules:
            if key not in self._shared:
                rule(version, f"spec.versions[{index}].{key}", has_status, found)

    def validate_whole(self, found: Found) -> None:
        has_status = any(
            (version.get("subresources") or {}).get("status") is not None for version in self.versions
        )
        for key, name, rule in self._rules:
            if key in self._shared:
                rule(self.versions[0], f"spec.{name}", has_status, found)

    def shown(self) -> list[Struct] | None:
        """The versions as upstream's messages show them: its internal structures, without what is the whole's."""
        return [
            Struct(
                {
                    "Name": version.get("name") or "",
                    "Served": bool(version.get("served")),
                    "Storage": bool(version.get("storage")),
                    "Deprecated": bool(version.get("deprecated")),
                    "DeprecationWarning": version.get("deprecationWarning"),
                    **{
                        key[0].upper() + key[1:]: None if key in self._shared else version.get(key)
                        for key, _, _ in self._rules
                    },
                }
            )
            for version in self.versions
        ] or None

    def _validate_schema(self, version: dict[str, Any], path: str, has_status: bool, found: Found) -> None:
        schema, name = schema_of(version), version.get("name")
        ratcheted = name in self._before and values.same(self._before[name], version.get("schema"))
        if schema is not None:
            where = f"{path}.openAPIV3Schema"
            schemas.validate(schema, where, has_status=has_status, ratcheted=ratcheted, found=found)


def schema_of(version: dict[str, Any]) -> dict[str, Any] | None:
    return (version.get("schema") or {}).get("openAPIV3Schema")


def _validate_subresources(version: dict[str, Any], path: str, has_status: bool, found: Found) -> None:
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


def _validate_columns(version: dict[str, Any], path: str, has_status: bool, found: Found) -> None:
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
    elif not text.startswith("."):
        found.append(invalid(where, text, "must be a simple json path starting with ."))


def _validate_selectable(version: dict[str, Any], path: str, has_status: bool, found: Found) -> None:
    fields = version.get("selectableFields") or ()
    schema = schema_of(version) or {}
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
        if text == ".metadata" or text.startswith((".metadata.", ".metadata[")):
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
        _validate_label(value or "", f"{path}.shortNames[{index}]", found, empty=True)
    if own.get("kind") and own.get("kind") == own.get("listKind"):
        detail = "kind and listKind may not be the same"
        found.append(invalid(f"{path}.listKind", own["listKind"], detail))
    for index, value in enumerate(own.get("categories") or ()):
        _validate_label(value or "", f"{path}.categories[{index}]", found, empty=True)


def _validate_label(value: str, path: str, found: Found, *, empty: bool = False) -> None:
    """`empty`: the empty text is judged as well."""
    problems = names.dns1035_label(value) if value or empty else []
    if problems:
        found.append(invalid(path, value, ",".join(problems)))


def has_bad_bundle(spec: dict[str, Any]) -> bool:
    """Whether its conversion webhook could never be trusted."""
    bundle = _bundle(spec)
    return bool(bundle and webhooks.ca_problem(bundle))


def _bundle(spec: dict[str, Any]) -> str:
    webhook = (spec.get("conversion") or {}).get("webhook") or {}
    return (webhook.get("clientConfig") or {}).get("caBundle") or ""


def _validate_conversion(conversion: dict[str, Any], found: Found, *, any_bundle: bool) -> None:
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
        webhooks.validate_client(config, f"{path}.webhookClientConfig", found)
        bundle = config.get("caBundle") or ""
        if bundle and not any_bundle and (problem := webhooks.ca_problem(bundle)):
            found.append(invalid(f"{path}.webhookClientConfig.caBundle", bundle, problem))
    _validate_review_versions(
        (webhook or {}).get("conversionReviewVersions") or [], f"{path}.conversionReviewVersions", found
    )


def _validate_review_versions(versions: list[str], path: str, found: Found) -> None:
    if not versions:
        found.append(required(path))
        return
    twice = repeated(versions)
    for index, version in enumerate(versions):
        if index in twice:
            found.append(invalid(f"{path}[{index}]", version, "duplicate version"))
            continue
        found += [invalid(f"{path}[{index}]", version, problem) for problem in names.dns1035_label(version)]
    if not any(version in REVIEW_VERSIONS for version in versions):
        detail = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        found.append(invalid(path, versions, detail))
