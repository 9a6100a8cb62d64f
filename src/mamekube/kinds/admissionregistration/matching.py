"""What all admission registrations share: which requests they are about, and their defaults and table texts."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.admissionregistration import expressions
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, not_supported, required
from mamekube.objects.meta import Object

WEBHOOK_PORT = 443
WEBHOOK_TIMEOUT_S = 10

WEBHOOK_COLUMNS = (
    cells.NAME,
    Column(
        name="Webhooks",
        type="integer",
        description="Webhooks indicates the number of webhooks registered in this configuration",
    ),
    cells.AGE,
)

BINDING_COLUMNS = (
    cells.NAME,
    Column(
        name="PolicyName",
        description="PolicyName indicates the policy definition which the policy binding binded to",
    ),
    Column(
        name="ParamRef",
        description="ParamRef indicates the param resource which sets the configration param",
    ),
    cells.AGE,
)

PARAM_KIND = Column(
    name="ParamKind",
    description="ParamKind specifies the kind of resources used to parameterize this policy",
)


def default_rules(rules: list[dict[str, Any]] | None) -> None:
    for rule in rules or ():
        if rule.get("scope") is None:
            rule["scope"] = "*"


def default_match(match: dict[str, Any] | None) -> None:
    """MatchResources of a policy or a binding."""
    if match is None:
        return
    if match.get("matchPolicy") is None:
        match["matchPolicy"] = "Equivalent"
    _default_selectors(match)
    default_rules(match.get("resourceRules"))
    default_rules(match.get("excludeResourceRules"))


def default_webhook(webhook: dict[str, Any]) -> None:
    for field, value in (
        ("failurePolicy", "Fail"),
        ("matchPolicy", "Equivalent"),
        ("timeoutSeconds", WEBHOOK_TIMEOUT_S),
    ):
        if webhook.get(field) is None:
            webhook[field] = value
    _default_selectors(webhook)
    service = (webhook.get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = WEBHOOK_PORT
    default_rules(webhook.get("rules"))


def _default_selectors(holder: dict[str, Any]) -> None:
    for field in ("namespaceSelector", "objectSelector"):
        if holder.get(field) is None:
            holder[field] = {}


def default_webhooks(configuration: Object) -> None:
    for webhook in configuration.get("webhooks") or ():
        default_webhook(webhook)


def default_binding(binding: Object) -> None:
    default_match(cells.spec_of(binding).get("matchResources"))


def webhooks_row(configuration: Object, now_s: float) -> list[Any]:
    return [
        cells.name(configuration),
        len(configuration.get("webhooks") or ()),
        cells.age(configuration, now_s),
    ]


def policy_row(policy: Object, now_s: float, *, rules: str) -> list[Any]:
    """`rules` is the field of the spec that is counted."""
    spec = cells.spec_of(policy)
    kind = spec.get("paramKind")
    return [
        cells.name(policy),
        len(spec.get(rules) or ()),
        f"{kind.get('apiVersion') or ''}/{kind.get('kind') or ''}" if kind else cells.UNSET,
        cells.age(policy, now_s),
    ]


def binding_row(binding: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(binding)
    return [
        cells.name(binding),
        spec.get("policyName") or "",
        _parameter_text(spec.get("paramRef")),
        cells.age(binding, now_s),
    ]


def _parameter_text(reference: dict[str, Any] | None) -> str:
    if reference and reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    if reference and reference.get("selector") is not None:
        return cells.selector_text(reference["selector"])
    return cells.UNSET


# Validation -------------------------------------------------------------------------------------------

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
SCOPES = ("Cluster", "Namespaced", "*")
OPERATIONS = ("CREATE", "UPDATE", "DELETE", "CONNECT", "*")
REVIEW_VERSIONS = ("v1", "v1beta1")
TIMEOUT_S_MAX = 30


def validate_webhooks(configuration: Object) -> Found:
    found: Found = []
    for index, webhook in enumerate(configuration.get("webhooks") or ()):
        _validate_webhook(webhook, f"webhooks[{index}]", found)
    return found


def _validate_webhook(webhook: dict[str, Any], path: str, found: Found) -> None:
    name = webhook.get("name") or ""
    if not name:
        found.append(required(f"{path}.name"))
    elif names.dns1123_subdomain(name):
        found.append(invalid(f"{path}.name", name, ",".join(names.dns1123_subdomain(name))))
    elif name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        found.append(invalid(f"{path}.name", name, detail))
    _validate_rules(webhook.get("rules") or (), f"{path}.rules", found)
    _check(webhook.get("failurePolicy"), f"{path}.failurePolicy", FAILURE_POLICIES, found)
    _check(webhook.get("matchPolicy"), f"{path}.matchPolicy", MATCH_POLICIES, found)
    effects = webhook.get("sideEffects")
    if effects is None:
        found.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(SIDE_EFFECTS)}"))
    else:
        _check(effects, f"{path}.sideEffects", SIDE_EFFECTS, found)
    timeout_s = webhook.get("timeoutSeconds")
    if timeout_s is not None and not 1 <= timeout_s <= TIMEOUT_S_MAX:
        detail = f"the timeout value must be between 1 and {TIMEOUT_S_MAX} seconds"
        found.append(invalid(f"{path}.timeoutSeconds", timeout_s, detail))
    versions = webhook.get("admissionReviewVersions") or ()
    if not versions:
        detail = f"must specify one of {', '.join(REVIEW_VERSIONS)}"
        found.append(required(f"{path}.admissionReviewVersions", detail))
    elif not any(version in REVIEW_VERSIONS for version in versions):
        detail = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        found.append(invalid(f"{path}.admissionReviewVersions", versions, detail))
    config = webhook.get("clientConfig") or {}
    if (config.get("url") is None) == (config.get("service") is None):
        found.append(required(f"{path}.clientConfig", "exactly one of url or service is required"))
    for field in ("namespaceSelector", "objectSelector"):
        selectors.validate(webhook.get(field), f"{path}.{field}", found)
    expressions.check_conditions(webhook.get("matchConditions"), f"{path}.matchConditions", found)


def _validate_rules(rules: Any, path: str, found: Found) -> None:
    for index, rule in enumerate(rules):
        for field in ("operations", "apiGroups", "apiVersions", "resources"):
            values = rule.get(field) or ()
            if not values:
                found.append(required(f"{path}[{index}].{field}"))
            elif len(values) > 1 and "*" in values:
                detail = "if '*' is present, must not specify other values"
                found.append(invalid(f"{path}[{index}].{field}", values, detail))
        for position, operation in enumerate(rule.get("operations") or ()):
            _check(operation, f"{path}[{index}].operations[{position}]", OPERATIONS, found)
        _check(rule.get("scope"), f"{path}[{index}].scope", SCOPES, found)


def _check(value: str | None, path: str, choices: tuple[str, ...], found: Found) -> None:
    if value is not None and value not in choices:
        found.append(not_supported(path, value, choices))


def validate_match(match: dict[str, Any] | None, path: str, found: Found, *, needed: bool) -> None:
    """MatchResources; `needed` where a policy must say what it is about."""
    if match is None:
        if needed:
            found.append(required(path))
        return
    if needed and not match.get("resourceRules"):
        found.append(required(f"{path}.resourceRules"))
    for field in ("resourceRules", "excludeResourceRules"):
        _validate_rules(match.get(field) or (), f"{path}.{field}", found)
    _check(match.get("matchPolicy"), f"{path}.matchPolicy", MATCH_POLICIES, found)
    for field in ("namespaceSelector", "objectSelector"):
        selectors.validate(match.get(field), f"{path}.{field}", found)


def validate_binding(binding: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(binding)
    if not spec.get("policyName"):
        found.append(required("spec.policyName"))
    validate_match(spec.get("matchResources"), "spec.matchResources", found, needed=False)
    return found


def validate_policy(policy: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(policy)
    _check(spec.get("failurePolicy"), "spec.failurePolicy", FAILURE_POLICIES, found)
    kind = spec.get("paramKind")
    if kind is not None:
        found.extend(required(f"spec.paramKind.{key}") for key in ("apiVersion", "kind") if not kind.get(key))
    validate_match(spec.get("matchConstraints"), "spec.matchConstraints", found, needed=True)
    expressions.check_conditions(
        spec.get("matchConditions"), "spec.matchConditions", found, params=kind is not None, namespaces=True
    )
    return found
