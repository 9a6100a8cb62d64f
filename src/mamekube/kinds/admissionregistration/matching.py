"""What all admission registrations share: which requests they are about, and their defaults and table texts."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column
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
        return _selector_text(reference["selector"])
    return cells.UNSET


def _selector_text(selector: dict[str, Any]) -> str:
    """The selector as Go prints the struct, which is how upstream shows this one."""
    labels = selector.get("matchLabels") or {}
    pairs = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    requirements = "".join(
        f"LabelSelectorRequirement{{Key:{one.get('key') or ''},Operator:{one.get('operator') or ''},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}"
    )
