"""Is a registration well formed? What webhooks, policies and bindings share of upstream's rules and wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kinds import cells, selectors, webhooks
from mamekube.kinds.admissionregistration import expressions
from mamekube.kinds.fields import Found, check, check_choice, check_required, repeated
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
SCOPES = ("*", "Cluster", "Namespaced")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
MUTATED_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
NOT_FOUND_ACTIONS = ("Deny", "Allow")
REVIEW_VERSIONS = ("v1", "v1beta1")
TIMEOUT_S_MAX = 30
EXCLUSIVE = "name and selector are mutually exclusive"


def _check(value: str | None, path: str, choices: tuple[str, ...], found: Found) -> None:
    if value is not None and value not in choices:
        found.append(not_supported(path, value, choices))


# Webhooks -----------------------------------------------------------------------------------------------


def validate_webhooks(configuration: Object) -> Found:
    return _validate_webhooks(configuration, None)


def validate_webhooks_update(new: Object, old: Object) -> Found:
    return _validate_webhooks(new, old)


def _validate_webhooks(configuration: Object, old: Object | None) -> Found:
    """Conditions that an update leaves alone are not compiled again."""
    found: Found = []
    listed = configuration.get("webhooks") or ()
    same = old is not None and _conditions(listed) == _conditions(old.get("webhooks") or ())
    taken: set[str] = set()
    for index, webhook in enumerate(listed):
        path, name = f"webhooks[{index}]", webhook.get("name") or ""
        _validate_webhook(webhook, path, found, conditions=not same)
        _validate_review_versions(webhook.get("admissionReviewVersions") or [], path, found)
        if name and name in taken:
            found.append(duplicate(f"{path}.name", name))
        taken.add(name)
    return found


def _conditions(listed: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [webhook.get("matchConditions") or [] for webhook in listed]


def _validate_webhook(webhook: Mapping[str, Any], path: str, found: Found, *, conditions: bool) -> None:
    name = webhook.get("name") or ""
    if not name:
        found.append(required(f"{path}.name"))
    elif problems := names.dns1123_subdomain(name):
        found.append(invalid(f"{path}.name", name, ",".join(problems)))
    elif name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        found.append(invalid(f"{path}.name", name, detail))
    for index, rule in enumerate(webhook.get("rules") or ()):
        _validate_rule(rule, f"{path}.rules[{index}]", found)
    _check(webhook.get("failurePolicy"), f"{path}.failurePolicy", FAILURE_POLICIES, found)
    _check(webhook.get("matchPolicy"), f"{path}.matchPolicy", MATCH_POLICIES, found)
    effects = webhook.get("sideEffects")
    if effects is None:
        found.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(SIDE_EFFECTS)}"))
    _check(effects, f"{path}.sideEffects", SIDE_EFFECTS, found)
    timeout_s = webhook.get("timeoutSeconds")
    if timeout_s is not None and not 1 <= timeout_s <= TIMEOUT_S_MAX:
        detail = f"the timeout value must be between 1 and {TIMEOUT_S_MAX} seconds"
        found.append(invalid(f"{path}.timeoutSeconds", timeout_s, detail))
    for field in ("namespaceSelector", "objectSelector"):
        selectors.validate(webhook.get(field), f"{path}.{field}", found)
    _check(webhook.get("reinvocationPolicy"), f"{path}.reinvocationPolicy", REINVOCATION_POLICIES, found)
    webhooks.validate_client(webhook.get("clientConfig"), f"{path}.clientConfig", found)
    if conditions:
        expressions.check_conditions(webhook.get("matchConditions"), f"{path}.matchConditions", found)


def _validate_review_versions(versions: list[str], path: str, found: Found) -> None:
    where, choices = f"{path}.admissionReviewVersions", ", ".join(REVIEW_VERSIONS)
    if not versions:
        found.append(required(where, f"must specify one of {choices}"))
        return
    twice = repeated(versions)
    for index, version in enumerate(versions):
        if index in twice:
            found.append(invalid(f"{where}[{index}]", version, "duplicate version"))
        else:
            check(version, f"{where}[{index}]", names.dns1035_label, found)
    if not any(version in REVIEW_VERSIONS for version in versions):
        found.append(invalid(where, versions, f"must include at least one of {choices}"))


# Rules --------------------------------------------------------------------------------------------------


def _validate_rule(rule: Mapping[str, Any], path: str, found: Found) -> None:
    for field, what in (
        ("operations", "operations"),
        ("apiGroups", "API groups"),
        ("apiVersions", "API versions"),
    ):
        values, where = rule.get(field) or [], f"{path}.{field}"
        if not values:
            found.append(required(where))
        if len(values) > 1 and "*" in values:
            found.append(invalid(where, values, f"if '*' is present, must not specify other {what}"))
        for index, value in enumerate(values):
            if field == "operations":
                _check(value or "", f"{where}[{index}]", OPERATIONS, found)
            elif field == "apiVersions" and not value:
                found.append(required(f"{where}[{index}]"))
    _validate_resources(rule.get("resources") or [], f"{path}.resources", found)
    _check(rule.get("scope"), f"{path}.scope", SCOPES, found)


def _validate_resources(resources: list[str], path: str, found: Found) -> None:
    """`pods`, `pods/*`, `*/scale`: none that another one names already."""
    if not resources:
        found.append(required(path))
    every_subresource, on_every_resource = set(), set()
    has_plain = False
    for index, resource in enumerate(resources):
        where = f"{path}[{index}]"
        if not resource:
            found.append(required(where))
            continue
        name, slash, below = resource.partition("/")
        if not slash:
            # Upstream remembers the last one only.
            has_plain = resource != "*"
            continue
        if name in every_subresource:
            found.append(invalid(where, resource, f"if '{name}/*' is present, must not specify {resource}"))
        if below in on_every_resource:
            found.append(invalid(where, resource, f"if '*/{below}' is present, must not specify {resource}"))
        if below == "*":
            every_subresource.add(name)
        if name == "*":
            on_every_resource.add(below)
    if len(resources) > 1 and "*/*" in resources:
        found.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and has_plain:
        detail = "if '*' is present, must not specify other resources without subresources"
        found.append(invalid(path, resources, detail))


# Policies and bindings ----------------------------------------------------------------------------------


def validate_policy(policy: Object, old: Object | None, *, mutating: bool = False) -> Found:
    """What policies of both kinds share; conditions that an update leaves alone are not compiled again."""
    found: Found = []
    spec = cells.spec_of(policy)
    before = cells.spec_of(old) if old is not None else None
    check_choice(spec.get("failurePolicy"), "spec.failurePolicy", FAILURE_POLICIES, found)
    kind = spec.get("paramKind")
    if kind is not None:
        _validate_param_kind(kind, "spec.paramKind", found)
    match, path = spec.get("matchConstraints"), "spec.matchConstraints"
    if match is None:
        found.append(required(path))
    else:
        _validate_match(match, path, found)
        if not match.get("resourceRules"):
            found.append(required(f"{path}.resourceRules"))
        if mutating:
            _validate_mutated(match, path, found)
    same = before is not None and all(
        (before.get(field) or None) == (spec.get(field) or None) for field in ("paramKind", "matchConditions")
    )
    if not same:
        expressions.check_conditions(
            spec.get("matchConditions"), "spec.matchConditions", found, params=kind is not None
        )
    return found


def _validate_param_kind(kind: Mapping[str, Any], path: str, found: Found) -> None:
    api_version, where = kind.get("apiVersion") or "", f"{path}.apiVersion"
    group, _, version = api_version.rpartition("/")
    if not api_version:
        found.append(required(where))
    elif api_version.count("/") > 1:
        found.append(invalid(where, api_version, f"unexpected GroupVersion string: {api_version}"))
    else:
        if group and (problems := names.dns1123_subdomain(group)):
            found.append(invalid(where, group, ",".join(problems)))
        if not version:
            found.append(invalid(where, api_version, "version must be specified"))
        elif problems := names.dns1035_label(version):
            found.append(invalid(where, version, ",".join(problems)))
    name = kind.get("kind") or ""
    if not name:
        found.append(required(f"{path}.kind"))
    elif problems := names.dns1035_label(name.lower()):
        detail = f"may have mixed case, but should otherwise match: {','.join(problems)}"
        found.append(invalid(f"{path}.kind", name, detail))


def _validate_match(match: Mapping[str, Any], path: str, found: Found) -> None:
    """MatchResources."""
    check_choice(match.get("matchPolicy"), f"{path}.matchPolicy", MATCH_POLICIES, found)
    for field in ("namespaceSelector", "objectSelector"):
        selectors.validate(match.get(field), f"{path}.{field}", found)
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(field) or ()):
            where, taken = f"{path}.{field}[{index}]", set()
            for position, name in enumerate(rule.get("resourceNames") or ()):
                check(name or "", f"{where}.resourceNames[{position}]", names.path_segment, found)
                if name in taken:
                    found.append(duplicate(f"{where}.resourceNames[{position}]", name))
                taken.add(name)
            _validate_rule(rule, where, found)


def _validate_mutated(match: Mapping[str, Any], path: str, found: Found) -> None:
    """What is deleted cannot be changed."""
    for rule in match.get("resourceRules") or ():
        for operation in rule.get("operations") or ():
            _check(operation, f"{path}.resourceRules.operations", MUTATED_OPERATIONS, found)


def validate_binding(binding: Object, *, mutating: bool = False) -> Found:
    found: Found = []
    spec = cells.spec_of(binding)
    check_required(spec.get("policyName"), "spec.policyName", names.dns1123_subdomain, found)
    if spec.get("paramRef") is not None:
        _validate_reference(spec["paramRef"], "spec.paramRef", found)
    match = spec.get("matchResources")
    if match is not None:
        _validate_match(match, "spec.matchResources", found)
        if mutating:
            _validate_mutated(match, "spec.matchResources", found)
    return found


def _validate_reference(reference: Mapping[str, Any], path: str, found: Found) -> None:
    name, selector = reference.get("name") or "", reference.get("selector")
    check(name, f"{path}.name", names.path_segment, found)
    if name and selector is not None:
        found.append(forbidden(f"{path}.name", EXCLUSIVE))
    selectors.validate(selector, f"{path}.selector", found)
    if name and selector is not None:
        found.append(forbidden(f"{path}.selector", EXCLUSIVE))
    if not name and selector is None:
        found.append(required(path, "one of name or selector must be specified"))
    action = reference.get("parameterNotFoundAction")
    check_choice(action, f"{path}.parameterNotFoundAction", NOT_FOUND_ACTIONS, found)
